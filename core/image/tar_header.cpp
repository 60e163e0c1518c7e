#include "image/tar_header.hpp"

#include "image/entry_path.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace mydocker::image {

namespace {

// Offsets in a block. Source: POSIX pax(1).
struct Field {
    std::size_t at;
    std::size_t size;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUid{108, 8};
constexpr Field kGid{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kMtime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kTypeAt = 156;
constexpr Field kLink{157, 100};
constexpr Field kMagic{257, 8}; // magic and version together
constexpr Field kMajor{329, 8};
constexpr Field kMinor{337, 8};
constexpr Field kPrefix{345, 155};
constexpr Field kStarPrefix{345, 131};
constexpr Field kStarMagic{508, 4};

std::string_view raw(const TarBlock& block, Field field) {
    return std::string_view(block.data(), block.size()).substr(field.at, field.size);
}

std::string_view text(const TarBlock& block, Field field) {
    const std::string_view bytes = raw(block, field);
    return bytes.substr(0, bytes.find('\0'));
}

Result<std::int64_t> parse_base256(std::string_view field, std::string_view what) {
    const auto first = static_cast<unsigned char>(field.front());
    const bool negative = (first & 0x40U) != 0;
    std::int64_t value = negative ? -1 : 0;
    for (std::size_t i = 0; i < field.size(); ++i) {
        auto byte = static_cast<unsigned char>(field[i]);
        if (i == 0) byte = static_cast<unsigned char>(negative ? (byte | 0x80U) : (byte & 0x7fU));
        if (value > (std::numeric_limits<std::int64_t>::max() >> 8U) ||
            value < (std::numeric_limits<std::int64_t>::min() >> 8U))
            return fail(Code::corrupt, std::string(what) + " is out of range");
        value = value * 256 + byte;
    }
    return value;
}

std::uint32_t low_bits(std::int64_t value) {
    return static_cast<std::uint32_t>(value & 0xffffffff);
}

// ustar and star keep the front of a long path apart; GNU uses that room for other things.
std::string whole_path(const TarBlock& block) {
    const std::string_view magic = raw(block, kMagic);
    const std::string_view name = text(block, kName);
    if (!magic.starts_with(std::string_view("ustar\0", 6))) return std::string(name);
    const bool star = raw(block, kStarMagic) == std::string_view("tar\0", 4);
    const std::string_view prefix = text(block, star ? kStarPrefix : kPrefix);
    return prefix.empty() ? std::string(name) : std::string(prefix) + "/" + std::string(name);
}

} // namespace

bool is_zero_block(const TarBlock& block) {
    return std::ranges::all_of(block, [](char c) { return c == '\0'; });
}

bool is_checksum_right(const TarBlock& block) {
    const auto stored = parse_tar_number(raw(block, kChecksum), "checksum");
    if (!stored) return false;
    std::int64_t plain = 0;
    std::int64_t with_sign = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
        const bool inside = i >= kChecksum.at && i < kChecksum.at + kChecksum.size;
        const char c = inside ? ' ' : block[i];
        plain += static_cast<unsigned char>(c);
        with_sign += static_cast<signed char>(c);
    }
    return *stored == plain || *stored == with_sign;
}

Result<std::int64_t> parse_tar_number(std::string_view field, std::string_view what) {
    if (!field.empty() && (static_cast<unsigned char>(field.front()) & 0x80U) != 0)
        return parse_base256(field, what);
    const auto blank = [](char c) { return c == ' ' || c == '\0'; };
    while (!field.empty() && blank(field.front()))
        field.remove_prefix(1);
    std::int64_t value = 0;
    for (const char c : field) {
        if (blank(c)) break;
        if (c < '0' || c > '7') return fail(Code::corrupt, std::string(what) + " is no octal number");
        if (value > (std::numeric_limits<std::int64_t>::max() >> 3U))
            return fail(Code::corrupt, std::string(what) + " is out of range");
        value = value * 8 + (c - '0');
    }
    return value;
}

Result<TarHeader> parse_tar_header(const TarBlock& block) {
    TarHeader header;
    header.type = block[kTypeAt] == '\0' ? '0' : block[kTypeAt];
    header.path = whole_path(block);
    header.link = std::string(text(block, kLink));
    const auto mode = parse_tar_number(raw(block, kMode), "mode");
    const auto uid = parse_tar_number(raw(block, kUid), "uid");
    const auto gid = parse_tar_number(raw(block, kGid), "gid");
    const auto size = parse_tar_number(raw(block, kSize), "size");
    const auto mtime = parse_tar_number(raw(block, kMtime), "mtime");
    for (const auto* field : {&mode, &uid, &gid, &size, &mtime})
        if (!*field) return fail(*field);
    if (*size < 0) return fail(Code::corrupt, "size is negative");
    header.mode = low_bits(*mode) & 07777U;
    header.uid = *uid;
    header.gid = *gid;
    header.size = static_cast<std::uint64_t>(*size);
    header.mtime = *mtime;
    if (header.type != '3' && header.type != '4') return header; // v7 has no device fields
    const auto major = parse_tar_number(raw(block, kMajor), "device number");
    const auto minor = parse_tar_number(raw(block, kMinor), "device number");
    if (!major) return fail(major);
    if (!minor) return fail(minor);
    header.device_major = low_bits(*major);
    header.device_minor = low_bits(*minor);
    return header;
}

Result<std::uint64_t> parse_decimal(std::string_view digits, std::string_view what) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size())
        return fail(Code::corrupt, std::string(what) + " " + shown(digits) + " is no number");
    return value;
}

Status visit_pax_records(std::string_view records, const PaxVisitor& visit) {
    while (!records.empty()) {
        const auto space = records.find(' ');
        if (space == std::string_view::npos || space > 10)
            return fail(Code::corrupt, "a pax record has no length");
        const auto length = parse_decimal(records.substr(0, space), "length of a pax record");
        if (!length) return fail(length);
        if (*length < space + 3 || *length > records.size() || records[*length - 1] != '\n')
            return fail(Code::corrupt, "a pax record does not fit its length");
        const std::string_view record = records.substr(space + 1, *length - space - 2);
        const auto equals = record.find('=');
        if (equals == std::string_view::npos || equals == 0)
            return fail(Code::corrupt, "a pax record has no key");
        if (auto seen = visit(record.substr(0, equals), record.substr(equals + 1)); !seen) return seen;
        records.remove_prefix(*length);
    }
    return {};
}

Result<timespec> parse_pax_time(std::string_view digits) {
    const bool negative = digits.starts_with('-');
    std::string_view rest = digits.substr(negative ? 1 : 0);
    const auto point = rest.find('.');
    const auto seconds = parse_decimal(rest.substr(0, point), "time");
    if (!seconds) return fail(seconds);
    if (*seconds > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() - 1))
        return fail(Code::corrupt, "time " + shown(digits) + " is out of range");
    long nanoseconds = 0;
    if (point != std::string_view::npos) {
        rest = rest.substr(point + 1);
        long unit = 100'000'000;
        for (const char c : rest) {
            if (c < '0' || c > '9') return fail(Code::corrupt, "time " + shown(digits) + " is no number");
            nanoseconds += (c - '0') * unit; // More than nine digits add nothing: unit is 0 by then.
            unit /= 10;
        }
    }
    auto whole = static_cast<std::int64_t>(*seconds);
    if (!negative) return timespec{whole, nanoseconds};
    whole = -whole;
    if (nanoseconds == 0) return timespec{whole, 0};
    return timespec{whole - 1, 1'000'000'000 - nanoseconds};
}

} // namespace mydocker::image
