// One container's output as messages to a syslog server. How they wait for it: log/datagram/outbox.hpp.
#pragma once

#include "mydocker/log_sink.hpp"

#include "log/datagram/outbox.hpp"

#include "address.hpp"
#include "message.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace mydocker::syslog {

struct Settings {
    Address address;
    std::uint32_t facility = 0;
    Form form = Form::rfc5424;
    std::string tag;
    std::size_t max_message = 0; // bytes
    std::size_t buffer = 0;      // bytes that may wait
};

class SyslogStream final : public LogSink::Stream {
  public:
    // Errors: that of connecting: a server that is away already is an error of `run`.
    [[nodiscard]] static Result<std::unique_ptr<SyslogStream>> open(const StreamInfo& info,
                                                                    const Settings& settings);

    // Errors: no_space when something of this batch was dropped.
    [[nodiscard]] Status write(std::span<const LogRecord> records);

    // Errors: busy while something waits.
    [[nodiscard]] Status flush() { return outbox_.flush(); }

    // Errors: timeout, naming how many messages were left.
    [[nodiscard]] Status close() { return outbox_.close(); }

  private:
    SyslogStream(Origin origin, std::size_t max_message, datagram::Outbox outbox)
        : origin_(std::move(origin)),
          max_message_(max_message),
          outbox_(std::move(outbox)) {}

    Origin origin_;
    std::size_t max_message_;
    datagram::Outbox outbox_;
};

} // namespace mydocker::syslog
