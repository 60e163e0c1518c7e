#include "image/entry_writer.hpp"

#include "base/sys.hpp"
#include "image/entry_path.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace mydocker::image {

namespace {

constexpr std::uint64_t kWarningsSaid = 10;
constexpr std::size_t kTimesInMemory = std::size_t{1} << 20U;
constexpr mode_t kSpecialBits = S_ISUID | S_ISGID | S_ISVTX;

std::unexpected<Error> failed(std::string_view what, std::string_view path) {
    const int error = errno;
    return fail_errno(error, std::string(what) + " " + shown(path));
}

std::array<timespec, 2> both(timespec mtime) {
    return {mtime, mtime};
}

// overlayfs' own xattrs could forge whiteouts and redirects to other places of the store.
bool is_overlay_xattr(std::string_view name) {
    return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.");
}

mode_t current_umask() {
    const mode_t mask = ::umask(0777);
    ::umask(mask);
    return mask;
}

} // namespace

void Warnings::add(const std::string& text) {
    if (++count_ <= kWarningsSaid && warn_) warn_(text);
}

void Warnings::finish() const {
    if (count_ > kWarningsSaid && warn_)
        warn_("ignored " + std::to_string(count_ - kWarningsSaid) + " more things of this kind in the layer");
}

// A record: seconds, nanoseconds, length of the path, path.
Status DirectoryTimes::add(std::string_view path, timespec mtime) {
    const auto size = static_cast<std::uint16_t>(path.size()); // at most 4095
    pending_.append(reinterpret_cast<const char*>(&mtime), sizeof mtime);
    pending_.append(reinterpret_cast<const char*>(&size), sizeof size);
    pending_.append(path);
    return pending_.size() < kTimesInMemory ? Status{} : spill();
}

Status DirectoryTimes::spill() {
    if (!spilled_) {
        auto fd = files::open_at(tree_.root(), ".", O_TMPFILE | O_RDWR, 0600);
        if (!fd) return {}; // Not every filesystem has unnamed files: then they stay in memory.
        spilled_ = std::move(*fd);
    }
    auto written = files::write_all(spilled_.get(), pending_, "directory times");
    pending_.clear();
    return written;
}

// Takes the whole records at the front of `records`.
Status DirectoryTimes::apply_records(std::string_view& records) const {
    timespec mtime{};
    std::uint16_t size = 0;
    while (records.size() >= sizeof mtime + sizeof size) {
        std::memcpy(&mtime, records.data(), sizeof mtime);
        std::memcpy(&size, records.data() + sizeof mtime, sizeof size);
        if (records.size() < sizeof mtime + sizeof size + size) return {};
        const std::string_view path = records.substr(sizeof mtime + sizeof size, size);
        records.remove_prefix(sizeof mtime + sizeof size + size);
        auto fd = tree_.open_directory(path);
        if (!fd) continue; // A later entry put something else there.
        if (::futimens(fd->get(), both(mtime).data()) != 0) return failed("set the time of", path);
    }
    return {};
}

Status DirectoryTimes::apply() {
    if (spilled_) {
        if (::lseek(spilled_.get(), 0, SEEK_SET) != 0) return failed("rewind", "directory times");
        FdSource source(spilled_.get(), "directory times");
        std::string carried;
        for (;;) {
            auto chunk = source.next();
            if (!chunk) return fail(chunk);
            if (chunk->empty()) break;
            carried.append(*chunk);
            std::string_view rest = carried;
            if (auto applied = apply_records(rest); !applied) return applied;
            carried.erase(0, carried.size() - rest.size());
        }
    }
    std::string_view rest = pending_;
    return apply_records(rest);
}

EntryWriter::EntryWriter(LayerTree& tree, Warnings& warnings)
    : tree_(tree),
      warnings_(warnings),
      times_(tree),
      umask_(current_umask()) {}

