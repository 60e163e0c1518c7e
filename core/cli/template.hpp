// The Go templates that scripts give to --format, as far as scripts go: fields, variables, pipelines, if,
// else, range, with, end, and docker's functions. Not for tables and lists of rows (listing.hpp).
// Source: pkg.go.dev/text/template; github.com/docker/cli, templates/templates.go.
#pragma once

#include "base/json.hpp"
#include "cli/template_tree.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cli {

class Template {
  public:
    // `\t` and `\n` in the text between actions are a tab and a newline. Errors: invalid, naming the place.
    [[nodiscard]] static Result<Template> parse(std::string_view text);

    // What the template makes of a value. `methods`: objects by name, what `.Label "key"` looks up.
    // Errors: invalid, naming the place: an unknown field with those there are, a wrong argument.
    [[nodiscard]] Result<std::string> run(const json::Value& value, const json::Value& methods = {}) const;

    // Whether a field of that name is asked for anywhere: what is dear is found out only then.
    [[nodiscard]] bool mentions(std::string_view field) const;

  private:
    explicit Template(std::vector<tree::Node> nodes) : nodes_(std::move(nodes)) {}

    std::vector<tree::Node> nodes_;
};

} // namespace mydocker::cli
