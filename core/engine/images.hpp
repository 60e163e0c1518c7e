// Images as the engine's users see them: what containers use is not taken away under them, and a driver's
// unpacked layers go with the image.
#pragma once

#include "engine/engine.hpp"
#include "image/ensure.hpp"
#include "image/store.hpp"
#include "image/unpack.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

// The limits of [images].
[[nodiscard]] image::UnpackLimits unpack_limits(const Engine& engine);

// Tells of images that came by `action`: "load", "import", "tag".
void note_images(Engine& engine, const std::string& action, const std::vector<std::string>& names);

// Takes a name away, and with the last one the image and its unpacked layers. Errors: conflict, naming
// the container that uses it, unless forced; as image::Store::remove.
[[nodiscard]] Result<image::RemoveReport> remove_image(Engine& engine, std::string_view text,
                                                       image::Force force);

} // namespace mydocker::engine
