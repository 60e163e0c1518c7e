#include "image/tree_reader.hpp"

#include "base/sys.hpp"
#include "image/entry_path.hpp"
#include "image/tree_walk.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>

namespace mydocker::image {

TreeReader::TreeReader(int root, EntryVisitor visit, DiagnosticFn warn)
    : root_(root),
      visit_(std::move(visit)),
      warn_(std::move(warn)) {}

Status TreeReader::add(const std::string& path, const std::string& name) {
    auto fd = sys::openat2(root_, path.empty() ? "." : path, O_PATH | O_NOFOLLOW | O_CLOEXEC,
                           RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    if (!fd) {
        const int error = fd.error().sys_errno;
        // A container that is not held still may take away what was just there.
        if (error == ENOENT || error == ENOTDIR || error == ELOOP) return {};
        return fail(fd.error().code, "open " + shown(path), error);
    }
    auto status = sys::fstat(fd->get());
    if (!status) return fail(status);
    return add_open(fd->get(), *status, name);
}

Status TreeReader::add_open(int fd, const struct stat& status, const std::string& name) {
    const bool several = !S_ISDIR(status.st_mode) && !S_ISSOCK(status.st_mode) && status.st_nlink > 1;
    auto entry = read_entry(fd, status, name, warn_);
    if (!entry) return fail(entry);
    if (!*entry) return {};
    if (several) {
        const auto [first, is_new] = linked_.try_emplace({status.st_dev, status.st_ino}, name);
        if (!is_new) {
            (*entry)->type = EntryType::hard_link;
            (*entry)->link = first->second;
            (*entry)->size = 0;
            (*entry)->xattrs.clear();
            return visit_(**entry, data_);
        }
    }
    if ((*entry)->type == EntryType::file) return visit_file(fd, status, **entry);
    return visit_(**entry, data_);
}

Status TreeReader::visit_file(int fd, const struct stat& status, TarEntry& entry) {
    auto file = open_for_reading(fd);
    if (!file) return fail(file.error().code, "open " + shown(entry.path), file.error().sys_errno);
    find_holes(file->get(), status, entry);
    data_.begin(std::move(*file), entry);
    if (auto seen = visit_(entry, data_); !seen) return seen;
    if (data_.is_torn() && warn_) warn_("file " + shown(entry.path) + " became shorter while it was read");
    return {};
}

Status TreeReader::add_below(int directory, const std::string& prefix) {
    return walk_tree(directory,
                     [&](const Met& met) { return add_open(met.fd, met.status, prefix + met.path); });
}

EntryVisitor archive_into(TarWriter& writer) {
    return [&writer](const TarEntry& entry, EntryData& data) -> Status {
        if (auto begun = writer.begin(entry); !begun) return begun;
        if (entry.type != EntryType::file) return {};
        for (;;) {
            auto chunk = data.data();
            if (!chunk) return fail(chunk);
            if (chunk->bytes.empty()) return {};
            if (auto written = writer.data(chunk->bytes); !written) return written;
        }
    };
}

Status archive_tree(int root, const ByteSink& sink, const DiagnosticFn& warn) {
    TarWriter writer(sink);
    TreeReader reader(root, archive_into(writer), warn);
    if (auto added = reader.add("", "./"); !added) return added;
    if (auto added = reader.add_below(root, ""); !added) return added;
    return writer.finish();
}

} // namespace mydocker::image
