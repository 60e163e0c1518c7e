// Health checks: made by the container's own monitor, told by ps and inspect.
#include "support/engine_fixture.hpp"

#include <unistd.h>

namespace mydocker::test {
namespace {

class HealthChecks : public EngineTest {
  protected:
    void start(const std::string& name, const std::vector<std::string>& flags,
               const std::string& script = "exec sleep 1000") {
        ASSERT_NE(start_detached(name, flags, {"sh", "-c", script}), "");
    }
    std::string inspect(const std::string& name) { return mydocker({"inspect", name}).out; }
    // "starting", "healthy", "unhealthy"; empty: it is not checked.
    std::string health(const std::string& name) {
        const std::string shown = inspect(name);
        const auto at = shown.find("\"Health\": {");
        return at == std::string::npos ? "" : member(shown.substr(at), "Status");
    }
    static int count(const std::string& text, const std::string& piece) {
        int found = 0;
        for (auto at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1))
            ++found;
        return found;
    }
};

TEST_F(HealthChecks, GoFromStartingToHealthy) {
    // Failures count for nothing while it starts.
    start("well", {"--health-cmd", "echo fine; test -e /well", "--health-interval", "100ms",
                   "--health-start-period", "1h"});
    EXPECT_EQ(health("well"), "starting");
    EXPECT_NE(mydocker({"ps"}).out.find("(health: starting)"), std::string::npos);

    ASSERT_EQ(mydocker({"exec", "well", "touch", "/well"}).exit_code, 0);

    EXPECT_TRUE(eventually([&] { return health("well") == "healthy"; }));

    EXPECT_NE(mydocker({"ps"}).out.find("(healthy)"), std::string::npos) << mydocker({"ps"}).out;
    EXPECT_NE(inspect("well").find("\"Output\": \"fine\\n\""), std::string::npos) << inspect("well");
}

TEST_F(HealthChecks, BecomeUnhealthyAfterSoManyFailuresAndRecover) {
    start("ill", {"--health-cmd", "test ! -e /ill", "--health-interval", "50ms", "--health-retries", "2"});
    ASSERT_TRUE(eventually([&] { return health("ill") == "healthy"; }));

    ASSERT_EQ(mydocker({"exec", "ill", "touch", "/ill"}).exit_code, 0);
    EXPECT_TRUE(eventually([&] { return health("ill") == "unhealthy"; }));
    EXPECT_NE(mydocker({"ps"}).out.find("(unhealthy)"), std::string::npos);

    ASSERT_EQ(mydocker({"exec", "ill", "rm", "/ill"}).exit_code, 0);
    EXPECT_TRUE(eventually([&] { return health("ill") == "healthy"; }));
    EXPECT_EQ(member(inspect("ill"), "FailingStreak"), "0");
}

TEST_F(HealthChecks, KeepTheLastFive) {
    start("five", {"--health-cmd", "echo checked >> /count; wc -l < /count", "--health-interval", "20ms"});

    const auto shown = [&] {
        return mydocker({"inspect", "-f", "{{range .State.Health.Log}}{{.Output}}{{end}}", "five"}).out;
    };
    // The first of them, whose number is 1 until there are more than five.
    ASSERT_TRUE(eventually([&] { return std::atoi(shown().c_str()) >= 4; }));

    const std::string kept = shown();

    const int first = std::atoi(kept.c_str());
    std::string want;
    for (int number = first; number < first + 5; ++number)
        want += std::to_string(number) + "\n";
    EXPECT_EQ(kept, want + "\n"); // Its own newline is the template's.
}

TEST_F(HealthChecks, EndWhatTakesTooLong) {
    start("long", {"--health-cmd", "sleep 1000", "--health-interval", "50ms", "--health-timeout", "200ms",
                   "--health-retries", "1"});

    EXPECT_TRUE(eventually([&] { return health("long") == "unhealthy"; }));

    EXPECT_NE(inspect("long").find("health check took longer than 0.2s"), std::string::npos)
        << inspect("long");
}

TEST_F(HealthChecks, DoNotCountFailuresWhileItStarts) {
    start("young", {"--health-cmd", "exit 1", "--health-interval", "20ms", "--health-retries", "1",
                    "--health-start-period", "1h"});

    ASSERT_TRUE(eventually([&] { return count(inspect("young"), "\"Output\":") == 5; }));

    EXPECT_EQ(health("young"), "starting");
}

TEST_F(HealthChecks, AreMadeMoreOftenWhileItStarts) {
    start("fast", {"--health-cmd", "test -e /up", "--health-interval", "1h", "--health-start-period", "1h",
                   "--health-start-interval", "30ms"});
    ASSERT_TRUE(eventually([&] { return count(inspect("fast"), "\"Output\":") >= 2; }));
    EXPECT_EQ(health("fast"), "starting");

    ASSERT_EQ(mydocker({"exec", "fast", "touch", "/up"}).exit_code, 0);
    ASSERT_TRUE(eventually([&] { return health("fast") == "healthy"; }));

    // The next one is an hour away.
    ASSERT_EQ(mydocker({"exec", "fast", "rm", "/up"}).exit_code, 0);
    ::usleep(300'000);
    EXPECT_EQ(member(inspect("fast"), "FailingStreak"), "0") << inspect("fast");
}

// An OCI layout as an archive, whose image is busybox with a check of its own.
class ImageHealth : public HealthChecks {
  protected:
    void load(const std::string& check) {
        const TempDir directory;
        const std::string line =
            "set -e; cd " + directory.path() +
            "; mkdir -p r/bin b; cp /bin/busybox r/bin/; for i in sh sleep test touch rm; do ln -s busybox "
            "r/bin/$i; done; put() { s=$(sha256sum <$1 | cut -d' ' -f1); n=$(stat -c %s $1); mkdir -p "
            "o/blobs/sha256; cp $1 o/blobs/sha256/$s; }; tar -C r -cf layer.tar .; put layer.tar; l=$s; "
            "k=$n; "
            "echo '{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Entrypoint\":[\"sh\",\"-c\"],"
            "\"Cmd\":[\"exec sleep 1000\"],\"Healthcheck\":" +
            check +
            "},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:'$l'\"]}}' >config.json; put "
            "config.json; "
            "echo "
            "'{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
            "\"digest\":\"sha256:'$s'\",\"size\":'$n'},\"layers\":[{\"mediaType\":"
            "\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:'$l'\",\"size\":'$k'}]}' "
            ">manifest.json; put manifest.json; echo '{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
            "\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:'$s'\",\"size\":'$n',"
            "\"annotations\":{\"org.opencontainers.image.ref.name\":\"checked:1\"}}]}' >o/index.json; "
            "echo '{\"imageLayoutVersion\":\"1.0.0\"}' >o/oci-layout; tar -C o -cf image.tar .";
        const Outcome made = test::run({"bash", "-c", line});
        ASSERT_EQ(made.exit_code, 0) << made.err;
        const Outcome loaded = mydocker({"load", "-i", directory / "image.tar"});
        ASSERT_EQ(loaded.exit_code, 0) << loaded.err;
    }
    void TearDown() override {
        if (!is_set_up()) return;
        (void)mydocker({"rm", "-f", "own", "less", "none"});
        (void)mydocker({"rmi", "-f", "checked:1"});
        // What is remembered of busybox goes with any image, and comes back with its next use.
        (void)mydocker({"run", "--rm", "busybox", "true"});
        EngineTest::TearDown();
    }
};

TEST_F(ImageHealth, IsCheckedAsTheImageSays) {
    load(
        R"({"Test":["CMD-SHELL","echo looked; test -e /up"],"Interval":50000000,"Timeout":3000000000,"Retries":2})");

    ASSERT_EQ(mydocker({"run", "-d", "--name", "own", "checked:1"}).exit_code, 0);

    EXPECT_TRUE(eventually([&] { return health("own") == "unhealthy"; })) << inspect("own");
    EXPECT_NE(inspect("own").find("\"Output\": \"looked\\n\""), std::string::npos) << inspect("own");
    ASSERT_EQ(mydocker({"exec", "own", "touch", "/up"}).exit_code, 0);
    EXPECT_TRUE(eventually([&] { return health("own") == "healthy"; }));
    EXPECT_NE(mydocker({"ps"}).out.find("(healthy)"), std::string::npos);
    EXPECT_EQ(member(inspect("own"), "Interval"), "50000000");
}

TEST_F(ImageHealth, IsCheckedAsTheUserSaysInstead) {
    load(R"({"Test":["CMD","test","-e","/up"],"Interval":50000000,"Retries":1})");

    ASSERT_EQ(mydocker({"run", "-d", "--name", "less", "--health-cmd", "true", "checked:1"}).exit_code, 0);
    ASSERT_EQ(mydocker({"run", "-d", "--name", "none", "--no-healthcheck", "checked:1"}).exit_code, 0);

    EXPECT_TRUE(eventually([&] { return health("less") == "healthy"; }));
    EXPECT_EQ(health("none"), "");
}

// As docker has it: the usual one, then.
TEST_F(ImageHealth, StopsThoughItsImageNamesASignalThatThereIsNot) {
    load(R"({"Test":["NONE"]},"StopSignal":"FOO")"); // the member after it
    ASSERT_EQ(mydocker({"run", "-d", "--name", "own", "checked:1"}).exit_code, 0);

    EXPECT_EQ(mydocker({"stop", "-t", "0", "own"}).exit_code, 0);
    EXPECT_EQ(mydocker({"image", "inspect", "-f", "{{.Config.StopSignal}}", "checked:1"}).out, "FOO\n");
}

TEST_F(HealthChecks, BeginAnewWithEachStart) {
    start("anew", {"--health-cmd", "true", "--health-interval", "50ms"});
    ASSERT_TRUE(eventually([&] { return health("anew") == "healthy"; }));
    ASSERT_EQ(mydocker({"kill", "anew"}).exit_code, 0);
    EXPECT_EQ(member(inspect("anew"), "Status"), "exited");

    ASSERT_EQ(mydocker({"start", "anew"}).exit_code, 0);

    EXPECT_TRUE(eventually([&] { return health("anew") == "healthy"; }));
}

TEST_F(HealthChecks, CanBeSwitchedOffAndNotBothWays) {
    start("none", {"--no-healthcheck"});
    EXPECT_EQ(health("none"), "");

    EXPECT_EQ(mydocker({"create", "--no-healthcheck", "--health-cmd", "true", "busybox"}).exit_code, 125);
}

TEST_F(HealthChecks, HoldUpNoEnd) {
    start("ending", {"--health-cmd", "touch /begun; sleep 1000", "--health-interval", "10ms",
                     "--health-timeout", "1h"});
    ASSERT_TRUE(
        eventually([&] { return mydocker({"exec", "ending", "test", "-e", "/begun"}).exit_code == 0; }));

    EXPECT_EQ(mydocker({"stop", "-t", "1", "ending"}).exit_code, 0);

    EXPECT_EQ(member(inspect("ending"), "Status"), "exited");
}

TEST_F(HealthChecks, SayWhatCannotBeRun) {
    start("broken",
          {"--health-cmd", "no-such-command", "--health-interval", "50ms", "--health-retries", "1"});

    EXPECT_TRUE(eventually([&] { return health("broken") == "unhealthy"; }));

    EXPECT_NE(inspect("broken").find("not found"), std::string::npos) << inspect("broken");
}

TEST_F(HealthChecks, RefuseWhatIsNoTime) {
    for (const std::vector<std::string>& flags : {std::vector<std::string>{"--health-interval", "often"},
                                                  {"--health-interval", "0s"},
                                                  {"--health-timeout", "-1s"},
                                                  {"--health-start-interval", "0s"},
                                                  {"--health-retries", "0"}}) {
        std::vector<std::string> words{"create", "--health-cmd", "true"};
        words.insert(words.end(), flags.begin(), flags.end());
        words.emplace_back("busybox");
        const Outcome outcome = mydocker(words);
        EXPECT_EQ(outcome.exit_code, 125) << flags[0] << " " << flags[1];
        EXPECT_NE(outcome.err.find(flags[0].substr(2)), std::string::npos) << outcome.err;
    }
}

} // namespace
} // namespace mydocker::test
