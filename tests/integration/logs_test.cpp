// logs: both streams, ranges, and following a container that runs, across rotations, to its end.
#include "support/engine_fixture.hpp"
#include "support/terminal.hpp"

#include <csignal>
#include <filesystem>
#include <sys/syscall.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

// poll(2), or what is made of it on machines that have none.
#if defined(SYS_poll)
constexpr long kPoll = SYS_poll;
#else
constexpr long kPoll = SYS_ppoll;
#endif

// Says "one", waits for the file /p/go, says "two".
constexpr const char* kInTwoParts = "echo one; while [ ! -e /p/go ]; do sleep 0.02; done; echo two";

class LogsOf : public EngineTest {
  protected:
    void run_detached(const std::vector<std::string>& flags, const std::string& script) {
        std::vector<std::string> all{"-v", shared_.path() + ":/p"};
        all.insert(all.end(), flags.begin(), flags.end());
        ASSERT_NE(start_detached("talker", all, {"sh", "-c", script}), "");
    }
    void let_go_on(const std::string& mark = "go") { write_text(shared_ / mark, "\n"); }
    // Both streams' lines as they are there now.
    [[nodiscard]] std::string logged() {
        const Outcome logs = mydocker({"logs", "talker"});
        return logs.out + logs.err;
    }

    TempDir shared_;
};

TEST_F(LogsOf, FollowedShowWhatComesAndEndWithTheContainer) {
    run_detached({}, kInTwoParts);
    Terminal follower(command({"logs", "-f", "talker"}));
    ASSERT_TRUE(follower.expect("one\r\n")) << follower.output();

    let_go_on();

    EXPECT_TRUE(follower.expect("two\r\n")) << follower.output();
    EXPECT_EQ(follower.wait(), 0);
}

TEST_F(LogsOf, FollowedToTheLastWordThoughTheContainerRemovesItself) {
    run_detached({"--rm"}, kInTwoParts);
    Terminal follower(command({"logs", "-f", "talker"}));
    ASSERT_TRUE(follower.expect("one\r\n")) << follower.output();

    let_go_on();

    EXPECT_TRUE(follower.expect("two\r\n")) << follower.output();
    EXPECT_EQ(follower.wait(), 0);
}

TEST_F(LogsOf, FollowingCostsNothingWhileNothingHappens) {
    run_detached({}, "echo one; sleep 1000");
    Terminal follower(command({"logs", "-f", "talker"}));
    ASSERT_TRUE(follower.expect("one\r\n"));
    const std::string process = "/proc/" + std::to_string(follower.pid());
    const auto switches = [&] {
        return test::run({"grep", "voluntary_ctxt_switches", process + "/status"}).out;
    };
    // It waits for news when it sleeps in that call, whose number is the first word there.
    const std::string waiting = std::to_string(kPoll) + " ";
    ASSERT_TRUE(eventually([&] { return content_of(process + "/syscall").starts_with(waiting); }));
    const std::string before = switches();

    ::usleep(1'500'000); // The time in which a follower that polls would wake up.

    EXPECT_EQ(switches(), before);
}

TEST_F(LogsOf, CtrlCEndsFollowingQuietly) {
    run_detached({}, "echo one; sleep 1000");
    Terminal follower(command({"logs", "-f", "talker"}));
    ASSERT_TRUE(follower.expect("one\r\n"));

    follower.type("\x03");

    EXPECT_EQ(follower.wait(), 128 + SIGINT);
    EXPECT_EQ(follower.output().find("mydocker"), std::string::npos) << follower.output();
}

TEST_F(LogsOf, AReaderThatGoesEndsFollowing) {
    run_detached({}, "echo one; sleep 1000");

    const Outcome outcome =
        test::run({"bash", "-c",
                   "timeout 20 " + line({"logs", "-f", "talker"}) + " | head -n 1; echo ${PIPESTATUS[0]}"});

    EXPECT_EQ(outcome.out.substr(0, 4), "one\n");
    EXPECT_NE(outcome.out, "one\n124\n") << "it had to be killed";
    EXPECT_EQ(outcome.err, "");
}

TEST_F(LogsOf, FollowedAcrossRotationsNothingIsLost) {
    write_text(shared_ / "small.toml",
               "config_version = 1\n[log.json-file]\nmax_size = \"64k\"\nmax_files = 100\n");
    const std::vector<std::string> words{
        "run",      "-d",
        "--config", shared_ / "small.toml",
        "-v",       shared_.path() + ":/p",
        "busybox",  "sh",
        "-c",       "while [ ! -e /p/go ]; do sleep 0.02; done; seq 1 20000; seq 1 20000 >&2"};
    const Outcome made = mydocker(words);
    ASSERT_EQ(made.exit_code, 0) << made.err;
    const std::string id = made.out.substr(0, 64);
    remove_at_end(id);

    const Outcome outcome = test::run(
        {"bash", "-c",
         line({"logs", "-f", id}) + "> " + (shared_ / "out") + " 2> " + (shared_ / "err") + " & touch " +
             (shared_ / "go") + "; wait $!; cmp " + (shared_ / "out") + " <(seq 1 20000) && cmp " +
             (shared_ / "err") + " <(seq 1 20000) && ls " + root() + "/containers/" + id + "/logs | wc -l"});

    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    EXPECT_GT(std::stoi(outcome.out), 3) << "it did not rotate";
    EXPECT_EQ(mydocker({"logs", id}).out, test::run({"seq", "1", "20000"}).out);
}

