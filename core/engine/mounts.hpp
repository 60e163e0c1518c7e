// Where a container's mounts go and what they become in its spec. Decides only; volumes and host
// directories are made in container_volumes.
#pragma once

#include "base/paths.hpp"
#include "engine/request.hpp"
#include "image/config.hpp"
#include "mydocker/result.hpp"
#include "runtime/spec.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mydocker::engine {

// A target in its shortest form. Errors: invalid: relative, the root itself, a ".." that would leave the
// root, a NUL, or a directory that the kernel or we fill (/proc, /sys, /dev).
[[nodiscard]] Result<std::string> clean_target(std::string_view target);

// What the user asked for, then the image's volumes at targets that are left. Anonymous volumes get their
// names, which nothing else has. Errors: invalid, when an image asks for an impossible volume.
[[nodiscard]] Result<std::vector<MountRequest>> settle_mounts(const CreateRequest& request,
                                                              const image::ImageConfig& image);

// The mount as OCI has it.
[[nodiscard]] runtime::SpecMount to_spec(const MountRequest& mount, const paths::Roots& roots);

// Puts mounts of the user's in place of defaults at the same target; a mount comes after what it lies on.
void merge_mounts(std::vector<runtime::SpecMount>& defaults, std::vector<runtime::SpecMount> own);

} // namespace mydocker::engine
