// The Go templates that scripts give to --format, as far as scripts go: fields, variables, pipelines, if,
// else, range, with, end, and docker's functions. Not for tables and lists of rows (listing.hpp).
// Source: pkg.go.dev/text/template; github.com/docker/cli, templates/templates.go.
#pragma once

#include "base/json.hpp"
#include "cli/template_tree.hpp"
#include "mydocker/result.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cli {

// What a template meets besides the value.
struct TemplateSetting {
    json::Value methods = {}; // objects by name: what `.Label "key"` looks up
    // Members whose own members are the users' words, "Labels", or "LogConfig.Config" where the last name is
    // another's too: one that is not there has no value, and is no error.
    std::span<const std::string_view> maps = {};
    json::Value whole = {}; // what `json` makes of the value as a whole; null: the value itself
};

class Template {
  public:
    // `\t` and `\n` in the text between actions are a tab and a newline. Errors: invalid, naming the place.
    [[nodiscard]] static Result<Template> parse(std::string_view text);

    // What the template makes of a value. Errors: invalid, naming the place: an unknown field with those
    // there are, a wrong argument.
    [[nodiscard]] Result<std::string> run(const json::Value& value,
                                          const TemplateSetting& setting = {}) const;

    // Whether a value like the sample has what is asked of it as a whole; what is asked of its parts, in
    // `range` and `with`, is found out when it runs. Errors: as run().
    [[nodiscard]] Status check(const json::Value& sample, const TemplateSetting& setting = {}) const;

    // Whether a field of that name is asked for anywhere: what is dear is found out only then.
    [[nodiscard]] bool mentions(std::string_view field) const;

  private:
    explicit Template(std::vector<tree::Node> nodes) : nodes_(std::move(nodes)) {}

    std::vector<tree::Node> nodes_;
};

} // namespace mydocker::cli
