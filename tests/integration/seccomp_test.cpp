// Filters of system calls that a user gives: in force at every start and exec, whatever becomes of the file.
#include "support/engine_fixture.hpp"

#include <filesystem>

namespace mydocker::test {
namespace {

class Seccomp : public EngineTest {
  protected:
    std::string option(const std::string& profile, const std::string& name = "profile.json") {
        write_text(directory_ / name, profile);
        return "seccomp=" + (directory_ / name);
    }
    TempDir directory_;
};

constexpr const char* kNoMkdir = R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
    {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]})";

TEST_F(Seccomp, AProfileIsInForceAtEachStartWithoutItsFile) {
    remove_at_end("box");
    ASSERT_EQ(mydocker({"create", "--name", "box", "--security-opt", option(kNoMkdir), "busybox", "sh", "-c",
                        "mkdir /a; trap 'exit 0' TERM; while :; do sleep 0.05; done"})
                  .exit_code,
              0);
    std::filesystem::remove(directory_ / "profile.json");

    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"start", "box"}, {"restart", "-t", "5", "box"}}) {
        ASSERT_EQ(mydocker(words).exit_code, 0) << words.front();
        const Outcome further = mydocker({"exec", "box", "mkdir", "/b"});
        EXPECT_EQ(further.exit_code, 1);
        EXPECT_NE(further.err.find("No space left on device"), std::string::npos) << further.err;
        EXPECT_EQ(mydocker({"exec", "--privileged", "box", "mkdir", "/b"}).exit_code, 1);
    }

    const Outcome log = mydocker({"logs", "box"});
    EXPECT_EQ(log.err, "mkdir: can't create directory '/a': No space left on device\n"
                       "mkdir: can't create directory '/a': No space left on device\n");
}

TEST_F(Seccomp, AProfileLooksAtArguments) {
    const std::string profile = option(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["kill"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":10,"op":"SCMP_CMP_EQ"}]},
        {"names":["chmod"],"action":"SCMP_ACT_ERRNO","errnoRet":13,"args":[
          {"index":1,"value":2048,"valueTwo":2048,"op":"SCMP_CMP_MASKED_EQ"}]},
        {"names":["fchmodat","fchmodat2"],"action":"SCMP_ACT_ERRNO","errnoRet":13,"args":[
          {"index":2,"value":2048,"valueTwo":2048,"op":"SCMP_CMP_MASKED_EQ"}]}]})");

    const Outcome outcome = shell({"--security-opt", profile},
                                  "touch /f; chmod 755 /f && echo plain; chmod 4755 /f || echo no setuid; "
                                  "kill -0 $$ && echo alive; kill -USR1 $$ || echo no signal");

    EXPECT_EQ(outcome.out, "plain\nno setuid\nalive\nno signal\n") << outcome.err;
    EXPECT_NE(outcome.err.find("Permission denied"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("Operation not permitted"), std::string::npos) << outcome.err;
}

TEST_F(Seccomp, AProfileGoesByTheCapabilities) {
    const std::string profile = option(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_SYS_ADMIN"]}},
        {"names":["unlink","unlinkat"],"action":"SCMP_ACT_ERRNO","includes":{"caps":["CAP_SYS_ADMIN"]}}]})");
    const char* const kScript = "touch /f; mkdir /a && echo made; rm -f /f && echo gone; true";

    EXPECT_EQ(shell({"--security-opt", profile}, kScript).out, "gone\n");
    EXPECT_EQ(shell({"--security-opt", profile, "--cap-add", "SYS_ADMIN"}, kScript).out, "made\n");
}

// What init still does below the filter is execve alone.
TEST_F(Seccomp, AFilterNeedsToAllowNoMoreThanTheCommandDoes) {
    const std::string profile = option(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["execveat","close_range","clone3","seccomp","sendmsg","recvmsg","capset"],
         "action":"SCMP_ACT_KILL_PROCESS"}]})");

    EXPECT_EQ(shell({"--security-opt", profile}, "exit 3").exit_code, 3);
    EXPECT_EQ(mydocker({"run", "--rm", "--security-opt", profile, "busybox", "true"}).exit_code, 0);
}

TEST_F(Seccomp, AnOldProfileWorksWithInit) {
    const std::string profile = option(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["close_range"],"action":"SCMP_ACT_ERRNO"}]})");

    EXPECT_EQ(shell({"--init", "--security-opt", profile}, "exit 4").exit_code, 4);
}

TEST_F(Seccomp, ACallThatIsForbiddenByDeathKills) {
    const std::string profile = option(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_KILL_PROCESS"}]})");

    EXPECT_EQ(shell({"--security-opt", profile}, "exec mkdir /a").exit_code, 159); // SIGSYS
}

TEST_F(Seccomp, MistakesAreNamedByFileAndPlace) {
    const Outcome wrong = shell({"--security-opt", option(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["mkdir"],"action":"SCMP_ACT_DENY"}]})")},
                                "true");
    EXPECT_EQ(wrong.exit_code, 125);
    EXPECT_NE(wrong.err.find("seccomp profile '" + (directory_ / "profile.json") +
                             "': syscalls[0].action: 'SCMP_ACT_DENY' is unknown"),
              std::string::npos)
        << wrong.err;

    const Outcome typed = shell({"--security-opt", option(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["mkdri"],"action":"SCMP_ACT_ERRNO"}]})")},
                                "true");
    EXPECT_EQ(typed.exit_code, 0);
    EXPECT_NE(typed.err.find("ignored, since this version knows no such system call: mkdri"),
              std::string::npos)
        << typed.err;
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

TEST_F(Seccomp, InspectShowsTheFilter) {
    remove_at_end("shown");
    ASSERT_EQ(
        mydocker({"create", "--name", "shown", "--security-opt", option(kNoMkdir), "busybox"}).exit_code, 0);

    const Outcome outcome =
        mydocker({"inspect", "--format", "{{range .HostConfig.SecurityOpt}}{{println .}}{{end}}", "shown"});

    EXPECT_EQ(outcome.out,
              "no-new-privileges\nseccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":"
              "[\"mkdir\",\"mkdirat\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":28}]}\n\n");
}

} // namespace
} // namespace mydocker::test
