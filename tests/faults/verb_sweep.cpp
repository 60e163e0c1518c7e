// The verbs of the fault sweeps.
#include "faults/verb_sweep.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <regex>
#include <sstream>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;
using SweepClock = std::chrono::steady_clock;

constexpr auto kPsLimit = std::chrono::seconds(1);

const std::vector<std::string> kRunDetached{"run", "-d",      "--name", "victim", "-m",
                                            "64m", "busybox", "sleep",  "1000"};
const std::vector<std::string> kCreate{"create", "--name", "victim", "busybox", "sleep", "1000"};
const std::vector<std::string> kImport{"import", "@/tree.tar", "victim-image"};
const std::vector<std::string> kVolume{"volume", "create", "victim-volume"};

constexpr Victim kOfLine = Victim::command_line;
constexpr Victim kOfMonitor = Victim::monitor;
constexpr Victim kOfInit = Victim::init;
constexpr Victim kOfFinisher = Victim::finisher;

std::optional<std::size_t> number_from(const char* variable) {
    const char* text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    return static_cast<std::size_t>(std::strtoull(text, nullptr, 10));
}

// The engine's own memory, of bounded size: what is known of images, codes and events of those that are gone.
constexpr const char* kKept[] = {"/content/cache", "/exits", "/exits.old", "/events", "/events.old"};

// Scripts that succeed where a verb has.
const std::string kRuns = "$mydocker exec victim true";
const std::string kKnown = "$mydocker inspect victim";
const std::string kGone = "test -z \"$($mydocker ps -aq --filter name=victim)\"";
const std::string kImageRuns = "$mydocker run --rm victim-image test -s /etc/passwd";

std::string is_member(const std::string& name, const std::string& value) {
    return "test \"$($mydocker inspect --format '{{." + name + "}}' victim)\" = '" + value + "'";
}

std::vector<VerbCase> start_cases() {
    return {
        {.name = "RunDetached",
         .before = {},
         .words = kRunDetached,
         .victims = {kOfLine, kOfMonitor, kOfInit},
         .proof = kRuns},
        {.name = "RunDetachedToItsEnd",
         .before = {},
         .words = {"run", "-d", "--name", "victim", "busybox", "echo", "done"},
         .victims = {kOfMonitor, kOfFinisher},
         .proof = is_member("State.ExitCode", "0")},
        {.name = "RunRm",
         .before = {},
         .words = {"run", "--rm", "--name", "victim", "busybox", "echo", "done"},
         .victims = {kOfLine, kOfMonitor, kOfInit},
         .says = "done\n",
         .proof = kGone},
        {.name = "RunOnATerminal",
         .before = {},
         .words = {"run", "-it", "--name", "victim", "busybox", "echo", "done"},
         .victims = {kOfLine, kOfMonitor, kOfInit},
         .terminal = true,
         .says = "done\r\n",
         .proof = is_member("State.ExitCode", "0")},
        {.name = "RunWithAVolume",
         .before = {},
         .words = {"run", "--rm", "--name", "victim", "-v", "victim-volume:/etc", "busybox", "true"},
         .victims = {kOfLine, kOfMonitor, kOfInit},
         .proof = "$mydocker run --rm -v victim-volume:/etc busybox test -s /etc/passwd"},
        {.name = "Create", .before = {}, .words = kCreate, .victims = {kOfLine}, .proof = kKnown},
        {.name = "Start",
         .before = {kCreate},
         .words = {"start", "victim"},
         .victims = {kOfLine, kOfMonitor, kOfInit},
         .proof = kRuns},
        {.name = "StartWithAHealthCheck",
         .before = {{"create", "--name", "victim", "--health-cmd", "true", "--health-interval", "150ms",
                     "busybox", "sleep",
                     "0.25"}}, // One check, whose process counts as the command line, too.
         .words = {"start", "-a", "victim"},
         .victims = {kOfLine, kOfMonitor, kOfInit},
         .proof = is_member("State.ExitCode", "0")},
    };
}

