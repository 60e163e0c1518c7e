#include "image/store.hpp"

#include "image/entry_path.hpp"
#include "image/image_cache.hpp"
#include "image/manifest.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <unistd.h>
#include <utility>

namespace mydocker::image {

namespace {

constexpr const char* kIndex = "index.json";
constexpr const char* kLayout = "oci-layout";
constexpr std::string_view kLayoutText = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
constexpr const char* kBlobs = "blobs/sha256";
constexpr std::size_t kMaxIndexBytes = std::size_t{16} << 20U;
constexpr std::size_t kShortId = 12;

std::string blob_path(const Digest& digest) {
    return std::string(kBlobs) + "/" + digest.hex();
}

bool is_hex(std::string_view text) {
    return !text.empty() && text.size() <= 64 &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::unexpected<Error> no_image(std::string_view text) {
    return fail(Code::not_found, "no image " + shown(text));
}

// Whether an image is not what it says, or not all there: that stays so.
bool is_damage(const Error& error) {
    return error.code == Code::corrupt || error.code == Code::invalid || error.code == Code::not_found ||
           error.code == Code::unsupported;
}

// The blobs that a manifest names, itself included.
Result<std::vector<Digest>> blobs_of(const Digest& digest, std::string_view text) {
    auto manifest = parse_manifest(text);
    if (!manifest) return fail(manifest, "manifest " + digest.str());
    std::vector<Digest> all{digest, manifest->config.digest};
    for (const Descriptor& layer : manifest->layers)
        all.push_back(layer.digest);
    return all;
}

} // namespace

// index.json, and which file it was.
struct Store::ReadIndex {
    IndexFile index;
    IndexStamp stamp{};
};

Result<Store> Store::open(const std::string& directory) {
    auto fd = files::open(directory, O_RDONLY | O_DIRECTORY);
    if (!fd && fd.error().code == Code::not_found) {
        if (auto made = files::make_directories(directory, 0700); !made) return fail(made, "image store");
        fd = files::open(directory, O_RDONLY | O_DIRECTORY);
    }
    if (!fd) return fail(fd, "image store");
    return Store(directory, std::move(*fd));
}

Result<Store::ReadIndex> Store::read_index() const {
    auto fd = files::open_at(directory_.get(), kIndex, O_RDONLY | O_NOFOLLOW);
    if (!fd && fd.error().code == Code::not_found) return ReadIndex{};
    if (!fd) return fail(fd, "image store " + shown(path_));
    struct stat status{};
    if (::fstat(fd->get(), &status) != 0) return fail_errno(errno, "look at 'index.json'");
    auto text = files::read_all(fd->get(), kIndex, kMaxIndexBytes);
    if (!text) return fail(text, "image store " + shown(path_));
    auto index = parse_index_file(*text);
    if (!index) return fail(index, "image store " + shown(path_));
    return ReadIndex{std::move(*index), stamp_of(status)};
}

Status Store::write_index(const IndexFile& index) {
    auto layout = files::read_file_at(directory_.get(), kLayout, 4096);
    if (!layout && layout.error().code != Code::not_found) return fail(layout, "image store");
    if (layout && layout->find("\"1.0.0\"") == std::string::npos)
        return fail(Code::unsupported, "image store " + shown(path_) + " has another layout than 1.0.0");
    if (!layout)
        if (auto made = files::write_atomically(directory_.get(), kLayout, kLayoutText); !made) return made;
    auto written = files::write_atomically(directory_.get(), kIndex, to_text(index), 0600, files::Sync::data);
    ImageCache(directory_.get()).clear();
    return written;
}

Result<std::string> Store::id_of(const IndexEntry& entry) const {
    if (!entry.id.empty()) return entry.id;
    auto text = read_blob(entry.manifest, kMaxManifestBytes);
    if (!text) return fail(text);
    auto manifest = parse_manifest(*text);
    if (!manifest) return fail(manifest, "manifest " + entry.manifest.str());
    return manifest->config.digest.hex();
}

// Names win over beginnings of ids: "beef" is an image's name if there is one.
Result<Digest> Store::resolve(const IndexFile& index, std::string_view text) const {
    std::string_view prefix = text;
    if (prefix.starts_with("sha256:")) prefix.remove_prefix(7);
    const auto reference = parse_reference(text);
    const bool could_be_id = is_hex(prefix);
    if (!reference && !could_be_id) return fail(reference);
    if (reference)
        for (const IndexEntry& entry : index.entries) {
            const bool by_digest = !reference->digest.empty() && entry.manifest == reference->digest;
            const bool by_name = reference->digest.empty() && entry.reference == reference->key();
            if (by_digest || by_name) return entry.manifest;
        }
    if (!could_be_id) return no_image(text);
    const IndexEntry* found = nullptr;
    std::string found_id;
    for (const IndexEntry& entry : index.entries) {
        if (entry.manifest.empty()) continue;
        const auto id = id_of(entry);
        if (!id || !id->starts_with(prefix) || *id == found_id) continue;
        if (found != nullptr)
            return fail(Code::conflict, shown(text) + " fits the images " + found_id.substr(0, kShortId) +
                                            " and " + id->substr(0, kShortId));
        found = &entry;
        found_id = *id;
    }
    if (found == nullptr) return no_image(text);
    return found->manifest;
}

Result<Image> Store::load_image(const IndexFile& index, const Digest& digest) const {
    auto manifest_text = read_blob(digest, kMaxManifestBytes);
    if (!manifest_text) return fail(manifest_text);
    auto manifest = parse_manifest(*manifest_text);
    if (!manifest) return fail(manifest, "manifest " + digest.str());
    auto config_text = read_blob(manifest->config.digest, kMaxConfigBytes);
    if (!config_text) return fail(config_text);
    auto config = parse_config(*config_text);
    if (!config) return fail(config, "config " + manifest->config.digest.str());
    auto image = assemble(digest, *manifest, std::move(*config));
    if (image) image->references = index.references_of(digest);
    return image;
}

Result<Image> Store::find(std::string_view text) const {
    const ImageCache cache(directory_.get());
    if (auto known = cache.load(text)) return std::move(*known);
    auto read = read_index();
    if (!read) return fail(read);
    auto manifest = resolve(read->index, text);
    if (!manifest) return fail(manifest);
    auto image = load_image(read->index, *manifest);
    if (!image) return fail(image, "image " + shown(text));
    cache.save(text, read->stamp, *image);
    return image;
}

Result<std::vector<ListedImage>> Store::list() const {
    (void)settle(); // What a killed command left is no reason not to list.
    auto read = read_index();
    if (!read) return fail(read);
    std::vector<ListedImage> all;
    std::set<Digest> seen;
    for (const IndexEntry& entry : read->index.entries) {
        if (entry.manifest.empty() || !seen.insert(entry.manifest).second) continue;
        all.push_back({entry.manifest, read->index.references_of(entry.manifest),
                       load_image(read->index, entry.manifest)});
    }
    return all;
}

Result<std::string> Store::tag(std::string_view source, const Reference& name) {
    if (!name.digest.empty() || name.tag.empty())
        return fail(Code::invalid, shown(name.familiar()) + " has a digest: an image cannot be named so");
    auto lock = lock_content(directory_.get());
    if (!lock) return fail(lock);
    auto read = read_index();
    if (!read) return fail(read);
    auto manifest = resolve(read->index, source);
    if (!manifest) return fail(manifest);
    const auto entry = std::ranges::find(read->index.entries, *manifest, &IndexEntry::manifest);
    IndexEntry named = *entry;
    named.reference = name.key();
    const std::string loser = read->index.set_reference(named);
    auto ingest = Ingest::begin(directory_.get());
    if (!ingest) return fail(ingest);
    if (auto written = write_index(read->index); !written) return fail(written);
    if (loser.empty()) return std::string();
    return "the image " + loser.substr(0, kShortId) + " lost the name " + name.familiar();
}

Result<UniqueFd> Store::open_blob(const Digest& digest) const {
    auto fd = files::open_at(directory_.get(), blob_path(digest), O_RDONLY | O_NOFOLLOW);
    if (!fd && fd.error().code == Code::not_found)
        return fail(Code::not_found, "blob " + digest.str() + " is missing in the image store");
    return fd;
}

Result<std::string> Store::read_blob(const Digest& digest, std::uint64_t limit) const {
    auto fd = open_blob(digest);
    if (!fd) return fail(fd);
    auto text = files::read_all(fd->get(), "blob " + digest.str(), static_cast<std::size_t>(limit));
    if (!text) return fail(text);
    auto actual = digest_of(*text);
    if (!actual) return fail(actual);
    if (*actual != digest)
        return fail(Code::corrupt, "blob " + digest.str() + " has digest " + actual->str());
    return text;
}

namespace {

struct Additions {
    std::vector<Digest> blobs;
    std::vector<IndexEntry> entries; // one for each image
};

Result<Additions> additions_of(const Ingest& ingest, const std::vector<NewImage>& images) {
    Additions additions;
    additions.entries.reserve(images.size());
    for (const NewImage& image : images) {
        auto text = ingest.read(image.manifest, kMaxManifestBytes);
        if (!text) return fail(text);
        auto manifest = parse_manifest(*text);
        if (!manifest) return fail(manifest);
        auto needed = blobs_of(image.manifest, *text);
        if (!needed) return fail(needed);
        additions.blobs.insert(additions.blobs.end(), needed->begin(), needed->end());
        additions.entries.push_back(make_index_entry(image.manifest, text->size(), manifest->media_type,
                                                     manifest->config.digest.hex()));
    }
    return additions;
}

// Gives the images their names. Returns a note for each image that lost one.
std::vector<std::string> name_images(IndexFile& index, std::vector<IndexEntry> entries,
                                     const std::vector<NewImage>& images) {
    std::vector<std::string> notes;
    for (std::size_t i = 0; i < images.size(); ++i) {
        if (images[i].references.empty()) (void)index.set_reference(entries[i]);
        for (const std::string& reference : images[i].references) {
            entries[i].reference = reference;
            const std::string loser = index.set_reference(entries[i]);
            if (!loser.empty())
                notes.push_back("the image " + loser.substr(0, kShortId) + " lost the name " +
                                familiar_name(reference));
        }
    }
    return notes;
}

} // namespace

Result<std::vector<std::string>> Store::commit(Ingest& ingest, const std::vector<NewImage>& images) {
    auto additions = additions_of(ingest, images);
    if (!additions) return fail(additions);
    for (const Digest& blob : additions->blobs)
        if (auto synced = ingest.sync(blob); !synced) return fail(synced);

    auto lock = lock_content(directory_.get());
    if (!lock) return fail(lock);
    if (auto made = files::make_directories(path_ + "/" + kBlobs, 0700); !made) return fail(made);
    auto directory = files::open_at(directory_.get(), kBlobs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) return fail(directory);
    auto read = read_index();
    if (!read) return fail(read);
    for (const Digest& blob : additions->blobs)
        if (auto moved = ingest.publish(blob, directory->get()); !moved)
            return uncommitted(ingest, moved.error());
    if (::fsync(directory->get()) != 0)
        return uncommitted(ingest, fail_errno(errno, "write 'blobs' to the disk").error());

    std::vector<std::string> notes = name_images(read->index, std::move(additions->entries), images);
    if (auto written = write_index(read->index); !written) return uncommitted(ingest, written.error());
    return notes;
}

// What was published and is named by no image after all goes again: now, or with the next command on images.
std::unexpected<Error> Store::uncommitted(Ingest& ingest, const Error& error) const {
    auto now = read_index();
    if (!now || !collect(now->index)) ingest.leave_behind();
    return std::unexpected<Error>(error);
}

Result<RemoveReport> Store::remove(std::string_view text, Force force) {
    auto lock = lock_content(directory_.get());
    if (!lock) return fail(lock);
    if (auto taken = take_leftovers_away(); !taken) return fail(taken);
    auto read = read_index();
    if (!read) return fail(read);
    auto manifest = resolve(read->index, text);
    if (!manifest) return fail(manifest);
    const auto entry = std::ranges::find(read->index.entries, *manifest, &IndexEntry::manifest);
    const std::string id = id_of(*entry).value_or(manifest->hex()); // a damaged image must go too
    const std::vector<std::string> names = read->index.references_of(*manifest);
    const auto reference = parse_reference(text);
    const bool by_name =
        reference && reference->digest.empty() && std::ranges::find(names, reference->key()) != names.end();
    RemoveReport report;
    if (by_name && names.size() > 1) {
        read->index.remove_reference(reference->key());
        report.untagged.push_back(reference->familiar());
    } else {
        if (names.size() > 1 && force == Force::no)
            return fail(Code::busy, "image " + id.substr(0, kShortId) + " has several names (" +
                                        familiar_name(names[0]) + ", " + familiar_name(names[1]) +
                                        (names.size() > 2 ? ", …" : "") +
                                        "); remove them one by one, or use --force");
        for (const std::string& name : names)
            report.untagged.push_back(familiar_name(name));
        report.removed.push_back(id);
        read->index.remove_manifest(*manifest);
    }
    auto ingest = Ingest::begin(directory_.get());
    if (!ingest) return fail(ingest);
    if (auto written = write_index(read->index); !written) {
        ingest->leave_behind(); // The index may be the new one for all that: the next command collects.
        return fail(written);
    }
    if (report.removed.empty()) return report;
    auto freed = collect(read->index);
    if (freed) report.freed = *freed;
    if (!freed) {
        report.notes.push_back("unused blobs stay for now: " + describe(freed.error()));
        ingest->leave_behind();
    }
    return report;
}

// The store's lock must be held: then every blob that is wanted is named by the index.
Result<std::uint64_t> Store::collect(const IndexFile& index) const {
    std::set<std::string> used;
    for (const IndexEntry& entry : index.entries) {
        if (entry.manifest.empty()) continue;
        auto text = read_blob(entry.manifest, kMaxManifestBytes);
        // What a damaged manifest names is not known: nothing may go until it is removed.
        if (!text) return fail(text);
        auto blobs = blobs_of(entry.manifest, *text);
        if (!blobs) return fail(blobs);
        for (const Digest& blob : *blobs)
            used.insert(blob.hex());
    }
    auto directory = files::open_at(directory_.get(), kBlobs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory)
        return directory.error().code == Code::not_found ? Result<std::uint64_t>(0) : fail(directory);
    auto entries = files::list_directory(directory->get(), kBlobs);
    if (!entries) return fail(entries);
    std::uint64_t freed = 0;
    for (const auto& entry : *entries) {
        if (used.contains(entry.name)) continue;
        struct stat status{};
        if (::fstatat(directory->get(), entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return fail_errno(errno, "look at blob " + shown(entry.name));
        if (auto removed = files::remove_tree(directory->get(), entry.name); !removed) return fail(removed);
        freed += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
    return freed;
}

Result<std::uint64_t> Store::sweep() {
    auto lock = lock_content(directory_.get());
    if (!lock) return fail(lock);
    if (auto taken = take_leftovers_away(); !taken) return fail(taken);
    auto read = read_index();
    if (!read) return fail(read);
    return collect(read->index);
}

// Every change of the store is made within an ingest, so that one without an owner says that a change was
// cut off, and that there may be blobs without an image and a half index beside the index.
Status Store::take_leftovers_away() const {
    const auto abandoned = Ingest::list_abandoned(directory_.get());
    if (!abandoned) return fail(abandoned);
    if (abandoned->empty()) return {};
    auto entries = files::list_directory(directory_.get(), path_);
    if (!entries) return fail(entries);
    for (const auto& entry : *entries)
        if (entry.name.find(".tmp.") != std::string::npos)
            if (auto removed = files::remove_tree(directory_.get(), entry.name); !removed) return removed;
    auto read = read_index();
    if (!read) return fail(read);
    // Blobs that cannot be told from used ones stay until the damaged image is removed. What failed for
    // another reason the next command can do: the mark stays for it.
    if (auto freed = collect(read->index); !freed && !is_damage(freed.error())) return {};
    // Last: they are what says that there is something to do.
    return Ingest::remove_abandoned(directory_.get(), *abandoned);
}

Status Store::settle() const {
    // Whose owner lives is told apart under the lock only; that nothing is there needs none.
    const auto any = Ingest::has_any(directory_.get());
    if (!any) return fail(any);
    if (!*any) return {};
    auto lock = lock_content(directory_.get());
    if (!lock) return fail(lock);
    return take_leftovers_away();
}

Result<Ingest> Store::begin_ingest() const {
    auto lock = lock_content(directory_.get());
    if (!lock) return fail(lock);
    if (auto taken = take_leftovers_away(); !taken) return fail(taken);
    return Ingest::begin(directory_.get());
}

} // namespace mydocker::image
