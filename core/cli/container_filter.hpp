// Which containers `ps --filter` lets through.
#pragma once

#include "cli/filters.hpp"
#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mydocker::cli {

class ContainerFilter {
  public:
    // Pure. Errors: invalid, for a key that is unknown or a value that can fit nothing.
    [[nodiscard]] static Result<ContainerFilter> parse(const std::vector<std::string>& given);
    // Finds the containers and images to compare with. Errors: not_found, for a container; an image that is
    // not there is nobody's.
    [[nodiscard]] Status settle(engine::Engine& engine);

    // Whether a state was asked for that only containers at rest have: then those are listed, too.
    [[nodiscard]] bool asks_for_state() const { return filters_.has("status") || filters_.has("exited"); }
    [[nodiscard]] bool accepts(const engine::ContainerRecord& record) const;

  private:
    [[nodiscard]] Status find_ancestors();
    [[nodiscard]] bool descends(const engine::ContainerRecord& record) const;
    [[nodiscard]] bool has_name(const engine::ContainerRecord& record) const;
    [[nodiscard]] bool has_volume(const engine::ContainerRecord& record) const;

    engine::Engine* engine_ = nullptr;
    Filters filters_;
    std::vector<std::int64_t> exit_codes_;
    std::optional<std::int64_t> before_ns_;
    std::optional<std::int64_t> since_ns_;
    std::set<std::string> descendants_; // ids of images
};

} // namespace mydocker::cli
