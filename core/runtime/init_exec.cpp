// The last steps: announce, load the filter, execute; and when that does not work, say why.
#include "runtime/init_stages.hpp"

#include "base/sys.hpp"
#include "runtime/init_diagnose.hpp"

#include <algorithm>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string_view>

namespace mydocker::runtime::init {
namespace {

constexpr int kNotFound = 127;
constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// What execve(2) wants, made while memory may still be had.
struct Command {
    std::vector<char*> argv;
    std::vector<char*> envp;
    std::string home;
    std::size_t bytes = 0;
};

std::string_view variable(const std::vector<std::string>& env, std::string_view name) {
    for (const std::string& entry : env)
        if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
            return std::string_view(entry).substr(name.size() + 1);
    return {};
}

bool has_variable(const std::vector<std::string>& env, std::string_view name) {
    return std::ranges::any_of(env, [name](const std::string& entry) {
        return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
    });
}

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
    if (!has_variable(init.plan.env, "HOME")) {
        command.home = "HOME=" + init.identity.home;
        command.envp.push_back(command.home.data());
    }
    command.argv.push_back(nullptr);
    command.envp.push_back(nullptr);
    return command;
}

// A name without "/" stands for the first executable of that name in the container's PATH.
class Search {
  public:
    Search(Init& init, Command& command) : init_(init), command_(command) {}

    Diagnosis run() {
        const std::string& name = init_.plan.args.front();
        if (name.find('/') != std::string::npos) return diagnose(name, try_one(name), command_.bytes);
        if (name.empty()) return {Error{Code::not_found, 0, "the command's name is empty"}, kNotFound};
        std::string_view path = variable(init_.plan.env, "PATH");
        if (!has_variable(init_.plan.env, "PATH")) path = kDefaultPath;
        if (auto found = walk(path, name)) return std::move(*found);
        return {Error{Code::not_found, 0, "'" + name + "' is not found in PATH=" + std::string(path)},
                kNotFound};
    }

  private:
    int try_one(const std::string& path) {
        return sys::execveat(AT_FDCWD, path, command_.argv.data(), command_.envp.data(), 0).sys_errno;
    }

    std::optional<Diagnosis> walk(std::string_view path, const std::string& name) {
        std::string denied;
        for (bool more = true; more;) {
            const auto colon = path.find(':');
            more = colon != std::string_view::npos;
            const std::string directory(path.substr(0, colon));
            if (more) path.remove_prefix(colon + 1);
            const std::string candidate = (directory.empty() ? "." : directory) + "/" + name;
            const int error = try_one(candidate);
            if (error == EACCES && denied.empty()) denied = candidate;
            if (error == EACCES || error == ENOTDIR) continue;
            // It is there, and it is something else that is not?
            if (error == ENOENT && !sys::fstatat(AT_FDCWD, candidate, 0)) continue;
            return diagnose(candidate, error, command_.bytes);
        }
        if (denied.empty()) return std::nullopt;
        return diagnose(denied, EACCES, command_.bytes);
    }

    Init& init_;
    Command& command_;
};

InitFailure failure(const char* stage, const Error& error) {
    return {stage, error, 125};
}

} // namespace

InitFailure execute(Init& init) {
    Command command = make_command(init);
    // The channel among them: its end tells the parent that the command runs.
    if (auto done = sys::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); !done)
        return failure("close descriptors", done.error());
    // Also how it is found out that the parent died before the parent-death signal was set.
    auto announced = sys::send_with_fds(init.channel, protocol::encode(protocol::MessageKind::executing), {});
    if (!announced) return failure("announce the command", announced.error());
    if (init.plan.no_new_privileges && !init.plan.seccomp.empty()) {
        if (auto loaded = sys::seccomp_load(init.plan.seccomp, 0); !loaded)
            return failure("load the system call filter", loaded.error());
    }
    Diagnosis diagnosis = Search(init, command).run();
    return {"execve", std::move(diagnosis.error), diagnosis.exit_code};
}

} // namespace mydocker::runtime::init
