// The fixture of tests of one storage driver: besides what the leak meter counts, what the driver itself may
// leave, after ordinary commands and after killed ones.
#pragma once

#include "support/faultline.hpp"
#include "support/image_fixture.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace mydocker::test {

class StorageTest : public ImageTest {
  protected:
    explicit StorageTest(std::string driver) : driver_(std::move(driver)) {}

    // What there is of the driver's own kind, as text.
    [[nodiscard]] virtual std::string inventory() const = 0;

    // At the end of set-up, once it is known that the driver works here.
    void take_inventory() { before_ = inventory(); }
    void expect_nothing_left() const {
        EXPECT_TRUE(eventually([&] { return inventory() == before_; })) << before_ << "became\n"
                                                                        << inventory();
    }
    void TearDown() override {
        ImageTest::TearDown();
        if (IsSkipped()) return;
        expect_nothing_left();
    }

    // `mydocker --storage-driver DRIVER WORDS…`
    [[nodiscard]] std::vector<std::string> on_driver(std::vector<std::string> words) const {
        words.insert(words.begin(), {"--storage-driver", driver_});
        return words;
    }

    // Kills the command line `words` at moments that are spread over its calls. After each, `rm` and a sweep,
    // as the next commands do them, leave what was there before.
    void kill_here_and_there(const std::vector<std::string>& words, const std::function<void()>& prepare) {
        constexpr std::size_t kPoints = 16;
        ignore("/names/victim"); // An entry that no record bears out goes with the next use of the name.
        prepare();
        TraceRequest request{.words = command(words), .limit = std::chrono::minutes(1)};
        const Trace counted = trace(request);
        ASSERT_EQ(counted.outcome.exit_code, 0) << counted.outcome.err;
        const std::size_t calls = counted.counts.at(Victim::command_line);
        std::size_t strikes = 0; // No run makes quite as many calls as another.
        for (std::size_t i = 0; i < kPoints; ++i) {
            (void)mydocker({"rm", "-f", "victim"}); // There is none where the kill came early or late.
            ASSERT_EQ(mydocker({"system", "prune", "-f"}).exit_code, 0);
            expect_nothing_left();
            prepare();
            request.fault = {
                .kind = Fault::Kind::kill, .victim = Victim::command_line, .at = 1 + i * calls / kPoints};
            const Trace struck = trace(request);
            EXPECT_FALSE(struck.hung) << struck.struck;
            strikes += struck.struck.empty() ? 0 : 1;
        }
        EXPECT_GE(strikes, kPoints - 2);
        (void)mydocker({"rm", "-f", "victim"});
        EXPECT_EQ(mydocker({"system", "prune", "-f"}).exit_code, 0);
    }

  private:
    std::string driver_;
    std::string before_;
};

} // namespace mydocker::test
