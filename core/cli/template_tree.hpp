// A parsed template as plain values: what template_parser makes and template runs.
#pragma once

#include "base/json.hpp"
#include "mydocker/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cli::tree {

struct Command;

// Commands, each given the result of the one before: `.Names | upper`.
struct Pipeline {
    std::vector<Command> commands;
    std::vector<std::string> variables; // `$i, $v := …`: names without '$'
    bool declares = false;              // := and not =
    std::size_t at = 0;                 // byte of the template, from 0
};

// One word of a command.
struct Operand {
    enum class Kind { literal, dot, variable, function, group } kind = Kind::dot;
    json::Value literal;
    std::string name;                // of a variable ("" is `$`) or function
    Pipeline group;                  // what stands in parentheses
    std::vector<std::string> fields; // behind it: `.State.Status`
    std::size_t at = 0;
};

struct Command {
    std::vector<Operand> words;
};

struct Node {
    enum class Kind { text, output, choice, range, with } kind = Kind::text;
    std::string text;
    Pipeline pipeline;
    std::vector<Node> body;
    std::vector<Node> otherwise; // behind `else`
};

} // namespace mydocker::cli::tree

namespace mydocker::cli {

// Errors: invalid: "character 12: …".
[[nodiscard]] Result<std::vector<tree::Node>> parse_template(std::string_view text);

// An error that names its place in the template.
[[nodiscard]] std::unexpected<Error> template_error(std::size_t at, const std::string& text);

} // namespace mydocker::cli
