// A record as syslog messages. Pure.
//
//   rfc5424   <30>1 2026-01-31T12:00:00.123456Z host web 3f2a1b0c9d8e stdout - hello
//   rfc3164   <30>Jan 31 12:00:00 host web[3f2a1b0c9d8e]: hello          the host's local time; to a socket
//   of
//                                                                        this host without its name
//
// 30 is the facility times eight and the severity: info for standard output, error for standard error, notice
// for the engine's own.
#pragma once

#include "mydocker/log_sink.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mydocker::syslog {

enum class Form : std::uint32_t {
    rfc5424,
    rfc3164,
    rfc3164_local, // the form of syslog(3), the only one that servers expect at their local socket
};

// What all messages of a stream have in common.
struct Origin {
    Form form = Form::rfc5424;
    std::uint32_t facility = 0;
    std::string host;
    std::string tag; // as it may stand in a message
    std::string id;  // of the container, its first digits
};

// Errors: invalid, naming those there are.
[[nodiscard]] Result<std::uint32_t> parse_facility(std::string_view name);

// The tag of a container: {id}, {full_id}, {name} and {image} are put in; what no tag may have becomes '_'.
[[nodiscard]] std::string make_tag(std::string_view pattern, const StreamInfo& info, Form form);
// Errors: invalid, naming the placeholder.
[[nodiscard]] Status check_tag(std::string_view pattern);

// What stands before the text of a message.
[[nodiscard]] std::string make_header(const Origin& origin, const LogRecord& record);

// The record in messages of at most `limit` bytes each, where the headers leave room for any text; a text is
// cut between two characters of UTF-8.
void visit_messages(const Origin& origin, const LogRecord& record, std::size_t limit,
                    const std::function<void(std::string)>& visit);

} // namespace mydocker::syslog
