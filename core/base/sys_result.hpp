// How sys*.cpp turn what a system call returned into a Result. Not for others.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cerrno>
#include <string>
#include <utility>

namespace mydocker::sys::detail {

// The error of the call before it, errno captured first; the pieces make the text.
template <class... Pieces>
[[nodiscard]] std::unexpected<Error> failed(const Pieces&... pieces) {
    const int error = errno;
    std::string text;
    (text.append(pieces), ...);
    return fail_errno(error, std::move(text));
}

// Calls again while a signal interrupts.
template <class Call>
[[nodiscard]] auto retry(Call call) {
    for (;;) {
        const auto result = call();
        if (result >= 0 || errno != EINTR) return result;
    }
}

template <class... Pieces>
[[nodiscard]] Status done(long result, const Pieces&... pieces) {
    if (result >= 0) return {};
    return failed(pieces...);
}

template <class... Pieces>
[[nodiscard]] Result<UniqueFd> owned(long result, const Pieces&... pieces) {
    if (result >= 0) return UniqueFd(static_cast<int>(result));
    return failed(pieces...);
}

} // namespace mydocker::sys::detail
