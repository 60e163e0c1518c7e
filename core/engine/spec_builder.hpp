// Image config + request + defaults → ContainerSpec. Pure: values in, value out; golden files show it.
#pragma once

#include "engine/request.hpp"
#include "image/config.hpp"
#include "mydocker/result.hpp"
#include "runtime/spec.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::engine {

// The parent of the cgroups, where the request names no other.
inline constexpr std::string_view kCgroupParent = "mydocker";
// Annotation of a privileged container's spec: what it comes to there could have been asked for piece by
// piece.
inline constexpr std::string_view kPrivilegedNote = "io.mydocker.privileged";

struct SpecInput {
    const image::ImageConfig& image;
    const CreateRequest& request;
    std::string id;           // container id
    std::string bundle;       // its bundle directory
    std::string network_path; // with NetworkMode::container: that container's network namespace
    std::string pid_path;     // likewise with NamespaceMode::container
    std::string ipc_path;
    std::string uts_path;
    std::string shared_name;                   // of the host or container whose uts namespace it has
    bool swap_limit = false;                   // the host can limit swap
    std::vector<std::string> all_capabilities; // that the engine can give
    std::vector<runtime::SpecMount> mounts;    // those that were asked for
    std::vector<DeviceRequest> host_devices;   // all of them, for a privileged one
};

// Errors: invalid: no command, a bad environment variable, …
[[nodiscard]] Result<runtime::ContainerSpec> build_spec(const SpecInput& input);

// Where the shared memory of the container lies whose ipc namespace has this path.
[[nodiscard]] std::string shm_source(const std::string& ipc_path);
// Whether it is the shared memory of another ipc namespace; false: a user's own mount, or the usual one.
// Pure.
[[nodiscard]] bool is_shared_shm(const runtime::SpecMount& mount);

// So many words of it are the entrypoint.
[[nodiscard]] std::size_t entrypoint_size(const image::ImageConfig& image, const CreateRequest& request);

// The command: entrypoint and arguments, as image and request say together. Source: OCI image-spec
// config.md, and docker's rule that a new entrypoint drops the image's Cmd.
[[nodiscard]] std::vector<std::string> effective_command(const image::ImageConfig& image,
                                                         const CreateRequest& request);

// /etc/hostname, /etc/hosts and /etc/resolv.conf of the container. `host_resolv_conf`: the host's.
[[nodiscard]] std::vector<std::pair<std::string, std::string>>
etc_files(const CreateRequest& request, const std::string& hostname, const std::string& host_resolv_conf);

} // namespace mydocker::engine
