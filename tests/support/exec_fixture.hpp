// A suite of `exec` with one container, "box", made anew for each test.
#pragma once

#include "support/engine_fixture.hpp"

#include <string>
#include <vector>

namespace mydocker::test {

class Exec : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        start({});
    }

    // The container again, with other flags.
    void start(const std::vector<std::string>& flags,
               const std::vector<std::string>& command = {"sleep", "1000"}) {
        (void)mydocker({"rm", "-f", "box"});
        ASSERT_NE(start_detached("box", flags, command), "");
    }

    [[nodiscard]] std::string pid() { return member(mydocker({"inspect", "box"}).out, "Pid"); }
    [[nodiscard]] std::string id() { return member(mydocker({"inspect", "box"}).out, "Id"); }

    [[nodiscard]] Outcome in_box(const std::string& script) {
        return mydocker({"exec", "box", "sh", "-c", script});
    }
};

} // namespace mydocker::test
