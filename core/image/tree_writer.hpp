// Writes entries into a directory that is in use, as cp does: what is there gives way to its like, a
// directory never to something else. No entry leads out of the directory. Not for layers (unpack.hpp).
#pragma once

#include "image/entry_writer.hpp"
#include "image/layer_tree.hpp"
#include "image/tar_entry.hpp"
#include "image/unpack.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <string>

namespace mydocker::image {

class TreeWriter {
  public:
    // `directory`: open; the writer must stay where it is.
    TreeWriter(UniqueFd directory, DiagnosticFn warn);
    TreeWriter(const TreeWriter&) = delete;
    TreeWriter& operator=(const TreeWriter&) = delete;
    ~TreeWriter() = default;

    // An entry for the directory itself is passed over: its owner and mode are not the copy's.
    // Errors: invalid when the path leaves the directory, or a directory were to become a file or a file a
    // directory; as EntryWriter.
    [[nodiscard]] Status write(EntryData& data, const TarEntry& entry);
    // Once, after the last entry: times of directories.
    [[nodiscard]] Status finish();

  private:
    [[nodiscard]] Status check_kind(const TarEntry& entry, const std::string& path);

    DiagnosticFn warn_;
    LayerTree tree_;
    Warnings warnings_;
    EntryWriter writer_;
};

} // namespace mydocker::image
