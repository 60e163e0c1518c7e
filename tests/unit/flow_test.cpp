// Bytes from one descriptor to another, step by step.
#include "base/sys.hpp"
#include "engine/flow.hpp"

#include <csignal>
#include <gtest/gtest.h>
#include <string>
#include <utility>

namespace mydocker::engine {
namespace {

class FlowTest : public ::testing::Test {
  protected:
    void SetUp() override {
        (void)std::signal(SIGPIPE, SIG_IGN); // As the programs have it.
        in_ = std::move(*sys::pipe());
        out_ = std::move(*sys::pipe());
        const int from = in_.read.get();
        flow_ = Flow(from, out_.write.get(), std::move(in_.read), Flow::kPiece);
    }

    void write(const std::string& bytes) const { ASSERT_TRUE(sys::write_all(in_.write.get(), bytes)); }
    std::string read() const {
        std::string buffer(Flow::kWhole, '\0');
        buffer.resize(sys::read(out_.read.get(), buffer).value_or(0));
        return buffer;
    }

    sys::Pipe in_;
    sys::Pipe out_;
    Flow flow_;
};

TEST_F(FlowTest, ReadsThenWrites) {
    write("hello");

    EXPECT_EQ(flow_.wanted().events, POLLIN);
    flow_.proceed();
    EXPECT_EQ(flow_.wanted().events, POLLOUT);
    EXPECT_EQ(flow_.wanted().fd, out_.write.get());
    flow_.proceed();

    EXPECT_EQ(read(), "hello");
    EXPECT_FALSE(flow_.is_writing());
}

TEST_F(FlowTest, WritesNoMoreAtOnceThanItMay) {
    write(std::string(10'000, 'x'));
    flow_.proceed();

    flow_.proceed();

    EXPECT_EQ(read().size(), Flow::kPiece);
    EXPECT_TRUE(flow_.is_writing());
}

TEST_F(FlowTest, EndsWithItsSource) {
    in_.write.reset();

    flow_.proceed();

    EXPECT_TRUE(flow_.has_ended());
    EXPECT_EQ(flow_.wanted().fd, -1);
}

TEST_F(FlowTest, ClosesItsOwnEndWhenTheReaderIsGone) {
    write("hello");
    flow_.proceed();
    out_.read.reset();

    flow_.proceed();

    EXPECT_TRUE(flow_.has_ended());
    EXPECT_EQ(sys::write(in_.write.get(), "x").error().sys_errno, EPIPE);
}

TEST_F(FlowTest, WaitsAgainWhenThereIsNoRoomAfterAll) {
    ASSERT_TRUE(sys::set_nonblocking(out_.write.get(), true));
    while (sys::write(out_.write.get(), std::string(Flow::kPiece, 'x'))) {
    }
    write("hello");
    flow_.proceed();

    flow_.proceed();

    EXPECT_TRUE(flow_.is_writing());
}

} // namespace
} // namespace mydocker::engine
