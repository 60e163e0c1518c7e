// The content store: images of every kind as an OCI image layout, belonging to no driver. Reads take
// no lock; changes are one locked step each, atomic and durable. Not for unpacking (ensure.hpp).
//
//   <root>/content/
//   ├── oci-layout, index.json      Source: OCI image-spec, image-layout.md
//   ├── blobs/sha256/<hex>
//   ├── ingest/<random>/            loads under way (ingest.hpp)
//   ├── cache/                      answers of find() (image_cache.hpp)
//   └── lock                        held while index.json or blobs/ change
#pragma once

#include "image/image.hpp"
#include "image/index_file.hpp"
#include "image/ingest.hpp"
#include "image/reference.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::image {

// An image that is to join the store; its blobs are in the ingest.
struct NewImage {
    Digest manifest;
    std::vector<std::string> references; // keys; none: it stays without a name
};

// One image of the list; a damaged one is an error of its own.
struct ListedImage {
    Digest manifest;
    std::vector<std::string> references; // keys
    Result<Image> image;
};

enum class Force : std::uint32_t { no, yes };

struct RemoveReport {
    std::vector<std::string> untagged; // familiar names
    std::vector<std::string> removed;  // ids
    std::uint64_t freed = 0;           // bytes
    std::vector<std::string> notes;
};

class Store {
  public:
    // Makes the directory if it is not there. Again: succeeds. Errors: denied, no_space;
    // unsupported when the layout is of another version.
    [[nodiscard]] static Result<Store> open(const std::string& directory);

    // By name ("busybox", "busybox:1.36", "name@sha256:…"), by id or by the unique beginning of one.
    // Errors: not_found; invalid for what is neither; conflict when the beginning fits several;
    // corrupt when the image is damaged.
    [[nodiscard]] Result<Image> find(std::string_view text) const;

    [[nodiscard]] Result<std::vector<ListedImage>> list() const;

    // Gives an image one more name. Returns a note when another image lost it.
    [[nodiscard]] Result<std::string> tag(std::string_view source, const Reference& name);

    // By name: takes the name away, and the image with the last one. By id: removes the image; with
    // several names only with Force::yes. Blobs that no image uses are deleted. Works on a full disk.
    // Errors: as find(); busy when an id has several names.
    [[nodiscard]] Result<RemoveReport> remove(std::string_view text, Force force = Force::no);

    // Errors: not_found.
    [[nodiscard]] Result<UniqueFd> open_blob(const Digest& digest) const;
    // The whole of a small blob, its digest checked. Errors: corrupt, not_found, invalid over the limit.
    [[nodiscard]] Result<std::string> read_blob(const Digest& digest, std::uint64_t limit) const;

    // For what brings new images.
    [[nodiscard]] Result<Ingest> begin_ingest() const;
    // Moves the blobs of the images in and names them: all of it or nothing.
    // Returns notes: names that other images lost.
    [[nodiscard]] Result<std::vector<std::string>> commit(Ingest& ingest,
                                                          const std::vector<NewImage>& images);

    // Deletes what killed loads left, and blobs that no image uses. Returns the bytes freed.
    [[nodiscard]] Result<std::uint64_t> sweep();

    // The store's directory, for a lock of one's own beside it.
    [[nodiscard]] int directory() const { return directory_.get(); }

  private:
    Store(std::string path, UniqueFd directory) : path_(std::move(path)), directory_(std::move(directory)) {}

    struct ReadIndex;
    [[nodiscard]] Result<ReadIndex> read_index() const;
    [[nodiscard]] Status write_index(const IndexFile& index);
    [[nodiscard]] Result<Digest> resolve(const IndexFile& index, std::string_view text) const;
    [[nodiscard]] Result<Image> load_image(const IndexFile& index, const Digest& manifest) const;
    [[nodiscard]] Result<std::string> id_of(const IndexEntry& entry) const;
    [[nodiscard]] Result<std::uint64_t> collect(const IndexFile& index) const;
    [[nodiscard]] std::unexpected<Error> uncommitted(Ingest& ingest, const Error& error) const;
    [[nodiscard]] Status settle() const;
    [[nodiscard]] Status take_leftovers_away() const;

    std::string path_;
    UniqueFd directory_;
};

} // namespace mydocker::image
