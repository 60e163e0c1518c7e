#include "image/tree_writer.hpp"

#include "base/sys.hpp"
#include "image/entry_path.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <utility>

namespace mydocker::image {

TreeWriter::TreeWriter(UniqueFd directory, DiagnosticFn warn)
    : warn_(std::move(warn)),
      tree_(LayerTree::in_use(std::move(directory))),
      warnings_(warn_),
      writer_(tree_, warnings_) {}

Status TreeWriter::check_kind(const TarEntry& entry, const std::string& path) {
    auto place = tree_.place(path, Missing::refuse);
    if (!place) return {}; // Nothing can be in the way there; else writing it will tell.
    auto status = sys::fstatat(place->directory, place->name, AT_SYMLINK_NOFOLLOW);
    if (!status) return {};
    const bool directory = entry.type == EntryType::directory;
    if (S_ISDIR(status->st_mode) == directory) return {};
    return fail(Code::invalid, directory ? shown(path) + " is there and is no directory"
                                         : shown(path) + " is there and is a directory");
}

Status TreeWriter::write(EntryData& data, const TarEntry& entry) {
    auto path = normalise_entry_path(entry.path);
    if (!path) return fail(path.error().code, "entry " + shown(entry.path) + " " + path.error().text);
    if (path->empty()) return {};
    if (auto fits = check_kind(entry, *path); !fits) return fits;
    return writer_.write(data, entry, *path);
}

Status TreeWriter::finish() {
    if (auto done = writer_.finish(); !done) return done;
    warnings_.finish();
    return {};
}

} // namespace mydocker::image
