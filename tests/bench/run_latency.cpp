// Latency of `mydocker run --rm --network none busybox true`, everything included, against crun, runc and a
// bare C program that makes the same kernel objects: interleaved in random order in one run, medians and
// ratios (latency.hpp).
// Usage: run_latency [RUNS]   (as root; MYDOCKER_STAGE names another build)
#include "bench/latency.hpp"

int main(int argc, char** argv) {
    namespace bench = mydocker::bench;
    const int runs = argc > 1 ? std::atoi(argv[1]) : 100;
    bench::hide_unified_cgroups();
    const mydocker::test::TempDir work;
    bench::make_filesystems(work);
    const std::string bundle = bench::make_bundle(work, "\"true\"");
    const std::string name = "bench-" + std::to_string(::getpid());
    std::vector<bench::Candidate> candidates{
        {"bare", {MYDOCKER_BARE, bundle + "/rootfs", work / "data/bare", name}},
        {"mydocker",
         {bench::stage(MYDOCKER_TEST_STAGE) + "/bin/mydocker", "--root", work / "data/root", "--run-root",
          work / "run/mydocker", "run", "--rm", "--network", "none", "busybox", "true"}},
        {"crun", {"crun", "--root", work / "run/crun", "run", "-b", bundle, name}},
        {"runc", {"runc", "--root", work / "run/runc", "run", "-b", bundle, name + "r"}},
    };
    bench::measure_all(candidates, runs);
    bench::print(candidates, "mydocker warm / crun <= 0.65, cold / crun <= 0.45");
    return bench::exit_code(candidates);
}
