// The leak meter: what is on the machine before and after; the difference must be empty. Runs around
// every integration test.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::test {

// Everything of ours that can be left behind, one line each, by kind.
struct Inventory {
    std::set<std::string> mounts;    // mountinfo of this mount namespace
    std::set<std::string> cgroups;   // the engine's, of every hierarchy
    std::set<std::string> processes; // mydocker's programs, and zombies of ours
    std::set<std::string> files;     // below the watched directories
    std::set<std::string> network;   // interfaces of this network namespace
};

class LeakMeter {
  public:
    // `watched`: directories whose files count; `program_directory`: where the programs under test are.
    LeakMeter(std::vector<std::string> watched, std::string program_directory);

    // What has `piece` in it does not count.
    void ignore(std::string piece) { ignored_.push_back(std::move(piece)); }

    // What is there now and was not at the start, in words; empty: nothing. Processes that are just
    // ending are waited for, a little.
    [[nodiscard]] std::string difference() const;

  private:
    [[nodiscard]] Inventory take() const;
    void compare(const std::string& kind, const std::set<std::string>& before,
                 const std::set<std::string>& after, std::string& text) const;

    std::vector<std::string> watched_;
    std::string program_directory_;
    std::vector<std::string> ignored_;
    Inventory before_;
};

} // namespace mydocker::test
