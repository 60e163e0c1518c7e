#include "image/ingest.hpp"

#include "base/sys.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <unistd.h>

namespace mydocker::image {

namespace {

constexpr const char* kIngest = "ingest";
constexpr const char* kLock = "lock";
constexpr std::uint64_t kWriteBack = std::uint64_t{8} << 20U;

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

// True: its owner is gone (or never came as far as the lock; all of that happens under the store's).
Result<bool> is_abandoned(int ingest, const std::string& name) {
    auto lock = files::open_at(ingest, name + "/" + kLock, O_RDWR | O_NOFOLLOW);
    if (!lock) return true;
    return sys::try_lock(lock->get());
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

namespace {

// Visits the sessions whose owner is gone.
Status visit_abandoned(int content, const std::function<Status(int, const std::string&)>& visit) {
    auto ingest = files::open_at(content, kIngest, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!ingest) return ingest.error().code == Code::not_found ? Status{} : fail(ingest);
    auto entries = files::list_directory(ingest->get(), kIngest);
    if (!entries) return fail(entries);
    for (const auto& entry : *entries) {
        auto abandoned = is_abandoned(ingest->get(), entry.name);
        if (!abandoned) return fail(abandoned);
        if (!*abandoned) continue;
        if (auto visited = visit(ingest->get(), entry.name); !visited) return visited;
    }
    return {};
}

} // namespace

Result<bool> Ingest::has_abandoned(int content) {
    bool any = false;
    auto visited = visit_abandoned(content, [&](int, const std::string&) -> Status {
        any = true;
        return {};
    });
    if (!visited) return fail(visited);
    return any;
}

Status Ingest::sweep(int content) {
    return visit_abandoned(
        content, [](int ingest, const std::string& name) { return files::remove_tree(ingest, name); });
}

Result<Ingest> Ingest::begin(int content) {
    if (::mkdirat(content, kIngest, 0700) != 0 && errno != EEXIST)
        return fail_errno(errno, "make directory 'ingest' of the image store");
    auto name = random_name();
    if (!name) return fail(name);
    const std::string path = std::string(kIngest) + "/" + *name;
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
    (void)files::remove_tree(content_, std::string(kIngest) + "/" + name_);
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
