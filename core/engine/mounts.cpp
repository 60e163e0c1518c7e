// Targets, the image's volumes, and the order of mounts.
#include "engine/mounts.hpp"

#include "runtime/plan_parts.hpp"

#include <algorithm>

namespace mydocker::engine {
namespace {

// Whether ".." goes above the root somewhere on the way.
bool leaves_root(std::string_view path) {
    int depth = 0;
    while (!path.empty()) {
        const std::string_view word = path.substr(0, path.find('/'));
        path.remove_prefix(std::min(word.size() + 1, path.size()));
        if (word.empty() || word == ".") continue;
        depth += word == ".." ? -1 : 1;
        if (depth < 0) return true;
    }
    return false;
}

bool has_target(const std::vector<MountRequest>& mounts, std::string_view target) {
    return std::ranges::any_of(mounts, [&](const MountRequest& mount) { return mount.target == target; });
}

// An anonymous volume is named as a container is: by random bits.
Result<std::string> draw_name() {
    auto id = paths::make_id();
    if (!id) return fail(id);
    return id->str();
}

std::ptrdiff_t depth_of(const runtime::SpecMount& mount) {
    return std::ranges::count(mount.destination, '/');
}

} // namespace

Result<std::string> clean_target(std::string_view target) {
    const std::string quoted = "'" + std::string(target) + "'";
    if (auto sane = runtime::check_path(target, "the target"); !sane) return fail(sane);
    if (leaves_root(target)) return fail(Code::invalid, "the target " + quoted + " leaves the root");
    std::string shortest = runtime::lexical_path(target);
    if (shortest == "/") return fail(Code::invalid, "the target cannot be '/'");
    for (const std::string_view taken : {"/proc", "/sys", "/dev"})
        if (shortest == taken) return fail(Code::invalid, "refusing to mount over " + std::string(taken));
    return shortest;
}

Result<std::vector<MountRequest>> settle_mounts(const CreateRequest& request,
                                                const image::ImageConfig& image) {
    std::vector<MountRequest> mounts = request.mounts;
    for (const std::string& volume : image.volumes) {
        auto target = clean_target(volume);
        if (!target) return fail(target, "image '" + request.image + "' asks for a volume");
        if (has_target(mounts, *target)) continue;
        MountRequest mount;
        mount.kind = MountRequest::Kind::volume;
        mount.target = std::move(*target);
        mounts.push_back(std::move(mount));
    }
    for (MountRequest& mount : mounts) {
        if (mount.kind != MountRequest::Kind::volume || !mount.source.empty()) continue;
        auto name = draw_name();
        if (!name) return fail(name);
        mount.source = std::move(*name);
        mount.anonymous = true;
    }
    return mounts;
}

runtime::SpecMount to_spec(const MountRequest& mount, const paths::Roots& roots) {
    runtime::SpecMount spec;
    spec.destination = mount.target;
    if (mount.kind == MountRequest::Kind::tmpfs) {
        spec.type = "tmpfs";
        spec.source = "tmpfs";
        spec.options = mount.options;
        if (mount.read_only) spec.options.emplace_back("ro");
        return spec;
    }
    spec.type = "bind";
    spec.source =
        mount.kind == MountRequest::Kind::volume ? paths::volume_data(roots, mount.source) : mount.source;
    spec.options = {"rbind", mount.propagation.empty() ? "rprivate" : mount.propagation};
    if (mount.read_only) spec.options.emplace_back("ro");
    spec.options.insert(spec.options.end(), mount.options.begin(), mount.options.end());
    return spec;
}

void merge_mounts(std::vector<runtime::SpecMount>& defaults, std::vector<runtime::SpecMount> own) {
    std::erase_if(defaults, [&](const runtime::SpecMount& known) {
        return std::ranges::find(own, known.destination, &runtime::SpecMount::destination) != own.end();
    });
    const auto first = static_cast<std::ptrdiff_t>(defaults.size());
    for (runtime::SpecMount& mount : own) // Those of one depth stay as they were given.
        defaults.insert(
            std::ranges::upper_bound(defaults.begin() + first, defaults.end(), depth_of(mount), {}, depth_of),
            std::move(mount));
}

} // namespace mydocker::engine
