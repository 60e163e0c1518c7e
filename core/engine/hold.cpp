#include "engine/hold.hpp"

#include "base/sys.hpp"
#include "engine/finish.hpp"
#include "engine/lifecycle.hpp"
#include "engine/start_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::engine {
namespace {

constexpr std::string_view kFrozen = "frozen\n";

std::string note_path(const Engine& engine, const ContainerId& id) {
    return paths::run_directory(engine.roots(), id) + "/frozen";
}

Result<bool> is_noted(int note) {
    auto status = sys::fstat(note);
    if (!status) return fail(status);
    return status->st_size > 0;
}

Result<process::Child> start_watcher(Engine& engine, const ContainerId& id, int pipe) {
    process::SpawnRequest request;
    request.executable = engine.installation().program;
    request.argv = own_command(engine, "__thaw", id);
    request.fds = {pipe, -1, -1}; // Silent: if it cannot do its work, the next command does it.
    request.new_session = true;   // What a terminal sends to everybody is not meant for it.
    return process::spawn(request);
}

} // namespace

Result<UniqueFd> write_note(Engine& engine, const ContainerId& id) {
    auto note = sys::openat(AT_FDCWD, note_path(engine, id), O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!note) return fail(note);
    if (auto locked = sys::wait_lock(note->get()); !locked) return fail(locked);
    if (auto written = files::write_all(note->get(), kFrozen, "frozen"); !written) return fail(written);
    return note;
}

Status settle_note(Engine& engine, const ContainerId& id, int note) {
    auto container = engine.load(id);
    // Unreadable: whether it is to run is not known, and the note stays for whoever can read it.
    if (!container && container.error().code != Code::not_found) return fail(container);
    if (container && container->record.state == State::running) {
        const ContainerRecord& record = container->record;
        auto cgroup = engine.cgroup_of(record);
        if (!cgroup) return fail(cgroup);
        auto done = cgroup->backend->thaw(cgroup->locator);
        if (!done && done.error().code != Code::not_found)
            return fail(done, "thaw container '" + record.name.str() + "'");
    }
    if (::ftruncate(note, 0) != 0) return fail_errno(errno, "write 'frozen'");
    return {};
}

Result<Freeze> Freeze::take(Engine& engine, const ContainerRecord& record) {
    auto cgroup = engine.cgroup_of(record);
    if (!cgroup) return fail(cgroup);
    auto pipe = sys::pipe();
    if (!pipe) return fail(pipe);
    Freeze freeze(engine, record.id);
    auto note = write_note(engine, record.id);
    if (!note) return fail(note);
    freeze.note_ = std::move(*note);
    auto watcher = start_watcher(engine, record.id, pipe->read.get());
    if (!watcher) return fail(watcher, "start the watcher of a frozen container");
    freeze.watcher_ = std::move(*watcher);
    freeze.pipe_ = std::move(pipe->write);
    if (auto frozen = cgroup->backend->freeze(cgroup->locator); !frozen)
        return fail(frozen, "freeze container '" + record.name.str() + "'");
    return freeze;
}

Status Freeze::release() {
    Status thawed;
    if (note_) thawed = settle_note(*engine_, id_, note_.get());
    if (!thawed) return thawed; // The watcher will try, too.
    note_.reset();
    if (!watcher_.pidfd) return {};
    if (auto sent = sys::pidfd_send_signal(watcher_.pidfd.get(), SIGKILL); sent)
        (void)process::reap(watcher_.pidfd.get()); // How it ended does not matter.
    watcher_.pidfd.reset();
    return {};
}

Freeze::~Freeze() {
    if (!note_ && !watcher_.pidfd) return; // Released, or moved from.
    if (auto done = release(); !done) engine_->diagnostics().warning(describe(done.error()));
}

