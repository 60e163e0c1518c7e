// Changes of an image's configuration, as `commit --change` takes them: one instruction of a Dockerfile a
// change. Pure. Not for whole Dockerfiles.
// Source: Dockerfile reference; moby, builder/dockerfile/dispatchers.go (what commit does with them).
#pragma once

#include "image/config.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mydocker::image {

// A configuration under change.
struct ConfigEdit {
    ImageConfig config;
    std::vector<std::string> on_build; // triggers added
    bool cmd_given = false;            // by a change: a later ENTRYPOINT leaves it
};

// CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, USER, VOLUME, WORKDIR, STOPSIGNAL, HEALTHCHECK, in any case;
// exec form (a JSON list) or shell form; quotes, backslashes, and $NAME, ${NAME}, ${NAME:-word},
// ${NAME:+word} from the configuration's own environment. Errors: invalid, naming the instruction.
[[nodiscard]] Status apply_change(ConfigEdit& edit, std::string_view instruction);

} // namespace mydocker::image
