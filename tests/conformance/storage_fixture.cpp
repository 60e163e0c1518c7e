#include "conformance/storage_fixture.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <thread>
#include <unistd.h>

namespace mydocker::conformance {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestFsconfigValue = 255;

[[nodiscard]] std::string number_id(unsigned number) {
    std::array<char, 65> text{};
    std::snprintf(text.data(), text.size(), "%064x", number * 2654435761U);
    return text.data();
}

[[nodiscard]] bool wants_old_call(const Mount& mount) {
    if (!mount.directory.empty() || !mount.remounts.empty()) return true;
    for (const std::string& option : mount.options)
        if (option.size() - std::min(option.size(), option.find('=') + 1) > kLongestFsconfigValue)
            return true;
    return false;
}

// The kernel's own words, from the context.
[[nodiscard]] std::string reason(int context) {
    std::array<char, 512> text{};
    const ssize_t size = ::read(context, text.data(), text.size());
    return size > 0 ? " (" + std::string(text.data(), static_cast<std::size_t>(size)) + ")" : "";
}

[[nodiscard]] Result<UniqueFd> new_mount(const Mount& mount) {
    const UniqueFd context(::fsopen(mount.type.c_str(), FSOPEN_CLOEXEC));
    if (!context) return fail_errno(errno, "fsopen " + mount.type);
    std::vector<std::string> options = mount.options;
    if (!mount.source.empty()) options.push_back("source=" + mount.source);
    for (const std::string& option : options) {
        const auto equals = option.find('=');
        const std::string key = option.substr(0, equals);
        const int set =
            equals == std::string::npos
                ? ::fsconfig(context.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0)
                : ::fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), option.c_str() + equals + 1, 0);
        const int error = errno;
        if (set != 0) return fail_errno(error, "option '" + option + "'" + reason(context.get()));
    }
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        const int error = errno;
        return fail_errno(error, "create " + mount.type + reason(context.get()));
    }
    const unsigned flags = (mount.flags & MS_RDONLY) != 0 ? MOUNT_ATTR_RDONLY : 0;
    UniqueFd fd(::fsmount(context.get(), FSMOUNT_CLOEXEC, flags));
    if (!fd) return fail_errno(errno, "fsmount " + mount.type);
    return fd;
}

[[nodiscard]] Result<UniqueFd> bind_mount(const Mount& mount) {
    const unsigned recursive = (mount.flags & MS_REC) != 0 ? static_cast<unsigned>(AT_RECURSIVE) : 0U;
    UniqueFd fd(::open_tree(AT_FDCWD, mount.source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive));
    if (!fd) return fail_errno(errno, "open_tree '" + mount.source + "'");
    mount_attr attributes{};
    attributes.attr_set = (mount.flags & MS_RDONLY) != 0 ? MOUNT_ATTR_RDONLY : 0;
    if (::mount_setattr(fd.get(), "", AT_EMPTY_PATH | recursive, &attributes, sizeof attributes) != 0)
        return fail_errno(errno, "mount_setattr '" + mount.source + "'");
    return fd;
}

[[nodiscard]] Status mount_the_old_way(const Mount& mount, const std::string& target) {
    std::string options;
    for (const std::string& option : mount.options)
        options += (options.empty() ? "" : ",") + option;
    if (options.size() > 4095) return fail(Code::invalid, "mount options of more than 4095 bytes");
    if (!mount.directory.empty() && ::chdir(mount.directory.c_str()) != 0)
        return fail_errno(errno, "chdir '" + mount.directory + "'");
    const int done =
        ::mount(mount.source.c_str(), target.c_str(), mount.type.c_str(), mount.flags, options.c_str());
    if (done != 0) return fail_errno(errno, "mount " + options);
    for (const std::string& data : mount.remounts)
        if (::mount(mount.source.c_str(), target.c_str(), mount.type.c_str(), mount.flags | MS_REMOUNT,
                    data.c_str()) != 0)
            return fail_errno(errno, "remount " + data);
    return {};
}

