#include "image/ingest.hpp"

#include "base/sys.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace mydocker::image {

namespace {

constexpr const char* kIngests = "ingest";
constexpr const char* kLock = "lock";
constexpr std::uint64_t kWriteBack = std::uint64_t{8} << 20U;

std::string path_of(const std::string& name) {
    return std::string(kIngests) + "/" + name;
}

Result<std::string> random_name() {
    std::array<unsigned char, 8> bytes{};
    if (auto drawn = sys::random_bytes(bytes); !drawn) return fail(drawn);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string name;
    for (const unsigned char byte : bytes) {
        name += kDigits[byte >> 4U];
        name += kDigits[byte & 0xfU];
    }
    return name;
}

// True: its owner is gone, or never came as far as the lock, all of which happens under the store's. What
// cannot have a lock of ours in it, a file or a link, has no owner either.
Result<bool> is_abandoned(int ingests, const std::string& name) {
    auto lock = files::open_at(ingests, name + "/" + kLock, O_RDWR | O_NOFOLLOW);
    if (lock) return sys::try_lock(lock->get());
    const int error = lock.error().sys_errno;
    if (error == ENOENT || error == ENOTDIR || error == ELOOP || error == EISDIR) return true;
    return fail(lock, "image store");
}

struct Ingests {
    UniqueFd directory;
    std::vector<std::string> names;
};

// All that there are, whoever has them; none where the store never had one.
Result<Ingests> list_ingests(int content) {
    auto directory = files::open_at(content, kIngests, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory)
        return directory.error().code == Code::not_found ? Ingests() : Result<Ingests>(fail(directory));
    auto entries = files::list_directory(directory->get(), kIngests);
    if (!entries) return fail(entries);
    Ingests ingests{std::move(*directory), {}};
    for (files::DirectoryEntry& entry : *entries)
        ingests.names.push_back(std::move(entry.name));
    return ingests;
}

} // namespace

Result<UniqueFd> lock_content(int content) {
    auto fd = files::open_at(content, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!fd) return fail(fd, "image store");
    if (auto locked = sys::wait_lock(fd->get()); !locked) return fail(locked, "image store");
    return fd;
}

BlobWriter::~BlobWriter() {
    if (fd_) ::unlinkat(session_, name_.c_str(), 0);
}

Status BlobWriter::write(std::string_view bytes) {
    hasher_.update(bytes);
    if (auto written = files::write_all(fd_.get(), bytes, "blob"); !written) return written;
    size_ += bytes.size();
    // The disk works while we read on, so that the sync at the end finds little left to do.
    if (size_ - written_back_ >= kWriteBack) {
        ::sync_file_range(fd_.get(), static_cast<off64_t>(written_back_),
                          static_cast<off64_t>(size_ - written_back_), SYNC_FILE_RANGE_WRITE);
        written_back_ = size_;
    }
    return {};
}

Result<Blob> BlobWriter::finish() {
    auto digest = hasher_.finish();
    if (!digest) return fail(digest);
    if (::renameat(session_, name_.c_str(), session_, digest->hex().c_str()) != 0)
        return fail_errno(errno, "name blob " + digest->str());
    fd_.reset();
    return Blob{std::move(*digest), size_};
}

Status BlobWriter::finish_as(const Digest& expected) {
    auto blob = finish();
    if (!blob) return fail(blob);
    if (blob->digest == expected) return {};
    return fail(Code::corrupt, "blob " + expected.str() + " has digest " + blob->digest.str());
}

Result<bool> Ingest::has_any(int content) {
    const auto ingests = list_ingests(content);
    if (!ingests) return fail(ingests);
    return !ingests->names.empty();
}

Result<std::vector<std::string>> Ingest::list_abandoned(int content) {
    auto ingests = list_ingests(content);
    if (!ingests) return fail(ingests);
    std::vector<std::string> names;
    for (std::string& name : ingests->names) {
        auto abandoned = is_abandoned(ingests->directory.get(), name);
        if (!abandoned) return fail(abandoned);
        if (*abandoned) names.push_back(std::move(name));
    }
    return names;
}

Status Ingest::remove_abandoned(int content, const std::vector<std::string>& names) {
    for (const std::string& name : names)
        if (auto removed = files::remove_tree(content, path_of(name)); !removed) return removed;
    return {};
}

Result<Ingest> Ingest::begin(int content) {
    if (::mkdirat(content, kIngests, 0700) != 0 && errno != EEXIST)
        return fail_errno(errno, "make directory '" + std::string(kIngests) + "' of the image store");
    auto name = random_name();
    if (!name) return fail(name);
    const std::string path = path_of(*name);
    if (auto made = sys::mkdirat(content, path, 0700); !made) return fail(made);
    auto directory = files::open_at(content, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) return fail(directory);
    auto lock = files::open_at(directory->get(), kLock, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!lock) return fail(lock);
    auto locked = sys::try_lock(lock->get());
    if (!locked) return fail(locked);
    return Ingest(content, std::move(*name), std::move(*directory), std::move(*lock));
}

Ingest::~Ingest() {
    if (!directory_ || name_.empty()) return; // moved from, or left behind
    // What stays behind is swept by the next load.
    (void)files::remove_tree(content_, path_of(name_));
}

Result<BlobWriter> Ingest::create_blob() {
    std::string name = "spool." + std::to_string(count_++);
    auto fd = files::open_at(directory_.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!fd) return fail(fd, "image store");
    return BlobWriter(directory_.get(), std::move(*fd), std::move(name));
}

Result<Blob> Ingest::add(std::string_view bytes) {
    auto writer = create_blob();
    if (!writer) return fail(writer);
    if (auto written = writer->write(bytes); !written) return fail(written);
    return writer->finish();
}

bool Ingest::has(const Digest& digest) const {
    return ::faccessat(directory_.get(), digest.hex().c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<UniqueFd> Ingest::open(const Digest& digest) const {
    auto fd = files::open_at(directory_.get(), digest.hex(), O_RDONLY | O_NOFOLLOW);
    if (!fd && fd.error().code == Code::not_found)
        return fail(Code::not_found, "blob " + digest.str() + " is missing");
    return fd;
}

Result<std::string> Ingest::read(const Digest& digest, std::uint64_t limit) const {
    auto fd = open(digest);
    if (!fd) return fail(fd);
    return files::read_all(fd->get(), "blob " + digest.str(), static_cast<std::size_t>(limit));
}

Status Ingest::sync(const Digest& digest) const {
    auto fd = open(digest);
    if (!fd) return fd.error().code == Code::not_found ? Status{} : fail(fd);
    if (::fsync(fd->get()) != 0) return fail_errno(errno, "write blob " + digest.str() + " to the disk");
    return {};
}

Status Ingest::publish(const Digest& digest, int blobs) const {
    // An old blob of that name gives way: what was just checked is certainly right.
    if (::renameat(directory_.get(), digest.hex().c_str(), blobs, digest.hex().c_str()) == 0) return {};
    const int error = errno;
    if (error == ENOENT && ::faccessat(blobs, digest.hex().c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return {};
    return fail_errno(error, "store blob " + digest.str());
}

} // namespace mydocker::image
