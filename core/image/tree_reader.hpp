// Reads a directory tree as entries, for an archive or for another tree: hard links found, sockets left out
// and named. Every name is reached from the root's descriptor without following a link.
#pragma once

#include "image/file_entry.hpp"
#include "image/tar_entry.hpp"
#include "image/tar_writer.hpp"
#include "image/unpack.hpp"
#include "mydocker/result.hpp"

#include <functional>
#include <map>
#include <string>
#include <sys/types.h>
#include <utility>

namespace mydocker::image {

// Takes one entry; `data` is to be read for a file, and before the visitor returns.
using EntryVisitor = std::function<Status(const TarEntry&, EntryData& data)>;

class TreeReader {
  public:
    // `root` is borrowed. `warn` may be empty.
    TreeReader(int root, EntryVisitor visit, DiagnosticFn warn);

    // One thing, without what is in it. `path`: below the root; "": the root itself. `name`: what it is
    // called in the entry. What is not there, or only behind a link, is left out.
    [[nodiscard]] Status add(const std::string& path, const std::string& name);
    // The same for a thing that is open already, with O_PATH.
    [[nodiscard]] Status add_open(int fd, const struct stat& status, const std::string& name);
    // All that is below an open directory; names begin with `prefix`.
    [[nodiscard]] Status add_below(int directory, const std::string& prefix);

  private:
    [[nodiscard]] Status visit_file(int fd, const struct stat& status, TarEntry& entry);

    int root_;
    EntryVisitor visit_;
    DiagnosticFn warn_;
    FileData data_;
    std::map<std::pair<dev_t, ino_t>, std::string> linked_; // files with several names: the first of them
};

// Puts entries into an archive.
[[nodiscard]] EntryVisitor archive_into(TarWriter& writer);

// A whole root filesystem as an archive, "./" first: what `import` makes the same tree of.
[[nodiscard]] Status archive_tree(int root, const ByteSink& sink, const DiagnosticFn& warn);

} // namespace mydocker::image
