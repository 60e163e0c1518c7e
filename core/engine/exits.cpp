// The file of remembered exits. A line is appended in one write, so writers need no lock; only shortening
// the file takes one.
#include "engine/exits.hpp"

#include "base/sys.hpp"

#include <charconv>
#include <fcntl.h>
#include <string>
#include <vector>

namespace mydocker::engine {
namespace {

constexpr std::int64_t kKeepNs = std::int64_t{3600} * 1'000'000'000;
constexpr off_t kShortenAt = 64 * 1024;

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
        visit(line, KnownExit{ContainerId(words[1]), ContainerName(words[2]), code});
    }
}

// Drops what is older than an hour.
Status shorten(const std::string& path, int fd) {
    auto text = files::read_file(path);
    if (!text) return fail(text);
    std::string kept;
    for_each_exit(*text, [&](std::string_view line, const KnownExit&) { kept.append(line).append("\n"); });
    if (auto locked = sys::try_lock(fd); !locked || !*locked) return {}; // Somebody else is at it.
    return files::write_atomically(path, kept);
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
    if (status && status->st_size > kShortenAt) return shorten(path, fd->get());
    return {};
}

Result<std::optional<KnownExit>> recall_exit(const paths::Roots& roots, std::string_view name_or_prefix) {
    auto text = files::read_file(paths::exits(roots));
    if (!text && text.error().sys_errno == ENOENT) return std::nullopt;
    if (!text) return fail(text);
    std::optional<KnownExit> found;
    for_each_exit(*text, [&](std::string_view, const KnownExit& exit) {
        if (exit.name.str() == name_or_prefix || exit.id.str().starts_with(name_or_prefix)) found = exit;
    });
    return found;
}

} // namespace mydocker::engine
