#include "volatile_mark.hpp"

#include "mydocker/support/files.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::overlayfs {
namespace {

constexpr std::size_t kLongestBootId = 64; // It has 37 bytes.

[[nodiscard]] Result<std::string> boot_id() {
    auto id = files::read_file("/proc/sys/kernel/random/boot_id", kLongestBootId);
    if (id && id->ends_with('\n')) id->pop_back();
    return id;
}

// A link can be made and read with one call each.
[[nodiscard]] Status make_link(int rw, const std::string& boot) {
    if (::symlinkat(boot.c_str(), rw, kBootLink) == 0) return {};
    return fail_errno(errno, "make '" + std::string(kBootLink) + "'");
}

[[nodiscard]] Result<bool> is_noted(int rw, const std::string& boot) {
    std::array<char, kLongestBootId> noted;
    const ssize_t size = ::readlinkat(rw, kBootLink, noted.data(), noted.size());
    if (size >= 0) return boot == std::string_view(noted.data(), static_cast<std::size_t>(size));
    const int error = errno;
    if (error == ENOENT) return false;
    return fail_errno(error, "read '" + std::string(kBootLink) + "'");
}

[[nodiscard]] Result<bool> has_mark(int rw) {
    struct stat status{};
    if (::fstatat(rw, kVolatileMark, &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
    const int error = errno;
    if (error == ENOENT) return false;
    return fail_errno(error, "look at '" + std::string(kVolatileMark) + "'");
}

[[nodiscard]] Status lift_mark(int rw) {
    if (::syncfs(rw) != 0) return fail_errno(errno, "write out what is in it");
    (void)::unlinkat(rw, kVolatileFile, 0); // Told by what comes next.
    if (::unlinkat(rw, kVolatileMark, AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    return fail_errno(errno, "remove '" + std::string(kVolatileMark) + "'");
}

} // namespace

Status prepare_volatile(int rw) {
    const auto boot = boot_id();
    if (!boot) return fail(boot);
    const auto noted = is_noted(rw, *boot);
    if (!noted) return fail(noted);
    const auto marked = has_mark(rw);
    if (!marked) return fail(marked);
    if (*marked) return *noted ? lift_mark(rw) : Status{};
    if (*noted) return {};
    (void)::unlinkat(rw, kBootLink, 0); // That of an earlier boot; told by what comes next.
    return make_link(rw, *boot);
}

} // namespace mydocker::overlayfs
