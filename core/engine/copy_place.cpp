#include "engine/copy_place.hpp"

#include "base/sys.hpp"
#include "engine/root_view.hpp"

#include <cerrno>
#include <fcntl.h>

namespace mydocker::engine {
namespace {

constexpr int kMostLinks = 40; // as the kernel's own limit

std::string without_slashes(std::string path) {
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    return path;
}

bool ends_in_dot(const std::string& path) {
    return path == "." || path.ends_with("/.");
}

struct Parts {
    std::string parent; // "." or "/…"
    std::string name;
};

Parts split(const std::string& given) {
    const std::string path = without_slashes(given);
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return {".", path};
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

std::unexpected<Error> no_directory(const std::string& path) {
    return fail(Code::invalid, "'" + path + "'", ENOTDIR);
}

// Whether the path has no name of its own at its end: then what it leads to is meant, not it.
bool is_nameless(const std::string& path) {
    const std::string name = split(path).name;
    return name.empty() || name == "." || name == "..";
}

// Parent and name of what the path leads to in the end, there or not: links at its end are followed.
Result<CopyTarget> final_place(const Side& side, std::string path) {
    for (int i = 0; i < kMostLinks; ++i) {
        Parts parts = split(path);
        if (is_nameless(path)) return fail(Code::not_found, "'" + path + "'", ENOENT);
        auto parent = side.open(parts.parent, O_PATH | O_DIRECTORY);
        if (!parent) return fail(parent);
        auto link = sys::readlinkat(parent->get(), parts.name);
        if (!link) return CopyTarget{std::move(*parent), std::move(parts.name)};
        path = link->starts_with('/') ? *link : parts.parent + "/" + *link;
    }
    return fail_errno(ELOOP, "'" + path + "'");
}

} // namespace

Result<UniqueFd> Side::open(const std::string& path, int flags) const {
    if (!root_) return sys::openat(AT_FDCWD, path, flags);
    return open_in_root(root_.get(), path, flags);
}

Result<CopySource> find_source(const Side& side, const std::string& path, LastLink link) {
    // A slash behind it says that a directory is meant, whatever link leads there.
    const bool follow = link == LastLink::follow || path.ends_with('/') || is_nameless(path);
    auto fd = side.open(path, O_PATH | (follow ? 0 : O_NOFOLLOW));
    if (!fd) return fail(fd);
    auto status = sys::fstat(fd->get());
    if (!status) return fail(status);
    if (!S_ISDIR(status->st_mode) && (path.ends_with('/') || ends_in_dot(path))) return no_directory(path);
    if (S_ISSOCK(status->st_mode)) return fail(Code::invalid, "'" + path + "' is a socket");
    CopySource source;
    source.fd = std::move(*fd);
    source.status = *status;
    source.name = split(path).name;
    source.contents = is_nameless(path);
    return source;
}

Result<CopyTarget> find_target(const Side& side, const std::string& path, const CopySource& source) {
    auto there = side.open(path, O_PATH);
    if (!there && there.error().sys_errno != ENOENT) return fail(there);
    if (!there) {
        if (!source.is_directory() && path.ends_with('/')) return fail(there);
        return final_place(side, path);
    }
    auto status = sys::fstat(there->get());
    if (!status) return fail(status);
    if (!S_ISDIR(status->st_mode)) {
        if (source.is_directory())
            return fail(Code::invalid,
                        "'" + path + "' is no directory, and a directory is to be copied to it");
        return final_place(side, path);
    }
    return CopyTarget{std::move(*there), source.contents ? "" : source.name};
}

Result<UniqueFd> find_directory(const Side& side, const std::string& path) {
    return side.open(path, O_PATH | O_DIRECTORY);
}

} // namespace mydocker::engine
