// One record as one line of a json-file log, and back.
#include "record.hpp"

#include "text.hpp"

#include <array>
#include <charconv>

namespace mydocker::json_file {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kMaxDepth = 16; // of values in fields that we do not know
// A string here, since what follows begins with the quote that ends one.
constexpr std::string_view kPartialField = "\",\"partial\":\"true";

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

std::optional<LogSource> source_named(std::string_view name) {
    if (name == "stdout") return LogSource::out;
    if (name == "stderr") return LogSource::err;
    if (name == "diagnostic") return LogSource::diagnostic;
    return std::nullopt;
}

// Reads JSON from front to back; every function returns false (or nothing) at the first thing that is
// not what it should be.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool take(char c) {
        skip_blanks();
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }

    [[nodiscard]] bool at_end() {
        skip_blanks();
        return rest_.empty();
    }

    // The inside of a string, still escaped; checked by whoever decodes it.
    [[nodiscard]] std::optional<std::string_view> string() {
        if (!take('"')) return std::nullopt;
        std::size_t end = 0;
        for (;;) {
            end += plain_prefix(rest_.substr(end));
            if (end >= rest_.size()) return std::nullopt;
            if (rest_[end] == '"') break;
            end += rest_[end] == '\\' ? 2 : 1;
            if (end > rest_.size()) return std::nullopt; // A backslash was the last byte.
        }
        const std::string_view inside = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return inside;
    }

    // A number, true, false or null; only what they are made of is checked.
    [[nodiscard]] std::optional<std::string_view> word() {
        skip_blanks();
        std::size_t end = rest_.find_first_not_of("+-.0123456789Eaeflnrstu");
        if (end == std::string_view::npos) end = rest_.size();
        if (end == 0) return std::nullopt;
        const std::string_view text = rest_.substr(0, end);
        rest_.remove_prefix(end);
        return text;
    }

    // Passes over any value.
    [[nodiscard]] bool skip_value(int depth = 0) {
        skip_blanks();
        if (rest_.empty() || depth > kMaxDepth) return false;
        const char c = rest_.front();
        if (c == '"') return string().has_value();
        if (c != '{' && c != '[') return word().has_value();
        const char end = c == '{' ? '}' : ']';
        rest_.remove_prefix(1);
        if (take(end)) return true;
        for (;;) {
            if (end == '}' && (!string() || !take(':'))) return false;
            if (!skip_value(depth + 1)) return false;
            if (take(end)) return true;
            if (!take(',')) return false;
        }
    }

  private:
    void skip_blanks() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == '\r'))
            rest_.remove_prefix(1);
    }

    std::string_view rest_;
};

// The fields of a line, still escaped.
struct Fields {
    std::optional<std::string_view> log;
    std::optional<std::string_view> stream;
    std::optional<std::string_view> time;
    std::optional<std::string_view> bytes;
    bool partial = false;
};

bool scan_field(Scanner& scanner, Fields& fields) {
    const auto key = scanner.string();
    if (!key || !scanner.take(':')) return false;
    std::optional<std::string_view>* slot = nullptr;
    if (*key == "log") slot = &fields.log;
    if (*key == "stream") slot = &fields.stream;
    if (*key == "time") slot = &fields.time;
    if (*key == "bytes") slot = &fields.bytes;
    if (slot != nullptr) {
        *slot = scanner.string();
        return slot->has_value();
    }
    if (*key != "partial") return scanner.skip_value();
    const auto text = scanner.string();
    fields.partial = text == "true";
    return fields.partial;
}

std::optional<Fields> scan_fields(std::string_view line) {
    Scanner scanner(line);
    Fields fields;
    if (!scanner.take('{')) return std::nullopt;
    do {
        if (!scan_field(scanner, fields)) return std::nullopt;
    } while (scanner.take(','));
    if (!scanner.take('}') || !scanner.at_end()) return std::nullopt;
    if (!fields.log || !fields.stream || !fields.time) return std::nullopt;
    return fields;
}

