// A system call of another process in words, as strace(1) would show it: its name and the paths among its
// arguments. For the messages of fault tests; not a tracer (that is faultline).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace mydocker::test {

struct SystemCall {
    std::uint64_t number = 0;
    std::array<std::uint64_t, 6> arguments{};
    std::string name;               // "renameat2"; "system call 999" when it is not in our table
    std::vector<std::string> paths; // relative ones behind their directory: "/root/records/.pending"
    std::string text;               // "renameat2('/a', '/b')"
    bool of_loader = false;         // made before the program has a thread of its own, by ld.so and libc

    // Whether one of the paths ends so.
    [[nodiscard]] bool touches(const std::string& ending) const;
};

// Reads what the arguments point to from the process, which must stand still at the call's entry.
[[nodiscard]] SystemCall describe_call(pid_t pid, std::uint64_t number,
                                       const std::array<std::uint64_t, 6>& arguments);

} // namespace mydocker::test
