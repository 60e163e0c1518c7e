// Removing images, in the order that leaves nothing dangling.
#include "engine/images.hpp"

#include "engine/disk.hpp"
#include "engine/lifecycle.hpp"

#include <algorithm>
#include <ranges>
#include <set>

namespace mydocker::engine {
namespace {

// The container that keeps an image from going, if there is one.
Result<std::optional<ContainerRecord>> user_of(Engine& engine, const image::Image& image) {
    auto containers = list(engine);
    if (!containers) return fail(containers);
    for (Summary& summary : *containers)
        if (summary.record && summary.record->image_id == image.id) return std::move(*summary.record);
    return std::nullopt;
}

// The layers of all images that are left.
Result<std::set<LayerId>> used_layers(image::Store& store) {
    auto images = store.list();
    if (!images) return fail(images);
    std::set<LayerId> used;
    for (const image::ListedImage& listed : *images) {
        if (!listed.image) return fail(listed.image); // Unknown layers must not be taken for unused ones.
        for (const LayerId& layer : listed.image->chain)
            used.insert(layer);
    }
    return used;
}

// The unpacked layers that only this image had, in every driver that has data here. A cache: what cannot
// be removed now is in use, and goes later.
Status remove_layers(Engine& engine, image::Store& store, const std::vector<LayerId>& chain) {
    auto used = used_layers(store);
    if (!used) return fail(used);
    for (const std::string& name : storage_drivers_here(engine)) {
        auto driver = engine.storage(name);
        if (!driver) continue;
        for (const LayerId& layer : chain | std::views::reverse) {
            if (used->contains(layer)) continue;
            auto removed = (*driver)->remove_layer(layer);
            if (!removed && removed.error().code != Code::busy) return removed;
        }
    }
    return {};
}

Event image_event(std::string action, const std::string& id, const std::string& name) {
    Event event;
    event.type = "image";
    event.action = std::move(action);
    event.id = id;
    if (!name.empty()) event.attributes.emplace_back("name", name);
    return event;
}

} // namespace

image::UnpackLimits unpack_limits(const Engine& engine) {
    image::UnpackLimits limits;
    limits.growth.bytes = engine.config().max_layer_size.value;
    limits.entries = engine.config().max_entries.value;
    return limits;
}

void note_images(Engine& engine, const std::string& action, const std::vector<std::string>& names) {
    for (const std::string& name : names)
        engine.note(image_event(action, name, name));
}

Result<image::RemoveReport> remove_image(Engine& engine, std::string_view text, image::Force force) {
    auto store = engine.images();
    if (!store) return fail(store);
    auto image = (*store)->find(text);
    if (!image) return fail(image);
    auto user = user_of(engine, *image);
    if (!user) return fail(user);
    if (*user && force == image::Force::no && image->references.size() <= 1)
        return fail(Code::conflict, "image '" + std::string(text) + "' is used by container '" +
                                        (*user)->name.str() + "'; remove that first, or use --force");
    auto report = (*store)->remove(text, force);
    if (!report) return fail(report);
    for (const std::string& name : report->untagged)
        engine.note(image_event("untag", "sha256:" + image->id, name));
    for (const std::string& id : report->removed)
        engine.note(image_event("delete", id, {}));
    if (!report->removed.empty())
        if (auto removed = remove_layers(engine, **store, image->chain); !removed) return fail(removed);
    return report;
}

} // namespace mydocker::engine
