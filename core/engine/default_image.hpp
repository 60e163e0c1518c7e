// `run sh`: words without an image's name are run in the default image, when that has the command.
#pragma once

#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "engine/request.hpp"
#include "image/image.hpp"
#include "image/store.hpp"
#include "mydocker/result.hpp"
#include "runtime/spec.hpp"

#include <optional>
#include <string>

namespace mydocker::engine {

// The default image in the place of one that is not there.
struct StandIn {
    std::string command; // the word that was taken for an image
    Error no_image;      // why it is none
};

// The image of the request. When there is none of its name, the default one: then `request` is changed to
// name that, with all words as its command, and `stand_in` says so.
[[nodiscard]] Result<image::Image> choose_image(Engine& engine, image::Store& images, CreateRequest& request,
                                                std::optional<StandIn>& stand_in);

// Whether the container, which is made and does not run yet, has the command; says so in an info record.
// Errors: as there is no such image, naming both.
[[nodiscard]] Status check_stand_in(Engine& engine, const ContainerRecord& record,
                                    const runtime::ProcessSpec& process, const StandIn& stand_in);

} // namespace mydocker::engine
