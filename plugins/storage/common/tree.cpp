#include "tree.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <set>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace mydocker::storage {
namespace {

constexpr std::uint64_t kStatBlock = 512; // Unit of st_blocks, whatever the filesystem. Source: stat(2).

[[nodiscard]] std::string join(const std::string& label, const std::string& path) {
    return "'" + label + (path.empty() ? "" : "/") + path + "'";
}

[[nodiscard]] int open_how_at(int directory, const char* path, int flags, std::uint64_t resolve) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
    how.resolve = resolve;
    return static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how));
}

[[nodiscard]] bool is_same_time(const timespec& left, const timespec& right) {
    return left.tv_sec == right.tv_sec && left.tv_nsec == right.tv_nsec;
}

// The walk itself: a level is a directory that was entered. Only the last kOpenLevels of them keep
// their descriptor; an older one is opened again through "..", and checked to be the one that was left.
class Walker {
  public:
    Walker(const std::string& label, Order order, TreeVisitor& visitor)
        : label_(label),
          order_(order),
          visitor_(visitor) {}

    [[nodiscard]] Status run(int root) {
        UniqueFd copy(::openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!copy) return fail_errno(errno, "open directory " + join(label_, path_));
        struct stat status{};
        if (::fstat(copy.get(), &status) != 0) return fail_errno(errno, "look at " + join(label_, path_));
        auto descend = visitor_.visit({copy.get(), ".", path_, status, 0});
        if (!descend) return fail(descend);
        if (*descend == Descend::no) return {};
        if (auto entered = enter(std::move(copy), status); !entered) return entered;
        while (!levels_.empty()) {
            auto stepped = levels_.back().next < levels_.back().entries.size() ? step() : leave();
            if (!stepped) return stepped;
        }
        return {};
    }

  private:
    static constexpr std::size_t kOpenLevels = 64;

    struct Level {
        UniqueFd fd;
        struct stat status;
        std::vector<files::DirectoryEntry> entries;
        std::size_t next = 0;
        std::size_t path_length = 0;
    };

    [[nodiscard]] Status enter(UniqueFd fd, const struct stat& status) {
        auto entries = files::list_directory(fd.get(), label_ + "/" + path_);
        if (!entries && entries.error().code != Code::not_found) return fail(entries);
        if (!entries) entries.emplace(); // Removed since it was opened.
        if (order_ == Order::bytes)
            std::ranges::sort(*entries, [this](const auto& left, const auto& right) {
                // Text compares as unsigned bytes.
                return visitor_.sort_name(left.name) < visitor_.sort_name(right.name);
            });
        levels_.push_back({std::move(fd), status, std::move(*entries), 0, path_.size()});
        if (levels_.size() > kOpenLevels) levels_[levels_.size() - 1 - kOpenLevels].fd.reset();
        return {};
    }

