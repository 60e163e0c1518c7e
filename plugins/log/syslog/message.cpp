#include "message.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <utility>
#include <vector>

namespace mydocker::syslog {
namespace {

constexpr std::size_t kShortId = 12;
constexpr std::size_t kMaxTag = 48; // RFC 5424, APP-NAME
constexpr std::uint32_t kSeverities = 8;

// RFC 5424, section 6.2.1, by the names of syslog(3).
constexpr std::array<std::string_view, 24> kFacilities = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog",   "lpr",     "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "security", "console", "solaris-cron",
    "local0", "local1", "local2",   "local3", "local4", "local5",   "local6",  "local7"};

[[nodiscard]] std::uint32_t severity_of(LogSource source) {
    constexpr std::uint32_t kError = 3;
    constexpr std::uint32_t kNotice = 5;
    constexpr std::uint32_t kInfo = 6;
    if (source == LogSource::err) return kError;
    return source == LogSource::diagnostic ? kNotice : kInfo;
}

[[nodiscard]] const char* stream_word(LogSource source) {
    if (source == LogSource::err) return "stderr";
    return source == LogSource::diagnostic ? "diagnostic" : "stdout";
}

// 2026-01-31T12:00:00.123456Z; six digits are the most that RFC 5424 allows.
[[nodiscard]] std::string utc_time(std::int64_t time_ns) {
    using namespace std::chrono;
    const sys_time<microseconds> time = floor<microseconds>(sys_time<nanoseconds>(nanoseconds(time_ns)));
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(time - day);
    std::array<char, 48> text{};
    const int length = std::snprintf(
        text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return {text.data(), static_cast<std::size_t>(length)};
}

// Jan 31 12:00:00, in English whatever the locale.
[[nodiscard]] std::string local_time(std::int64_t time_ns) {
    constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    using namespace std::chrono;
    const std::time_t seconds_since = static_cast<std::time_t>(
        floor<seconds>(sys_time<nanoseconds>(nanoseconds(time_ns))).time_since_epoch().count());
    std::tm fields{};
    if (::localtime_r(&seconds_since, &fields) == nullptr) return "Jan  1 00:00:00";
    std::array<char, 48> text{};
    const int length = std::snprintf(text.data(), text.size(), "%s %2d %02d:%02d:%02d",
                                     kMonths.at(static_cast<std::size_t>(fields.tm_mon)), fields.tm_mday,
                                     fields.tm_hour, fields.tm_min, fields.tm_sec);
    return {text.data(), static_cast<std::size_t>(length)};
}

struct Placeholder {
    std::string_view name;
    std::function<std::string(const StreamInfo&)> value;
};

[[nodiscard]] const std::vector<Placeholder>& placeholders() {
    static const std::vector<Placeholder> list = {
        {"{id}", [](const StreamInfo& info) { return info.id.substr(0, kShortId); }},
        {"{full_id}", [](const StreamInfo& info) { return info.id; }},
        {"{name}", [](const StreamInfo& info) { return info.name; }},
        {"{image}", [](const StreamInfo& info) { return info.image; }},
    };
    return list;
}

// The placeholder that the text begins with.
[[nodiscard]] const Placeholder* placeholder_at(std::string_view text) {
    const auto& list = placeholders();
    const auto found =
        std::ranges::find_if(list, [&](const Placeholder& each) { return text.starts_with(each.name); });
    return found == list.end() ? nullptr : &*found;
}

// In the older form a tag ends at the first of these.
[[nodiscard]] bool fits_tag(char c, Form form) {
    if (c <= ' ' || c > '~') return false;
    return form == Form::rfc5424 || (c != ':' && c != '[' && c != ']');
}

// How much of the text makes a piece of at most `room` bytes.
[[nodiscard]] std::size_t piece_of(std::string_view text, std::size_t room) {
    if (text.size() <= room) return text.size();
    const auto is_continuation = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
    std::size_t length = room;
    // A character has at most three bytes behind its first; more is no UTF-8, and cut anywhere.
    while (length + 3 > room && is_continuation(text[length]))
        --length;
    return is_continuation(text[length]) ? room : length;
}

} // namespace

Result<std::uint32_t> parse_facility(std::string_view name) {
    const auto found = std::ranges::find(kFacilities, name);
    if (found != kFacilities.end()) return static_cast<std::uint32_t>(found - kFacilities.begin());
    return fail(Code::invalid,
                "use facility '" + std::string(name) +
                    "'; there are user, daemon, auth, local0 … local7 and the others of syslog(3)");
}

Status check_tag(std::string_view pattern) {
    if (pattern.empty()) return fail(Code::invalid, "use an empty tag");
    for (std::size_t at = pattern.find('{'); at != std::string_view::npos; at = pattern.find('{', at + 1))
        if (placeholder_at(pattern.substr(at)) == nullptr)
            return fail(Code::invalid, "use tag '" + std::string(pattern) +
                                           "'; there are {id}, {full_id}, {name} and {image}");
    return {};
}

std::string make_tag(std::string_view pattern, const StreamInfo& info, Form form) {
    std::string tag;
    while (!pattern.empty()) {
        const Placeholder* placeholder = placeholder_at(pattern);
        if (placeholder != nullptr)
            tag += placeholder->value(info);
        else
            tag += pattern.front();
        pattern.remove_prefix(placeholder != nullptr ? placeholder->name.size() : 1);
    }
    std::ranges::replace_if(tag, [&](char c) { return !fits_tag(c, form); }, '_');
    if (tag.empty()) return "-";
    return tag.substr(0, kMaxTag);
}

std::string make_header(const Origin& origin, const LogRecord& record) {
    std::string text = "<" + std::to_string(origin.facility * kSeverities + severity_of(record.source)) + ">";
    if (origin.form == Form::rfc5424) {
        for (const std::string& field : {"1 " + utc_time(record.time_ns), origin.host, origin.tag, origin.id})
            text += field + " ";
        return text + stream_word(record.source) + " - ";
    }
    text += local_time(record.time_ns) + " ";
    if (origin.form == Form::rfc3164) text += origin.host + " ";
    return text + origin.tag + "[" + origin.id + "]: ";
}

void visit_messages(const Origin& origin, const LogRecord& record, std::size_t limit,
                    const std::function<void(std::string)>& visit) {
    const std::string header = make_header(origin, record);
    constexpr std::size_t kLeast = 64; // of text, whatever the header takes
    const std::size_t room = std::max(limit, header.size() + kLeast) - header.size();
    std::string_view rest = record.bytes;
    do { // An empty line is a message, too.
        const std::string_view piece = rest.substr(0, piece_of(rest, room));
        rest.remove_prefix(piece.size());
        visit(header + std::string(piece));
    } while (!rest.empty());
}

} // namespace mydocker::syslog
