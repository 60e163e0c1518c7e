// How fast a container's output becomes its log: 200 MB in lines of 100 bytes, through mydocker and its
// default log driver, against conmon's k8s-file with crun. In turn, medians, MB/s. Usage: log_speed [RUNS]
// (as root; MYDOCKER_STAGE names another build; conmon by PATH)
#include "bench/latency.hpp"

namespace {

namespace bench = mydocker::bench;

constexpr int kMegabytes = 200;

// Seconds of a line of shell that must succeed.
double seconds(const std::string& line) {
    const auto begin = bench::Clock::now();
    const auto outcome = mydocker::test::run({"sh", "-c", line});
    const auto end = bench::Clock::now();
    if (outcome.exit_code != 0) {
        std::fprintf(stderr, "log_speed: %s: exit status %d: %s\n", line.c_str(), outcome.exit_code,
                     outcome.err.c_str());
        std::exit(1);
    }
    return std::chrono::duration<double>(end - begin).count();
}

// What is measured ends only once the log is whole: it must hold every line.
void expect_lines(const std::string& command) {
    const auto outcome = mydocker::test::run({"sh", "-c", command + " | wc -l"});
    if (std::atoi(outcome.out.c_str()) == kMegabytes * 10'000) return;
    std::fprintf(stderr, "log_speed: lines are missing: %s has %s", command.c_str(), outcome.out.c_str());
    std::exit(1);
}

} // namespace

int main(int argc, char** argv) {
    const int runs = argc > 1 ? std::atoi(argv[1]) : 5;
    if (mydocker::test::run({"sh", "-c", "command -v conmon"}).exit_code != 0) {
        std::fprintf(stderr, "log_speed: needs conmon\n");
        return 125;
    }
    bench::hide_unified_cgroups();
    const mydocker::test::TempDir work;
    bench::make_filesystems(work);
    const std::string text = work / "run/text";
    const std::string bytes = std::to_string(kMegabytes * 1'000'000);
    (void)seconds("yes " + std::string(99, 'x') + " | head -c " + bytes + " > " + text);
    const std::string bundle = bench::make_bundle(work, "\"sh\", \"-c\", \"exec cat \\/text\"");
    (void)seconds("cd " + bundle + "/rootfs/bin && ln -s busybox cat && cp " + text + " ../text");

    const std::string ours = bench::stage(MYDOCKER_TEST_STAGE) + "/bin/mydocker --root " +
                             (work / "data/root") + " --run-root " + (work / "run/mydocker") + " ";
    const std::string log = work / "data/conmon.log";
    const std::string theirs =
        "rm -f " + log + "; conmon --sync -c bench -u bench -n bench -r \"$(command -v crun)\" -b " + bundle +
        " -p " + (work / "run/pid") + " --socket-dir-path " + (work / "run") + " --exit-dir " +
        (work / "run") + " -l k8s-file:" + log +
        " --log-level error --runtime-arg --root=" + (work / "run/crun") +
        " </dev/null >/dev/null & conmon=$!; " + "until crun --root " + (work / "run/crun") +
        " start bench 2>/dev/null; do sleep 0.01; done; " + "until [ -e " + (work / "run/bench") +
        " ]; do sleep 0.01; done; wait $conmon; rm -f " + (work / "run/bench") + "; crun --root " +
        (work / "run/crun") + " delete -f bench";
    std::vector<double> mine;
    std::vector<double> conmon;
    for (int i = 0; i < runs; ++i) {
        mine.push_back(kMegabytes /
                       seconds(ours + "run -d --network none --log-opt max-size=1g --name bench -v " + text +
                               ":/text:ro busybox cat /text >/dev/null && " + ours +
                               "wait bench >/dev/null"));
        expect_lines(ours + "logs bench");
        (void)seconds(ours + "rm -f bench");
        conmon.push_back(kMegabytes / seconds(theirs));
        expect_lines("grep '^[^ ]* stdout F ' " + log); // P: the first part of a line that it read in two.
    }
    std::printf(
        "log of %d MB in 100-byte lines, start and end included: mydocker %.0f MB/s, conmon %.0f MB/s, "
        "ratio %.2f (goal 3)\n",
        kMegabytes, bench::median(mine), bench::median(conmon), bench::median(mine) / bench::median(conmon));
    return 0;
}
