#include "record_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <span>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::json_state {
namespace {

constexpr const char* kRecords = "records";
constexpr const char* kPendingName = ".pending";
constexpr const char* kPending = "records/.pending";
// Room for one more record of usual size, inode and blocks.
constexpr const char* kSpare = "spare";
constexpr std::size_t kSpareBytes = std::size_t{16} << 10U;
constexpr mode_t kFileMode = 0600;

[[nodiscard]] std::string record_path(const ContainerId& id) {
    return std::string(kRecords) + "/" + id.str();
}

[[nodiscard]] const char* kind_of(mode_t mode) {
    if (S_ISLNK(mode)) return "a symbolic link";
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a FIFO";
    if (S_ISSOCK(mode)) return "a socket";
    if (S_ISREG(mode)) return "a regular file";
    return "a device";
}

[[nodiscard]] std::unexpected<Error> not_a_record(const ContainerId& id, const std::string& path,
                                                  const std::string& why) {
    return fail(Code::corrupt, "container " + short_id(id) + ": refused: " + path + " " + why);
}

[[nodiscard]] FileIdentity identity_of(const struct stat& status) {
    return {.device = status.st_dev, .inode = status.st_ino, .modified = status.st_mtim};
}

// Reads a file of a known size; what came or went meanwhile shows as another length.
[[nodiscard]] Result<std::string> read_sized(int fd, std::size_t size) {
    std::string text;
    int error = 0;
    text.resize_and_overwrite(size + 1, [&](char* data, std::size_t capacity) {
        std::size_t used = 0;
        while (used < size) { // A record is complete before it gets its name: no read for the end.
            const ssize_t count = ::read(fd, data + used, capacity - used);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) error = errno;
            if (count <= 0) break;
            used += static_cast<std::size_t>(count);
        }
        return used;
    });
    if (error != 0) return fail_errno(error, "");
    return text;
}

} // namespace

