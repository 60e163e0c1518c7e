// Runs a program that comes to an end soon, with nothing of ours but what it is given. It does not know
// which.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <vector>

namespace mydocker::fuse_overlayfs {

struct SpawnRequest {
    const std::string& program; // absolute
    std::vector<std::string> words;
    int directory = -1;   // open: its working directory
    std::vector<int> fds; // open: its descriptors from 3 on, in this order; -1: none
};

// Waits for its end, which is successful when its exit code is 0. Standard input and output are /dev/null,
// standard error is read for what to say when it fails; there is no environment, no signal is blocked or
// ignored, and what a terminal sends does not reach it. The child executes at once and nothing is copied.
// Errors: not_found, when it is not there; invalid, with its last words, when it failed; timeout, cancelled:
// then it is killed. In each case it has been waited for. Source: posix_spawn(3).
[[nodiscard]] Status run_to_end(const SpawnRequest& request, const Host& host);

} // namespace mydocker::fuse_overlayfs
