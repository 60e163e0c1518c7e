// Fails a system call of the command line, the monitor, init or the finisher as it can truly fail: the verb
// succeeds and has done what it says, or it fails and says why; one ordinary command later everything is as
// if it had never begun, or as the record says.
#include "faults/verb_sweep.hpp"

namespace mydocker::test {
namespace {

constexpr std::size_t kFailuresEach = 3; // points of a victim, where not all are asked for

// One of the ways in which the call can fail: over the points of a sweep each has its turn. What the loader
// does before there is a program is glibc's affair: without memory for its first page it crashes.
std::optional<CallFailure> drawn(const SystemCall& call, std::size_t at) {
    if (call.of_loader) return std::nullopt;
    const std::vector<CallFailure> ways = failures_of(call);
    if (ways.empty()) return std::nullopt;
    constexpr std::size_t kSpread = 2654435761U; // so that no step between points prefers one of them
    return ways[(at * kSpread >> 16U) % ways.size()];
}

class Failure : public VerbSweep, public ::testing::WithParamInterface<VerbCase> {
  protected:
    void SetUp() override {
        if (is_sanitized()) GTEST_SKIP() << "a sanitizer does not survive that its own calls fail";
        VerbSweep::SetUp();
    }
};

TEST_P(Failure, IsSaidAndLeavesNothingOneCommandLater) {
    sweep(
        GetParam(), [](std::size_t calls) { return calls / kFailuresEach; },
        [](Victim victim, std::size_t at) {
            return Fault{.kind = Fault::Kind::error,
                         .victim = victim,
                         .at = at,
                         .choose = [at](const SystemCall& call) { return drawn(call, at); }};
        });
}

INSTANTIATE_TEST_SUITE_P(Verbs, Failure, ::testing::ValuesIn(verb_cases()),
                         [](const auto& each) { return each.param.name; });

} // namespace
} // namespace mydocker::test
