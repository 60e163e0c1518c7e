// The syslog log sink: addresses, the two forms of a message, and a server that is slow, away or back.
#include "log/syslog/sink.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace mydocker::syslog {
namespace {

constexpr std::int64_t kTime = 1'769'860'800'123'456'789; // 2026-01-31T12:00:00.123456789Z
const std::string kShort = "3f2a1b0c9d8e";

LogRecord record_of(std::string_view bytes, LogSource source = LogSource::out) {
    return {.time_ns = kTime, .source = source, .partial = false, .bytes = bytes};
}

// A server at a local socket, which reads when the test does.
class Server {
  public:
    explicit Server(std::string path) : path_(std::move(path)) { start(); }

    void start() {
        (void)::unlink(path_.c_str());
        fd_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        std::ranges::copy(path_, name.sun_path);
        EXPECT_EQ(
            ::bind(fd_.get(), static_cast<const sockaddr*>(static_cast<const void*>(&name)), sizeof name), 0);
    }
    // As a server that is killed: its socket's name stays.
    void stop() { fd_.reset(); }

    // All that is there now.
    [[nodiscard]] std::vector<std::string> messages() const {
        std::vector<std::string> all;
        std::string buffer(100'000, '\0');
        for (;;) {
            const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
            if (count < 0) return all;
            all.push_back(buffer.substr(0, static_cast<std::size_t>(count)));
        }
    }

  private:
    std::string path_;
    UniqueFd fd_;
};

class SyslogLog : public ::testing::Test {
  protected:
    SyslogLog() {
        options_["address"] = path_;
        options_["facility"] = std::string("daemon");
        options_["tag"] = std::string("{name}");
        options_["format"] = std::string("rfc5424");
        options_["max_message"] = std::uint64_t{8192};
        options_["buffer"] = std::uint64_t{1} << 20U;
    }

    [[nodiscard]] Result<std::unique_ptr<LogSink>> sink() const {
        return Syslog::open(Host("", "", Options(options_)));
    }

    [[nodiscard]] std::unique_ptr<LogSink::Stream> open(LogSink& sink) const {
        auto stream = sink.open(info_);
        EXPECT_TRUE(stream) << describe(stream.error());
        return stream ? std::move(*stream) : nullptr;
    }

    static Status put(LogSink& sink, LogSink::Stream& stream, std::string_view bytes,
                      LogSource source = LogSource::out) {
        const LogRecord record = record_of(bytes, source);
        return sink.write(stream, std::span(&record, 1));
    }

    // What the server is sent for one record.
    [[nodiscard]] std::vector<std::string> sent(std::string_view bytes, LogSource source = LogSource::out) {
        const Server server(path_);
        const auto syslog = std::move(*sink());
        auto stream = open(*syslog);
        EXPECT_TRUE(put(*syslog, *stream, bytes, source));
        EXPECT_TRUE(syslog->close(std::move(stream)));
        return server.messages();
    }

    // What the server gets, reading and being handed more in turns, until nothing more comes.
    static std::vector<std::string> received(const Server& server, LogSink& sink, LogSink::Stream& stream) {
        std::vector<std::string> all;
        for (;;) {
            const auto some = server.messages();
            if (some.empty()) return all;
            all.insert(all.end(), some.begin(), some.end());
            (void)sink.flush(stream); // It says whether something waits still.
        }
    }

