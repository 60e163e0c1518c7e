// Values through the whole hourglass: face → wire → plugin and back, every field, for every kind; plugins
// of other times and languages.
#include "abi/echo.hpp"
#include "abi/wire_fixture.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace mydocker;
using namespace std::chrono_literals;

using test::Wire;

// --- host and options ---------------------------------------------------------------------------------

TEST_F(Wire, DriverSeesItsHostAndEveryTypeOfOption) {
    auto given = request("echo", Options({{"truth", true},
                                          {"count", std::int64_t{-3}},
                                          {"ratio", 0.5},
                                          {"word", std::string("a b")},
                                          {"words", std::vector<std::string>{"a", "", "c"}},
                                          {"bytes", std::uint64_t{10} << 20U},
                                          {"time", std::chrono::nanoseconds(90s)}}));
    given.cancelled = [] { return true; };
    auto driver = take(host_->open_storage(given));

    auto told = driver->create_layer(LayerId("top"), std::vector<LayerId>{LayerId("base"), LayerId("next")});

    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code, Code::exists);
    EXPECT_EQ(told.error().sys_errno, EEXIST);
    EXPECT_EQ(told.error().text,
              "storage echo: top [base;next;] '/data dir' '/run dir' bytes=10485760 count=-3 "
              "ratio=0.500000 time=90000000000ns truth=yes word='a b' words=['a';'';'c';] "
              "cancelled");
}

TEST_F(Wire, DiagnosticsNameTheDriverOnOneLine) {
    (void)take(host_->open_storage(request("echo")));

    ASSERT_EQ(logged_.size(), 1U);
    EXPECT_EQ(logged_[0].first, LogLevel::info);
    EXPECT_EQ(logged_[0].second, "storage echo: hello world");
}

// --- storage ------------------------------------------------------------------------------------------

TEST_F(Wire, StorageTraitsArriveWhole) {
    auto traits = take(host_->open_storage(request("echo")))->probe();

    ASSERT_TRUE(traits);
    EXPECT_EQ(traits->whiteouts, Whiteouts::aufs);
    EXPECT_EQ(traits->max_layers, 42U);
    EXPECT_TRUE(traits->id_map);
    EXPECT_FALSE(traits->quota);
    EXPECT_TRUE(traits->userns_mountable);
}

TEST_F(Wire, MountsArriveWhole) {
    auto mounts = take(host_->open_storage(request("echo")))->mounts(RwId("x"), Access::read_write);

    ASSERT_TRUE(mounts) << describe(mounts.error());
    ASSERT_EQ(mounts->size(), 2U);
    EXPECT_EQ(echo::to_text((*mounts)[0]), echo::to_text(echo::some_mounts()[0]));
    EXPECT_EQ(echo::to_text((*mounts)[1]), echo::to_text(echo::some_mounts()[1]));
}

TEST_F(Wire, RwOptionsArriveWholeAndAbsentIsNotZero) {
    auto driver = take(host_->open_storage(request("echo")));
    for (const RwOptions& options : {RwOptions{}, RwOptions{0, 1, 2, Lifetime::ephemeral},
                                     RwOptions{std::uint64_t{1} << 40U, 3, 4, Lifetime::kept}}) {
        auto told = driver->create_rw(RwId("rw"), std::vector<LayerId>{LayerId("a")}, options);

        ASSERT_FALSE(told);
        EXPECT_EQ(told.error().text, "storage echo: 'rw' [a;] " + echo::to_text(options));
    }
}

TEST_F(Wire, ChangesUsageListAndSweepArrive) {
    auto driver = take(host_->open_storage(request("echo")));
    std::string changes;
    auto walked = driver->changes(RwId("x"), [&](const Change& change) -> Status {
        changes +=
            echo::join(static_cast<std::uint32_t>(change.kind), change.path, change.content, change.opaque);
        return {};
    });
    std::string objects;
    auto listed = driver->list([&](const StorageObject& object) -> Status {
        objects += echo::join(static_cast<std::uint32_t>(object.kind), object.id);
        return {};
    });

    EXPECT_TRUE(walked);
    EXPECT_EQ(changes, "1 '/a' '/upper/a' no 2 '/b' '/upper/b' yes 3 '/c' '' no ");
    EXPECT_TRUE(listed);
    EXPECT_EQ(objects, "3 '0123' ");
    EXPECT_EQ(driver->usage(RwId("x")).value().inodes, 10U);
    EXPECT_EQ(driver->seal_layer(LayerId("x")).value().bytes, 7U);
    EXPECT_EQ(driver->sweep().value(), std::uint64_t{1} << 40U);
}

