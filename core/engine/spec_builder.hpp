// Image config + request + defaults → ContainerSpec. Pure: values in, value out; golden files show it.
#pragma once

#include "engine/request.hpp"
#include "image/config.hpp"
#include "mydocker/result.hpp"
#include "runtime/spec.hpp"

#include <string>
#include <utility>
#include <vector>

namespace mydocker::engine {

struct SpecInput {
    const image::ImageConfig& image;
    const CreateRequest& request;
    std::string id;           // container id
    std::string bundle;       // its bundle directory
    std::string network_path; // with NetworkMode::container: that container's network namespace
    bool swap_limit = false;  // the host can limit swap
};

// Errors: invalid: no command, a bad environment variable, …
[[nodiscard]] Result<runtime::ContainerSpec> build_spec(const SpecInput& input);

// The command: entrypoint and arguments, as image and request say together. Source: OCI image-spec
// config.md, and docker's rule that a new entrypoint drops the image's Cmd.
[[nodiscard]] std::vector<std::string> effective_command(const image::ImageConfig& image,
                                                         const CreateRequest& request);

// /etc/hostname, /etc/hosts and /etc/resolv.conf of the container. `host_resolv_conf`: the host's.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> etc_files(const std::string& hostname,
                                                                         const std::string& host_resolv_conf);

} // namespace mydocker::engine
