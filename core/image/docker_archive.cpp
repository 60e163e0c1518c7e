// docker archives (`docker save`): manifest.json names a config and layers by their paths in the
// archive. The paths are keys into what was spooled and nothing else. Source: docker image
// specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
#include "base/json.hpp"
#include "image/archive_files.hpp"
#include "image/entry_path.hpp"

#include <set>
#include <unistd.h>

namespace mydocker::image {

namespace {

constexpr std::size_t kMaxImages = 10'000;

Result<std::string_view> media_type_of(const Ingest& ingest, const Digest& digest) {
    auto fd = ingest.open(digest);
    if (!fd) return fail(fd);
    char first[8] = {};
    const ssize_t count = ::pread(fd->get(), first, sizeof first, 0);
    if (count < 0) return fail_errno(errno, "read blob " + digest.str());
    auto compression = sniff_compression(std::string_view(first, static_cast<std::size_t>(count)));
    if (!compression) return fail(compression, "layer " + digest.str());
    if (*compression == Compression::gzip) return media::kLayerGzip;
    if (*compression == Compression::zstd) return media::kLayerZstd;
    return media::kLayer;
}

struct DockerImage {
    std::string config;
    std::vector<std::string> tags; // keys
    std::vector<std::string> layers;
};

Result<DockerImage> read_image(const json::Value& object) {
    DockerImage image;
    auto config = json::get_string(object, "Config");
    if (!config) return fail(config, "manifest.json");
    image.config = std::move(*config);
    auto layers = json::get_strings(object, "Layers");
    if (!layers) return fail(layers, "manifest.json");
    image.layers = std::move(*layers);
    if (image.layers.empty()) return fail(Code::corrupt, "manifest.json: an image has no layers");
    if (image.layers.size() > kMaxLayers)
        return fail(Code::invalid, "manifest.json: an image has " + std::to_string(image.layers.size()) +
                                       " layers, more than " + std::to_string(kMaxLayers));
    const json::Value* tags = object.find("RepoTags");
    if (tags == nullptr || tags->is_null()) return image;
    auto names = json::get_strings(object, "RepoTags");
    if (!names) return fail(names, "manifest.json");
    for (const std::string& name : *names) {
        auto reference = parse_reference(name);
        if (!reference) return fail(reference, "manifest.json");
        if (!reference->tag.empty()) image.tags.push_back(reference->key());
    }
    return image;
}

Result<Manifest> make_manifest(const DockerImage& image, const ArchiveFiles& files, const Ingest& ingest) {
    auto config = files.find(image.config);
    if (!config) return fail(config);
    if (config->size > kMaxConfigBytes)
        return fail(Code::invalid, "config " + shown(image.config) + " of " + std::to_string(config->size) +
                                       " bytes is over the limit");
    Manifest manifest;
    manifest.config.media_type = media::kConfig;
    manifest.config.digest = config->digest;
    manifest.config.size = config->size;
    for (const std::string& path : image.layers) {
        auto blob = files.find(path);
        if (!blob) return fail(blob);
        auto type = media_type_of(ingest, blob->digest);
        if (!type) return fail(type);
        Descriptor& layer = manifest.layers.emplace_back();
        layer.media_type = *type;
        layer.digest = blob->digest;
        layer.size = blob->size;
    }
    return manifest;
}

class InIngest final : public BlobSupply {
  public:
    explicit InIngest(const Ingest& ingest) : ingest_(ingest) {}
    [[nodiscard]] Status require(const Digest& digest) override {
        return ingest_.has(digest) ? Status{} : fail(Code::not_found, "blob " + digest.str() + " is missing");
    }

  private:
    const Ingest& ingest_;
};

// The manifest is ours to write: the archive has none.
Result<TakenImage> take_one(const DockerImage& image, const ArchiveFiles& files, Ingest& ingest) {
    auto manifest = make_manifest(image, files, ingest);
    if (!manifest) return fail(manifest);
    auto blob = ingest.add(to_json(*manifest));
    if (!blob) return fail(blob);
    Descriptor descriptor;
    descriptor.media_type = media::kManifest;
    descriptor.digest = blob->digest;
    descriptor.size = blob->size;
    InIngest supply(ingest);
    return take_image(supply, ingest, descriptor);
}

} // namespace

Result<TakenIndex> take_docker_archive(const ArchiveFiles& files, Ingest& ingest) {
    auto blob = files.find("manifest.json");
    if (!blob) return fail(blob);
    auto text = ingest.read(blob->digest, kMaxManifestBytes);
    if (!text) return fail(text, "manifest.json");
    auto root = json::parse(*text, {.bytes = static_cast<std::size_t>(kMaxManifestBytes), .depth = 16});
    if (!root) return fail(root, "manifest.json");
    const json::Array* list = root->if_array();
    if (list == nullptr || list->empty()) return fail(Code::corrupt, "manifest.json lists no image");
    if (list->size() > kMaxImages) return fail(Code::invalid, "manifest.json lists too many images");
    TakenIndex taken;
    std::set<std::string> seen;
    for (const json::Value& item : *list) {
        auto image = read_image(item);
        if (!image) return fail(image);
        auto one = take_one(*image, files, ingest);
        if (!one) return fail(one);
        for (const std::string& tag : image->tags) {
            if (!seen.insert(tag).second)
                taken.notes.push_back("two images of the archive are named " + familiar_name(tag) +
                                      ": the last one has it");
            taken.loaded.push_back(familiar_name(tag));
        }
        if (image->tags.empty()) taken.loaded.push_back("sha256:" + one->id);
        taken.notes.insert(taken.notes.end(), one->notes.begin(), one->notes.end());
        taken.images.push_back({one->manifest, std::move(image->tags)});
    }
    return taken;
}

} // namespace mydocker::image
