#include "spare.hpp"

#include "mydocker/support/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::sqlite_state {
namespace {

// The -shm file's 32 KiB, and a -wal file of a dozen pages: a change writes two or three of them, and a
// document may be as long as some.
constexpr std::size_t kSpareBytes = std::size_t{256} << 10U;

} // namespace

Status Spare::keep() const {
    struct stat status{};
    if (::lstat(path_.c_str(), &status) == 0) {
        const bool is_whole =
            S_ISREG(status.st_mode) && static_cast<std::size_t>(status.st_size) >= kSpareBytes;
        if (is_whole) return {};
        if (auto gone = files::remove_tree(path_); !gone) return gone;
    }
    // One that is short for want of room would be taken for none.
    auto made = files::write_new(path_, std::string(kSpareBytes, '\0'), 0600);
    if (!made) (void)::unlink(path_.c_str()); // The first error counts; the next one replaces what is left.
    return made;
}

bool Spare::release() const {
    return ::unlink(path_.c_str()) == 0;
}

} // namespace mydocker::sqlite_state
