/* The floor of the latency benchmark: the same kernel objects that a container needs, made with no record,
 * log, profile or check: overlay, six namespaces, the v1 cgroups joined by the child itself, /proc, /dev,
 * pivot_root, execve. Usage: bare LOWER WORK NAME (WORK has upper/ and work/). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kControllers = 4 };
static const char* const kNames[kControllers] = {"memory", "cpu", "pids", "devices"};

static void die(const char* what) {
    fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
    _exit(125);
}

static void check(int result, const char* what) {
    if (result < 0) die(what);
}

static void make_node(const char* path, unsigned major_number, unsigned minor_number) {
    check(mknod(path, S_IFCHR | 0666, makedev(major_number, minor_number)), path);
}

static void child(const char* lower, const char* work, const int* joins) {
    for (int i = 0; i < kControllers; ++i)
        check((int)write(joins[i], "0", 1), "join cgroup");
    check(unshare(CLONE_NEWCGROUP), "unshare");
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    char options[4096];
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work,volatile", lower, work,
             work);
    char root[1024];
    snprintf(root, sizeof root, "%s/merged", work);
    check(mount("overlay", root, "overlay", 0, options), "overlay");
    check(chdir(root), "chdir");
    check(mount("proc", "proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL), "proc");
    check(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755"), "dev");
    make_node("dev/null", 1, 3);
    make_node("dev/zero", 1, 5);
    make_node("dev/full", 1, 7);
    make_node("dev/random", 1, 8);
    make_node("dev/urandom", 1, 9);
    make_node("dev/tty", 5, 0);
    check(mkdir("dev/pts", 0755), "mkdir");
    check(mkdir("dev/shm", 0755), "mkdir");
    check(mkdir("dev/mqueue", 0755), "mkdir");
    check(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666"), "devpts");
    check(mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"), "shm");
    check(mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID, NULL), "mqueue");
    check(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL), "sysfs");
    check((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "umount");
    check(chdir("/"), "chdir");
    char* const argv[] = {"true", NULL};
    char* const envp[] = {"PATH=/bin", NULL};
    execve("/bin/true", argv, envp);
    die("execve");
}

int main(int argc, char** argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: bare LOWER WORK NAME\n");
        return 125;
    }
    char path[1024];
    int joins[kControllers];
    for (int i = 0; i < kControllers; ++i) {
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s/%s", kNames[i], argv[3]);
        check(mkdir(path, 0755), path);
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s/%s/tasks", kNames[i], argv[3]);
        joins[i] = open(path, O_WRONLY | O_CLOEXEC);
        check(joins[i], path);
    }
    snprintf(path, sizeof path, "%s/upper", argv[2]);
    check(mkdir(path, 0755), path);
    snprintf(path, sizeof path, "%s/work", argv[2]);
    check(mkdir(path, 0755), path);
    struct clone_args args = {0};
    args.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
    args.exit_signal = SIGCHLD;
    const pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    check(pid, "clone3");
    if (pid == 0) child(argv[1], argv[2], joins);
    int status = 0;
    check(waitpid(pid, &status, 0), "waitpid");
    for (int i = 0; i < kControllers; ++i) {
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s/%s", kNames[i], argv[3]);
        check(rmdir(path), path);
    }
    /* What overlayfs leaves, the mark of `volatile` included. */
    snprintf(path, sizeof path, "%s/work/work/incompat/volatile/dirty", argv[2]);
    check(unlink(path), path);
    static const char* const kLeft[] = {"work/work/incompat/volatile", "work/work/incompat", "work/work",
                                        "work", "upper"};
    for (unsigned i = 0; i < sizeof kLeft / sizeof *kLeft; ++i) {
        snprintf(path, sizeof path, "%s/%s", argv[2], kLeft[i]);
        check(rmdir(path), path);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
