// OCI and docker documents that describe images: index, manifest, configuration. Bytes in, values
// out, limits before anything is kept; ambiguous or unknown documents are refused in words. Pure.
// Source: OCI image-spec 1.1; docker's image manifest v2, schema 2.
#pragma once

#include "image/digest.hpp"
#include "image/image.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::image {

inline constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{4} << 20U;
inline constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{8} << 20U;
inline constexpr std::size_t kMaxLayers = 128;

namespace media {
inline constexpr std::string_view kIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kLayer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";

[[nodiscard]] bool is_index(std::string_view type);
[[nodiscard]] bool is_manifest(std::string_view type);
} // namespace media

// A pointer to a blob. Source: OCI image-spec, descriptor.md.
struct Descriptor {
    std::string media_type;
    Digest digest;
    std::uint64_t size = 0;
    std::vector<std::pair<std::string, std::string>> annotations;
    std::string os; // of its platform; empty: not said
    std::string architecture;

    [[nodiscard]] std::string_view annotation(std::string_view key) const;
};

struct Index {
    std::vector<Descriptor> manifests;
};

struct Manifest {
    std::string media_type = std::string(media::kManifest);
    Descriptor config;
    std::vector<Descriptor> layers;
};

// What the configuration says of layers, and what it asks for.
struct ConfigDocument {
    ImageConfig config;
    std::vector<Digest> diff_ids;
    std::vector<std::string> notes; // oddities that do no harm
};

// Errors of all three: corrupt, for what cannot be read or understood; unsupported, for schema 1,
// unknown media types and things that are no container image; invalid over a limit.
[[nodiscard]] Result<Index> parse_index(std::string_view text);
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view text);
[[nodiscard]] Result<ConfigDocument> parse_config(std::string_view text);

// Which manifest of an index this machine runs: linux and its own architecture, the first that fits;
// the only one there is, if its platform is not said. Errors: not_found, naming what there is.
[[nodiscard]] Result<Descriptor> choose_platform(const Index& index, std::string_view architecture);
// The OCI name (GOARCH) of the architecture this program is built for.
[[nodiscard]] std::string_view host_architecture();

// Layers and configuration fitted together, with chain ids. Errors: corrupt when their numbers differ.
[[nodiscard]] Result<Image> assemble(const Digest& manifest_digest, const Manifest& manifest,
                                     ConfigDocument config);

// A manifest and a configuration of our own making, as JSON.
[[nodiscard]] std::string to_json(const Manifest& manifest);
[[nodiscard]] std::string to_json(const ImageConfig& config, const std::vector<Digest>& diff_ids);

} // namespace mydocker::image
