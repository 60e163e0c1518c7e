// kill -9 at a system call, of the command line, the monitor, init and the finisher: one ordinary command
// later everything is as if it had never begun, or as the record says.
//
//   MYDOCKER_FAULT_STEP=1     at every system call (default: some twelve points a victim)
//   MYDOCKER_FAULT_OFFSET=3   first point (default: random, printed)
//   MYDOCKER_FAULT_POINT=117  this point alone; with --gtest_filter it runs one failure again
#include "support/engine_fixture.hpp"
#include "support/faultline.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <regex>
#include <sstream>

namespace mydocker::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPointsAVictim = 12;
constexpr auto kPsLimit = std::chrono::seconds(1);

// A verb on the container "victim".
struct VerbCase {
    std::string name;
    std::vector<std::vector<std::string>> before; // commands that lead up to it
    std::vector<std::string> words;
    bool on_running = false; // its monitor runs before the verb does
    std::vector<Victim> victims;
};

std::ostream& operator<<(std::ostream& out, const VerbCase& verb) {
    return out << verb.name;
}

const std::vector<std::string> kRunDetached{"run", "-d",      "--name", "victim", "-m",
                                            "64m", "busybox", "sleep",  "1000"};
const std::vector<std::string> kCreate{"create", "--name", "victim", "busybox", "sleep", "1000"};

const std::vector<VerbCase> kVerbs{
    {"RunDetached", {}, kRunDetached, false, {Victim::command_line, Victim::monitor, Victim::init}},
    {"RunDetachedToItsEnd",
     {},
     {"run", "-d", "--name", "victim", "busybox", "echo", "done"},
     false,
     {Victim::monitor, Victim::finisher}},
    {"RunRm",
     {},
     {"run", "--rm", "--name", "victim", "busybox", "echo", "done"},
     false,
     {Victim::command_line, Victim::monitor, Victim::init}},
    {"Create", {}, kCreate, false, {Victim::command_line}},
    {"Start", {kCreate}, {"start", "victim"}, false, {Victim::command_line, Victim::monitor, Victim::init}},
    {"Stop",
     {kRunDetached},
     {"stop", "-t", "0", "victim"},
     true,
     {Victim::command_line, Victim::monitor, Victim::finisher}},
    {"RmForce",
     {kRunDetached},
     {"rm", "-f", "victim"},
     true,
     {Victim::command_line, Victim::monitor, Victim::finisher}},
};

std::optional<std::size_t> number_from(const char* variable) {
    const char* text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    return static_cast<std::size_t>(std::strtoull(text, nullptr, 10));
}

// The points of one victim that this run visits.
struct Sweep {
    std::size_t step = 1;
    std::size_t offset = 0;
    std::vector<std::size_t> points;
};

Sweep plan_sweep(std::size_t calls) {
    Sweep sweep;
    if (const auto one = number_from("MYDOCKER_FAULT_POINT")) {
        sweep.points = {*one};
        return sweep;
    }
    const std::size_t standard = std::max<std::size_t>(1, calls / kPointsAVictim);
    sweep.step = std::max<std::size_t>(1, number_from("MYDOCKER_FAULT_STEP").value_or(standard));
    std::random_device random;
    sweep.offset = number_from("MYDOCKER_FAULT_OFFSET").value_or(random() % sweep.step) % sweep.step;
    for (std::size_t point = sweep.offset + 1; point <= calls; point += sweep.step)
        sweep.points.push_back(point);
    return sweep;
}

pid_t parent_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string stat;
    std::getline(file, stat);
    const auto paren = stat.rfind(')');
    return paren == std::string::npos ? 0 : std::atoi(stat.c_str() + paren + 4);
}

