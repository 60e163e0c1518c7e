// events: what was written down, in order, filtered, formatted, followed.
#include "support/engine_fixture.hpp"
#include "support/terminal.hpp"

#include <array>
#include <cstdio>
#include <ctime>
#include <fstream>

namespace mydocker::test {
namespace {

class EventsOf : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        timespec now{};
        ASSERT_EQ(::clock_gettime(CLOCK_REALTIME, &now), 0);
        std::array<char, 40> text{};
        (void)std::snprintf(text.data(), text.size(), "%lld.%09ld", static_cast<long long>(now.tv_sec),
                            now.tv_nsec);
        begin_ = text.data();
    }
    // What happened since the test began, one a line, as the format says.
    std::string seen(const std::string& format, const std::vector<std::string>& filters = {}) {
        std::vector<std::string> words{"events", "--since", begin_, "--until", "0s", "--format", format};
        for (const std::string& filter : filters)
            words.insert(words.end(), {"-f", filter});
        const Outcome outcome = mydocker(words);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        return outcome.out;
    }

    std::string begin_;
};

TEST_F(EventsOf, AContainersLifeInOrder) {
    ASSERT_EQ(
        mydocker({"run", "--rm", "--name", "web", "-l", "app=x", "busybox", "sh", "-c", "exit 3"}).exit_code,
        3);

    EXPECT_EQ(seen("{{.Type}} {{.Action}} {{.Actor.Attributes.name}}"),
              "container create web\ncontainer start web\ncontainer die web\ncontainer destroy web\n");
    EXPECT_EQ(seen("{{.Actor.Attributes.exitCode}} {{.From}} {{.Actor.Attributes.app}}", {"event=die"}),
              "3 busybox x\n");
}

TEST_F(EventsOf, ALabelHidesNoAttribute) {
    ASSERT_EQ(mydocker({"run", "--rm", "--name", "real", "-l", "name=another", "-l", "image=another",
                        "busybox", "true"})
                  .exit_code,
              0);

    EXPECT_EQ(seen("{{.Actor.Attributes.name}} {{.Actor.Attributes.image}}", {"event=create"}),
              "real busybox\n");
}

TEST_F(EventsOf, StopKillExecAndCommit) {
    remove_at_end("web");
    ASSERT_EQ(mydocker({"run", "-d", "--name", "web", "busybox", "sh", "-c",
                        "trap : HUP; while :; do sleep 0.05; done"})
                  .exit_code,
              0);
    ASSERT_EQ(mydocker({"exec", "web", "sh", "-c", "exit 7"}).exit_code, 7);
    ASSERT_EQ(mydocker({"kill", "-s", "HUP", "web"}).exit_code, 0);
    ASSERT_EQ(mydocker({"commit", "-m", "words", "web", "events:made"}).exit_code, 0);
    ASSERT_EQ(mydocker({"stop", "-t", "0", "web"}).exit_code, 0);
    ASSERT_EQ(mydocker({"rmi", "events:made"}).exit_code, 0);

    EXPECT_EQ(seen("{{.Action}}", {"type=container"}),
              "create\nstart\nexec_create: sh -c exit 7\nexec_die\nkill\ncommit\nkill\ndie\nstop\n");
    EXPECT_EQ(seen("{{.Actor.Attributes.exitCode}}", {"event=exec_die"}), "7\n");
    EXPECT_EQ(seen("{{.Action}}", {"event=exec_create"}), "exec_create: sh -c exit 7\n");
    EXPECT_EQ(seen("{{.Actor.Attributes.signal}}", {"event=kill"}), "1\n15\n");
    EXPECT_EQ(seen("{{.Action}}", {"type=image"}), "untag\ndelete\n");
}

TEST_F(EventsOf, VolumesAndImages) {
    ignore("content/cache"); // Another test's commit has emptied it.
    ASSERT_EQ(mydocker({"volume", "create", "data"}).exit_code, 0);
    ASSERT_EQ(mydocker({"volume", "create", "data"}).exit_code, 0) << "that it was there is no event";
    ASSERT_EQ(mydocker({"run", "--rm", "-v", "fresh:/v", "busybox", "true"}).exit_code, 0);
    ASSERT_EQ(mydocker({"volume", "rm", "data", "fresh"}).exit_code, 0);

    EXPECT_EQ(seen("{{.Action}} {{.Actor.ID}}", {"type=volume"}),
              "create data\ncreate fresh\ndestroy data\ndestroy fresh\n");
    EXPECT_EQ(seen("{{.Action}}", {"volume=data"}), "create\ndestroy\n");
}

