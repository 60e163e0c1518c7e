// The file of remembered exits. A line is appended in one write, so writers need no lock. Old lines go with
// a whole file: when the file has grown and what stands in the older one counts no more, it becomes the older
// one. One rename, so nothing is lost by whoever appends or is killed meanwhile.
#include "engine/exits.hpp"

#include "base/sys.hpp"

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace mydocker::engine {
namespace {

constexpr std::int64_t kKeepNs = std::int64_t{3600} * 1'000'000'000;
constexpr off_t kTurnAt = 64 * 1024;

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (!line.empty()) {
        const auto space = line.find(' ');
        words.push_back(line.substr(0, space));
        line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
    }
    return words;
}

template <class Number>
bool parse(std::string_view text, Number& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    return error == std::errc() && end == text.data() + text.size();
}

// Visits each whole, young line; others are as if they were not there.
template <class Visit>
void for_each_exit(std::string_view text, const Visit& visit) {
    const std::int64_t oldest = sys::realtime_ns() - kKeepNs;
    while (!text.empty()) {
        const auto newline = text.find('\n');
        if (newline == std::string_view::npos) return;
        const std::string_view line = text.substr(0, newline);
        text.remove_prefix(newline + 1);
        const auto words = words_of(line);
        std::int64_t time = 0;
        int code = 0;
        if (words.size() != 4 || !parse(words[0], time) || !parse(words[3], code) || time < oldest) continue;
        visit(KnownExit{ContainerId(words[1]), ContainerName(words[2]), code});
    }
}

std::string older(const std::string& path) {
    return path + ".old";
}

// Whether nothing in the older file is young.
bool may_be_replaced(const std::string& path) {
    auto status = sys::fstatat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
    if (!status) return status.error().sys_errno == ENOENT;
    const std::int64_t written = std::int64_t{status->st_mtim.tv_sec} * 1'000'000'000;
    return written + kKeepNs < sys::realtime_ns();
}

// Makes the file the older one; a new one begins with the next exit. A convenience: it is tried again then.
void turn_over(const std::string& path, int fd, const struct stat& ours) {
    if (!may_be_replaced(older(path))) return;
    if (auto locked = sys::try_lock(fd); !locked || !*locked) return; // Somebody else is at it.
    const auto there = sys::fstatat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
    if (!there || there->st_ino != ours.st_ino || there->st_dev != ours.st_dev) return; // Somebody has been.
    (void)sys::renameat(AT_FDCWD, path, AT_FDCWD, older(path));
}

Result<std::string> read_if_there(const std::string& path) {
    auto text = files::read_file(path);
    if (!text && text.error().sys_errno == ENOENT) return std::string();
    return text;
}

} // namespace

Status remember_exit(const paths::Roots& roots, const KnownExit& exit) {
    const std::string path = paths::exits(roots);
    auto fd = sys::openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
    if (!fd) return fail(fd);
    const std::string line = std::to_string(sys::realtime_ns()) + " " + exit.id.str() + " " +
                             exit.name.str() + " " + std::to_string(exit.exit_code) + "\n";
    if (auto written = sys::write_all(fd->get(), line); !written)
        return fail(written, "write '" + path + "'");
    auto status = sys::fstat(fd->get());
    if (status && status->st_size > kTurnAt) turn_over(path, fd->get(), *status);
    return {};
}

Result<std::optional<KnownExit>> recall_exit(const paths::Roots& roots, std::string_view name_or_prefix) {
    if (name_or_prefix.empty()) return std::nullopt; // Every id begins with nothing.
    const std::string path = paths::exits(roots);
    // The newer one first: a turn-over in between then hides nothing.
    for (const std::string& file : {path, older(path)}) {
        auto text = read_if_there(file);
        if (!text) return fail(text);
        std::optional<KnownExit> found;
        for_each_exit(*text, [&](const KnownExit& exit) {
            if (exit.name.str() == name_or_prefix || exit.id.str().starts_with(name_or_prefix)) found = exit;
        });
        if (found) return found;
    }
    return std::nullopt;
}

} // namespace mydocker::engine
