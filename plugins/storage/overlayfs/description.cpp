#include "description.hpp"

#include <ranges>
#include <sys/mount.h>

namespace mydocker::overlayfs {
namespace {

// mount(2) takes one page of options, terminator included; a longer string it cuts without a word.
//   4095 = room for all options
//   - 91   "lowerdir=" (9) and ",upperdir=upper,workdir=work,index=off,metacopy=off,
//          redirect_dir=nofollow,volatile" (82)
//   - 6    "upper:", the upper directory as the top-most lower one of a read-only view
//   - 198  left for what an engine adds (a security context, say)
// Direct names of 64-digit ids take 13 + 64 + 5 bytes and a colon: 45 layers fit. Links take "l/498:" at
// most, 6 bytes: 6 × 499 = 2994 bytes for the longest chain.
constexpr std::size_t kListRoom = 4095 - 91 - 6 - 198;
static_assert(sizeof "l/498:" - 1 == 6 && kMaxLayers * std::size_t{6} <= kListRoom);

// A value for fsconfig(2) is at most 255 bytes long; the longest is <data_dir>/layers/<id>/diff with an
// id of 128 bytes: 8 + 128 + 5 more than data_dir.
constexpr std::size_t kLongestValue = 255;
constexpr std::size_t kLongestBelow = 8 + 128 + 5;

[[nodiscard]] std::string tree_of(const LayerId& layer) {
    return "/layers/" + layer.str() + "/diff";
}

[[nodiscard]] std::string direct_name(const LayerId& layer) {
    return "../.." + tree_of(layer);
}

[[nodiscard]] std::string join_list(const Stack& stack, Access access) {
    const bool links = needs_links(stack.below);
    std::string list = access == Access::read_only ? kUpper : "";
    std::size_t from_top = 0;
    for (const LayerId& layer : stack.below | std::views::reverse) {
        if (!list.empty()) list += ':';
        list += links ? link_name(from_top) : direct_name(layer);
        ++from_top;
    }
    return list;
}

void add_lowers(Mount& mount, const Stack& stack, Access access, Syntax syntax) {
    if (syntax == Syntax::list) {
        mount.directory = stack.rw;
        mount.options.push_back("lowerdir=" + join_list(stack, access));
        return;
    }
    mount.options.reserve(stack.below.size() + 8);
    if (access == Access::read_only) mount.options.push_back("lowerdir+=" + stack.rw + "/" + kUpper);
    for (const LayerId& layer : stack.below | std::views::reverse)
        mount.options.push_back("lowerdir+=" + stack.data_dir + tree_of(layer));
}

} // namespace

bool fits_append(std::string_view data_dir) {
    return data_dir.size() + kLongestBelow <= kLongestValue &&
           data_dir.find_first_of(":,\\") == std::string_view::npos;
}

bool needs_links(LayerChain below) {
    std::size_t length = 0;
    for (const LayerId& layer : below)
        length += direct_name(layer).size() + 1;
    return length > kListRoom;
}

std::string link_name(std::size_t from_top) {
    return std::string(kLinks) + "/" + std::to_string(from_top);
}

std::string link_target(const LayerId& layer) {
    return "../" + direct_name(layer);
}

Mount describe_mount(const Stack& stack, Access access, Syntax syntax) {
    Mount mount;
    mount.target = "/";
    mount.flags = access == Access::read_only ? MS_RDONLY : 0;
    if (stack.below.empty()) {
        // Overlayfs wants a lower directory. Without one, the writable layer is the whole tree.
        mount.type = "bind";
        mount.source = stack.rw + "/" + kUpper;
        return mount;
    }
    mount.type = "overlay";
    mount.source = "overlay";
    add_lowers(mount, stack, access, syntax);
    // Said, whatever the module's parameters say: a layer must mean the same on every host, and no
    // attribute that an image brought along may lead out of its layer.
    mount.options.insert(mount.options.end(), {"index=off", "metacopy=off", "redirect_dir=nofollow"});
    // Lowers alone: the upper directory may be in use by a running container, whose workdir a second
    // mount would clear.
    if (access == Access::read_only) return mount;
    const std::string prefix = syntax == Syntax::list ? "" : stack.rw + "/";
    mount.options.push_back(std::string("upperdir=") + prefix + kUpper);
    mount.options.push_back(std::string("workdir=") + prefix + kWork);
    // Leaves out the sync of the whole upper filesystem at unmount (65–98 ms beside 200 MB of other
    // dirty data, 5–7 without). The kernel then refuses to mount the same layer a second time.
    if (stack.lifetime == Lifetime::ephemeral) mount.options.emplace_back("volatile");
    return mount;
}

} // namespace mydocker::overlayfs
