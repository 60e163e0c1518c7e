// What the suites of cgroup backends share: cgroups under a name of this test process, processes that
// join them as the engine's do, and memory that both see.
#pragma once

#include "conformance/conformance.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace mydocker::conformance {

// A child process; killed by the destructor, reaped by wait() or the tear-down.
class Member {
  public:
    explicit Member(pid_t pid) : pid_(pid) {}
    Member(Member&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    Member& operator=(Member&& other) noexcept {
        std::swap(pid_, other.pid_);
        return *this;
    }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;
    ~Member();

    [[nodiscard]] pid_t pid() const { return pid_; }
    // Waits for the end: the exit status, or 128 + the signal.
    [[nodiscard]] int wait();
    // Waits so long at most; whether it has ended.
    [[nodiscard]] bool has_ended(std::chrono::milliseconds patience);

  private:
    pid_t pid_ = -1;
};

// Numbers shared with children.
struct Shared {
    volatile std::uint64_t progress = 0;
    volatile std::uint64_t forked = 0;
    volatile std::int32_t error = 0;
    volatile std::uint64_t joined = 0;
};

class CgroupSuite : public testing::TestWithParam<Subject<CgroupBackend>> {
  public:
    // Another instance, as another process has it.
    [[nodiscard]] std::unique_ptr<CgroupBackend> open() const;
    // "mydocker-test-<pid>": the parent of all cgroups here.
    [[nodiscard]] const std::string& parent() const { return parent_; }

  protected:
    void SetUp() override;
    void TearDown() override;

    [[nodiscard]] CgroupBackend& backend() { return *backend_; }
    [[nodiscard]] const CgroupTraits& traits() const { return traits_; }
    [[nodiscard]] bool can_limit(std::string_view controller) const;
    // Why a case that limits by the controller cannot run; nothing when it can.
    [[nodiscard]] std::optional<std::string> lacks(std::string_view controller) const;
    [[nodiscard]] Shared& shared() { return *shared_; }

    // The locator of "<parent>/<name>".
    [[nodiscard]] Locator locate(const std::string& name);
    // The same, made.
    [[nodiscard]] Locator given(const std::string& name, const Resources& resources = {});

    // Starts a process that joins by entry() and then runs `body`; the result is its exit status.
    [[nodiscard]] Member start(const Locator& locator, const std::function<int()>& body);
    // One that does nothing until it is killed; it has joined on return.
    [[nodiscard]] Member start_idle(const Locator& locator);
    // The exit status of a process that joined and ran `body`.
    [[nodiscard]] int run(const Locator& locator, const std::function<int()>& body);

    [[nodiscard]] std::vector<pid_t> processes(const Locator& locator);
    [[nodiscard]] std::vector<std::string> listed();

  private:
    std::unique_ptr<CgroupBackend> backend_;
    CgroupTraits traits_;
    std::string parent_;
    std::vector<Locator> located_;
    Shared* shared_ = nullptr;
};

// Joins the calling process (of one thread) where entry() leads, unless it was cloned there.
[[nodiscard]] bool join(const CgroupEntry& entry);
// As fork(2); with a directory in the entry the child begins life there. -1: errno says why.
[[nodiscard]] pid_t fork_into(const CgroupEntry& entry);

// Runs `work` in a child process that is in no cgroup of the test.
[[nodiscard]] Member start_outside(const std::function<int()>& work);

// Asks every millisecond until the answer is yes, or the time is up.
[[nodiscard]] bool soon(const std::function<bool()>& question,
                        std::chrono::milliseconds patience = std::chrono::seconds(10));

// "ok", or what is wrong in words.
[[nodiscard]] std::string words(const Status& status);
template <class T>
[[nodiscard]] std::string words(const Result<T>& result) {
    return result ? "ok" : describe(result.error());
}
template <class T>
[[nodiscard]] Code error_code(const Result<T>& result) {
    return result ? Code::ok : result.error().code;
}

// Never again in the process that calls it: waits for a signal.
[[noreturn]] void idle();

} // namespace mydocker::conformance
