#include "opaque_root.hpp"

#include "mydocker/support/files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <set>
#include <string>
#include <sys/stat.h>
#include <sys/xattr.h>

namespace mydocker::overlayfs {
namespace {

// Whether what lies below shows through is not asked: a whiteout too many hides nothing.
[[nodiscard]] Result<std::set<std::string>> names_below(LayerChain below, storage::LayerStore& store) {
    std::set<std::string> names;
    for (const LayerId& layer : below) {
        const auto root = store.open_layer(layer);
        if (!root) return fail(root);
        const auto entries = files::list_directory(root->get(), store.layer_path(layer));
        if (!entries) return fail(entries);
        for (const auto& entry : *entries)
            names.insert(entry.name);
    }
    return names;
}

[[nodiscard]] Status hide(int tree, const std::string& name) {
    if (::mknodat(tree, name.c_str(), S_IFCHR, 0) == 0) return {};
    if (errno != EEXIST) return fail_errno(errno, "make a whiteout of '" + name + "'");
    const UniqueFd directory(::openat(tree, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory && (errno == ENOTDIR || errno == ELOOP)) return {}; // It covers what is below as it is.
    if (directory && ::fsetxattr(directory.get(), kOpaque, "y", 1, 0) == 0) return {};
    return fail_errno(errno, "make directory '" + name + "' opaque");
}

} // namespace

bool is_opaque_root(int tree) {
    char value = 0;
    return ::fgetxattr(tree, kOpaque, &value, 1) == 1 && value == 'y';
}

Status hide_below(int tree, LayerChain below, storage::LayerStore& store) {
    const auto names = names_below(below, store);
    if (!names) return fail(names);
    for (const std::string& name : *names)
        if (auto hidden = hide(tree, name); !hidden) return hidden;
    if (::fremovexattr(tree, kOpaque) == 0) return {};
    return fail_errno(errno, "take the attribute from the root directory");
}

} // namespace mydocker::overlayfs
