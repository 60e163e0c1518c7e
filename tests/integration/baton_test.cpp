// The baton between two holders: whoever waits for it learns that it is free, however that comes about.
#include "engine/baton.hpp"

#include "support/support.hpp"

#include <array>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace mydocker::engine {
namespace {

using namespace std::chrono_literals;

// A process that holds the baton until it is told to end.
class Holder {
  public:
    Holder(const paths::Roots& roots, const ContainerId& id) {
        std::array<int, 2> told{};
        std::array<int, 2> tells{};
        if (::pipe2(told.data(), O_CLOEXEC) != 0 || ::pipe2(tells.data(), O_CLOEXEC) != 0) std::abort();
        pid_ = ::fork();
        char byte = 0;
        if (pid_ == 0) {
            ::close(told[1]);
            const auto baton = Baton::take(roots, id);
            (void)!::write(tells[1], baton ? "y" : "n", 1);
            (void)!::read(told[0], &byte, 1);
            ::_exit(0); // The kernel closes what is open, as when a holder is killed.
        }
        ::close(told[0]);
        ::close(tells[1]);
        holds_ = ::read(tells[0], &byte, 1) == 1 && byte == 'y';
        ::close(tells[0]);
        tell_.reset(told[1]);
    }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    ~Holder() {
        end();
        ::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] bool holds() const { return holds_; }
    void end() { tell_.reset(); }

  private:
    pid_t pid_ = -1;
    bool holds_ = false;
    UniqueFd tell_;
};

// close(2) tells of itself before it lets the lock go: on some machines some rounds meet that moment.
TEST(Baton, IsTakenOnceItsHolderIsGone) {
    const test::TempDir directory;
    const paths::Roots roots{.root = directory.path(), .run_root = directory.path()};
    const ContainerId id(std::string(64, 'a'));
    for (int round = 0; round < 100; ++round) {
        Holder holder(roots, id);
        ASSERT_TRUE(holder.holds()) << "round " << round;
        std::thread ender([&] {
            ::usleep(2000); // By then the other waits; if not, the round is an easy one.
            holder.end();
        });

        const auto begin = std::chrono::steady_clock::now();
        const auto baton = Baton::wait(roots, id, 20s);
        const auto waited = std::chrono::steady_clock::now() - begin;

        ender.join();
        ASSERT_TRUE(baton) << "round " << round << ": " << describe(baton.error());
        ASSERT_LT(waited, 10s) << "round " << round << ": only the limit ended it";
    }
}

} // namespace
} // namespace mydocker::engine
