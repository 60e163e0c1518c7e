// One tar header block, and the records of a pax header: pure parsing, bytes in, values out. What
// the blocks mean together is tar_reader's business.
// Source: POSIX pax(1) "ustar Interchange Format" and "pax Header Block"; tar(5) for GNU and v7.
#pragma once

#include "mydocker/result.hpp"

#include <array>
#include <cstdint>
#include <ctime>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace mydocker::image {

inline constexpr std::size_t kTarBlock = 512;
using TarBlock = std::array<char, kTarBlock>;

// Bytes that fill up data to whole blocks.
[[nodiscard]] constexpr std::uint64_t padding_of(std::uint64_t size) {
    return (kTarBlock - size % kTarBlock) % kTarBlock;
}

// The fields of a block, as they stand there.
struct TarHeader {
    char type = '0';
    std::string path;
    std::string link;
    std::uint32_t mode = 0;
    std::int64_t uid = 0;
    std::int64_t gid = 0;
    std::uint64_t size = 0; // of the data that follows
    std::int64_t mtime = 0;
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
};

[[nodiscard]] bool is_zero_block(const TarBlock& block);

// Unsigned sum, or the signed one that some old programs wrote.
[[nodiscard]] bool is_checksum_right(const TarBlock& block);

// Errors: corrupt, naming the field. The checksum is the caller's to ask for.
[[nodiscard]] Result<TarHeader> parse_tar_header(const TarBlock& block);

// A number field: octal digits, or GNU's base-256 form with the top bit set.
[[nodiscard]] Result<std::int64_t> parse_tar_number(std::string_view field, std::string_view what);

// Walks "LENGTH key=value\n" records. Errors: corrupt when a record does not fit its length; the
// visitor's own.
using PaxVisitor = std::function<Status(std::string_view key, std::string_view value)>;
[[nodiscard]] Status visit_pax_records(std::string_view records, const PaxVisitor& visit);

// Decimal digits only, the whole text. Errors: corrupt.
[[nodiscard]] Result<std::uint64_t> parse_decimal(std::string_view text, std::string_view what);
// "-12.345": seconds with a fraction. Errors: corrupt.
[[nodiscard]] Result<timespec> parse_pax_time(std::string_view text);

} // namespace mydocker::image
