// Volumes in a container's life: made and filled before it, kept or removed after it, and whose they are.
#pragma once

#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "engine/request.hpp"
#include "engine/volumes.hpp"
#include "image/config.hpp"
#include "mydocker/result.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

// The record's intent "volumes" (volume_names() reads it); empty: there are none.
[[nodiscard]] std::string volumes_intent(const std::vector<MountRequest>& mounts);

// What the container will have mounted, as settle_mounts(). Changes nothing.
// Errors: also when a source on the host is not there and may not be made.
[[nodiscard]] Result<std::vector<MountRequest>>
choose_mounts(const Engine& engine, const CreateRequest& request, const image::ImageConfig& image);

// Makes missing host directories and volumes, and fills empty volumes from the container's root filesystem.
[[nodiscard]] Status acquire_mounts(Engine& engine, const ContainerRecord& record,
                                    const std::vector<MountRequest>& mounts);

// Removes the volumes that were made for the container and that nobody else uses: all of them when it
// never came to its command; the anonymous ones when it takes them with it; else none.
[[nodiscard]] Status release_volumes(Engine& engine, const ContainerRecord& record);

// Which container uses which volume, running or not.
struct VolumeUsers {
    std::map<std::string, std::vector<ContainerName>> by_volume;
    std::string damaged; // id of a container whose record cannot be read; empty: there is none
};
[[nodiscard]] Result<VolumeUsers> volume_users(Engine& engine, const ContainerId& but = {});

// --- the use cases of `volume`
// One that is there already is left as it is, as docker does.
[[nodiscard]] Status create_volume(Engine& engine, const Volume& volume);
enum class Absent { error, allowed };
// Errors: not_found; conflict, naming a container that uses it.
[[nodiscard]] Status remove_volume(Engine& engine, const std::string& name, Absent absent);
enum class Prune { anonymous, all }; // of those that no container uses (prune.hpp)

} // namespace mydocker::engine
