// Runs a parsed template over a value.
#include "cli/template.hpp"

#include "cli/template_functions.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace mydocker::cli {
namespace {

using json::Value;
using tree::Node;
using tree::Operand;
using tree::Pipeline;

// Whether the names that have led to a value, "HostConfig.LogConfig.Config", end in a map's.
bool is_map(std::string_view path, std::span<const std::string_view> maps) {
    return std::ranges::any_of(maps, [&](std::string_view map) {
        if (!path.ends_with(map)) return false;
        return path.size() == map.size() || path[path.size() - map.size() - 1] == '.';
    });
}

std::string known_fields(const json::Object& object) {
    std::string list;
    for (const auto& [name, value] : object)
        list += (list.empty() ? "" : ", ") + name;
    return list;
}

// Walks `.State.Status` from a value.
Result<Value> walk(const Operand& operand, const Value* value, std::span<const std::string_view> maps) {
    std::string path;
    for (const std::string& name : operand.fields) {
        if (value->is_null()) return Value();
        const json::Object* object = value->if_object();
        if (object == nullptr)
            return template_error(operand.at, "no field '" + name + "' in '" + to_text(*value) + "'");
        const Value* found = value->find(name);
        if (found == nullptr && is_map(path, maps)) return Value();
        if (found == nullptr)
            return template_error(operand.at,
                                  "unknown field '" + name + "'; there are: " + known_fields(*object));
        value = found;
        path += (path.empty() ? "" : ".") + name;
    }
    return *value;
}

// The map that `.Label "key"` looks up; null: it is no such thing.
const Value* method_map(const tree::Command& command, const Value& methods) {
    const Operand& first = command.words.front();
    const bool is_field = first.kind == Operand::Kind::dot && first.fields.size() == 1;
    return is_field ? methods.find(first.fields.front()) : nullptr;
}

bool is_whole(const Operand& operand) {
    return operand.kind == Operand::Kind::variable && operand.name.empty(); // `$`
}

class Runner {
  public:
    Runner(const Value& value, const TemplateSetting& setting) : root_(value), setting_(setting) {}

    Result<std::string> run(const std::vector<Node>& nodes) {
        if (auto done = list(nodes, root_); !done) return fail(done);
        return std::move(out_);
    }

  private:
    Status list(const std::vector<Node>& nodes, const Value& dot) {
        const std::size_t scope = variables_.size();
        for (const Node& node : nodes)
            if (auto done = one(node, dot); !done) return done;
        variables_.resize(scope); // A variable lives to the end of its block.
        return {};
    }

    Status one(const Node& node, const Value& dot) {
        if (node.kind == Node::Kind::text) {
            out_ += node.text;
            return {};
        }
        const std::size_t scope = variables_.size();
        auto value = pipeline(node.pipeline, dot);
        if (!value) return fail(value);
        if (node.kind == Node::Kind::output) {
            if (node.pipeline.variables.empty()) out_ += to_text(*value);
            return {};
        }
        Status done = node.kind == Node::Kind::range ? range(node, *value, dot)
                      : is_true(*value) ? list(node.body, node.kind == Node::Kind::with ? *value : dot)
                                        : list(node.otherwise, dot);
        variables_.resize(scope);
        return done;
    }

    Status range(const Node& node, const Value& value, const Value& dot) {
        std::vector<std::pair<Value, const Value*>> items;
        if (const json::Array* array = value.if_array()) {
            for (const Value& item : *array)
                items.emplace_back(static_cast<std::int64_t>(items.size()), &item);
        } else if (const json::Object* object = value.if_object()) {
            for (const auto& [key, item] : *object)
                items.emplace_back(key, &item);
            std::ranges::sort(items, {}, [](const auto& item) { return *item.first.if_string(); });
        } else if (!value.is_null()) {
            return template_error(node.pipeline.at, "range needs a list, not '" + to_text(value) + "'");
        }
        if (items.empty()) return list(node.otherwise, dot);
        const std::size_t scope = variables_.size();
        for (const auto& [key, item] : items) {
            set_loop_variables(node.pipeline, key, *item);
            if (auto done = list(node.body, *item); !done) return done;
            variables_.resize(scope);
        }
        return {};
    }