std::vector<VerbCase> life_cases() {
    return {
        {.name = "Exec",
         .before = {kRunDetached},
         .words = {"exec", "victim", "echo", "done"},
         .victims = {kOfLine, kOfInit},
         .survives = true,
         .says = "done\n"},
        {.name = "Attach",
         .before = {{"run", "-d", "-i", "--name", "victim", "busybox", "sh", "-c",
                     "read word; echo got $word"}},
         .words = {"attach", "victim"},
         .victims = {kOfLine, kOfMonitor, kOfFinisher},
         .on_running = true,
         .input = "it\n",
         .says = "got it\n"},
        {.name = "Stop",
         .before = {kRunDetached},
         .words = {"stop", "-t", "0", "victim"},
         .victims = {kOfLine, kOfMonitor, kOfFinisher},
         .on_running = true,
         .proof = is_member("State.Running", "false")},
        {.name = "Kill",
         .before = {kRunDetached},
         .words = {"kill", "victim"},
         .victims = {kOfLine, kOfMonitor, kOfFinisher},
         .on_running = true},
        {.name = "Restart",
         .before = {kRunDetached},
         .words = {"restart", "-t", "0", "victim"},
         .victims = {kOfLine, kOfMonitor, kOfInit, kOfFinisher},
         .on_running = true,
         .proof = kRuns},
        {.name = "Pause",
         .before = {kRunDetached},
         .words = {"pause", "victim"},
         .victims = {kOfLine, kOfMonitor},
         .on_running = true,
         .proof = "$mydocker unpause victim"},
        {.name = "Unpause",
         .before = {kRunDetached, {"pause", "victim"}},
         .words = {"unpause", "victim"},
         .victims = {kOfLine, kOfMonitor},
         .on_running = true,
         .proof = kRuns},
        {.name = "Update",
         .before = {kRunDetached},
         .words = {"update", "--cpu-shares", "512", "victim"},
         .victims = {kOfLine},
         .survives = true,
         .proof = is_member("HostConfig.CpuShares", "512")},
        {.name = "Rename",
         .before = {{"run", "-d", "--name", "victim-before", "busybox", "sleep", "1000"}},
         .words = {"rename", "victim-before", "victim"},
         .victims = {kOfLine},
         .proof = kRuns},
        {.name = "RmForce",
         .before = {kRunDetached},
         .words = {"rm", "-f", "victim"},
         .victims = {kOfLine, kOfMonitor, kOfFinisher},
         .on_running = true,
         .proof = kGone},
    };
}

std::vector<VerbCase> content_cases() {
    return {
        {.name = "Commit",
         .before = {kRunDetached, {"exec", "victim", "touch", "/mark"}},
         .words = {"commit", "victim", "victim-image"},
         .victims = {kOfLine},
         .survives = true,
         .proof = "$mydocker run --rm victim-image test -e /mark"},
        {.name = "Import", .before = {}, .words = kImport, .victims = {kOfLine}, .proof = kImageRuns},
        {.name = "RemoveImage",
         .before = {kImport},
         .words = {"rmi", "victim-image"},
         .victims = {kOfLine},
         .proof = "! $mydocker image inspect victim-image"},
        {.name = "CopyIn",
         .before = {kRunDetached},
         .words = {"cp", "@/tree.tar", "victim:/root/"},
         .victims = {kOfLine},
         .survives = true,
         .proof = "$mydocker exec victim cat /root/tree.tar | cmp - @/tree.tar"},
        {.name = "CopyOut",
         .before = {kRunDetached},
         .words = {"cp", "victim:/bin", "@/out"},
         .victims = {kOfLine},
         .survives = true,
         .proof = "$mydocker exec victim cat /bin/busybox | cmp - @/out/busybox"},
        {.name = "Export",
         .before = {kRunDetached},
         .words = {"export", "-o", "@/out", "victim"},
         .victims = {kOfLine},
         .survives = true,
         .proof = "test \"$(tar -tf @/out | sort)\" = \"$(tar -tf @/tree.tar | sort)\""},
        {.name = "VolumeCreate",
         .before = {},
         .words = kVolume,
         .victims = {kOfLine},
         .proof = "$mydocker volume inspect victim-volume"},
        {.name = "VolumeRemove",
         .before = {kVolume},
         .words = {"volume", "rm", "victim-volume"},
         .victims = {kOfLine},
         .proof = "! $mydocker volume inspect victim-volume"},
    };
}

} // namespace

std::ostream& operator<<(std::ostream& out, const VerbCase& verb) {
    return out << verb.name;
}

const std::vector<VerbCase>& verb_cases() {
    static const std::vector<VerbCase> cases = [] {
        std::vector<VerbCase> all = start_cases();
        std::ranges::move(life_cases(), std::back_inserter(all));
        std::ranges::move(content_cases(), std::back_inserter(all));
        return all;
    }();
    return cases;
}

SweepPoints plan_sweep(std::size_t calls, std::size_t standard_step) {
    SweepPoints sweep;
    if (const auto one = number_from("MYDOCKER_FAULT_POINT")) {
        sweep.points = {*one};
        return sweep;
    }
    // No further apart than there are calls: each victim is struck once at least.
    sweep.step = std::clamp<std::size_t>(number_from("MYDOCKER_FAULT_STEP").value_or(standard_step), 1,
                                         std::max<std::size_t>(1, calls));
    sweep.offset = number_from("MYDOCKER_FAULT_OFFSET").value_or(sweep.step / 2) % sweep.step;
    for (std::size_t point = sweep.offset + 1; point <= calls; point += sweep.step)
        sweep.points.push_back(point);
    return sweep;
}

