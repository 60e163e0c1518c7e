// What lies on a disk, as an archive's entry: status, link target, xattrs, holes, and its data. Reads by
// descriptor only; a device or a FIFO is never opened.
#pragma once

#include "image/tar_entry.hpp"
#include "image/unpack.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace mydocker::image {

// The entry of what `fd`, opened with O_PATH, stands for; `name` becomes its path, with a slash behind that
// of a directory. Nothing for a socket: it means nothing without its process. What overlayfs keeps for itself
// and labels of the host's security policy are no part of it. `warn`, which may be empty, is told what is
// left out because an archive cannot hold it, sockets included.
[[nodiscard]] Result<std::optional<TarEntry>> read_entry(int fd, const struct stat& status, std::string name,
                                                         const DiagnosticFn& warn);

// Opens the file that `fd`, opened with O_PATH, stands for; only for regular files. Errors: as open(2).
[[nodiscard]] Result<UniqueFd> open_for_reading(int fd);

// Sets entry.extents if the open file has holes.
void find_holes(int fd, const struct stat& status, TarEntry& entry);

// The data of files that may be changed meanwhile: always as many bytes as the entry says, zeros where a
// file has become shorter. One after another, with one buffer.
class FileData final : public EntryData {
  public:
    FileData();
    // What data() gives from now on.
    void begin(UniqueFd fd, const TarEntry& entry);
    [[nodiscard]] Result<DataChunk> data() override;
    // Whether the file turned out shorter than its entry says.
    [[nodiscard]] bool is_torn() const { return torn_; }

  private:
    UniqueFd fd_;
    std::string name_;
    std::vector<Extent> extents_;
    std::size_t extent_ = 0;
    std::uint64_t done_ = 0; // bytes of that extent
    std::vector<char> buffer_;
    bool torn_ = false;
};

} // namespace mydocker::image
