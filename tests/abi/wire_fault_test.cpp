// Errors through the hourglass, and what the engine makes of drivers that break the contract.
#include "abi/wire_fixture.hpp"
#include "plugin/crash.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <ostream>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace mydocker;
using plugin::Kind;
using test::Wire;

// --- visitors ------------------------------------------------------------------------------------------

TEST_F(Wire, VisitorsOwnErrorWinsAndStopsTheWalk) {
    auto driver = take(host_->open_storage(request("echo")));
    int visits = 0;

    auto walked = driver->changes(RwId("x"), [&](const Change&) -> Status {
        ++visits;
        return fail(Code::no_space, "write the layer", ENOSPC);
    });

    ASSERT_FALSE(walked);
    EXPECT_EQ(visits, 1);
    EXPECT_EQ(walked.error(), (Error{Code::no_space, ENOSPC, "write the layer"}));
}

TEST_F(Wire, VisitorThatThrowsIsAnError) {
    auto driver = take(host_->open_storage(request("echo")));

    auto walked =
        driver->changes(RwId("x"), [](const Change&) -> Status { throw std::runtime_error("thrown"); });

    ASSERT_FALSE(walked);
    EXPECT_EQ(walked.error().code, Code::internal);
    EXPECT_EQ(walked.error().text, "thrown");
}

// --- what a driver does wrong ---------------------------------------------------------------------------

TEST_F(Wire, ExceptionsArriveAsErrorsThatNameDriverAndCall) {
    auto driver = take(host_->open_storage(request("echo")));
    struct Row {
        const char* id;
        const char* text;
    };
    for (const Row& row : {Row{"exception", "unexpected error (a runtime error)"},
                           Row{"bad_alloc", "unexpected error (std::bad_alloc)"},
                           Row{"int", "unexpected error (an exception of unknown type)"}}) {
        auto done = driver->remove_layer(LayerId(row.id));

        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, Code::plugin_fault);
        EXPECT_EQ(done.error().text, std::string("storage echo: remove_layer: ") + row.text);
    }
}

TEST_F(Wire, LongErrorKeepsBeginningAndCause) {
    auto done = take(host_->open_storage(request("echo")))->remove_layer(LayerId("long"));

    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().text.starts_with("storage echo: begin xxx"));
    EXPECT_TRUE(done.error().text.ends_with("xxx: the cause"));
    EXPECT_EQ(done.error().sys_errno, EIO);
}

struct Fault {
    const char* fault;
    Code code;
    int sys_errno;
    const char* text;
};
std::ostream& operator<<(std::ostream& out, const Fault& fault) {
    return out << fault.fault;
}

class WireErrors : public Wire, public ::testing::WithParamInterface<Fault> {};

TEST_P(WireErrors, AreReadAsTheConventionsSay) {
    auto done = faulty(GetParam().fault)->remove_layer(LayerId("x"));

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error(), (Error{GetParam().code, GetParam().sys_errno, GetParam().text}));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, WireErrors,
    ::testing::Values(
        Fault{"errno", Code::no_space, ENOSPC, "storage faulty: mkdir '/x'"},
        Fault{"prefixed", Code::io, 0, "storage faulty: said it already"},
        Fault{"terminal", Code::io, 0, "storage faulty: red  [31m line"},
        Fault{"code", Code::plugin_fault, 0,
              "storage faulty: remove_layer: returned code 77, which does not exist"},
        Fault{"silent", Code::io, 0, "storage faulty: returned an error without saying why"},
        Fault{"text-size", Code::plugin_fault, 0,
              "storage faulty: remove_layer: reported an error text longer than the space for it"},
        Fault{"overrun", Code::plugin_fault, 0,
              "storage faulty: remove_layer: wrote beyond the space for its error text"}));

class WireResults : public Wire, public ::testing::WithParamInterface<Fault> {
  protected:
    // The error of the first call that the fault spoils.
    [[nodiscard]] static Error first_error(StorageDriver& driver) {
        if (auto traits = driver.probe(); !traits) return traits.error();
        if (auto path = driver.create_layer(LayerId("x"), {}); !path) return path.error();
        if (auto mounts = driver.mounts(RwId("x"), Access::read_only); !mounts) return mounts.error();
        if (auto all = driver.list([](const StorageObject&) { return Status{}; }); !all) return all.error();
        return {};
    }
};

