#include "image/derive.hpp"

#include "base/json.hpp"
#include "image/config_asked.hpp"
#include "image/manifest.hpp"

#include <algorithm>

namespace mydocker::image {

namespace {

json::Value* find_member(json::Value& object, std::string_view key) {
    json::Object* members = object.if_object();
    if (members == nullptr) return nullptr;
    const auto found = std::ranges::find(*members, key, [](const auto& member) { return member.first; });
    return found == members->end() ? nullptr : &found->second;
}

// Replaces the member or adds it.
json::Value& put(json::Value& object, std::string_view key, json::Value value) {
    if (json::Value* known = find_member(object, key)) {
        *known = std::move(value);
        return *known;
    }
    object.set(std::string(key), std::move(value));
    return *find_member(object, key);
}

// The member as an object or list of its own, made if it is not there.
json::Value& open_member(json::Value& object, std::string_view key, json::Value empty) {
    json::Value* known = find_member(object, key);
    if (known != nullptr && !known->is_null()) return *known;
    return put(object, key, std::move(empty));
}

// What the new configuration asks for, in the members that it knows; others stay.
Status set_asked(json::Value& root, const ConfigEdit& edit) {
    json::Value& asked = open_member(root, "config", json::Object{});
    if (asked.if_object() == nullptr) return fail(Code::corrupt, "member 'config' is no object");
    constexpr std::string_view kOurs[] = {"User",   "ExposedPorts", "Env",        "Entrypoint",
                                          "Cmd",    "Volumes",      "WorkingDir", "StopSignal",
                                          "Labels", "Healthcheck"};
    std::erase_if(*asked.if_object(), [&](const auto& member) {
        return std::ranges::find(kOurs, member.first) != std::ranges::end(kOurs);
    });
    json::Value ours = asked_json(edit.config);
    for (auto& [key, value] : *ours.if_object())
        asked.set(key, std::move(value));
    if (edit.on_build.empty()) return {};
    json::Value& triggers = open_member(asked, "OnBuild", json::Array{});
    if (triggers.if_array() == nullptr) return fail(Code::corrupt, "member 'OnBuild' is no list");
    for (const std::string& trigger : edit.on_build)
        triggers.push(trigger);
    return {};
}

Status add_layer(json::Value& root, const Digest& diff_id) {
    json::Value* rootfs = find_member(root, "rootfs");
    json::Value* ids = rootfs != nullptr ? find_member(*rootfs, "diff_ids") : nullptr;
    if (ids == nullptr || ids->if_array() == nullptr)
        return fail(Code::corrupt, "member 'rootfs.diff_ids' is no list");
    ids->push(diff_id.str());
    return {};
}

Status add_history(json::Value& root, const Derivation& derivation) {
    json::Value entry{json::Object{}};
    entry.set("created", derivation.created);
    if (!derivation.created_by.empty()) entry.set("created_by", derivation.created_by);
    if (!derivation.author.empty()) entry.set("author", derivation.author);
    if (!derivation.comment.empty()) entry.set("comment", derivation.comment);
    json::Value& history = open_member(root, "history", json::Array{});
    if (history.if_array() == nullptr) return fail(Code::corrupt, "member 'history' is no list");
    history.push(std::move(entry));
    return {};
}

// docker's own names for the same bytes are not for OCI manifests.
std::string oci_media_type(const std::string& type) {
    if (!type.starts_with("application/vnd.docker.image.rootfs.diff.tar")) return type;
    if (type.ends_with(".gzip")) return std::string(media::kLayerGzip);
    return std::string(type.ends_with(".zstd") ? media::kLayerZstd : media::kLayer);
}

Manifest make_manifest(const Image& base, const Blob& config, const Blob& layer) {
    Manifest manifest;
    const auto descriptor = [](std::string_view type, const Digest& digest, std::uint64_t size) {
        Descriptor made;
        made.media_type = type;
        made.digest = digest;
        made.size = size;
        return made;
    };
    manifest.config = descriptor(media::kConfig, config.digest, config.size);
    for (const ImageLayer& below : base.layers)
        manifest.layers.push_back(descriptor(oci_media_type(below.media_type), below.digest, below.size));
    manifest.layers.push_back(descriptor(media::kLayer, layer.digest, layer.size));
    return manifest;
}

} // namespace

Result<std::string> derive_config(std::string_view base_document, const Derivation& derivation,
                                  const Digest& diff_id) {
    auto root = json::parse(base_document, {.bytes = kMaxConfigBytes, .depth = 32});
    if (!root) return fail(root);
    if (root->if_object() == nullptr) return fail(Code::corrupt, "is no JSON object");
    put(*root, "created", derivation.created);
    if (!derivation.author.empty()) put(*root, "author", derivation.author);
    if (auto set = set_asked(*root, derivation.edit); !set) return fail(set);
    if (auto added = add_layer(*root, diff_id); !added) return fail(added);
    if (auto added = add_history(*root, derivation); !added) return fail(added);
    std::string document = json::dump(*root);
    // What nobody could read again is not stored.
    if (auto read = parse_config(document); !read) return fail(read, "the new configuration");
    return document;
}

Result<DerivedImage> derive_image(Store& store, Ingest& ingest, const Image& base, const Blob& layer,
                                  const Derivation& derivation, std::vector<std::string> references) {
    if (base.layers.size() >= kMaxLayers)
        return fail(Code::invalid, "the image has " + std::to_string(base.layers.size()) +
                                       " layers already, which is all there can be");
    auto base_digest = Digest::from_hex(base.id);
    if (!base_digest) return fail(base_digest);
    auto base_document = store.read_blob(*base_digest, kMaxConfigBytes);
    if (!base_document) return fail(base_document);
    // The layer is stored as it is: its digest is its diff id.
    auto document = derive_config(*base_document, derivation, layer.digest);
    if (!document) return fail(document, "config " + base_digest->str());
    auto config = ingest.add(*document);
    if (!config) return fail(config);
    auto manifest = ingest.add(to_json(make_manifest(base, *config, layer)));
    if (!manifest) return fail(manifest);
    NewImage image;
    image.manifest = manifest->digest;
    image.references = std::move(references);
    auto notes = store.commit(ingest, {image});
    if (!notes) return fail(notes);
    return DerivedImage{config->digest.hex(), std::move(*notes)};
}

} // namespace mydocker::image