TEST_F(EventsOf, FiltersAreDockers) {
    ASSERT_EQ(mydocker({"run", "--rm", "--name", "one", "-l", "app=x", "busybox", "true"}).exit_code, 0);
    ASSERT_EQ(mydocker({"run", "--rm", "--name", "two", "-l", "app=y", "busybox", "true"}).exit_code, 0);

    EXPECT_EQ(seen("{{.Action}}", {"container=one", "event=start", "event=die"}), "start\ndie\n");
    EXPECT_EQ(seen("{{.Action}}", {"label=app=y", "event=create"}), "create\n");
    EXPECT_EQ(seen("{{.Actor.Attributes.name}}", {"name=two", "event=create"}), "two\n");
    EXPECT_EQ(seen("{{.Action}}", {"image=busybox", "event=destroy"}), "destroy\ndestroy\n");
    EXPECT_EQ(seen("{{.Action}}", {"image=other"}), "");
    const Outcome wrong = mydocker({"events", "-f", "colour=red"});
    EXPECT_EQ(wrong.exit_code, 125);
    EXPECT_EQ(wrong.err,
              "mydocker: events: filter: 'colour' is unknown; there are: container, event, image, label, "
              "name, type, volume\n");
}

TEST_F(EventsOf, TextAndJsonAreDockers) {
    ASSERT_EQ(mydocker({"run", "--rm", "--name", "web", "busybox", "true"}).exit_code, 0);

    const std::string text = mydocker({"events", "--since", begin_, "--until", "0s", "-f", "event=die"}).out;
    EXPECT_EQ(text.find("Z container die "), 29U) << text;
    EXPECT_NE(text.find(" (exitCode=0, image=busybox, name=web)\n"), std::string::npos) << text;
    const std::string json = seen("json", {"event=die"});
    EXPECT_TRUE(json.starts_with("{\"status\":\"die\",\"id\":\"")) << json;
    EXPECT_NE(json.find("\"Actor\":{\"ID\":\""), std::string::npos) << json;
    EXPECT_NE(json.find("\"Attributes\":{\"exitCode\":\"0\",\"image\":\"busybox\",\"name\":\"web\"}},"
                        "\"scope\":\"local\""),
              std::string::npos)
        << json;
    EXPECT_EQ(seen("{{ json . }}", {"event=die"}), json);
}

TEST_F(EventsOf, AreFollowedAsTheyHappen) {
    Terminal follower(command({"events", "--format", "{{.Action}} {{.Actor.Attributes.name}}"}));
    // What is seen is after its start; it has begun once it sees the first one.
    ASSERT_TRUE(eventually([&] {
        (void)mydocker({"volume", "create", "seen"});
        (void)mydocker({"volume", "rm", "seen"});
        return follower.expect("destroy", 50);
    }));

    ASSERT_EQ(mydocker({"run", "--rm", "--name", "web", "busybox", "true"}).exit_code, 0);

    EXPECT_TRUE(follower.expect("create web\r\nstart web\r\ndie web\r\ndestroy web\r\n"))
        << follower.output();
    follower.type("\x03");
    EXPECT_EQ(follower.wait(), 130);
}

TEST_F(EventsOf, AreBoundedAndNothingIsLostWhereTheFileTurns) {
    ignore("events.old");
    { // As if much had happened: the next writer turns the file over.
        std::ofstream file(run_root() + "/events", std::ios::app);
        for (int i = 0; i < 12000; ++i)
            file
                << R"({"time":1,"type":"volume","action":"create","id":"old","attributes":{"driver":"local","x":"y"}})"
                << "\n";
    }
    ASSERT_EQ(mydocker({"volume", "create", "before"}).exit_code, 0);
    ASSERT_EQ(mydocker({"volume", "rm", "before"}).exit_code, 0);

    EXPECT_EQ(seen("{{.Action}}", {"volume=before"}), "create\ndestroy\n");
    const Outcome size = test::run({"stat", "-c", "%s", run_root() + "/events"});
    EXPECT_LT(std::stoi(size.out), 100'000);
    EXPECT_EQ(mydocker({"events", "--since", "0", "--until", "0s", "--format", "{{.ID}}", "-f", "volume=old"})
                  .out.size(),
              12000U * 4);
}

// A writer killed in the middle of a line, or a full disk: the line is passed over, the next one is whole.
TEST_F(EventsOf, ADamagedLineHidesNoOther) {
    ASSERT_EQ(mydocker({"volume", "create", "one"}).exit_code, 0);
    std::ofstream(run_root() + "/events", std::ios::app) << R"({"time":17,"type":"vol)";
    ASSERT_EQ(mydocker({"volume", "rm", "one"}).exit_code, 0);

    EXPECT_EQ(seen("{{.Action}}"), "create\ndestroy\n");
}

} // namespace
} // namespace mydocker::test
