#include "engine/prune.hpp"

#include "engine/disk.hpp"
#include "engine/images.hpp"
#include "engine/lifecycle.hpp"
#include "engine/volumes.hpp"

#include <algorithm>
#include <set>

namespace mydocker::engine {
namespace {

template <class T>
bool is_chosen(const Chooser<T>& chosen, const T& value) {
    return !chosen || chosen(value);
}

// It is in use, or gone, since it was listed: as good as not there.
bool is_taken(const Error& error) {
    return error.code == Code::conflict || error.code == Code::busy || error.code == Code::not_found;
}

// Every name is taken away by itself: the last one only if no container came to use it.
void remove_names(Engine& engine, const image::ListedImage& listed, Pruned& pruned) {
    std::vector<std::string> names;
    for (const std::string& reference : listed.references)
        names.push_back(image::familiar_name(reference));
    if (names.empty()) names.push_back(listed.image->id);
    for (const std::string& name : names) {
        auto report = remove_image(engine, name, image::Force::no);
        if (!report && is_taken(report.error())) return;
        if (!report) return pruned.failures.push_back(report.error());
        for (const std::string& untagged : report->untagged)
            pruned.names.push_back("untagged: " + untagged);
        for (const std::string& removed : report->removed)
            pruned.names.push_back("deleted: sha256:" + removed);
        pruned.freed += report->freed;
    }
}

} // namespace

Result<Pruned> prune_containers(Engine& engine, const Chooser<ContainerRecord>& chosen) {
    auto containers = list(engine);
    if (!containers) return fail(containers);
    Pruned pruned;
    for (const Summary& summary : *containers) {
        if (!summary.record || summary.record->is_live()) continue;
        if (summary.record->transition != Transition::none || !is_chosen(chosen, *summary.record)) continue;
        const std::uint64_t bytes = container_bytes(engine, *summary.record);
        auto removed = remove(engine, summary.id, Force::no);
        if (!removed && is_taken(removed.error())) continue;
        if (!removed) {
            pruned.failures.push_back(removed.error());
            continue;
        }
        pruned.names.push_back(summary.id.str());
        pruned.freed += bytes;
    }
    return pruned;
}

Result<Pruned> prune_images(Engine& engine, PruneImages which, const Chooser<image::Image>& chosen) {
    auto store = engine.images();
    if (!store) return fail(store);
    auto images = (*store)->list();
    if (!images) return fail(images);
    auto containers = list(engine);
    if (!containers) return fail(containers);
    std::set<std::string> used;
    for (const Summary& summary : *containers) {
        if (!summary.record)
            return fail(Code::corrupt,
                        "the record of container '" + paths::short_id(summary.id) +
                            "' is damaged: which image it uses is unknown; see `system check`");
        used.insert(summary.record->image_id);
    }
    const auto is_kept = [&](const image::ListedImage& listed) {
        return !listed.image || used.contains(listed.image->id) ||
               (which == PruneImages::dangling && !listed.references.empty()) ||
               !is_chosen(chosen, *listed.image);
    };
    std::erase_if(*images, is_kept);
    Pruned pruned;
    if (images->empty()) return pruned;
    const std::uint64_t before = storage_bytes(engine);
    for (const image::ListedImage& listed : *images)
        remove_names(engine, listed, pruned);
    const std::uint64_t after = pruned.names.empty() ? before : storage_bytes(engine);
    pruned.freed += before - std::min(after, before); // Their unpacked layers.
    return pruned;
}

Result<std::uint64_t> sweep_leftovers(Engine& engine, const SweepVisitor& told) {
    std::uint64_t freed = 0;
    const auto add = [&](const std::string& whose, std::uint64_t bytes) {
        freed += bytes;
        if (bytes > 0 && told) told(whose, bytes);
    };
    for (const std::string& name : storage_drivers_here(engine)) {
        auto driver = engine.storage(name);
        if (!driver) continue; // Its data stays; `system check` names it.
        auto swept = (*driver)->sweep();
        if (!swept) return fail(swept, "storage driver '" + name + "'");
        add("storage driver " + name, *swept);
    }
    // Opening it for a change deletes what is half made or half removed.
    if (auto volumes = VolumeStore::open(engine.roots()); !volumes) return fail(volumes);
    auto images = engine.images();
    if (!images) return fail(images);
    auto swept = (*images)->sweep();
    if (!swept) return fail(swept);
    add("images", *swept);
    return freed;
}

} // namespace mydocker::engine
