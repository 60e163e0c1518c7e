// A directory of plugins as the engine wants it: root's alone, all the way up. Copies of the fixture
// plugins go there, since build trees and /tmp need not be such places.
#pragma once

#include "plugin/plugin_host.hpp"
#include "support/support.hpp"

#include <filesystem>
#include <string>

namespace mydocker::test {

class PluginDir {
  public:
    PluginDir() : directory_("/var/lib") {}

    [[nodiscard]] const std::string& path() const { return directory_.path(); }
    [[nodiscard]] std::string operator/(const std::string& name) const { return directory_ / name; }

    // Copies a fixture ("storage-echo.so") under the name `as`, or its own. Returns the new path.
    std::string add(const std::string& fixture, const std::string& as = {}) const {
        const std::string target = directory_ / (as.empty() ? fixture : as);
        std::filesystem::copy_file(std::string(MYDOCKER_FIXTURE_DIR "/") + fixture, target);
        std::filesystem::permissions(target, std::filesystem::perms(0755));
        return target;
    }

    [[nodiscard]] plugin::PluginSource source() const { return {{path()}}; }

  private:
    TempDir directory_;
};

// Default options of a fixture, as the engine would fill them in.
[[nodiscard]] inline Options text_option(const std::string& key, const std::string& value) {
    return Options({{key, OptionValue(value)}});
}

} // namespace mydocker::test
