// Reads tar archives of strangers as a stream: v7, ustar, pax, GNU (long names, sparse files of all
// four kinds), star, Solaris. Names are bytes and come out unchanged; memory is bounded whatever the
// archive says. Not for writing, and it touches no file. Why not libarchive: ADR 0010.
#pragma once

#include "image/stream.hpp"
#include "image/tar_entry.hpp"
#include "image/tar_header.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::image {

enum class Trailer : std::uint32_t {
    required, // the archive must end with a block of zeros, else it counts as truncated
    optional, // something else (a digest) proves that the archive is whole
};

class TarReader final : public EntryData {
  public:
    // `source` must outlive the reader, and is read to the trailer only.
    TarReader(ByteSource& source, Trailer trailer) : source_(source), trailer_(trailer) {}

    // The next entry, borrowed until the next call; null at the end. What is left of the last one's
    // data is skipped. Errors: corrupt, with the byte position; invalid over a limit (a header of
    // 1 MiB, 1,000,000 extents); unsupported for an entry type of no known meaning.
    [[nodiscard]] Result<const TarEntry*> next();

    // The next piece of the current file's data.
    [[nodiscard]] Result<DataChunk> data() override;

    // Bytes of the uncompressed archive read so far.
    [[nodiscard]] std::uint64_t position() const { return position_; }

  private:
    // What headers in front of an entry say about it.
    struct Overrides {
        std::optional<std::string> path;
        std::optional<std::string> link;
        std::optional<std::uint64_t> size;
        std::optional<std::int64_t> uid;
        std::optional<std::int64_t> gid;
        std::optional<timespec> mtime;
        std::vector<std::pair<std::string, std::string>> xattrs;
        std::optional<std::string> sparse_name;
        std::optional<std::uint64_t> sparse_size;
        std::optional<std::vector<Extent>> sparse_map;
        std::optional<std::uint64_t> sparse_offset; // of the extent whose length is still to come
        bool sparse_in_data = false;                // GNU.sparse 1.0: the map stands before the data
    };

    [[nodiscard]] Result<bool> fill();       // false: the source is at its end
    [[nodiscard]] Result<bool> read_block(); // false: the archive ends
    [[nodiscard]] Status read_exactly(char* to, std::size_t size);
    [[nodiscard]] Result<std::string> read_special(const TarHeader& header);
    [[nodiscard]] Status skip(std::uint64_t size);
    [[nodiscard]] Status skip_rest();
    [[nodiscard]] Result<bool> take_special(const TarHeader& header, Overrides& overrides);
    [[nodiscard]] Status read_pax(std::string_view records, Overrides& overrides);
    [[nodiscard]] Status take_pax_record(std::string_view key, std::string_view value, Overrides& to);
    [[nodiscard]] Status take_sparse_record(std::string_view key, std::string_view value, Overrides& to);
    [[nodiscard]] Status make_entry(const TarHeader& header, Overrides overrides);
    [[nodiscard]] Status set_type(const TarHeader& header);
    [[nodiscard]] Status read_old_gnu_map();
    [[nodiscard]] Status read_map_in_data();
    [[nodiscard]] Result<std::uint64_t> read_map_number();
    [[nodiscard]] Status check_map() const;
    [[nodiscard]] std::unexpected<Error> truncated() const;

    ByteSource& source_;
    Trailer trailer_;
    std::string_view pending_;
    std::uint64_t position_ = 0;
    TarBlock block_{};
    TarEntry entry_;
    std::uint64_t stored_ = 0;    // data bytes of the entry still to be read
    std::uint64_t padding_ = 0;   // after them
    std::size_t extent_ = 0;      // the one that data() is in
    std::uint64_t in_extent_ = 0; // bytes of it given out
    std::uint64_t offset_ = 0;    // of the next byte of a file that is not sparse
    bool started_ = false;
    bool ended_ = false;
};

} // namespace mydocker::image
