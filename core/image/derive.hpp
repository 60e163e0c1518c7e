// An image made from another one: its layers and one more, its configuration and what changed. What the base
// image's documents say beside that is kept as it stands. Not for reading containers.
#pragma once

#include "image/config_change.hpp"
#include "image/image.hpp"
#include "image/ingest.hpp"
#include "image/store.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mydocker::image {

// What is new.
struct Derivation {
    ConfigEdit edit;        // config: all that the new image asks for
    std::string author;     // empty: the base image's
    std::string created;    // RFC 3339
    std::string created_by; // the command that made the layer
    std::string comment;
};

// The configuration document of the new image. Pure. Errors: corrupt when the base's cannot be understood;
// those of parse_config when the new one could not be: it is over a limit.
[[nodiscard]] Result<std::string> derive_config(std::string_view base_document, const Derivation& derivation,
                                                const Digest& diff_id);

struct DerivedImage {
    std::string id; // 64 hex digits
    std::vector<std::string> notes;
};

// Adds an uncompressed layer, which is in the ingest, to an image of the store, and stores what comes of it.
// `references`: keys. Errors: as Store::commit; invalid when there would be too many layers.
[[nodiscard]] Result<DerivedImage> derive_image(Store& store, Ingest& ingest, const Image& base,
                                                const Blob& layer, const Derivation& derivation,
                                                std::vector<std::string> references);

} // namespace mydocker::image
