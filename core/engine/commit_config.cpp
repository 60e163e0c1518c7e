#include "engine/commit_config.hpp"

#include "engine/environment.hpp"

#include <algorithm>
#include <ranges>
#include <string_view>

namespace mydocker::engine {
namespace {

using Strings = std::vector<std::string>;

// Variables that spec_builder puts in by itself.
bool is_engines(const std::string& variable, const image::ImageConfig& image, const ContainerRecord& record,
                const runtime::ContainerSpec& spec) {
    if (variable == "HOSTNAME=" + spec.hostname) return true;
    if (has_variable(image.env, key_of(variable))) return false;
    return record.terminal && variable == "TERM=xterm";
}

// The command's beginning is the image's entrypoint, unless another one was given: then all of it is the
// command, which runs just so.
void set_command(image::ImageConfig& config, const Strings& words) {
    const bool same =
        !config.entrypoint.empty() && words.size() >= config.entrypoint.size() &&
        std::ranges::equal(config.entrypoint, words | std::views::take(config.entrypoint.size()));
    if (!same) config.entrypoint.clear();
    config.cmd.assign(words.begin() + static_cast<std::ptrdiff_t>(config.entrypoint.size()), words.end());
}

void set_labels(image::ImageConfig& config, const ContainerRecord& record) {
    for (const auto& [key, value] : record.labels) {
        const auto known =
            std::ranges::find(config.labels, key, [](const auto& label) { return label.first; });
        if (known != config.labels.end())
            known->second = value;
        else
            config.labels.emplace_back(key, value);
    }
}

} // namespace

image::ImageConfig container_config(const image::ImageConfig& image, const ContainerRecord& record,
                                    const runtime::ContainerSpec& spec) {
    image::ImageConfig config = image;
    set_command(config, spec.process.args);
    config.env.clear();
    for (const std::string& variable : spec.process.env)
        if (!is_engines(variable, image, record, spec)) config.env.push_back(variable);
    config.user = spec.process.user.name;
    if (spec.process.cwd != "/" || !config.working_dir.empty()) config.working_dir = spec.process.cwd;
    if (record.stop_signal != "SIGTERM" || !config.stop_signal.empty())
        config.stop_signal = record.stop_signal;
    set_labels(config, record);
    return config;
}

} // namespace mydocker::engine
