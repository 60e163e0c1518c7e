// The file of --cidfile.
#include "cli/id_file.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace mydocker::cli {

Result<IdFile> IdFile::make(const std::string& path) {
    if (path.empty()) return IdFile();
    auto fd = files::open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (!fd) return fail(fd, "cidfile");
    return IdFile(path, std::move(*fd));
}

IdFile::~IdFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
}

} // namespace mydocker::cli
