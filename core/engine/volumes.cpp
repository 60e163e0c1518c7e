// Volumes on disk.
#include "engine/volumes.hpp"

#include "base/json.hpp"
#include "base/sys.hpp"
#include "image/file_entry.hpp"
#include "image/tree_reader.hpp"
#include "image/tree_writer.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

namespace mydocker::engine {
namespace {

constexpr std::int64_t kVolumeSchema = 1;
constexpr std::size_t kMostBytes = 1U << 20U;

// No volume can be called so: names begin with a letter or digit.
constexpr const char* kLock = ".lock";
constexpr const char* kNew = ".new";
constexpr const char* kGone = ".gone";

constexpr const char* kFile = "volume.json";
constexpr const char* kData = "_data";
constexpr const char* kFilling = "_filling";
constexpr const char* kFilled = "_filled";

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

std::string to_document(const Volume& volume) {
    json::Value root;
    root.set("schema", kVolumeSchema);
    root.set("created_ns", volume.created_ns);
    root.set("anonymous", volume.anonymous);
    root.set("container", volume.container);
    json::Object labels;
    for (const auto& [key, value] : volume.labels)
        labels.emplace_back(key, value);
    root.set("labels", std::move(labels));
    return json::dump(root) + "\n";
}

Status read_labels(const json::Value& root, Volume& volume) {
    const json::Value* labels = root.find("labels");
    if (labels == nullptr || labels->if_object() == nullptr)
        return fail(Code::corrupt, "member 'labels' is no object");
    for (const auto& [key, value] : *labels->if_object()) {
        if (value.if_string() == nullptr) return fail(Code::corrupt, "label '" + key + "' is no text");
        volume.labels.emplace_back(key, *value.if_string());
    }
    return {};
}

Result<Volume> parse_document(std::string_view text) {
    auto root = json::parse(text);
    if (!root) return fail(root);
    auto schema = json::get_int(*root, "schema");
    if (!schema) return fail(schema);
    if (*schema > kVolumeSchema) return fail(Code::unsupported, "written by a newer mydocker");
    auto created = json::get_int(*root, "created_ns");
    if (!created) return fail(created);
    auto anonymous = json::get_bool(*root, "anonymous");
    if (!anonymous) return fail(anonymous);
    auto container = json::get_string(*root, "container");
    if (!container) return fail(container);
    Volume volume;
    volume.created_ns = *created;
    volume.anonymous = *anonymous;
    volume.container = std::move(*container);
    if (auto read = read_labels(*root, volume); !read) return fail(read);
    return volume;
}

// All that is below a directory of an image's, as it is: no link is followed.
Status copy_entries(int from, int to) {
    auto own = sys::dup(to);
    if (!own) return fail(own);
    image::TreeWriter writer(std::move(*own), {});
    image::TreeReader reader(
        from,
        [&writer](const image::TarEntry& entry, image::EntryData& data) { return writer.write(data, entry); },
        {});
    if (auto added = reader.add_below(from, ""); !added) return added;
    return writer.finish();
}

// Owner, mode and extended attributes of the directory itself; the owner first, a change of which takes bits
// of the mode away.
Status copy_attributes(int from, int to) {
    auto status = sys::fstat(from);
    if (!status) return fail(status);
    auto entry = image::read_entry(from, *status, ".", {});
    if (!entry) return fail(entry);
    if (auto owned = sys::fchown(to, status->st_uid, status->st_gid); !owned) return owned;
    if (auto set = sys::fchmod(to, status->st_mode & 07777); !set) return set;
    if (!*entry) return {};
    for (const auto& [name, value] : (*entry)->xattrs)
        if (::fsetxattr(to, name.c_str(), value.data(), value.size(), 0) != 0 && errno != EOPNOTSUPP)
            return fail_errno(errno, "set attribute '" + name + "'");
    return {};
}

// Moves all entries of one directory into another; what is there already stays.
Status move_entries(int from, int to) {
    auto names = sys::list_names(from);
    if (!names) return fail(names);
    for (const std::string& name : *names)
        if (::renameat2(from, name.c_str(), to, name.c_str(), RENAME_NOREPLACE) != 0 && errno != EEXIST)
            return fail_errno(errno, "move '" + name + "' into the volume");
    return {};
}

// The second half of a fill: from the complete copy into the volume.
Status finish_fill(int volume) {
    auto filled = sys::openat(volume, kFilled, kDirectory);
    if (!filled && filled.error().sys_errno == ENOENT) return {};
    if (!filled) return fail(filled);
    auto data = sys::openat(volume, kData, kDirectory);
    if (!data) return fail(data);
    if (auto moved = move_entries(filled->get(), data->get()); !moved) return moved;
    if (auto copied = copy_attributes(filled->get(), data->get()); !copied) return copied;
    return files::remove_tree(volume, kFilled);
}

Result<bool> has_no_entries(int volume) {
    auto data = sys::openat(volume, kData, kDirectory);
    if (!data) return fail(data);
    auto names = sys::list_names(data->get());
    if (!names) return fail(names);
    return names->empty();
}

} // namespace

Result<Volume> load_volume(const paths::Roots& roots, const std::string& name) {
    if (auto known = paths::parse_volume_name(name); !known) return fail(known);
    const std::string path = paths::volumes(roots) + "/" + name + "/" + kFile;
    auto text = files::read_file(path, kMostBytes);
    if (!text && text.error().sys_errno == ENOENT) return fail(Code::not_found, "no volume '" + name + "'");
    if (!text) return fail(text);
    auto volume = parse_document(*text);
    if (!volume) return fail(volume, "'" + path + "'");
    volume->name = name;
    return volume;
}

Result<std::vector<Volume>> list_volumes(const paths::Roots& roots) {
    std::vector<Volume> volumes;
    auto directory = files::open(paths::volumes(roots), kDirectory);
    if (!directory && directory.error().sys_errno == ENOENT) return volumes;
    if (!directory) return fail(directory);
    auto names = sys::list_names(directory->get());
    if (!names) return fail(names);
    std::ranges::sort(*names);
    for (const std::string& name : *names) {
        if (!paths::parse_volume_name(name)) continue; // Ours to work with, or "lost+found".
        auto volume = load_volume(roots, name);
        if (!volume && volume.error().code == Code::not_found) continue; // Removed meanwhile.
        if (!volume) return fail(volume);
        volumes.push_back(std::move(*volume));
    }
    return volumes;
}

Result<VolumeStore> VolumeStore::open(const paths::Roots& roots) {
    const std::string path = paths::volumes(roots);
    if (auto made = sys::mkdirat(AT_FDCWD, path, 0700); !made && made.error().code != Code::exists)
        return fail(made);
    auto directory = files::open(path, kDirectory);
    if (!directory) return fail(directory);
    auto lock = sys::openat(directory->get(), kLock, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!lock) return fail(lock);
    if (auto locked = sys::wait_lock(lock->get()); !locked) return fail(locked, "volumes");
    if (auto removed = files::remove_tree(directory->get(), kNew); !removed) return fail(removed);
    auto names = sys::list_names(directory->get());
    if (!names) return fail(names);
    for (const std::string& name : *names)
        if (name.starts_with(kGone)) (void)files::remove_tree(directory->get(), name); // See the contract.
    return VolumeStore(path, std::move(*directory), std::move(*lock));
}

Result<bool> VolumeStore::create(const Volume& volume) {
    if (auto there = sys::fstatat(directory_.get(), volume.name, AT_SYMLINK_NOFOLLOW); there) return false;
    if (auto made = sys::mkdirat(directory_.get(), kNew, 0700); !made) return fail(made);
    auto fresh = sys::openat(directory_.get(), kNew, kDirectory);
    if (!fresh) return fail(fresh);
    if (auto made = sys::mkdirat(fresh->get(), kData, 0755); !made) return fail(made);
    // Past the umask.
    if (auto set = sys::fchmodat(fresh->get(), kData, 0755); !set) return fail(set);
    auto written = files::write_atomically(fresh->get(), kFile, to_document(volume));
    if (!written) return fail(written);
    auto moved = sys::renameat(directory_.get(), kNew, directory_.get(), volume.name);
    if (!moved) return fail(moved, "make volume '" + volume.name + "'");
    return true;
}

Result<UniqueFd> VolumeStore::open_volume(const std::string& name) {
    auto volume = sys::openat(directory_.get(), name, kDirectory);
    if (!volume) return fail(volume, "volume '" + name + "'");
    return volume;
}

Result<bool> VolumeStore::is_empty(const std::string& name) {
    auto volume = open_volume(name);
    if (!volume) return fail(volume);
    // A complete copy that has not moved in yet is a fill to be finished.
    if (sys::fstatat(volume->get(), kFilled, AT_SYMLINK_NOFOLLOW)) return true;
    return has_no_entries(volume->get());
}

Status VolumeStore::fill(const std::string& name, int directory) {
    auto volume = open_volume(name);
    if (!volume) return fail(volume);
    if (auto finished = finish_fill(volume->get()); !finished) return finished;
    if (auto removed = files::remove_tree(volume->get(), kFilling); !removed) return removed;
    auto empty = has_no_entries(volume->get());
    if (!empty || !*empty) return empty ? Status{} : Status(fail(empty));
    if (auto made = sys::mkdirat(volume->get(), kFilling, 0700); !made) return made;
    auto filling = sys::openat(volume->get(), kFilling, kDirectory);
    if (!filling) return fail(filling);
    auto copied = copy_entries(directory, filling->get());
    if (copied) copied = copy_attributes(directory, filling->get());
    if (!copied) {
        (void)files::remove_tree(volume->get(), kFilling); // What stays is removed by the next fill.
        return copied;
    }
    if (auto moved = sys::renameat(volume->get(), kFilling, volume->get(), kFilled); !moved) return moved;
    return finish_fill(volume->get());
}

// Gives it a name that nothing has; returns that. Empty: there is no such volume.
Result<std::string> VolumeStore::put_aside(const std::string& name) {
    for (int i = 0;; ++i) {
        std::string aside = kGone + (i == 0 ? std::string() : "." + std::to_string(i));
        const int volumes = directory_.get();
        if (::renameat2(volumes, name.c_str(), volumes, aside.c_str(), RENAME_NOREPLACE) == 0) return aside;
        if (errno == ENOENT) return std::string();
        if (errno != EEXIST) return fail_errno(errno, "remove volume '" + name + "'");
    }
}

Status VolumeStore::remove(const std::string& name) {
    auto aside = put_aside(name);
    if (!aside || aside->empty()) return aside ? Status{} : Status(fail(aside));
    if (auto removed = files::remove_tree(directory_.get(), *aside); !removed)
        return fail(removed, "volume '" + name + "' is gone, but not all of its files are");
    return {};
}

} // namespace mydocker::engine