// The meaning of an escaped string: the string itself where nothing is escaped, else decoded into
// `scratch`. The commonest escape, "\n" at the very end, is handled without a copy by the caller.
std::optional<std::string_view> unescape(std::string_view inside, std::string& scratch) {
    if (plain_prefix(inside) == inside.size()) return inside;
    scratch.clear();
    if (!append_unescaped(scratch, inside)) return std::nullopt;
    return scratch;
}

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar. The year is taken to begin in
// March, so that the leap day is its last; an era is 400 years, 146,097 days.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
    if (month <= 2) --year;
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

struct Date {
    std::int64_t year;
    std::int64_t month;
    std::int64_t day;
};

Date date_of(std::int64_t days) {
    const std::int64_t shifted = days + 719'468;
    const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
    const std::int64_t day_of_era = shifted - era * 146'097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t month_index = (5 * day_of_year + 2) / 153;
    const std::int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
    return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month,
            day_of_year - (153 * month_index + 2) / 5 + 1};
}

void put_digits(char* to, std::int64_t value, int count) {
    for (int i = count - 1; i >= 0; --i, value /= 10)
        to[i] = static_cast<char>('0' + value % 10);
}

// A field of exactly `count` digits at `at`; -1 when there is none.
std::int64_t digits_at(std::string_view text, std::size_t at, std::size_t count) {
    if (text.size() < at + count) return -1;
    std::int64_t value = 0;
    for (const char c : text.substr(at, count)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

// "Z" or "+hh:mm" in seconds.
std::optional<std::int64_t> zone_of(std::string_view text) {
    if (text == "Z" || text == "z") return 0;
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
    const std::int64_t hours = digits_at(text, 1, 2);
    const std::int64_t minutes = digits_at(text, 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    return (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

// seconds * 10^9 + nanoseconds, if it fits.
std::optional<std::int64_t> total_ns(std::int64_t seconds, std::int64_t nanoseconds) {
    if (seconds < 0) { // Towards zero first: the smallest time fits though its second does not.
        ++seconds;
        nanoseconds -= kSecond;
    }
    std::int64_t total = 0;
    if (__builtin_mul_overflow(seconds, kSecond, &total)) return std::nullopt;
    if (__builtin_add_overflow(total, nanoseconds, &total)) return std::nullopt;
    return total;
}

} // namespace

std::string time_to_text(std::int64_t time_ns) {
    std::int64_t seconds = time_ns / kSecond;
    std::int64_t fraction = time_ns % kSecond;
    if (fraction < 0) {
        fraction += kSecond;
        --seconds;
    }
    std::int64_t days = seconds / 86'400;
    std::int64_t second = seconds % 86'400;
    if (second < 0) {
        second += 86'400;
        --days;
    }
    const Date date = date_of(days);
    std::string text = "0000-00-00T00:00:00.000000000Z";
    put_digits(&text[0], date.year, 4);
    put_digits(&text[5], date.month, 2);
    put_digits(&text[8], date.day, 2);
    put_digits(&text[11], second / 3600, 2);
    put_digits(&text[14], second / 60 % 60, 2);
    put_digits(&text[17], second % 60, 2);
    put_digits(&text[20], fraction, 9);
    return text;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
    const std::array<std::int64_t, 6> part = {digits_at(text, 0, 4),  digits_at(text, 5, 2),
                                              digits_at(text, 8, 2),  digits_at(text, 11, 2),
                                              digits_at(text, 14, 2), digits_at(text, 17, 2)};
    for (const std::int64_t value : part)
        if (value < 0) return std::nullopt;
    if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
        text[16] != ':')
        return std::nullopt;
    if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || part[3] > 23 || part[4] > 59 ||
        part[5] > 60)
        return std::nullopt;
    std::size_t at = 19;
    std::int64_t fraction = 0;
    if (text.substr(at).starts_with('.')) {
        std::int64_t unit = kSecond / 10;
        const std::size_t first = ++at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
            fraction += unit * (text[at] - '0');
        if (at == first) return std::nullopt;
    }
    const auto zone = zone_of(text.substr(at));
    if (!zone) return std::nullopt;
    const std::int64_t days = days_of(part[0], part[1], part[2]);
    return total_ns(days * 86'400 + part[3] * 3600 + part[4] * 60 + part[5] - *zone, fraction);
}

// What follows the text of most lines, from "\n" to the end, is the same for a whole batch.
const std::string& Encoder::ending(const LogRecord& record) {
    const std::size_t which = record.source == LogSource::err          ? 1
                              : record.source == LogSource::diagnostic ? 2
                                                                       : 0;
    Ending& ending = endings_[which];
    if (!ending.text.empty() && ending.time_ns == record.time_ns) return ending.text;
    ending.time_ns = record.time_ns;
    ending.text = "\",\"stream\":\"";
    ending.text += name_of(record.source);
    ending.text += "\",\"time\":\"";
    ending.text += time_to_text(record.time_ns);
    ending.text += "\"}\n";
    return ending.text;
}

void Encoder::append(std::string& out, const LogRecord& record, std::uint64_t file_number) {
    out += '{';
    if (file_number != 0) {
        std::array<char, 20> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), file_number).ptr;
        out += "\"file\":";
        out.append(digits.data(), end);
        out += ',';
    }
    out += "\"log\":\"";
    const Escaped how = append_escaped(out, record.bytes);
    if (!record.partial) out += "\\n";
    if (how == Escaped::with_replacements) {
        out += "\",\"bytes\":\"";
        append_base64(out, record.bytes);
    }
    if (record.partial && record.bytes.ends_with('\n')) out += kPartialField;
    out += ending(record);
}

// The records of a batch share their time.
std::optional<std::int64_t> Decoder::time_of(std::string_view text) {
    if (text == time_text_) return time_ns_;
    const auto time = parse_time(text);
    if (!time) return time;
    time_text_ = text;
    time_ns_ = *time;
    return time;
}

std::optional<LogRecord> Decoder::decode(std::string_view line) {
    const auto fields = scan_fields(line);
    if (!fields) return std::nullopt;
    const auto source = source_named(*fields->stream);
    const auto time = time_of(*fields->time);
    if (!source || !time) return std::nullopt;

    LogRecord record{.time_ns = *time, .source = *source, .partial = true, .bytes = {}};
    std::string_view inside = *fields->log;
    // An odd number of backslashes before the 'n' makes it an escape; a plain rest says there is but one.
    if (inside.ends_with("\\n") && plain_prefix(inside) == inside.size() - 2) {
        record.partial = false;
        inside.remove_suffix(2);
    }
    const auto text = unescape(inside, text_);
    if (!text) return std::nullopt;
    record.bytes = *text;
    if (record.partial && !fields->partial && record.bytes.ends_with('\n')) {
        record.partial = false;
        record.bytes.remove_suffix(1);
    }
    if (fields->partial && !record.partial) { // "partial" beside a plain text and "\n".
        record.partial = true;
        text_.assign(record.bytes).push_back('\n');
        record.bytes = text_;
    }
    if (!fields->bytes) return record;
    bytes_.clear();
    if (!append_from_base64(bytes_, *fields->bytes)) return std::nullopt;
    record.bytes = bytes_;
    return record;
}

std::optional<std::uint64_t> file_number_of(std::string_view line) {
    constexpr std::string_view kStart = "{\"file\":";
    if (!line.starts_with(kStart)) return std::nullopt;
    line.remove_prefix(kStart.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (error != std::errc{} || end == line.data() + line.size() || *end != ',' || number == 0)
        return std::nullopt;
    return number;
}

} // namespace mydocker::json_file
