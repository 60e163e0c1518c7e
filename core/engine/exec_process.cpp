// A further process: the first one's, with what was asked for.
#include "engine/exec_process.hpp"

#include "base/environment.hpp"

namespace mydocker::engine {

runtime::ProcessSpec exec_process(runtime::ProcessSpec own, const ExecRequest& request) {
    own.args = request.command;
    own.terminal = request.terminal;
    own.console_size.reset();
    if (request.terminal && !environment::has(own.env, "TERM")) environment::set(own.env, "TERM=xterm");
    environment::set_all(own.env, request.environment);
    if (!request.working_directory.empty()) own.cwd = request.working_directory;
    if (!request.user.empty()) own.user.name = request.user;
    return own;
}

} // namespace mydocker::engine