void VerbSweep::SetUpTestSuite() {
    EngineTest::SetUpTestSuite();
    if (missing(Need::root)) return;
    // What any use of images and volumes leaves for the next has been made.
    const std::string line = stage() + "/bin/mydocker --root " + root() + " --run-root " + run_root();
    (void)run({"sh", "-c",
               line + " run -v warm:/warm --name warm busybox true; " + line + " commit warm warm; " + line +
                   " rm warm; " + line + " rmi warm; " + line + " volume rm warm"});
}

void VerbSweep::SetUp() {
    EngineTest::SetUp();
    if (IsSkipped()) return;
    for (const char* kept : kKept)
        ignore(kept);
    remove_at_end("victim");
    remove_at_end("victim-before");
    remove_at_end("neighbour");
    scratch_ = std::make_unique<TempDir>();
    ASSERT_EQ(mydocker({"run", "-d", "--name", "neighbour", "busybox", "sleep", "1000"}).exit_code, 0);
    ASSERT_EQ(mydocker({"export", "-o", *scratch_ / "tree.tar", "neighbour"}).exit_code, 0);
    neighbour_ = pid_of("neighbour");
    ASSERT_GT(neighbour_, 1);
    quiet_ = std::make_unique<LeakMeter>(std::vector<std::string>{root(), run_root()}, stage());
    for (const char* kept : kKept)
        quiet_->ignore(kept);
    quiet_->ignore("/records/.pending"); // A killed writer's half, which the next one replaces.
    quiet_->ignore("/names/victim");     // An entry that no record bears out, which check_name takes over.
    ignore("/names/victim");             // As the last of them may have left it.
}

std::string VerbSweep::placed(std::string text) const {
    for (auto at = text.find('@'); at != std::string::npos; at = text.find('@', at))
        text.replace(at, 1, scratch_->path());
    return text;
}

std::vector<std::string> VerbSweep::placed(std::vector<std::string> words) const {
    for (std::string& word : words)
        word = placed(std::move(word));
    return words;
}

pid_t VerbSweep::pid_of(const std::string& name) {
    return static_cast<pid_t>(
        std::strtol(member(mydocker({"inspect", name}).out, "Pid").c_str(), nullptr, 10));
}

// The calls of all victims. On a busy machine one that comes late may be missed, and is looked for again.
Trace VerbSweep::count(const VerbCase& verb) {
    constexpr int kMostTries = 5;
    for (int tries = 1;; ++tries) {
        Trace counted = strike(verb, {});
        EXPECT_EQ(complaint(verb, {}, counted), "") << "with no fault at all";
        take_away();
        const bool all =
            std::ranges::all_of(verb.victims, [&](Victim victim) { return counted.counts.contains(victim); });
        if (all || tries == kMostTries) return counted;
    }
}

void VerbSweep::sweep(const VerbCase& verb, const StandardStep& step, const FaultAt& fault_at) {
    const Trace counted = count(verb);
    std::size_t points = 0;
    std::size_t failures = 0;
    for (const Victim victim : verb.victims) {
        const std::size_t calls = counted.counts.contains(victim) ? counted.counts.at(victim) : 0;
        EXPECT_GT(calls, 0U) << "no system call of " << to_string(victim);
        const SweepPoints plan = plan_sweep(calls, step(calls));
        std::cout << "  " << to_string(victim) << ": " << calls << " calls, step " << plan.step << ", offset "
                  << plan.offset << std::endl;
        for (const std::size_t point : plan.points) {
            const Fault fault = fault_at(victim, point);
            const Trace struck = strike(verb, fault);
            const std::string wrong = complaint(verb, fault, struck);
            ++points;
            if (wrong.empty()) continue;
            ++failures;
            ADD_FAILURE() << struck.struck << " (MYDOCKER_FAULT_POINT=" << point << ")\n" << wrong;
            take_away();
        }
    }
    std::cout << "  points: " << points << ", failures: " << failures << std::endl;
}

Trace VerbSweep::strike(const VerbCase& verb, const Fault& fault) {
    for (const auto& words : verb.before) {
        const Outcome outcome = mydocker(placed(words));
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    }
    TraceRequest request;
    request.words = command(placed(verb.words));
    request.fault = fault;
    request.terminal = verb.terminal;
    request.input = verb.input;
    if (verb.on_running)
        if (const pid_t monitor = parent_of(pid_of("victim")); monitor > 1)
            request.running.emplace_back(monitor, Victim::monitor);
    return trace(request);
}

