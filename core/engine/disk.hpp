// What the engine's things take up on disk. Reads only; what vanishes meanwhile counts nothing.
#pragma once

#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "engine/volumes.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mydocker::engine {

// Blocks of a tree, each file once however many names it has there; other filesystems mounted in it are not
// counted.
[[nodiscard]] std::uint64_t tree_bytes(const std::string& path);

// Storage drivers that have data here, whether they are selected or not.
[[nodiscard]] std::vector<std::string> storage_drivers_here(const Engine& engine);
// Of all of them together.
[[nodiscard]] std::uint64_t storage_bytes(const Engine& engine);
// Writable layer, logs and bundle.
[[nodiscard]] std::uint64_t container_bytes(Engine& engine, const ContainerRecord& record);

// --- system df
struct ImageRow {
    std::string id;
    std::vector<std::string> references;
    std::string created;      // as the image says
    std::uint64_t bytes = 0;  // of its blobs
    std::uint64_t unique = 0; // of those that no other image has
    std::size_t containers = 0;
};
struct ContainerRow {
    ContainerRecord record;
    std::uint64_t bytes = 0; // as container_bytes() has them
    std::uint64_t layer = 0; // of them, the writable layer
};
struct VolumeRow {
    Volume volume;
    std::uint64_t bytes = 0;
    std::size_t containers = 0;
};
// Layers of images as a storage driver has unpacked them: a cache, filled again at the next use.
struct UnpackedRow {
    std::string driver;
    std::uint64_t bytes = 0;
    std::size_t containers = 0; // that it serves
};

struct DiskUsage {
    std::vector<ImageRow> images;
    std::uint64_t image_bytes = 0; // of all blobs, each once
    std::vector<ContainerRow> containers;
    std::vector<VolumeRow> volumes;
    std::vector<UnpackedRow> unpacked;
};
[[nodiscard]] Result<DiskUsage> disk_usage(Engine& engine);

} // namespace mydocker::engine
