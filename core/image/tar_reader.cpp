#include "image/tar_reader.hpp"

#include "image/entry_path.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace mydocker::image {

namespace {

constexpr std::uint64_t kMaxSpecialBytes = std::uint64_t{1} << 20U;
constexpr std::size_t kMaxExtents = 1'000'000; // 16 MiB of memory
constexpr std::string_view kXattrPrefix = "SCHILY.xattr.";

std::uint64_t padding_of(std::uint64_t size) {
    return (kTarBlock - size % kTarBlock) % kTarBlock;
}

// (uid_t)-1 means "leave it" to chown(2): as an owner it would silently be root.
Result<std::uint32_t> to_owner(std::int64_t value) {
    if (value < 0 || value >= std::numeric_limits<std::uint32_t>::max())
        return fail(Code::invalid, "owner " + std::to_string(value) + " is out of range");
    return static_cast<std::uint32_t>(value);
}

Result<std::int64_t> parse_id(std::string_view text) {
    auto value = parse_decimal(text, "owner");
    if (!value) return fail(value);
    return static_cast<std::int64_t>(
        std::min<std::uint64_t>(*value, std::numeric_limits<std::int64_t>::max()));
}

Status add_extent(std::vector<Extent>& map, std::uint64_t offset, std::uint64_t size) {
    if (map.size() >= kMaxExtents)
        return fail(Code::invalid, "a sparse file has more than " + std::to_string(kMaxExtents) + " extents");
    map.push_back({offset, size});
    return {};
}

// "offset,size,offset,size": GNU.sparse.map, format 0.1.
Result<std::vector<Extent>> parse_map(std::string_view text) {
    std::vector<Extent> map;
    while (!text.empty()) {
        std::uint64_t pair[2] = {};
        for (std::uint64_t& number : pair) {
            const auto comma = std::min(text.find(','), text.size());
            const auto value = parse_decimal(text.substr(0, comma), "sparse map");
            if (!value) return fail(value);
            number = *value;
            text.remove_prefix(std::min(comma + 1, text.size()));
        }
        if (auto added = add_extent(map, pair[0], pair[1]); !added) return fail(added);
    }
    return map;
}

} // namespace

std::unexpected<Error> TarReader::truncated() const {
    return fail(Code::corrupt, "unexpected end of archive at byte " + std::to_string(position_));
}

Result<bool> TarReader::fill() {
    if (!pending_.empty()) return true;
    auto chunk = source_.next();
    if (!chunk) return fail(chunk);
    pending_ = *chunk;
    return !pending_.empty();
}

Status TarReader::read_exactly(char* to, std::size_t size) {
    while (size > 0) {
        auto more = fill();
        if (!more) return fail(more);
        if (!*more) return truncated();
        const std::size_t count = std::min(size, pending_.size());
        std::memcpy(to, pending_.data(), count);
        pending_.remove_prefix(count);
        position_ += count;
        to += count;
        size -= count;
    }
    return {};
}

Status TarReader::skip(std::uint64_t size) {
    while (size > 0) {
        auto more = fill();
        if (!more) return fail(more);
        if (!*more) return truncated();
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size, pending_.size()));
        pending_.remove_prefix(count);
        position_ += count;
        size -= count;
    }
    return {};
}

Status TarReader::skip_rest() {
    if (auto skipped = skip(std::exchange(stored_, 0)); !skipped) return skipped;
    return skip(std::exchange(padding_, 0));
}

Result<bool> TarReader::read_block() {
    const std::uint64_t begin = position_;
    auto more = fill();
    if (!more) return fail(more);
    if (!*more && !started_) return fail(Code::corrupt, "is empty, no tar archive");
    if (!*more && trailer_ == Trailer::optional) return false;
    if (auto read = read_exactly(block_.data(), block_.size()); !read) return fail(read);
    if (is_zero_block(block_)) return false;
    if (!is_checksum_right(block_)) {
        if (!started_)
            return fail(Code::corrupt, "is no tar archive (it begins with " +
                                           shown(std::string_view(block_.data(), 24)) + ")");
        return fail(Code::corrupt, "damaged tar header at byte " + std::to_string(begin));
    }
    started_ = true;
    return true;
}

