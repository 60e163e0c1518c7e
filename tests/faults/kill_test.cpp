// kill -9 at a system call, of the command line, the monitor, init and the finisher: one ordinary command
// later everything is as if it had never begun, or as the record says.
#include "faults/verb_sweep.hpp"

namespace mydocker::test {
namespace {

// Of the points, where not all are asked for; a sanitizer makes each take ten times as long, and what is
// killed tells it nothing.
constexpr std::size_t kEachKill = is_sanitized() ? 1000 : 25;

class Kill : public VerbSweep, public ::testing::WithParamInterface<VerbCase> {};

TEST_P(Kill, LeavesNothingOneCommandLater) {
    sweep(
        GetParam(), [](std::size_t) { return kEachKill; },
        [](Victim victim, std::size_t at) {
            return Fault{.kind = Fault::Kind::kill, .victim = victim, .at = at};
        });
}

INSTANTIATE_TEST_SUITE_P(Verbs, Kill, ::testing::ValuesIn(verb_cases()),
                         [](const auto& each) { return each.param.name; });

} // namespace
} // namespace mydocker::test
