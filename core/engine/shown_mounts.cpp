// The mounts of a spec that are the user's.
#include "engine/shown_mounts.hpp"

#include "engine/security.hpp"
#include "engine/spec_builder.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace mydocker::engine {
namespace {

constexpr std::array<std::string_view, 6> kPropagations{"private",  "slave",  "shared",
                                                        "rprivate", "rslave", "rshared"};

// "<root>/volumes/NAME/_data" → NAME; empty: no volume's.
std::string volume_of(const std::string& source, const paths::Roots& roots) {
    const std::string below = paths::volumes(roots) + "/";
    if (!source.starts_with(below)) return {};
    const std::string name = source.substr(below.size(), source.find('/', below.size()) - below.size());
    return source == paths::volume_data(roots, name) ? name : std::string();
}

bool is_among(const std::vector<runtime::SpecMount>& known, const runtime::SpecMount& mount) {
    return std::ranges::any_of(known, [&](const runtime::SpecMount& one) {
        return one.destination == mount.destination && one.type == mount.type && one.options == mount.options;
    });
}

// What every container has; /dev/shm has its size from a flag of its own.
bool is_default(const runtime::SpecMount& mount, const runtime::ContainerSpec& spec,
                const std::string& bundle) {
    if (mount.type == "bind") return is_shared_shm(mount) || mount.source.starts_with(bundle + "/");
    if (spec.root_readonly && is_among(scratch_mounts(), mount)) return true;
    return mount.source == "shm" || is_among(default_mounts(), mount);
}

} // namespace

std::vector<ShownMount> shown_mounts(const runtime::ContainerSpec& spec, const paths::Roots& roots,
                                     const ContainerId& id) {
    const std::string bundle = paths::bundle(roots, id);
    std::vector<ShownMount> shown;
    for (const runtime::SpecMount& mount : spec.mounts) {
        if ((mount.type != "bind" && mount.type != "tmpfs") || is_default(mount, spec, bundle)) continue;
        ShownMount one;
        one.destination = mount.destination;
        one.read_only = std::ranges::find(mount.options, "ro") != mount.options.end() ||
                        std::ranges::find(mount.options, "rro") != mount.options.end();
        if (mount.type == "tmpfs") {
            one.kind = ShownMount::Kind::tmpfs;
            one.options = mount.options;
            shown.push_back(std::move(one));
            continue;
        }
        one.source = mount.source;
        one.name = volume_of(mount.source, roots);
        if (!one.name.empty()) one.kind = ShownMount::Kind::volume;
        for (const std::string& option : mount.options) {
            if (std::ranges::find(kPropagations, option) != kPropagations.end())
                one.propagation = option;
            else if (option != "rbind" && option != "ro")
                one.options.push_back(option);
        }
        shown.push_back(std::move(one));
    }
    return shown;
}

} // namespace mydocker::engine
