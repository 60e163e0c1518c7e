// A record as an entry of the journal, in the native protocol. Pure.
//
//   MESSAGE=hello⏎  PRIORITY=6⏎  SYSLOG_IDENTIFIER=web⏎
//   CONTAINER_ID=3f2a1b0c9d8e⏎  CONTAINER_ID_FULL=3f2a…⏎  CONTAINER_NAME=web⏎  IMAGE_NAME=busybox⏎
//   CONTAINER_PARTIAL_MESSAGE=true⏎        a piece, more of the line follows; else left out
//   MYDOCKER_SOURCE=stdout⏎  MYDOCKER_TIME_NS=1769860800123456789⏎
//
// The names are docker's but for the last two. A value with a line feed in it stands behind its length
// instead: KEY⏎ <64 bits, little endian> value ⏎. Source: systemd.io/JOURNAL_NATIVE_PROTOCOL
#pragma once

#include "mydocker/log_sink.hpp"

#include <string>
#include <string_view>

namespace mydocker::journal {

inline constexpr const char* kFullId = "CONTAINER_ID_FULL";
inline constexpr const char* kMessage = "MESSAGE";
inline constexpr const char* kPartial = "CONTAINER_PARTIAL_MESSAGE";
inline constexpr const char* kSource = "MYDOCKER_SOURCE";
inline constexpr const char* kTime = "MYDOCKER_TIME_NS";

[[nodiscard]] const char* source_word(LogSource source);

void append_field(std::string& entry, std::string_view key, std::string_view value);

// What all entries of a stream have in common.
[[nodiscard]] std::string make_common_fields(const StreamInfo& info);
[[nodiscard]] std::string make_entry(std::string_view common_fields, const LogRecord& record);

} // namespace mydocker::journal
