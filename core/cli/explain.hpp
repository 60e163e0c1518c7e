// `run --explain`: the life of a container as a picture of what was done when, or as a file for a viewer.
#pragma once

#include "base/trace.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <vector>

namespace mydocker::cli {

// A line a span, in the order in which they began: when, how long, a bar on the time line, who, what.
[[nodiscard]] std::string waterfall(std::vector<trace::Span> spans);

// The trace event format of Chrome, which chrome://tracing and Perfetto show: a thread for each program.
[[nodiscard]] std::string chrome_trace(const std::vector<trace::Span>& spans);

// Where an explanation goes: nowhere, to standard error, or to a file.
class Explanation {
  public:
    // `wanted`: "" off; "true" standard error; else a file. Errors: when that cannot be written.
    [[nodiscard]] static Result<Explanation> make(const std::string& wanted);

    // Null when it is off.
    [[nodiscard]] trace::Recorder* recorder() { return is_on_ ? &recorder_ : nullptr; }
    [[nodiscard]] Status finish();

  private:
    bool is_on_ = false;
    std::string path_;
    UniqueFd file_;
    trace::Recorder recorder_{"mydocker"};
};

} // namespace mydocker::cli
