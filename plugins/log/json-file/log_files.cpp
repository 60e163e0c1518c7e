// The files of one container's log, and places in them.
#include "log_files.hpp"

#include "record.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace mydocker::json_file {

namespace {

// Ages tried beyond the highest one listed: rotations that happen while the files are being opened.
// Listing again finds more, but may miss a name that is being renamed.
constexpr std::uint64_t kRotationsMeanwhile = 4;
constexpr std::uint64_t kMaxAge = 1'000; // twice what max_files can be; a name beyond is not ours

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<std::uint64_t> age_of(std::string_view name) {
    const std::string_view base = kFileName;
    if (name == base) return 0;
    if (!name.starts_with(base) || name.size() < base.size() + 2 || name[base.size()] != '.')
        return std::nullopt;
    const auto age = parse_number(name.substr(base.size() + 1));
    if (!age || *age == 0 || *age > kMaxAge || file_name(*age) != name) return std::nullopt;
    return age;
}

// The number in the file's own first line; 0 when there is none.
std::uint64_t number_inside(int fd) {
    std::array<char, 40> head{};
    const ssize_t count = ::pread(fd, head.data(), head.size(), 0);
    if (count <= 0) return 0;
    return file_number_of(std::string_view(head.data(), static_cast<std::size_t>(count))).value_or(0);
}

// Opens one file if it is there, is a regular file and holds something; else its descriptor is empty.
Result<LogFile> open_one(int directory_fd, const std::string& directory, std::uint64_t age) {
    // O_NONBLOCK: something else than a regular file must not hang the reader.
    auto fd = files::open_at(directory_fd, file_name(age), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd) {
        if (fd.error().code == Code::not_found) return LogFile{};
        return fail(fd, "read log in '" + directory + "'");
    }
    struct stat status{};
    if (::fstat(fd->get(), &status) != 0)
        return fail_errno(errno, "examine '" + directory + "/" + file_name(age) + "'");
    if (!S_ISREG(status.st_mode) || status.st_size == 0) return LogFile{};
    LogFile file;
    file.number = number_inside(fd->get());
    file.age = age;
    file.inode = status.st_ino;
    file.device = status.st_dev;
    file.fd = std::move(*fd);
    return file;
}

// Renamed between two visits, a file is seen twice.
bool is_among(const std::vector<LogFile>& files, const LogFile& file) {
    return std::any_of(files.begin(), files.end(), [&](const LogFile& other) {
        return other.inode == file.inode && other.device == file.device;
    });
}

// Whether `file` was begun while the visit is under way: two rotations between two visits put a file
// that is newer than all found so far under an older name. The newest found has moved then, which
// tells such a number from a damaged one. Whoever reads on finds the file behind the newest.
bool is_begun_meanwhile(int directory_fd, const std::vector<LogFile>& newest_first, const LogFile& file) {
    if (newest_first.empty()) return false;
    const LogFile& newest = newest_first.front();
    if (newest.number == 0 || file.number <= newest.number) return false;
    struct stat status{};
    const std::string name = file_name(newest.age);
    return ::fstatat(directory_fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
           status.st_ino != newest.inode || status.st_dev != newest.device;
}

bool is_older(const LogFile& file, const Position& position) {
    return file.number != 0 && file.number < position.number && file.inode != position.inode;
}

// Numbers fall with age. One that does not, or is not known, is made to follow from its neighbours.
void complete_numbers(std::vector<LogFile>& newest_first) {
    for (std::size_t i = 0; i < newest_first.size(); ++i) {
        LogFile& file = newest_first[i];
        const std::uint64_t newer = i == 0 ? 0 : newest_first[i - 1].number;
        if (file.number != 0 && (i == 0 || file.number < newer)) continue;
        file.guessed = true;
        if (i > 0) {
            file.number = newer > 1 ? newer - 1 : 1;
            continue;
        }
        std::size_t known = 1;
        while (known < newest_first.size() && newest_first[known].number == 0)
            ++known;
        file.number = known < newest_first.size() ? newest_first[known].number + known : newest_first.size();
    }
}

struct flock whole_file(short type) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

} // namespace

std::string file_name(std::uint64_t age) {
    return age == 0 ? kFileName : kFileName + ("." + std::to_string(age));
}

LogCursor to_cursor(const Position& position) {
    return LogCursor("1:" + std::to_string(position.number) + ":" + std::to_string(position.inode) + ":" +
                     std::to_string(position.offset));
}

Result<Position> parse_cursor(const LogCursor& cursor) {
    std::array<std::uint64_t, 4> part{};
    std::string_view rest = cursor.str();
    for (std::size_t i = 0; i < part.size(); ++i) {
        const std::size_t end = i + 1 < part.size() ? rest.find(':') : rest.size();
        const auto value = end == std::string_view::npos ? std::nullopt : parse_number(rest.substr(0, end));
        if (!value || (i == 0 && *value != 1))
            return fail(Code::invalid, "go on reading at cursor '" + cursor.str() +
                                           "', which is not one of the log driver json-file");
        part[i] = *value;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return Position{part[1], part[2], part[3]};
}

Result<UniqueFd> open_log_directory(const std::string& directory) {
    return files::open(directory, O_RDONLY | O_DIRECTORY);
}

Result<std::vector<std::uint64_t>> list_ages(int directory_fd, const std::string& directory) {
    auto entries = files::list_directory(directory_fd, directory);
    if (!entries) return fail(entries);
    std::vector<std::uint64_t> ages;
    for (const files::DirectoryEntry& entry : *entries)
        if (const auto age = age_of(entry.name)) ages.push_back(*age);
    return ages;
}

Result<std::vector<LogFile>> open_log_files(int directory_fd, const std::string& directory,
                                            const Position& from) {
    std::vector<LogFile> files;
    bool enough = false;
    for (std::uint64_t age = 0; !enough;) {
        // Listed anew until nothing lies beyond: rotations may have outrun us.
        auto ages = list_ages(directory_fd, directory);
        if (!ages) return fail(ages);
        const auto oldest = std::max_element(ages->begin(), ages->end());
        if (oldest == ages->end() || *oldest < age) break;
        const std::uint64_t end = *oldest + kRotationsMeanwhile;
        for (; age <= end && !enough; ++age) {
            auto file = open_one(directory_fd, directory, age);
            if (!file) return fail(file);
            enough = file->fd && is_older(*file, from) && !files.empty() && files.back().number != 0;
            if (!file->fd || enough || is_among(files, *file)) continue;
            if (!is_begun_meanwhile(directory_fd, files, *file)) files.push_back(std::move(*file));
        }
    }
    complete_numbers(files);
    std::reverse(files.begin(), files.end());
    return files;
}

Resume find_position(const std::vector<LogFile>& files, const Position& position) {
    for (std::size_t i = 0; i < files.size(); ++i)
        if (files[i].number == position.number && !files[i].guessed) return {i, position.offset};
    for (std::size_t i = 0; i < files.size(); ++i) {
        const LogFile& file = files[i];
        if (file.guessed && (file.number == position.number || file.inode == position.inode))
            return {i, position.offset};
    }
    bool any_newer = false;
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (files[i].number > position.number) return {i, 0};
        any_newer = any_newer || files[i].number >= position.number;
    }
    // All are older than the position: the log was removed and begun anew.
    return {any_newer ? files.size() : 0, 0};
}

void mark_writer_alive(int fd) {
    struct flock lock = whole_file(F_RDLCK);
    // Best effort: without it (a filesystem without locks) a reader takes a half line for damage sooner.
    (void)::fcntl(fd, F_OFD_SETLK, &lock);
}

bool has_living_writer(int fd) {
    struct flock lock = whole_file(F_WRLCK);
    return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

} // namespace mydocker::json_file
