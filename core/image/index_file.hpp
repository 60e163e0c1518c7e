// index.json of the content store as values: which manifests there are and under which references.
// What others wrote into it (members, annotations) is kept. Pure: bytes in, bytes out.
// Source: OCI image-spec, image-layout.md and annotations.md.
#pragma once

#include "base/json.hpp"
#include "image/digest.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::image {

inline constexpr std::string_view kReferenceAnnotation = "org.opencontainers.image.ref.name";
inline constexpr std::string_view kContainerdAnnotation = "io.containerd.image.name";
// The image's id beside its manifest, so that a look-up by id reads no manifests.
inline constexpr std::string_view kIdAnnotation = "io.mydocker.image.id";

struct IndexEntry {
    Digest manifest;       // empty: an entry that cannot be understood; it is only kept
    std::string reference; // a key; empty: the image has no name
    std::string id;        // 64 hex digits; empty: not said
    json::Value raw;       // the entry as it stands in the file
};

struct IndexFile {
    std::vector<IndexEntry> entries;

    // Gives the manifest the name; whatever had it before stays without. Returns the id of the image
    // that lost the name to another one, else nothing ("").
    std::string set_reference(const IndexEntry& entry);
    // Takes the name away; the manifest stays in the index.
    void remove_reference(std::string_view reference);
    void remove_manifest(const Digest& manifest);
    [[nodiscard]] std::vector<std::string> references_of(const Digest& manifest) const;
};

// Errors: corrupt, saying where.
[[nodiscard]] Result<IndexFile> parse_index_file(std::string_view text);
[[nodiscard]] std::string to_text(const IndexFile& index);

// An entry for a manifest of `size` bytes.
[[nodiscard]] IndexEntry make_index_entry(const Digest& manifest, std::uint64_t size,
                                          std::string_view media_type, std::string id);

} // namespace mydocker::image