Result<const TarEntry*> TarReader::next() {
    if (ended_) return nullptr;
    if (auto skipped = skip_rest(); !skipped) return fail(skipped);
    Overrides overrides;
    for (;;) {
        const std::uint64_t begin = position_;
        const auto at = [&](const Error& error) {
            return error.text.find("at byte") != std::string::npos
                       ? std::unexpected<Error>(error)
                       : fail(error, "tar entry at byte " + std::to_string(begin));
        };
        auto more = read_block();
        if (!more) return fail(more);
        if (!*more) {
            ended_ = true;
            return nullptr;
        }
        auto header = parse_tar_header(block_);
        if (!header) return at(header.error());
        auto special = take_special(*header, overrides);
        if (!special) return at(special.error());
        if (*special) continue;
        if (auto made = make_entry(*header, std::move(overrides)); !made) return at(made.error());
        return &entry_;
    }
}

Result<std::string> TarReader::read_special(const TarHeader& header) {
    if (header.size > kMaxSpecialBytes)
        return fail(Code::invalid, "an extended header of " + std::to_string(header.size) +
                                       " bytes is over the limit of 1 MiB");
    std::string text(static_cast<std::size_t>(header.size), '\0');
    if (auto read = read_exactly(text.data(), text.size()); !read) return fail(read);
    if (auto skipped = skip(padding_of(header.size)); !skipped) return fail(skipped);
    return text;
}

// True: it was a header about the entry that follows, or one to be passed over.
Result<bool> TarReader::take_special(const TarHeader& header, Overrides& overrides) {
    switch (header.type) {
    case 'x':
    case 'X': { // Solaris' own letter for the same records
        auto records = read_special(header);
        if (!records) return fail(records);
        if (auto read = read_pax(*records, overrides); !read) return fail(read);
        return true;
    }
    case 'L':
    case 'K': {
        auto text = read_special(header);
        if (!text) return fail(text);
        // GNU writes a NUL after the name; one inside it would hide the rest of it from some readers.
        if (text->ends_with('\0')) text->pop_back();
        if (text->find('\0') != std::string::npos)
            return fail(Code::invalid, "a long name has a NUL byte inside");
        (header.type == 'L' ? overrides.path : overrides.link) = std::move(*text);
        return true;
    }
    case 'g': // global records: docker, podman and containerd pass over them too
    case 'V': // GNU: volume label
    case 'A': // Solaris: access control list
        if (auto skipped = skip(header.size + padding_of(header.size)); !skipped) return fail(skipped);
        return true;
    default:
        return false;
    }
}

Status TarReader::read_pax(std::string_view records, Overrides& overrides) {
    // Long names of GNU headers may stand before; a second pax header replaces the first.
    Overrides fresh;
    fresh.path = std::move(overrides.path);
    fresh.link = std::move(overrides.link);
    overrides = std::move(fresh);
    return visit_pax_records(records, [&](std::string_view key, std::string_view value) {
        return take_pax_record(key, value, overrides);
    });
}

Status TarReader::take_pax_record(std::string_view key, std::string_view value, Overrides& to) {
    if (key.starts_with(kXattrPrefix)) {
        to.xattrs.emplace_back(std::string(key.substr(kXattrPrefix.size())), std::string(value));
        return {};
    }
    if (key.starts_with("GNU.sparse.")) return take_sparse_record(key, value, to);
    if (key == "path" || key == "linkpath") {
        if (value.find('\0') != std::string_view::npos)
            return fail(Code::invalid, "entry " + shown(value) + " has a NUL byte in its name");
        if (!value.empty()) (key == "path" ? to.path : to.link) = std::string(value);
        return {};
    }
    if (value.empty()) return {}; // POSIX: an empty value takes back what was said.
    if (key == "size") {
        auto size = parse_decimal(value, "size");
        if (!size) return fail(size);
        to.size = *size;
    } else if (key == "uid" || key == "gid") {
        auto id = parse_id(value);
        if (!id) return fail(id);
        (key == "uid" ? to.uid : to.gid) = *id;
    } else if (key == "mtime") {
        auto time = parse_pax_time(value);
        if (!time) return fail(time);
        to.mtime = *time;
    }
    return {}; // Others (atime, ctime, uname, comment …) decide nothing here.
}

