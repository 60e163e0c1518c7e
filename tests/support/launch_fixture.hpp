// The fixture of tests that start real containers: a host whose "/" is shared, a tiny root filesystem, and
// the check that mounts and children are as before. Leaves the machine's own mount namespace alone.
#pragma once

#include "mydocker/support/files.hpp"
#include "support/launch_support.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/wait.h>

namespace mydocker::test {

[[nodiscard]] inline std::string slurp(const std::string& path) {
    return files::read_file(path).value_or("(unreadable)");
}

class LaunchContainer : public ::testing::Test {
  protected:
    void SetUp() override {
        if (auto why = missing(Need::root)) GTEST_SKIP() << *why;
        // On a host whose "/" is shared, as systemd makes it, and without touching the real one.
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_SHARED, nullptr), 0);
        root_ = std::make_unique<TinyRoot>();
        spec_ = default_spec(*root_);
        mounts_ = slurp("/proc/self/mountinfo");
    }

    void TearDown() override {
        if (!root_) return;
        EXPECT_EQ(slurp("/proc/self/mountinfo"), mounts_) << "the host's mounts have changed";
        EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    }

    Launched sh(const std::string& script, const LaunchOptions& options = {}) {
        spec_.process.args = {"sh", "-c", script};
        return launch(spec_, options);
    }

    // What it printed, or why it did not start.
    std::string out_of(const std::string& script, const LaunchOptions& options = {}) {
        return text_of(sh(script, options));
    }

    static std::string text_of(const Launched& result) {
        if (!result.begun) return "begin: " + describe(result.begun.error());
        if (!result.started) return describe(result.failure.error);
        return result.out;
    }

    std::unique_ptr<TinyRoot> root_;
    runtime::ContainerSpec spec_;
    std::string mounts_;
};

} // namespace mydocker::test
