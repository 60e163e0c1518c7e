// Messages on their way to a server: how long they hold up who adds them, and what becomes of a socket.
#include "log/datagram/local_socket.hpp"
#include "log/datagram/outbox.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <thread>

namespace mydocker::datagram {
namespace {

using std::chrono::milliseconds;

const sockaddr* generic(const auto& name) {
    return static_cast<const sockaddr*>(static_cast<const void*>(&name));
}

class OutboxTest : public ::testing::Test {
  protected:
    void SetUp() override {
        server_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        std::ranges::copy(path_, name.sun_path);
        ASSERT_EQ(::bind(server_.get(), generic(name), sizeof name), 0);
    }

    [[nodiscard]] Way way(std::size_t buffer) const {
        return {.server = "the server",
                .connect = [path = path_] { return connect_local(path, "the server"); },
                .is_local = true,
                .make_notice = [](const std::string& text) { return text; },
                .buffer = buffer};
    }

    // One message; empty: there is none.
    [[nodiscard]] std::string take() const {
        std::string message(100'000, '\0');
        const ssize_t count = ::recv(server_.get(), message.data(), message.size(), 0);
        message.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        return message;
    }

    // Until the server's socket takes no more, and a message waits.
    static void fill(Outbox& outbox) {
        while (outbox.flush())
            outbox.add("x");
    }

    test::TempDir dir_;
    std::string path_ = dir_ / "log";
    UniqueFd server_;
};

TEST_F(OutboxTest, HoldsABatchUpForItsBudgetAloneHoweverManyMessages) {
    auto outbox = std::move(*Outbox::open(way(600)));
    fill(outbox);
    const std::jthread slow_server([this](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            std::this_thread::sleep_for(milliseconds(10));
            (void)take();
        }
    });

    outbox.begin_batch();
    for (int i = 0; i < 1'000; ++i)
        outbox.add("some text in a line");

    EXPECT_FALSE(outbox.end_batch()); // Waited for each, the server would take them all, in ten seconds.
}

TEST_F(OutboxTest, SendsWhatItHasNoRoomForOnceNothingWaits) {
    auto outbox = std::move(*Outbox::open(way(100)));
    fill(outbox);
    while (!take().empty()) {
    }
    const std::string large(8'000, 'y');

    outbox.begin_batch();
    (void)take();
    outbox.add(large);

    EXPECT_TRUE(outbox.end_batch());
    EXPECT_EQ(take(), large);
}

TEST_F(OutboxTest, SendsWhatItHasNoRoomForOnceWhatWaitedIsGone) {
    auto outbox = std::move(*Outbox::open(way(100)));
    outbox.begin_batch();
    fill(outbox);
    while (!take().empty()) {
    }
    const std::string large(8'000, 'y');

    outbox.add(large);

    EXPECT_TRUE(outbox.end_batch());
    EXPECT_EQ(take(), "x");
    EXPECT_EQ(take(), large);
}

TEST_F(OutboxTest, TellsByFlushWhetherSomethingWaits) {
    auto outbox = std::move(*Outbox::open(way(100)));
    fill(outbox);

    const auto full = outbox.flush();
    while (!take().empty()) {
    }
    const auto empty = outbox.flush();

    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Code::busy);
    EXPECT_TRUE(empty);
}

// As after a change of the host's address, when each send by the old one fails.
TEST_F(OutboxTest, MakesAUdpSocketAnewWhoseSendsFail) {
    const UniqueFd server(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ASSERT_TRUE(server);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(server.get(), generic(name), sizeof name), 0);
    socklen_t size = sizeof name;
    ASSERT_EQ(::getsockname(server.get(), static_cast<sockaddr*>(static_cast<void*>(&name)), &size), 0);
    std::vector<int> made;
    Way udp = way(1'000);
    udp.is_local = false;
    udp.connect = [&]() -> Result<UniqueFd> {
        UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!fd || ::connect(fd.get(), generic(name), sizeof name) != 0) return fail_errno(errno, "connect");
        made.push_back(fd.get());
        return fd;
    };
    auto outbox = std::move(*Outbox::open(udp));
    ASSERT_EQ(::shutdown(made.front(), SHUT_WR), 0);

    outbox.add("text");

    EXPECT_EQ(made.size(), 2U);
    std::array<char, 10> buffer{};
    EXPECT_EQ(::recv(server.get(), buffer.data(), buffer.size(), 0), 4);
}

// From here on each send says what a full device says.
[[nodiscard]] bool make_sends_fail_with_enobufs() {
    std::array<sock_filter, 4> filter{
        sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOBUFS),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{.len = filter.size(), .filter = filter.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// In a process of its own: exits with 0 when waiting took little of the processor.
[[noreturn]] void wait_for_a_full_device(Outbox& outbox) {
    if (!make_sends_fail_with_enobufs()) ::_exit(2);
    const std::clock_t before = std::clock();
    outbox.begin_batch();
    for (int i = 0; i < 10; ++i)
        outbox.add(std::string(100, 'x'));
    if (outbox.close()) ::_exit(3);
    const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
    ::_exit(seconds < 0.05 ? 0 : 1);
}

TEST_F(OutboxTest, DoesNotUseUpTheProcessorWhileADeviceIsFull) {
    auto outbox = std::move(*Outbox::open(way(600)));

    EXPECT_EXIT(wait_for_a_full_device(outbox), ::testing::ExitedWithCode(0), "");
}

} // namespace
} // namespace mydocker::datagram