Status RecordFiles::open(Missing missing) {
    if (directory_) return {};
    const auto look = [this] {
        directory_.reset(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        return directory_ ? 0 : errno;
    };
    int error = look();
    if (error == ENOENT && missing == Missing::create) {
        if (auto made = files::make_directories(path_); !made) return made;
        error = look();
    }
    if (error == ENOENT) return fail(Code::not_found, "there is no state in '" + path_ + "'");
    if (error != 0) return fail_errno(error, "open directory '" + path_ + "'");
    return {};
}

Result<Record> RecordFiles::read(const ContainerId& id) const {
    const std::string name = record_path(id);
    // O_NONBLOCK: a FIFO must not hang us.
    const UniqueFd fd(
        ::openat(directory(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    if (!fd) {
        const int error = errno;
        if (error == ENOENT) return no_such(short_id(id));
        if (error == ELOOP) return not_a_record(id, path_of(name), "is a symbolic link, not a regular file");
        if (error == ENXIO) return not_a_record(id, path_of(name), "is not a regular file");
        return fail_errno(error, "open " + path_of(name));
    }
    return read_open(fd.get(), id, name);
}

Result<Record> RecordFiles::read_open(int fd, const ContainerId& id, const std::string& name) const {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return fail_errno(errno, "stat " + path_of(name));
    if (!S_ISREG(status.st_mode))
        return not_a_record(id, path_of(name),
                            std::string("is ") + kind_of(status.st_mode) + ", not a regular file");
    if (status.st_uid != user_)
        return not_a_record(id, path_of(name),
                            "belongs to user " + std::to_string(status.st_uid) + ", not to user " +
                                std::to_string(user_));
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size > kMaxHeader + kMaxDocument)
        return not_a_record(id, path_of(name),
                            "has " + std::to_string(size) + " bytes, more than any record");
    auto text = read_sized(fd, size);
    if (!text) return fail(text, "read " + path_of(name));
    return decode(std::move(*text), id);
}

Result<FileIdentity> RecordFiles::identity(const ContainerId& id) const {
    const std::string name = record_path(id);
    struct stat status{};
    if (::fstatat(directory(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return identity_of(status);
    const int error = errno;
    if (error == ENOENT) return no_such(short_id(id));
    return fail_errno(error, "stat " + path_of(name));
}

Result<WrittenFile> RecordFiles::write(const Record& record, std::string_view document,
                                       Placement placement) const {
    const std::string text = encode(record, document);
    const auto refused = [&](const Error& error) { return fail(error, "container " + short_id(record.id)); };
    if (placement == Placement::create)
        if (auto kept = keep_spare(); !kept) return refused(kept.error());
    auto written = write_pending(text);
    const auto undo = [&](const Error& error) {
        (void)::unlinkat(directory(), kPending, 0); // The first error counts; the next writer removes it.
        return refused(error);
    };
    if (!written) {
        const bool full = written.error().code == Code::no_space && placement == Placement::replace;
        if (!full) return undo(written.error());
        auto spared = write_spare(record.id, text);
        if (!spared) return undo(written.error());
        written = std::move(*spared);
    } else if (auto placed = place_pending(record.id, placement); !placed) {
        return undo(placed.error());
    }
    if (auto synced = sync_directory(kRecords); !synced) return fail(synced);
    return written;
}

Result<WrittenFile> RecordFiles::write_pending(std::string_view text) const {
    auto fd = create_pending();
    if (!fd) return fail(fd);
    if (auto written = files::write_all(fd->get(), text, kPending); !written)
        return fail_errno(written.error().sys_errno, "write " + path_of(kPending));
    return finish_file(std::move(*fd));
}

// What is common to all ways to write one.
Result<WrittenFile> RecordFiles::finish_file(UniqueFd fd) const {
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "stat " + path_of(kPending));
    // The umask must not decide.
    if ((status.st_mode & 07777U) != kFileMode && ::fchmod(fd.get(), kFileMode) != 0)
        return fail_errno(errno, "chmod " + path_of(kPending));
    if (sync_ == files::Sync::data && ::fsync(fd.get()) != 0)
        return fail_errno(errno, "fsync " + path_of(kPending));
    return WrittenFile{.file = std::move(fd), .identity = identity_of(status)};
}

// Before there is one record more. Without the spare file nothing could be stopped or removed on a disk
// that is full by then, since both are changes of a record.
Status RecordFiles::keep_spare() const {
    for (bool removed = false;; removed = true) {
        constexpr int kFlags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        const UniqueFd fd(::openat(directory(), kSpare, kFlags, kFileMode));
        const int error = errno;
        struct stat status{};
        const bool usable = fd && ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode);
        if (usable) {
            if (static_cast<std::size_t>(status.st_size) >= kSpareBytes) return {};
            auto filled = files::write_all(fd.get(), std::string(kSpareBytes, '\0'), kSpare);
            if (filled) return {};
            return fail_errno(filled.error().sys_errno, "write " + path_of(kSpare));
        }
        const bool odd = fd || error == ELOOP || error == EISDIR || error == ENXIO;
        if (!odd || removed) return fail_errno(error, "create " + path_of(kSpare));
        if (auto gone = files::remove_tree(directory(), kSpare); !gone) return gone;
    }
}

// On a full disk: the text goes over the spare file, and the file of the old text is the next spare one.
// Errors: no_space too, for a record that does not fit.
Result<WrittenFile> RecordFiles::write_spare(const ContainerId& id, std::string_view text) const {
    if (::renameat(directory(), kSpare, directory(), kPending) != 0)
        return fail_errno(errno, "use " + path_of(kSpare));
    auto written = overwrite_pending(text);
    const std::string name = record_path(id);
    if (written && ::renameat2(directory(), kPending, directory(), name.c_str(), RENAME_EXCHANGE) != 0)
        written = fail_errno(errno, "rename to " + path_of(name));
    (void)::renameat(directory(), kPending, directory(), kSpare); // If not, the next reservation makes one.
    return written;
}

Result<WrittenFile> RecordFiles::overwrite_pending(std::string_view text) const {
    UniqueFd fd(::openat(directory(), kPending, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd) return fail_errno(errno, "open " + path_of(kPending));
    // Cut after it is written: what is given back first may be somebody else's by then.
    if (auto written = files::write_all(fd.get(), text, kPending); !written)
        return fail_errno(written.error().sys_errno, "write " + path_of(kPending));
    if (::ftruncate(fd.get(), static_cast<off_t>(text.size())) != 0)
        return fail_errno(errno, "cut " + path_of(kPending));
    return finish_file(std::move(fd));
}

Result<UniqueFd> RecordFiles::create_pending() const {
    for (bool removed = false;; removed = true) {
        UniqueFd fd(::openat(directory(), kPending, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
        if (fd) return fd;
        const int error = errno;
        if (error == ENOENT && !removed) { // The first record of this store.
            if (::mkdirat(directory(), kRecords, 0700) != 0 && errno != EEXIST)
                return fail_errno(errno, "make directory " + path_of(kRecords));
            if (::fchmodat(directory(), kRecords, 0700, 0) != 0)
                return fail_errno(errno, "chmod " + path_of(kRecords));
            continue;
        }
        // Not reused: it may be the leftover of a writer that is not quite dead, or no file at all.
        if (error != EEXIST || removed) return fail_errno(error, "create " + path_of(kPending));
        if (auto gone = files::remove_tree(directory(), kPending); !gone) return fail(gone);
    }
}

Status RecordFiles::place_pending(const ContainerId& id, Placement placement) const {
    const std::string name = record_path(id);
    const int error = placement == Placement::create ? place_new(name) : place_over(name);
    if (error == 0) return {};
    if (error == EEXIST) return fail(Code::exists, "the id is taken");
    return fail_errno(error, "rename to " + path_of(name));
}

int RecordFiles::place_new(const std::string& name) const {
    if (::renameat2(directory(), kPending, directory(), name.c_str(), RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL) return errno;
    // A filesystem without that flag; the store's lock keeps others away.
    if (::faccessat(directory(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
    return ::renameat(directory(), kPending, directory(), name.c_str()) == 0 ? 0 : errno;
}

int RecordFiles::place_over(const std::string& name) const {
    // ext4 writes a file to disk at once when it is renamed over another one (mount option
    // auto_da_alloc): 250 us instead of 80 for a record's life, and only half a promise about power
    // loss; who wants that promise sets `sync`. Exchanging the two is as atomic for everybody else.
    if (sync_ == files::Sync::none &&
        ::renameat2(directory(), kPending, directory(), name.c_str(), RENAME_EXCHANGE) == 0) {
        (void)::unlinkat(directory(), kPending, 0); // Left behind, it is removed by the next writer.
        return 0;
    }
    return ::renameat(directory(), kPending, directory(), name.c_str()) == 0 ? 0 : errno;
}

Status RecordFiles::remove(const ContainerId& id) const {
    const std::string name = record_path(id);
    if (::unlinkat(directory(), name.c_str(), 0) == 0) return sync_directory(kRecords);
    if (errno == ENOENT) return {};
    if (auto gone = files::remove_tree(directory(), name); !gone) return fail(gone, "in " + path_of(""));
    return sync_directory(kRecords);
}

Result<std::vector<files::DirectoryEntry>> RecordFiles::entries() const {
    std::vector<files::DirectoryEntry> found;
    const UniqueFd fd(::openat(directory(), kRecords, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd && errno == ENOENT) return found;
    if (!fd) return fail_errno(errno, "open directory " + path_of(kRecords));
    // The kernel holds the directory's lock during one call, so that up to some thousand records are
    // seen as of one instant; a record replaced between two calls could be seen twice, or not at all.
    constexpr std::size_t kBuffer = 512U << 10U;
    const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kBuffer);
    for (;;) {
        const ssize_t count = ::getdents64(fd.get(), buffer.get(), kBuffer);
        if (count < 0) return fail_errno(errno, "read directory " + path_of(kRecords));
        if (count == 0) break;
        std::span<std::byte> rest(buffer.get(), static_cast<std::size_t>(count));
        while (!rest.empty()) {
            const auto* entry = static_cast<const dirent64*>(static_cast<const void*>(rest.data()));
            const std::string_view name(entry->d_name);
            if (name != "." && name != ".." && name != kPendingName)
                found.push_back({std::string(name), entry->d_type});
            rest = rest.subspan(entry->d_reclen);
        }
    }
    std::ranges::sort(found, {}, &files::DirectoryEntry::name);
    const auto twice = std::ranges::unique(found, {}, &files::DirectoryEntry::name);
    found.erase(twice.begin(), twice.end());
    return found;
}

Status RecordFiles::for_each_readable(const std::function<Status(const Record&)>& visit) const {
    auto found = entries();
    if (!found) return fail(found);
    for (const files::DirectoryEntry& entry : *found) {
        if (!is_id(entry.name)) continue;
        const auto record = read(ContainerId(entry.name));
        // Not read for want of descriptors or memory: without it what is worked out here would be wrong.
        if (!record && record.error().code == Code::no_space) return fail(record);
        if (!record) continue; // Reported by list(), to which damage matters.
        if (auto visited = visit(*record); !visited) return visited;
    }
    return {};
}

Result<std::uint64_t> RecordFiles::highest_sequence() const {
    std::uint64_t highest = 0;
    auto walked = for_each_readable([&](const Record& record) -> Status {
        highest = std::max(highest, record.sequence);
        return {};
    });
    if (!walked) return fail(walked);
    return highest;
}

Status RecordFiles::sync_directory(const char* name) const {
    if (sync_ == files::Sync::none) return {};
    const UniqueFd fd(::openat(directory(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail_errno(errno, "open directory " + path_of(name));
    if (::fsync(fd.get()) != 0) return fail_errno(errno, "fsync directory " + path_of(name));
    return {};
}

} // namespace mydocker::json_state
