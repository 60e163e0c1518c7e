// The file of events: what is written is read, whoever turned the file over meanwhile.
#include "engine/events.hpp"

#include "support/support.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <string>

namespace mydocker::engine {
namespace {

class EventFile : public ::testing::Test {
  protected:
    void write(const EventWriter& writer, const std::string& action) {
        Event event;
        event.type = "container";
        event.action = action;
        EXPECT_TRUE(writer.write(std::move(event)));
    }
    void turn_over() const { std::filesystem::rename(paths::events(roots_), paths::events(roots_) + ".old"); }
    [[nodiscard]] std::string actions() const {
        auto reader = EventReader::open(roots_);
        EXPECT_TRUE(reader) << describe(reader.error());
        std::string all;
        EXPECT_TRUE(reader->read([&](const Event& event) -> Status {
            all += event.action + " ";
            return {};
        }));
        return all;
    }

    const test::TempDir directory_;
    const paths::Roots roots_{directory_.path(), directory_.path()};
};

TEST_F(EventFile, HasWhatAWriterOfLongAgoSays) {
    const EventWriter foreground(roots_);
    const EventWriter other(roots_);
    write(foreground, "start");
    turn_over();
    write(other, "more");
    turn_over();

    write(foreground, "die");

    EXPECT_EQ(actions(), "more die ");
}

TEST_F(EventFile, IsTurnedOverWhenItHasGrown) {
    const EventWriter writer(roots_);
    write(writer, "first");
    std::filesystem::resize_file(paths::events(roots_), (1U << 20U) + 1);

    write(writer, "second");

    EXPECT_TRUE(std::filesystem::exists(paths::events(roots_) + ".old"));
    EXPECT_LT(std::filesystem::file_size(paths::events(roots_)), 4096U);
}

} // namespace
} // namespace mydocker::engine
