// Runs the real command line, as root, with roots of its own, inside the leak meter.
#pragma once

#include "mydocker/support/files.hpp"
#include "support/leak_meter.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

namespace mydocker::test {

// Where the built programs are: <stage>/bin/mydocker and so on.
[[nodiscard]] std::string stage();

// A suite shares one pair of roots, so that the image is unpacked once; each test must leave them as it
// found them.
class EngineTest : public ::testing::Test {
  protected:
    static void SetUpTestSuite();
    static void TearDownTestSuite();
    void SetUp() override;
    void TearDown() override;
    // Whether SetUp() has got here; without root there are no roots that a command could be run on.
    [[nodiscard]] bool is_set_up() const { return meter_ != nullptr; }

    // Runs `mydocker WORDS…` on the suite's roots.
    [[nodiscard]] Outcome mydocker(const std::vector<std::string>& words, const std::string& input = {});
    [[nodiscard]] Outcome mydocker_with(const std::vector<std::string>& environment,
                                        const std::vector<std::string>& words);
    // The whole command line, for those who start it in their own way.
    [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& words) const;
    // The same in a shell's words, with a blank at the end. No word may have a quote in it.
    [[nodiscard]] std::string line(const std::vector<std::string>& words) const;

    // `run --rm FLAGS… busybox sh -c SCRIPT`
    [[nodiscard]] Outcome shell(std::vector<std::string> flags, const std::string& script);
    // `run -d --name NAME FLAGS… busybox COMMAND…`, an empty name left out: the container's id; "" and a
    // failure where it does not start. It is removed at the end of the test.
    [[nodiscard]] std::string start_detached(const std::string& name, const std::vector<std::string>& flags,
                                             const std::vector<std::string>& command);

    // Removes a container at the end of the test, whatever happens.
    void remove_at_end(const std::string& name) { to_remove_.push_back(name); }

    // What has `piece` in it is no leak of this test.
    void ignore(const std::string& piece) {
        if (meter_) meter_->ignore(piece);
    }

    [[nodiscard]] static const std::string& root();
    [[nodiscard]] static const std::string& run_root();

  private:
    UniqueFd machine_; // the lock
    std::unique_ptr<LeakMeter> meter_;
    std::vector<std::string> to_remove_;
};

// A member of `inspect`'s output by simple search: "\"Pid\": 12" → "12". Empty: not there.
[[nodiscard]] std::string member(const std::string& json, const std::string& key);

// Waits, bounded, until the condition holds; for what has no event to wait for.
template <class Condition>
[[nodiscard]] bool eventually(const Condition& condition, int limit_ms = 5000) {
    for (int waited = 0; waited < limit_ms; waited += 10) {
        if (condition()) return true;
        ::usleep(10'000);
    }
    return condition();
}

} // namespace mydocker::test