Status TarReader::take_sparse_record(std::string_view key, std::string_view value, Overrides& to) {
    key.remove_prefix(std::string_view("GNU.sparse.").size());
    if (key == "name") {
        to.sparse_name = std::string(value);
    } else if (key == "major") {
        to.sparse_in_data = value == "1";
    } else if (key == "map") {
        auto map = parse_map(value);
        if (!map) return fail(map);
        to.sparse_map = std::move(*map);
    } else if (key == "realsize" || key == "size" || key == "offset" || key == "numbytes") {
        const auto number = parse_decimal(value, "sparse record");
        if (!number) return fail(number);
        if (key == "offset") to.sparse_offset = *number;
        if (key == "realsize" || key == "size") to.sparse_size = *number;
        if (key != "numbytes") return {};
        if (!to.sparse_offset) return fail(Code::corrupt, "a sparse record has no offset");
        if (!to.sparse_map) to.sparse_map.emplace();
        return add_extent(*to.sparse_map, *std::exchange(to.sparse_offset, std::nullopt), *number);
    }
    return {};
}

Status TarReader::set_type(const TarHeader& header) {
    const char type = header.type;
    entry_.link = header.link;
    if (type == '0' || type == '7' || type == 'S') {
        // Before ustar a directory was a file whose name ends in a slash.
        entry_.type = entry_.path.ends_with('/') && type == '0' ? EntryType::directory : EntryType::file;
    } else if (type == '1') {
        entry_.type = EntryType::hard_link;
    } else if (type == '2') {
        entry_.type = EntryType::symlink;
    } else if (type == '3') {
        entry_.type = EntryType::char_device;
    } else if (type == '4') {
        entry_.type = EntryType::block_device;
    } else if (type == '5' || type == 'D') { // 'D': GNU, with the names in it as data
        entry_.type = EntryType::directory;
    } else if (type == '6') {
        entry_.type = EntryType::fifo;
    } else {
        return fail(Code::unsupported, "entry " + shown(entry_.path) + " has the unknown type " +
                                           shown(std::string_view(&type, 1)));
    }
    return {};
}

Status TarReader::make_entry(const TarHeader& header, Overrides overrides) {
    entry_ = TarEntry{};
    entry_.path = overrides.sparse_name ? std::move(*overrides.sparse_name)
                                        : std::move(overrides.path).value_or(header.path);
    if (auto known = set_type(header); !known) return known;
    if (overrides.link) entry_.link = std::move(*overrides.link);
    entry_.mode = header.mode;
    const auto uid = to_owner(overrides.uid.value_or(header.uid));
    const auto gid = to_owner(overrides.gid.value_or(header.gid));
    if (!uid) return fail(uid.error(), "entry " + shown(entry_.path));
    if (!gid) return fail(gid.error(), "entry " + shown(entry_.path));
    entry_.uid = *uid;
    entry_.gid = *gid;
    entry_.mtime = overrides.mtime.value_or(timespec{header.mtime, 0});
    entry_.device_major = header.device_major;
    entry_.device_minor = header.device_minor;
    entry_.xattrs = std::move(overrides.xattrs);
    // Links, devices and FIFOs have no data, whatever old programs wrote into their size.
    const bool has_data = entry_.type == EntryType::file || header.type == 'D' ||
                          (entry_.type == EntryType::hard_link && overrides.size);
    stored_ = has_data ? overrides.size.value_or(header.size) : 0;
    padding_ = padding_of(stored_);
    entry_.size = entry_.type == EntryType::file ? stored_ : 0;
    extent_ = 0;
    in_extent_ = 0;
    offset_ = 0;
    if (entry_.type != EntryType::file) return {};
    if (header.type == 'S') return read_old_gnu_map();
    if (!overrides.sparse_map && !overrides.sparse_in_data) return {};
    entry_.size = overrides.sparse_size.value_or(entry_.size);
    if (!overrides.sparse_in_data) {
        entry_.extents = std::move(overrides.sparse_map);
        return check_map();
    }
    return read_map_in_data();
}

