// Result<T>, Error and the closed set of error codes; distinct id types. Not for wording at the
// terminal: only the command line and the monitor print, through describe().
#pragma once

#include <cerrno>
#include <compare>
#include <cstdint>
#include <cstring>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace mydocker {

// What kind of thing went wrong. Closed: callers branch on it, and the values cross the wire.
enum class Code : std::uint32_t {
    ok = 0,            // never carried by an Error
    invalid = 1,       // the caller's input is wrong
    not_found = 2,     // the named thing is not there
    exists = 3,        // the named thing is there already
    conflict = 4,      // changed by somebody else since it was read
    busy = 5,          // in use; try again later
    unsupported = 6,   // this host, kernel or driver cannot do it
    denied = 7,        // no permission
    no_space = 8,      // disk, quota or a kernel table is full
    io = 9,            // the medium or the kernel failed
    corrupt = 10,      // stored data is damaged
    timeout = 11,      // a deadline passed
    cancelled = 12,    // the caller asked to stop
    plugin_fault = 13, // a plugin broke its contract
    internal = 14,     // a defect of ours
};

// One failure. `text` says what was attempted, on what (in single quotes); the reason is the number
// `sys_errno` (0: none), worded once, by describe().
struct Error {
    Code code = Code::internal;
    int sys_errno = 0;
    std::string text;

    bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

// The code that fits an errno value; io when none fits better.
[[nodiscard]] inline Code code_from_errno(int error) {
    switch (error) {
    case ENOENT:
    case ESRCH:
    case ENXIO:
    case ENODEV:
        return Code::not_found;
    case EEXIST:
        return Code::exists;
    case EBUSY:
    case EAGAIN:
    case ETXTBSY:
    case ENOTEMPTY:
        return Code::busy;
    case EACCES:
    case EPERM:
    case EROFS:
        return Code::denied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return Code::no_space;
    case EINVAL:
    case E2BIG:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
        return Code::invalid;
    case ENOSYS:
    case EOPNOTSUPP:
        return Code::unsupported;
    case ETIMEDOUT:
        return Code::timeout;
    case ECANCELED:
    case EINTR:
        return Code::cancelled;
    default:
        return Code::io;
    }
}

[[nodiscard]] inline std::unexpected<Error> fail(Code code, std::string text, int sys_errno = 0) {
    return std::unexpected<Error>(Error{code, sys_errno, std::move(text)});
}

// A failed system call: code from the errno value, which the caller captured first.
[[nodiscard]] inline std::unexpected<Error> fail_errno(int error, std::string text) {
    return fail(code_from_errno(error), std::move(text), error);
}

// Hands an error outward with a clause of the caller's own before it: "clause: inner".
[[nodiscard]] inline std::unexpected<Error> fail(Error inner, std::string_view clause) {
    inner.text = inner.text.empty() ? std::string(clause) : std::string(clause) + ": " + inner.text;
    return std::unexpected<Error>(std::move(inner));
}

template <class T>
[[nodiscard]] std::unexpected<Error> fail(const Result<T>& failed, std::string_view clause) {
    return fail(failed.error(), clause);
}

// Hands an error outward unchanged.
template <class T>
[[nodiscard]] std::unexpected<Error> fail(const Result<T>& failed) {
    return std::unexpected<Error>(failed.error());
}

// The error in words: text, then the errno's meaning and name, once.
[[nodiscard]] inline std::string describe(const Error& error) {
    if (error.sys_errno == 0) return error.text;
    const char* name = ::strerrorname_np(error.sys_errno);
    const char* meaning = ::strerrordesc_np(error.sys_errno);
    return error.text + ": " + (meaning != nullptr ? meaning : "unknown error") + " (" +
           (name != nullptr ? name : std::to_string(error.sys_errno)) + ")";
}

// A name of one kind: ids of different kinds do not mix.
template <class Tag>
class Id {
  public:
    Id() = default;
    explicit Id(std::string value) : value_(std::move(value)) {}
    explicit Id(std::string_view value) : value_(value) {}
    explicit Id(const char* value) : value_(value) {}

    [[nodiscard]] const std::string& str() const { return value_; }
    [[nodiscard]] bool empty() const { return value_.empty(); }

    auto operator<=>(const Id&) const = default;

  private:
    std::string value_;
};

} // namespace mydocker

template <class Tag>
struct std::hash<mydocker::Id<Tag>> {
    std::size_t operator()(const mydocker::Id<Tag>& id) const noexcept {
        return std::hash<std::string>{}(id.str());
    }
};