// --- cgroup ---------------------------------------------------------------------------------------------

Resources all_limits() {
    Resources r;
    r.memory = kUnlimited;
    r.memory_swap = 0;
    r.memory_reservation = std::int64_t{1} << 40;
    r.cpu_shares = 2;
    r.cpu_quota_usec = kUnlimited;
    r.cpu_period_usec = 100000;
    r.cpuset_cpus = "0-2,7";
    r.cpuset_mems = "";
    r.pids = 0;
    r.io_weight = 1000;
    r.io_read_bps = {{8, 0, 1}, {8, 16, 2}};
    r.io_write_bps = {{8, 0, 3}};
    r.io_read_iops = {{8, 0, 4}, {8, 1, 5}, {8, 2, 6}};
    r.io_write_iops = {{259, 0, 7}};
    r.hugepages = {{"2MB", 0}, {"1GB", 1U << 30U}};
    r.devices = std::vector<DeviceRule>{{false, 'a', -1, -1, "rwm"}, {true, 'c', 1, 3, "r"}};
    return r;
}

TEST_F(Wire, ResourcesArriveWholeAndAbsentIsNotZero) {
    auto backend = take(host_->open_cgroup(request("echo")));
    Resources empty_devices;
    empty_devices.devices.emplace();
    for (const Resources& resources : {Resources{}, all_limits(), empty_devices}) {
        auto created = backend->create(Locator("at"), resources);
        auto updated = backend->update(Locator("at"), resources);

        ASSERT_FALSE(created);
        EXPECT_EQ(created.error().text, "cgroup echo: at " + echo::to_text(resources));
        ASSERT_FALSE(updated);
        EXPECT_EQ(updated.error().text, "cgroup echo: " + echo::to_text(resources));
    }
}

TEST_F(Wire, CgroupTraitsStatsAndLocatorsArrive) {
    auto backend = take(host_->open_cgroup(request("echo")));

    auto traits = backend->probe();
    auto stats = backend->stats(Locator("x"));

    ASSERT_TRUE(traits) << describe(traits.error());
    EXPECT_TRUE(traits->entry_at_clone);
    EXPECT_EQ(traits->controllers, (std::vector<std::string>{"memory", "pids"}));
    ASSERT_EQ(traits->mounts.size(), 2U);
    EXPECT_EQ(echo::to_text(traits->mounts[0]), echo::to_text(echo::some_mounts()[0]));
    ASSERT_TRUE(stats);
    EXPECT_EQ(echo::to_text(*stats), echo::to_text(echo::some_stats()));
    EXPECT_EQ(backend->locate(CgroupName("mydocker/x")).value().str(), "at:mydocker/x");
    EXPECT_EQ(backend->kill(Locator("x"), SIGKILL).error().text, "cgroup echo: 9");
    EXPECT_EQ(backend->attach(Locator("x"), 4194303).error().text, "cgroup echo: 4194303");
}

