// Options of a driver against what the driver says it takes. Pure.
#pragma once

#include "config/raw.hpp"

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::config {

struct CheckedOptions {
    Options options; // complete: defaults filled in, also for what is complained of
    std::vector<Complaint> complaints;
};

// kind, driver: for messages and keys, "storage" and "overlayfs".
[[nodiscard]] CheckedOptions examine_options(std::string_view kind, std::string_view driver,
                                             std::span<const OptionSpec> specs, const RawOptions& given);

// The same for a driver that is about to be used. Errors: invalid, the first complaint, with file, line
// and column, and the nearest key for an unknown one; plugin_fault for a spec whose own default is wrong.
[[nodiscard]] Result<Options> check_options(std::string_view kind, std::string_view driver,
                                            std::span<const OptionSpec> specs, const RawOptions& given);

} // namespace mydocker::config
