// What the suites of storage drivers share: a driver in a temporary directory, layers to unpack by hand in
// the driver's own way of whiteouts, and root filesystems mounted as the engine mounts them, but attached
// nowhere: they end with their descriptor, whatever happens to the test.
#pragma once

#include "conformance/conformance.hpp"
#include "conformance/state_fixture.hpp" // processes that are killed, code_of
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace mydocker::conformance {

// The n-th id of a test.
[[nodiscard]] LayerId layer_id(unsigned number);
[[nodiscard]] RwId rw_id(unsigned number);

// A layer being unpacked by hand. Paths are relative.
class LayerWriter {
  public:
    LayerWriter(std::string root, Whiteouts whiteouts) : root_(std::move(root)), whiteouts_(whiteouts) {}

    [[nodiscard]] std::string path(const std::string& name) const { return root_ + "/" + name; }
    void file(const std::string& name, const std::string& content) const;
    void directory(const std::string& name) const;
    // The name is gone, if a layer below has it.
    void remove(const std::string& name) const;
    // A directory hides all that the layers below have in it.
    void hide_below(const std::string& name) const;

  private:
    std::string root_;
    Whiteouts whiteouts_;
};

// A root filesystem, mounted and detached. Usable through its path, in /proc, as long as it lives.
class View {
  public:
    explicit View(UniqueFd root) : root_(std::move(root)) {}

    [[nodiscard]] int fd() const { return root_.get(); }
    [[nodiscard]] std::string path(const std::string& name) const {
        return "/proc/self/fd/" + std::to_string(root_.get()) + "/" + name;
    }

  private:
    UniqueFd root_;
};

// Mounts as the engine does: in order, the first one is the root; options one at a time through
// fsconfig(2), or, with Mount::directory, remounts or an option that fsconfig(2) does not take, through
// mount(2).
[[nodiscard]] Result<View> mount_view(const std::vector<Mount>& mounts);

// Runs the work in a thread with a mount namespace of its own, where nothing that is mounted gets out.
void in_own_mounts(const std::function<void()>& work);

// Files and directories by hand. A failure fails the test.
void write_text(const std::string& path, const std::string& content);
[[nodiscard]] std::string read_text(const std::string& path); // "<absent>" if it is not there
[[nodiscard]] bool is_there(const std::string& path);
// All paths below a directory, relative, each with what it is: "etc/passwd" → "file root:x", "dir", …
[[nodiscard]] std::map<std::string, std::string> tree_of(const std::string& path);

class StorageSuite : public testing::TestWithParam<Subject<StorageDriver>> {
  public:
    using Author = std::function<void(const LayerWriter&)>;

    // Another instance over the same directories, as another process has it.
    [[nodiscard]] std::unique_ptr<StorageDriver> open() const;
    [[nodiscard]] Result<std::unique_ptr<StorageDriver>> open_in(const std::string& directory) const;
    [[nodiscard]] std::string data_dir() const { return directory_ / "data"; }
    [[nodiscard]] std::string parent() const { return directory_.path(); }

  protected:
    void SetUp() override;

    [[nodiscard]] StorageDriver& driver() { return *driver_; }
    [[nodiscard]] const StorageTraits& traits() const { return traits_; }

    // Layer `number`, sealed, over the layers given.
    LayerId given_layer(unsigned number, const std::vector<LayerId>& below, const Author& author);
    // Layer 1, with a bit of everything: file, other, dir/{a,b,deep/c}, zdir/z; each holds "base".
    LayerId given_base();
    // A writable layer; its id.
    RwId given_rw(unsigned number, const std::vector<LayerId>& below, const RwOptions& options = {});
    [[nodiscard]] View mounted(const RwId& id, Access access = Access::read_write);
    // Makes one change after another in a mounted view, which is unmounted then.
    void in_view(const RwId& id, const std::function<void(const View&)>& work);
    [[nodiscard]] std::vector<Change> changes_of(const RwId& id);
    // "+/a", "~/a", "-/a": added, modified, removed; an opaque directory "!/a".
    [[nodiscard]] std::vector<std::string> change_lines(const RwId& id);
    [[nodiscard]] std::multiset<std::string> listed(StorageDriver& driver) const; // "layer <id>" …

  private:
    test::TempDir directory_;
    std::unique_ptr<StorageDriver> driver_;
    StorageTraits traits_;
};

} // namespace mydocker::conformance
