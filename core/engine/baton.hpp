// The baton: an OFD lock on <run_root>/<id>/lock. Whoever holds it, and nobody else, may acquire or
// release what belongs to the container. It is one descriptor, handed from process to process with no
// instant between; it is free exactly when its holder is dead or done.
#pragma once

#include "base/paths.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <chrono>
#include <optional>
#include <utility>

namespace mydocker::engine {

class Baton {
  public:
    // Makes the run directory and takes the lock. Errors: busy when somebody else holds it.
    [[nodiscard]] static Result<Baton> take(const paths::Roots& roots, const ContainerId& id);

    // The same, waiting until the holder lets go. Errors: timeout after `limit`; absent: for ever.
    [[nodiscard]] static Result<Baton> wait(const paths::Roots& roots, const ContainerId& id,
                                            std::optional<std::chrono::milliseconds> limit = {});

    // A baton received from its former holder.
    [[nodiscard]] static Baton adopt(UniqueFd fd) { return Baton(std::move(fd)); }

    // Whether a living process holds it. Pure.
    [[nodiscard]] static bool is_held(const paths::Roots& roots, const ContainerId& id);

    [[nodiscard]] int fd() const { return fd_.get(); }
    // Whether this process has a copy.
    [[nodiscard]] bool is_ours() const { return static_cast<bool>(fd_); }

    // Gives it up without a trace: the run directory and all in it are removed, then the lock goes.
    [[nodiscard]] Status finish(const paths::Roots& roots, const ContainerId& id);

    // Closes this process's copy: somebody else holds on to it.
    void let_go() { fd_.reset(); }

  private:
    explicit Baton(UniqueFd fd) : fd_(std::move(fd)) {}

    UniqueFd fd_;
};

} // namespace mydocker::engine
