// Unpacks a layer blob, whoever wrote it, into the staging directory of a storage driver.
//
//   blob → gzip or zstd or plain (magic bytes decide) → sha256 (diff id) → tar → staging directory
//
// Hard links to a file of a lower layer: layers that docker, buildkit and podman write never hold one
// (linking a lower file copies it up, so both names are in the layer); in the forms `overlay` and
// `aufs` it cannot be resolved here and is an error; in `applied` the lower file is there.
#pragma once

#include "image/digest.hpp"
#include "image/stream.hpp"
#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mydocker::image {

// Takes one line about something ignored or changed. May be empty.
using DiagnosticFn = std::function<void(std::string_view)>;

struct UnpackLimits {
    GrowthLimits growth;
    std::uint64_t entries = 10'000'000;
};

struct UnpackRequest {
    int blob_fd = -1;    // a regular file; read from its beginning
    std::string staging; // absolute; reachable by nobody else
    Whiteouts form = Whiteouts::overlay;
    Digest diff_id; // what the uncompressed stream must hash to; empty: anything
    UnpackLimits limits;
};

struct UnpackStats {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;                // of file data
    std::uint64_t ignored = 0;              // things dropped with a warning
    std::uint64_t implicit_directories = 0; // made because the archive named only what is in them
    Digest diff_id;
};

// Errors: corrupt for a damaged, truncated or mismatching blob; invalid for an entry that leaves the
// image or is over a limit; no_space, denied, io. On error the staging directory holds a part: the
// caller removes the layer. Not durable by itself: seal_layer() is.
[[nodiscard]] Result<UnpackStats> unpack_layer(const UnpackRequest& request, const DiagnosticFn& warn);

} // namespace mydocker::image
