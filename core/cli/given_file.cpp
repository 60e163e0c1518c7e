#include "cli/given_file.hpp"

#include "base/sys.hpp"
#include "mydocker/support/files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <string_view>
#include <sys/stat.h>

namespace mydocker::cli {
namespace {

// What a shell has opened for us: "< FIFO", "<(COMMAND)".
bool is_own_descriptor(std::string_view path) {
    return path == "/dev/stdin" || path.starts_with("/dev/fd/") || path.starts_with("/proc/self/fd/");
}

// Without waiting for a writer.
Result<UniqueFd> open_given(const std::string& path) {
    auto file = sys::openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
    if (!file) return file;
    auto status = sys::fstat(file->get());
    if (!status) return fail(status, fmt::format("'{}'", path));
    if (S_ISFIFO(status->st_mode) && !is_own_descriptor(path))
        return fail(Code::invalid,
                    fmt::format("'{}' is a pipe, which may have no writer; give it as /dev/stdin", path));
    // From here on it is waited for like any other program's input.
    if (::fcntl(file->get(), F_SETFL, 0) != 0) return fail_errno(errno, fmt::format("read '{}'", path));
    return file;
}

} // namespace

Result<std::string> read_given_file(const std::string& path) {
    constexpr std::size_t kMostBytes = 1U << 20U;
    auto file = open_given(path);
    if (!file) return fail(file);
    return files::read_all(file->get(), path, kMostBytes);
}

} // namespace mydocker::cli
