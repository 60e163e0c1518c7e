// The host's side of bind mounts.
#include "engine/bind_sources.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace mydocker::engine {
namespace {

// The optional fields of the line of mountinfo whose mount has the id. Source: proc(5).
std::string propagation_fields(std::string_view mountinfo, std::uint64_t mount) {
    const std::string wanted = std::to_string(mount) + " ";
    while (!mountinfo.empty()) {
        const std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
        mountinfo.remove_prefix(std::min(line.size() + 1, mountinfo.size()));
        if (line.starts_with(wanted)) return std::string(line.substr(0, line.find(" - ")));
    }
    return {};
}

Status check_propagation(const MountRequest& mount) {
    const bool shared = mount.propagation.ends_with("shared");
    if (!shared && !mount.propagation.ends_with("slave")) return {};
    struct statx status{};
    if (::statx(AT_FDCWD, mount.source.c_str(), 0, STATX_MNT_ID, &status) != 0)
        return fail_errno(errno, "'" + mount.source + "'");
    auto mountinfo = files::read_file("/proc/self/mountinfo");
    if (!mountinfo) return fail(mountinfo);
    const std::string fields = propagation_fields(*mountinfo, status.stx_mnt_id);
    if (fields.contains(" shared:") || (!shared && fields.contains(" master:"))) return {};
    return fail(Code::conflict, "'" + mount.source + "' cannot be bound " + mount.propagation +
                                    ": it does not lie on a shared mount; see mount --make-shared");
}

} // namespace

Status check_bind_source(const MountRequest& mount, bool may_create) {
    auto there = sys::fstatat(AT_FDCWD, mount.source, 0);
    if (there) return check_propagation(mount);
    if (there.error().sys_errno != ENOENT) return fail(there);
    if (!mount.create_source) return fail(Code::not_found, "'" + mount.source + "' does not exist");
    if (!may_create)
        return fail(Code::not_found,
                    "'" + mount.source +
                        "' does not exist; make it, or set create_bind_sources in [run] of mydocker.toml");
    return {};
}

Status make_bind_source(const MountRequest& mount) {
    constexpr mode_t kMode = 0755;
    if (!mount.create_source || sys::fstatat(AT_FDCWD, mount.source, 0)) return {};
    return files::make_directories(mount.source, kMode);
}

} // namespace mydocker::engine
