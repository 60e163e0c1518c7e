// The staging directory of a layer while strangers' entries are written into it: every name is
// reached through directory descriptors and cannot lead outside; nothing is written in place over
// what was there. Knows the forms of whiteouts; knows nothing of archives.
#pragma once

#include "image/tar_entry.hpp"
#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::image {

// Where an entry goes: a name in an open directory, which is borrowed until the next call.
struct Place {
    int directory = -1;
    std::string name;
};

// What happens when directories above an entry are not there.
enum class Missing : std::uint32_t { create, refuse };

class LayerTree {
  public:
    // Errors: as open(2).
    [[nodiscard]] static Result<LayerTree> open(const std::string& staging, Whiteouts form);
    // A tree in use, which may have other filesystems mounted in it; there are no whiteouts in it.
    [[nodiscard]] static LayerTree in_use(UniqueFd root);

    [[nodiscard]] int root() const { return root_.get(); }
    [[nodiscard]] Whiteouts form() const { return form_; }
    [[nodiscard]] Result<bool> is_empty() const;

    // `path` is normalised and not the root. Links on the way are resolved inside the root.
    // Errors: not_found with Missing::refuse; invalid when something on the way is no directory.
    [[nodiscard]] Result<Place> place(std::string_view path, Missing missing);

    // Makes the name a directory; one that is there stays, with what is in it.
    // Returns whether it is new.
    [[nodiscard]] Result<bool> make_directory(const Place& place, mode_t mode);
    // The name becomes a new, empty file.
    [[nodiscard]] Result<UniqueFd> make_file(const Place& place, mode_t mode);
    [[nodiscard]] Status make_symlink(const Place& place, const std::string& target);
    [[nodiscard]] Status make_node(const Place& place, mode_t type_and_mode, dev_t device);
    // `target` is normalised. Errors: not_found when it is not in the tree; invalid for a directory.
    [[nodiscard]] Status make_hard_link(std::string_view path, std::string_view target);

    // Says that what lies below under this name is gone (overlay and aufs).
    [[nodiscard]] Status whiteout(const Place& place);
    // Says that all that lies below a directory is gone (overlay and aufs).
    [[nodiscard]] Status opaque(std::string_view directory);
    // Deletes what lies below (applied). Absent: succeeds.
    [[nodiscard]] Status remove(std::string_view path);
    [[nodiscard]] Status remove_children(std::string_view directory);

    // Opens a directory by path, never by a link in its last component.
    [[nodiscard]] Result<UniqueFd> open_directory(std::string_view path) const;

    // Directories that entries needed and the archive did not bring before them.
    [[nodiscard]] std::uint64_t implicit_directories() const { return implicit_; }

    // A new file or directory may get its group, and a directory its setgid bit, from the directory
    // it is made in: then owner and mode must be set even where they seem right.
    [[nodiscard]] bool inherits_group() const { return inherits_group_; }
    void note_setgid() { inherits_group_ = true; }

  private:
    LayerTree(UniqueFd root, Whiteouts form)
        : root_(std::move(root)),
          form_(form),
          inherits_group_(form == Whiteouts::applied) {}

    [[nodiscard]] std::uint64_t inside() const; // RESOLVE_…
    [[nodiscard]] Result<UniqueFd> resolve(const std::string& path) const;
    [[nodiscard]] Result<UniqueFd> make_parents(const std::string& path);
    [[nodiscard]] Status make_parent(const std::string& path);
    [[nodiscard]] Result<bool> free_name(const Place& place);
    [[nodiscard]] Result<bool> take_marker(const Place& place);
    [[nodiscard]] Status set_opaque(int directory, const std::string& name);
    [[nodiscard]] Status retry_free(const Place& place, const std::function<int()>& make,
                                    std::string_view what);

    UniqueFd root_;
    Whiteouts form_;
    bool inherits_group_;
    bool crosses_mounts_ = false;
    std::uint64_t markers_ = 0; // whiteouts that stand for a name
    std::uint64_t implicit_ = 0;
    std::string parent_path_; // of parent_, the directory that the last entry went to
    UniqueFd parent_;
    bool parent_known_ = false;
};

} // namespace mydocker::image
