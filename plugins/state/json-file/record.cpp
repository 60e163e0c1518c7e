#include "record.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace mydocker::json_state {
namespace {

constexpr std::size_t kIdLength = 64;
constexpr std::size_t kPackedLength = 43;
constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

[[nodiscard]] std::uint32_t hex_value(char digit) {
    return static_cast<std::uint32_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

// Adler-32, resumable: start with 1. Source: RFC 1950, section 8.2.
[[nodiscard]] std::uint32_t adler32(std::uint32_t sum, std::string_view bytes) {
    constexpr std::uint32_t kModulus = 65521;
    constexpr std::size_t kBlock = 5552; // as many bytes as 32 bits hold without a reduction
    constexpr std::uint32_t kStep = 16;  // bytes at a time, so that they need not wait for each other
    std::uint32_t low = sum & 0xffffU;
    std::uint32_t high = sum >> 16U;
    while (!bytes.empty()) {
        std::string_view block = bytes.substr(0, kBlock);
        bytes.remove_prefix(block.size());
        for (; block.size() >= kStep; block.remove_prefix(kStep)) {
            std::uint32_t plain = 0;
            std::uint32_t weighted = 0;
            for (std::uint32_t i = 0; i < kStep; ++i) {
                const std::uint32_t byte = static_cast<unsigned char>(block[i]);
                plain += byte;
                weighted += (kStep - i) * byte;
            }
            high += kStep * low + weighted;
            low += plain;
        }
        for (const char byte : block) {
            low += static_cast<unsigned char>(byte);
            high += low;
        }
        low %= kModulus;
        high %= kModulus;
    }
    return (high << 16U) | low;
}

void append_hex(std::string& text, std::uint32_t value) {
    for (unsigned shift = 32; shift > 0; shift -= 4)
        text += kHexDigits[(value >> (shift - 4U)) & 0xfU];
}

// Walks over a header. The first thing that is not as it should be is kept as the damage.
class Cursor {
  public:
    explicit Cursor(std::string_view text) : text_(text) {}

    [[nodiscard]] bool literal(std::string_view wanted) {
        const std::string_view rest = text_.substr(position_);
        const auto differ = std::mismatch(wanted.begin(), wanted.end(), rest.begin(), rest.end());
        position_ += static_cast<std::size_t>(differ.first - wanted.begin());
        if (differ.first == wanted.end()) return true;
        expected_ = "expected \"" + std::string(differ.first, wanted.end()) + "\"";
        return false;
    }

    [[nodiscard]] bool number(std::uint64_t& value, int base = 10) {
        const char* begin = text_.data() + position_;
        const auto parsed = std::from_chars(begin, text_.data() + text_.size(), value, base);
        if (parsed.ec != std::errc{}) return miss("expected a number");
        position_ += static_cast<std::size_t>(parsed.ptr - begin);
        return true;
    }

    // Up to the next quote.
    [[nodiscard]] std::string_view word() {
        const std::string_view rest = text_.substr(position_, kMaxHeader);
        const std::string_view found = rest.substr(0, rest.find('"'));
        position_ += found.size();
        return found;
    }

    [[nodiscard]] bool miss(std::string expected) {
        expected_ = std::move(expected);
        return false;
    }

    [[nodiscard]] std::size_t position() const { return position_; }
    void back(std::size_t bytes) { position_ -= bytes; }
    [[nodiscard]] const std::string& expected() const { return expected_; }

  private:
    std::string_view text_;
    std::size_t position_ = 0;
    std::string expected_;
};

struct Header {
    std::uint64_t schema = 0;
    std::uint64_t size = 0;
    std::uint64_t sum = 0;
    std::size_t summed_bytes = 0; // of the header, that `sum` covers
    std::size_t bytes = 0;        // all of it, with its line end
};

[[nodiscard]] bool parse_schema(Cursor& cursor, Header& header) {
    return cursor.literal("{\"schema\":") && cursor.number(header.schema);
}

[[nodiscard]] bool parse_owner(Cursor& cursor, Record& record, const ContainerId& id) {
    if (!cursor.literal(",\"id\":\"")) return false;
    if (!cursor.literal(id.str())) return cursor.miss("the id is not that of the file's name");
    if (!cursor.literal("\",\"name\":\"")) return false;
    const std::string_view name = cursor.word();
    if (!is_name(name)) {
        cursor.back(name.size());
        return cursor.miss("expected a name");
    }
    record.id = id;
    record.name = ContainerName(name);
    return true;
}

[[nodiscard]] bool parse_numbers(Cursor& cursor, Record& record, Header& header) {
    if (!cursor.literal("\",\"revision\":") || !cursor.number(record.revision)) return false;
    if (!cursor.literal(",\"sequence\":") || !cursor.number(record.sequence)) return false;
    if (!cursor.literal(",\"size\":") || !cursor.number(header.size)) return false;
    header.summed_bytes = cursor.position();
    if (!cursor.literal(",\"sum\":\"") || !cursor.number(header.sum, 16)) return false;
    if (!cursor.literal("\"}\n")) return false;
    header.bytes = cursor.position();
    return true;
}

[[nodiscard]] std::unexpected<Error> damaged(const ContainerId& id, std::size_t position,
                                             const std::string& what) {
    return fail(Code::corrupt, "container " + short_id(id) + ": record damaged at byte " +
                                   std::to_string(position) + " (" + what + ")");
}

} // namespace

std::string encode(const Record& record, std::string_view document) {
    std::string text;
    text.reserve(kMaxHeader + document.size());
    text += "{\"schema\":";
    text += std::to_string(kSchema);
    text += ",\"id\":\"";
    text += record.id.str();
    text += "\",\"name\":\"";
    text += record.name.str();
    text += "\",\"revision\":";
    text += std::to_string(record.revision);
    text += ",\"sequence\":";
    text += std::to_string(record.sequence);
    text += ",\"size\":";
    text += std::to_string(document.size());
    const std::uint32_t sum = adler32(adler32(1, text), document);
    text += ",\"sum\":\"";
    append_hex(text, sum);
    text += "\"}\n";
    text += document;
    return text;
}

Result<Record> decode(std::string text, const ContainerId& id) {
    if (text.empty()) return damaged(id, 0, "the file is empty");
    Record record;
    Header header;
    Cursor cursor(text);
    if (!parse_schema(cursor, header)) return damaged(id, cursor.position(), cursor.expected());
    if (header.schema > kSchema)
        return fail(Code::unsupported, "container " + short_id(id) +
                                           " was written by a newer mydocker (schema " +
                                           std::to_string(header.schema) + "; this one knows up to " +
                                           std::to_string(kSchema) + "); upgrade, or use that version");
    if (header.schema == 0) return damaged(id, cursor.position() - 1, "there is no schema 0");
    if (!parse_owner(cursor, record, id) || !parse_numbers(cursor, record, header))
        return damaged(id, cursor.position(), cursor.expected());

    const std::size_t present = text.size() - header.bytes;
    if (present != header.size)
        return damaged(id, text.size(),
                       "the document has " + std::to_string(present) + " bytes of " +
                           std::to_string(header.size));
    const std::string_view view(text);
    const std::uint32_t sum =
        adler32(adler32(1, view.substr(0, header.summed_bytes)), view.substr(header.bytes));
    if (sum != header.sum) return damaged(id, header.summed_bytes, "the sum does not fit the content");
    if (record.revision == 0) return damaged(id, header.summed_bytes, "there is no revision 0");

    text.erase(0, header.bytes);
    record.document = std::move(text);
    return record;
}

std::string pack_id(const ContainerId& id) {
    std::string text;
    text.reserve(kPackedLength);
    for (std::size_t at = 0; at < kIdLength; at += 3) { // Three hex digits are two base64 digits.
        std::uint32_t bits = 0;
        for (std::size_t i = at; i < at + 3; ++i)
            bits = bits << 4U | (i < kIdLength ? hex_value(id.str()[i]) : 0U);
        text += kBase64[bits >> 6U];
        if (text.size() < kPackedLength) text += kBase64[bits & 0x3fU];
    }
    return text;
}

std::optional<ContainerId> unpack_id(std::string_view text) {
    if (text.size() != kPackedLength) return std::nullopt;
    std::string id;
    id.reserve(kIdLength + 2);
    for (std::size_t at = 0; at < kPackedLength; at += 2) {
        const std::size_t high = kBase64.find(text[at]);
        const std::size_t low = at + 1 < kPackedLength ? kBase64.find(text[at + 1]) : 0;
        if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
        const std::size_t bits = high << 6U | low;
        id += kHexDigits[bits >> 8U];
        id += kHexDigits[bits >> 4U & 0xfU];
        id += kHexDigits[bits & 0xfU];
    }
    const bool spare_bits_set = id.find_first_not_of('0', kIdLength) != std::string::npos;
    if (spare_bits_set) return std::nullopt;
    id.resize(kIdLength);
    return ContainerId(std::move(id));
}

} // namespace mydocker::json_state
