// The last steps: announce, load the filter, execute; and when that does not work, say why.
#include "runtime/init_stages.hpp"

#include "base/environment.hpp"
#include "base/sys.hpp"
#include "runtime/init_diagnose.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <span>
#include <string_view>

namespace mydocker::runtime::init {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// What execve(2) wants, made while memory may still be had.
struct Command {
    std::vector<char*> argv;
    std::vector<char*> envp;
    std::string home;
    std::size_t bytes = 0;
};

Command make_command(Init& init) {
    Command command;
    for (std::string& word : init.plan.args) {
        command.argv.push_back(word.data());
        command.bytes += word.size() + 1;
    }
    for (std::string& entry : init.plan.env) {
        command.envp.push_back(entry.data());
        command.bytes += entry.size() + 1;
    }
    if (!environment::find(init.plan.env, "HOME")) {
        command.home = "HOME=" + init.identity.home;
        command.envp.push_back(command.home.data());
    }
    command.argv.push_back(nullptr);
    command.envp.push_back(nullptr);
    return command;
}

// A name without "/" stands for the first executable of that name in the container's PATH. What is there is
// looked up before the filter is loaded: below it nothing is done but execve(2), which every filter that is
// of any use allows.
class Search {
  public:
    Search(Init& init, Command& command)
        : command_(command),
          name_(init.plan.args.front()),
          path_(environment::find(init.plan.env, "PATH").value_or(kDefaultPath)) {
        if (name_.find('/') != std::string::npos)
            candidates_.push_back(name_);
        else if (!name_.empty())
            list_candidates(path_);
    }

    Diagnosis run() {
        if (name_.empty()) return {Error{Code::not_found, 0, "the command's name is empty"}, kNotFound};
        std::string denied;
        for (const std::string& candidate : candidates_) {
            const int error = sys::execve(candidate, command_.argv.data(), command_.envp.data()).sys_errno;
            if (error != EACCES) return diagnose(candidate, error, command_.bytes);
            if (denied.empty()) denied = candidate;
        }
        if (!denied.empty()) return diagnose(denied, EACCES, command_.bytes);
        return {Error{Code::not_found, 0, "'" + name_ + "' is not found in PATH=" + std::string(path_)},
                kNotFound};
    }

  private:
    void list_candidates(std::string_view path) {
        for (bool more = true; more;) {
            const auto colon = path.find(':');
            more = colon != std::string_view::npos;
            const std::string directory(path.substr(0, colon));
            if (more) path.remove_prefix(colon + 1);
            std::string candidate = (directory.empty() ? "." : directory) + "/" + name_;
            auto found = sys::fstatat(AT_FDCWD, candidate, 0);
            // What may not be looked at may be what is meant: executing it says so.
            if (found || (found.error().sys_errno != ENOENT && found.error().sys_errno != ENOTDIR))
                candidates_.push_back(std::move(candidate));
        }
    }

    Command& command_;
    const std::string& name_;
    std::string_view path_;
    std::vector<std::string> candidates_;
};

InitFailure failure(const char* stage, const Error& error) {
    return {stage, {error.code, error.sys_errno, std::string(stage) + ": " + error.text}, 125};
}

} // namespace

InitFailure execute(Init& init) {
    Command command = make_command(init);
    Search search(init, command);
    // The channel among them: its end tells the parent that the command runs.
    if (auto done = sys::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); !done)
        return failure("close descriptors", done.error());
    // Also how it is found out that the parent died before the parent-death signal was set.
    const int watch = init.watch.get();
    const auto fds = watch >= 0 ? std::span<const int>(&watch, 1) : std::span<const int>();
    auto announced = sys::send_with_fds(
        init.channel, protocol::encode(protocol::MessageKind::executing, init.take_trace()), fds);
    if (!announced) return failure("announce the command", announced.error());
    if (init.plan.no_new_privileges && !init.plan.seccomp.empty()) {
        if (auto loaded = sys::seccomp_load(init.plan.seccomp, init.plan.seccomp_flags); !loaded)
            return failure("load the system call filter", loaded.error());
    }
    if (auto split = split_off(init); !split) return failure("start the command", split.error());
    Diagnosis diagnosis = search.run();
    return {"execve", std::move(diagnosis.error), diagnosis.exit_code};
}

} // namespace mydocker::runtime::init
