#include "cli/prune_filter.hpp"

#include "base/sys.hpp"
#include "cli/times.hpp"
#include "cli/verb.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <unistd.h>

namespace mydocker::cli {

Result<PruneFilter> PruneFilter::parse(const std::vector<std::string>& texts, std::int64_t now_ns) {
    PruneFilter filter;
    for (const std::string& text : texts) {
        const auto equals = text.find('=');
        const bool unwanted = equals != std::string::npos && equals > 0 && text[equals - 1] == '!';
        const std::string key = text.substr(0, unwanted ? equals - 1 : equals);
        const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
        if (key == "until" && !unwanted && !value.empty()) {
            auto time = parse_time("filter", value, now_ns);
            if (!time) return fail(time);
            filter.until_ns_ = *time;
        } else if (key == "label" && !value.empty()) {
            const auto inner = value.find('=');
            LabelRule rule{value.substr(0, inner), std::nullopt, !unwanted};
            if (inner != std::string::npos) rule.value = value.substr(inner + 1);
            filter.labels_.push_back(std::move(rule));
        } else {
            return fail(Code::invalid,
                        fmt::format("filter: '{}' is unknown; there are: until=TIME, label=KEY[=VALUE], "
                                    "label!=KEY[=VALUE]",
                                    text));
        }
    }
    return filter;
}

bool PruneFilter::fits(std::int64_t created_ns,
                       const std::vector<std::pair<std::string, std::string>>& labels) const {
    if (until_ns_ && created_ns >= *until_ns_) return false;
    return std::ranges::all_of(labels_, [&](const LabelRule& rule) {
        const bool has = std::ranges::any_of(labels, [&](const auto& label) {
            return label.first == rule.key && (!rule.value || label.second == *rule.value);
        });
        return has == rule.wanted;
    });
}

bool is_agreed(const std::string& warning) {
    print(warning + "Are you sure you want to continue? [y/N] ");
    std::array<char, 64> answer{};
    auto count = sys::read(STDIN_FILENO, answer);
    return count && *count > 0 && (answer.front() == 'y' || answer.front() == 'Y');
}

} // namespace mydocker::cli
