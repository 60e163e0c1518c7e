// Latency of `mydocker exec NAME true` in a running container, against crun, runc and nsenter, which does
// no more than join the namespaces: interleaved in random order in one run, medians and ratios
// (latency.hpp).
// Usage: exec_latency [RUNS]   (as root; MYDOCKER_STAGE names another build)
#include "bench/latency.hpp"

namespace {

using mydocker::test::Outcome;

// What has to work before anything can be measured; its output.
std::string must(const std::vector<std::string>& words) {
    const Outcome outcome = mydocker::test::run(words);
    if (outcome.exit_code == 0) return outcome.out;
    std::fprintf(stderr, "exec_latency: %s: %s\n", words.front().c_str(), outcome.err.c_str());
    std::exit(125);
}

std::vector<std::string> operator+(std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

} // namespace

int main(int argc, char** argv) {
    namespace bench = mydocker::bench;
    const int runs = argc > 1 ? std::atoi(argv[1]) : 100;
    bench::hide_unified_cgroups();
    const mydocker::test::TempDir work;
    bench::make_filesystems(work);
    const std::string bundle = bench::make_bundle(work, "\"sleep\", \"100000\"");
    const std::string name = "bench-" + std::to_string(::getpid());
    const std::vector<std::string> ours{bench::stage(MYDOCKER_TEST_STAGE) + "/bin/mydocker", "--root",
                                        work / "data/root", "--run-root", work / "run/mydocker"};
    const std::vector<std::string> crun{"crun", "--root", work / "run/crun"};
    const std::vector<std::string> runc{"runc", "--root", work / "run/runc"};
    // Detached, they keep the streams of who started them: not those that must() reads to their end.
    for (const auto& [runtime, id] : {std::pair(&crun, name), std::pair(&runc, name + "r")})
        (void)must({"sh", "-c", "\"$@\" </dev/null >/dev/null 2>&1", "sh", (*runtime)[0], (*runtime)[1],
                    (*runtime)[2], "run", "-d", "-b", bundle, id});
    (void)must(ours + std::vector<std::string>{"run", "-d", "--name", name, "busybox", "sleep", "100000"});
    const std::string pid = must({"sh", "-c",
                                  ours[0] + " --root " + ours[2] + " --run-root " + ours[4] + " inspect " +
                                      name + " | sed -n 's/.*\"Pid\": \\([0-9]*\\).*/\\1/p' | tr -d '\\n'"});

    std::vector<bench::Candidate> candidates{
        {"nsenter", {"nsenter", "-t", pid, "-m", "-u", "-i", "-n", "-p", "-C", "/bin/true"}},
        {"mydocker", ours + std::vector<std::string>{"exec", name, "true"}},
        {"crun", crun + std::vector<std::string>{"exec", name, "true"}},
        {"runc", runc + std::vector<std::string>{"exec", name + "r", "true"}},
    };
    bench::measure_all(candidates, runs);
    bench::print(candidates, "mydocker / crun <= 0.5");
    (void)must(ours + std::vector<std::string>{"rm", "-f", name});
    (void)must(crun + std::vector<std::string>{"delete", "-f", name});
    (void)must(runc + std::vector<std::string>{"delete", "-f", name + "r"});
    return bench::exit_code(candidates);
}
