#include "entry.hpp"

#include <cstdint>

namespace mydocker::journal {
namespace {

constexpr std::size_t kShortId = 12;

// As docker has them; source: syslog(3).
[[nodiscard]] const char* priority_of(LogSource source) {
    if (source == LogSource::err) return "3";
    return source == LogSource::diagnostic ? "5" : "6";
}

} // namespace

const char* source_word(LogSource source) {
    if (source == LogSource::err) return "stderr";
    return source == LogSource::diagnostic ? "diagnostic" : "stdout";
}

void append_field(std::string& entry, std::string_view key, std::string_view value) {
    entry += key;
    if (value.find('\n') == std::string_view::npos) {
        entry += '=';
    } else {
        constexpr unsigned kByte = 8;
        entry += '\n';
        for (unsigned shift = 0; shift < kByte * sizeof(std::uint64_t); shift += kByte)
            entry += static_cast<char>(static_cast<std::uint64_t>(value.size()) >> shift & 0xffU);
    }
    entry += value;
    entry += '\n';
}

std::string make_common_fields(const StreamInfo& info) {
    std::string fields;
    append_field(fields, "SYSLOG_IDENTIFIER", info.name);
    append_field(fields, "CONTAINER_ID", info.id.substr(0, kShortId));
    append_field(fields, kFullId, info.id);
    append_field(fields, "CONTAINER_NAME", info.name);
    append_field(fields, "IMAGE_NAME", info.image);
    return fields;
}

std::string make_entry(std::string_view common_fields, const LogRecord& record) {
    std::string entry(common_fields);
    append_field(entry, "PRIORITY", priority_of(record.source));
    append_field(entry, kSource, source_word(record.source));
    append_field(entry, kTime, std::to_string(record.time_ns));
    if (record.partial) append_field(entry, kPartial, "true");
    append_field(entry, kMessage, record.bytes);
    return entry;
}

} // namespace mydocker::journal
