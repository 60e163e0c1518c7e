// Where a load gets the blobs of an image from, and how it takes an image from there into its ingest:
// index → manifest → config and layers, each checked against what names it.
#pragma once

#include "image/ingest.hpp"
#include "image/manifest.hpp"
#include "image/store.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mydocker::image {

class BlobSupply {
  public:
    BlobSupply() = default;
    BlobSupply(const BlobSupply&) = delete;
    BlobSupply& operator=(const BlobSupply&) = delete;
    virtual ~BlobSupply() = default;

    // Sees to it that the ingest has the blob. Errors: not_found, corrupt.
    [[nodiscard]] virtual Status require(const Digest& digest) = 0;
};

// The image that a descriptor leads to.
struct TakenImage {
    Digest manifest;
    std::string id;
    std::vector<std::string> notes;
};

// Follows the descriptor to the image for this machine and puts all its blobs into the ingest.
[[nodiscard]] Result<TakenImage> take_image(BlobSupply& supply, const Ingest& ingest,
                                            const Descriptor& descriptor);

// All images of an OCI index.json, with their names.
struct TakenIndex {
    std::vector<NewImage> images;
    std::vector<std::string> loaded; // as in LoadReport
    std::vector<std::string> notes;
};
[[nodiscard]] Result<TakenIndex> take_index(BlobSupply& supply, const Ingest& ingest, std::string_view index);

} // namespace mydocker::image
