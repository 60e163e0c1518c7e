// Any bytes as a layer: nothing may crash, hang, or be written outside the staging directory.
// Run: unpack_fuzz [-rss_limit_mb=256] CORPUS; the first byte chooses the form of whiteouts.
#include "image/unpack.hpp"
#include "mydocker/support/files.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace mydocker;

struct Place {
    std::string directory;
    Place() {
        std::string name = "/dev/shm/unpack_fuzz.XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        directory = name;
    }
    ~Place() { (void)files::remove_tree(directory); }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    static const Place place;
    const std::string staging = place.directory + "/staging";
    if (::mkdir(staging.c_str(), 0700) != 0) std::abort();
    const UniqueFd blob(::memfd_create("blob", MFD_CLOEXEC));
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    if (!files::write_all(blob.get(), bytes, "blob")) std::abort();
    image::UnpackRequest request;
    request.blob_fd = blob.get();
    request.staging = staging;
    request.form = static_cast<Whiteouts>(1 + data[0] % 3);
    request.limits.growth.bytes = std::uint64_t{16} << 20U;
    request.limits.entries = 1000;
    (void)image::unpack_layer(request, {}); // What it says of bad bytes is for the unit tests.
    if (!files::remove_tree(staging)) std::abort();
    // What was written went into the staging directory, or it is here.
    auto directory = files::open(place.directory, O_RDONLY | O_DIRECTORY);
    if (!directory || !files::list_directory(directory->get(), "place")->empty()) std::abort();
    return 0;
}
