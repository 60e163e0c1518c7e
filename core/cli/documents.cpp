// Documents of images and volumes; those of containers are in container_document.cpp.
#include "cli/documents.hpp"

#include "cli/document_parts.hpp"
#include "cli/table.hpp"
#include "image/reference.hpp"

#include <algorithm>

namespace mydocker::cli {
namespace {

json::Value image_config(const image::ImageConfig& config) {
    json::Value value;
    value.set("User", config.user);
    value.set("ExposedPorts", names_object(config.exposed_ports));
    value.set("Env", text_list(config.env));
    value.set("Cmd", text_list(config.cmd));
    // The image's own JSON; what cannot be read is not shown.
    if (!config.healthcheck.empty())
        if (auto check = json::parse(config.healthcheck)) value.set("Healthcheck", std::move(*check));
    value.set("Volumes", names_object(config.volumes));
    value.set("WorkingDir", config.working_dir);
    value.set("Entrypoint", text_list(config.entrypoint));
    value.set("Labels", text_object(config.labels));
    value.set("StopSignal", config.stop_signal);
    return value;
}

} // namespace

json::Value text_list(const std::vector<std::string>& texts) {
    return json::Array(texts.begin(), texts.end());
}

json::Value text_object(const std::vector<std::pair<std::string, std::string>>& members) {
    json::Object object;
    for (const auto& [key, value] : members)
        object.emplace_back(key, value);
    return object;
}

json::Value names_object(const std::vector<std::string>& names) {
    json::Object object;
    for (const std::string& name : names)
        object.emplace_back(name, json::Value(json::Object{}));
    return object;
}

json::Value image_document(const image::Image& image) {
    std::vector<std::string> tags;
    std::vector<std::string> digests;
    for (const std::string& reference : image.references) {
        tags.push_back(image::familiar_name(reference));
        const std::string by_digest =
            tags.back().substr(0, tags.back().rfind(':')) + "@" + image.manifest.str();
        if (std::ranges::find(digests, by_digest) == digests.end()) digests.push_back(by_digest);
    }
    json::Array layers;
    for (const image::ImageLayer& layer : image.layers)
        layers.emplace_back(layer.diff_id.str());
    json::Value root_fs;
    root_fs.set("Type", "layers");
    root_fs.set("Layers", std::move(layers));
    json::Value value;
    value.set("Id", "sha256:" + image.id);
    value.set("RepoTags", text_list(tags));
    value.set("RepoDigests", text_list(digests));
    value.set("Created", image.config.created);
    value.set("Config", image_config(image.config));
    value.set("Architecture", image.config.architecture);
    value.set("Variant", image.config.variant);
    value.set("Os", image.config.os);
    value.set("Size", image.size());
    value.set("RootFS", std::move(root_fs));
    return value;
}

json::Value volume_document(const paths::Roots& roots, const engine::Volume& volume) {
    json::Value value;
    value.set("CreatedAt", timestamp(volume.created_ns));
    value.set("Driver", "local"); // docker's word for what lies on this host
    value.set("Labels", text_object(volume.labels));
    value.set("Mountpoint", paths::volume_data(roots, volume.name));
    value.set("Name", volume.name);
    value.set("Anonymous", volume.anonymous);
    value.set("Options", json::Value(json::Object{}));
    value.set("Scope", "local");
    return value;
}

} // namespace mydocker::cli
