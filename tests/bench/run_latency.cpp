// Latency of `mydocker run --rm --network none busybox true`, everything included, against crun, runc and a
// bare C program that makes the same kernel objects: interleaved in random order in one run, medians and
// ratios.
//   warm: back to back.  cold: 150 ms of idle before each, as when a person types.
// crun refuses hybrid cgroup hosts, so all of it runs in a private mount namespace that shows v1 alone.
// Usage: run_latency [RUNS]   (as root; MYDOCKER_STAGE names another build)
#include "support/support.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <random>
#include <sched.h>
#include <spawn.h>
#include <sstream>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using mydocker::test::run;
using mydocker::test::TempDir;
using Clock = std::chrono::steady_clock;

struct Candidate {
    std::string name;
    std::vector<std::string> words;
    std::vector<double> warm{};
    std::vector<double> cold{};
    int failures = 0;
};

// From the start of the program to its end, in milliseconds.
double measure(Candidate& candidate) {
    std::vector<char*> argv;
    for (const std::string& word : candidate.words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    const auto begin = Clock::now();
    pid_t pid = -1;
    int status = -1;
    if (::posix_spawnp(&pid, argv.front(), &actions, nullptr, argv.data(), environ) == 0)
        (void)::waitpid(pid, &status, 0);
    const auto end = Clock::now();
    posix_spawn_file_actions_destroy(&actions);
    if (status != 0) ++candidate.failures;
    return std::chrono::duration<double, std::milli>(end - begin).count();
}

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::ranges::sort(values);
    return values[values.size() / 2];
}

// The machine's v1 hierarchies alone; the host's own view stays as it is.
void hide_unified_cgroups() {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        std::perror("run_latency: private mount namespace");
        std::exit(125);
    }
    (void)::umount2("/sys/fs/cgroup/unified", MNT_DETACH); // Not there on a host with v1 alone.
}

std::string make_bundle(const TempDir& work) {
    const std::string bundle = work / "bundle";
    const auto made = run({"sh", "-c",
                           "mkdir -p " + bundle + "/rootfs && cd " + bundle +
                               "/rootfs && mkdir -p bin proc dev sys etc tmp && cp /bin/busybox bin/busybox "
                               "&& ln -s busybox bin/true && ln -s busybox bin/sh && "
                               "cd .. && crun spec && sed -i -e 's/\"terminal\": true/\"terminal\": false/' "
                               "-e 's/\"sh\"/\"true\"/' config.json"});
    if (made.exit_code != 0) {
        std::fprintf(stderr, "run_latency: bundle: %s\n", made.err.c_str());
        std::exit(125);
    }
    return bundle;
}

void print(const std::vector<Candidate>& candidates) {
    const auto& crun = *std::ranges::find(candidates, "crun", &Candidate::name);
    std::printf("%-10s %9s %9s %14s %14s %9s\n", "", "warm ms", "cold ms", "warm / crun", "cold / crun",
                "failures");
    for (const Candidate& each : candidates)
        std::printf("%-10s %9.2f %9.2f %14.2f %14.2f %9d\n", each.name.c_str(), median(each.warm),
                    median(each.cold), median(each.warm) / median(crun.warm),
                    median(each.cold) / median(crun.cold), each.failures);
    std::printf("goal: mydocker warm / crun <= 0.65, cold / crun <= 0.45\n");
}

} // namespace

int main(int argc, char** argv) {
    const int runs = argc > 1 ? std::atoi(argv[1]) : 100;
    hide_unified_cgroups();
    const TempDir work;
    const std::string bundle = make_bundle(work);
    for (const char* directory : {"/bare", "/bare/merged"})
        (void)::mkdir((work.path() + directory).c_str(), 0755);
    const char* given = std::getenv("MYDOCKER_STAGE");
    const std::string stage = given != nullptr ? given : MYDOCKER_TEST_STAGE;
    const std::string name = "bench-" + std::to_string(::getpid());
    std::vector<Candidate> candidates{
        {"bare", {MYDOCKER_BARE, bundle + "/rootfs", work / "bare", name}},
        {"mydocker",
         {stage + "/bin/mydocker", "--root", work / "root", "--run-root", work / "run", "run", "--rm",
          "--network", "none", "busybox", "true"}},
        {"crun", {"crun", "--root", work / "crun", "run", "-b", bundle, name}},
        {"runc", {"runc", "--root", work / "runc", "run", "-b", bundle, name + "r"}},
    };
    for (Candidate& candidate : candidates)
        for (int i = 0; i < 3; ++i)
            (void)measure(candidate);
    for (Candidate& candidate : candidates)
        candidate.failures = 0;

    std::mt19937 random(12345);
    std::vector<std::size_t> order{0, 1, 2, 3};
    for (const bool cold : {false, true})
        for (int i = 0; i < (cold ? std::max(10, runs / 2) : runs); ++i) {
            std::ranges::shuffle(order, random);
            for (const std::size_t index : order) {
                if (cold) std::this_thread::sleep_for(std::chrono::milliseconds(150));
                Candidate& candidate = candidates[index];
                (cold ? candidate.cold : candidate.warm).push_back(measure(candidate));
            }
        }
    print(candidates);
    return std::ranges::any_of(candidates, [](const Candidate& each) { return each.failures > 0; }) ? 1 : 0;
}
