#include "lock_holder.hpp"

#include "state/common/process_words.hpp"

#include "mydocker/support/files.hpp"

#include <array>
#include <cstdio>
#include <sstream>
#include <string_view>
#include <sys/stat.h>

namespace mydocker::sqlite_state {
namespace {

// Bytes of the shared index that are locked: for a change, a checkpoint, a recovery.
// Source: sqlite.org/walformat.html#locks
constexpr unsigned long long kFirstLock = 120;
constexpr unsigned long long kLastLock = 122;

// Of a line of /proc/locks, "1: POSIX  ADVISORY  WRITE 1234 fd:01:5678 120 120"; "" if it is another lock.
// The device is not compared: some filesystems tell another one here than stat(2) does.
[[nodiscard]] std::string pid_of_lock(const std::string& line, unsigned long long inode) {
    std::array<char, 16> pid{};
    unsigned major = 0;
    unsigned minor = 0;
    unsigned long long number = 0;
    unsigned long long first = 0;
    constexpr int kFields = 5;
    const int fields = std::sscanf(line.c_str(), "%*u: POSIX ADVISORY WRITE %15s %x:%x:%llu %llu", pid.data(),
                                   &major, &minor, &number, &first);
    if (fields != kFields || number != inode || first < kFirstLock || first > kLastLock) return {};
    return pid.data();
}

} // namespace

// The file must not be opened for that: closing it would drop the locks that this process has on it.
// Source: fcntl(2), "Advisory record locking".
std::string lock_holder(const std::string& index_path) {
    struct stat status{};
    if (::stat(index_path.c_str(), &status) != 0) return {};
    const auto locks = files::read_file("/proc/locks");
    if (!locks) return {};
    std::istringstream lines(*locks);
    for (std::string line; std::getline(lines, line);) {
        const std::string pid = pid_of_lock(line, status.st_ino);
        if (!pid.empty()) return "pid " + pid + " (" + state::describe_process(pid) + ")";
    }
    return {};
}

} // namespace mydocker::sqlite_state
