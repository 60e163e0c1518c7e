// Reading and writing the control files of a cgroup, and setting a limit so that what the kernel made
// of it is known.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mydocker::cgroup {

// A cgroup in one hierarchy. Cheap to copy; `root` is not owned.
struct Place {
    int root = -1;              // the directory of the hierarchy's mount point
    std::string_view point;     // its path, for messages
    std::string name;           // below it, e.g. "mydocker/web"; "": the mount point itself
    const Host* host = nullptr; // told of what is written to its files; null: nobody is

    // Relative to `root`.
    [[nodiscard]] std::string file(std::string_view file) const;
    // For messages: absolute and in quotes. Without `file`: of the cgroup itself.
    [[nodiscard]] std::string quoted(std::string_view file = {}) const;
    // The cgroup one level up. Only if `name` is not empty.
    [[nodiscard]] Place parent() const;
};

// Whether errno says that the cgroup is gone: its directory is no more, or was removed while open.
[[nodiscard]] bool is_gone(int error);

// The text of a control file without the line end. Errors: not_found, when there is no such file.
[[nodiscard]] Result<std::string> read_control(const Place& place, std::string_view file);

// Tells the place's host, at debug level, that a file was written.
void note_write(const Place& place, std::string_view file, std::string_view text);

// Errors: not_found, when there is no such file.
[[nodiscard]] Status write_control(const Place& place, std::string_view file, std::string_view text);

// One limit: how messages call it, the file that holds it, and what helps where the kernel lacks it.
struct Limit {
    std::string_view name;
    std::string_view file;
    std::string_view remedy = {}; // "boot with swapaccount=1"
};

// Writes `text` to the limit's file and has what the kernel shows then judged by `accepts`.
// Errors: unsupported, when the cgroup has no such file; not_found, without the cgroup; invalid, when
// the kernel made something else of it.
[[nodiscard]] Status set_limit(const Place& place, const Limit& limit, std::string_view text,
                               const std::function<bool(std::string_view)>& accepts);

// The notation of a number that may be absent (no limit).
struct Notation {
    std::string_view unlimited = "max"; // as it is written; read back as "max", negative or huge
    std::uint64_t granularity = 1;      // the kernel keeps whole multiples of it
};

// As set_limit, for a number or, if negative, no limit; lifting one that cannot be set here succeeds.
[[nodiscard]] Status set_number(const Place& place, const Limit& limit, std::int64_t wanted,
                                const Notation& notation = {});

// A limit's value as the kernel shows it; nothing: unlimited.
[[nodiscard]] std::optional<std::uint64_t> limit_value(std::string_view text);

} // namespace mydocker::cgroup
