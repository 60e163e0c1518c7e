// rm: everything of a container is released, last made first, the record at the very end.
#include "base/process.hpp"
#include "engine/finish.hpp"
#include "engine/lifecycle.hpp"

#include <chrono>
#include <csignal>

namespace mydocker::engine {
namespace {

using namespace std::chrono_literals;

} // namespace

Status remove(Engine& engine, const ContainerId& id, Force force) {
    auto container = engine.load(id);
    if (!container && container.error().code == Code::not_found) return {};
    if (!container) return fail(container);
    if (container->record.is_live()) {
        if (force == Force::no)
            return fail(Code::conflict, "container '" + container->record.name.str() +
                                            "' is running; stop it first, or use --force");
        // It may end by itself meanwhile: that is as good.
        if (auto killed = kill(engine, id, SIGKILL); !killed && killed.error().code != Code::conflict)
            return killed;
    }
    auto baton = Baton::wait(engine.roots(), id, 10s);
    if (!baton) return fail(baton);
    container = engine.load(id); // Its owner may have removed it while we waited.
    if (!container && container.error().code == Code::not_found) return baton->finish(engine.roots(), id);
    if (!container) return fail(container);
    if (container->record.transition != Transition::removing) {
        container->record.transition = Transition::removing;
        if (auto saved = engine.save(*container); !saved) return saved;
    }
    return discard(engine, *container, std::move(*baton));
}

} // namespace mydocker::engine