Status EntryWriter::write(EntryData& data, const TarEntry& entry, const std::string& path) {
    if (path.empty()) return write_root(entry);
    switch (entry.type) {
    case EntryType::directory:
        return write_directory(entry, path);
    case EntryType::file:
        return write_file(data, entry, path);
    case EntryType::symlink:
        return write_symlink(entry, path);
    case EntryType::hard_link:
        return write_hard_link(entry, path);
    case EntryType::char_device:
    case EntryType::block_device:
    case EntryType::fifo:
        return write_node(entry, path);
    }
    return fail(Code::internal, "entry of no type");
}

Status EntryWriter::finish() {
    // A root that the archive does not describe must still be open to every user of the container.
    if (!root_seen_ && tree_.form() != Whiteouts::applied)
        if (auto done = sys::fchmod(tree_.root(), 0755); !done) return done;
    return times_.apply();
}

Status EntryWriter::write_root(const TarEntry& entry) {
    if (entry.type != EntryType::directory)
        return fail(Code::invalid, "entry " + shown(entry.path) + " is the root and no directory");
    root_seen_ = true;
    if (auto done = set_owner_and_mode(tree_.root(), entry, false); !done) return done;
    if (auto done = set_xattrs(entry, "/", Place{tree_.root(), "."}); !done) return done;
    return times_.add("", entry.mtime);
}

// Owner first: chown(2) takes setuid, setgid and file capabilities away.
Status EntryWriter::set_owner_and_mode(int fd, const TarEntry& entry, bool is_new) {
    const bool inherits = tree_.inherits_group();
    if (!is_new || inherits || entry.uid != 0 || entry.gid != 0)
        if (::fchown(fd, entry.uid, entry.gid) != 0) return failed("set the owner of", entry.path);
    const bool made_right = is_new && !inherits && (entry.mode & (kSpecialBits | umask_)) == 0;
    if (!made_right && ::fchmod(fd, entry.mode) != 0) return failed("set the mode of", entry.path);
    return {};
}

Status EntryWriter::set_xattrs(const TarEntry& entry, const std::string& path, const Place& place) {
    if (entry.xattrs.empty()) return {};
    // lsetxattr(2) has no directory argument; the descriptor's own name stands for it.
    const std::string name = "/proc/self/fd/" + std::to_string(place.directory) + "/" + place.name;
    for (const auto& [key, value] : entry.xattrs) {
        if (is_overlay_xattr(key)) {
            warnings_.add("ignored: xattr " + shown(key) + " of " + shown(path) +
                          ", which is overlayfs' own");
            continue;
        }
        if (key.find('\0') == std::string::npos &&
            ::lsetxattr(name.c_str(), key.c_str(), value.data(), value.size(), 0) == 0)
            continue;
        const int error = errno;
        const bool ignorable = error == EOPNOTSUPP || (error == EPERM && !key.starts_with("security."));
        if (!ignorable) return fail_errno(error, "set xattr " + shown(key) + " of " + shown(path));
        warnings_.add("ignored: xattr " + shown(key) + " of " + shown(path) + ", which cannot be set here");
    }
    return {};
}

Status EntryWriter::write_directory(const TarEntry& entry, const std::string& path) {
    auto place = tree_.place(path, Missing::create);
    if (!place) return fail(place);
    auto made = tree_.make_directory(*place, entry.mode & ~kSpecialBits);
    if (!made) return fail(made);
    const bool right = *made && !tree_.inherits_group() && entry.uid == 0 && entry.gid == 0 &&
                       (entry.mode & (kSpecialBits | umask_)) == 0;
    if (!right) {
        auto fd = files::open_at(place->directory, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!fd) return fail(fd);
        if (auto done = set_owner_and_mode(fd->get(), entry, *made); !done) return done;
    }
    if ((entry.mode & S_ISGID) != 0) tree_.note_setgid();
    if (auto done = set_xattrs(entry, path, *place); !done) return done;
    return times_.add(path, entry.mtime);
}

