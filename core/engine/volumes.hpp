// Volumes: directories that outlive containers. Knows nothing of containers (container_volumes does).
//
//   <root>/volumes/
//   ├── .lock                 held by whoever changes anything here
//   ├── .new/  .gone…/        a volume that is being made or removed: whoever changes something next
//   │                         deletes it, as far as the kernel lets it
//   └── <name>/
//       ├── volume.json       schema, created_ns, anonymous, container, labels
//       ├── _data/            what containers see
//       ├── _filling/         a copy of the image's directory, not complete: deleted by the next fill
//       └── _filled/          the complete copy, whose entries are moving into _data: the next fill goes on
#pragma once

#include "base/paths.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::engine {

struct Volume {
    std::string name;
    std::int64_t created_ns = 0;
    bool anonymous = false;
    std::string container; // id of the container that it was made for; empty: by `volume create`
    std::vector<std::pair<std::string, std::string>> labels;
};

// Errors of all: corrupt, naming the file; unsupported for a newer schema.
[[nodiscard]] Result<std::vector<Volume>> list_volumes(const paths::Roots& roots); // by name
// Errors: not_found.
[[nodiscard]] Result<Volume> load_volume(const paths::Roots& roots, const std::string& name);

// Changes of volumes, by one process at a time: opened, it holds the lock.
class VolumeStore {
  public:
    // Waits for the lock. What a killed process left half made or half removed is deleted; what cannot be (a
    // mount, an immutable file) stays, out of everybody's way.
    [[nodiscard]] static Result<VolumeStore> open(const paths::Roots& roots);

    // Whole or not at all. Again: false, and the volume is as it was.
    [[nodiscard]] Result<bool> create(const Volume& volume);

    // Whether something can be filled in. Pure.
    [[nodiscard]] Result<bool> is_empty(const std::string& name);
    // Fills an empty volume with a copy of the directory, whose attributes _data gets.
    // Crash: the next fill completes it or begins again; _data never holds half a file.
    [[nodiscard]] Status fill(const std::string& name, int directory);

    // Out of sight by one rename, then deleted. Absent: succeeds. Errors: when not all of it can be deleted:
    // the volume is gone, and the rest is tried again by whoever changes something next.
    [[nodiscard]] Status remove(const std::string& name);

  private:
    VolumeStore(std::string path, UniqueFd directory, UniqueFd lock)
        : path_(std::move(path)),
          directory_(std::move(directory)),
          lock_(std::move(lock)) {}

    [[nodiscard]] Result<UniqueFd> open_volume(const std::string& name);
    [[nodiscard]] Result<std::string> put_aside(const std::string& name);

    std::string path_;
    UniqueFd directory_;
    UniqueFd lock_;
};

} // namespace mydocker::engine
