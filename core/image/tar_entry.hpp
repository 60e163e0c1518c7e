// One entry of a tar archive as plain values, and where the data of a file comes from. Not for bytes on the
// wire: tar_reader and tar_writer have those.
#pragma once

#include "mydocker/result.hpp"

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace mydocker::image {

enum class EntryType : std::uint32_t { file, hard_link, symlink, char_device, block_device, directory, fifo };

// A part of a sparse file that holds data.
struct Extent {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;

    bool operator==(const Extent&) const = default;
};

struct TarEntry {
    EntryType type = EntryType::file;
    std::string path; // as the archive has it; see normalise_entry_path()
    std::string link; // target of a hard_link or symlink
    mode_t mode = 0;  // permission bits, setuid, setgid and sticky
    uid_t uid = 0;
    gid_t gid = 0;
    std::uint64_t size = 0; // of a file, holes included
    timespec mtime{};
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::vector<std::pair<std::string, std::string>> xattrs;
    std::optional<std::vector<Extent>> extents; // of a sparse file, ascending
};

// A piece of a file's data.
struct DataChunk {
    std::uint64_t offset = 0; // in the file
    std::string_view bytes;   // borrowed until the next call; empty: the end
};

// The data of one file, in ascending order; holes of a sparse file are left out.
class EntryData {
  public:
    EntryData() = default;
    EntryData(const EntryData&) = delete;
    EntryData& operator=(const EntryData&) = delete;
    virtual ~EntryData() = default;

    [[nodiscard]] virtual Result<DataChunk> data() = 0;
};

} // namespace mydocker::image