    void set_loop_variables(const Pipeline& pipeline, const Value& key, const Value& item) {
        const auto& names = pipeline.variables;
        if (names.size() == 2) variables_.emplace_back(names[0], key);
        if (!names.empty()) variables_.emplace_back(names.back(), item);
    }

    Result<Value> pipeline(const Pipeline& pipeline, const Value& dot) {
        Value value;
        for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
            auto next = command(pipeline.commands[i], dot, i == 0 ? nullptr : &value);
            if (!next) return next;
            value = std::move(*next);
        }
        if (pipeline.variables.size() == 1)
            if (auto set = assign(pipeline, value); !set) return fail(set);
        return value;
    }

    Status assign(const Pipeline& pipeline, const Value& value) {
        const std::string& name = pipeline.variables.front();
        if (pipeline.declares) {
            variables_.emplace_back(name, value);
            return {};
        }
        for (auto& [known, held] : std::views::reverse(variables_)) {
            if (known != name) continue;
            held = value;
            return {};
        }
        return template_error(pipeline.at, "unknown variable '$" + name + "'");
    }

    // `piped`: the result of the command before, the last argument.
    Result<Value> command(const tree::Command& command, const Value& dot, const Value* piped) {
        const Operand& first = command.words.front();
        if (first.kind == Operand::Kind::function) return call(command, dot, piped);
        if (command.words.size() > 1 || piped != nullptr) return method(command, dot, piped);
        return operand(first, dot);
    }

    Result<Value> call(const tree::Command& command, const Value& dot, const Value* piped) {
        const Operand& function = command.words.front();
        const bool is_and = function.name == "and";
        const bool stops_early = is_and || function.name == "or";
        std::vector<Value> arguments;
        for (std::size_t i = 1; i < command.words.size(); ++i) {
            auto value = operand(command.words[i], dot);
            if (!value) return value;
            arguments.push_back(std::move(*value));
            // What decides the result is the result; the rest may be nonsense then.
            if (stops_early && is_true(arguments.back()) != is_and) return std::move(arguments.back());
        }
        if (piped != nullptr) arguments.push_back(*piped);
        const bool shows_whole = function.name == "json" && !setting_.whole.is_null();
        if (shows_whole && arguments.size() == 1 && arguments.front() == root_)
            arguments.front() = setting_.whole;
        auto result = call_function(function.name, arguments);
        if (!result) return template_error(function.at, result.error().text);
        return result;
    }

    // `.Label "key"`: of the row's own.
    Result<Value> method(const tree::Command& command, const Value& dot, const Value* piped) {
        const Operand& first = command.words.front();
        const Value* map = method_map(command, setting_.methods);
        if (map == nullptr || command.words.size() + (piped != nullptr ? 1 : 0) != 2)
            return template_error(first.at, "this takes no argument");
        auto key = piped != nullptr ? Result<Value>(*piped) : operand(command.words[1], dot);
        if (!key) return key;
        if (key->if_string() == nullptr) return template_error(first.at, "the argument has to be a text");
        const Value* found = map->find(*key->if_string());
        return found != nullptr ? *found : Value("");
    }

    Result<Value> operand(const Operand& operand, const Value& dot) {
        switch (operand.kind) {
        case Operand::Kind::literal:
            return operand.literal;
        case Operand::Kind::dot:
            return walk(operand, &dot, setting_.maps);
        case Operand::Kind::variable:
            return variable(operand);
        case Operand::Kind::group: {
            auto value = pipeline(operand.group, dot);
            if (!value) return value;
            return walk(operand, &*value, setting_.maps);
        }
        case Operand::Kind::function:
            break;
        }
        auto result = call_function(operand.name, {});
        if (!result) return template_error(operand.at, result.error().text);
        return result;
    }

