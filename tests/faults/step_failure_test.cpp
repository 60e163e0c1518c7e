// Each step of a container's start is made to fail in turn, by the error of the system call that is its
// effect: what was made before is given back, the message names step and cause, and a second try works.
#include "support/engine_fixture.hpp"
#include "support/faultline.hpp"

#include <cerrno>
#include <cstring>
#include <regex>

namespace mydocker::test {
namespace {

struct StepFailure {
    std::string name;
    Victim victim;
    std::string call; // of the text that faultline gives a call, e.g. "mkdirat\\('.*/rw/"
    int error;
    std::string words; // in the message, before the error's name
    int code = 125;
    int skip = 0; // matches to let pass
    bool lasting = false;
};

std::ostream& operator<<(std::ostream& out, const StepFailure& row) {
    return out << row.name;
}

constexpr const char* kId = "[0-9a-f]{64}";

std::string id_behind(const std::string& before, const std::string& behind = "'\\)") {
    return before + kId + behind;
}

const std::vector<StepFailure> kCommandLine{
    {"RunDirectory", Victim::command_line, id_behind("mkdirat\\('.*/run/"), ENOSPC, "take the baton.*"},
    {"Lock", Victim::command_line, "openat\\('.*/lock'\\)", EMFILE, "/lock'.*"},
    // By the driver that is meant, or not at all: vfs and cgroup v2 are no answer to a want of descriptors.
    {"StoragePassport", Victim::command_line, "open(at)?\\('.*/storage-overlayfs.so'\\)", EMFILE,
     "storage-overlayfs.so'.*"},
    {"StorageProbe", Victim::command_line, "openat\\('.*/root/storage/overlayfs'\\)", EIO,
     "storage overlayfs: .*"},
    {"CgroupPassport", Victim::command_line, "open(at)?\\('.*/cgroup-v1.so'\\)", ENOMEM, "cgroup-v1.so'.*"},
    {"CgroupMounts", Victim::command_line, "openat\\('/proc/self/mountinfo'\\)", ENOMEM,
     "cgroup v[12]: .*mountinfo.*"},
    {"Record", Victim::command_line, "openat\\('.*/records/.pending'\\)", ENOSPC, "state json-file: .*"},
    {"RecordWrite", Victim::command_line, "write\\('.*/records/.pending'\\)", ENOSPC, "state json-file: .*"},
    {"Name", Victim::command_line, "symlinkat\\('.*/names/", EIO, "state json-file: .*"},
    {"WritableLayer", Victim::command_line, id_behind("mkdirat\\('.*/rw/"), ENOSPC, "storage overlayfs: .*"},
    {"UpperDirectory", Victim::command_line, id_behind("mkdirat\\('.*/rw/", "/upper'\\)"), EDQUOT,
     "storage overlayfs: .*"},
    {"LayerEnd", Victim::command_line, id_behind("write\\('.*/rw/", "/below'\\)"), EIO,
     "storage overlayfs: .*"},
    {"Bundle", Victim::command_line, id_behind("mkdir\\('.*/containers/"), EACCES,
     "make directory '.*containers.*"},
    {"BundleBelow", Victim::command_line, "mkdir\\('.*/logs'\\)", ENOSPC, "make directory '.*/logs'.*"},
    {"Hosts", Victim::command_line, "write\\('.*/containers/.*/hosts'\\)", EIO, "hosts.*"},
    {"Configuration", Victim::command_line, "openat\\('.*/config.json'\\)", ENOSPC, "config.json.*"},
    {"ConfigurationWrite", Victim::command_line, "write\\('.*/config.json'\\)", ENOSPC, "config.json.*"},
    {"RootfsDescription", Victim::command_line, "openat\\('.*/rootfs.json'\\)", ENOSPC, "rootfs.json.*"},
    {"Cgroup", Victim::command_line, id_behind("mkdirat\\('/sys/fs/cgroup.*/mydocker/"), ENOSPC,
     "cgroup v[12]: .*", 125, 3},
    {"MemoryLimit", Victim::command_line, "write\\('.*/memory\\.(limit_in_bytes|max)'\\)", EBUSY,
     "cgroup v[12]: .*memory.*"},
    {"PidsLimit", Victim::command_line, "write\\('.*/pids\\.max'\\)", EINVAL, "cgroup v[12]: .*pids.*"},
    {"MonitorsSink", Victim::command_line, "memfd_create\\('mydocker-monitor-sink'", ENOMEM, ""},
    {"MonitorsPlan", Victim::command_line, "memfd_create\\('mydocker-monitor-plan'", ENOMEM, ""},
    {"SendTheNamespaces", Victim::command_line, "sendmsg\\(", EMSGSIZE,
     "send mydocker-monitor the namespaces.*"},
    {"SendThePlan", Victim::command_line, "sendmsg\\(", EMSGSIZE, "send mydocker-monitor its plan.*", 125, 1},
    {"Session", Victim::command_line, "socketpair\\(", EMFILE, "session with the monitor.*"},
    {"Monitor", Victim::command_line, "clone3\\(", EAGAIN, "mydocker-monitor.*"},
    {"MonitorsProgram", Victim::command_line, "execveat\\('.*/mydocker-monitor'\\)", EACCES,
     "mydocker-monitor': execute.*"},
    {"MonitorsDescriptors", Victim::command_line, "close_range\\(", EINVAL, "arrange descriptors.*"},
    {"SpawnedWord", Victim::command_line, "recvmsg\\(", ENOMEM, "hear from mydocker-monitor.*"},
    {"RunningRecord", Victim::command_line, "openat\\('.*/records/.pending'\\)", EIO, "state json-file: .*",
     125, 1},
    {"Go", Victim::command_line, "sendmsg\\(", EMSGSIZE, "tell mydocker-monitor to go on.*", 125, 2},
    {"Started", Victim::command_line, "recvmsg\\(", ENOMEM, "hear from mydocker-monitor.*", 125, 1},
};

const std::vector<StepFailure> kMonitor{
    {"SinksPlan", Victim::monitor, "pread64\\('/memfd:mydocker-monitor-sink", EIO, "monitor's plan.*"},
    {"Plan", Victim::monitor, "pread64\\('/memfd:mydocker-monitor-plan", EIO, "monitor's plan.*"},
    {"LogSink", Victim::monitor, "openat\\('.*/log-json-file.so'\\)", EMFILE, "log-json-file.so.*"},
    {"LogStream", Victim::monitor, "openat\\('.*/container.log'\\)", ENOSPC, "log json-file: .*"},
    {"OutputPipe", Victim::monitor, "pipe2\\(", EMFILE, "output pipe.*"},
    {"InitsProgram", Victim::monitor, "open_tree\\('.*/mydocker-init'\\)", ENOENT, "mydocker-init.*"},
    {"InitsChannel", Victim::monitor, "socketpair\\(", ENFILE, "mydocker-init.*"},
    {"InitsOrders", Victim::monitor, "memfd_create\\('mydocker-orders'", ENOMEM, "mydocker-init.*"},
    {"Clone", Victim::monitor, "clone3\\(", ENOSPC, "max_\\*_namespaces.*"},
    {"Execute", Victim::monitor, "execveat\\(", EACCES, "mydocker-init'.*execute.*"},
    {"RootMount", Victim::monitor, "fsmount\\(", ENOMEM, "overlay.*"},
    {"RootMountOption", Victim::monitor, "fsconfig\\(.*'upperdir'\\)", EINVAL, "upperdir.*"},
    {"BindMount", Victim::monitor, "open_tree\\('.*/containers/.*/hosts'\\)", EACCES, "/hosts.*"},
    {"InitsPlan", Victim::monitor, "memfd_create\\('mydocker-orders'", ENOMEM, "mydocker-init the plan.*",
     125, 1},
    {"HandInitThePlan", Victim::monitor, "sendmsg\\(", ENOBUFS, "mydocker-init the plan.*"},
    {"Spawned", Victim::monitor, "sendmsg\\(", EMSGSIZE, "tell the command line of the process.*", 125, 1},
    {"Mounts", Victim::monitor, "sendmsg\\(", ENOBUFS, "mounts.*", 125, 2},
    {"ReceiveTheNamespaces", Victim::monitor, "recvmsg\\(", ENOMEM, ""},
    {"ReceiveThePlan", Victim::monitor, "recvmsg\\(", ENOMEM, "", 125, 1},
    {"FromInit", Victim::monitor, "recvmsg\\(", ENOMEM, "hear from mydocker-init.*", 125, 2},
    {"Identity", Victim::monitor, "openat\\('/proc/[0-9]+/stat'\\)", EMFILE, "/stat.*"},
    {"GoMark", Victim::monitor, "pwrite64\\('.*/lock'\\)", EIO, "note that the command was let run.*"},
};

const std::vector<StepFailure> kInit{
    {"Orders", Victim::init, "pread64\\('/memfd:mydocker-orders", EIO, "orders.*"},
    {"JoinTheCgroups", Victim::init, "write\\('/sys/fs/cgroup/.*/tasks'\\)", ENOSPC, "join the cgroups.*"},
    {"Unshare", Victim::init, "unshare\\(", EPERM, ""},
    {"IsolateTheMounts", Victim::init, "mount_setattr\\('/'\\)", EPERM, "isolate the mounts.*"},
    {"MakeTheMounts", Victim::init, "fsmount\\(", EPERM, "make the mounts.*"},
    {"MakeTheMountsOption", Victim::init, "fsconfig\\(.*'size'\\)", EINVAL, "make the mounts.*size.*"},
    {"HearThePlan", Victim::init, "recvmsg\\(", ENOMEM, "receive the plan.*"},
    {"ReadThePlan", Victim::init, "pread64\\('/memfd:mydocker-orders", EIO, "receive the plan.*", 125, 1},
    {"HearTheMounts", Victim::init, "recvmsg\\(", ENOMEM, "enter the root filesystem.*", 125, 1},
    {"AttachTheRoot", Victim::init, "move_mount\\(", EINVAL, "enter the root filesystem.*"},
    {"PivotTheRoot", Victim::init, "pivot_root\\(", EINVAL, "enter the root filesystem.*"},
    {"DetachTheOldRoot", Victim::init, "umount2\\(", EBUSY, "enter the root filesystem.*"},
    {"AttachTheMounts", Victim::init, "move_mount\\(.*'/dev/shm'\\)", EIO, "attach the mounts.*"},
    {"MakeTheTarget", Victim::init, "mkdirat\\('/dev/shm'\\)", ENOSPC, "attach the mounts.*"},
    {"MakeTheDevices", Victim::init, "symlinkat\\('/proc/self/fd'", ENOSPC, "make the devices.*"},
    {"SetTheNames", Victim::init, "sethostname\\(", EPERM, "set the names.*"},
    {"SetTheSysctls", Victim::init, "openat2\\('/proc/sys/net/ipv4/ping_group_range'\\)", EACCES,
     "set the sysctls.*"},
    {"HidePaths", Victim::init, "openat2\\(.*proc/kcore'\\)", EACCES, "hide paths.*"},
    {"ReadOnlyPaths", Victim::init, "open_tree\\('//proc/sys'\\)", EPERM, "hide paths.*"},
    {"Ready", Victim::init, "sendmsg\\(", ENOBUFS, "wait for the start.*"},
    {"GiveUpGroups", Victim::init, "setgroups\\(", EPERM, "give up privilege.*"},
    {"GiveUpUser", Victim::init, "setresuid\\(", EAGAIN, "give up privilege.*"},
    {"GiveUpCapabilities", Victim::init, "capset\\(", EPERM, "give up privilege.*"},
    {"EnterTheDirectory", Victim::init, "fchdir\\('/'\\)", EACCES, "working directory '/'.*", 126, 1},
    {"Filter", Victim::init, "seccomp\\(", EINVAL, "", 125, 1},
    {"Execute", Victim::init, "execve\\('/bin/true'\\)", ENOMEM, "", 126},
    {"ExecuteIo", Victim::init, "execve\\('/bin/true'\\)", EIO, "", 126},
};

class Step : public EngineTest, public ::testing::WithParamInterface<StepFailure> {
  protected:
    [[nodiscard]] Trace run_into(const StepFailure& row, const std::vector<std::string>& words) const {
        auto skip = std::make_shared<int>(row.skip);
        const std::regex pattern("^" + row.call);
        TraceRequest request;
        request.words = command(words);
        request.fault = {.kind = Fault::Kind::error,
                         .victim = row.victim,
                         .matches =
                             [=](const SystemCall& call) {
                                 return std::regex_search(call.text, pattern) && (*skip)-- <= 0;
                             },
                         .error = row.error,
                         .lasting = row.lasting};
        return trace(request);
    }
};

TEST_P(Step, ThatFailsIsNamedAndUndone) {
    const StepFailure& row = GetParam();
    if (is_sanitized() && row.call.starts_with("pipe2"))
        GTEST_SKIP() << "the sanitizer makes pipes of its own, and ends when it cannot";

    const Trace failed = run_into(row, {"run", "--rm", "--name", "unlucky", "-m", "64m", "busybox", "true"});

    ASSERT_NE(failed.struck, "") << "no such call";
    SCOPED_TRACE(failed.struck);
    EXPECT_FALSE(failed.hung);
    EXPECT_EQ(failed.outcome.exit_code, row.code) << failed.outcome.err;
    const std::regex message("^mydocker: run: .*" + row.words + "\\(" + ::strerrorname_np(row.error) +
                             "\\)[^\n]*\n$");
    EXPECT_TRUE(std::regex_search(failed.outcome.err, message)) << failed.outcome.err;
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");

    const Outcome again = mydocker({"run", "--rm", "--name", "unlucky", "busybox", "echo", "again"});
    EXPECT_EQ(again.out, "again\n") << again.err;
    EXPECT_EQ(again.exit_code, 0);
}

std::string name_of(const ::testing::TestParamInfo<StepFailure>& each) {
    return each.param.name;
}

INSTANTIATE_TEST_SUITE_P(OfTheCommandLine, Step, ::testing::ValuesIn(kCommandLine), name_of);
INSTANTIATE_TEST_SUITE_P(OfTheMonitor, Step, ::testing::ValuesIn(kMonitor), name_of);
INSTANTIATE_TEST_SUITE_P(OfInit, Step, ::testing::ValuesIn(kInit), name_of);

} // namespace
} // namespace mydocker::test
