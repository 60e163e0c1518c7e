// The fixture of tests that make images of containers: what they made is removed before the leaks are
// counted.
#pragma once

#include "support/engine_fixture.hpp"
#include "support/tree_listing.hpp"

#include <string>
#include <vector>

namespace mydocker::test {

class ImageTest : public EngineTest {
  protected:
    static void SetUpTestSuite() {
        EngineTest::SetUpTestSuite();
        if (missing(Need::root)) return;
        // Both drivers have made what they keep, and the store its directories.
        const std::string line = stage() + "/bin/mydocker --root " + root() + " --run-root " + run_root();
        (void)run({"sh", "-c",
                   line + " --storage-driver vfs run --name warm busybox true; " + line +
                       " commit warm warm; " + line + " rm warm; " + line + " rmi warm"});
    }
    void TearDown() override {
        for (const std::string& name : containers_)
            (void)mydocker({"rm", "-f", name});
        for (const std::string& name : images_)
            (void)mydocker({"rmi", "-f", name});
        EngineTest::TearDown();
    }

    // Starts a container that stays, with the driver given ("": the selected one).
    std::string start(const std::string& name, const std::string& image, const std::string& script,
                      const std::string& driver = "") {
        containers_.push_back(name);
        std::vector<std::string> words;
        if (!driver.empty()) words = {"--storage-driver", driver};
        for (const char* word : {"run", "-d", "--name"})
            words.emplace_back(word);
        words.insert(words.end(), {name, image, "sh", "-c", script + "; echo ready; exec sleep 10000"});
        const Outcome outcome = mydocker(words);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        EXPECT_TRUE(eventually([&] { return mydocker({"logs", name}).out.ends_with("ready\n"); }, 20'000))
            << mydocker({"logs", name}).err;
        return outcome.out.substr(0, 64);
    }
    void remove_container_at_end(const std::string& name) { containers_.push_back(name); }
    void remove_image_at_end(const std::string& name) { images_.push_back(name); }

    // The root directory of a running container, as its processes see it.
    std::string root_of(const std::string& name) {
        return "/proc/" + member(mydocker({"inspect", name}).out, "Pid") + "/root";
    }

  private:
    std::vector<std::string> containers_;
    std::vector<std::string> images_;
};

} // namespace mydocker::test
