// -v, --mount and --tmpfs: words to mounts. Nothing is looked up on the host here.
#pragma once

#include "cli/flags.hpp"
#include "engine/request.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <vector>

namespace mydocker::cli {

class MountFlags {
  public:
    void declare(FlagSet& app);
    // Errors: invalid, naming flag and value; also when two go to one target.
    [[nodiscard]] Result<std::vector<engine::MountRequest>> parse() const;

  private:
    std::vector<std::string> volumes_;
    std::vector<std::string> mounts_;
    std::vector<std::string> tmpfs_;
};

// "SOURCE:TARGET[:OPTIONS]" or "TARGET" (an anonymous volume). A source that begins with '/', or with "./"
// or "../" as seen from `directory`, is a path of the host, made when it is not there; others are names.
[[nodiscard]] Result<engine::MountRequest> parse_volume(const std::string& text,
                                                        const std::string& directory);
// "type=bind|volume|tmpfs,source=…,target=…,readonly,…"
[[nodiscard]] Result<engine::MountRequest> parse_mount(const std::string& text, const std::string& directory);
// "TARGET[:OPTIONS]"
[[nodiscard]] Result<engine::MountRequest> parse_tmpfs(const std::string& text);

} // namespace mydocker::cli
