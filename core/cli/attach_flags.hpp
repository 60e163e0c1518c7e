// The flags of staying with a container or command in the foreground, and the words of parting with it.
#pragma once

#include "cli/verb.hpp"
#include "engine/lifecycle.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cli {

class AttachFlags {
  public:
    // --detach-keys
    void declare_keys(FlagSet& app);
    // and --sig-proxy
    void declare(FlagSet& app);
    // --attach, for `run`: docker's list of streams.
    void declare_streams(FlagSet& app);
    [[nodiscard]] bool has_streams() const { return !streams_.empty(); }
    // What is not given, the configuration says. Errors: invalid, naming the key or the stream.
    [[nodiscard]] Result<engine::Attachment> parse(const config::Config& config) const;

  private:
    Flag* keys_option_ = nullptr;
    std::string keys_;
    std::vector<std::string> streams_;
    bool sig_proxy_ = true;
};

// Which streams `--attach` names, in any case of letters; none: all are attached. Errors: invalid.
[[nodiscard]] Status parse_attached(const std::vector<std::string>& names, engine::Attachment& to);

// The exit code of a command line that did not wait for the end, after saying why.
[[nodiscard]] int report_parting(engine::Parting parting, int signal);

// The exit code of one that stayed: the container's, said if it did not end by itself; or of its parting.
[[nodiscard]] int report_outcome(Session& session, std::string_view verb, const engine::RunOutcome& outcome);

[[nodiscard]] int report_failure(Session& session, std::string_view verb, const engine::RunError& failure);

} // namespace mydocker::cli
