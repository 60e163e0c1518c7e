#include "description.hpp"

#include <ranges>

namespace mydocker::fuse_overlayfs {
namespace {

constexpr std::size_t kLongestWord = 131'071;
static_assert(kMaxLayers * (sizeof "../../layers//diff:" - 1 + 128) + 512 < kLongestWord);

} // namespace

std::string describe_options(const RwId& id, LayerChain below, Lifetime lifetime, Access access) {
    std::string options = "fsname=" + id.str() + ",lowerdir=";
    // A view for reading has lowers alone, the writable layer on top of them: that may be in use.
    if (access == Access::read_only) options += std::string(kUpper) + ":";
    for (const LayerId& layer : below | std::views::reverse)
        options += "../../layers/" + layer.str() + "/diff:";
    options.pop_back();
    // Every write reaches the writable layer before it is done: whoever looks there, as changes() does, sees
    // what a container has written, and the end of a mount has nothing left to write out.
    options += ",writeback=0";
    if (access == Access::read_only) return options;
    options += std::string(",upperdir=") + kUpper + ",workdir=" + kWork;
    // fsync(2) in the container does nothing then. Unlike the kernel's overlayfs it leaves no mark.
    if (lifetime == Lifetime::ephemeral) options += ",volatile";
    return options;
}

} // namespace mydocker::fuse_overlayfs
