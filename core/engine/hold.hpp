// Keeps a container as it is while something reads it.
//
// One that does not run: the baton is held, so nobody starts or removes it.
// One that runs, if so asked: its processes are frozen. However this process ends, they are thawed:
//
//   here                                  mydocker __thaw ID (the watcher)      the next command
//    |  lock <run_root>/<id>/frozen           |                                     |
//    |  ---- starts, with a pipe -----------> |  waits for the end of the pipe      |
//    |  write "frozen" into it                |                                     |
//    |  freeze … read … thaw                  |                                     |
//    |  empty it, end the watcher             |                                     |
//   killed in between: the pipe ends -------> |  lock is free, file is not empty:   |
//                                             |  thaw, empty it                     |
//   both killed: -------------------------------------------------------------->   the same
#pragma once

#include "base/process.hpp"
#include "engine/baton.hpp"
#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace mydocker::engine {

enum class Stillness : std::uint32_t {
    as_it_runs, // a running container goes on
    frozen,
};

// The freezing of one running container.
class Freeze {
  public:
    // Waits while another process has it frozen. Errors: unsupported, timeout.
    [[nodiscard]] static Result<Freeze> take(Engine& engine, const ContainerRecord& record);
    Freeze(const Freeze&) = delete;
    Freeze& operator=(const Freeze&) = delete;
    Freeze(Freeze&&) noexcept = default;
    Freeze& operator=(Freeze&&) = delete;
    ~Freeze();

    // Thaws. Again: succeeds.
    [[nodiscard]] Status release();

  private:
    Freeze(Engine& engine, ContainerId id) : engine_(&engine), id_(std::move(id)) {}

    Engine* engine_;
    ContainerId id_;
    UniqueFd note_; // locked
    process::Child watcher_;
    UniqueFd pipe_;
};

// While the descriptor is open nobody freezes the container; waits while somebody has it frozen. Errors:
// conflict: it is paused, or has ended.
[[nodiscard]] Result<UniqueFd> keep_thawed(Engine& engine, const ContainerRecord& record);

class Hold {
  public:
    // Errors: not_found; conflict when it is being started or removed.
    [[nodiscard]] static Result<Hold> take(Engine& engine, std::string_view name_or_prefix,
                                           Stillness stillness);
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    Hold(Hold&&) noexcept = default;
    Hold& operator=(Hold&&) = delete;
    ~Hold();

    [[nodiscard]] const ContainerRecord& record() const { return record_; }
    [[nodiscard]] Status release();

  private:
    Hold(Engine& engine, ContainerRecord record) : engine_(&engine), record_(std::move(record)) {}

    Engine* engine_;
    ContainerRecord record_;
    std::optional<Baton> baton_;
    std::optional<Freeze> freeze_;
};

// The note of a container that is just being frozen or thawed, written and locked by whoever does it; waits
// while another process has it. Until it is emptied, the next command puts right what is left of this one.
// Errors: not_found when it does not run.
[[nodiscard]] Result<UniqueFd> write_note(Engine& engine, const ContainerId& id);
// Brings its processes to what the record says, running or paused, and empties the note.
[[nodiscard]] Status settle_note(Engine& engine, const ContainerId& id, int note);

// Thaws what a killed process left frozen; a container that a user paused stays so. Cheap when there is
// nothing to do.
[[nodiscard]] Status thaw_abandoned(Engine& engine, const ContainerId& id);

// The watcher: waits until `pipe` has no writer any more, then as above.
[[nodiscard]] Status thaw_at_end(Engine& engine, const ContainerId& id, int pipe);

} // namespace mydocker::engine
