#include "layer_store.hpp"

#include "tree.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::storage {
namespace {

[[nodiscard]] std::string below(const char* where, const std::string& id) {
    return std::string(where) + "/" + id;
}

[[nodiscard]] std::unexpected<Error> no_such_layer(const LayerId& id) {
    return fail(Code::not_found, "there is no layer " + quoted(id.str()));
}

[[nodiscard]] Status check_ids(std::string_view id, std::string_view what, LayerChain chain) {
    if (auto fits = check_id(id, what); !fits) return fits;
    for (const LayerId& layer : chain)
        if (auto fits = check_id(layer.str(), "layer"); !fits) return fits;
    return {};
}

// Whether a live process unpacks into the staging directory. A killed one holds nothing.
[[nodiscard]] bool is_held(int root, const std::string& staging) {
    const auto fd = files::open_at(root, staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    return fd && ::flock(fd->get(), LOCK_EX | LOCK_NB) != 0;
}

// Writes usage and end behind the head, which is there and stays whatever happens: it protects the layers
// below. What an earlier try left is overwritten.
[[nodiscard]] Status end_record(int directory, const std::string& head, const Usage& usage) {
    const auto record = files::open_at(directory, kRecord, O_WRONLY);
    if (!record) return fail(record);
    const std::string tail = format_usage(usage) + std::string(kRecordEnd);
    if (::lseek(record->get(), static_cast<off_t>(head.size()), SEEK_SET) < 0)
        return fail_errno(errno, "write the record of the layer");
    if (auto written = files::write_all(record->get(), tail, kRecord); !written) return written;
    if (::ftruncate(record->get(), static_cast<off_t>(head.size() + tail.size())) == 0) return {};
    return fail_errno(errno, "write the record of the layer");
}

} // namespace

Result<Durability> parse_durability(const Options& options) {
    const std::string word = options.string("durability");
    if (word.empty() || word == "layer") return Durability::layer;
    if (word == "fs") return Durability::fs;
    if (word == "none") return Durability::none;
    return fail(Code::invalid, "option durability is " + quoted(word) + "; it takes layer, fs or none");
}

LayerStore::LayerStore(Host host, Durability durability, RemoveTree remove)
    : host_(std::move(host)),
      durability_(durability),
      remove_(remove),
      directory_(host_.data_dir(), remove) {}

std::string LayerStore::layer_path(const LayerId& id) const {
    return directory_.path_of(below(kLayers, id.str()) + "/" + kTree);
}

std::string LayerStore::staging_path(const LayerId& id) const {
    return directory_.path_of(below(kStaging, id.str()) + "/" + kTree);
}

std::string LayerStore::rw_path(const RwId& id) const {
    return directory_.path_of(below(kWritable, id.str()));
}

// --- layers -------------------------------------------------------------------------------------------

Result<bool> LayerStore::is_sealed(const LayerId& id) {
    const auto root = directory_.open();
    if (!root && root.error().code == Code::not_found) return false;
    if (!root) return fail(root);
    const std::string tree = below(kLayers, id.str()) + "/" + kTree;
    if (::faccessat(*root, tree.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return true;
    if (errno == ENOENT) return false;
    return fail_errno(errno, "look for layer " + quoted(layer_path(id)));
}

Status LayerStore::check_layers(LayerChain chain) {
    for (const LayerId& layer : chain) {
        const auto sealed = is_sealed(layer);
        if (!sealed) return fail(sealed);
        if (!*sealed) return no_such_layer(layer);
    }
    return {};
}

Result<mode_t> LayerStore::root_mode(LayerChain chain) {
    constexpr mode_t kUsual = 0755;
    if (chain.empty()) return kUsual;
    const auto root = directory_.open();
    if (!root) return fail(root);
    const std::string tree = below(kLayers, chain.back().str()) + "/" + kTree;
    struct stat status{};
    if (::fstatat(*root, tree.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno, "look at layer " + quoted(layer_path(chain.back())));
    return status.st_mode & 07777U;
}

Result<UniqueFd> LayerStore::create_layer(const LayerId& id, LayerChain chain) {
    if (auto fits = check_ids(id.str(), "layer", chain); !fits) return fail(fits);
    const auto root = directory_.make();
    if (!root) return fail(root);
    if (auto there = check_layers(chain); !there) return fail(there);
    if (!held_.contains(id)) {
        auto staging = hold_staging(id);
        if (!staging) return fail(staging);
        held_.emplace(id, std::move(*staging));
    }
    auto tree = fill_staging(held_.at(id).get(), id, chain);
    if (tree) return tree;
    const auto undone = remove_layer(id);
    held_.erase(id); // Whatever stays is swept: nobody holds it any more.
    return fail_undone(tree.error(), undone);
}

// Makes staging/ID, or takes the one that is there, once nobody else has it. Whoever had it may have
// sealed or removed it meanwhile: then it is no longer at its path, and the next round finds out.
Result<UniqueFd> LayerStore::hold_staging(const LayerId& id) {
    const std::string name = below(kStaging, id.str());
    const auto root = directory_.open();
    if (!root) return fail(root);
    for (;;) {
        const auto sealed = is_sealed(id);
        if (!sealed) return fail(sealed);
        if (*sealed) return fail(Code::exists, "layer " + quoted(id.str()) + " is there already");
        if (::mkdirat(*root, name.c_str(), 0700) != 0 && errno != EEXIST)
            return fail_errno(errno, "make directory " + quoted(directory_.path_of(name)));
        auto fd = lock_staging(id);
        if (!fd && fd.error().code == Code::not_found) continue;
        if (!fd) return fail(fd);
        if (!is_still_there(*root, name, fd->get())) continue;
        const auto sealed_since = is_sealed(id);
        if (!sealed_since) return fail(sealed_since);
        if (!*sealed_since) return fd;
        // Sealed between the first look and our mkdir; what that made is empty.
        (void)::unlinkat(*root, name.c_str(), AT_REMOVEDIR);
    }
}

// Waits for whoever unpacks into staging/ID. Errors: not_found, when it vanished; cancelled.
Result<UniqueFd> LayerStore::lock_staging(const LayerId& id) {
    const auto root = directory_.open();
    if (!root) return fail(root);
    auto fd = files::open_at(*root, below(kStaging, id.str()), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd) return fd;
    if (::flock(fd->get(), LOCK_EX | LOCK_NB) == 0) return fd;
    host_.log(LogLevel::debug, "waiting for another process that unpacks layer " + quoted(id.str()));
    while (::flock(fd->get(), LOCK_EX) != 0) {
        if (errno != EINTR) return fail_errno(errno, "lock " + quoted(staging_path(id)));
        if (host_.cancelled())
            return fail(Code::cancelled, "wait for another process that unpacks layer " + quoted(id.str()));
    }
    return fd;
}

Result<UniqueFd> LayerStore::fill_staging(int staging, const LayerId& id, LayerChain chain) {
    const std::string where = staging_path(id);
    if (auto emptied = remove_(staging, kTree); !emptied) return fail(emptied, "empty " + quoted(where));
    {
        // From here on the record keeps the layers below from removal.
        const auto lock = directory_.lock(StoreDirectory::Mode::shared);
        if (!lock) return fail(lock);
        if (auto there = check_layers(chain); !there) return fail(there);
        const auto record = files::open_at(staging, kRecord, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (!record) return fail(record, "in " + quoted(where));
        const std::string head = format_head(chain, Lifetime::kept);
        if (auto written = files::write_all(record->get(), head, kRecord); !written)
            return fail(written, "in " + quoted(where));
    }
    const auto mode = root_mode(chain);
    if (!mode) return fail(mode);
    // By fchmodat, as mkdirat obeys the umask.
    if (::mkdirat(staging, kTree, 0700) != 0 || ::fchmodat(staging, kTree, *mode, 0) != 0)
        return fail_errno(errno, "make directory " + quoted(where));
    return files::open_at(staging, kTree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<Usage> LayerStore::seal_layer(const LayerId& id) {
    if (auto fits = check_id(id.str(), "layer"); !fits) return fail(fits);
    const auto held = held_.find(id);
    if (held == held_.end()) {
        const auto record = read_layer(id);
        if (record) return record->usage.value_or(Usage{});
        if (record.error().code != Code::not_found) return fail(record);
        return fail(Code::not_found, "layer " + quoted(id.str()) + " is not being unpacked here");
    }
    const auto root = directory_.open();
    if (!root) return fail(root);
    Usage usage;
    if (auto synced = sync_staging(held->second.get(), id, usage); !synced) return fail(synced);
    const std::string from = below(kStaging, id.str());
    const std::string to = below(kLayers, id.str());
    while (::renameat(*root, from.c_str(), *root, to.c_str()) != 0) {
        const int error = errno;
        if (error != ENOTEMPTY && error != EEXIST)
            return fail_errno(error, "make " + quoted(directory_.path_of(from)) + " a layer");
        // A layer whose removal was cut short on a full disk; a whole one cannot be there.
        const auto moved = directory_.move_out(to);
        if (!moved) return fail(moved);
        if (auto gone = directory_.discard(*moved); !gone) return fail(gone);
    }
    held_.erase(held);
    return usage;
}

// Writes usage and end into the record, once the data is on disk as the option says.
Status LayerStore::sync_staging(int staging, const LayerId& id, Usage& usage) {
    const std::string where = quoted(directory_.path_of(below(kStaging, id.str())));
    const auto tree = files::open_at(staging, kTree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!tree) return fail(tree, "in " + where);
    const auto measured = durability_ == Durability::layer
                              ? sync_tree(tree->get(), staging_path(id), kMaxSyncedFiles)
                              : measure_tree(tree->get(), staging_path(id));
    if (!measured) return fail(measured);
    usage = *measured;
    const auto known = read_record(staging, kRecord);
    if (!known) return fail(known, "in " + where);
    if (auto ended = end_record(staging, format_head(known->below, Lifetime::kept), usage); !ended)
        return fail(ended, "in " + where);
    if (durability_ == Durability::none) return {};
    const auto record = files::open_at(staging, kRecord, O_RDONLY);
    if (!record) return fail(record, "in " + where);
    const bool done = durability_ == Durability::fs ? ::syncfs(staging) == 0
                                                    : ::fsync(record->get()) == 0 && ::fsync(staging) == 0;
    return done ? Status{} : fail_errno(errno, "put " + where + " on disk");
}

Status LayerStore::check_unused_in(const char* where, std::string_view what, const LayerId& id) {
    const auto root = directory_.open();
    if (!root) return fail(root);
    const auto directory = files::open_at(*root, where, O_RDONLY | O_DIRECTORY);
    if (!directory) return fail(directory, "in " + quoted(directory_.path()));
    const auto entries = files::list_directory(directory->get(), directory_.path_of(where));
    if (!entries) return fail(entries);
    for (const auto& [name, type] : *entries) {
        const auto record = read_record(directory->get(), name + "/" + kRecord);
        // Something newer may use it. What is damaged cannot be used any more, nor what is not there.
        if (!record && record.error().code == Code::unsupported)
            return fail(record, directory_.path_of(where));
        if (!record || std::ranges::find(record->below, id) == record->below.end()) continue;
        if (where == kStaging && !is_held(directory->get(), name)) continue;
        return fail(Code::busy,
                    "layer " + quoted(id.str()) + " is used by " + std::string(what) + " " + quoted(name));
    }
    return {};
}

Status LayerStore::check_unused(const LayerId& id) {
    if (auto unused = check_unused_in(kWritable, "writable layer", id); !unused) return unused;
    if (auto unused = check_unused_in(kLayers, "layer", id); !unused) return unused;
    return check_unused_in(kStaging, "a layer being unpacked,", id);
}

// Empty, when there is nothing to remove.
Result<std::string> LayerStore::move_layer_out(const LayerId& id) {
    const auto lock = directory_.lock(StoreDirectory::Mode::exclusive);
    if (!lock && lock.error().code == Code::not_found) return std::string();
    if (!lock) return fail(lock);
    const auto root = directory_.open();
    if (!root) return fail(root);
    const auto sealed = is_sealed(id);
    if (!sealed) return fail(sealed);
    const std::string staging = below(kStaging, id.str());
    if (!*sealed && !held_.contains(id) && is_held(*root, staging))
        return fail(Code::busy, "layer " + quoted(id.str()) + " is being unpacked by another process");
    if (*sealed)
        if (auto unused = check_unused(id); !unused) return fail(unused);
    const std::string from = *sealed || !held_.contains(id) ? below(kLayers, id.str()) : staging;
    auto moved = directory_.move_out(from);
    if (!moved && moved.error().code == Code::not_found) moved = directory_.move_out(staging);
    if (!moved && moved.error().code == Code::not_found) return std::string();
    if (moved && *moved == from) // No room for another name in removed/: unseal it where it is.
        (void)::renameat(*root, (from + "/" + kTree).c_str(), *root, (from + "/" + kRemoved).c_str());
    return moved;
}

Status LayerStore::remove_layer(const LayerId& id) {
    if (auto fits = check_id(id.str(), "layer"); !fits) return fits;
    const auto moved = move_layer_out(id);
    if (!moved) return fail(moved);
    held_.erase(id);
    return moved->empty() ? Status{} : directory_.discard(*moved);
}

Result<LayerStore::Staged> LayerStore::open_staged(const LayerId& id) {
    const auto held = held_.find(id);
    if (held == held_.end())
        return fail(Code::not_found, "layer " + quoted(id.str()) + " is not being unpacked here");
    auto record = read_record(held->second.get(), kRecord);
    if (!record) return fail(record, "of layer " + quoted(id.str()));
    auto tree = files::open_at(held->second.get(), kTree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!tree) return fail(tree, "in " + quoted(staging_path(id)));
    return Staged{std::move(*tree), std::move(record->below)};
}

Result<UniqueFd> LayerStore::open_layer(const LayerId& id) {
    const auto root = directory_.open();
    if (!root) return fail(root);
    auto fd =
        files::open_at(*root, below(kLayers, id.str()) + "/" + kTree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd && fd.error().code == Code::not_found) return no_such_layer(id);
    return fd;
}

Result<ChainRecord> LayerStore::read_layer(const LayerId& id) {
    const auto sealed = is_sealed(id);
    if (!sealed) return fail(sealed);
    if (!*sealed) return no_such_layer(id);
    const auto root = directory_.open();
    if (!root) return fail(root);
    return read_record(*root, below(kLayers, id.str()) + "/" + kRecord);
}

} // namespace mydocker::storage