TEST_P(WireResults, AreCheckedBeforeAnyoneUsesThem) {
    auto driver = faulty(GetParam().fault);

    const Error error = first_error(*driver);

    EXPECT_EQ(error.code, Code::plugin_fault);
    EXPECT_EQ(error.text, std::string("storage faulty: ") + GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, WireResults,
    ::testing::Values(
        Fault{"no-result", {}, 0, "probe: reported success without a result"},
        Fault{"two-results", {}, 0, "probe: gave more than one result"},
        Fault{"traits", {}, 0, "probe: whiteouts is 9, which does not exist"},
        Fault{"relative", {}, 0, "create_layer: the staging directory 'staging' is not an absolute path"},
        Fault{"dotdot", {}, 0, "create_layer: the staging directory '/var/../etc' has a '..' in it"},
        Fault{"nul", {}, 0, "create_layer: its result has a NUL byte in it"},
        Fault{"null-text", {}, 0, "create_layer: the staging directory '' is not an absolute path"},
        Fault{"no-mount", {}, 0, "mounts: the first mount is not that of the root filesystem"},
        Fault{"no-root", {}, 0, "mounts: the first mount is not that of the root filesystem"},
        Fault{"no-type", {}, 0, "mounts: a mount without a type"},
        Fault{"bind", {}, 0, "mounts: a bind mount's source 'overlay' is not an absolute path"},
        Fault{"propagation", {}, 0, "mounts: a mount's propagation is 17, which does not exist"},
        Fault{"count", {}, 0, "mounts: gave more than 8192 mount options"},
        Fault{"stride", {}, 0, "mounts: a list of 2 elements, stride 0, cannot be read"},
        Fault{"null-list", {}, 0, "mounts: a list of 2 elements, stride 16, cannot be read"},
        Fault{"endless", {}, 0, "mounts: gave more than 1024 mounts"},
        Fault{"object", {}, 0, "list: an object's kind is 8, which does not exist"}));

TEST_F(Wire, DriverThatIgnoresTheStopIsCalledNoMore) {
    int visits = 0;

    auto done = faulty("deaf")->list([&](const StorageObject&) -> Status {
        ++visits;
        return fail(Code::cancelled, "enough");
    });

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().text, "enough");
    EXPECT_EQ(visits, 1);
}

TEST_F(Wire, EmptyOptionalSlotIsUnsupported) {
    auto driver = faulty("");

    auto usage = driver->usage(RwId("x"));
    auto changes = driver->changes(RwId("x"), [](const Change&) { return Status{}; });

    ASSERT_FALSE(usage);
    EXPECT_EQ(usage.error(),
              (Error{Code::unsupported, 0, "storage faulty: usage: not offered by this driver"}));
    ASSERT_FALSE(changes);
    EXPECT_EQ(changes.error().code, Code::unsupported);
}

TEST_F(Wire, OpenThatFailsSaysWhy) {
    auto driver = host_->open_storage(request("faulty", test::text_option("fault", "open")));

    ASSERT_FALSE(driver);
    EXPECT_EQ(driver.error(),
              (Error{Code::unsupported, ENODEV, "storage faulty: find the 'faulty' filesystem"}));
}

TEST_F(Wire, InstanceRefusesCallsInAnotherProcess) {
    auto driver = faulty("");
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);

    const pid_t child = ::fork();
    if (child == 0) {
        const Status done = driver->remove_layer(LayerId("x"));
        const std::string text = done ? "done" : done.error().text;
        ::_exit(::write(ends[1], text.data(), text.size()) < 0 ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    std::array<char, 256> text{};
    const ssize_t count = ::read(ends[0], text.data(), text.size());
    ::close(ends[0]);
    ::close(ends[1]);

    EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(count)),
              "storage faulty: remove_layer: called in another process than the one that opened it");
}

// --- crashes --------------------------------------------------------------------------------------------

using WireCrash = Wire;

TEST_F(WireCrash, NamesDriverAndCallAndDiesByTheSignal) {
    GTEST_FLAG_SET(death_test_style, "fast");
    const auto run = [&](const char* fault) {
        plugin::install_crash_reporter();
        (void)faulty(fault)->remove_layer(LayerId("x"));
    };

    EXPECT_EXIT(run("crash"), ::testing::KilledBySignal(SIGSEGV),
                "^mydocker: storage faulty crashed in remove_layer \\(SIGSEGV\\)\n$");
    EXPECT_EXIT(run("abort"), ::testing::KilledBySignal(SIGABRT),
                "mydocker: storage faulty crashed in remove_layer \\(SIGABRT\\)");
    EXPECT_EXIT(run("exit"), ::testing::ExitedWithCode(0),
                "mydocker: storage faulty ended the process in remove_layer");
}

TEST_F(WireCrash, NamesThePluginWhoseConstructorCrashes) {
    GTEST_FLAG_SET(death_test_style, "fast");
    (void)plugins_.add("storage-suicide.so");
    const auto run = [&] {
        plugin::install_crash_reporter();
        (void)host_->load(Kind::storage, "suicide");
    };

    EXPECT_EXIT(run(), ::testing::KilledBySignal(SIGSEGV),
                "mydocker: storage suicide crashed in its constructors \\(SIGSEGV\\)");
}

TEST_F(WireCrash, SaysNothingOutsideAPlugin) {
    GTEST_FLAG_SET(death_test_style, "fast");
    const auto run = [&] {
        plugin::install_crash_reporter();
        (void)faulty("")->remove_layer(LayerId("x"));
        ::raise(SIGSEGV);
    };

    EXPECT_EXIT(run(), ::testing::KilledBySignal(SIGSEGV), "^$");
}

} // namespace
