#include "chain_record.hpp"

#include "mydocker/support/files.hpp"

#include <algorithm>
#include <charconv>

namespace mydocker::storage {
namespace {

constexpr std::string_view kMagic = "mydocker-chain ";
constexpr std::string_view kLayer = "layer ";
constexpr std::string_view kUsage = "usage ";
constexpr std::string_view kSchema = "1";
constexpr std::size_t kLongestId = 128;
constexpr std::size_t kLongestRecord = 1U << 20U;

[[nodiscard]] bool is_id_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

[[nodiscard]] std::unexpected<Error> damaged(std::string_view name) {
    return fail(Code::corrupt, "'" + std::string(name) + "' is damaged");
}

// The first line up to `mark`, taken off `text`.
[[nodiscard]] std::string_view take(std::string_view& text, char mark) {
    const auto end = std::min(text.find(mark), text.size());
    const std::string_view taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
}

[[nodiscard]] bool parse_number(std::string_view text, std::uint64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

[[nodiscard]] std::optional<Usage> parse_usage(std::string_view text) {
    Usage usage;
    const std::string_view bytes = take(text, ' ');
    if (!parse_number(bytes, usage.bytes) || !parse_number(text, usage.inodes)) return std::nullopt;
    return usage;
}

} // namespace

Status check_id(std::string_view id, std::string_view what) {
    const bool fits =
        !id.empty() && id.size() <= kLongestId && id.front() != '.' && std::ranges::all_of(id, is_id_byte);
    if (fits) return {};
    // As it may be anything, it is shown without what a terminal would act upon, and not at length.
    std::string shown(id.substr(0, kLongestId));
    std::ranges::replace_if(shown, [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
    return fail(Code::invalid, "'" + shown + "' is no id of a " + std::string(what) +
                                   ": 1 to 128 letters, digits, '_', '.' or '-', not beginning with '.'");
}

std::string format_head(LayerChain below, Lifetime lifetime) {
    std::string text(kMagic);
    text += kSchema;
    text += lifetime == Lifetime::ephemeral ? " ephemeral\n" : " kept\n";
    for (const LayerId& id : below)
        text += std::string(kLayer) + id.str() + "\n";
    return text;
}

std::string format_usage(const Usage& usage) {
    return std::string(kUsage) + std::to_string(usage.bytes) + " " + std::to_string(usage.inodes) + "\n";
}

Result<ChainRecord> parse_record(std::string_view text, std::string_view name) {
    ChainRecord record;
    // A whole line ends in a newline; what follows the last one was cut off by a kill.
    text = text.substr(0, text.rfind('\n') + 1);
    if (text.empty()) return record;
    if (!text.starts_with(kMagic)) return damaged(name);
    text.remove_prefix(kMagic.size());
    std::string_view head = take(text, '\n');
    if (const auto schema = take(head, ' '); schema != kSchema)
        return fail(Code::unsupported,
                    "'" + std::string(name) + "' was written by another mydocker (schema " +
                        std::string(schema) + "; this one knows " + std::string(kSchema) + ")");
    if (head != "kept" && head != "ephemeral") return damaged(name);
    record.lifetime = head == "ephemeral" ? Lifetime::ephemeral : Lifetime::kept;
    while (!text.empty()) {
        const std::string_view line = take(text, '\n');
        if (line == "end") {
            record.complete = text.empty();
            return record.complete ? Result<ChainRecord>(std::move(record)) : damaged(name);
        }
        if (line.starts_with(kUsage)) {
            record.usage = parse_usage(line.substr(kUsage.size()));
            if (!record.usage) return damaged(name);
            continue;
        }
        if (!line.starts_with(kLayer) || !check_id(line.substr(kLayer.size()), "layer")) return damaged(name);
        record.below.emplace_back(line.substr(kLayer.size()));
    }
    return record;
}

Result<ChainRecord> read_record(int directory, const std::string& path) {
    const auto text = files::read_file_at(directory, path, kLongestRecord);
    if (!text) return fail(text);
    return parse_record(*text, path);
}

} // namespace mydocker::storage