    test::TempDir dir_;
    std::string path_ = dir_ / "log";
    StreamInfo info_{.id = kShort + std::string(52, '0'),
                     .name = "web",
                     .image = "docker.io/busybox:1",
                     .directory = dir_.path(),
                     .labels = {}};
    std::map<std::string, OptionValue, std::less<>> options_;
};

std::string host() {
    std::string name(256, '\0');
    EXPECT_EQ(::gethostname(name.data(), name.size()), 0);
    name.resize(name.find('\0'));
    return name;
}

TEST_F(SyslogLog, SpeaksRfc5424) {
    const std::string head = "1 2026-01-31T12:00:00.123456Z " + host() + " web " + kShort;

    EXPECT_EQ(sent("hello"), std::vector<std::string>{"<30>" + head + " stdout - hello"});
    EXPECT_EQ(sent("oh", LogSource::err), std::vector<std::string>{"<27>" + head + " stderr - oh"});
    EXPECT_EQ(sent("", LogSource::diagnostic), std::vector<std::string>{"<29>" + head + " diagnostic - "});
    options_["facility"] = std::string("local7");
    EXPECT_EQ(sent("hello"), std::vector<std::string>{"<190>" + head + " stdout - hello"});
}

TEST_F(SyslogLog, SpeaksAsSyslog3ToALocalSocketUnlessToldOtherwise) {
    ASSERT_EQ(::setenv("TZ", "UTC", 1), 0);
    ::tzset();
    options_["format"] = std::string("auto");

    EXPECT_EQ(sent("hello"), std::vector<std::string>{"<30>Jan 31 12:00:00 web[" + kShort + "]: hello"});
}

TEST_F(SyslogLog, PutsWhatTheTagAsksForAndNothingElse) {
    options_["tag"] = std::string("app/{image}/{id} x");
    EXPECT_EQ(sent("m")[0].substr(0, 4), "<30>");
    EXPECT_NE(sent("m")[0].find(" app/docker.io/busybox:1/" + kShort + "_x "), std::string::npos);

    options_["format"] = std::string("auto");
    EXPECT_NE(sent("m")[0].find(" app/docker.io/busybox_1/" + kShort + "_x["), std::string::npos);
}

TEST_F(SyslogLog, CutsLongLinesBetweenCharacters) {
    options_["max_message"] = std::uint64_t{480};
    std::string line = "x";
    for (int i = 0; i < 500; ++i)
        line += "\xE2\x82\xAC"; // €

    const auto messages = sent(line);

    std::string together;
    EXPECT_GT(messages.size(), 3U);
    for (const std::string& message : messages) {
        EXPECT_LE(message.size(), 480U);
        const std::string text = message.substr(message.find(" - ") + 3);
        EXPECT_NE(static_cast<unsigned char>(text[0]) & 0xC0U, 0x80U) << "it begins inside a character";
        together += text;
    }
    EXPECT_EQ(together, line);
}

TEST_F(SyslogLog, KeepsWhatASlowServerDoesNotTakeYetInOrder) {
    const Server server(path_);
    const auto syslog = std::move(*sink());
    auto stream = open(*syslog);
    constexpr int kLines = 3'000; // more than a socket's queue holds

    for (int i = 0; i < kLines; ++i)
        ASSERT_TRUE(put(*syslog, *stream, "line " + std::to_string(i)));

    const std::vector<std::string> all = received(server, *syslog, *stream);

    ASSERT_EQ(all.size(), std::size_t{kLines});
    for (int i = 0; i < kLines; ++i)
        EXPECT_TRUE(all[static_cast<std::size_t>(i)].ends_with(" line " + std::to_string(i)));
    EXPECT_TRUE(syslog->close(std::move(stream)));
}

TEST_F(SyslogLog, GoesOnWithAServerThatWasStartedAnew) {
    Server server(path_);
    const auto syslog = std::move(*sink());
    auto stream = open(*syslog);
    ASSERT_TRUE(put(*syslog, *stream, "before"));
    EXPECT_EQ(server.messages().size(), 1U);

    server.stop();
    EXPECT_TRUE(put(*syslog, *stream, "while it is killed"));
    ASSERT_EQ(::unlink(path_.c_str()), 0);
    EXPECT_TRUE(put(*syslog, *stream, "while its socket is gone"));
    server.start();
    EXPECT_TRUE(put(*syslog, *stream, "after"));

    const auto messages = server.messages();
    ASSERT_EQ(messages.size(), 3U);
    EXPECT_TRUE(messages[0].ends_with(" - while it is killed"));
    EXPECT_TRUE(messages[1].ends_with(" - while its socket is gone"));
    EXPECT_TRUE(messages[2].ends_with(" - after"));
    EXPECT_TRUE(syslog->close(std::move(stream)));
}

TEST_F(SyslogLog, CountsAndTellsWhatItHadNoRoomFor) {
    options_["buffer"] = std::uint64_t{1000};
    options_["max_message"] = std::uint64_t{480};
    Server server(path_);
    const auto syslog = std::move(*sink());
    auto stream = open(*syslog);
    server.stop();
    int refused = 0;
    for (int i = 0; i < 100; ++i)
        if (auto put_one = put(*syslog, *stream, "line " + std::to_string(i)); !put_one) {
            ++refused;
            EXPECT_EQ(put_one.error().code, Code::no_space);
        }
    server.start();

    EXPECT_TRUE(put(*syslog, *stream, "again"));

    const auto messages = received(server, *syslog, *stream);
    ASSERT_GT(refused, 50);
    ASSERT_EQ(messages.size(), 100U - static_cast<std::size_t>(refused) + 2);
    EXPECT_TRUE(messages[0].ends_with(" - line 0"));
    EXPECT_TRUE(messages[messages.size() - 2].ends_with(
        "mydocker: " + std::to_string(refused) + " messages were dropped here, while the server took none"))
        << messages[messages.size() - 2];
    EXPECT_TRUE(messages.back().ends_with(" - again"));
    EXPECT_TRUE(syslog->close(std::move(stream)));
}

TEST_F(SyslogLog, WaitsOnceForAServerThatTakesNothing) {
    options_["buffer"] = std::uint64_t{1000};
    options_["max_message"] = std::uint64_t{480};
    const Server server(path_);
    const auto syslog = std::move(*sink());
    auto stream = open(*syslog);

    const auto start = std::chrono::steady_clock::now();
    int refused = 0;
    for (int i = 0; i < 2'000; ++i)
        refused += put(*syslog, *stream, "line") ? 0 : 1;

    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
    EXPECT_GT(refused, 0);
    EXPECT_FALSE(received(server, *syslog, *stream).empty());
    EXPECT_TRUE(syslog->close(std::move(stream)));
}

TEST_F(SyslogLog, AServerThatIsAwayIsFoundAtOpenAndByTheProbe) {
    const auto syslog = std::move(*sink());

    const auto stream = syslog->open(info_);
    const auto traits = syslog->probe();

    ASSERT_FALSE(stream);
    EXPECT_EQ(describe(stream.error()),
              "connect to syslog server '" + path_ + "': No such file or directory (ENOENT)");
    ASSERT_FALSE(traits);
    EXPECT_EQ(traits.error().code, Code::unsupported);
    EXPECT_EQ(traits.error().text,
              "find a syslog server at '" + path_ + "'; start one, or set address in [log.syslog]");
}

TEST_F(SyslogLog, SaysAtItsEndWhatWasLeft) {
    Server server(path_);
    const auto syslog = std::move(*sink());
    auto stream = open(*syslog);
    server.stop();
    ASSERT_TRUE(put(*syslog, *stream, "last words"));

    const auto start = std::chrono::steady_clock::now();
    const auto closed = syslog->close(std::move(stream));

    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
    ASSERT_FALSE(closed);
    EXPECT_EQ(closed.error().text, "hand the last 1 messages to syslog server '" + path_ + "'");
}

TEST_F(SyslogLog, SendsByUdp) {
    const UniqueFd server(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = static_cast<sockaddr*>(static_cast<void*>(&name));
    ASSERT_TRUE(server);
    ASSERT_EQ(::bind(server.get(), generic, sizeof name), 0);
    socklen_t size = sizeof name;
    ASSERT_EQ(::getsockname(server.get(), generic, &size), 0);
    options_["address"] = "udp://127.0.0.1:" + std::to_string(ntohs(name.sin_port));
    options_["format"] = std::string("auto");
    const auto syslog = std::move(*sink());
    auto stream = open(*syslog);

    EXPECT_TRUE(put(*syslog, *stream, "far away"));

    std::string buffer(1000, '\0');
    const ssize_t count = ::recv(server.get(), buffer.data(), buffer.size(), 0);
    ASSERT_GT(count, 0);
    buffer.resize(static_cast<std::size_t>(count));
    EXPECT_TRUE(buffer.starts_with("<30>1 2026-01-31T12:00:00.123456Z ")) << buffer;
    EXPECT_TRUE(buffer.ends_with(" web " + kShort + " stdout - far away")) << buffer;
    EXPECT_TRUE(syslog->close(std::move(stream)));
}

struct WrongOption {
    const char* key;
    OptionValue value;
    const char* said;
};

TEST_F(SyslogLog, RefusesWrongOptions) {
    const std::vector<WrongOption> wrong = {
        {"address", std::string("log"), "use syslog address 'log'; it must be the absolute path of a socket"},
        {"address", std::string("tcp://host"), "use syslog address 'tcp://host'"},
        {"address", std::string("udp://"), "use syslog address 'udp://'"},
        {"address", std::string("udp://host:x"), "use syslog address 'udp://host:x'"},
        {"address", std::string("udp://[::1"), "use syslog address 'udp://[::1'"},
        {"facility", std::string("local8"), "use facility 'local8'; there are user, daemon"},
        {"tag", std::string("{nmae}"), "use tag '{nmae}'; there are {id}, {full_id}, {name} and {image}"},
        {"tag", std::string(), "use an empty tag"},
        {"format", std::string("json"), "use format 'json'; it must be 'auto', 'rfc5424' or 'rfc3164'"},
        {"max_message", std::uint64_t{100}, "use max_message = 100; it must be from 480 to 65000"},
        {"buffer", std::uint64_t{8703}, "use buffer = 8703; it must be at least 8704"},
    };
    const auto sound = options_;
    for (const WrongOption& each : wrong) {
        options_ = sound;
        options_[each.key] = each.value;

        const auto opened = sink();

        ASSERT_FALSE(opened) << each.said;
        EXPECT_EQ(opened.error().code, Code::invalid);
        EXPECT_TRUE(opened.error().text.starts_with(each.said)) << opened.error().text;
    }
}

TEST(SyslogAddress, IsLookedUpOnceAndConnectedToAnew) {
    const auto connect = make_connector(*parse_address("udp://localhost:1514"));
    const auto peer = [&] {
        const auto fd = connect();
        EXPECT_TRUE(fd) << describe(fd.error());
        sockaddr_storage name{};
        socklen_t size = sizeof name;
        EXPECT_EQ(::getpeername(fd->get(), static_cast<sockaddr*>(static_cast<void*>(&name)), &size), 0);
        return std::string(static_cast<const char*>(static_cast<const void*>(&name)), size);
    };

    const std::string first = peer();

    EXPECT_EQ(peer(), first);
}

TEST(SyslogAddress, KnowsItsForms) {
    EXPECT_EQ(parse_address("unix:///dev/log")->path, "/dev/log");
    EXPECT_EQ(parse_address("udp://loghost")->port, "514");
    EXPECT_EQ(parse_address("udp://[fe80::1]:1514")->host, "fe80::1");
    EXPECT_EQ(parse_address("udp://[fe80::1]:1514")->port, "1514");
}

} // namespace
} // namespace mydocker::syslog
