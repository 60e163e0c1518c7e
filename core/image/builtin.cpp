#include "image/builtin.hpp"

#include "base/sys.hpp"
#include "image/entry_path.hpp"
#include "image/load.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace mydocker::image {

namespace {

constexpr std::string_view kOfficial = "library/";

// The archive's path; empty when the name is none that could be shipped. The grammar of references
// leaves no "/" and no leading "." in what is used here.
std::string builtin_path(std::string_view text, const std::string& images) {
    const auto reference = parse_reference(text);
    if (!reference || images.empty() || reference->domain != "docker.io" || reference->tag != "latest" ||
        !reference->digest.empty() || !reference->path.starts_with(kOfficial))
        return {};
    const std::string name = reference->path.substr(kOfficial.size());
    if (name.find('/') != std::string::npos) return {};
    return images + "/" + name + ".tar";
}

} // namespace

Result<Image> find_or_load_builtin(Store& store, std::string_view text, const std::string& images) {
    auto found = store.find(text);
    if (found || found.error().code != Code::not_found) return found;
    const std::string archive = builtin_path(text, images);
    if (archive.empty() || ::access(archive.c_str(), R_OK) != 0)
        return fail(found.error().code, found.error().text + "; `load` or `import` it first");
    // A lock of its own: the store's is taken by the load itself.
    auto lock = files::open_at(store.directory(), "builtin.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!lock) return fail(lock, "image store");
    if (auto locked = sys::wait_lock(lock->get()); !locked) return fail(locked, "image store");
    found = store.find(text);
    if (found || found.error().code != Code::not_found) return found;
    auto loaded = load(store, archive);
    if (!loaded) return fail(loaded, "built-in image " + shown(text));
    return store.find(text);
}

} // namespace mydocker::image
