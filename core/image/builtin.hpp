// Images shipped with the program: loaded by themselves when first asked for.
#pragma once

#include "image/image.hpp"
#include "image/store.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <string_view>

namespace mydocker::image {

// As Store::find(). When the store has no such image, and `text` is the short name of an archive in
// `images` ("busybox" → <images>/busybox.tar), that is loaded, once, whoever else asks at the time.
// Errors: not_found, with what to do.
[[nodiscard]] Result<Image> find_or_load_builtin(Store& store, std::string_view text,
                                                 const std::string& images);

} // namespace mydocker::image
