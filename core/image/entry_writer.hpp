// Writes the entries of one layer into its tree: type by type, with owner, mode, xattrs and times.
// Whiteouts are told apart by unpack.cpp.
#pragma once

#include "image/layer_tree.hpp"
#include "image/tar_entry.hpp"
#include "image/unpack.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::image {

// Says the first few of each kind of complaint, then only counts.
class Warnings {
  public:
    explicit Warnings(const DiagnosticFn& warn) : warn_(warn) {}
    void add(const std::string& text);
    // Says how many were not said.
    void finish() const;
    [[nodiscard]] std::uint64_t count() const { return count_; }

  private:
    const DiagnosticFn& warn_;
    std::uint64_t count_ = 0;
};

// Modification times of directories, to be set when nothing is written into them any more. Past a
// megabyte they wait in an unnamed file: a layer may hold millions.
class DirectoryTimes {
  public:
    explicit DirectoryTimes(const LayerTree& tree) : tree_(tree) {}
    [[nodiscard]] Status add(std::string_view path, timespec mtime);
    [[nodiscard]] Status apply();

  private:
    [[nodiscard]] Status spill();
    [[nodiscard]] Status apply_records(std::string_view& records) const;

    const LayerTree& tree_;
    std::string pending_;
    UniqueFd spilled_;
};

class EntryWriter {
  public:
    EntryWriter(LayerTree& tree, Warnings& warnings);

    // `path`: the normalised path; `data`: of the entry, if it is a file.
    [[nodiscard]] Status write(EntryData& data, const TarEntry& entry, const std::string& path);
    // Once, after the last entry.
    [[nodiscard]] Status finish();
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  private:
    [[nodiscard]] Status write_root(const TarEntry& entry);
    [[nodiscard]] Status write_directory(const TarEntry& entry, const std::string& path);
    [[nodiscard]] Status write_file(EntryData& data, const TarEntry& entry, const std::string& path);
    [[nodiscard]] Status write_symlink(const TarEntry& entry, const std::string& path);
    [[nodiscard]] Status write_node(const TarEntry& entry, const std::string& path);
    [[nodiscard]] Status write_hard_link(const TarEntry& entry, const std::string& path);
    [[nodiscard]] Status copy_data(EntryData& data, const TarEntry& entry, int fd);
    [[nodiscard]] Status set_owner_and_mode(int fd, const TarEntry& entry, bool is_new);
    [[nodiscard]] Status set_xattrs(const TarEntry& entry, const std::string& path, const Place& place);

    LayerTree& tree_;
    Warnings& warnings_;
    DirectoryTimes times_;
    mode_t umask_;
    std::uint64_t bytes_ = 0;
    bool root_seen_ = false;
};

} // namespace mydocker::image