std::string VerbSweep::complaint(const VerbCase& verb, const Fault& fault, const Trace& struck) {
    std::ostringstream wrong;
    if (struck.hung) wrong << "the command line hung; ";
    if (fault.kind != Fault::Kind::kill) check_word(verb, struck.outcome, wrong);
    check_ps(wrong);
    check_neighbour(wrong);
    if (verb.survives && fault.victim != Victim::monitor) check_survivor(wrong);
    if (fault.kind != Fault::Kind::kill && struck.outcome.exit_code == 0) check_proof(verb, wrong);
    if (wrong.str().empty()) check_meter(wrong);
    if (wrong.str().empty()) check_name(wrong);
    return wrong.str();
}

// Nobody was killed: it has succeeded and says nothing, or has failed and says why, in a line of its own.
void VerbSweep::check_word(const VerbCase& verb, const Outcome& outcome, std::ostream& wrong) const {
    const std::string& words = verb.terminal ? outcome.out : outcome.err;
    const bool succeeded = outcome.exit_code == 0;
    // On a terminal it comes after what the container has written.
    const std::string before = verb.terminal ? "(^|\\n)" : "^";
    const std::regex line(before + "(mydocker: |" + stage() + "/bin/mydocker: )[^\\r\\n]+\\r?\\n$");
    if (succeeded && !verb.says.empty() && outcome.out != verb.says)
        wrong << "it ended with 0, but it printed '" << outcome.out << "'; ";
    const std::regex warnings("^(mydocker: warning: [^\n]+\n)*$");
    if (succeeded && !std::regex_match(outcome.err, warnings))
        wrong << "it ended with 0, but it said '" << outcome.err << "'; ";
    if (!succeeded && !std::regex_search(words, line))
        wrong << "it ended with " << outcome.exit_code << ", and it said '" << words << "'; ";
}

void VerbSweep::check_proof(const VerbCase& verb, std::ostream& wrong) const {
    if (verb.proof.empty()) return;
    std::string line;
    for (const std::string& word : command({}))
        line += (line.empty() ? "" : " ") + word;
    const Outcome proof = run({"env", "mydocker=" + line, "sh", "-c", placed(verb.proof)});
    if (proof.exit_code != 0)
        wrong << "it ended with 0, but '" << verb.proof << "' says " << proof.exit_code << ": " << proof.err
              << "; ";
}

// One ordinary command: at once, right, and the end of all recovery.
void VerbSweep::check_ps(std::ostream& wrong) {
    const SweepClock::time_point begin = SweepClock::now();
    const Outcome ps = mydocker({"ps", "-a"});
    if (SweepClock::now() - begin > kPsLimit) wrong << "ps took longer than a second; ";
    if (ps.exit_code != 0) wrong << "ps ended with " << ps.exit_code << "; ";
    if (!ps.err.empty()) wrong << "ps said " << ps.err << "; ";
    if (!matches(ps.out, "neighbour +" + std::to_string(neighbour_) + " +Up"))
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

void VerbSweep::check_neighbour(std::ostream& wrong) {
    if (::kill(neighbour_, 0) != 0) wrong << "the neighbour is dead; ";
    if (pid_of("neighbour") != neighbour_) wrong << "the neighbour's record changed; ";
}

// What the verb only looked at runs on, and is not left frozen.
void VerbSweep::check_survivor(std::ostream& wrong) {
    const Outcome used = mydocker({"exec", "victim", "true"});
    if (used.exit_code != 0) wrong << "the container does not answer: " << used.exit_code << " " << used.err;
}

void VerbSweep::take_away() {
    (void)mydocker({"rm", "-f", "victim", "victim-before"});
    (void)mydocker({"rmi", "-f", "victim-image"});
    (void)mydocker({"images"}); // The ordinary command of those who meet a killed change of images.
    (void)mydocker({"volume", "rm", "-f", "victim-volume"});
    fs::remove_all(*scratch_ / "out");
}

// What the records know goes as they say; nothing else may be there.
void VerbSweep::check_meter(std::ostream& wrong) {
    if (mydocker({"inspect", "victim"}).exit_code == 0) {
        const Outcome removed = mydocker({"rm", "-f", "victim"});
        if (removed.exit_code != 0) wrong << "rm -f ended with " << removed.exit_code << ": " << removed.err;
    }
    take_away();
    wrong << quiet_->difference();
}

void VerbSweep::check_name(std::ostream& wrong) {
    const Outcome again = mydocker({"run", "--rm", "--name", "victim", "busybox", "echo", "again"});
    if (again.exit_code != 0 || again.out != "again\n")
        wrong << "the name is not usable again: " << again.exit_code << " " << again.err;
}

} // namespace mydocker::test
