// The use cases about what is in a container: diff, export, commit, cp. None of them runs a program of the
// container's, attaches a mount anywhere, or follows a link out of it.
#pragma once

#include "engine/engine.hpp"
#include "engine/hold.hpp"
#include "image/tar_writer.hpp"
#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

// --- changes.cpp
// One line of `diff`.
struct Difference {
    ChangeKind kind = ChangeKind::added;
    std::string path;    // absolute inside the root filesystem, bytes
    bool opaque = false; // a directory that hides all that is below it

    bool operator==(const Difference&) const = default;
};
// What a container has changed, parents before children, siblings in byte order: also the directories above,
// which count as modified. Errors: not_found.
[[nodiscard]] Result<std::vector<Difference>> diff(Engine& engine, const ContainerRecord& record);
// Adds the directories above. Pure.
[[nodiscard]] std::vector<Difference> with_parents(std::vector<Difference> differences);

// --- export.cpp
// The whole root filesystem as a tar archive; what is mounted in it is left out. `import` makes the same
// tree of it. Errors: as Hold::take; the sink's own.
[[nodiscard]] Status export_rootfs(Engine& engine, std::string_view container, Stillness stillness,
                                   const image::ByteSink& sink);
// The same into a file that is there, whole, or not at all; what is no regular file is written in place.
[[nodiscard]] Status export_to_file(Engine& engine, std::string_view container, Stillness stillness,
                                    const std::string& path);

// --- commit.cpp
struct CommitRequest {
    std::string container;
    std::string reference; // key; empty: the image stays without a name
    std::string author;
    std::string message;
    std::vector<std::string> changes; // as image::apply_change takes them
    Stillness stillness = Stillness::frozen;
};
struct CommitReport {
    std::string id; // of the image, 64 hex digits
    std::vector<std::string> notes;
};
// Makes an image of the container's image and one layer more, with the container's own configuration.
// Errors: invalid for a bad change or a name that a layer cannot hold; not_found when the image is gone.
// Crash: no image; what was spooled is swept by the next commit or load, and nothing stays frozen.
[[nodiscard]] Result<CommitReport> commit(Engine& engine, const CommitRequest& request);

// --- copy.cpp
enum class Ownership : std::uint32_t {
    caller, // root inside; outside whoever calls, without setuid, setgid, capabilities and devices
    kept,
};
enum class SourceLink : std::uint32_t { copied, followed };

struct CopyRequest {
    std::string container;
    std::string inside;  // path in the container
    std::string outside; // path on the host; unused with a stream
    Ownership ownership = Ownership::caller;
    SourceLink link = SourceLink::copied;
};
// Source: docker-cp(1), whose rules these follow. Errors: not_found, invalid, naming the path.
[[nodiscard]] Status copy_out(Engine& engine, const CopyRequest& request);
[[nodiscard]] Status copy_in(Engine& engine, const CopyRequest& request);
// As a tar stream, and from one: to standard output and from standard input.
[[nodiscard]] Status copy_out_stream(Engine& engine, const CopyRequest& request, const image::ByteSink& sink);
[[nodiscard]] Status copy_in_stream(Engine& engine, const CopyRequest& request, int input);

} // namespace mydocker::engine