    Result<Value> variable(const Operand& operand) {
        if (is_whole(operand)) return walk(operand, &root_, setting_.maps);
        for (const auto& [known, held] : std::views::reverse(variables_))
            if (known == operand.name) return walk(operand, &held, setting_.maps);
        return template_error(operand.at, "unknown variable '$" + operand.name + "'");
    }

    const Value& root_;
    const TemplateSetting& setting_;
    std::vector<std::pair<std::string, Value>> variables_;
    std::string out_;
};

// What the dot stands for.
enum class Dot { whole, part };

class Checker {
  public:
    Checker(const Value& sample, const TemplateSetting& setting) : sample_(sample), setting_(setting) {}

    [[nodiscard]] Status nodes(const std::vector<Node>& list, Dot dot) const {
        for (const Node& node : list) {
            if (auto fine = pipeline(node.pipeline, dot); !fine) return fine;
            const bool moves = node.kind == Node::Kind::range || node.kind == Node::Kind::with;
            if (auto fine = nodes(node.body, moves ? Dot::part : dot); !fine) return fine;
            if (auto fine = nodes(node.otherwise, dot); !fine) return fine;
        }
        return {};
    }

  private:
    [[nodiscard]] Status pipeline(const Pipeline& pipeline, Dot dot) const {
        for (std::size_t i = 0; i < pipeline.commands.size(); ++i)
            if (auto fine = command(pipeline.commands[i], i > 0, dot); !fine) return fine;
        return {};
    }

    [[nodiscard]] Status command(const tree::Command& command, bool is_piped, Dot dot) const {
        const Operand& first = command.words.front();
        const bool is_called = command.words.size() > 1 || is_piped;
        const bool is_method = is_called && method_map(command, setting_.methods) != nullptr;
        for (const Operand& word : command.words) {
            if (is_method && &word == &first) continue;
            if (auto fine = operand(word, dot); !fine) return fine;
        }
        return {};
    }

    [[nodiscard]] Status operand(const Operand& operand, Dot dot) const {
        if (operand.kind == Operand::Kind::group) return pipeline(operand.group, dot);
        const bool is_of_whole =
            is_whole(operand) || (operand.kind == Operand::Kind::dot && dot == Dot::whole);
        if (!is_of_whole) return {};
        if (auto found = walk(operand, &sample_, setting_.maps); !found) return fail(found);
        return {};
    }

    const Value& sample_;
    const TemplateSetting& setting_;
};

bool mentions_in(const Pipeline& pipeline, std::string_view field) {
    for (const tree::Command& command : pipeline.commands)
        for (const Operand& operand : command.words) {
            if (std::ranges::find(operand.fields, field) != operand.fields.end()) return true;
            // The whole row: every field.
            if (operand.kind == Operand::Kind::dot && operand.fields.empty()) return true;
            if (is_whole(operand) && operand.fields.empty()) return true;
            if (mentions_in(operand.group, field)) return true;
        }
    return false;
}

bool mentions_in(const std::vector<Node>& nodes, std::string_view field) {
    return std::ranges::any_of(nodes, [&](const Node& node) {
        return mentions_in(node.pipeline, field) || mentions_in(node.body, field) ||
               mentions_in(node.otherwise, field);
    });
}

} // namespace

Result<Template> Template::parse(std::string_view text) {
    auto nodes = parse_template(text);
    if (!nodes) return fail(nodes);
    return Template(std::move(*nodes));
}

Result<std::string> Template::run(const Value& value, const TemplateSetting& setting) const {
    return Runner(value, setting).run(nodes_);
}

Status Template::check(const Value& sample, const TemplateSetting& setting) const {
    return Checker(sample, setting).nodes(nodes_, Dot::whole);
}

bool Template::mentions(std::string_view field) const {
    return mentions_in(nodes_, field);
}

} // namespace mydocker::cli
