// Writes one container's log.
#include "writer.hpp"

#include <algorithm>
#include <limits>
#include <malloc.h>
#include <sys/vfs.h>

namespace mydocker::json_file {

namespace {

// A batch goes out in one write(2) as long as its lines fit in here.
constexpr std::size_t kBuffer = std::size_t{128} << 10U;
// What must be free to begin: an empty disk quota or a full disk is an error of `run`.
constexpr std::uint64_t kRoom = 4096;

} // namespace

Result<std::unique_ptr<Writer>> Writer::open(const std::string& directory, const Limits& limits) {
    auto fd = open_log_directory(directory);
    if (!fd) return fail(fd);
    std::unique_ptr<Writer> writer(new Writer(std::move(*fd), directory, limits));
    if (auto opened = writer->open_current(); !opened) return fail(opened);
    if (auto room = writer->check_space(); !room) return fail(room);
    if (auto removed = writer->remove_too_old(); !removed) return fail(removed);
    return writer;
}

std::string Writer::path_of(std::uint64_t age) const {
    return path_ + "/" + file_name(age);
}

Status Writer::open_current() {
    auto fd = files::open_at(directory_.get(), kFileName,
                             O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (!fd) return fail(fd, "open log in '" + path_ + "'");
    struct stat status{};
    if (::fstat(fd->get(), &status) != 0) return fail_errno(errno, "examine '" + path_of(0) + "'");
    if (!S_ISREG(status.st_mode))
        return fail(Code::invalid, "open log '" + path_of(0) + "', which is not a regular file");
    mark_writer_alive(fd->get());
    file_ = std::move(*fd);
    size_ = static_cast<std::uint64_t>(status.st_size);
    half_line_ = false;
    if (number_ == 0) {
        if (auto found = find_number(); !found) return found;
    } else if (size_ == 0) {
        ++number_;
    }
    return continue_current();
}

// Numbers go on from what is there already.
Status Writer::find_number() {
    number_ = 1;
    // Most logs are new: nothing is listed then, which would cost the monitor memory for good.
    const bool rotated = ::faccessat(directory_.get(), file_name(1).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (size_ == 0 && !rotated) return {};
    // The two newest are enough.
    auto files =
        open_log_files(directory_.get(), path_, {.number = std::numeric_limits<std::uint64_t>::max()});
    if (!files) return fail(files);
    // The newest that holds something is the current one, or the one before it when that is empty.
    if (!files->empty()) number_ = files->back().number + (size_ == 0 ? 1 : 0);
    return {};
}

// Ends a half line, so that it takes no later one with it.
Status Writer::continue_current() {
    if (size_ == 0) return {};
    char last = '\0';
    const ssize_t count = ::pread(file_.get(), &last, 1, static_cast<off_t>(size_ - 1));
    if (count < 0) return fail_errno(errno, "read '" + path_of(0) + "'");
    if (count == 1 && last == '\n') return {};
    if (auto ended = files::write_all(file_.get(), "\n", path_of(0)); !ended) return ended;
    ++size_;
    return {};
}

Status Writer::check_space() const {
    struct statfs status{};
    if (::fstatfs(file_.get(), &status) != 0)
        return fail_errno(errno, "ask for room on the filesystem of '" + path_of(0) + "'");
    const std::uint64_t free = ::geteuid() == 0 ? status.f_bfree : status.f_bavail;
    // Filesystems that keep no such count report no blocks at all.
    if (status.f_blocks == 0 || free >= kRoom / static_cast<std::uint64_t>(status.f_bsize) + 1) return {};
    return fail(Code::no_space, "find room for the log '" + path_of(0) + "'", ENOSPC);
}

// Files beyond max_files, which may have been larger when they were written.
Status Writer::remove_too_old() {
    for (std::uint64_t age = limits_.max_files;; ++age) {
        if (::unlinkat(directory_.get(), file_name(age).c_str(), 0) == 0) continue;
        if (errno == ENOENT) return {};
        return fail_errno(errno, "remove '" + path_of(age) + "'");
    }
}

// Somebody may have emptied or deleted the file ("> container.log" is a habit): see what is there now.
Status Writer::refresh() {
    if (!file_) return open_current();
    struct stat status{};
    if (::fstat(file_.get(), &status) != 0) return {}; // It is most likely as it was: the record is kept.
    if (status.st_nlink == 0) return open_current();
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size == 0 && size_ != 0) ++number_;
    size_ = size;
    return {};
}

Status Writer::rotate() {
    for (std::uint64_t age = limits_.max_files - 1; age > 0; --age) {
        const std::string from = file_name(age - 1);
        const std::string to = file_name(age);
        // The rename replaces the oldest file, so that there is no instant with a line in no file.
        if (::renameat(directory_.get(), from.c_str(), directory_.get(), to.c_str()) != 0 && errno != ENOENT)
            return fail_errno(errno, "rotate '" + path_of(age - 1) + "'");
    }
    if (limits_.max_files == 1 && ::unlinkat(directory_.get(), kFileName, 0) != 0 && errno != ENOENT)
        return fail_errno(errno, "remove '" + path_of(0) + "'");
    file_.reset();
    return open_current();
}

Status Writer::write(std::span<const LogRecord> records) {
    buffer_.clear();
    if (auto fresh = refresh(); !fresh) return fresh;
    reserve_for(records);
    if (half_line_) buffer_ = "\n";
    for (const LogRecord& record : records) {
        LogRecord piece = record;
        std::string_view rest = record.bytes;
        do {
            piece.bytes = rest.substr(0, kMaxPiece);
            rest.remove_prefix(piece.bytes.size());
            piece.partial = record.partial || !rest.empty();
            if (auto appended = append(piece); !appended) return appended;
        } while (!rest.empty());
    }
    return put_out();
}

// At once what ordinary lines will take: growing step by step leaves twice as much memory touched.
void Writer::reserve_for(std::span<const LogRecord> records) {
    constexpr std::size_t kFields = 96;
    std::size_t wanted = 0;
    for (const LogRecord& record : records)
        wanted += record.bytes.size() + kFields;
    buffer_.reserve(std::min(wanted, kBuffer + kFields));
}

Status Writer::append(const LogRecord& record) {
    const std::size_t before = buffer_.size();
    encoder_.append(buffer_, record, size_ + before == 0 ? number_ : 0);
    const bool full = limits_.max_size != 0 && size_ + buffer_.size() > limits_.max_size;
    if (!full || size_ + before == 0) return buffer_.size() < kBuffer ? Status{} : put_out();

    buffer_.resize(before); // It opens the next file instead.
    if (auto out = put_out(); !out) return out;
    if (auto rotated = rotate(); !rotated) return rotated;
    encoder_.append(buffer_, record, size_ == 0 ? number_ : 0);
    return {};
}

Status Writer::put_out() {
    std::size_t written = 0;
    int error = 0;
    while (written < buffer_.size() && error == 0) {
        const ssize_t count = ::write(file_.get(), buffer_.data() + written, buffer_.size() - written);
        if (count >= 0)
            written += static_cast<std::size_t>(count);
        else if (errno != EINTR)
            error = errno;
    }
    if (error == 0) {
        half_line_ = half_line_ && written == 0;
        size_ += written;
        buffer_.clear();
        return {};
    }
    const auto end = std::string_view(buffer_).substr(0, written).rfind('\n');
    const std::size_t whole = end == std::string_view::npos ? 0 : end + 1;
    if (whole < written && ::ftruncate(file_.get(), static_cast<off_t>(size_ + whole)) != 0)
        half_line_ = true;
    else if (whole > 0)
        half_line_ = false;
    size_ += whole;
    buffer_.clear();
    return fail_errno(error, "write log '" + path_of(0) + "'");
}

void Writer::release_buffer() {
    constexpr std::size_t kSmall = std::size_t{8} << 10U;
    if (buffer_.capacity() <= kSmall) return;
    buffer_.clear();
    buffer_.shrink_to_fit();
    (void)::malloc_trim(0); // The C library would keep it; whether it did give back does not matter.
}

Status Writer::close() {
    const int fd = file_.release();
    // After EINTR the descriptor is gone all the same. Source: close(2).
    if (fd >= 0 && ::close(fd) != 0 && errno != EINTR) return fail_errno(errno, "close '" + path_of(0) + "'");
    return {};
}

} // namespace mydocker::json_file
