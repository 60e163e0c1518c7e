// The parts of reading a config.json. For spec*.cpp alone.
#pragma once

#include "runtime/spec.hpp"
#include "runtime/spec_reader.hpp"

namespace mydocker::runtime {

// Each reads its object into the spec; what is wrong is told to the member's complaint.
void read_process(const Member& process, ProcessSpec& spec);
void read_linux(const Member& linux_member, ContainerSpec& spec);
[[nodiscard]] Resources read_resources(const Member& resources);

} // namespace mydocker::runtime
