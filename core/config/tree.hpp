// A parsed configuration file, free of the library that parsed it, and what becomes of it: values of the
// Config, or complaints. Between load.cpp and apply.cpp; nobody else's.
#pragma once

#include "config/config.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mydocker::config {

struct Node {
    std::string key;
    Origin key_origin;
    Origin value_origin;
    std::string type;              // "a text", "a table", "a date", …
    bool is_table = false;         // then `children`, in the order of the file
    std::optional<RawValue> value; // nothing: a table, or of a type that no key takes
    std::vector<Node> children;
};

// Puts a file's values into the config, over what is there.
void apply_file(Config& config, const std::vector<Node>& nodes, std::vector<Complaint>& complaints);

// Puts one value of a flag or an environment variable into the config.
void apply_override(Config& config, const std::string& key, const std::string& value, const Origin& origin,
                    std::vector<Complaint>& complaints);

} // namespace mydocker::config
