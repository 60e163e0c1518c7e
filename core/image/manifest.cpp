#include "image/manifest.hpp"

#include "base/json.hpp"
#include "image/entry_path.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace mydocker::image {

namespace media {

bool is_index(std::string_view type) {
    return type == kIndex || type == kDockerList;
}

bool is_manifest(std::string_view type) {
    return type == kManifest || type == kDockerManifest;
}

} // namespace media

namespace {

constexpr std::array kLayerTypes = {
    media::kLayer,
    media::kLayerGzip,
    media::kLayerZstd,
    std::string_view("application/vnd.oci.image.layer.nondistributable.v1.tar"),
    std::string_view("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
    std::string_view("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"),
    std::string_view("application/vnd.docker.image.rootfs.diff.tar"),
    std::string_view("application/vnd.docker.image.rootfs.diff.tar.gzip"),
    std::string_view("application/vnd.docker.image.rootfs.diff.tar.zstd"),
    std::string_view("application/vnd.docker.image.rootfs.foreign.diff.tar"),
    std::string_view("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
};
constexpr std::array kConfigTypes = {
    media::kConfig,
    std::string_view("application/vnd.docker.container.image.v1+json"),
};
constexpr std::size_t kMaxIndexEntries = 100'000;

std::unexpected<Error> wrong(std::string_view key, std::string_view what) {
    return fail(Code::corrupt, "member '" + std::string(key) + "' " + std::string(what));
}

// A member that may be absent or null.
const json::Value* member(const json::Value& object, std::string_view key) {
    const json::Value* value = object.find(key);
    return value != nullptr && !value->is_null() ? value : nullptr;
}

Result<std::string> text_or_empty(const json::Value& object, std::string_view key) {
    const json::Value* value = member(object, key);
    if (value == nullptr) return std::string();
    if (const std::string* text = value->if_string()) return *text;
    return wrong(key, "is no text");
}

Result<json::Value> parse_document(std::string_view text, std::uint64_t limit) {
    auto root = json::parse(text, {.bytes = static_cast<std::size_t>(limit), .depth = 32});
    if (!root) return fail(root);
    if (root->if_object() == nullptr) return fail(Code::corrupt, "is no JSON object");
    return root;
}

Status read_annotations(const json::Value& object, Descriptor& to) {
    const json::Value* value = member(object, "annotations");
    if (value == nullptr) return {};
    const json::Object* members = value->if_object();
    if (members == nullptr) return wrong("annotations", "is no object");
    for (const auto& [key, item] : *members)
        if (const std::string* text = item.if_string()) to.annotations.emplace_back(key, *text);
    return {};
}

Result<Descriptor> read_descriptor(const json::Value& object) {
    Descriptor descriptor;
    auto type = text_or_empty(object, "mediaType");
    if (!type) return fail(type);
    descriptor.media_type = std::move(*type);
    auto digest_text = json::get_string(object, "digest");
    if (!digest_text) return fail(digest_text);
    auto digest = Digest::parse(*digest_text);
    if (!digest) return fail(Code::corrupt, digest.error().text);
    descriptor.digest = std::move(*digest);
    auto size = json::get_uint(object, "size");
    if (!size) return fail(size);
    descriptor.size = *size;
    if (auto read = read_annotations(object, descriptor); !read) return fail(read);
    if (const json::Value* platform = member(object, "platform")) {
        descriptor.os = text_or_empty(*platform, "os").value_or("");
        descriptor.architecture = text_or_empty(*platform, "architecture").value_or("");
    }
    return descriptor;
}

// CVE-2021-41190: a document that is a manifest to one reader and an index to another.
Status check_kind(const json::Value& root, bool as_index) {
    const auto version = json::get_uint(root, "schemaVersion");
    if (version && *version == 1)
        return fail(Code::unsupported, "is written in schema 1, which is not read; save the image anew "
                                       "with a current docker or podman");
    if (!version || *version != 2) return wrong("schemaVersion", "is not 2");
    const bool has_manifests = root.find("manifests") != nullptr;
    const bool has_content = root.find("layers") != nullptr || root.find("config") != nullptr;
    if (has_manifests && has_content)
        return fail(Code::corrupt,
                    "is a manifest and an index at once (it has both 'manifests' and 'layers')");
    if (root.find("fsLayers") != nullptr) return fail(Code::corrupt, "mixes schema 1 with schema 2");
    auto type = text_or_empty(root, "mediaType");
    if (!type) return fail(type);
    if (type->empty()) return {};
    const bool fits = as_index ? media::is_index(*type) : media::is_manifest(*type);
    if (!fits)
        return fail(Code::corrupt, "says it is " + shown(*type) + ", but is used as " +
                                       (as_index ? "an index" : "a manifest"));
    return {};
}

bool is_one_of(std::string_view type, std::span<const std::string_view> known) {
    return std::ranges::find(known, type) != known.end();
}

} // namespace

std::string_view Descriptor::annotation(std::string_view key) const {
    const auto found = std::ranges::find(annotations, key, [](const auto& item) { return item.first; });
    return found == annotations.end() ? std::string_view() : std::string_view(found->second);
}

Result<Index> parse_index(std::string_view text) {
    auto root = parse_document(text, kMaxManifestBytes);
    if (!root) return fail(root);
    if (auto kind = check_kind(*root, true); !kind) return fail(kind);
    const json::Value* manifests = root->find("manifests");
    const json::Array* list = manifests != nullptr ? manifests->if_array() : nullptr;
    if (list == nullptr) return wrong("manifests", "is no list");
    if (list->size() > kMaxIndexEntries) return fail(Code::invalid, "lists more than 100000 manifests");
    Index index;
    for (const json::Value& item : *list) {
        auto descriptor = read_descriptor(item);
        if (!descriptor) return fail(descriptor, "manifests");
        index.manifests.push_back(std::move(*descriptor));
    }
    return index;
}

Result<Manifest> parse_manifest(std::string_view text) {
    auto root = parse_document(text, kMaxManifestBytes);
    if (!root) return fail(root);
    if (auto kind = check_kind(*root, false); !kind) return fail(kind);
    const json::Value* config = member(*root, "config");
    if (config == nullptr) return wrong("config", "is missing");
    Manifest manifest;
    if (auto type = text_or_empty(*root, "mediaType"); type && !type->empty()) manifest.media_type = *type;
    auto descriptor = read_descriptor(*config);
    if (!descriptor) return fail(descriptor, "config");
    if (!is_one_of(descriptor->media_type, kConfigTypes))
        return fail(Code::unsupported,
                    "is no container image (its config is " + shown(descriptor->media_type) + ")");
    if (descriptor->size > kMaxConfigBytes)
        return fail(Code::invalid, "its config of " + std::to_string(descriptor->size) +
                                       " bytes is over the limit of " + std::to_string(kMaxConfigBytes));
    manifest.config = std::move(*descriptor);
    const json::Value* layers = member(*root, "layers");
    const json::Array* list = layers != nullptr ? layers->if_array() : nullptr;
    if (list == nullptr || list->empty()) return fail(Code::corrupt, "has no layers");
    if (list->size() > kMaxLayers)
        return fail(Code::invalid, "has " + std::to_string(list->size()) + " layers, more than " +
                                       std::to_string(kMaxLayers));
    for (const json::Value& item : *list) {
        auto layer = read_descriptor(item);
        if (!layer) return fail(layer, "layers");
        if (!is_one_of(layer->media_type, kLayerTypes))
            return fail(Code::unsupported, "a layer has the unknown type " + shown(layer->media_type));
        manifest.layers.push_back(std::move(*layer));
    }
    return manifest;
}

std::string_view host_architecture() {
#if defined(__x86_64__)
    return "amd64";
#elif defined(__aarch64__)
    return "arm64";
#elif defined(__arm__)
    return "arm";
#elif defined(__i386__)
    return "386";
#elif defined(__riscv) && __riscv_xlen == 64
    return "riscv64";
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return "ppc64le";
#elif defined(__s390x__)
    return "s390x";
#else
    return "unknown";
#endif
}

Result<Descriptor> choose_platform(const Index& index, std::string_view architecture) {
    std::string known;
    for (const Descriptor& descriptor : index.manifests) {
        if (descriptor.os == "linux" && descriptor.architecture == architecture) return descriptor;
        if (descriptor.os == "unknown") continue; // buildkit's attestations
        if (!known.empty()) known += ", ";
        known += descriptor.os.empty() ? "unnamed" : descriptor.os + "/" + descriptor.architecture;
    }
    if (index.manifests.size() == 1 && index.manifests.front().os.empty()) return index.manifests.front();
    return fail(Code::not_found, "holds no image for linux/" + std::string(architecture) +
                                     (known.empty() ? "" : "; there are: " + shown(known)));
}

Result<Image> assemble(const Digest& manifest_digest, const Manifest& manifest, ConfigDocument config) {
    if (config.diff_ids.size() != manifest.layers.size())
        return fail(Code::corrupt, "the manifest lists " + std::to_string(manifest.layers.size()) +
                                       " layers, the config " + std::to_string(config.diff_ids.size()));
    Image image;
    image.id = manifest.config.digest.hex();
    image.manifest = manifest_digest;
    image.config = std::move(config.config);
    Digest chain;
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
        const Descriptor& layer = manifest.layers[i];
        image.layers.push_back({layer.digest, config.diff_ids[i], layer.media_type, layer.size});
        // Source: OCI image-spec, config.md, "Layer ChainID".
        auto next = i == 0 ? Result<Digest>(config.diff_ids[0])
                           : digest_of(chain.str() + " " + config.diff_ids[i].str());
        if (!next) return fail(next);
        chain = std::move(*next);
        image.chain.emplace_back(chain.hex());
    }
    return image;
}

std::string to_json(const Manifest& manifest) {
    const auto describe_blob = [](const Descriptor& descriptor) {
        json::Value value;
        value.set("mediaType", descriptor.media_type);
        value.set("digest", descriptor.digest.str());
        value.set("size", descriptor.size);
        return value;
    };
    json::Value root;
    root.set("schemaVersion", 2);
    root.set("mediaType", manifest.media_type);
    root.set("config", describe_blob(manifest.config));
    json::Value layers{json::Array{}};
    for (const Descriptor& layer : manifest.layers)
        layers.push(describe_blob(layer));
    root.set("layers", std::move(layers));
    return json::dump(root);
}

} // namespace mydocker::image
