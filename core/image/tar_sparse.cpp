// Sparse files in tar archives: GNU's four ways of saying where the data belongs. Part of TarReader.
// Source: GNU tar's documentation, "Storing Sparse Files"; tar(5).
#include "image/entry_path.hpp"
#include "image/tar_reader.hpp"

#include <algorithm>

namespace mydocker::image {

namespace {

constexpr std::size_t kMaxExtents = 1'000'000; // 16 MiB of memory

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

} // namespace mydocker::image
