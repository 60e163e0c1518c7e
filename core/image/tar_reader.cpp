#include "image/tar_reader.hpp"

#include "image/entry_path.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace mydocker::image {

namespace {

constexpr std::uint64_t kMaxSpecialBytes = std::uint64_t{1} << 20U;
constexpr std::string_view kXattrPrefix = "SCHILY.xattr.";

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
    // Directories, links, devices and FIFOs have no data, whatever old programs wrote as their size.
    const bool has_data = std::string_view("07SD").find(header.type) != std::string_view::npos ||
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
