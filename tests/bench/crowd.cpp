// Many containers on one machine, against crun doing the same with the same words: starting them one by one
// and eight at a time, what a supervisor weighs, listing them, removing them. Usage: crowd [CONTAINERS] (as
// root; MYDOCKER_STAGE names another build). Each step is timed once for each engine: it is long enough.
#include "bench/latency.hpp"

namespace {

namespace bench = mydocker::bench;
using bench::Candidate;
using bench::Clock;

// Runs a line of shell to its end, as often as `at_once` says side by side, over the numbers 1…count as $1;
// in seconds. The line must succeed each time.
double crowd(const std::string& line, int count, int at_once) {
    const auto begin = Clock::now();
    const auto outcome =
        mydocker::test::run({"sh", "-c",
                             "seq " + std::to_string(count) + " | xargs -P " + std::to_string(at_once) +
                                 " -n 1 sh -c '" + line + " </dev/null >/dev/null 2>&1' sh"});
    const auto end = Clock::now();
    if (outcome.exit_code != 0) {
        std::fprintf(stderr, "crowd: %s: exit status %d: %s\n", line.c_str(), outcome.exit_code,
                     outcome.err.c_str());
        std::exit(1);
    }
    return std::chrono::duration<double>(end - begin).count();
}

// What the processes of that name take of memory, each shared page divided among its users: KiB for each of
// `count`. They are told by the name that the kernel keeps, of 15 characters at most: it is the program's,
// whatever title stands in the command line. Source: Pss in /proc/PID/smaps_rollup, proc_pid_smaps(5).
double share_each(const std::string& comm, int count) {
    const auto outcome =
        mydocker::test::run({"sh", "-c",
                             "for d in /proc/[0-9]*; do [ \"$(cat $d/comm 2>/dev/null)\" = " + comm +
                                 " ] && sed -n 's/^Pss: *\\([0-9]*\\) kB/\\1/p' $d/smaps_rollup; done | awk "
                                 "'{s+=$1} END {print s+0}'"});
    return std::atof(outcome.out.c_str()) / count;
}

struct Engine {
    std::string name;
    std::string start; // of container number $1
    std::string list;
    std::string remove; // of container number $1
};

struct Figures {
    double one_by_one = 0;
    double eight = 0;
    double list = 0; // milliseconds
    double remove_one = 0;
    double remove_eight = 0;
};

double time_of(const std::string& line, int runs) {
    std::vector<double> times;
    for (int i = 0; i < runs; ++i)
        times.push_back(crowd(line, 1, 1) * 1000);
    return bench::median(times);
}

Figures measure(const Engine& engine, int count) {
    Figures figures;
    figures.one_by_one = crowd(engine.start, count, 1);
    if (engine.name == "mydocker")
        std::printf("monitor: %.0f KiB each (PSS) with %d alive; goal 160\n",
                    share_each("mydocker-monito", count), count);
    figures.remove_one = crowd(engine.remove, count, 1);
    figures.eight = crowd(engine.start, count, 8);
    figures.list = time_of(engine.list, 9);
    figures.remove_eight = crowd(engine.remove, count, 8);
    return figures;
}

void print(const char* what, double ours, double theirs) {
    std::printf("%-28s %10.2f %10.2f %8.2f\n", what, ours, theirs, ours / theirs);
}

} // namespace

int main(int argc, char** argv) {
    const int count = argc > 1 ? std::max(1, std::atoi(argv[1])) : 100;
    bench::hide_unified_cgroups();
    const mydocker::test::TempDir work;
    bench::make_filesystems(work);
    const std::string bundle = bench::make_bundle(work, "\"sleep\", \"100000\"");
    const std::string ours = bench::stage(MYDOCKER_TEST_STAGE) + "/bin/mydocker --root " +
                             (work / "data/root") + " --run-root " + (work / "run/mydocker") + " ";
    const std::string crun = "crun --root " + (work / "run/crun") + " ";
    const Figures mine =
        measure({"mydocker", ours + "run -d --network none --name bench-$1 busybox sleep 100000", ours + "ps",
                 ours + "rm -f bench-$1"},
                count);
    const Figures theirs = measure(
        {"crun", crun + "run -d -b " + bundle + " bench-$1", crun + "list", crun + "delete -f bench-$1"},
        count);
    std::printf("%d containers %16s %10s %8s\n", count, "mydocker", "crun", "ratio");
    print("start one by one, s", mine.one_by_one, theirs.one_by_one);
    print("start eight at a time, s", mine.eight, theirs.eight);
    print("list, ms (goal 0.5)", mine.list, theirs.list);
    print("remove one by one, s", mine.remove_one, theirs.remove_one);
    print("remove eight at a time, s", mine.remove_eight, theirs.remove_eight);
    return 0;
}
