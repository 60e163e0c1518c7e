#include "spare.hpp"

#include "mydocker/support/files.hpp"

#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::sqlite_state {
namespace {

// The -shm file's 32 KiB, and a -wal file of a dozen pages: a change writes two or three of them, and a
// document may be as long as some.
constexpr std::size_t kSpareBytes = std::size_t{256} << 10U;

// Bytes that a filesystem cannot compress: of zeros it would keep none, so that there was no room to give
// back.
[[nodiscard]] Result<std::string> filling() {
    std::string bytes(kSpareBytes, '\0');
    for (std::size_t filled = 0; filled < bytes.size();) {
        // A signal ends it early. Source: getrandom(2)
        const ssize_t count = ::getrandom(bytes.data() + filled, bytes.size() - filled, 0);
        if (count < 0 && errno != EINTR) return fail_errno(errno, "get random bytes");
        if (count > 0) filled += static_cast<std::size_t>(count);
    }
    return bytes;
}

} // namespace

Status Spare::keep() const {
    struct stat status{};
    if (::lstat(path_.c_str(), &status) == 0) {
        const bool is_whole =
            S_ISREG(status.st_mode) && static_cast<std::size_t>(status.st_size) >= kSpareBytes;
        if (is_whole) return {};
        if (auto gone = files::remove_tree(path_); !gone) return gone;
    }
    auto bytes = filling();
    if (!bytes) return fail(bytes);
    // One that is short for want of room would be taken for none.
    auto made = files::write_new(path_, *bytes, 0600);
    if (!made) (void)::unlink(path_.c_str()); // The first error counts; the next one replaces what is left.
    return made;
}

bool Spare::release() const {
    return ::unlink(path_.c_str()) == 0;
}

} // namespace mydocker::sqlite_state
