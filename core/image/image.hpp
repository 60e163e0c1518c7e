// One image as plain values: manifest, layers and configuration in one. Not for reading it from disk
// (store.hpp) or from JSON (manifest.hpp).
#pragma once

#include "image/config.hpp"
#include "image/digest.hpp"
#include "mydocker/storage_driver.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mydocker::image {

struct ImageLayer {
    Digest digest;  // of the blob
    Digest diff_id; // of its uncompressed tar
    std::string media_type;
    std::uint64_t size = 0; // of the blob
};

struct Image {
    std::string id;                      // 64 hex digits: sha256 of the configuration
    Digest manifest;                     // of the manifest
    std::vector<std::string> references; // keys, sorted; familiar_name() words them
    std::vector<ImageLayer> layers;      // base first
    std::vector<LayerId> chain;          // of each layer its chain id: what storage drivers know it by
    ImageConfig config;

    // Of the layer blobs.
    [[nodiscard]] std::uint64_t size() const {
        std::uint64_t sum = 0;
        for (const ImageLayer& layer : layers)
            sum += layer.size;
        return sum;
    }
};

} // namespace mydocker::image
