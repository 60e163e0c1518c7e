#include "engine/commit_config.hpp"

#include "base/environment.hpp"
#include "engine/health_record.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace mydocker::engine {
namespace {

using Strings = std::vector<std::string>;

// Variables that spec_builder puts in by itself.
bool is_engines(const std::string& variable, const image::ImageConfig& image, const ContainerRecord& record,
                const runtime::ContainerSpec& spec) {
    if (variable == "HOSTNAME=" + spec.hostname) return true;
    if (environment::has(image.env, environment::key_of(variable))) return false;
    return record.terminal && variable == "TERM=xterm";
}

// The image's, or the one that was given: as the container had it.
void set_command(image::ImageConfig& config, const Strings& words, std::int64_t entrypoint_words) {
    const auto split = words.begin() + std::min(entrypoint_words, std::ssize(words));
    config.entrypoint.assign(words.begin(), split);
    config.cmd.assign(split, words.end());
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

// The image's, unless the container was given another one, or none.
void set_health(image::ImageConfig& config, const ContainerRecord& record) {
    if (!record.health) {
        if (!config.healthcheck.empty()) config.healthcheck = R"({"Test":["NONE"]})";
        return;
    }
    const auto of_image = choose_health(config.healthcheck, {});
    if (of_image && *of_image && **of_image == record.health->check) return;
    config.healthcheck = json::dump(image_document(record.health->check));
}

} // namespace

image::ImageConfig container_config(const image::ImageConfig& image, const ContainerRecord& record,
                                    const runtime::ContainerSpec& spec) {
    image::ImageConfig config = image;
    set_command(config, spec.process.args, record.entrypoint_words);
    config.env.clear();
    for (const std::string& variable : spec.process.env)
        if (!is_engines(variable, image, record, spec)) config.env.push_back(variable);
    config.user = spec.process.user.name;
    if (spec.process.cwd != "/" || !config.working_dir.empty()) config.working_dir = spec.process.cwd;
    if (record.stop_signal != "SIGTERM" || !config.stop_signal.empty())
        config.stop_signal = record.stop_signal;
    set_labels(config, record);
    set_health(config, record);
    return config;
}

} // namespace mydocker::engine
