// The default image, and whether it has a command.
#include "engine/default_image.hpp"

#include "base/sys.hpp"
#include "engine/root_view.hpp"
#include "image/builtin.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>

namespace mydocker::engine {
namespace {

bool is_program(int root, const std::string& path) {
    auto file = open_in_root(root, path, O_PATH);
    if (!file) return false;
    auto status = sys::fstat(file->get());
    return status && S_ISREG(status->st_mode) && (status->st_mode & 0111) != 0;
}

std::string_view path_variable(const runtime::ProcessSpec& process) {
    constexpr std::string_view kKey = "PATH=";
    for (const std::string_view variable : process.env)
        if (variable.starts_with(kKey)) return variable.substr(kKey.size());
    return {};
}

// As execvp(3) looks.
bool has_command(int root, const runtime::ProcessSpec& process, const std::string& command) {
    if (command.starts_with('/')) return is_program(root, command);
    if (command.find('/') != std::string::npos) return is_program(root, process.cwd + "/" + command);
    for (std::string_view left = path_variable(process); !left.empty();) {
        const std::string_view directory = left.substr(0, left.find(':'));
        left.remove_prefix(std::min(directory.size() + 1, left.size()));
        if (is_program(root, std::string(directory) + "/" + command)) return true;
    }
    return false;
}

} // namespace

Result<image::Image> choose_image(Engine& engine, image::Store& images, CreateRequest& request,
                                  std::optional<StandIn>& stand_in) {
    auto image = image::find_or_load_builtin(images, request.image, engine.installation().images);
    const std::string& fallback = engine.config().default_image.value;
    const bool unknown =
        !image && (image.error().code == Code::not_found || image.error().code == Code::invalid);
    if (!unknown || fallback.empty() || request.entrypoint) return image;
    auto other = image::find_or_load_builtin(images, fallback, engine.installation().images);
    if (!other) {
        Error error = image.error();
        error.text += "; nor is the default image there: " + other.error().text;
        return std::unexpected<Error>(std::move(error));
    }
    stand_in = StandIn{request.image, image.error()};
    request.command.insert(request.command.begin(), request.image);
    request.image = fallback;
    return other;
}

Status check_stand_in(Engine& engine, const ContainerRecord& record, const runtime::ProcessSpec& process,
                      const StandIn& stand_in) {
    auto root = open_layers(engine, record, Access::read_only);
    if (!root) return fail(root);
    if (!has_command(root->get(), process, stand_in.command)) {
        Error error = stand_in.no_image;
        error.text +=
            "; nor does the default image '" + record.image + "' have the command '" + stand_in.command + "'";
        return std::unexpected<Error>(std::move(error));
    }
    engine.diagnostics().info("'" + stand_in.command + "' is no image: run in the default image '" +
                              record.image + "'");
    return {};
}

} // namespace mydocker::engine
