// Flags for what a container shares with the host or with another container, and for how it is named and
// logged: namespaces, devices, groups, --privileged; and those that this version refuses, in words.
#pragma once

#include "cli/flags.hpp"
#include "engine/request.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <vector>

namespace mydocker::cli {

class HostFlags {
  public:
    void declare(FlagSet& app);
    // Sets what was asked for; what other flags set must be in `to` already. Errors: invalid, unsupported,
    // naming flag and value.
    [[nodiscard]] Status parse(engine::CreateRequest& to) const;

  private:
    [[nodiscard]] Status parse_namespaces(engine::CreateRequest& to) const;
    [[nodiscard]] Status parse_devices(engine::CreateRequest& to) const;
    [[nodiscard]] Status parse_words(engine::CreateRequest& to) const;
    [[nodiscard]] Status refuse() const;

    bool privileged_ = false;
    std::string pid_;
    std::string ipc_;
    std::string uts_;
    std::string cgroupns_;
    std::string userns_;
    std::vector<std::string> devices_;
    std::vector<std::string> device_rules_;
    std::vector<std::string> groups_;
    std::string oom_score_adj_;
    std::vector<std::string> sysctls_;
    std::string domainname_;
    std::vector<std::string> annotations_;
    std::vector<std::string> labels_;
    std::vector<std::string> label_files_;
    std::vector<std::string> log_options_;
    std::string pull_ = "missing";
    std::string platform_;
    std::vector<std::string> published_;
    std::vector<std::string> exposed_;
    bool publish_all_ = false;
    std::string swappiness_;
    std::string kernel_memory_;
    bool oom_kill_disable_ = false;
};

// "HOST[:CONTAINER][:ACCESS]": the device, or all below a directory, as it is to be inside.
[[nodiscard]] Result<std::vector<engine::DeviceRequest>> parse_device(const std::string& text);
// "TYPE MAJOR:MINOR ACCESS", as "c 10:200 rwm", "b *:* r".
[[nodiscard]] Result<DeviceRule> parse_device_rule(const std::string& text);
// "", "host", "private" and the like, or "container:NAME".
[[nodiscard]] Result<engine::NamespaceMode> parse_namespace(std::string_view flag, const std::string& text,
                                                            std::vector<std::string_view> own_words);

} // namespace mydocker::cli
