// How it is known whether a daemon still serves a writable layer: it has been given one end of a named pipe,
// and has it as long as it lives. Who it is need not be known.
//
// It ends by itself once its mount is gone, but a moment later: until then it may still finish what it was
// asked for last, a copy into the writable layer, say.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <chrono>

namespace mydocker::fuse_overlayfs {

// Below rw/ID.
inline constexpr const char* kToken = "served";

[[nodiscard]] Status make_token(int rw);

// The end for a daemon to keep.
[[nodiscard]] Result<UniqueFd> open_token(int rw);

// The end to wait at. `rw`: the open directory. Errors: not_found, where there is no token.
[[nodiscard]] Result<UniqueFd> watch_token(int rw);

// Waits until no daemon has the token. Errors: busy, when one still has it after `limit`; cancelled.
[[nodiscard]] Status await_end(int watch, std::chrono::milliseconds limit, const Host& host);

} // namespace mydocker::fuse_overlayfs
