// Verbs that do one thing to each of several containers or volumes: each failure is told, the others are
// still done.
#pragma once

#include "cli/verb.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cli {

// Prints each name done, tells each failure after `verb`; returns the exit code.
[[nodiscard]] int for_each_name(Session& session, std::string_view verb,
                                const std::vector<std::string>& names,
                                const std::function<Status(const std::string&)>& act);

// The containers that a verb is for: those named, or with --all every one that it makes sense for.
class ContainerChoice {
  public:
    void declare(FlagSet& app, std::string_view help) { app.add_flag("-a,--all", all_, help); }
    // `fits`: whether --all means this one. Errors: invalid: neither names nor --all, or both.
    [[nodiscard]] Result<std::vector<std::string>> names(Session& session,
                                                         const std::vector<std::string>& operands,
                                                         bool (*fits)(const engine::ContainerRecord&)) const;

  private:
    bool all_ = false;
};

[[nodiscard]] bool runs(const engine::ContainerRecord& record);

} // namespace mydocker::cli