[[nodiscard]] Status attach(const Mount& mount, const std::string& target) {
    if (mount.type != "bind" && wants_old_call(mount)) return mount_the_old_way(mount, target);
    const auto fd = mount.type == "bind" ? bind_mount(mount) : new_mount(mount);
    if (!fd) return fail(fd);
    if (::move_mount(fd->get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0) return {};
    return fail_errno(errno, "move_mount to '" + target + "'");
}

[[nodiscard]] Result<View> mount_all(const std::vector<Mount>& mounts, const std::string& place) {
    for (const Mount& mount : mounts)
        if (auto attached = attach(mount, mount.target == "/" ? place : place + mount.target); !attached)
            return fail(attached);
    UniqueFd root(::open_tree(AT_FDCWD, place.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    if (!root) return fail_errno(errno, "open_tree of the view");
    return View(std::move(root));
}

} // namespace

LayerId layer_id(unsigned number) {
    return LayerId(number_id(number));
}

RwId rw_id(unsigned number) {
    return RwId(number_id(number + 0x10000));
}

void LayerWriter::file(const std::string& name, const std::string& content) const {
    write_text(path(name), content);
}

void LayerWriter::directory(const std::string& name) const {
    ::mkdir(path(name).c_str(), 0755);
    EXPECT_TRUE(fs::is_directory(path(name))) << name;
}

void LayerWriter::remove(const std::string& name) const {
    const fs::path whole = path(name);
    switch (whiteouts_) {
    case Whiteouts::overlay:
        EXPECT_EQ(::mknod(whole.c_str(), S_IFCHR, 0), 0) << name;
        return;
    case Whiteouts::aufs:
        write_text(whole.parent_path() / (".wh." + whole.filename().string()), "");
        return;
    case Whiteouts::applied:
        fs::remove_all(whole);
        return;
    }
}

void LayerWriter::hide_below(const std::string& name) const {
    const fs::path whole = path(name);
    switch (whiteouts_) {
    case Whiteouts::overlay:
        EXPECT_EQ(::setxattr(whole.c_str(), "trusted.overlay.opaque", "y", 1, 0), 0) << name;
        return;
    case Whiteouts::aufs:
        write_text(whole / ".wh..wh..opq", "");
        return;
    case Whiteouts::applied:
        for (const auto& entry : fs::directory_iterator(whole))
            fs::remove_all(entry.path());
        return;
    }
}

void in_own_mounts(const std::function<void()>& work) {
    std::thread([&] {
        const bool own = ::unshare(CLONE_NEWNS | CLONE_FS) == 0 &&
                         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
        EXPECT_TRUE(own) << "a mount namespace of its own: errno " << errno;
        if (own) work();
    }).join();
}

Result<View> mount_view(const std::vector<Mount>& mounts) {
    const test::TempDir place;
    Result<View> view = fail(Code::internal, "nothing was mounted");
    in_own_mounts([&] { view = mount_all(mounts, place.path()); });
    return view;
}

void write_text(const std::string& path, const std::string& content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << content;
    file.close();
    EXPECT_TRUE(file) << "write " << path;
}

std::string read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return "<absent>";
    return {std::istreambuf_iterator<char>(file), {}};
}

bool is_there(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0;
}

std::map<std::string, std::string> tree_of(const std::string& path) {
    std::map<std::string, std::string> tree;
    if (!is_there(path)) return tree;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
        const std::string name = entry.path().lexically_relative(path).string();
        if (entry.is_symlink())
            tree[name] = "link " + fs::read_symlink(entry.path()).string();
        else if (entry.is_directory())
            tree[name] = "dir";
        else if (entry.is_regular_file())
            tree[name] = "file " + read_text(entry.path());
        else
            tree[name] = "other";
    }
    return tree;
}

// --- the suite ----------------------------------------------------------------------------------------

std::unique_ptr<StorageDriver> StorageSuite::open() const {
    auto opened = open_in(parent());
    if (opened) return std::move(*opened);
    ADD_FAILURE() << "open: " << describe(opened.error());
    return nullptr;
}

Result<std::unique_ptr<StorageDriver>> StorageSuite::open_in(const std::string& directory) const {
    return GetParam().open({.data_dir = directory + "/data", .run_dir = directory + "/run", .options = {}});
}

void StorageSuite::SetUp() {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    driver_ = open();
    ASSERT_NE(driver_, nullptr);
    const auto probed = driver_->probe();
    if (!probed && probed.error().code == Code::unsupported) GTEST_SKIP() << describe(probed.error());
    ASSERT_TRUE(probed) << describe(probed.error());
    traits_ = *probed;
}

LayerId StorageSuite::given_layer(unsigned number, const std::vector<LayerId>& below, const Author& author) {
    LayerId id = layer_id(number);
    const auto path = driver_->create_layer(id, below);
    EXPECT_TRUE(path) << describe(path.error());
    if (!path) return id;
    author(LayerWriter(*path, traits_.whiteouts));
    const auto sealed = driver_->seal_layer(id);
    EXPECT_TRUE(sealed) << describe(sealed.error());
    return id;
}

LayerId StorageSuite::given_base() {
    return given_layer(1, {}, [](const LayerWriter& layer) {
        for (const char* name : {"dir", "dir/deep", "zdir"})
            layer.directory(name);
        for (const char* name : {"file", "other", "dir/a", "dir/b", "dir/deep/c", "zdir/z"})
            layer.file(name, "base");
    });
}

RwId StorageSuite::given_rw(unsigned number, const std::vector<LayerId>& below, const RwOptions& options) {
    RwId id = rw_id(number);
    const auto made = driver_->create_rw(id, below, options);
    EXPECT_TRUE(made) << describe(made.error());
    return id;
}

View StorageSuite::mounted(const RwId& id, Access access) {
    const auto mounts = driver_->mounts(id, access);
    EXPECT_TRUE(mounts) << describe(mounts.error());
    if (!mounts) return View(UniqueFd());
    auto view = mount_view(*mounts);
    EXPECT_TRUE(view) << describe(view.error());
    return view ? std::move(*view) : View(UniqueFd());
}

void StorageSuite::in_view(const RwId& id, const std::function<void(const View&)>& work) {
    const View view = mounted(id);
    if (view.fd() >= 0) work(view);
}

std::vector<Change> StorageSuite::changes_of(const RwId& id) {
    std::vector<Change> found;
    const auto walked = driver_->changes(id, [&](const Change& change) -> Status {
        found.push_back(change);
        return {};
    });
    EXPECT_TRUE(walked) << describe(walked.error());
    return found;
}

std::vector<std::string> StorageSuite::change_lines(const RwId& id) {
    std::vector<std::string> lines;
    for (const Change& change : changes_of(id)) {
        const char mark = change.opaque                         ? '!'
                          : change.kind == ChangeKind::added    ? '+'
                          : change.kind == ChangeKind::modified ? '~'
                                                                : '-';
        lines.push_back(mark + change.path);
    }
    return lines;
}

std::multiset<std::string> StorageSuite::listed(StorageDriver& driver) const {
    std::multiset<std::string> found;
    const auto walked = driver.list([&](const StorageObject& object) -> Status {
        const std::array kinds{"?", "layer ", "staging ", "rw "};
        found.insert(kinds.at(static_cast<std::size_t>(object.kind)) + object.id);
        return {};
    });
    EXPECT_TRUE(walked) << describe(walked.error());
    return found;
}

} // namespace mydocker::conformance
