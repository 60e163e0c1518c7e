// An image archive's files, spooled into an ingest and known by their paths in the archive, which are
// keys here and never paths of the host. And what docker archives make of them.
#pragma once

#include "image/blob_supply.hpp"
#include "image/ingest.hpp"
#include "image/stream.hpp"
#include "mydocker/result.hpp"

#include <map>
#include <string>
#include <string_view>

namespace mydocker::image {

// Spooled files of an archive, by their paths in it.
class ArchiveFiles {
  public:
    // Follows links of the archive by name, up to 8. `path`: as some document of the archive has it.
    // Errors: invalid for a path that leaves the archive; not_found.
    [[nodiscard]] Result<Blob> find(std::string_view path) const;
    [[nodiscard]] bool has(const std::string& path) const { return files_.contains(path); }

    [[nodiscard]] bool empty() const { return files_.empty(); }

    // Paths are normalised. Errors: invalid when there are too many.
    [[nodiscard]] Status add_file(const std::string& path, Blob blob);
    [[nodiscard]] Status add_link(const std::string& path, std::string target);

  private:
    [[nodiscard]] Status count(std::size_t bytes);

    std::map<std::string, Blob> files_;
    std::map<std::string, std::string> links_;
    std::size_t bytes_ = 0;
};

// Reads a whole archive, each file of it into the ingest.
[[nodiscard]] Result<ArchiveFiles> spool_archive(ByteSource& archive, Ingest& ingest);

// The images of a docker archive's manifest.json.
[[nodiscard]] Result<TakenIndex> take_docker_archive(const ArchiveFiles& files, Ingest& ingest);

} // namespace mydocker::image
