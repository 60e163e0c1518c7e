// A suite of volumes and mounts: images of a few files, and no volume left behind.
#pragma once

#include "support/engine_fixture.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace mydocker::test {

class Volumes : public EngineTest {
  protected:
    void TearDown() override {
        if (!is_set_up()) return;
        for (const std::string& name : containers_)
            (void)mydocker({"rm", "-f", "-v", name});
        (void)mydocker({"volume", "prune", "-a", "-f"});
        for (const std::string& name : images_)
            (void)mydocker({"rmi", "-f", name});
        // What is remembered of busybox goes with any image, and comes back with its next use.
        if (!images_.empty()) (void)mydocker({"run", "--rm", "busybox", "true"});
        // Drivers that a few tests alone use.
        for (const std::string& directory : {root(), run_root()})
            for (const char* driver : {"vfs", "aufs"})
                std::filesystem::remove_all(directory + "/storage/" + driver);
        EngineTest::TearDown();
    }

    // As EngineTest's, with its volumes, and before they are pruned.
    void remove_at_end(const std::string& name) { containers_.push_back(name); }
    void remove_image_at_end(const std::string& name) { images_.push_back(name); }

    // As shell(), of another image.
    Outcome shell_in(const std::string& image, std::vector<std::string> flags, const std::string& script) {
        flags.insert(flags.begin(), {"run", "--rm"});
        flags.insert(flags.end(), {image, "sh", "-c", script});
        return mydocker(flags);
    }

    // An image of busybox and what a shell line makes in its root. `volumes`: as its configuration has them.
    std::string image_with(const std::string& script, const std::string& volumes = "{}") {
        const TempDir directory;
        std::string name = "vol-" + std::to_string(::getpid()) + "-" + std::to_string(images_.size());
        const std::string line =
            "set -e; cd " + directory.path() +
            "; mkdir -p r/bin; cp /bin/busybox r/bin/busybox; "
            "for i in sh ls cat stat readlink find wc; do ln -s busybox r/bin/$i; done; cd r; " +
            script +
            "; cd ..; tar -C r -cf layer.tar .; sum=$(sha256sum <layer.tar | cut -d' ' -f1); "
            "echo '{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"],\"Volumes\":" +
            volumes +
            "},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:'$sum'\"]}}' >config.json; "
            "echo '[{\"Config\":\"config.json\",\"RepoTags\":[\"" +
            name +
            ":latest\"],\"Layers\":[\"layer.tar\"]}]' >manifest.json; "
            "tar -cf image.tar config.json manifest.json layer.tar";
        const Outcome made = test::run({"bash", "-c", line});
        EXPECT_EQ(made.exit_code, 0) << made.err;
        const Outcome loaded = mydocker({"load", directory / "image.tar"});
        EXPECT_EQ(loaded.exit_code, 0) << loaded.err;
        images_.push_back(name);
        return name;
    }

    [[nodiscard]] static std::string data(const std::string& name) {
        return root() + "/volumes/" + name + "/_data";
    }
    [[nodiscard]] std::string volumes() { return mydocker({"volume", "ls", "-q"}).out; }

  private:
    std::vector<std::string> containers_;
    std::vector<std::string> images_;
};

} // namespace mydocker::test
