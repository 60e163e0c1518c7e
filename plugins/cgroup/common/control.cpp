#include "control.hpp"

#include "units.hpp"

#include "mydocker/support/files.hpp"

namespace mydocker::cgroup {
namespace {

// v1's largest memory limit is the largest whole page below 2^63; nothing near it limits anything.
constexpr std::uint64_t kHuge = std::uint64_t{1} << 62U;

[[nodiscard]] Status write_once(int fd, std::string_view text, const std::string& where) {
    while (::write(fd, text.data(), text.size()) < 0) {
        const int error = errno;
        if (error != EINTR) return fail_errno(error, "write '" + std::string(text) + "' to " + where);
    }
    return {};
}

[[nodiscard]] std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

[[nodiscard]] Result<std::string> read_from_start(int fd, const Place& place, std::string_view file) {
    std::string text(4096, '\0');
    ssize_t count = 0;
    do
        count = ::pread(fd, text.data(), text.size(), 0);
    while (count < 0 && errno == EINTR);
    if (count < 0) return fail_errno(errno, "read " + place.quoted(file));
    text.resize(static_cast<std::size_t>(count));
    return trimmed(std::move(text));
}

// The limit's file is not there: because the cgroup is not, or because this kernel lacks it?
[[nodiscard]] std::unexpected<Error> no_file(const Place& place, const Limit& limit, int error) {
    if (::faccessat(place.root, place.name.empty() ? "." : place.name.c_str(), F_OK, 0) != 0)
        return fail_errno(error, "set " + std::string(limit.name) + ": open " + place.quoted(limit.file));
    std::string text =
        std::string(limit.name) + " asked, but this kernel has no '" + std::string(limit.file) + "'";
    if (!limit.remedy.empty()) text += " (" + std::string(limit.remedy) + ")";
    return fail(Code::unsupported, std::move(text));
}

} // namespace

std::string Place::file(std::string_view file) const {
    return name.empty() ? std::string(file) : name + "/" + std::string(file);
}

std::string Place::quoted(std::string_view file) const {
    std::string text = "'" + std::string(point);
    for (const std::string_view part : {std::string_view(name), file})
        if (!part.empty()) text += "/" + std::string(part);
    return text + "'";
}

Place Place::parent() const {
    const auto slash = name.rfind('/');
    return {root, point, slash == std::string::npos ? std::string() : name.substr(0, slash), host};
}

void note_write(const Place& place, std::string_view file, std::string_view text) {
    if (place.host != nullptr)
        place.host->log(LogLevel::debug, place.quoted(file) + " = '" + std::string(text) + "'");
}

bool is_gone(int error) {
    return error == ENOENT || error == ENODEV;
}

Result<std::string> read_control(const Place& place, std::string_view file) {
    const UniqueFd fd(::openat(place.root, place.file(file).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno(errno, "open " + place.quoted(file));
    auto text = files::read_all(fd.get(), file);
    if (!text) return fail_errno(text.error().sys_errno, "read " + place.quoted(file));
    return trimmed(std::move(*text));
}

Status write_control(const Place& place, std::string_view file, std::string_view text) {
    const UniqueFd fd(::openat(place.root, place.file(file).c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return fail_errno(errno, "open " + place.quoted(file));
    auto written = write_once(fd.get(), text, place.quoted(file));
    if (written) note_write(place, file, text);
    return written;
}

Status set_limit(const Place& place, const Limit& limit, std::string_view text,
                 const std::function<bool(std::string_view)>& accepts) {
    const UniqueFd fd(::openat(place.root, place.file(limit.file).c_str(), O_RDWR | O_CLOEXEC));
    if (!fd) {
        const int error = errno;
        if (is_gone(error)) return no_file(place, limit, error);
        return fail_errno(error, "set " + std::string(limit.name) + ": open " + place.quoted(limit.file));
    }
    if (auto written = write_once(fd.get(), text, place.quoted(limit.file)); !written)
        return fail(written, "set " + std::string(limit.name));
    note_write(place, limit.file, text);
    auto now = read_from_start(fd.get(), place, limit.file);
    if (!now) return fail(now, "set " + std::string(limit.name));
    if (accepts(*now)) return {};
    return fail(Code::invalid, "set " + std::string(limit.name) + ": the kernel made '" + *now + "' of '" +
                                   std::string(text) + "' in " + place.quoted(limit.file));
}

Status set_number(const Place& place, const Limit& limit, std::int64_t wanted, const Notation& notation) {
    if (wanted < 0) {
        auto lifted = set_limit(place, limit, notation.unlimited,
                                [](std::string_view now) { return !limit_value(now); });
        // What this kernel, or this cgroup, does not have limits nothing.
        if (!lifted && lifted.error().code == Code::unsupported) return {};
        return lifted;
    }
    const auto number = static_cast<std::uint64_t>(wanted);
    const std::uint64_t kept = whole_pages(number, notation.granularity);
    return set_limit(place, limit, std::to_string(number), [kept](std::string_view now) {
        const auto value = parse_number(now);
        return value && *value == kept;
    });
}

std::optional<std::uint64_t> limit_value(std::string_view text) {
    const auto value = parse_number(text);
    return value && *value < kHuge ? value : std::nullopt;
}

} // namespace mydocker::cgroup
