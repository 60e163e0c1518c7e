// How system calls truly fail for want of memory, descriptors or space, by a broken disk, by a signal, or by
// doing a part of what was asked: what a failure sweep may do to each. Not the doing (that is faultline).
#pragma once

#include "support/system_call.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mydocker::test {

// One way in which a call fails.
struct CallFailure {
    enum class Manner {
        not_made, // the caller gets the error instead
        made,     // and yet the caller gets the error: a close(2)
        altered,  // made with another value of one argument, which comes to the same
    };
    Manner manner = Manner::not_made;
    int error = 0;
    std::size_t argument = 0; // altered: which one, from 0
    std::uint64_t value = 0;
};

// "with ENOSPC", "by argument 2 made 12"
[[nodiscard]] std::string to_string(const CallFailure& failure);

// All ways in which the call may fail, none for one that cannot. Throws std::runtime_error for a call that is
// not in the table, so that it is put there.
[[nodiscard]] std::vector<CallFailure> failures_of(const SystemCall& call);

} // namespace mydocker::test
