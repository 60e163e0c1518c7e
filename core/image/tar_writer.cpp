#include "image/tar_writer.hpp"

#include "image/entry_path.hpp"
#include "image/tar_header.hpp"

#include <algorithm>
#include <cassert>
#include <fmt/format.h>
#include <utility>

namespace mydocker::image {

namespace {

constexpr std::size_t kBuffer = std::size_t{256} << 10U;
constexpr std::size_t kNameRoom = 100;
constexpr std::uint64_t kMaxOctal7 = 07777777;             // owners and device numbers
constexpr std::uint64_t kMaxOctal11 = 077777777777;        // sizes and times
constexpr std::size_t kMaxRecords = std::size_t{1} << 20U; // tar_reader's own limit

char type_letter(EntryType type) {
    switch (type) {
    case EntryType::file:
        return '0';
    case EntryType::hard_link:
        return '1';
    case EntryType::symlink:
        return '2';
    case EntryType::char_device:
        return '3';
    case EntryType::block_device:
        return '4';
    case EntryType::directory:
        return '5';
    case EntryType::fifo:
        return '6';
    }
    return '0';
}

// The fields of a block, all of which fit.
struct Fields {
    char type = '0';
    std::string name;
    std::string link;
    std::uint64_t mode = 0;
    std::uint64_t uid = 0;
    std::uint64_t gid = 0;
    std::uint64_t size = 0;
    std::uint64_t mtime = 0;
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
};

void set_text(TarBlock& block, std::size_t at, std::size_t room, std::string_view text) {
    std::ranges::copy(text.substr(0, room), block.begin() + static_cast<std::ptrdiff_t>(at));
}

void set_octal(TarBlock& block, std::size_t at, std::size_t digits, std::uint64_t value) {
    for (std::size_t i = digits; i-- > 0; value >>= 3U)
        block[at + i] = static_cast<char>('0' + (value & 7U));
}

// Offsets as in tar_header.cpp. Source: POSIX pax(1).
TarBlock make_block(const Fields& fields) {
    TarBlock block{};
    set_text(block, 0, kNameRoom, fields.name);
    set_octal(block, 100, 7, fields.mode);
    set_octal(block, 108, 7, fields.uid);
    set_octal(block, 116, 7, fields.gid);
    set_octal(block, 124, 11, fields.size);
    set_octal(block, 136, 11, fields.mtime);
    block[156] = fields.type;
    set_text(block, 157, kNameRoom, fields.link);
    set_text(block, 257, 8, std::string_view("ustar\00000", 8));
    set_octal(block, 329, 7, fields.major);
    set_octal(block, 337, 7, fields.minor);
    set_text(block, 148, 8, "        ");
    std::uint64_t sum = 0;
    for (const char c : block)
        sum += static_cast<unsigned char>(c);
    set_octal(block, 148, 6, sum);
    block[154] = '\0';
    return block;
}

// "LENGTH key=value\n", the length its own digits included.
void add_record(std::string& records, std::string_view key, std::string_view value) {
    const std::size_t bare = key.size() + value.size() + 3;
    std::size_t length = bare + std::to_string(bare).size();
    length = bare + std::to_string(length).size();
    records += std::to_string(length);
    records += ' ';
    records += key;
    records += '=';
    records += value;
    records += '\n';
}

// "-0.5": half a second before 1970 is {-1, 500000000}.
std::string time_text(timespec time) {
    const bool negative = time.tv_sec < 0;
    std::int64_t seconds = time.tv_sec;
    std::int64_t fraction = time.tv_nsec;
    if (negative && fraction != 0) {
        ++seconds;
        fraction = 1'000'000'000 - fraction;
    }
    std::string text = fmt::format("{}{}", negative ? "-" : "", negative ? -seconds : seconds);
    if (fraction == 0) return text;
    text += fmt::format(".{:09}", fraction);
    text.erase(text.find_last_not_of('0') + 1);
    return text;
}

// GNU.sparse 1.0: decimal lines (count, then offset and size of each), filled up to a whole block.
std::string sparse_map(const std::vector<Extent>& extents) {
    std::string map = std::to_string(extents.size()) + "\n";
    for (const Extent& extent : extents)
        map += fmt::format("{}\n{}\n", extent.offset, extent.size);
    map.append(padding_of(map.size()), '\0');
    return map;
}

// An entry on its way: its block, the records in front of it, and the map before its data.
struct Draft {
    Fields fields;
    std::string records;
    std::string map;
    std::uint64_t stored = 0; // bytes that follow the block: map and data
};

void fit_numbers(const TarEntry& entry, Draft& draft) {
    Fields& fields = draft.fields;
    const auto fit_owner = [&](std::uint64_t value, std::string_view key) -> std::uint64_t {
        if (value <= kMaxOctal7) return value;
        add_record(draft.records, key, std::to_string(value));
        return 0;
    };
    fields.uid = fit_owner(entry.uid, "uid");
    fields.gid = fit_owner(entry.gid, "gid");
    fields.size = draft.stored <= kMaxOctal11 ? draft.stored : 0;
    if (draft.stored > kMaxOctal11) add_record(draft.records, "size", std::to_string(draft.stored));
    const bool plain = entry.mtime.tv_nsec == 0 && entry.mtime.tv_sec >= 0 &&
                       static_cast<std::uint64_t>(entry.mtime.tv_sec) <= kMaxOctal11;
    fields.mtime = static_cast<std::uint64_t>(
        std::clamp<std::int64_t>(entry.mtime.tv_sec, 0, static_cast<std::int64_t>(kMaxOctal11)));
    if (!plain) add_record(draft.records, "mtime", time_text(entry.mtime));
}

void fit_holes(const TarEntry& entry, Draft& draft) {
    draft.map = sparse_map(*entry.extents);
    draft.stored = draft.map.size();
    for (const Extent& extent : *entry.extents)
        draft.stored += extent.size;
    add_record(draft.records, "GNU.sparse.major", "1");
    add_record(draft.records, "GNU.sparse.minor", "0");
    add_record(draft.records, "GNU.sparse.name", entry.path);
    add_record(draft.records, "GNU.sparse.realsize", std::to_string(entry.size));
    // A reader that knows nothing of holes shall not take the map for the file.
    draft.fields.name = "GNUSparseFile.0/" + std::string(split_path(entry.path).name);
}

Status fit_xattrs(const TarEntry& entry, Draft& draft) {
    for (const auto& [key, value] : entry.xattrs) {
        if (key.find('=') != std::string::npos)
            return fail(Code::invalid, "xattr " + shown(key) + " of " + shown(entry.path) +
                                           " has a '=' in its name, which no archive can hold");
        add_record(draft.records, "SCHILY.xattr." + key, value);
    }
    return {};
}

Status check_names(const TarEntry& entry) {
    if (entry.path.empty() || entry.path.find('\0') != std::string::npos ||
        entry.link.find('\0') != std::string::npos)
        return fail(Code::invalid, "entry " + shown(entry.path) + " has no name that an archive can hold");
    return {};
}

Result<Draft> draft_of(const TarEntry& entry) {
    if (auto checked = check_names(entry); !checked) return fail(checked);
    Draft draft;
    Fields& fields = draft.fields;
    fields.type = type_letter(entry.type);
    fields.name = entry.path;
    fields.link = entry.link;
    fields.mode = entry.mode & 07777U;
    draft.stored = entry.type == EntryType::file ? entry.size : 0;
    fields.major = entry.device_major;
    fields.minor = entry.device_minor;
    if (entry.type == EntryType::file && entry.extents) {
        fit_holes(entry, draft);
    } else if (entry.path.size() > kNameRoom) {
        add_record(draft.records, "path", entry.path);
    }
    if (entry.link.size() > kNameRoom) add_record(draft.records, "linkpath", entry.link);
    fit_numbers(entry, draft);
    if (auto fitted = fit_xattrs(entry, draft); !fitted) return fail(fitted);
    if (draft.records.size() > kMaxRecords)
        return fail(Code::invalid, "the xattrs of " + shown(entry.path) + " take " +
                                       std::to_string(draft.records.size()) + " bytes, an archive holds " +
                                       std::to_string(kMaxRecords));
    return draft;
}

std::string_view view(const TarBlock& block) {
    return {block.data(), block.size()};
}

} // namespace

TarWriter::TarWriter(ByteSink sink) : sink_(std::move(sink)) {
    buffer_.reserve(kBuffer);
}

Status TarWriter::flush() {
    if (buffer_.empty()) return {};
    const Status given = sink_(buffer_);
    buffer_.clear();
    return given;
}

// Small things are gathered, large ones pass by.
Status TarWriter::put(std::string_view bytes) {
    if (buffer_.size() + bytes.size() > kBuffer)
        if (auto flushed = flush(); !flushed) return flushed;
    if (bytes.size() >= kBuffer / 2) {
        if (auto flushed = flush(); !flushed) return flushed;
        return sink_(bytes);
    }
    buffer_ += bytes;
    return {};
}

Status TarWriter::pad(std::uint64_t size) {
    constexpr TarBlock kZeros{};
    return put(view(kZeros).substr(0, static_cast<std::size_t>(size)));
}

Status TarWriter::begin(const TarEntry& entry) {
    assert(left_ == 0);
    auto draft = draft_of(entry);
    if (!draft) return fail(draft);
    if (!draft->records.empty()) {
        const Fields pax{.type = 'x',
                         .name = "PaxHeaders.0/" + std::string(split_path(entry.path).name),
                         .link = {},
                         .mode = 0644,
                         .size = draft->records.size()};
        if (auto done = put(view(make_block(pax))); !done) return done;
        if (auto done = put(draft->records); !done) return done;
        if (auto done = pad(padding_of(draft->records.size())); !done) return done;
    }
    if (auto done = put(view(make_block(draft->fields))); !done) return done;
    if (auto done = put(draft->map); !done) return done;
    left_ = draft->stored - draft->map.size(); // The map is whole blocks.
    padding_ = padding_of(left_);
    return {};
}

Status TarWriter::data(std::string_view bytes) {
    assert(bytes.size() <= left_);
    if (auto done = put(bytes); !done) return done;
    left_ -= bytes.size();
    return left_ == 0 ? pad(std::exchange(padding_, 0)) : Status{};
}

Status TarWriter::finish() {
    assert(left_ == 0);
    for (int i = 0; i < 2; ++i)
        if (auto done = pad(kTarBlock); !done) return done;
    return flush();
}

} // namespace mydocker::image
