// A filter of somebody's own (linux.seccomp) as a BPF program; and which of its names are no calls at all.
#pragma once

#include "mydocker/result.hpp"
#include "runtime/spec.hpp"

#include <linux/filter.h>
#include <string>
#include <vector>

namespace mydocker::runtime {

// What the program does with a call:
//   a rule names it, without arguments     that rule's action: the first one's
//   rules name it, with arguments          the action of the first that fits; else the default action
//   no rule names it                       the default action; but ENOSYS where the default is an error and
//                                          the number lies beyond the highest that a rule names: whoever
//                                          wrote the rules had not heard of it, and programs fall back
//   (A rule with the default action says nothing.)
//   an architecture that is not listed     the process is killed; the machine's own is always there
// Of 32-bit architectures (x32 among them) the arguments' lower halves are compared. A rule for a call that
// i386 has a second way to (socketcall, ipc) counts for that way, too; one with arguments, which are behind
// a pointer there, by the stricter of its action and the default.
// Errors: invalid, when the kernel takes no program of that length.
[[nodiscard]] Result<std::vector<sock_filter>> compile_filter(const SeccompFilter& filter);

// Names that no architecture has as a call, as far as we have heard: mistakes of writing, or newer than we.
[[nodiscard]] std::vector<std::string> unknown_calls(const SeccompFilter& filter);

} // namespace mydocker::runtime
