#include "name_index.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::json_state {
namespace {

constexpr const char* kNames = "names";
constexpr const char* kNamesPending = "names.pending";

[[nodiscard]] std::string entry_path(const ContainerName& name) {
    return std::string(kNames) + "/" + name.str();
}

} // namespace

// Only what the link says. Something else than a link to an id counts as no entry.
Result<std::optional<ContainerId>> NameIndex::entry(const ContainerName& name) const {
    const std::string path = entry_path(name);
    std::array<char, 80> text{};
    const ssize_t length = ::readlinkat(files_.directory(), path.c_str(), text.data(), text.size());
    if (length >= 0) return unpack_id({text.data(), static_cast<std::size_t>(length)});
    const int error = errno;
    if (error == ENOENT || error == EINVAL) return std::nullopt;
    return fail_errno(error, "read link " + files_.path_of(path));
}

Result<std::optional<ContainerId>> NameIndex::owner(const ContainerName& name) const {
    auto id = entry(name);
    if (!id || !*id) return id;
    const auto record = files_.read(**id);
    if (!record) {
        if (record.error().code == Code::not_found) return std::nullopt;
        return id; // It cannot be read: it may well have the name, and whoever asks must see the damage.
    }
    return record->name == name ? id : std::nullopt;
}

// As symlinkat(2).
int NameIndex::make_link(const std::string& path, const ContainerId& id) const {
    return ::symlinkat(pack_id(id).c_str(), files_.directory(), path.c_str());
}

Status NameIndex::claim(const ContainerName& name, const ContainerId& id) const {
    const std::string path = entry_path(name);
    if (make_link(path, id) == 0) return files_.sync_directory(kNames);
    const int error = errno;
    if (error == EEXIST) return take_over(name, id);
    if (error != ENOENT) return fail_errno(error, "make link " + files_.path_of(path));
    if (auto rebuilt = rebuild(); !rebuilt) return rebuilt;
    if (make_link(path, id) == 0) return files_.sync_directory(kNames);
    if (errno == EEXIST) return take_over(name, id);
    return fail_errno(errno, "make link " + files_.path_of(path));
}

// The name has an entry: ours to take if no record bears it out.
Status NameIndex::take_over(const ContainerName& name, const ContainerId& id) const {
    auto holder = owner(name);
    if (!holder) return fail(holder);
    if (*holder) return name_taken(name, **holder);
    const std::string path = entry_path(name);
    if (auto gone = files::remove_tree(files_.directory(), path); !gone) return gone;
    if (make_link(path, id) != 0) return fail_errno(errno, "make link " + files_.path_of(path));
    return files_.sync_directory(kNames);
}

Status NameIndex::release(const ContainerName& name, const ContainerId& id) const {
    auto holder = entry(name);
    if (!holder) return fail(holder);
    if (*holder != id) return {};
    const std::string path = entry_path(name);
    if (::unlinkat(files_.directory(), path.c_str(), 0) == 0 || errno == ENOENT) return {};
    return fail_errno(errno, "remove link " + files_.path_of(path));
}

// The directory is missing: a new store, or records restored without it. Whole or not at all.
Status NameIndex::rebuild() const {
    const int directory = files_.directory();
    if (auto gone = files::remove_tree(directory, kNamesPending); !gone) return gone;
    if (::mkdirat(directory, kNamesPending, 0700) != 0)
        return fail_errno(errno, "make directory " + files_.path_of(kNamesPending));
    if (::fchmodat(directory, kNamesPending, 0700, 0) != 0) // The umask must not decide.
        return fail_errno(errno, "chmod " + files_.path_of(kNamesPending));
    auto filled = files_.for_each_readable([&](const Record& record) -> Status {
        const std::string path = std::string(kNamesPending) + "/" + record.name.str();
        if (make_link(path, record.id) == 0) return {};
        if (errno == EEXIST) return {}; // Two records with one name: list() says so.
        return fail_errno(errno, "make link " + files_.path_of(path));
    });
    if (!filled) return filled;
    if (::renameat(directory, kNamesPending, directory, kNames) == 0) return {};
    return fail_errno(errno, "rename to " + files_.path_of(kNames));
}

} // namespace mydocker::json_state
