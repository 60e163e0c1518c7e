#include "branch.hpp"

#include "mydocker/support/files.hpp"
#include "names.hpp"
#include "storage/common/tree.hpp"

#include <cerrno>
#include <fcntl.h>
#include <set>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::aufs {
namespace {

using storage::Descend;

// A name that the union cannot show would be gone without a word.
class NameCheck final : public storage::TreeVisitor {
  public:
    [[nodiscard]] Result<Descend> visit(const storage::TreeEntry& entry) override {
        if (entry.name.size() <= kLongestName || entry.name.starts_with(kWhiteout)) return Descend::yes;
        return fail(Code::unsupported, "aufs takes names of " + std::to_string(kLongestName) +
                                           " bytes; one of " + std::to_string(entry.name.size()) +
                                           " is in the layer, '/" + entry.path + "'");
    }
};

// Whether what lies below shows through is not asked: a whiteout too many hides nothing.
[[nodiscard]] Result<std::set<std::string>> names_below(LayerChain below, storage::LayerStore& store) {
    std::set<std::string> names;
    for (const LayerId& layer : below) {
        const auto root = store.open_layer(layer);
        if (!root) return fail(root);
        const auto entries = files::list_directory(root->get(), store.layer_path(layer));
        if (!entries) return fail(entries);
        for (const auto& entry : *entries)
            if (!entry.name.starts_with(kWhiteout)) names.insert(entry.name);
    }
    return names;
}

[[nodiscard]] Status make_marker(int directory, const std::string& name) {
    const UniqueFd marker(
        ::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0444));
    if (marker) return {};
    return fail_errno(errno, "make '" + name + "'");
}

[[nodiscard]] Status hide(int tree, const std::string& name) {
    const UniqueFd directory(::openat(tree, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (directory) return make_marker(directory.get(), kOpaque);
    if (errno == ENOENT) return make_marker(tree, std::string(kWhiteout) + name);
    if (errno == ENOTDIR || errno == ELOOP) return {}; // It covers what is below as it is.
    return fail_errno(errno, "open '" + name + "'");
}

} // namespace

Status make_branch(int tree, const std::string& path, LayerChain below, storage::LayerStore& store) {
    NameCheck check;
    if (auto checked = storage::walk_tree(tree, path, storage::Order::any, check); !checked) return checked;
    if (::faccessat(tree, kOpaque, F_OK, AT_SYMLINK_NOFOLLOW) != 0) return {};
    const auto names = names_below(below, store);
    if (!names) return fail(names);
    for (const std::string& name : *names)
        if (auto hidden = hide(tree, name); !hidden) return fail(hidden, "in '" + path + "'");
    if (::unlinkat(tree, kOpaque, 0) == 0) return {};
    return fail_errno(errno, "remove '" + path + "/" + kOpaque + "'");
}

} // namespace mydocker::aufs
