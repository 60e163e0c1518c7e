// What `inspect` shows of containers, images and volumes: documents with docker's member names, holding
// what is known and nothing made up.
#pragma once

#include "base/json.hpp"
#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "engine/volumes.hpp"
#include "image/image.hpp"

#include <array>
#include <string_view>

namespace mydocker::cli {

// Members of these whose own members are the users' words; see TemplateSetting.
inline constexpr std::array<std::string_view, 10> kDocumentMaps{
    "Data",  "ExposedPorts", "Labels", "LogConfig.Config", "Networks", "Options",
    "Ports", "Sysctls",      "Tmpfs",  "Volumes"};

enum class Sizes { no, yes };

// `sizes`: with what the container has written, which takes a walk over it.
[[nodiscard]] json::Value container_document(engine::Engine& engine, const engine::ContainerRecord& record,
                                             Sizes sizes);
[[nodiscard]] json::Value image_document(const image::Image& image);
[[nodiscard]] json::Value volume_document(const paths::Roots& roots, const engine::Volume& volume);

} // namespace mydocker::cli