Result<Hold> Hold::take(Engine& engine, std::string_view name_or_prefix, Stillness stillness) {
    auto container = find_settled(engine, name_or_prefix);
    if (!container) return fail(container);
    Hold hold(engine, std::move(container->record));
    const ContainerRecord& record = hold.record_;
    if (record.is_live()) {
        if (auto ready = check_let_go(engine, record); !ready) return fail(ready);
        if (stillness == Stillness::as_it_runs || record.state == State::paused) return hold;
        auto freeze = Freeze::take(engine, record);
        if (!freeze) return fail(freeze);
        hold.freeze_.emplace(std::move(*freeze));
        return hold;
    }
    auto baton = Baton::take(engine.roots(), record.id);
    if (!baton && baton.error().code == Code::busy) return in_other_hands(record);
    if (!baton) return fail(baton);
    hold.baton_.emplace(std::move(*baton));
    auto now = engine.load(record.id); // It may have been started, or gone, before we had the baton.
    if (!now) return fail(now);
    if (now->record.is_live() || now->record.transition != Transition::none)
        return in_other_hands(now->record);
    hold.record_ = std::move(now->record);
    return hold;
}

Status Hold::release() {
    if (freeze_) {
        auto done = freeze_->release();
        if (!done) return done;
        freeze_.reset();
    }
    if (!baton_ || !baton_->is_ours()) return {};
    auto done = baton_->finish(engine_->roots(), record_.id);
    baton_.reset();
    return done;
}

Hold::~Hold() {
    if (auto done = release(); !done) engine_->diagnostics().warning(describe(done.error()));
}

namespace {

enum class Freezer { passed_over, waited_for }; // one that lives

Status thaw_noted(Engine& engine, const ContainerId& id, Freezer freezer) {
    auto note = sys::openat(AT_FDCWD, note_path(engine, id), O_RDWR | O_NOFOLLOW);
    if (!note) return note.error().code == Code::not_found ? Status{} : fail(note);
    auto noted = is_noted(note->get());
    if (!noted) return fail(noted);
    if (!*noted) return {};
    if (freezer == Freezer::waited_for) {
        if (auto locked = sys::wait_lock(note->get()); !locked) return locked;
    } else {
        auto ours = sys::try_lock(note->get());
        if (!ours) return fail(ours);
        if (!*ours) return {};
    }
    noted = is_noted(note->get()); // Whoever held it may have settled it.
    if (!noted) return fail(noted);
    return *noted ? settle_note(engine, id, note->get()) : Status{};
}

} // namespace

Result<UniqueFd> keep_thawed(Engine& engine, const ContainerRecord& record) {
    const std::string what = "container '" + record.name.str() + "'";
    for (;;) {
        auto note = sys::openat(AT_FDCWD, note_path(engine, record.id), O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
        if (!note && note.error().code == Code::not_found)
            return fail(Code::conflict, what + " is not running");
        if (!note) return note;
        if (auto locked = sys::wait_read_lock(note->get()); !locked) return fail(locked);
        auto now = engine.load(record.id);
        if (!now) return fail(now);
        if (now->record.state == State::paused)
            return fail(Code::conflict, what + " is paused; 'mydocker unpause' lets it run on");
        auto noted = is_noted(note->get());
        if (!noted) return fail(noted);
        if (!*noted) return note;
        note->reset(); // Its freezer was killed, and we were here before the watcher.
        if (auto thawed = thaw_noted(engine, record.id, Freezer::waited_for); !thawed) return fail(thawed);
    }
}

Status thaw_abandoned(Engine& engine, const ContainerId& id) {
    return thaw_noted(engine, id, Freezer::passed_over);
}

// A process that dies closes its descriptors one by one: the pipe's end may be seen before the note's lock is
// free.
Status thaw_at_end(Engine& engine, const ContainerId& id, int pipe) {
    std::array<char, 16> ignored{};
    for (;;) {
        auto count = sys::read(pipe, ignored);
        if (!count) return fail(count);
        if (*count == 0) return thaw_noted(engine, id, Freezer::waited_for);
    }
}

} // namespace mydocker::engine
