// rm: everything of a container is released, last made first, the record at the very end.
#include "base/process.hpp"
#include "engine/finish.hpp"
#include "engine/lifecycle.hpp"
#include "engine/restart.hpp"
#include "engine/start_mark.hpp"

#include <chrono>
#include <csignal>

namespace mydocker::engine {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kRound = 100ms;
constexpr int kRounds = 100;

// Ends what runs or is about to, as far as one look at it shows. Errors: conflict, without Force.
Status end_what_runs(Engine& engine, const ContainerRecord& record, Force force) {
    const std::string named = "container '" + record.name.str() + "'";
    if (force == Force::no && record.is_restarting())
        return fail(Code::conflict, named + " is waiting to be restarted; stop it first, or use --force");
    if (force == Force::no && record.is_live())
        return fail(Code::conflict, named + " is running; stop it first, or use --force");
    if (force == Force::no) return {};
    // Its next end is the last one, whatever it is doing now.
    if (record.restart.policy.kind != RestartPolicy::Kind::no)
        if (auto marked = mark_stopped(engine, record.id); !marked) return marked;
    if (!record.is_live()) return {};
    // It may end by itself meanwhile: that is as good.
    auto killed = kill(engine, record.id, SIGKILL);
    if (!killed && (killed.error().code == Code::conflict || killed.error().code == Code::not_found))
        return {};
    return killed;
}

// The baton of a container that does not run. Looked at again and again while somebody else has it: who
// starts a container passes the baton on with no instant between.
Result<Baton> take_over(Engine& engine, const ContainerId& id, Force force) {
    for (int round = 1;; ++round) {
        auto container = engine.load(id);
        if (!container && container.error().code != Code::not_found) return fail(container);
        if (container)
            if (auto ended = end_what_runs(engine, container->record, force); !ended) return fail(ended);
        auto baton = Baton::wait(engine.roots(), id, kRound);
        if (baton || baton.error().code != Code::timeout || round == kRounds) return baton;
    }
}

} // namespace

Status remove(Engine& engine, const ContainerId& id, Force force, Volumes volumes) {
    auto container = engine.load(id);
    if (!container && container.error().code == Code::not_found) return {};
    if (!container) return fail(container);
    auto baton = take_over(engine, id, force);
    if (!baton) return fail(baton);
    container = engine.load(id); // Its owner may have removed it while we waited.
    if (!container && container.error().code == Code::not_found) return baton->finish(engine.roots(), id);
    if (!container) return fail(container);
    if (container->record.transition != Transition::removing)
        container = engine.amend(id, [&](ContainerRecord& record) -> Status {
            record.transition = Transition::removing;
            // As after --rm; written down, so that whoever finishes this does the same.
            if (volumes == Volumes::remove) record.remove_after = true;
            return {};
        });
    if (!container) return fail(container);
    return discard(engine, *container, std::move(*baton));
}

Status remove_damaged(Engine& engine, std::string_view name_or_prefix) {
    auto store = engine.state();
    if (!store) return fail(store);
    auto id = (*store)->resolve(name_or_prefix);
    if (!id) return fail(id);
    auto baton = Baton::take(engine.roots(), *id);
    if (!baton) return fail(baton);
    const auto container = engine.load(*id);
    const bool damaged = !container && container.error().code == Code::corrupt;
    const Status removed =
        damaged ? (*store)->remove(*id, kAnyRevision) : Status{}; // Somebody else has been here.
    if (damaged && removed)
        engine.diagnostics().warning("what container '" + paths::short_id(*id) +
                                     "' had on disk stays; `mydocker system recover --orphans` deletes it");
    // By the run directory of one that was started, the next command finds its cgroup.
    auto mark = read_start_mark(baton->fd());
    if (mark && *mark == StartMark::none)
        if (auto finished = baton->finish(engine.roots(), *id); removed && !finished) return finished;
    return removed;
}

} // namespace mydocker::engine
