#include "engine/devices.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace mydocker::engine {
namespace {

constexpr mode_t kModeBits = 07777;
constexpr std::array<std::string_view, 7> kOwnOfContainers{
    "/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/console", "/dev/ptmx", "/dev/fd", "/dev/.lxc"};

bool is_device(const struct stat& status) {
    return S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
}

DeviceRequest device_of(std::string path, const struct stat& status) {
    DeviceRequest device;
    device.path = std::move(path);
    device.type = S_ISBLK(status.st_mode) ? 'b' : 'c';
    device.major = gnu_dev_major(status.st_rdev);
    device.minor = gnu_dev_minor(status.st_rdev);
    device.mode = status.st_mode & kModeBits;
    device.uid = status.st_uid;
    device.gid = status.st_gid;
    return device;
}

// What cannot be looked at is none of ours to give.
void add_devices_below(const std::string& top, std::vector<DeviceRequest>& found) {
    std::vector<std::string> waiting{top};
    while (!waiting.empty()) {
        const std::string directory = std::move(waiting.back());
        waiting.pop_back();
        auto fd = sys::openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        auto names = fd ? sys::list_names(fd->get()) : Result<std::vector<std::string>>(fail(fd));
        if (!names) continue;
        std::ranges::sort(*names);
        for (const std::string& name : *names) {
            std::string path = directory + "/" + name;
            if (std::ranges::find(kOwnOfContainers, path) != kOwnOfContainers.end()) continue;
            auto status = sys::fstatat(fd->get(), name, AT_SYMLINK_NOFOLLOW);
            if (!status) continue;
            if (S_ISDIR(status->st_mode))
                waiting.push_back(std::move(path));
            else if (is_device(*status))
                found.push_back(device_of(std::move(path), *status));
        }
    }
}

} // namespace

Result<std::vector<DeviceRequest>> find_devices(const std::string& path) {
    auto status = sys::fstatat(AT_FDCWD, path, 0);
    if (!status) return fail(status, "device '" + path + "'");
    if (is_device(*status)) return std::vector{device_of(path, *status)};
    if (!S_ISDIR(status->st_mode)) return fail(Code::invalid, "'" + path + "' is no device");
    std::vector<DeviceRequest> found;
    add_devices_below(path, found);
    if (found.empty()) return fail(Code::invalid, "there is no device below '" + path + "'");
    return found;
}

} // namespace mydocker::engine
