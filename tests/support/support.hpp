// Helpers for tests: temporary directories, named requirements, small programs. The leak meter has a
// header of its own.
#pragma once

#include "mydocker/result.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace mydocker::test {

// A directory below the system's temporary one, removed with all in it at the end (mounts below it are
// detached first).
class TempDir {
  public:
    TempDir();
    explicit TempDir(const std::string& parent);
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir();

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

// Whether AddressSanitizer is built in, which has memory and makes system calls of its own.
[[nodiscard]] constexpr bool is_sanitized() {
#if defined(__SANITIZE_ADDRESS__)
    return true;
#elif defined(__has_feature)
    return __has_feature(address_sanitizer);
#else
    return false;
#endif
}

// What a test needs of the machine.
enum class Need { root, overlayfs, aufs, cgroup_v1, cgroup_v2, user_namespaces, kvm_free_qemu };

// Why the need is not met here; nothing when it is. Use: if (auto why = missing(Need::root)) GTEST_SKIP() <<
// *why;
[[nodiscard]] std::optional<std::string> missing(Need need);

// How often a test does a thing that takes a quarter of an hour in an emulated machine, `count` times as a
// rule. There the environment asks for a part: MYDOCKER_TEST_DIVISOR, at least 1. Never fewer than ten.
[[nodiscard]] int repeats(int count);

// A whole file; "" if there is none. And a file of just that text.
[[nodiscard]] std::string content_of(const std::string& path);
void write_text(const std::string& path, std::string_view text);

// Whether the expression (ECMAScript's) is found anywhere in the text.
[[nodiscard]] bool matches(const std::string& text, const std::string& pattern);

// A field of /proc/PID/stat by its number in proc_pid_stat(5), from 3 on; "" where there is no such process.
[[nodiscard]] std::string stat_field(pid_t pid, int number);
[[nodiscard]] pid_t parent_of(pid_t pid); // 0: there is no such process

// What a finished program did.
struct Outcome {
    int exit_code = -1; // 128 + n when killed by signal n
    std::string out;
    std::string err;
};

// Runs a program to its end, standard input from `input`. `environment` is added to the test's own.
struct Command {
    std::vector<std::string> words;
    std::string input;
    std::vector<std::string> environment;
    std::string directory;
    std::chrono::seconds limit{300}; // It is killed then, whatever of it holds the streams open.
};
[[nodiscard]] Outcome run(const Command& command);
[[nodiscard]] Outcome run(const std::vector<std::string>& words);

} // namespace mydocker::test
