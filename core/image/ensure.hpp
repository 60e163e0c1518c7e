// Makes sure that a storage driver has the layers of an image: a driver's layers are a cache of the
// content store, refilled on first use.
#pragma once

#include "image/image.hpp"
#include "image/store.hpp"
#include "image/unpack.hpp"
#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"

namespace mydocker::image {

struct EnsureOptions {
    UnpackLimits limits;
    DiagnosticFn warn; // may be empty
};

// Unpacks each layer that the driver lacks, base first. Safe against others doing the same at the
// same time: the driver serialises. Errors: unsupported when there are more layers than the driver
// can stack; corrupt, invalid, no_space … naming the layer; then nothing of that layer is left.
// Again: succeeds, and costs one question for each layer.
[[nodiscard]] Status ensure_layers(const Store& store, const Image& image, StorageDriver& driver,
                                   const StorageTraits& traits, const EnsureOptions& options = {});

} // namespace mydocker::image