class Kill : public EngineTest, public ::testing::WithParamInterface<VerbCase> {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        remove_at_end("victim");
        remove_at_end("neighbour");
        ASSERT_EQ(mydocker({"run", "-d", "--name", "neighbour", "busybox", "sleep", "1000"}).exit_code, 0);
        neighbour_ = pid_of("neighbour");
        ASSERT_GT(neighbour_, 1);
        quiet_ = std::make_unique<LeakMeter>(std::vector<std::string>{root(), run_root()}, stage());
    }

    pid_t pid_of(const std::string& name) {
        return static_cast<pid_t>(
            std::strtol(member(mydocker({"inspect", name}).out, "Pid").c_str(), nullptr, 10));
    }

    // Leads up to the verb, then runs it under the fault.
    Trace strike(const VerbCase& verb, const Fault& fault) {
        for (const auto& words : verb.before) {
            const Outcome outcome = mydocker(words);
            EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        }
        TraceRequest request;
        request.words = command(verb.words);
        request.fault = fault;
        if (verb.on_running)
            if (const pid_t monitor = parent_of(pid_of("victim")); monitor > 1)
                request.running.emplace_back(monitor, Victim::monitor);
        return trace(request);
    }

    // What is wrong after a strike, in words; nothing when all is well.
    std::string complaint(const Trace& struck) {
        std::ostringstream wrong;
        if (struck.hung) wrong << "the command line hung; ";
        check_ps(wrong);
        check_neighbour(wrong);
        if (wrong.str().empty()) check_meter(wrong);
        if (wrong.str().empty()) check_name(wrong);
        return wrong.str();
    }

  private:
    // One ordinary command: at once, right, and the end of all recovery.
    void check_ps(std::ostream& wrong) {
        const Clock::time_point begin = Clock::now();
        const Outcome ps = mydocker({"ps", "-a"});
        if (Clock::now() - begin > kPsLimit) wrong << "ps took longer than a second; ";
        if (ps.exit_code != 0) wrong << "ps ended with " << ps.exit_code << "; ";
        if (!ps.err.empty()) wrong << "ps said " << ps.err << "; ";
        if (!std::regex_search(ps.out, std::regex("neighbour +" + std::to_string(neighbour_) + " +Up")))
            wrong << "ps shows the neighbour wrongly:\n" << ps.out;
        std::smatch shown;
        if (!std::regex_search(ps.out, shown, std::regex("victim +([0-9]+) +Up"))) return;
        // Its owner may be recording its end at this very moment; what counts is what stays so.
        const pid_t pid = std::stoi(shown[1]);
        const auto is_right = [&] {
            return ::kill(pid, 0) == 0 || mydocker({"ps"}).out.find("victim") == std::string::npos;
        };
        if (!eventually(is_right, 1000)) wrong << "ps shows as running what is dead:\n" << ps.out;
    }

    void check_neighbour(std::ostream& wrong) {
        if (::kill(neighbour_, 0) != 0) wrong << "the neighbour is dead; ";
        if (pid_of("neighbour") != neighbour_) wrong << "the neighbour's record changed; ";
    }

    // What the record knows goes by rm; nothing else may be there.
    void check_meter(std::ostream& wrong) {
        const bool recorded = mydocker({"inspect", "victim"}).exit_code == 0;
        if (recorded) {
            const Outcome removed = mydocker({"rm", "-f", "victim"});
            if (removed.exit_code != 0)
                wrong << "rm -f ended with " << removed.exit_code << ": " << removed.err;
        }
        // A killed writer's half of a record is bounded, and overwritten by the next writer.
        std::istringstream lines(quiet_->difference());
        for (std::string line; std::getline(lines, line);)
            if (!line.ends_with("/records/.pending")) wrong << line << "\n";
    }

    void check_name(std::ostream& wrong) {
        const Outcome again = mydocker({"run", "--rm", "--name", "victim", "busybox", "echo", "again"});
        if (again.exit_code != 0 || again.out != "again\n")
            wrong << "the name is not usable again: " << again.exit_code << " " << again.err;
    }

    pid_t neighbour_ = 0;
    std::unique_ptr<LeakMeter> quiet_;
};

TEST_P(Kill, LeavesNothingOneCommandLater) {
    const VerbCase& verb = GetParam();
    const Trace counted = strike(verb, {});
    (void)mydocker({"rm", "-f", "victim"});
    std::size_t points = 0;
    std::size_t failures = 0;
    for (const Victim victim : verb.victims) {
        const std::size_t calls = counted.counts.contains(victim) ? counted.counts.at(victim) : 0;
        EXPECT_GT(calls, 0U) << "no system call of " << to_string(victim);
        const Sweep sweep = plan_sweep(calls);
        std::cout << "  " << to_string(victim) << ": " << calls << " calls, step " << sweep.step
                  << ", offset " << sweep.offset << std::endl;
        for (const std::size_t point : sweep.points) {
            const Trace struck = strike(verb, {.kind = Fault::Kind::kill, .victim = victim, .at = point});
            const std::string wrong = complaint(struck);
            ++points;
            if (wrong.empty()) continue;
            ++failures;
            ADD_FAILURE() << struck.struck << " (MYDOCKER_FAULT_POINT=" << point << ")\n" << wrong;
            (void)mydocker({"rm", "-f", "victim"});
        }
    }
    std::cout << "  points: " << points << ", failures: " << failures << std::endl;
}

INSTANTIATE_TEST_SUITE_P(Verbs, Kill, ::testing::ValuesIn(kVerbs),
                         [](const auto& each) { return each.param.name; });

} // namespace
} // namespace mydocker::test
