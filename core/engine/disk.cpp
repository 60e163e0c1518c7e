#include "engine/disk.hpp"

#include "base/sys.hpp"
#include "engine/lifecycle.hpp"

#include <algorithm>
#include <fcntl.h>
#include <linux/openat2.h>
#include <map>
#include <set>
#include <sys/stat.h>

namespace mydocker::engine {
namespace {

constexpr std::uint64_t kBlock = 512; // of st_blocks; stat(2)

// One directory after another, with no more than one of them open beside the top. A container may write there
// and put links in the place of directories: nothing outside is ever looked at.
class Meter {
  public:
    std::uint64_t measure(const std::string& path) {
        auto top = sys::fstatat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
        if (!top) return 0;
        device_ = top->st_dev;
        add(*top);
        if (!S_ISDIR(top->st_mode)) return bytes_;
        auto fd = sys::openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
        if (!fd) return bytes_;
        top_ = std::move(*fd);
        waiting_.emplace_back(".");
        while (!waiting_.empty()) {
            const std::string directory = std::move(waiting_.back());
            waiting_.pop_back();
            measure_directory(directory);
        }
        return bytes_;
    }

  private:
    void measure_directory(const std::string& path) {
        auto fd = sys::openat2(top_.get(), path, O_RDONLY | O_DIRECTORY,
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        if (!fd) return;
        auto names = sys::list_names(fd->get());
        if (!names) return;
        for (const std::string& name : *names) {
            auto status = sys::fstatat(fd->get(), name, AT_SYMLINK_NOFOLLOW);
            if (!status || status->st_dev != device_) continue;
            if (status->st_nlink > 1 && !S_ISDIR(status->st_mode) && !seen_.insert(status->st_ino).second)
                continue;
            add(*status);
            if (S_ISDIR(status->st_mode)) waiting_.push_back(path + "/" + name);
        }
    }
    void add(const struct stat& status) { bytes_ += static_cast<std::uint64_t>(status.st_blocks) * kBlock; }

    UniqueFd top_;
    dev_t device_ = 0;
    std::uint64_t bytes_ = 0;
    std::set<ino_t> seen_;
    std::vector<std::string> waiting_;
};

std::vector<ImageRow> image_rows(const std::vector<image::ListedImage>& images,
                                 const std::vector<Summary>& containers, std::uint64_t& total) {
    std::map<std::string, std::size_t> users; // of each blob, by digest
    for (const image::ListedImage& listed : images) {
        if (!listed.image) continue;
        std::set<std::string> own;
        for (const image::ImageLayer& layer : listed.image->layers)
            if (own.insert(layer.digest.str()).second && users[layer.digest.str()]++ == 0)
                total += layer.size;
    }
    std::vector<ImageRow> rows;
    for (const image::ListedImage& listed : images) {
        if (!listed.image) continue;
        ImageRow row{.id = listed.image->id,
                     .references = listed.references,
                     .created = listed.image->config.created,
                     .bytes = listed.image->size()};
        for (const image::ImageLayer& layer : listed.image->layers)
            if (users[layer.digest.str()] == 1) row.unique += layer.size;
        for (const Summary& summary : containers)
            if (summary.record && summary.record->image_id == row.id) ++row.containers;
        rows.push_back(std::move(row));
    }
    return rows;
}

std::uint64_t bundle_bytes(const Engine& engine, const ContainerRecord& record) {
    return tree_bytes(paths::bundle(engine.roots(), record.id));
}

std::uint64_t layer_bytes(Engine& engine, const ContainerRecord& record) {
    auto driver = engine.storage(record.drivers.storage);
    if (!driver) return 0;
    auto used = (*driver)->usage(RwId(record.id.str()));
    return used ? used->bytes : 0;
}

ContainerRow container_row(Engine& engine, const ContainerRecord& record) {
    const std::uint64_t layer = layer_bytes(engine, record);
    return {.record = record, .bytes = bundle_bytes(engine, record) + layer, .layer = layer};
}

// What a driver keeps that is no writable layer.
UnpackedRow unpacked_row(const Engine& engine, const std::string& name,
                         const std::vector<ContainerRow>& containers) {
    UnpackedRow row{.driver = name, .bytes = tree_bytes(paths::driver_data(engine.roots(), "storage", name))};
    for (const ContainerRow& container : containers) {
        if (container.record.drivers.storage != name) continue;
        ++row.containers;
        row.bytes -= std::min(row.bytes, container.layer);
    }
    return row;
}

Result<std::vector<VolumeRow>> volume_rows(Engine& engine, const std::vector<ContainerRow>& containers) {
    auto volumes = list_volumes(engine.roots());
    if (!volumes) return fail(volumes);
    std::map<std::string, std::size_t> users;
    for (const ContainerRow& container : containers)
        for (const std::string& name : volume_names(container.record))
            ++users[name];
    std::vector<VolumeRow> rows;
    for (Volume& volume : *volumes) {
        VolumeRow row{.volume = std::move(volume)};
        row.bytes = tree_bytes(paths::volume_data(engine.roots(), row.volume.name));
        row.containers = users[row.volume.name];
        rows.push_back(std::move(row));
    }
    return rows;
}

} // namespace

std::uint64_t tree_bytes(const std::string& path) {
    return Meter().measure(path);
}

std::vector<std::string> storage_drivers_here(const Engine& engine) {
    auto directory = files::open(engine.roots().root + "/storage", O_RDONLY | O_DIRECTORY);
    if (!directory) return {};
    auto names = sys::list_names(directory->get());
    if (!names) return {};
    std::ranges::sort(*names);
    return *names;
}

std::uint64_t storage_bytes(const Engine& engine) {
    return tree_bytes(engine.roots().root + "/storage");
}

std::uint64_t container_bytes(Engine& engine, const ContainerRecord& record) {
    return bundle_bytes(engine, record) + layer_bytes(engine, record);
}

Result<DiskUsage> disk_usage(Engine& engine) {
    auto containers = list(engine);
    if (!containers) return fail(containers);
    auto store = engine.images();
    if (!store) return fail(store);
    auto images = (*store)->list();
    if (!images) return fail(images);
    DiskUsage usage;
    usage.images = image_rows(*images, *containers, usage.image_bytes);
    for (const Summary& summary : *containers)
        if (summary.record) usage.containers.push_back(container_row(engine, *summary.record));
    auto volumes = volume_rows(engine, usage.containers);
    if (!volumes) return fail(volumes);
    usage.volumes = std::move(*volumes);
    for (const std::string& name : storage_drivers_here(engine))
        usage.unpacked.push_back(unpacked_row(engine, name, usage.containers));
    return usage;
}

} // namespace mydocker::engine