    [[nodiscard]] Status step() {
        Level& level = levels_.back();
        const std::string& name = level.entries[level.next++].name;
        path_.resize(level.path_length);
        if (!path_.empty()) path_ += '/';
        path_ += name;
        struct stat status{};
        if (::fstatat(level.fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) return {};
            return fail_errno(errno, "look at " + join(label_, path_));
        }
        auto descend = visitor_.visit({level.fd.get(), name, path_, status, levels_.size()});
        if (!descend) return fail(descend);
        if (!S_ISDIR(status.st_mode) || *descend == Descend::no) return {};
        UniqueFd below(open_how_at(level.fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                                   RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS));
        if (below) return enter(std::move(below), status);
        // Gone, no directory any more, or a mount point, whose content is none of this tree's.
        if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EXDEV) return {};
        return fail_errno(errno, "open directory " + join(label_, path_));
    }

    [[nodiscard]] Status leave() {
        const Level done = std::move(levels_.back());
        levels_.pop_back();
        path_.resize(done.path_length);
        if (auto left = visitor_.leave(done.fd.get(), path_, done.status); !left) return left;
        if (levels_.empty() || levels_.back().fd) return {};
        Level& parent = levels_.back();
        parent.fd.reset(::openat(done.fd.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        struct stat status{};
        if (!parent.fd || ::fstat(parent.fd.get(), &status) != 0)
            return fail_errno(errno, "return from " + join(label_, path_));
        if (status.st_dev != parent.status.st_dev || status.st_ino != parent.status.st_ino)
            return fail(Code::conflict, join(label_, path_) + " was moved while it was read");
        return {};
    }

    const std::string& label_;
    Order order_;
    TreeVisitor& visitor_;
    std::vector<Level> levels_;
    std::string path_;
};

// Adds up entries; files of several names once.
class Meter {
  public:
    void add(const struct stat& status) {
        const bool has_names = !S_ISDIR(status.st_mode) && status.st_nlink > 1;
        if (has_names && !seen_.emplace(status.st_dev, status.st_ino).second) return;
        usage_.bytes += static_cast<std::uint64_t>(status.st_blocks) * kStatBlock;
        ++usage_.inodes;
    }
    [[nodiscard]] const Usage& usage() const { return usage_; }

  private:
    Usage usage_;
    std::set<std::pair<dev_t, ino_t>> seen_;
};

class Measure final : public TreeVisitor {
  public:
    [[nodiscard]] Result<Descend> visit(const TreeEntry& entry) override {
        meter_.add(entry.status);
        return Descend::yes;
    }
    [[nodiscard]] const Usage& usage() const { return meter_.usage(); }

  private:
    Meter meter_;
};

// First round: counts, and has the kernel start writing, so that the second does not wait for each file
// in turn.
class StartWriting final : public TreeVisitor {
  public:
    explicit StartWriting(std::uint64_t max_files) : max_files_(max_files) {}

    [[nodiscard]] Result<Descend> visit(const TreeEntry& entry) override {
        meter_.add(entry.status);
        if (!S_ISREG(entry.status.st_mode) || ++files_ > max_files_) return Descend::yes;
        const UniqueFd fd(
            ::openat(entry.directory, entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        // Only a head start: what goes wrong here shows in the second round.
        if (fd) (void)::sync_file_range(fd.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
        return Descend::yes;
    }
    [[nodiscard]] bool is_beyond() const { return files_ > max_files_; }
    [[nodiscard]] const Usage& usage() const { return meter_.usage(); }

  private:
    Meter meter_;
    std::uint64_t files_ = 0;
    std::uint64_t max_files_;
};

class Sync final : public TreeVisitor {
  public:
    explicit Sync(const std::string& label) : label_(label) {}

    [[nodiscard]] Result<Descend> visit(const TreeEntry& entry) override {
        if (!S_ISREG(entry.status.st_mode)) return Descend::yes;
        const UniqueFd fd(
            ::openat(entry.directory, entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        if (!fd || ::fsync(fd.get()) != 0)
            return fail_errno(errno, "put " + join(label_, entry.path) + " on disk");
        return Descend::yes;
    }
    [[nodiscard]] Status leave(int directory, const std::string& path, const struct stat&) override {
        if (::fsync(directory) == 0) return {};
        return fail_errno(errno, "put " + join(label_, path) + " on disk");
    }

  private:
    const std::string& label_;
};

// What a link, open with O_PATH, points to.
[[nodiscard]] Result<std::string> read_link(int fd, const std::string& path) {
    std::array<char, 4096> target{}; // A link is at most a page less one long. Source: symlink(7).
    const ssize_t size = ::readlinkat(fd, "", target.data(), target.size());
    if (size < 0) return fail_errno(errno, "read link '" + path + "'");
    return std::string(target.data(), static_cast<std::size_t>(size));
}

// Fills the buffer unless the file ends. Returns the bytes read.
[[nodiscard]] Result<std::size_t> read_block(int fd, std::vector<char>& block, const std::string& path) {
    std::size_t used = 0;
    while (used < block.size()) {
        const ssize_t count = ::read(fd, block.data() + used, block.size() - used);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno(errno, "read '" + path + "'");
        if (count == 0) break;
        used += static_cast<std::size_t>(count);
    }
    return used;
}

[[nodiscard]] Result<bool> has_same_content(const Compared& left, const Compared& right) {
    const auto left_fd = open_below(left.directory, left.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!left_fd) return fail(left_fd);
    const auto right_fd = open_below(right.directory, right.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!right_fd) return fail(right_fd);
    constexpr std::size_t kBlock = 64U << 10U;
    std::vector<char> left_block(kBlock);
    std::vector<char> right_block(kBlock);
    for (;;) {
        const auto left_size = read_block(left_fd->get(), left_block, left.path);
        if (!left_size) return fail(left_size);
        const auto right_size = read_block(right_fd->get(), right_block, right.path);
        if (!right_size) return fail(right_size);
        if (*left_size != *right_size) return false;
        if (!std::equal(left_block.begin(), left_block.begin() + static_cast<std::ptrdiff_t>(*left_size),
                        right_block.begin()))
            return false;
        if (*left_size < kBlock) return true;
    }
}

// What of an entry is in neither its status nor its content.
struct Rest {
    std::string target; // of a link
    Xattrs xattrs;

    bool operator==(const Rest&) const = default;
};

[[nodiscard]] Result<Rest> rest_of(const Compared& side, std::string_view ignored) {
    const auto fd = open_below(side.directory, side.path, O_PATH | O_NOFOLLOW);
    if (!fd) return fail(fd);
    Rest rest;
    if (S_ISLNK(side.status.st_mode)) {
        auto target = read_link(fd->get(), side.path);
        if (!target) return fail(target);
        rest.target = std::move(*target);
    }
    auto xattrs = read_xattrs(fd->get(), side.path);
    if (!xattrs) return fail(xattrs);
    rest.xattrs = std::move(*xattrs);
    if (!ignored.empty())
        std::erase_if(rest.xattrs, [&](const auto& xattr) { return xattr.first.starts_with(ignored); });
    return rest;
}

[[nodiscard]] bool has_same_status(const struct stat& left, const struct stat& right) {
    if (left.st_mode != right.st_mode || left.st_uid != right.st_uid || left.st_gid != right.st_gid)
        return false;
    if (!is_same_time(left.st_mtim, right.st_mtim)) return false;
    if (S_ISREG(left.st_mode) || S_ISLNK(left.st_mode)) return left.st_size == right.st_size;
    if (S_ISCHR(left.st_mode) || S_ISBLK(left.st_mode)) return left.st_rdev == right.st_rdev;
    return true;
}

} // namespace

Status walk_tree(int root, const std::string& label, Order order, TreeVisitor& visitor) {
    return Walker(label, order, visitor).run(root);
}

Result<Usage> measure_tree(int root, const std::string& label) {
    Measure measure;
    if (auto walked = walk_tree(root, label, Order::any, measure); !walked) return fail(walked);
    return measure.usage();
}

Result<Usage> sync_tree(int root, const std::string& label, std::uint64_t max_files) {
    StartWriting start(max_files);
    if (auto walked = walk_tree(root, label, Order::any, start); !walked) return fail(walked);
    if (start.is_beyond()) {
        if (::syncfs(root) != 0) return fail_errno(errno, "put the filesystem of '" + label + "' on disk");
        return start.usage();
    }
    Sync sync(label);
    if (auto walked = walk_tree(root, label, Order::any, sync); !walked) return fail(walked);
    return start.usage();
}

Result<UniqueFd> open_below(int root, const std::string& path, int flags) {
    const char* where = path.empty() ? "." : path.c_str();
    UniqueFd fd(open_how_at(root, where, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV));
    if (!fd) return fail_errno(errno, "open '" + path + "'");
    return fd;
}

Result<Xattrs> read_xattrs(int fd, const std::string& label) {
    // By way of /proc, for a descriptor opened with O_PATH and for what cannot be opened otherwise.
    const std::string proc = "/proc/self/fd/" + std::to_string(fd);
    std::vector<char> names(256);
    ssize_t size = 0;
    while ((size = ::listxattr(proc.c_str(), names.data(), names.size())) < 0) {
        if (errno == EOPNOTSUPP) return Xattrs{};
        if (errno != ERANGE) return fail_errno(errno, "list extended attributes of '" + label + "'");
        names.resize(64U << 10U); // The most that there can be. Source: xattr(7).
    }
    Xattrs found;
    std::string value;
    for (const char* name = names.data(); name < names.data() + size;
         name += std::string_view(name).size() + 1) {
        value.resize(64U << 10U); // The longest value there can be. Source: xattr(7).
        const ssize_t length = ::getxattr(proc.c_str(), name, value.data(), value.size());
        if (length < 0 && errno == ENODATA) continue;
        if (length < 0)
            return fail_errno(errno, "read extended attribute " + std::string(name) + " of '" + label + "'");
        found.emplace(name, value.substr(0, static_cast<std::size_t>(length)));
    }
    return found;
}

Result<bool> is_same_entry(const Compared& left, const Compared& right, std::string_view ignored,
                           Content content) {
    if (!has_same_status(left.status, right.status)) return false;
    const auto left_rest = rest_of(left, ignored);
    if (!left_rest) return fail(left_rest);
    const auto right_rest = rest_of(right, ignored);
    if (!right_rest) return fail(right_rest);
    if (*left_rest != *right_rest) return false;
    if (!S_ISREG(left.status.st_mode) || content == Content::trust_metadata) return true;
    return has_same_content(left, right);
}

} // namespace mydocker::storage
