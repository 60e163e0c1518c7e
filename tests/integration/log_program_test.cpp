// What a log must stand: great amounts, lines without bounds or end, bytes of every kind, many readers while
// it rotates, a monitor that is killed, damage on the disk; and ranges, against a filter of the test's own.
#include "support/engine_fixture.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <random>
#include <sstream>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

class LogProgram : public EngineTest {
  protected:
    // Runs it to its end.
    std::string ended(const std::string& script, const std::vector<std::string>& flags = {}) {
        std::vector<std::string> all{"-v", shared_.path() + ":/p"};
        all.insert(all.end(), flags.begin(), flags.end());
        std::string id = start_detached("", all, {"sh", "-c", script});
        EXPECT_EQ(mydocker({"wait", id}).out, "0\n");
        return id;
    }

    [[nodiscard]] std::string log_of(const std::string& id) {
        return root() + "/containers/" + id + "/logs/container.log";
    }

    TempDir shared_;
};

// No limit on size: what is asked for is that nothing is lost.
const std::vector<std::string> kUnlimited{"--log-opt", "max_size=0"};

TEST_F(LogProgram, EveryLineOfManyIsThereOnceAndInOrder) {
    const std::string count = std::to_string(repeats(1'000'000));
    const std::string id = ended("seq 1 " + count, kUnlimited);

    const Outcome same = test::run({"bash", "-c", line({"logs", id}) + " | cmp - <(seq 1 " + count + ")"});

    EXPECT_EQ(same.exit_code, 0) << same.out << same.err;
}

