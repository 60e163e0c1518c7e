// The journald log sink: the entries that it sends. With a real journald:
// tests/integration/log_journald_test.cpp.
#include "log/journald/entry.hpp"
#include "log/journald/sink.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sys/socket.h>
#include <sys/un.h>

namespace mydocker::journal {
namespace {

const std::string kShort = "3f2a1b0c9d8e";

class JournaldLog : public ::testing::Test {
  protected:
    void SetUp() override {
        options_["socket"] = path_;
        options_["directory"] = std::string();
        options_["buffer"] = std::uint64_t{1} << 20U;
        server_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        ASSERT_TRUE(server_);
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        std::ranges::copy(path_, name.sun_path);
        const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&name));
        ASSERT_EQ(::bind(server_.get(), generic, sizeof name), 0);
    }

    [[nodiscard]] Result<std::unique_ptr<LogSink>> sink() const {
        return Journald::open(Host("", "", Options(options_)));
    }

    // What journald is sent for one record.
    [[nodiscard]] std::string sent(const LogRecord& record) const {
        const auto journald = std::move(*sink());
        auto stream = journald->open(info_);
        EXPECT_TRUE(stream) << describe(stream.error());
        EXPECT_TRUE(journald->write(**stream, std::span(&record, 1)));
        EXPECT_TRUE(journald->close(std::move(*stream)));
        std::string entry(100'000, '\0');
        const ssize_t count = ::recv(server_.get(), entry.data(), entry.size(), 0);
        EXPECT_GT(count, 0);
        entry.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        return entry;
    }

    test::TempDir dir_;
    std::string path_ = dir_ / "socket";
    UniqueFd server_;
    StreamInfo info_{.id = kShort + std::string(52, '0'),
                     .name = "web",
                     .image = "busybox",
                     .directory = dir_.path(),
                     .labels = {}};
    std::map<std::string, OptionValue, std::less<>> options_;
};

TEST_F(JournaldLog, SendsWhatItIsOfInFields) {
    const std::string common = "SYSLOG_IDENTIFIER=web\nCONTAINER_ID=" + kShort +
                               "\nCONTAINER_ID_FULL=" + info_.id +
                               "\nCONTAINER_NAME=web\nIMAGE_NAME=busybox\n";

    EXPECT_EQ(sent({.time_ns = 7, .source = LogSource::out, .partial = false, .bytes = "hello"}),
              common + "PRIORITY=6\nMYDOCKER_SOURCE=stdout\nMYDOCKER_TIME_NS=7\nMESSAGE=hello\n");
    EXPECT_EQ(sent({.time_ns = 7, .source = LogSource::err, .partial = true, .bytes = ""}),
              common + "PRIORITY=3\nMYDOCKER_SOURCE=stderr\nMYDOCKER_TIME_NS=7\n"
                       "CONTAINER_PARTIAL_MESSAGE=true\nMESSAGE=\n");
}

TEST_F(JournaldLog, SendsALengthBeforeWhatHasALineFeed) {
    const std::string entry =
        sent({.time_ns = 7, .source = LogSource::out, .partial = true, .bytes = "a\nPRIORITY=0\nb"});

    EXPECT_TRUE(entry.ends_with("\nMESSAGE\n" + std::string("\x0e\0\0\0\0\0\0\0", 8) + "a\nPRIORITY=0\nb\n"));
}

TEST_F(JournaldLog, SaysWhereThereIsNoJournald) {
    ASSERT_EQ(::unlink(path_.c_str()), 0);
    const auto journald = std::move(*sink());

    EXPECT_EQ(journald->probe().error().text,
              "find journald at '" + path_ + "'; this host runs without systemd's journal");
    EXPECT_EQ(describe(journald->open(info_).error()),
              "connect to journald at '" + path_ + "': No such file or directory (ENOENT)");
}

TEST_F(JournaldLog, RefusesPathsThatAreRelative) {
    options_["directory"] = std::string("journal");

    const auto opened = sink();

    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().text, "use option directory = 'journal'; it must be an absolute path");
}

TEST_F(JournaldLog, RefusesABufferThatHasNoRoomForAnEntry) {
    options_["buffer"] = std::uint64_t{1024};

    const auto opened = sink();

    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().text, "use buffer = 1024; it must be at least 32768, for an entry and a notice");
}

} // namespace
} // namespace mydocker::journal
