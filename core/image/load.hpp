// Brings images into the store from files: `load` of OCI archives, OCI layout directories and docker
// archives; `import` of a root filesystem's tar. Everything streams through an ingest; no name in an
// archive is ever used as a path of the host. Not for unpacking layers.
#pragma once

#include "image/config.hpp"
#include "image/store.hpp"
#include "image/stream.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <vector>

namespace mydocker::image {

struct LoadReport {
    // Familiar names, or "sha256:…" ids of images without one: "Loaded image: busybox:latest".
    std::vector<std::string> loaded;
    // Things worth telling: names that old images lost, oddities that were ignored.
    std::vector<std::string> notes;
};

// `source`: an archive (plain, gzip, zstd), a directory, or "-" for standard input.
// Errors: corrupt, naming what is wrong where; unsupported for formats of the past; no_space.
// On failure the store is as before. Crash: what was spooled is swept by the next load.
[[nodiscard]] Result<LoadReport> load(Store& store, const std::string& source,
                                      const GrowthLimits& limits = {});

struct ImportRequest {
    std::string source; // a tar (plain, gzip, zstd), or "-" for standard input
    std::string name;   // empty: the image stays without a name
    ImageConfig config; // what it shall ask for; os, architecture and created are filled in
    GrowthLimits limits;
};

// Makes an image of one layer. Errors: invalid for a bad name or an entry that leaves the image;
// otherwise as load().
[[nodiscard]] Result<LoadReport> import_rootfs(Store& store, const ImportRequest& request);

} // namespace mydocker::image
