// `mydocker commit` of 1,000 new files, 98 MB together, against `tar | sha256sum` of the same files:
// interleaved in one run, medians and their ratio. Both read from a warm cache; both hash everything; only
// commit also stores it, on disk. Usage: commit_speed [RUNS]   (as root; MYDOCKER_STAGE names another build)
#include "support/support.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using mydocker::test::run;
using mydocker::test::TempDir;
using Clock = std::chrono::steady_clock;

double measure(const std::string& line) {
    const auto begin = Clock::now();
    const auto outcome = run({"sh", "-c", line});
    const auto end = Clock::now();
    if (outcome.exit_code != 0) {
        std::fprintf(stderr, "commit_speed: %s\n%s\n", line.c_str(), outcome.err.c_str());
        std::exit(1);
    }
    return std::chrono::duration<double, std::milli>(end - begin).count();
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

} // namespace

int main(int argc, char** argv) {
    const int runs = argc > 1 ? std::atoi(argv[1]) : 9;
    const TempDir work;
    const char* given = std::getenv("MYDOCKER_STAGE");
    const std::string stage = given != nullptr ? given : MYDOCKER_TEST_STAGE;
    const std::string mydocker =
        stage + "/bin/mydocker --root " + (work / "root") + " --run-root " + (work / "run") + " ";
    const std::string files = work / "files";
    (void)measure("mkdir " + files + " && cd " + files +
                  " && i=0; while [ $i -lt 1000 ]; do head -c 98000 /dev/urandom > f$i; i=$((i+1)); done");
    (void)measure(mydocker + "create --name c busybox && " + mydocker + "cp " + files + " c:/files");

    std::vector<double> ours;
    std::vector<double> theirs;
    for (int i = 0; i < runs; ++i) {
        theirs.push_back(measure("tar -cf - -C " + files + " . | sha256sum"));
        ours.push_back(measure(mydocker + "commit c made"));
        (void)measure(mydocker + "rmi made");
    }
    std::printf("commit of 1,000 files, 98 MB: %.0f ms; tar | sha256sum: %.0f ms; ratio %.2f\n", median(ours),
                median(theirs), median(ours) / median(theirs));
    (void)measure(mydocker + "rm -f c");
    return 0;
}
