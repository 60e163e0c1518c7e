#include "plugin/ownership.hpp"

#include <cerrno>
#include <climits>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::plugin {
namespace {

constexpr int kMaxLinks = 40; // As the kernel: path_resolution(7).

Result<struct stat> lstat_of(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return fail_errno(errno, "stat '" + path + "'");
    return status;
}

enum class Place { on_the_way, last };

// Who may write to a sticky directory may add to it, but neither rename nor remove what is root's: as a
// directory on the way to a component that is root's, it is as good as one for root alone.
bool is_safe_on_the_way(const struct stat& status, Place place) {
    return place == Place::on_the_way && S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
}

// `what`: "directory", "plugin". Root is always trusted; the caller itself when it is not root.
Status check_one(const struct stat& status, std::string_view what, const std::string& path, Place place) {
    const std::string named = std::string(what) + " '" + path + "'";
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        return fail(Code::denied, named + " belongs to uid " + std::to_string(status.st_uid) +
                                      ", who could replace what is loaded from it; chown it to root");
    if (S_ISLNK(status.st_mode)) return {}; // A link has no mode; who may change it, its directory says.
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !is_safe_on_the_way(status, place))
        return fail(
            Code::denied,
            named + " is writable by " +
                ((status.st_mode & S_IWOTH) != 0 ? "everybody" : "group " + std::to_string(status.st_gid)) +
                "; chmod go-w it, or keep plugins elsewhere");
    return {};
}

Result<std::string> read_link(const std::string& path) {
    std::string target(PATH_MAX, '\0');
    const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    if (size < 0) return fail_errno(errno, "read link '" + path + "'");
    target.resize(static_cast<std::size_t>(size));
    return target;
}

// Walks a path component by component, as the kernel would. `at` is resolved and checked already.
class Walk {
  public:
    [[nodiscard]] Status run(const std::string& path) {
        if (!path.starts_with('/'))
            return fail(Code::invalid, "plugin directory '" + path + "' is not an absolute path");
        rest_ = path;
        if (auto root = check("/"); !root) return root;
        while (!rest_.empty())
            if (auto done = step(take_component()); !done) return done;
        return {};
    }

  private:
    [[nodiscard]] std::string take_component() {
        const auto begin = rest_.find_first_not_of('/');
        const auto end = begin == std::string::npos ? begin : rest_.find('/', begin);
        std::string name = begin == std::string::npos ? std::string() : rest_.substr(begin, end - begin);
        rest_ = end == std::string::npos ? std::string() : rest_.substr(end);
        return name;
    }

    [[nodiscard]] Status check(const std::string& path) {
        auto status = lstat_of(path);
        if (!status) return fail(status);
        return check_one(*status, "directory", path, place());
    }

    // Whether something comes behind the component that was just taken.
    [[nodiscard]] Place place() const {
        return rest_.find_first_not_of("/.") == std::string::npos ? Place::last : Place::on_the_way;
    }

    [[nodiscard]] Status step(const std::string& name) {
        if (name.empty() || name == ".") return {};
        if (name == "..") {
            at_.resize(at_.empty() ? 0 : at_.rfind('/')); // What is above was checked on the way down.
            return {};
        }
        const std::string path = at_ + "/" + name;
        auto status = lstat_of(path);
        if (!status) return fail(status);
        if (auto good = check_one(*status, S_ISLNK(status->st_mode) ? "link" : "directory", path, place());
            !good)
            return good;
        if (S_ISDIR(status->st_mode)) {
            at_ = path;
            return {};
        }
        if (!S_ISLNK(status->st_mode)) return fail_errno(ENOTDIR, "walk to plugin directory '" + path + "'");
        if (++links_ > kMaxLinks) return fail_errno(ELOOP, "walk to plugin directory '" + path + "'");
        auto target = read_link(path);
        if (!target) return fail(target);
        if (target->starts_with('/')) at_.clear();
        rest_ = *target + rest_;
        return {};
    }

    std::string at_; // "" is the root
    std::string rest_;
    int links_ = 0;
};

} // namespace

Status check_directory_ownership(const std::string& path) {
    return Walk().run(path);
}

Status check_file_ownership(const std::string& path) {
    auto status = lstat_of(path);
    if (!status) return fail(status);
    if (S_ISLNK(status->st_mode))
        return fail(Code::denied, "plugin '" + path + "' is a symbolic link; put the file itself there");
    return check_one(*status, "plugin", path, Place::last);
}

} // namespace mydocker::plugin
