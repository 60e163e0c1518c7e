// Who a container's process is and where it starts, with files of the image that are against us.
#include "base/process.hpp"
#include "base/sys.hpp"
#include "support/launch_fixture.hpp"

#include <functional>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

TEST_F(LaunchContainer, RunsAsTheUserOfItsOwnFiles) {
    spec_.process.user.name = "web";
    EXPECT_EQ(out_of("id; echo $HOME; grep -E 'Cap(Eff|Prm)' /proc/self/status"),
              "uid=33(web) gid=34(www) groups=34(www),50(extra),51(more)\n/srv\n"
              "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
    spec_.process.user.name = "10"; // A user is named so; it is a number all the same.
    EXPECT_EQ(out_of("grep -E '[UG]id' /proc/self/status"), "Uid:\t10\t10\t10\t10\nGid:\t0\t0\t0\t0\n");
    spec_.process.user.name = "4294967294:5";
    EXPECT_EQ(out_of("grep Uid /proc/self/status"), "Uid:\t4294967294\t4294967294\t4294967294\t4294967294\n");
}

TEST_F(LaunchContainer, GivesTheUserItsPipes) {
    spec_.process.user.name = "web";

    EXPECT_EQ(out_of("echo to the name > /dev/stdout"), "to the name\n");
}

TEST_F(LaunchContainer, RefusesUsersThatAreNotThere) {
    for (const char* name : {"nobody-here", "+0", " 0", "0x0", "web:nogroup"}) {
        spec_.process.user.name = name;
        const Launched result = sh("id");
        EXPECT_FALSE(result.started) << name;
        EXPECT_EQ(result.failure.exit_code, 126) << name;
    }
}

TEST_F(LaunchContainer, IsNotHeldUpByAHostilePasswd) {
    spec_.process.user.name = "web";
    const std::string passwd = *root_ / "etc/passwd";
    const std::function<void()> kTraps[] = {
        [&] { ::mkfifo(passwd.c_str(), 0644); },
        [&] { (void)!::symlink("/dev/zero", passwd.c_str()); },
        [&] { ::mkdir(passwd.c_str(), 0755); },
        [&] {
            root_->write("etc/passwd", "");
            (void)!::truncate(passwd.c_str(), off_t{10} << 30);
        },
    };
    for (const auto& trap : kTraps) {
        (void)files::remove_tree(passwd);
        trap();
        const auto begin = sys::monotonic_ns();
        const Launched result = sh("id");
        EXPECT_EQ(result.failure.exit_code, 126);
        EXPECT_EQ(result.failure.stage, "find the user");
        EXPECT_LT(sys::monotonic_ns() - begin, 1'000'000'000);
    }
}

TEST_F(LaunchContainer, MakesAndEntersTheWorkingDirectory) {
    spec_.process.cwd = "/srv/app/x";
    EXPECT_EQ(out_of("pwd; stat -c '%u %a' ."), "/srv/app/x\n0 755\n");
    spec_.process.user.name = "web";
    EXPECT_EQ(out_of("pwd"), "/srv/app/x\n");
}

TEST_F(LaunchContainer, RefusesAWorkingDirectoryThatIsNone) {
    spec_.process.cwd = "/etc/passwd";
    EXPECT_EQ(sh("pwd").failure.exit_code, 126);
    ::mkdir((*root_ / "closed").c_str(), 0700);
    spec_.process.cwd = "/closed";
    spec_.process.user.name = "web";
    const Launched closed = sh("pwd");
    EXPECT_EQ(closed.failure.exit_code, 126);
    EXPECT_EQ(closed.failure.error.sys_errno, EACCES);
}

TEST_F(LaunchContainer, NeverWorksOutsideItsRoot) {
    (void)!::symlink("/proc/self/fd/6", (*root_ / "leak").c_str());
    std::vector<std::string> places = {"/leak", "/leak/../..", "/proc/self/cwd/../../.."};
    for (int fd = 3; fd < 40; ++fd)
        places.push_back("/proc/self/fd/" + std::to_string(fd));
    for (const std::string& place : places) {
        spec_.process.cwd = place;
        const Launched result = sh("pwd");
        EXPECT_FALSE(result.started) << place << ": " << text_of(result);
        EXPECT_TRUE(result.failure.exit_code == 125 || result.failure.exit_code == 126) << place;
    }
}

} // namespace
} // namespace mydocker::test