Status EntryWriter::copy_data(EntryData& data, const TarEntry& entry, int fd) {
    for (;;) {
        auto chunk = data.data();
        if (!chunk) return fail(chunk);
        if (chunk->bytes.empty()) break;
        bytes_ += chunk->bytes.size();
        if (entry.extents && ::lseek(fd, static_cast<off_t>(chunk->offset), SEEK_SET) < 0)
            return failed("seek in", entry.path);
        if (auto written = files::write_all(fd, chunk->bytes, "file"); !written)
            return fail(written.error().code, "write " + shown(entry.path), written.error().sys_errno);
    }
    if (entry.extents && ::ftruncate(fd, static_cast<off_t>(entry.size)) != 0)
        return failed("set the size of", entry.path);
    return {};
}

Status EntryWriter::write_file(EntryData& data, const TarEntry& entry, const std::string& path) {
    auto place = tree_.place(path, Missing::create);
    if (!place) return fail(place);
    auto fd = tree_.make_file(*place, entry.mode & ~kSpecialBits);
    if (!fd) return fail(fd);
    if (auto copied = copy_data(data, entry, fd->get()); !copied) return copied;
    if (auto done = set_owner_and_mode(fd->get(), entry, true); !done) return done;
    if (auto done = set_xattrs(entry, path, *place); !done) return done;
    if (::futimens(fd->get(), both(entry.mtime).data()) != 0) return failed("set the time of", path);
    return {};
}

Status EntryWriter::write_symlink(const TarEntry& entry, const std::string& path) {
    if (entry.link.empty()) return fail(Code::invalid, "link " + shown(path) + " has no target");
    if (entry.link.size() > kMaxPathBytes)
        return fail(Code::invalid, "target of link " + shown(path) + " is longer than 4095 bytes");
    auto place = tree_.place(path, Missing::create);
    if (!place) return fail(place);
    if (auto made = tree_.make_symlink(*place, entry.link); !made) return made;
    if (tree_.inherits_group() || entry.uid != 0 || entry.gid != 0)
        if (::fchownat(place->directory, place->name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0)
            return failed("set the owner of", path);
    if (auto done = set_xattrs(entry, path, *place); !done) return done;
    if (::utimensat(place->directory, place->name.c_str(), both(entry.mtime).data(), AT_SYMLINK_NOFOLLOW) !=
        0)
        return failed("set the time of", path);
    return {};
}

Status EntryWriter::write_node(const TarEntry& entry, const std::string& path) {
    const bool fifo = entry.type == EntryType::fifo;
    const dev_t device = fifo ? 0 : makedev(entry.device_major, entry.device_minor);
    if (!fifo && device == 0) {
        warnings_.add("ignored: device " + shown(path) + " with number 0:0, which would be a whiteout");
        return {};
    }
    const mode_t type = fifo ? S_IFIFO : (entry.type == EntryType::char_device ? S_IFCHR : S_IFBLK);
    auto place = tree_.place(path, Missing::create);
    if (!place) return fail(place);
    // By name only: opening a FIFO or a device would act.
    if (auto made = tree_.make_node(*place, type | (entry.mode & 0777U), device); !made) return made;
    if (::fchownat(place->directory, place->name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0)
        return failed("set the owner of", path);
    if (auto done = sys::fchmodat(place->directory, place->name, entry.mode); !done) return done;
    if (auto done = set_xattrs(entry, path, *place); !done) return done;
    if (::utimensat(place->directory, place->name.c_str(), both(entry.mtime).data(), AT_SYMLINK_NOFOLLOW) !=
        0)
        return failed("set the time of", path);
    return {};
}

Status EntryWriter::write_hard_link(const TarEntry& entry, const std::string& path) {
    auto target = normalise_entry_path(entry.link);
    if (!target)
        return fail(target.error().code,
                    "hard link " + shown(path) + " to " + shown(entry.link) + " " + target.error().text);
    return tree_.make_hard_link(path, *target);
}

} // namespace mydocker::image
