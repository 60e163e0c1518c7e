// The leak meter.
#include "support/leak_meter.hpp"

#include "support/support.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

std::set<std::string> lines_of(const std::string& path) {
    std::set<std::string> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        lines.insert(line);
    return lines;
}

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::string text;
    std::getline(file, text, '\0');
    return text;
}

void add_tree(const std::string& root, std::set<std::string>& to, bool directories_only) {
    std::error_code error;
    for (fs::recursive_directory_iterator each(root, fs::directory_options::skip_permission_denied, error),
         end;
         !error && each != end; each.increment(error))
        if (!directories_only || each->is_directory(error)) to.insert(each->path().string());
}

std::set<std::string> processes(const std::string& program_directory) {
    constexpr int kState = 3; // of the fields of /proc/PID/stat
    std::set<std::string> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const std::string pid = entry.path().filename().string();
        if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
        const std::string exe = fs::read_symlink(entry.path() / "exe", error).string();
        const std::string command = text_of(entry.path() / "cmdline");
        // Init runs from a mount of its own; the monitor of another installation is not of this test.
        const bool elsewhere = exe.ends_with("/mydocker-monitor");
        const bool ours =
            exe.starts_with(program_directory) || (command.starts_with("mydocker-") && !elsewhere);
        const pid_t number = std::atoi(pid.c_str());
        const bool zombie = stat_field(number, kState) == "Z" && parent_of(number) == ::getpid();
        if (ours || zombie) found.insert((zombie ? "zombie " : "process ") + pid + " " + command + " " + exe);
    }
    return found;
}

} // namespace

LeakMeter::LeakMeter(std::vector<std::string> watched, std::string program_directory)
    : watched_(std::move(watched)),
      program_directory_(std::move(program_directory)),
      before_(take()) {}

Inventory LeakMeter::take() const {
    Inventory now;
    now.mounts = lines_of("/proc/self/mountinfo");
    add_tree("/sys/fs/cgroup", now.cgroups, true);
    // The host's own come and go; the engine's all lie below a "mydocker". One beside it, as "mydocker-x", is
    // none of the engine's: tests of the runtime alone name theirs so, may run meanwhile in another checkout,
    // and see to it themselves that none stays.
    std::erase_if(now.cgroups, [](const std::string& path) {
        return !path.contains("/mydocker/") && !path.ends_with("/mydocker");
    });
    now.processes = processes(program_directory_);
    for (const std::string& directory : watched_)
        add_tree(directory, now.files, false);
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/sys/class/net", error))
        now.network.insert(entry.path().filename().string());
    return now;
}

void LeakMeter::compare(const std::string& kind, const std::set<std::string>& before,
                        const std::set<std::string>& after, std::string& text) const {
    const auto counts = [this](const std::string& line) {
        return std::ranges::none_of(ignored_, [&](const std::string& piece) { return line.contains(piece); });
    };
    for (const std::string& line : after)
        if (!before.contains(line) && counts(line)) text += kind + " left: " + line + "\n";
    for (const std::string& line : before)
        if (!after.contains(line) && kind != "process" && kind != "file" && counts(line))
            text += kind + " gone: " + line + "\n";
}

std::string LeakMeter::difference() const {
    // A detached finisher may be at its last steps when the test ends: it has two seconds.
    std::string text;
    for (int round = 0; round < 200; ++round) {
        const Inventory now = take();
        text.clear();
        compare("mount", before_.mounts, now.mounts, text);
        compare("cgroup", before_.cgroups, now.cgroups, text);
        compare("process", before_.processes, now.processes, text);
        compare("file", before_.files, now.files, text);
        compare("interface", before_.network, now.network, text);
        if (text.empty()) return text;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return text;
}

} // namespace mydocker::test
