// What a container asks for, as an image's configuration: what `commit` gives the new image. Pure.
#pragma once

#include "engine/record.hpp"
#include "image/config.hpp"
#include "runtime/spec.hpp"

namespace mydocker::engine {

// The image's configuration with the container's command, environment, user, directory, labels and signal in
// it; what the engine adds to every container (HOSTNAME, a default PATH, TERM) is no part of it.
[[nodiscard]] image::ImageConfig container_config(const image::ImageConfig& image,
                                                  const ContainerRecord& record,
                                                  const runtime::ContainerSpec& spec);

} // namespace mydocker::engine
