// What the benchmarks of latency share: candidates, a clock around a program, and a host to run on.
// crun refuses hybrid cgroup hosts, so all of it runs in a private mount namespace that shows v1 alone.
// Data lie on an ext4 of their own with its usual options, what dies with the boot on a tmpfs: as on an
// ordinary host, and whatever this machine's disk has been through.
#pragma once

#include "support/support.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <random>
#include <sched.h>
#include <spawn.h>
#include <string>
#include <sys/mount.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace mydocker::bench {

using test::run;
using test::TempDir;
using Clock = std::chrono::steady_clock;

struct Candidate {
    std::string name;
    std::vector<std::string> words;
    std::vector<double> warm{};
    std::vector<double> cold{};
    int failures = 0;
};

// From the start of the program to its end, in milliseconds.
inline double measure(Candidate& candidate) {
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

inline double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::ranges::sort(values);
    return values[values.size() / 2];
}

// The machine's v1 hierarchies alone; the host's own view stays as it is.
inline void hide_unified_cgroups() {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        std::perror("latency: private mount namespace");
        std::exit(125);
    }
    (void)::umount2("/sys/fs/cgroup/unified", MNT_DETACH); // Not there on a host with v1 alone.
}

inline void make_filesystems(const TempDir& work) {
    const auto made = run({"sh", "-c",
                           "cd " + work.path() +
                               " && mkdir data run && truncate -s 1G image && mkfs.ext4 -q -F image && "
                               "mount -o loop image data && mount -t tmpfs -o mode=755 run run && mkdir "
                               "data/bare data/bare/merged"});
    if (made.exit_code == 0) return;
    std::fprintf(stderr, "latency: filesystems: %s\n", made.err.c_str());
    std::exit(125);
}

// An OCI bundle of busybox; `command`: its words, quoted, with commas.
inline std::string make_bundle(const TempDir& work, const std::string& command) {
    const std::string bundle = work / "data/bundle";
    const auto made = run({"sh", "-c",
                           "mkdir -p " + bundle + "/rootfs && cd " + bundle +
                               "/rootfs && mkdir -p bin proc dev sys etc tmp && cp /bin/busybox bin/busybox "
                               "&& for n in true sh sleep; do ln -s busybox bin/$n; done && "
                               "cd .. && crun spec && sed -i -e 's/\"terminal\": true/\"terminal\": false/' "
                               "-e 's/\"sh\"/" +
                               command + "/' config.json"});
    if (made.exit_code != 0) {
        std::fprintf(stderr, "latency: bundle: %s\n", made.err.c_str());
        std::exit(125);
    }
    return bundle;
}

// So many times each, in random order, back to back and (half as often) after 150 ms of idle, as when a
// person types.
inline void measure_all(std::vector<Candidate>& candidates, int runs) {
    for (Candidate& candidate : candidates)
        for (int i = 0; i < 3; ++i)
            (void)measure(candidate);
    std::vector<std::size_t> order;
    for (Candidate& candidate : candidates) {
        candidate.failures = 0;
        order.push_back(order.size());
    }
    std::mt19937 random(12345);
    for (const bool cold : {false, true})
        for (int i = 0; i < (cold ? std::max(10, runs / 2) : runs); ++i) {
            std::ranges::shuffle(order, random);
            for (const std::size_t index : order) {
                if (cold) std::this_thread::sleep_for(std::chrono::milliseconds(150));
                Candidate& candidate = candidates[index];
                (cold ? candidate.cold : candidate.warm).push_back(measure(candidate));
            }
        }
}

inline void print(const std::vector<Candidate>& candidates, const char* goal) {
    const auto& crun = *std::ranges::find(candidates, "crun", &Candidate::name);
    std::printf("%-10s %9s %9s %14s %14s %9s\n", "", "warm ms", "cold ms", "warm / crun", "cold / crun",
                "failures");
    for (const Candidate& each : candidates)
        std::printf("%-10s %9.2f %9.2f %14.2f %14.2f %9d\n", each.name.c_str(), median(each.warm),
                    median(each.cold), median(each.warm) / median(crun.warm),
                    median(each.cold) / median(crun.cold), each.failures);
    std::printf("goal: %s\n", goal);
}

// The build under test: this one, or that of MYDOCKER_STAGE.
inline std::string stage(const char* built) {
    const char* given = std::getenv("MYDOCKER_STAGE");
    return given != nullptr ? given : built;
}

inline int exit_code(const std::vector<Candidate>& candidates) {
    return std::ranges::any_of(candidates, [](const Candidate& each) { return each.failures > 0; }) ? 1 : 0;
}

} // namespace mydocker::bench