TEST_F(LogProgram, BothStreamsAtFullSpeedComeBackWholeAndApart) {
    const std::string lines = std::to_string(repeats(200'000));
    const std::string bytes = std::to_string(repeats(4 << 20));
    const std::string id = ended("seq 1 " + lines + " & yes | head -c " + bytes + " >&2; wait", kUnlimited);

    for (const char* how : {"logs", "logs -f"}) {
        const Outcome same = test::run({"bash", "-c",
                                        line({}) + how + " " + id + " 2> >(cmp - <(yes | head -c " + bytes +
                                            ") && echo errors) > >(cmp - <(seq 1 " + lines +
                                            ") && echo output); wait; sleep 0.2"});
        EXPECT_TRUE(same.out == "errors\noutput\n" || same.out == "output\nerrors\n") << same.out << same.err;
    }
}

TEST_F(LogProgram, ALineOf64MiBArrivesWhole) {
    const std::string bytes = std::to_string(repeats(64 << 20));
    const std::string id =
        ended("head -c " + bytes + " /dev/zero | tr '\\0' x; echo; echo after", kUnlimited);

    const Outcome same = test::run(
        {"bash", "-c",
         line({"logs", id}) + " | cmp - <(head -c " + bytes + " /dev/zero | tr '\\0' x; echo; echo after)"});

    EXPECT_EQ(same.exit_code, 0) << same.out << same.err;
}

TEST_F(LogProgram, BytesOfEveryKindComeBackAsTheyWere) {
    std::string all;
    for (int byte = 0; byte < 256; ++byte)
        all += static_cast<char>(byte);
    const std::string bytes = all +
                              "\n\r\n\x1b[31mred\x1b[0m\xc3\x28 \xed\xa0\x80 \xf4\x90\x80\x80 \xc3\xa4\n" +
                              std::string(70000, '\0') + "\nno end";
    write_text(shared_ / "bytes", bytes);
    const std::string id = ended("cat /p/bytes; cat /p/bytes >&2");

    const Outcome logs = mydocker({"logs", id});

    EXPECT_TRUE(logs.out == bytes) << logs.out.size() << " bytes of " << bytes.size();
    EXPECT_TRUE(logs.err == bytes) << logs.err.size() << " bytes of " << bytes.size();
}

TEST_F(LogProgram, EightReadersSeeAllWhileItRotatesEvery4KiB) {
    write_text(shared_ / "small.toml", "[log.json-file]\nmax_size = \"4KiB\"\nmax_files = 500\n");
    const std::string count = std::to_string(repeats(5000));
    const Outcome made =
        mydocker({"run", "-d", "--config", shared_ / "small.toml", "-v", shared_.path() + ":/p", "busybox",
                  "sh", "-c", "while [ ! -e /p/go ]; do sleep 0.02; done; seq 1 " + count});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    const std::string id = made.out.substr(0, 64);
    remove_at_end(id);

    const Outcome same =
        test::run({"bash", "-c",
                   "for i in 1 2 3 4 5 6 7 8; do " + line({"logs", "-f", id}) + " > " + (shared_ / "out.$i") +
                       " & done; touch " + (shared_ / "go") + "; wait; for i in 1 2 3 4 5 6 7 8; do cmp " +
                       (shared_ / "out.$i") + " <(seq 1 " + count + ") || echo reader $i; done"});

    EXPECT_EQ(same.out + same.err, "");
    const auto files = std::distance(fs::directory_iterator(fs::path(log_of(id)).parent_path()), {});
    EXPECT_GT(files, 5) << "it did not rotate";
}

// Every record that a line was promised to be in is there, in order, to the last that was written.
TEST_F(LogProgram, AKilledMonitorLosesNoneOfWhatItHadTaken) {
    const std::string script =
        "i=0; while :; do i=$((i+1)); echo $i; [ $((i % 200)) != 0 ] || sleep 0.02; done";
    const std::string id = start_detached("", kUnlimited, {"sh", "-c", script});
    ASSERT_NE(id, "");
    const auto last_line = [&] {
        const std::string tail = mydocker({"logs", "-n", "1", id}).out;
        return tail.empty() ? 0 : std::stoi(tail);
    };
    ASSERT_TRUE(eventually([&] { return last_line() > 1000; }));
    const int before = last_line();
    const pid_t monitor = parent_of(std::stoi(member(mydocker({"inspect", id}).out, "Pid")));
    ASSERT_GT(monitor, 1);

    ASSERT_EQ(::kill(monitor, SIGKILL), 0);
    ASSERT_TRUE(eventually([&] { return mydocker({"ps", "-q"}).out.empty(); }));

    std::istringstream lines(mydocker({"logs", id}).out);
    int expected = 1;
    for (std::string line; std::getline(lines, line); ++expected)
        ASSERT_EQ(line, std::to_string(expected));
    EXPECT_GT(expected, before);
}

TEST_F(LogProgram, DamageCostsOnlyTheRecordsItHits) {
    const std::string id = ended("seq 100000 119999");
    std::string bytes = content_of(log_of(id));
    std::mt19937 dice(7);
    const int hits = 1000;
    for (int i = 0; i < hits; ++i)
        bytes[dice() % bytes.size()] = static_cast<char>(dice());
    write_text(log_of(id), bytes);

    const Outcome logs = mydocker({"logs", id});

    EXPECT_EQ(logs.exit_code, 0) << logs.err;
    std::istringstream lines(logs.out);
    int right = 0;
    for (std::string line; std::getline(lines, line);)
        right += line.size() == 6 && line >= "100000" && line <= "119999" ? 1 : 0;
    EXPECT_GE(right, 20000 - 2 * hits) << "a byte that becomes a line end hits two records";
    EXPECT_NE(logs.err.find("damaged"), std::string::npos) << logs.err;
}

// Lines with their times are the ground truth; ranges are filtered from them by the test.
TEST_F(LogProgram, RangesAgreeWithAFilterOfOurOwn) {
    const std::string id =
        ended("for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; [ $((i % 3)) = 0 ] && sleep 0.05; done; true");
    std::vector<std::string> stamps;
    std::vector<std::string> words;
    std::istringstream lines(mydocker({"logs", "-t", id}).out);
    for (std::string stamp, word; lines >> stamp >> word;) {
        stamps.push_back(stamp);
        words.push_back(word);
    }
    ASSERT_EQ(words.size(), 10U);

    std::ostringstream wrong;
    for (std::size_t from = 0; from < stamps.size(); ++from)
        for (std::size_t to = from; to < stamps.size(); ++to)
            for (const std::size_t tail : {std::size_t{1}, std::size_t{3}, std::size_t{100}}) {
                std::vector<std::string> within;
                for (std::size_t i = 0; i < stamps.size(); ++i)
                    if (stamps[i] >= stamps[from] && stamps[i] <= stamps[to]) within.push_back(words[i]);
                std::string expected;
                for (std::size_t i = within.size() - std::min(tail, within.size()); i < within.size(); ++i)
                    expected += within[i] + "\n";
                const std::string shown = mydocker({"logs", "--since", stamps[from], "--until", stamps[to],
                                                    "-n", std::to_string(tail), id})
                                              .out;
                if (shown != expected)
                    wrong << stamps[from] << " to " << stamps[to] << " tail " << tail << ": " << shown;
                // It has ended, so there is nothing to follow.
                const std::string followed = mydocker({"logs", "-f", "--since", stamps[from], "--until",
                                                       stamps[to], "-n", std::to_string(tail), id})
                                                 .out;
                if (followed != expected) wrong << "-f " << stamps[from] << " to " << stamps[to] << followed;
            }
    EXPECT_EQ(wrong.str(), "");
}

} // namespace
} // namespace mydocker::test
