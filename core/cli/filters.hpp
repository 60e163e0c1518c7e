// --filter KEY=VALUE, given several times: which keys there are, and docker's rule for what fits. Values
// of one key are alternatives, keys are conditions that all hold; of labels each one has to hold.
#pragma once

#include "mydocker/result.hpp"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::cli {

using Labels = std::vector<std::pair<std::string, std::string>>;

class Filters {
  public:
    // Errors: invalid: no KEY=VALUE; a key that is unknown, with those there are.
    [[nodiscard]] static Result<Filters> parse(const std::vector<std::string>& given,
                                               std::span<const std::string_view> known);

    [[nodiscard]] bool has(std::string_view key) const { return values_.contains(key); }
    // The values of a key; none when it was not given.
    [[nodiscard]] std::span<const std::string> values(std::string_view key) const;

    // Whether nothing was given for the key or one of its values is the text.
    [[nodiscard]] bool accepts(std::string_view key, std::string_view text) const;
    // The same for values that are extended regular expressions, found anywhere in the text, as docker
    // does with names and ids; one that is none is compared as it is.
    [[nodiscard]] bool matches(std::string_view key, const std::string& text) const;
    // Whether every `label=KEY` and `label=KEY=VALUE` is there.
    [[nodiscard]] bool accepts_labels(const Labels& labels) const;
    // A key whose value says true or false. Errors: invalid.
    [[nodiscard]] Result<bool> truth(std::string_view key) const;
    // Refuses values of a key that are none of the words. Errors: invalid, naming them.
    [[nodiscard]] Status check_words(std::string_view key, std::span<const std::string_view> words) const;

  private:
    std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

} // namespace mydocker::cli
