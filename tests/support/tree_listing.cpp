#include "support/tree_listing.hpp"

#include "mydocker/support/files.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <span>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utility>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

std::uint64_t mount_of(const std::string& path) {
    struct statx status{};
    if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MNT_ID, &status) != 0)
        return 0;
    return status.stx_mnt_id;
}

// Shown bytes: one line stays one line.
std::string visible(const std::string& bytes) {
    std::string text;
    for (const char c : bytes) {
        char hex[8];
        std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned char>(c));
        text += c > 0x20 && c < 0x7f && c != '\\' ? std::string(1, c) : hex;
    }
    return text;
}

std::string xattrs_of(const std::string& path) {
    std::string names(65536, '\0');
    const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
    std::map<std::string, std::string> found;
    for (ssize_t at = 0; at < size;) {
        const std::string key(names.c_str() + at);
        at += static_cast<ssize_t>(key.size()) + 1;
        std::string value(65536, '\0');
        const ssize_t length = ::lgetxattr(path.c_str(), key.c_str(), value.data(), value.size());
        if (length >= 0 && !key.starts_with("trusted.overlay."))
            found[key] = value.substr(0, static_cast<std::size_t>(length));
    }
    std::string text;
    for (const auto& [key, value] : found)
        text += " " + visible(key) + "=" + visible(value);
    return text;
}

// FNV-1a over offset and bytes of each block that is not all zeros: a hole is passed over. No secret
// depends on it.
std::string sum_of(const std::string& path) {
    std::uint64_t sum = 14695981039346656037U;
    const auto add = [&](std::uint64_t value) { sum = (sum ^ value) * 1099511628211U; };
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return "unreadable";
    std::array<char, 4096> block{};
    for (off_t at = 0; (at = ::lseek(fd.get(), at, SEEK_DATA)) >= 0;) {
        at -= at % static_cast<off_t>(block.size());
        const ssize_t count = ::pread(fd.get(), block.data(), block.size(), at);
        if (count <= 0) break;
        const auto bytes = std::span(block).first(static_cast<std::size_t>(count));
        if (std::ranges::any_of(bytes, [](char c) { return c != 0; })) {
            add(static_cast<std::uint64_t>(at));
            for (const char c : bytes)
                add(static_cast<unsigned char>(c));
        }
        at += count;
    }
    return " sum " + std::to_string(sum);
}

class Lister {
  public:
    explicit Lister(std::string root) : root_(std::move(root)), mount_(mount_of(root_ + "/.")) {}

    std::vector<std::string> list() {
        add(".");
        return std::move(lines_);
    }

  private:
    void add(const std::string& path) {
        const std::string whole = root_ + "/" + path;
        struct stat status{};
        if (::lstat(whole.c_str(), &status) != 0 || mount_of(whole) != mount_ || S_ISSOCK(status.st_mode))
            return;
        lines_.push_back(visible(path) + line(path, whole, status));
        if (!S_ISDIR(status.st_mode)) return;
        std::vector<std::string> names;
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(whole, error))
            names.push_back(entry.path().filename().string());
        std::ranges::sort(names);
        for (const std::string& name : names)
            add(path == "." ? name : path + "/" + name);
    }

    std::string line(const std::string& path, const std::string& whole, const struct stat& status) {
        char text[256];
        std::snprintf(text, sizeof text, " %07o %u:%u", status.st_mode, status.st_uid, status.st_gid);
        std::string result = text;
        if (path != ".")
            result +=
                " at " + std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
        if (S_ISDIR(status.st_mode)) return result + xattrs_of(whole);
        result += " size " + std::to_string(status.st_size) + " names " + std::to_string(status.st_nlink);
        if (S_ISLNK(status.st_mode)) result += " -> " + visible(fs::read_symlink(whole).string());
        if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
            result += " device " + std::to_string(major(status.st_rdev)) + ":" +
                      std::to_string(minor(status.st_rdev));
        if (S_ISREG(status.st_mode)) result += sum_of(whole);
        const auto [first, is_new] = names_.try_emplace({status.st_dev, status.st_ino}, path);
        if (!is_new) result += " same as " + visible(first->second);
        return result + xattrs_of(whole);
    }

    std::string root_;
    std::uint64_t mount_;
    std::map<std::pair<dev_t, ino_t>, std::string> names_;
    std::vector<std::string> lines_;
};

} // namespace

std::vector<std::string> list_tree(const std::string& root) {
    return Lister(root).list();
}

std::string tree_difference(const std::vector<std::string>& left, const std::vector<std::string>& right) {
    std::string text;
    for (const std::string& line : left)
        if (std::ranges::find(right, line) == right.end()) text += "- " + line + "\n";
    for (const std::string& line : right)
        if (std::ranges::find(left, line) == left.end()) text += "+ " + line + "\n";
    return text;
}

} // namespace mydocker::test
