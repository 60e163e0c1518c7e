// The verbs that the fault sweeps strike, and what must hold one command later.
//
//   MYDOCKER_FAULT_STEP=1     at every system call (default: a part, as the sweep has it); of fewer
//                             calls one is struck
//   MYDOCKER_FAULT_OFFSET=3   first point (default: in the middle of the first step)
//   MYDOCKER_FAULT_POINT=117  this point alone; with --gtest_filter it runs one failure again
#pragma once

#include "support/engine_fixture.hpp"
#include "support/faultline.hpp"

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace mydocker::test {

// A verb on the container "victim", the image "victim-image" or the volume "victim-volume". "@" in a word
// stands for the sweep's own directory.
struct VerbCase {
    std::string name;
    std::vector<std::vector<std::string>> before; // commands that lead up to it
    std::vector<std::string> words;
    std::vector<Victim> victims;
    bool on_running = false; // its monitor runs before the verb does, and is followed
    bool survives = false;   // the container runs on
    bool terminal = false;
    std::string input = {};
    std::string says = {};  // what it prints where it succeeds, if that is known
    std::string proof = {}; // a script that succeeds where the verb has; "$mydocker" is the command line
};

std::ostream& operator<<(std::ostream& out, const VerbCase& verb);

[[nodiscard]] const std::vector<VerbCase>& verb_cases();

// The points of one victim that this run visits, of so many calls.
struct SweepPoints {
    std::size_t step = 1;
    std::size_t offset = 0;
    std::vector<std::size_t> points;
};
[[nodiscard]] SweepPoints plan_sweep(std::size_t calls, std::size_t standard_step);

// What a sweep does to the n-th call of a victim.
using FaultAt = std::function<Fault(Victim victim, std::size_t at)>;
// How far apart the points of a victim with so many calls are where nothing else is asked for.
using StandardStep = std::function<std::size_t(std::size_t calls)>;

// Strikes verbs beside a neighbour that must not notice.
class VerbSweep : public EngineTest {
  protected:
    static void SetUpTestSuite();
    void SetUp() override;

    // Strikes the verb at all points of all its victims; each complaint is a failure of the test.
    void sweep(const VerbCase& verb, const StandardStep& step, const FaultAt& fault_at);

  private:
    [[nodiscard]] Trace count(const VerbCase& verb);

    // Leads up to the verb, then runs it under the fault.
    [[nodiscard]] Trace strike(const VerbCase& verb, const Fault& fault);

    // What is wrong after a strike, in words; nothing when all is well. What the verb made is gone then.
    [[nodiscard]] std::string complaint(const VerbCase& verb, const Fault& fault, const Trace& struck);

    // Takes away what a verb has made, as the records know it.
    void take_away();

    [[nodiscard]] std::string placed(std::string text) const;
    [[nodiscard]] std::vector<std::string> placed(std::vector<std::string> words) const;
    [[nodiscard]] pid_t pid_of(const std::string& name);
    void check_word(const VerbCase& verb, const Outcome& outcome, std::ostream& wrong) const;
    void check_proof(const VerbCase& verb, std::ostream& wrong) const;
    void check_ps(std::ostream& wrong);
    void check_neighbour(std::ostream& wrong);
    void check_survivor(std::ostream& wrong);
    void check_meter(std::ostream& wrong);
    void check_name(std::ostream& wrong);

    std::unique_ptr<TempDir> scratch_;
    pid_t neighbour_ = 0;
    std::unique_ptr<LeakMeter> quiet_;
};

} // namespace mydocker::test
