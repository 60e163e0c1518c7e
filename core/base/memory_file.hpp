// What one program of ours hands to another that it starts: bytes in a file without a name (memfd_create(2)).
#pragma once

#include "base/sys.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <string>
#include <string_view>

namespace mydocker {

// Close-on-exec. `name` is for /proc and messages. Errors: no_space, …, naming it.
[[nodiscard]] inline Result<UniqueFd> memory_file(const char* name, std::string_view bytes) {
    auto fd = sys::memfd_create(name, 0);
    if (!fd) return fd;
    if (auto written = sys::write_all(fd->get(), bytes); !written)
        return fail(written, std::string("'") + name + "'");
    return fd;
}

} // namespace mydocker
