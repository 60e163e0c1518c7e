// The parts of reading a config.json. For spec*.cpp alone.
#pragma once

#include "runtime/spec.hpp"
#include "runtime/spec_reader.hpp"

#include <cstdint>

namespace mydocker::runtime {

// Of a user or group; the next one means "unchanged" to the kernel: whoever asked for it would stay root.
inline constexpr std::uint32_t kLastId = 4294967294;
inline constexpr std::int64_t kLastMajor = 4095; // of a device; include/linux/kdev_t.h: 12 and 20 bits
inline constexpr std::int64_t kLastMinor = 1048575;

// Each reads its object into the spec; what is wrong is told to the member's complaint.
void read_process(const Member& process, ProcessSpec& spec);
void read_linux(const Member& linux_member, ContainerSpec& spec);
[[nodiscard]] Resources read_resources(const Member& resources);

} // namespace mydocker::runtime