TEST_F(Wire, DescriptorsAreTheReceiversAndCloseOnExec) {
    auto backend = take(host_->open_cgroup(request("echo")));

    auto joins = backend->entry(Locator("files"));
    auto directory = backend->entry(Locator("directory"));
    auto events = backend->events(Locator("x"));

    ASSERT_TRUE(joins && directory && events);
    EXPECT_EQ(joins->joins.size(), 2U);
    EXPECT_FALSE(joins->directory);
    EXPECT_EQ(::fcntl(directory->directory.get(), F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::fcntl(joins->joins[1].get(), F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::fcntl(events->get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(Wire, RefusedEntryLeaksNoDescriptor) {
    auto backend = take(host_->open_cgroup(request("echo")));
    const int before = ::dup(0);
    ::close(before);

    auto both = backend->entry(Locator("both"));
    const int after = ::dup(0);
    ::close(after);

    ASSERT_FALSE(both);
    EXPECT_EQ(both.error().text,
              "cgroup echo: entry: gave not exactly one of directory and files to join by");
    EXPECT_EQ(after, before);
}

TEST_F(Wire, ProcessesAndLocatorsAreWalked) {
    auto backend = take(host_->open_cgroup(request("echo")));
    std::vector<pid_t> pids;
    std::vector<std::string> locators;

    auto walked = backend->processes(Locator("x"), [&](pid_t pid) -> Status {
        pids.push_back(pid);
        return {};
    });
    auto listed = backend->list("mydocker", [&](const Locator& locator) -> Status {
        locators.push_back(locator.str());
        return {};
    });

    EXPECT_TRUE(walked && listed);
    EXPECT_EQ(pids, (std::vector<pid_t>{1, 4194304}));
    EXPECT_EQ(locators, (std::vector<std::string>{"mydocker/x"}));
}

// --- log ------------------------------------------------------------------------------------------------

StreamInfo some_stream() {
    return {.id = "0123",
            .name = "web",
            .image = "busybox",
            .directory = "/logs",
            .labels = {{"a", "b"}, {"", "c"}, {"d", ""}}};
}

TEST_F(Wire, StreamInfoAndRecordsArriveWhole) {
    auto sink = take(host_->open_log(request("echo")));
    StreamInfo refused = some_stream();
    refused.name = "refused";
    auto stream = sink->open(some_stream());
    ASSERT_TRUE(stream) << describe(stream.error());
    const std::vector<LogRecord> records{{1, LogSource::out, false, "one"},
                                         {-2, LogSource::err, true, std::string_view("t\0o", 3)}};

    auto written = sink->write(**stream, records);
    auto flushed = sink->flush(**stream);
    auto closed = sink->close(*std::move(stream));

    EXPECT_EQ(sink->open(refused).error().text, "log echo: " + echo::to_text(refused));
    EXPECT_TRUE(written && closed);
    ASSERT_FALSE(flushed);
    EXPECT_EQ(flushed.error().text, "log echo: 1 calls, 30 bytes: 1 1 no 'one'  -2 2 yes 't o'  ");
}

TEST_F(Wire, LargeBatchIsHandedOnWholeAndInOrder) {
    auto sink = take(host_->open_log(request("echo")));
    auto stream = sink->open(some_stream());
    const std::vector<LogRecord> records(1000, LogRecord{0, LogSource::out, false, "x"});

    auto written = sink->write(**stream, records);

    EXPECT_TRUE(written);
    EXPECT_TRUE(sink->flush(**stream).error().text.starts_with("log echo: 16 calls, 12000 bytes"));
}

TEST_F(Wire, DroppedStreamIsClosed) {
    auto sink = take(host_->open_log(request("echo")));
    (void)sink->open(some_stream()).value();

    auto page = sink->read(some_stream(), {}, {}, [](const LogRecord&) { return Status{}; });

    ASSERT_TRUE(page);
    EXPECT_EQ(page->next.str(), "1");
}

TEST_F(Wire, StreamMayOutliveItsSink) {
    auto sink = take(host_->open_log(request("echo")));
    auto stream = sink->open(some_stream()).value();

    sink.reset();

    stream.reset();
}

TEST_F(Wire, QueryCursorAndPageArriveWhole) {
    auto sink = take(host_->open_log(request("echo")));
    for (const LogQuery& query : {LogQuery{}, LogQuery{0, std::nullopt, 0}, LogQuery{-1, 2, 3}}) {
        std::string told;
        auto page =
            sink->read(some_stream(), query, LogCursor("from"), [&](const LogRecord& record) -> Status {
                told = echo::to_text(record);
                return {};
            });

        ASSERT_TRUE(page) << describe(page.error());
        EXPECT_EQ(told, "-5 3 yes '" + echo::to_text(some_stream()) + echo::to_text(query) + "from' ");
        EXPECT_FALSE(page->at_end);
        EXPECT_EQ(page->damaged, 3U);
    }
}

// --- state ----------------------------------------------------------------------------------------------

TEST_F(Wire, StateRecordsArriveWhole) {
    auto store = take(host_->open_state(request("echo")));

    auto record = store->load(ContainerId("id"));

    ASSERT_TRUE(record) << describe(record.error());
    EXPECT_EQ(record->name.str(), "web");
    EXPECT_EQ(record->revision, 77U);
    EXPECT_EQ(record->document, std::string("a\0b", 3));
    EXPECT_TRUE(store->probe().value().durable);
    EXPECT_EQ(store->resolve("we").value().str(), "id-of-we");
    EXPECT_EQ(store->save(ContainerId("id"), "12345", 10).value(), 15U);
    EXPECT_EQ(store->rename(ContainerId("id"), ContainerName("four")).value(), 4U);
    EXPECT_EQ(store->remove(ContainerId("id"), 12).error().text, "state echo: 12");
    EXPECT_EQ(store->reserve(ContainerId("a"), ContainerName("b"), "c").error().text, "state echo: abc");
}

TEST_F(Wire, StateResultsThatLieAreRefused) {
    auto store = take(host_->open_state(request("echo")));

    EXPECT_EQ(store->load(ContainerId("other")).error().text, "state echo: load: gave the record of 'abc'");
    EXPECT_EQ(store->load(ContainerId("large")).error().text,
              "state echo: load: gave a document of 2097152 bytes");
    EXPECT_EQ(store->save(ContainerId("zero"), "", 1).error().text, "state echo: save: gave the revision 0");
}

TEST_F(Wire, DamagedRecordIsListedWithItsError) {
    auto store = take(host_->open_state(request("echo")));
    std::vector<ListedRecord> listed;

    auto done = store->list([&](const ListedRecord& record) -> Status {
        listed.push_back(record);
        return {};
    });

    ASSERT_TRUE(done) << describe(done.error());
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_EQ(listed[0].record.value().document, "doc");
    EXPECT_EQ(listed[1].id.str(), "b");
    ASSERT_FALSE(listed[1].record);
    EXPECT_EQ(listed[1].record.error(),
              (Error{Code::corrupt, EIO, "state echo: record 'b' is damaged at byte 117"}));
}

// --- plugins in C, and of other times ----------------------------------------------------------------------

class WireC : public Wire, public ::testing::WithParamInterface<const char*> {};

TEST_P(WireC, SinkInCKeepsRecordsAndSeesItsOptions) {
    const test::TempDir logs;
    auto sink = take(host_->open_log(request(
        GetParam(), Options({{"prefix", std::string("> ")}, {"limit", std::uint64_t{5}}, {"shout", true}}))));
    StreamInfo info = some_stream();
    info.directory = logs.path();
    auto stream = sink->open(info);
    ASSERT_TRUE(stream) << describe(stream.error());
    const std::vector<LogRecord> records{{1, LogSource::out, false, "one"},
                                         {2, LogSource::err, true, "something"}};

    auto written = sink->write(**stream, records);
    auto closed = sink->close(*std::move(stream));

    EXPECT_TRUE(written && closed);
    EXPECT_EQ(test::content_of(logs / "c-lines.log"), "> 1 0 one!\n> 2 1 somet!\n");
    EXPECT_FALSE(sink->probe().value().readable);
    EXPECT_EQ(sink->read(info, {}, {}, [](const LogRecord&) { return Status{}; }).error().text,
              std::string("log ") + GetParam() + ": read: not offered by this driver");
    EXPECT_TRUE(sink->remove(info));
    EXPECT_TRUE(sink->remove(info));
    ASSERT_FALSE(logged_.empty());
    EXPECT_EQ(logged_.back().second, std::string("log ") + GetParam() + ": opened");
}

TEST_P(WireC, ErrorsOfASinkInCCarryTheNumber) {
    auto sink = take(host_->open_log(request(GetParam())));
    StreamInfo info = some_stream();
    info.directory = "/nonexistent";

    auto stream = sink->open(info);

    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error(),
              (Error{Code::not_found, ENOENT,
                     std::string("log ") + GetParam() + ": open '/nonexistent/c-lines.log'"}));
}

// "c-newer": built with the next minor version, all its structs and arrays longer than ours.
INSTANTIATE_TEST_SUITE_P(Times, WireC, ::testing::Values("c-lines", "c-newer"));

} // namespace
