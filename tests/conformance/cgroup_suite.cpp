// The contract of a cgroup backend, clause by clause: names, life and death of cgroups, ways in. Limits:
// cgroup_limits_suite.cpp; what is done to processes: cgroup_processes_suite.cpp. Face only.
#include "conformance/cgroup_fixture.hpp"

// The limits that a case does not name are absent: that is meant.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::conformance {
namespace {

using CgroupLife = CgroupSuite;
using CgroupEntering = CgroupSuite;
using CgroupSharing = CgroupSuite;

std::vector<std::string> strings(const std::vector<Locator>& locators) {
    std::vector<std::string> texts;
    for (const Locator& locator : locators)
        texts.push_back(locator.str());
    std::ranges::sort(texts);
    return texts;
}

TEST_P(CgroupLife, ProbeIsRepeatableAndNamesControllers) {
    const auto again = backend().probe();

    ASSERT_EQ(words(again), "ok");
    EXPECT_EQ(again->controllers, traits().controllers);
    EXPECT_FALSE(traits().controllers.empty());
}

TEST_P(CgroupLife, ProbedMountsAreReadOnlyAndBelowSysFsCgroup) {
    for (const Mount& mount : traits().mounts) {
        EXPECT_TRUE(mount.target.starts_with("/sys/fs/cgroup")) << mount.target;
        EXPECT_NE(mount.flags & MS_RDONLY, 0U) << mount.target;
        EXPECT_FALSE(mount.type.empty());
    }
    if (!traits().mounts.empty()) {
        EXPECT_EQ(traits().mounts.front().target, "/sys/fs/cgroup");
    }
}

TEST_P(CgroupLife, LocateTouchesNothing) {
    (void)locate("a");

    EXPECT_TRUE(listed().empty());
}

TEST_P(CgroupLife, LocateIsTheSameInEveryInstance) {
    const auto here = locate("a");
    const auto there = open()->locate(CgroupName(parent() + "/a"));

    ASSERT_TRUE(there);
    EXPECT_EQ(*there, here);
}

TEST_P(CgroupLife, LocateRefusesNamesThatLeadElsewhere) {
    for (const std::string name : {"", "/", "/a", "a//b", "a/", "..", ".", "a/../b", "a/.", "a\nb", "a\x7f"})
        EXPECT_EQ(error_code(backend().locate(CgroupName(name))), Code::invalid) << "'" << name << "'";
    EXPECT_EQ(error_code(backend().locate(CgroupName(std::string(300, 'a')))), Code::invalid);
}

TEST_P(CgroupLife, ForeignLocatorIsInvalid) {
    for (const std::string text : {"", "a/b", "no-such-backend:a/b", "v1", "v2:", "v1:../a", "v2:../a"}) {
        EXPECT_EQ(error_code(backend().create(Locator(text), {})), Code::invalid) << text;
        EXPECT_EQ(error_code(backend().remove(Locator(text))), Code::invalid) << text;
    }
}

TEST_P(CgroupLife, CreatedIsListedAndRemovedIsNot) {
    const Locator locator = given("a");
    EXPECT_EQ(listed(), strings({locator}));

    EXPECT_EQ(words(backend().remove(locator)), "ok");

    EXPECT_TRUE(listed().empty());
    EXPECT_EQ(error_code(backend().entry(locator)), Code::not_found);
}

TEST_P(CgroupLife, CreateWorksAgain) {
    const Locator locator = given("a");

    EXPECT_EQ(words(backend().create(locator, {})), "ok");
    EXPECT_EQ(listed(), strings({locator}));
}

TEST_P(CgroupLife, AnotherInstanceGoesOnWithALocator) {
    const Locator locator = given("a");
    const auto other = open();

    EXPECT_EQ(words(other->stats(locator)), "ok");
    EXPECT_EQ(words(other->remove(locator)), "ok");
    EXPECT_TRUE(listed().empty());
}

TEST_P(CgroupLife, RemoveTakesTheEmptyParentAlong) {
    const Locator deep = given("a/b/c");

    EXPECT_EQ(words(backend().remove(deep)), "ok");

    EXPECT_TRUE(listed().empty());
    EXPECT_EQ(error_code(backend().stats(*backend().locate(CgroupName(parent())))), Code::not_found);
}

TEST_P(CgroupLife, RemoveLeavesAParentThatOthersUse) {
    const Locator a = given("a");
    const Locator b = given("b");

    EXPECT_EQ(words(backend().remove(a)), "ok");

    EXPECT_EQ(listed(), strings({b}));
    EXPECT_EQ(words(backend().entry(b)), "ok");
}

TEST_P(CgroupLife, RemoveTakesNestedCgroups) {
    const Locator top = given("a");
    (void)given("a/sub");
    (void)given("a/sub/one");
    (void)given("a/sub/two");

    EXPECT_EQ(words(backend().remove(top)), "ok");

    EXPECT_TRUE(listed().empty());
}

TEST_P(CgroupLife, RemoveTakesDeepNesting) {
    std::string name = "a";
    const Locator top = given(name);
    for (int depth = 0; depth < 40; ++depth)
        name += "/d";
    (void)given(name);

    EXPECT_EQ(words(backend().remove(top)), "ok");

    EXPECT_TRUE(listed().empty());
}

TEST_P(CgroupLife, AbsentIsNoErrorWhereItIsTheGoal) {
    const Locator locator = locate("a");

    EXPECT_EQ(words(backend().remove(locator)), "ok");
    EXPECT_EQ(words(backend().kill(locator, SIGKILL)), "ok");
    EXPECT_EQ(words(backend().kill(locator, SIGTERM)), "ok");
    EXPECT_TRUE(listed().empty());
}

TEST_P(CgroupLife, AbsentIsNotFoundElsewhere) {
    const Locator locator = locate("a");

    EXPECT_EQ(error_code(backend().entry(locator)), Code::not_found);
    EXPECT_EQ(error_code(backend().stats(locator)), Code::not_found);
    EXPECT_EQ(error_code(backend().update(locator, {})), Code::not_found);
    EXPECT_EQ(error_code(backend().attach(locator, ::getpid())), Code::not_found);
    const Code no_event = error_code(backend().events(locator));
    EXPECT_TRUE(no_event == Code::not_found || (lacks("memory") && no_event == Code::unsupported));
    EXPECT_EQ(error_code(backend().freeze(locator)), Code::not_found);
}

TEST_P(CgroupLife, ListVisitsEachOnceAndKeepsTheVisitorsError) {
    const std::vector<Locator> all = {given("a"), given("b"), given("c")};
    EXPECT_EQ(listed(), strings(all));
    int visits = 0;

    const auto walked = backend().list(parent(), [&](const Locator&) -> Status {
        ++visits;
        return fail(Code::no_space, "enough");
    });

    EXPECT_EQ(visits, 1);
    EXPECT_EQ(error_code(walked), Code::no_space);
    EXPECT_EQ(walked.error().text, "enough");
}

TEST_P(CgroupLife, RemoveOfALivingCgroupSaysWhoIsThere) {
    const Locator locator = given("a");
    const Member member = start_idle(locator);
    const auto begin = std::chrono::steady_clock::now();

    const auto removed = backend().remove(locator);

    EXPECT_EQ(error_code(removed), Code::busy);
    EXPECT_NE(removed.error().text.find(std::to_string(member.pid())), std::string::npos)
        << removed.error().text;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
    EXPECT_EQ(processes(locator), std::vector<pid_t>{member.pid()});
}

TEST_P(CgroupLife, RemoveWaitsForTheDying) {
    const Locator locator = given("a");
    std::vector<Member> members;
    for (int count = 0; count < 20; ++count)
        members.push_back(start_idle(locator));

    for (const Member& member : members)
        ::kill(member.pid(), SIGKILL);

    EXPECT_EQ(words(backend().remove(locator)), "ok");
}

TEST_P(CgroupEntering, WaysInAreOneKindAndCloseOnExec) {
    const Locator locator = given("a");
    const auto entry = backend().entry(locator);
    ASSERT_EQ(words(entry), "ok");

    EXPECT_EQ(static_cast<bool>(entry->directory), entry->joins.empty());
    EXPECT_EQ(static_cast<bool>(entry->directory), traits().entry_at_clone);
    if (entry->directory) {
        EXPECT_NE(::fcntl(entry->directory.get(), F_GETFD) & FD_CLOEXEC, 0);
    }
    for (const UniqueFd& fd : entry->joins)
        EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_P(CgroupEntering, ProcessIsInBeforeItRunsAnything) {
    const Locator locator = given("a");
    const Member member = start_idle(locator);

    EXPECT_EQ(processes(locator), std::vector<pid_t>{member.pid()});
}

TEST_P(CgroupEntering, ChildrenStayIn) {
    const Locator locator = given("a");
    const Member member = start(locator, [&] {
        if (::fork() == 0) idle();
        shared().forked = 1;
        idle();
        return 0;
    });
    ASSERT_TRUE(soon([&] { return shared().forked == 1; }));

    EXPECT_EQ(processes(locator).size(), 2U);
}

TEST_P(CgroupEntering, AttachMovesARunningProcess) {
    const Locator locator = given("a");
    const Member member = start_outside([]() -> int { idle(); });

    EXPECT_EQ(words(backend().attach(locator, member.pid())), "ok");

    EXPECT_EQ(processes(locator), std::vector<pid_t>{member.pid()});
}

TEST_P(CgroupEntering, AttachOfAnEndedProcessIsNotFound) {
    const Locator locator = given("a");
    Member member = start_outside([] { return 0; });
    const pid_t pid = member.pid();
    EXPECT_EQ(member.wait(), 0);

    EXPECT_EQ(error_code(backend().attach(locator, pid)), Code::not_found);
}

TEST_P(CgroupEntering, ProcessesListsSubCgroupsToo) {
    const Locator top = given("a");
    const Locator sub = given("a/sub");
    const Member member = start_idle(sub);

    EXPECT_EQ(processes(top), std::vector<pid_t>{member.pid()});
}

// What the mounts of the traits lead to, from inside a cgroup namespace: "ok" when each that is no tmpfs
// shows the process in the topmost cgroup and can not be written to.
int try_mounts(const std::vector<Mount>& mounts, const std::string& root) {
    if (::unshare(CLONE_NEWNS | CLONE_NEWCGROUP) != 0) return 1;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 2;
    if (::mount("test", root.c_str(), "tmpfs", 0, nullptr) != 0) return 3;
    for (const std::string part : {"/sys", "/sys/fs", "/sys/fs/cgroup"})
        ::mkdir((root + part).c_str(), 0755);
    for (const Mount& mount : mounts) {
        const std::string target = root + mount.target;
        std::string options;
        for (const std::string& option : mount.options)
            options += (options.empty() ? "" : ",") + option;
        ::mkdir(target.c_str(), 0755);
        const unsigned long flags =
            mount.type == "tmpfs" ? mount.flags & ~std::uint64_t{MS_RDONLY} : mount.flags;
        if (::mount(mount.source.c_str(), target.c_str(), mount.type.c_str(), flags, options.c_str()) != 0)
            return 4;
        if (mount.type == "tmpfs") continue;
        const auto text = files::read_file(target + "/cgroup.procs");
        if (!text || ("\n" + *text).find("\n" + std::to_string(::getpid()) + "\n") == std::string::npos)
            return 5;
        if (::mkdir((target + "/x").c_str(), 0755) == 0 || errno != EROFS) return 6;
    }
    return 0;
}

TEST_P(CgroupEntering, ProbedMountsShowTheContainerItsOwnCgroupReadOnly) {
    const Locator locator = given("a");
    std::string root = "/tmp/cgroup-mounts-XXXXXX";
    ASSERT_NE(::mkdtemp(root.data()), nullptr);

    EXPECT_EQ(run(locator, [&] { return try_mounts(traits().mounts, root); }), 0);

    ::rmdir(root.c_str());
}

int make_and_remove(CgroupBackend& backend, const std::string& name, int rounds) {
    const auto locator = backend.locate(CgroupName(name));
    if (!locator) return 2;
    for (int round = 0; round < rounds; ++round) {
        auto done = backend.create(*locator, {.pids = 10});
        if (!done && done.error().code == Code::unsupported) done = backend.create(*locator, {});
        if (done)
            if (const auto entry = backend.entry(*locator); !entry) done = fail(entry);
        if (done) done = backend.remove(*locator);
        if (done) continue;
        std::fprintf(stderr, "round %d: %s\n", round, describe(done.error()).c_str());
        return 1;
    }
    return 0;
}

TEST_P(CgroupSharing, SiblingsComeAndGoWhileTheirParentDoes) {
    std::vector<Member> workers;
    for (const std::string name : {"a", "b", "c"}) {
        (void)locate(name);
        workers.push_back(start_outside([&] {
            const auto own = open();
            return own ? make_and_remove(*own, parent() + "/" + name, 200) : 3;
        }));
    }

    for (Member& worker : workers)
        EXPECT_EQ(worker.wait(), 0);

    EXPECT_TRUE(listed().empty());
}

TEST_P(CgroupSharing, HalfMadeIsMadeWholeOrRemoved) {
    const Locator locator = locate("a");
    for (int round = 0; round < 60; ++round) {
        Member maker = start_outside([&] {
            const auto own = open();
            shared().joined = 1;
            return own && own->create(locator, {}) ? 0 : 1;
        });
        EXPECT_TRUE(soon([&] { return shared().joined == 1; }));
        shared().joined = 0;
        ::usleep(static_cast<useconds_t>(round * 20));
        ::kill(maker.pid(), SIGKILL);
        (void)maker.wait();

        if (round % 2 == 0) {

            EXPECT_EQ(words(backend().create(locator, {})), "ok");
        }
        EXPECT_EQ(words(backend().remove(locator)), "ok");
        EXPECT_TRUE(listed().empty());
    }
}

} // namespace

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CgroupLife);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CgroupEntering);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CgroupSharing);

INSTANTIATE_TEST_SUITE_P(Backend, CgroupLife, testing::ValuesIn(subjects<CgroupBackend>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Backend, CgroupEntering, testing::ValuesIn(subjects<CgroupBackend>()),
                         SubjectName());
INSTANTIATE_TEST_SUITE_P(Backend, CgroupSharing, testing::ValuesIn(subjects<CgroupBackend>()), SubjectName());

} // namespace mydocker::conformance
