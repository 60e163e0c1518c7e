// The template of a line in a text-file log.
#include "line_template.hpp"

#include <array>
#include <chrono>
#include <cstdio>

namespace mydocker::text_file {

namespace {

constexpr std::size_t kShortId = 12;

std::string_view name_of(LogSource source) {
    switch (source) {
    case LogSource::err:
        return "stderr";
    case LogSource::diagnostic:
        return "diagnostic";
    case LogSource::out:
        break;
    }
    return "stdout";
}

} // namespace

std::string time_to_text(std::int64_t time_ns) {
    using namespace std::chrono;
    const sys_time<nanoseconds> time{nanoseconds(time_ns)};
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(time - day);
    std::array<char, 48> text{};
    const int length = std::snprintf(
        text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%09dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return {text.data(), static_cast<std::size_t>(length)};
}

const std::vector<LineTemplate::Known>& LineTemplate::known() {
    static const std::vector<Known> list = {
        {"time", Field::time},   {"stream", Field::stream},   {"level", Field::level},
        {"id", Field::id},       {"name", Field::name},       {"full_id", Field::full_id},
        {"image", Field::image}, {"message", Field::message},
    };
    return list;
}

void LineTemplate::add_text(char c) {
    std::vector<Part>& parts = current();
    if (parts.empty() || parts.back().field != Field::text) parts.push_back({Field::text, {}});
    parts.back().text += c;
}

Status LineTemplate::add_field(std::string_view name) {
    for (const Known& one : known()) {
        if (one.name != name) continue;
        if (one.field != Field::message) {
            current().push_back({one.field, {}});
            return {};
        }
        if (has_message_) return fail(Code::invalid, "use a template that has '{message}' twice");
        has_message_ = true;
        return {};
    }
    std::string names;
    for (const Known& one : known())
        names += (names.empty() ? "{" : ", {") + std::string(one.name) + "}";
    return fail(Code::invalid,
                "use placeholder '{" + std::string(name) + "}' in a template; there are " + names);
}

Result<LineTemplate> LineTemplate::parse(std::string_view text) {
    LineTemplate result;
    const std::string quoted = "use template '" + std::string(text) + "'";
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (static_cast<unsigned char>(c) < 0x20 && c != '\t')
            return fail(Code::invalid, "use a template with a control character; a line is one line");
        const bool doubled = text.substr(at + 1).starts_with(c);
        if ((c == '{' || c == '}') && doubled) {
            result.add_text(c);
            ++at;
        } else if (c == '{') {
            const auto end = text.find('}', at);
            if (end == std::string_view::npos)
                return fail(Code::invalid, quoted + "; a '{' has no '}' (write '{{' for a brace)");
            if (auto added = result.add_field(text.substr(at + 1, end - at - 1)); !added) return fail(added);
            at = end;
        } else if (c == '}') {
            return fail(Code::invalid, quoted + "; a '}' has no '{' (write '}}' for a brace)");
        } else {
            result.add_text(c);
        }
    }
    if (!result.has_message_) return fail(Code::invalid, quoted + "; it lacks '{message}'");
    return result;
}

LineTemplate LineTemplate::bound_to(const StreamInfo& info) const {
    LineTemplate bound = *this;
    for (std::vector<Part>* parts : {&bound.before_, &bound.behind_})
        for (Part& part : *parts) {
            if (part.field == Field::id) part = {Field::text, info.id.substr(0, kShortId)};
            if (part.field == Field::full_id) part = {Field::text, info.id};
            if (part.field == Field::name) part = {Field::text, info.name};
            if (part.field == Field::image) part = {Field::text, info.image};
        }
    return bound;
}

void LineTemplate::append(std::string& out, const std::vector<Part>& parts, const LogRecord& record) {
    for (const Part& part : parts) {
        if (part.field == Field::time)
            out += time_to_text(record.time_ns);
        else if (part.field == Field::stream)
            out += name_of(record.source);
        else if (part.field == Field::level)
            out += record.source == LogSource::err ? "error" : "info";
        else
            out += part.text;
    }
}

} // namespace mydocker::text_file
