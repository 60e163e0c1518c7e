#include "image/blob_supply.hpp"

#include "image/entry_path.hpp"
#include "image/index_file.hpp"

#include <sys/stat.h>

namespace mydocker::image {

namespace {

constexpr int kMaxIndexDepth = 4;

Status require_blob(BlobSupply& supply, const Ingest& ingest, const Descriptor& descriptor) {
    if (auto there = supply.require(descriptor.digest); !there) return there;
    auto fd = ingest.open(descriptor.digest);
    if (!fd) return fail(fd);
    struct stat status{};
    if (::fstat(fd->get(), &status) != 0) return fail_errno(errno, "look at blob " + descriptor.digest.str());
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size == descriptor.size) return {};
    return fail(Code::corrupt, "blob " + descriptor.digest.str() + " has " + std::to_string(size) +
                                   " bytes, not " + std::to_string(descriptor.size));
}

Result<std::string> take_document(BlobSupply& supply, const Ingest& ingest, const Descriptor& descriptor,
                                  std::uint64_t limit) {
    if (descriptor.size > limit)
        return fail(Code::invalid, "blob " + descriptor.digest.str() + " of " +
                                       std::to_string(descriptor.size) + " bytes is over the limit of " +
                                       std::to_string(limit));
    if (auto there = require_blob(supply, ingest, descriptor); !there) return fail(there);
    return ingest.read(descriptor.digest, limit);
}

// A plain layer's digest is its diff id; of a compressed one that is seen when it is unpacked.
Status check_layers(const Image& image) {
    for (const ImageLayer& layer : image.layers) {
        const bool plain = layer.media_type.ends_with(".tar");
        if (plain && layer.digest != layer.diff_id)
            return fail(Code::corrupt, "layer " + layer.digest.str() + " has diff id " + layer.diff_id.str() +
                                           " in the config");
    }
    return {};
}

Result<TakenImage> take_manifest(BlobSupply& supply, const Ingest& ingest, const Descriptor& descriptor) {
    auto text = take_document(supply, ingest, descriptor, kMaxManifestBytes);
    if (!text) return fail(text);
    const std::string clause = "manifest " + descriptor.digest.str();
    auto manifest = parse_manifest(*text);
    if (!manifest) return fail(manifest, clause);
    auto config_text = take_document(supply, ingest, manifest->config, kMaxConfigBytes);
    if (!config_text) return fail(config_text);
    auto config = parse_config(*config_text);
    if (!config) return fail(config, "config " + manifest->config.digest.str());
    TakenImage taken{descriptor.digest, manifest->config.digest.hex(), std::move(config->notes)};
    if (!config->config.architecture.empty() && config->config.architecture != host_architecture())
        taken.notes.push_back("the image is for " + shown(config->config.architecture) +
                              ", this machine is " + std::string(host_architecture()));
    auto image = assemble(descriptor.digest, *manifest, std::move(*config));
    if (!image) return fail(image, clause);
    for (const Descriptor& layer : manifest->layers)
        if (auto there = require_blob(supply, ingest, layer); !there) return fail(there);
    if (auto right = check_layers(*image); !right) return fail(right);
    return taken;
}

// Which entries of an index.json are meant for this machine.
std::vector<Descriptor> entries_for_host(const Index& index) {
    std::vector<Descriptor> fitting;
    for (const Descriptor& entry : index.manifests) {
        const bool any = entry.os.empty() || media::is_index(entry.media_type);
        if (any || (entry.os == "linux" && entry.architecture == host_architecture()))
            fitting.push_back(entry);
    }
    return fitting;
}

// docker and containerd write the whole name into an annotation of their own, and the tag alone into
// the standard one.
Result<std::string> name_of(const Descriptor& entry) {
    std::string_view name = entry.annotation(kContainerdAnnotation);
    if (name.empty()) name = entry.annotation(kReferenceAnnotation);
    if (name.empty()) return std::string();
    auto reference = parse_reference(name);
    if (!reference) return fail(reference);
    if (reference->tag.empty()) return std::string();
    return reference->key();
}

} // namespace

Result<TakenImage> take_image(BlobSupply& supply, const Ingest& ingest, const Descriptor& descriptor) {
    Descriptor at = descriptor;
    for (int depth = 0; depth < kMaxIndexDepth; ++depth) {
        if (media::is_manifest(at.media_type)) return take_manifest(supply, ingest, at);
        if (!media::is_index(at.media_type))
            return fail(Code::unsupported, at.digest.str() + " has the unknown type " + shown(at.media_type));
        auto text = take_document(supply, ingest, at, kMaxManifestBytes);
        if (!text) return fail(text);
        auto index = parse_index(*text);
        if (!index) return fail(index, "index " + at.digest.str());
        auto chosen = choose_platform(*index, host_architecture());
        if (!chosen) return fail(chosen, "index " + at.digest.str());
        at = std::move(*chosen);
    }
    return fail(Code::invalid, "indexes are nested too deeply");
}

Result<TakenIndex> take_index(BlobSupply& supply, const Ingest& ingest, std::string_view text) {
    auto index = parse_index(text);
    if (!index) return fail(index, "index.json");
    if (index->manifests.empty()) return fail(Code::corrupt, "index.json lists no image");
    const std::vector<Descriptor> entries = entries_for_host(*index);
    if (entries.empty()) {
        auto none = choose_platform(*index, host_architecture());
        if (!none) return fail(none, "index.json");
    }
    TakenIndex taken;
    for (const Descriptor& entry : entries) {
        auto name = name_of(entry);
        if (!name) return fail(name);
        auto image = take_image(supply, ingest, entry);
        if (!image) return fail(image);
        NewImage added{image->manifest, {}};
        if (!name->empty()) added.references.push_back(*name);
        taken.loaded.push_back(name->empty() ? "sha256:" + image->id : familiar_name(*name));
        taken.images.push_back(std::move(added));
        taken.notes.insert(taken.notes.end(), image->notes.begin(), image->notes.end());
    }
    return taken;
}

} // namespace mydocker::image