// The map of an 'S' entry: four extents in the header, then blocks of 21. Source: tar(5), GNU tar's
// documentation "Storing Sparse Files".
Status TarReader::read_old_gnu_map() {
    std::vector<Extent> map;
    const auto field = [&](std::size_t at) {
        return parse_tar_number(std::string_view(block_.data() + at, 12), "sparse map");
    };
    auto real_size = field(483);
    if (!real_size) return fail(real_size);
    std::size_t at = 386;
    std::size_t count = 4;
    std::size_t flag = 482;
    for (;;) {
        for (std::size_t i = 0; i < count; ++i, at += 24) {
            if (block_[at + 12] == '\0') break;
            const auto offset = field(at);
            const auto size = field(at + 12);
            if (!offset) return fail(offset);
            if (!size) return fail(size);
            if (*offset < 0 || *size < 0) return fail(Code::corrupt, "sparse map has a negative number");
            auto added =
                add_extent(map, static_cast<std::uint64_t>(*offset), static_cast<std::uint64_t>(*size));
            if (!added) return added;
        }
        if (block_[flag] == '\0') break;
        if (auto read = read_exactly(block_.data(), block_.size()); !read) return read;
        at = 0;
        count = 21;
        flag = 504;
    }
    if (*real_size < 0) return fail(Code::corrupt, "size of a sparse file is negative");
    entry_.size = static_cast<std::uint64_t>(*real_size);
    entry_.extents = std::move(map);
    return check_map();
}

Result<std::uint64_t> TarReader::read_map_number() {
    std::string digits;
    for (;;) {
        char c = 0;
        if (stored_ == 0) return fail(Code::corrupt, "a sparse map does not end");
        if (auto read = read_exactly(&c, 1); !read) return fail(read);
        --stored_;
        if (c == '\n') return parse_decimal(digits, "sparse map");
        digits += c;
        if (digits.size() > 20) return fail(Code::corrupt, "a sparse map holds something else");
    }
}

// GNU.sparse 1.0: decimal lines (count, then offset and size of each), filled up to a whole block.
Status TarReader::read_map_in_data() {
    const std::uint64_t before = stored_;
    auto count = read_map_number();
    if (!count) return fail(count);
    std::vector<Extent> map;
    for (std::uint64_t i = 0; i < *count; ++i) {
        const auto offset = read_map_number();
        if (!offset) return fail(offset);
        const auto size = read_map_number();
        if (!size) return fail(size);
        if (auto added = add_extent(map, *offset, *size); !added) return added;
    }
    const std::uint64_t rest = std::min(stored_, padding_of(before - stored_));
    if (auto skipped = skip(rest); !skipped) return skipped;
    stored_ -= rest;
    entry_.extents = std::move(map);
    return check_map();
}

// Ascending, inside the file, and with as much data as is stored.
Status TarReader::check_map() const {
    std::uint64_t end = 0;
    std::uint64_t sum = 0;
    for (const Extent& extent : *entry_.extents) {
        if (extent.offset < end || extent.offset > entry_.size || extent.size > entry_.size - extent.offset)
            return fail(Code::corrupt, "sparse map of " + shown(entry_.path) + " is out of order");
        end = extent.offset + extent.size;
        sum += extent.size;
    }
    if (sum != stored_)
        return fail(Code::corrupt, "sparse map of " + shown(entry_.path) + " does not fit its data");
    return {};
}

Result<DataChunk> TarReader::data() {
    if (stored_ == 0) return DataChunk{};
    auto more = fill();
    if (!more) return fail(more);
    if (!*more) return truncated();
    std::uint64_t limit = std::min<std::uint64_t>(stored_, pending_.size());
    DataChunk piece{offset_, {}};
    if (entry_.extents) {
        while (in_extent_ == (*entry_.extents)[extent_].size) {
            ++extent_; // check_map() proved that the extents hold all that is stored.
            in_extent_ = 0;
        }
        const Extent& extent = (*entry_.extents)[extent_];
        limit = std::min(limit, extent.size - in_extent_);
        piece.offset = extent.offset + in_extent_;
        in_extent_ += limit;
    }
    piece.bytes = pending_.substr(0, static_cast<std::size_t>(limit));
    pending_.remove_prefix(piece.bytes.size());
    position_ += limit;
    offset_ += limit;
    stored_ -= limit;
    return piece;
}

} // namespace mydocker::image
