// Completion for shells: what may stand in the place of the last word. The shells' scripts are thin and
// ask `mydocker __complete`, so that they know every verb and flag of this very program, and what exists.
#pragma once

#include "cli/verb.hpp"
#include "mydocker/result.hpp"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cli {

struct Candidate {
    std::string word;
    std::string help; // may be empty
};

struct Completion {
    std::vector<Candidate> candidates;
    bool files = false;       // names of files fit as well
    bool directories = false; // those of directories
};

// What exists: names (and ids) of a kind, "CONTAINER", "IMAGE" or "VOLUME", beginning with `prefix`.
using NameSource = std::function<std::vector<Candidate>(std::string_view kind, std::string_view prefix)>;

// `words`: all behind `mydocker`; the last one, which may be empty, is to be completed.
[[nodiscard]] Completion complete(std::span<const std::string> words, const NameSource& names);

// The script of a shell. Errors: invalid, naming those there are.
[[nodiscard]] Result<std::string_view> completion_script(std::string_view shell);

} // namespace mydocker::cli
