// What an image asks for, as the member "config" of its configuration document. For those who write such a
// document; manifest.hpp has whole ones.
#pragma once

#include "base/json.hpp"
#include "image/config.hpp"

namespace mydocker::image {

// An object with a member for all that is asked for, and no other.
[[nodiscard]] json::Value asked_json(const ImageConfig& config);

} // namespace mydocker::image
