// --filter of the prune verbs, and their question.
#pragma once

#include "mydocker/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::cli {

class PruneFilter {
  public:
    // "until=TIME or AGE", "label=KEY[=VALUE]", "label!=KEY[=VALUE]"; all have to fit. Errors: invalid.
    [[nodiscard]] static Result<PruneFilter> parse(const std::vector<std::string>& texts,
                                                   std::int64_t now_ns);

    // Whether something of this age with these labels is to go.
    [[nodiscard]] bool fits(std::int64_t created_ns,
                            const std::vector<std::pair<std::string, std::string>>& labels) const;

  private:
    struct LabelRule {
        std::string key;
        std::optional<std::string> value;
        bool wanted = true;
    };
    std::optional<std::int64_t> until_ns_;
    std::vector<LabelRule> labels_;
};

// Asks on standard output and reads the answer. Whoever does not say yes says no; so does the end of the
// input.
[[nodiscard]] bool is_agreed(const std::string& warning);

} // namespace mydocker::cli
