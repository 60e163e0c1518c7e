// Writes tar archives as a stream, in the form that every reader of today takes: ustar blocks, with a pax
// header in front of an entry that does not fit into one. Names, owners, times and xattrs come out of
// tar_reader as they went in. Not for reading files from a disk (tree_reader.hpp).
//
//   what does not fit                         record
//   a name or link over 100 bytes             path, linkpath
//   an owner over 2097151                     uid, gid
//   a file over 8 GiB                         size
//   a time with a fraction, or before 1970    mtime
//   xattrs                                    SCHILY.xattr.NAME
//   holes                                     GNU.sparse.*, version 1.0: the map stands before the data
//
// Source: POSIX pax(1); GNU tar's documentation, "Storing Sparse Files"; what docker and podman read.
#pragma once

#include "image/tar_entry.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mydocker::image {

// Takes the next bytes of an archive.
using ByteSink = std::function<Status(std::string_view)>;

class TarWriter {
  public:
    explicit TarWriter(ByteSink sink);

    // The header of an entry. For a file its data must follow: as many bytes as it has, holes left out.
    // Errors: invalid for what no archive can hold: a NUL in a name, xattrs of more than a mebibyte.
    [[nodiscard]] Status begin(const TarEntry& entry);
    [[nodiscard]] Status data(std::string_view bytes);

    // The blocks that end an archive; all bytes are with the sink then. Once.
    [[nodiscard]] Status finish();

  private:
    [[nodiscard]] Status put(std::string_view bytes);
    [[nodiscard]] Status pad(std::uint64_t size);
    [[nodiscard]] Status flush();

    ByteSink sink_;
    std::string buffer_;
    std::uint64_t left_ = 0;    // data bytes of the current entry that are still to come
    std::uint64_t padding_ = 0; // after them
};

} // namespace mydocker::image
