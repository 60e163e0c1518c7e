// The directory that a driver keeps everything in: made on first use, locked against other processes,
// emptied by moving things out of sight before they are deleted. What lies where is drawn in
// layer_store.hpp. It knows nothing of chains.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace mydocker::storage {

inline constexpr const char* kLayers = "layers";
inline constexpr const char* kStaging = "staging";
inline constexpr const char* kWritable = "rw";
inline constexpr const char* kRemoved = "removed";

// What usually is all that is left in a tree, in the order of its removal.
struct Leftover {
    const char* path;
    bool directory;
};

// Removes the tree at `path` below `directory`, as files::remove_tree does, which is the usual one. A driver
// whose trees the filesystem can drop whole has a way of its own.
using RemoveTree = Status (*)(int directory, const std::string& path);

// The first error, with what was met while undoing attached, if that was one.
[[nodiscard]] std::unexpected<Error> fail_undone(Error first, const Status& undone);

// Whether `fd` is still what is found at `path` below `root`.
[[nodiscard]] bool is_still_there(int root, const std::string& path, int fd);

class StoreDirectory {
  public:
    // A lock on the store, given back at the end.
    class Lock {
      public:
        Lock() = default;
        explicit Lock(int fd) noexcept : fd_(fd) {}
        Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
        Lock& operator=(Lock&& other) noexcept;
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;
        ~Lock() { release(); }

        void release() noexcept;

      private:
        int fd_ = -1;
    };
    enum class Mode : std::uint8_t { shared, exclusive };

    // Touches nothing yet. `path` is absolute; its parent exists once something is made.
    StoreDirectory(std::string path, RemoveTree remove) : path_(std::move(path)), remove_(remove) {}

    [[nodiscard]] const std::string& path() const { return path_; }
    // path() + "/a/b"
    [[nodiscard]] std::string path_of(const std::string& below) const { return path_ + "/" + below; }

    // The open directory. Errors: not_found, when nothing was ever made in it.
    [[nodiscard]] Result<int> open();
    // The same; makes it and the directories below it first, where they lack.
    [[nodiscard]] Result<int> make();

    // Shared: what is to be used is not removed meanwhile. Exclusive: what is to be removed is not put to
    // use meanwhile. Held for moments, never while much is written or deleted.
    [[nodiscard]] Result<Lock> lock(Mode mode);

    // Moves `from` ("rw/ID") to a name below removed/ that nobody else has; returns that. Where no room
    // is left for the new name, it stays and its own name is returned.
    // Errors: not_found; busy, when something is mounted on it.
    [[nodiscard]] Result<std::string> move_out(const std::string& from);

    // Deletes a tree, `usual` first; another process may be at the same.
    // Errors: busy, naming the place, when something is mounted in it.
    [[nodiscard]] Status discard(const std::string& name, std::span<const Leftover> usual = {});

  private:
    std::string path_;
    RemoveTree remove_;
    UniqueFd fd_;
    std::uint64_t moved_ = 0;
};

} // namespace mydocker::storage
