#include "xino.hpp"

#include <linux/magic.h>
#include <sys/vfs.h>

namespace mydocker::aufs {
namespace {

[[nodiscard]] bool is_tmpfs(const std::string& path) {
    struct statfs status{};
    return ::statfs(path.c_str(), &status) == 0 && static_cast<long>(status.f_type) == TMPFS_MAGIC;
}

} // namespace

Status check_xino_dir(const std::string& wanted) {
    if (wanted.empty()) return {};
    if (wanted.starts_with('/') && wanted.find(',') == std::string::npos) return {};
    return fail(Code::invalid,
                "option xino_dir is '" + wanted + "'; it takes an absolute path without a comma");
}

std::string xino_directory(const std::string& wanted, const std::string& run_dir) {
    if (!wanted.empty()) return wanted;
    const bool usable = run_dir.find(',') == std::string::npos && is_tmpfs(run_dir);
    return usable ? run_dir : kSharedMemory;
}

std::string xino_path(const std::string& directory, const RwId& id, Access access) {
    return directory + "/aufs-" + id.str() + (access == Access::read_only ? "-ro" : "") + ".xino";
}

} // namespace mydocker::aufs