TEST_F(LogsOf, StreamsKeepTheirOrderWhereBothAreOne) {
    // Of two pipes nobody can tell which was written first: each line is written when the one before is
    // there.
    run_detached({}, "for i in 1 2 3 4 5 6; do until test -e /p/$i; do sleep 0.01; done; "
                     "if test $((i % 2)) = 1; then echo $i; else echo $i >&2; fi; done");
    for (const std::string number : {"1", "2", "3", "4", "5", "6"}) {
        let_go_on(number);
        ASSERT_TRUE(eventually([&] { return logged().contains(number); })) << number << ": " << logged();
    }
    ASSERT_EQ(mydocker({"wait", "talker"}).exit_code, 0);

    EXPECT_EQ(test::run({"bash", "-c", line({"logs", "talker"}) + " 2>&1"}).out, "1\n2\n3\n4\n5\n6\n");
}

TEST_F(LogsOf, RangesAndDetailsOfADeadContainer) {
    run_detached({"-l", "app=x"}, "echo one; echo two; echo three");
    ASSERT_EQ(mydocker({"wait", "talker"}).exit_code, 0);
    const std::string second = mydocker({"logs", "-t", "talker"}).out.substr(0, 30);
    ASSERT_EQ(second.substr(10, 1) + second.substr(29, 1), "TZ");

    EXPECT_EQ(mydocker({"logs", "-n", "2", "talker"}).out, "two\nthree\n");
    EXPECT_EQ(mydocker({"logs", "--tail", "0", "talker"}).out, "");
    EXPECT_EQ(mydocker({"logs", "--tail", "all", "talker"}).out, "one\ntwo\nthree\n");
    EXPECT_EQ(mydocker({"logs", "--since", "1h", "talker"}).out, "one\ntwo\nthree\n");
    EXPECT_EQ(mydocker({"logs", "--until", "1h", "talker"}).out, "");
    EXPECT_EQ(mydocker({"logs", "--until", second, "talker"}).out.substr(0, 4), "one\n");
    EXPECT_EQ(mydocker({"logs", "--since", "4000000000.5", "talker"}).out, "");
    EXPECT_EQ(mydocker({"logs", "--details", "-n", "1", "talker"}).out, "app=x three\n");
    EXPECT_EQ(mydocker({"logs", "-f", "talker"}).out, "one\ntwo\nthree\n")
        << "it has ended, so following has";
    const Outcome wrong = mydocker({"logs", "--since", "yesterday", "talker"});
    EXPECT_EQ(wrong.exit_code, 125);
    EXPECT_EQ(wrong.err,
              "mydocker: logs: since: 'yesterday' is no time; write 2026-01-31T12:00:00Z or 10m\n");
}

TEST_F(LogsOf, ADriverThatCannotReadBackSaysWhichCan) {
    const Outcome made =
        mydocker({"--log-driver", "text-file", "run", "-d", "--name", "talker", "busybox", "echo", "x"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    remove_at_end("talker");

    const Outcome outcome = mydocker({"logs", "talker"});

    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(
        outcome.err.find("log driver 'text-file' of container 'talker' cannot read back; 'json-file' can"),
        std::string::npos)
        << outcome.err;
}

TEST_F(LogsOf, ADriverThatKeepsNothingSaysSo) {
    const std::string id = start_detached("quiet", {"--log-driver", "none"}, {"echo", "into the void"});
    ASSERT_EQ(mydocker({"wait", "quiet"}).out, "0\n");

    const Outcome outcome = mydocker({"logs", "quiet"});

    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_TRUE(matches(outcome.err, "log driver 'none' of container 'quiet' cannot read back; 'json-file' "
                                     "can: .*; log none: nothing of its output was kept"))
        << outcome.err;
    EXPECT_TRUE(std::filesystem::is_empty(root() + "/containers/" + id + "/logs"));
    EXPECT_EQ(mydocker({"run", "--rm", "--log-driver", "none", "busybox", "echo", "heard"}).out, "heard\n");
}

TEST_F(LogsOf, SeveralBearTheirIdsOrNames) {
    const std::string one =
        start_detached("one", {}, {"sh", "-c", "echo first; echo wrong >&2"}).substr(0, 12);
    const std::string two = start_detached("two", {}, {"echo", "second"}).substr(0, 12);
    ASSERT_EQ(mydocker({"wait", "one", "two"}).out, "0\n0\n");

    const Outcome ids = mydocker({"logs", "one", "two"});
    EXPECT_EQ(ids.out, one + " first\n" + two + " second\n");
    EXPECT_EQ(ids.err, one + " wrong\n");
    EXPECT_EQ(mydocker({"logs", "--names", "two", "one"}).out, "two second\none first\n");
    EXPECT_EQ(mydocker({"logs", "--names", "-n", "1", "two"}).out, "second\n") << "one needs no name";
    const Outcome missing = mydocker({"logs", "one", "nobody"});
    EXPECT_EQ(missing.exit_code, 1);
    EXPECT_EQ(missing.out, "");
}

TEST_F(LogsOf, SeveralAreFollowedToTheLastEnd) {
    run_detached({}, kInTwoParts);
    ASSERT_NE(start_detached("brief", {}, {"sh", "-c", "echo brief"}), "");
    Terminal follower(command({"logs", "-f", "--names", "talker", "brief"}));
    ASSERT_TRUE(follower.expect("talker one")) << follower.output();
    ASSERT_TRUE(follower.expect("brief brief")) << follower.output();

    let_go_on();

    EXPECT_TRUE(follower.expect("talker two")) << follower.output();
    EXPECT_EQ(follower.wait(), 0);
}

} // namespace
} // namespace mydocker::test
