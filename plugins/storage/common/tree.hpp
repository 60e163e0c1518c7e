// Walks over directory trees that a container may have touched: no link is followed, no mount crossed,
// any depth is met with few descriptors. What drivers do with trees: measure them, put them on disk,
// compare entries. Copying is vfs's own.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"
#include "mydocker/support/files.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <sys/stat.h>

namespace mydocker::storage {

[[nodiscard]] inline std::string quoted(const std::string& text) {
    return "'" + text + "'";
}

// One entry met by a walk; the references live as long as the visit.
struct TreeEntry {
    int directory = -1;        // open: what holds the entry
    const std::string& name;   // in that directory; "." for the root of the walk
    const std::string& path;   // below the root, "etc/passwd"; empty for the root
    const struct stat& status; // of the entry itself, links not followed
    std::size_t depth = 0;     // 0: the root of the walk
};

enum class Descend : std::uint8_t { yes, no };

class TreeVisitor {
  public:
    TreeVisitor() = default;
    TreeVisitor(const TreeVisitor&) = delete;
    TreeVisitor& operator=(const TreeVisitor&) = delete;
    TreeVisitor(TreeVisitor&&) = delete;
    TreeVisitor& operator=(TreeVisitor&&) = delete;
    virtual ~TreeVisitor() = default;

    // Parents before children. The answer counts for directories only.
    [[nodiscard]] virtual Result<Descend> visit(const TreeEntry& entry) = 0;
    // What an entry is sorted by in Order::bytes, where its name on disk stands for another one.
    [[nodiscard]] virtual std::string_view sort_name(const std::string& name) const { return name; }
    // A directory that was entered, after all that is in it. `directory` is open.
    [[nodiscard]] virtual Status leave(int directory, const std::string& path, const struct stat& status) {
        (void)directory, (void)path, (void)status; // Most have nothing to do here.
        return {};
    }
};

enum class Order : std::uint8_t { any, bytes };

// Walks the tree below the open directory `root`, itself first; `label` names it in messages. What
// vanishes during the walk is left out, as is what is mounted in the tree.
// Errors: conflict, when a directory is moved away while the walk is far below it; the visitor's own.
[[nodiscard]] Status walk_tree(int root, const std::string& label, Order order, TreeVisitor& visitor);

// What the tree takes up; a file of several names counts once.
[[nodiscard]] Result<Usage> measure_tree(int root, const std::string& label);

// Counts, and puts every file and directory of the tree on disk; above `max_files` the whole
// filesystem at once, see layer_store.hpp on durability.
[[nodiscard]] Result<Usage> sync_tree(int root, const std::string& label, std::uint64_t max_files);

// Opens what is at `path` below `root` (empty: the root itself); follows no link on the way, crosses no
// mount. With O_PATH in `flags` links and devices can be opened, too.
[[nodiscard]] Result<UniqueFd> open_below(int root, const std::string& path, int flags);

using Xattrs = std::map<std::string, std::string, std::less<>>;

// The extended attributes of what `fd` (O_PATH will do) is open on; none where there is no such thing.
[[nodiscard]] Result<Xattrs> read_xattrs(int fd, const std::string& label);

// One side of a comparison.
struct Compared {
    int directory = -1;
    const std::string& path; // below `directory`
    const struct stat& status;
};

enum class Content : std::uint8_t { compare, trust_metadata };

// Whether two entries are the same in type, mode, owner, size, times, target or device number, and
// extended attributes (those beginning with `ignored`, if not empty, left out), and, if asked, content.
[[nodiscard]] Result<bool> is_same_entry(const Compared& left, const Compared& right,
                                         std::string_view ignored, Content content);

} // namespace mydocker::storage
