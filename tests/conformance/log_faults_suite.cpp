// The contract of log sinks where things go wrong or happen at once: readers beside a writer that
// rotates, damaged files, full disks, places that cannot be written.
#include "conformance/log_support.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <random>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>

namespace mydocker::conformance {

namespace {

class LogSinkFaults : public LogSinkCase {
  protected:
    // The files of the log, by name.
    [[nodiscard]] std::vector<std::string> log_files() const;
};

std::vector<std::string> LogSinkFaults::log_files() const {
    std::vector<std::string> paths;
    const auto fd = files::open(info_.directory, O_RDONLY | O_DIRECTORY);
    if (!fd) return paths;
    const auto entries = files::list_directory(fd->get(), info_.directory);
    if (!entries) return paths;
    for (const auto& entry : *entries)
        if (entry.type == DT_REG) paths.push_back(info_.directory + "/" + entry.name);
    std::sort(paths.begin(), paths.end());
    return paths;
}

Kept line(std::size_t number) {
    return {.time_ns = static_cast<std::int64_t>(number),
            .source = number % 5 == 0 ? LogSource::err : LogSource::out,
            .bytes = std::to_string(number) + std::string(number * 37 % 180, 'x')};
}

std::vector<Kept> lines(std::size_t begin, std::size_t end) {
    std::vector<Kept> all;
    for (std::size_t i = begin; i < end; ++i)
        all.push_back(line(i));
    return all;
}

// What came of a log that was damaged.
struct Survivors {
    std::size_t exact = 0;   // as they were written
    std::size_t altered = 0; // anything else
    bool in_order = true;
};

Survivors compare(const std::vector<Kept>& got, const std::vector<Kept>& written) {
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < written.size(); ++i)
        places[written[i].bytes] = i;
    Survivors found;
    std::size_t last = 0;
    for (const Kept& record : got) {
        const auto place = places.find(record.bytes);
        if (place == places.end() || !(written[place->second] == record)) {
            ++found.altered;
            continue;
        }
        ++found.exact;
        found.in_order = found.in_order && (found.exact == 1 || place->second > last);
        last = place->second;
    }
    return found;
}

// Overwrites single bytes of the files at random places. Returns how many.
std::size_t overwrite_bytes(const std::vector<std::string>& paths, std::size_t wanted, std::mt19937& random) {
    std::size_t hits = 0;
    for (std::size_t i = 0; i < wanted && !paths.empty(); ++i) {
        const std::string& path = paths[random() % paths.size()];
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0 || status.st_size == 0) continue;
        const auto fd = files::open(path, O_WRONLY);
        if (!fd) continue;
        const char byte = static_cast<char>(random() % 3 == 0 ? 0 : random() % 256);
        const auto at = static_cast<off_t>(random() % static_cast<std::uint64_t>(status.st_size));
        hits += ::pwrite(fd->get(), &byte, 1, at) == 1 ? 1 : 0;
    }
    return hits;
}

void append(const std::string& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
}

// Writes line after line and says so after each, until killed.
[[noreturn]] void write_until_killed(LogSink& sink, const StreamInfo& info, int said_fd) {
    auto stream = sink.open(info);
    for (std::size_t i = 0; stream; ++i) {
        const std::vector<Kept> one = lines(i, i + 1);
        if (!sink.write(**stream, as_records(one)) || !sink.flush(**stream)) break;
        if (::write(said_fd, "x", 1) != 1) break;
    }
    ::_exit(1);
}

} // namespace

TEST_P(LogSinkFaults, FollowersSeeEveryLineOnceWhileAWriterRotates) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    constexpr std::size_t kLines = 12'000;
    constexpr std::size_t kFollowers = 4;
    std::atomic<bool> written = false;
    std::vector<std::vector<Kept>> got(kFollowers);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kFollowers; ++i)
        threads.emplace_back([&, i] {
            const auto reader = instance();
            LogCursor cursor;
            for (bool last = false; !last;) {
                last = written;
                const ReadBack back = read_from(*reader, info_, {}, cursor);
                EXPECT_FALSE(back.error) << describe(*back.error);
                EXPECT_EQ(back.damaged, 0U);
                cursor = back.next;
                got[i].insert(got[i].end(), back.records.begin(), back.records.end());
            }
        });
    const auto writer = rotating_instance();
    auto stream = writer->open(info_);
    ASSERT_TRUE(stream) << describe(stream.error());
    Status status;
    for (std::size_t i = 0; i < kLines && status; i += i % 97 + 1) {
        const std::vector<Kept> batch = lines(i, std::min(kLines, i + i % 97 + 1));
        status = writer->write(**stream, as_records(batch));
    }
    EXPECT_TRUE(status) << describe(status.error());
    EXPECT_TRUE(writer->close(std::move(*stream)));
    written = true;
    for (std::thread& thread : threads)
        thread.join();

    for (const std::vector<Kept>& seen : got) {
        ASSERT_EQ(seen.size(), kLines);
        EXPECT_TRUE(seen == lines(0, kLines));
    }
}

TEST_P(LogSinkFaults, AFollowerThatFellBehindGoesOnWithWhatIsKept) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    ASSERT_TRUE(keep(*sink_, lines(0, 100)));
    const ReadBack early = read_all();
    const auto writer = rotating_instance();
    ASSERT_TRUE(keep(*writer, lines(100, 100'000)));

    const ReadBack late = read_from(*sink_, info_, {}, early.next);

    ASSERT_FALSE(late.error);
    ASSERT_FALSE(late.records.empty());
    EXPECT_EQ(late.records.back(), line(99'999));
    const Survivors found = compare(late.records, lines(100, 100'000));
    EXPECT_EQ(found.altered, 0U);
    EXPECT_TRUE(found.in_order);
}

TEST_P(LogSinkFaults, AKilledWriterLosesNothingThatWasTaken) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    std::mt19937 random(13);
    for (int round = 0; round < 20; ++round) {
        ASSERT_TRUE(sink_->remove(info_));
        const auto writer = rotating_instance();
        std::array<int, 2> said{};
        ASSERT_EQ(::pipe2(said.data(), O_CLOEXEC), 0);
        const UniqueFd said_read(said[0]);
        UniqueFd said_write(said[1]);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) write_until_killed(*writer, info_, said_write.get());
        said_write.reset();
        std::size_t taken = 0;
        const std::size_t enough = random() % 600;
        for (char c = 0; taken < enough && ::read(said_read.get(), &c, 1) == 1;)
            ++taken;
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);

        const ReadBack back = read_all();
        ASSERT_TRUE(keep(*writer, lines(50'000, 50'005)));

        EXPECT_GE(back.records.size(), taken);
        EXPECT_EQ(back.records, lines(0, back.records.size()));
        EXPECT_LE(back.damaged, 1U);
        EXPECT_EQ(read_from(*sink_, info_, {}, back.next).records, lines(50'000, 50'005));
    }
}

TEST_P(LogSinkFaults, DamagedBytesCostOnlyTheRecordsTheyAreIn) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    std::mt19937 random(11);
    const std::vector<Kept> written = lines(0, 8'000);
    for (int round = 0; round < 8; ++round) {
        ASSERT_TRUE(sink_->remove(info_));
        const auto writer = rotating_instance();
        ASSERT_TRUE(keep(*writer, written));
        const std::size_t hits = overwrite_bytes(log_files(), 200, random);
        ASSERT_GT(hits, 0U);

        const ReadBack back = read_all();

        ASSERT_FALSE(back.error) << describe(*back.error);
        const Survivors found = compare(back.records, written);
        // A byte spoils its own record, or, being an end of line, two that then look like one.
        EXPECT_GE(found.exact + 2 * hits, written.size());
        EXPECT_LE(written.size() - found.exact, found.altered + 2 * back.damaged) << "lost and not counted";
        EXPECT_TRUE(found.in_order);

        ASSERT_TRUE(keep(*writer, lines(9'000, 9'010)));
        const ReadBack later = read_from(*sink_, info_, {}, back.next);
        EXPECT_EQ(later.records, lines(9'000, 9'010));
    }
}

TEST_P(LogSinkFaults, AHalfLineAtTheEndSpoilsNoOther) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    for (off_t cut = 1; cut < 60; cut += 3) {
        ASSERT_TRUE(sink_->remove(info_));
        ASSERT_TRUE(keep(*sink_, lines(0, 10)));
        ASSERT_EQ(log_files().size(), 1U);
        struct stat status{};
        ASSERT_EQ(::stat(log_files()[0].c_str(), &status), 0);
        ASSERT_EQ(::truncate(log_files()[0].c_str(), status.st_size - cut), 0);
        const ReadBack half = read_all();

        ASSERT_TRUE(keep(*sink_, lines(10, 12)));

        // A line that lacks its end alone may still be read.
        const ReadBack whole = read_all();
        std::vector<Kept> expected = lines(0, 10 - half.damaged);
        EXPECT_EQ(half.records, expected) << cut;
        EXPECT_LE(half.damaged, 1U) << cut;
        EXPECT_EQ(whole.damaged, half.damaged) << cut;
        expected.push_back(line(10));
        expected.push_back(line(11));
        EXPECT_EQ(whole.records, expected) << cut;
        EXPECT_EQ(read_from(*sink_, info_, {}, half.next).records, lines(10, 12)) << cut;
    }
}

TEST_P(LogSinkFaults, GarbageIsSkippedAndCounted) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    const std::vector<std::string> kinds = {
        std::string(4'096, '\0'),                // what a power loss leaves
        std::string(4'096, '\0') + "\n",         //
        "not a record of any format\n",          //
        std::string(std::size_t{20} << 20U, 'x') // no end of line for a long time
    };
    for (const std::string& garbage : kinds) {
        ASSERT_TRUE(sink_->remove(info_));
        ASSERT_TRUE(keep(*sink_, lines(0, 5)));
        ASSERT_EQ(log_files().size(), 1U);
        append(log_files()[0], garbage);

        ASSERT_TRUE(keep(*sink_, lines(5, 8)));

        const ReadBack back = read_all();
        EXPECT_EQ(back.records, lines(0, 8));
        EXPECT_EQ(back.damaged, 1U);
        EXPECT_EQ(read_all({.since_ns = {}, .until_ns = {}, .tail = 5}).records, lines(3, 8));
    }
}

TEST_P(LogSinkFaults, AFileThatSomebodyEmptiedOrDeletedEndsNothing) {
    if (!is_readable()) GTEST_SKIP() << kCannotRead;
    const auto harms = {+[](const std::string& path) { (void)::truncate(path.c_str(), 0); },
                        +[](const std::string& path) { (void)::unlink(path.c_str()); }};
    for (const auto harm : harms) {
        ASSERT_TRUE(sink_->remove(info_));
        auto stream = sink_->open(info_);
        ASSERT_TRUE(stream);
        ASSERT_TRUE(sink_->write(**stream, as_records(lines(0, 50))));
        const ReadBack early = read_all();
        for (const std::string& path : log_files())
            harm(path);

        ASSERT_TRUE(sink_->write(**stream, as_records(lines(50, 60))));

        EXPECT_EQ(read_all().records, lines(50, 60));
        EXPECT_EQ(read_from(*sink_, info_, {}, early.next).records, lines(50, 60));
        EXPECT_TRUE(sink_->close(std::move(*stream)));
    }
}

TEST_P(LogSinkFaults, AFullDiskIsSaidAndSpoilsNoRecord) {
    if (!keeps_files()) GTEST_SKIP() << kKeepsNoFiles;
    const auto why_not = on_small_filesystem(info_.directory, "size=256k", [&] {
        auto stream = sink_->open(info_);
        ASSERT_TRUE(stream) << describe(stream.error());
        std::vector<Kept> taken;
        Status status;
        std::size_t next = 0;
        // Sinks may rotate within what there is; a file beside them leaves no room for that.
        test::write_text(info_.directory + "/ballast", std::string(200'000, 'x'));
        for (; next < 100'000 && status; next += 7) {
            const std::vector<Kept> batch = lines(next, next + 7);
            status = sink_->write(**stream, as_records(batch));
            if (status) taken.insert(taken.end(), batch.begin(), batch.end());
        }
        ASSERT_FALSE(status) << "more was taken than there is room for";
        EXPECT_EQ(status.error().code, Code::no_space) << describe(status.error());
        ASSERT_EQ(::unlink((info_.directory + "/ballast").c_str()), 0);

        EXPECT_TRUE(sink_->write(**stream, as_records(lines(200'000, 200'010))));
        EXPECT_TRUE(sink_->close(std::move(*stream)));

        if (!is_readable()) return;
        const ReadBack back = read_all();
        EXPECT_EQ(back.damaged, 0U);
        const std::vector<Kept> last(back.records.end() - 10, back.records.end());
        EXPECT_EQ(last, lines(200'000, 200'010));
        ASSERT_GE(back.records.size(), taken.size() + 10);
        EXPECT_TRUE(std::equal(taken.begin(), taken.end(), back.records.begin())) << "taken, then lost";
    });
    if (why_not) GTEST_SKIP() << *why_not;
}

TEST_P(LogSinkFaults, AFullDiskIsFoundAtOpen) {
    if (!keeps_files()) GTEST_SKIP() << kKeepsNoFiles;
    const auto why_not = on_small_filesystem(info_.directory, "size=64k", [&] {
        test::write_text(info_.directory + "/ballast", std::string(100'000, 'x'));

        const auto stream = sink_->open(info_);

        ASSERT_FALSE(stream) << "opened on a disk without room";
        EXPECT_EQ(stream.error().code, Code::no_space) << describe(stream.error());
    });
    if (why_not) GTEST_SKIP() << *why_not;
}

TEST_P(LogSinkFaults, AReadOnlyPlaceIsFoundAtOpen) {
    if (!keeps_files()) GTEST_SKIP() << kKeepsNoFiles;
    const auto why_not = on_small_filesystem(info_.directory, "size=64k,ro", [&] {
        const auto stream = sink_->open(info_);

        ASSERT_FALSE(stream) << "opened on a read-only filesystem";
        EXPECT_EQ(stream.error().code, Code::denied) << describe(stream.error());
        EXPECT_NE(stream.error().text.find(info_.directory), std::string::npos) << stream.error().text;
    });
    if (why_not) GTEST_SKIP() << *why_not;
}

TEST_P(LogSinkFaults, AMissingDirectoryIsFoundAtOpen) {
    if (!keeps_files()) GTEST_SKIP() << kKeepsNoFiles;
    info_.directory += "/missing";

    const auto stream = sink_->open(info_);

    ASSERT_FALSE(stream);
    EXPECT_NE(stream.error().text.find(info_.directory), std::string::npos) << stream.error().text;
    EXPECT_NE(::access(info_.directory.c_str(), F_OK), 0) << "made where nobody asked for it";
}

TEST_P(LogSinkFaults, LeavesNoDescriptorToPrograms) {
    auto stream = sink_->open(info_);
    ASSERT_TRUE(stream);
    ASSERT_TRUE(sink_->write(**stream, as_records(lines(0, 3))));

    const test::Outcome outcome = test::run({"ls", "-l", "/proc/self/fd"});

    EXPECT_EQ(outcome.out.find(info_.directory), std::string::npos) << outcome.out;
    EXPECT_TRUE(sink_->close(std::move(*stream)));
}

TEST_P(LogSinkFaults, FollowsNoLink) {
    ASSERT_TRUE(keep(*sink_, lines(0, 3)));
    const std::vector<std::string> paths = log_files();
    const std::string victim = root_ / "victim";
    ASSERT_TRUE(files::write_atomically(victim, "precious"));
    for (const std::string& path : paths) {
        ASSERT_EQ(::unlink(path.c_str()), 0);
        ASSERT_EQ(::symlink(victim.c_str(), path.c_str()), 0);
    }

    (void)keep(*sink_, lines(0, 3)); // May be refused or begin anew.

    const auto content = files::read_file(victim);
    ASSERT_TRUE(content);
    EXPECT_EQ(*content, "precious");
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LogSinkFaults);
INSTANTIATE_TEST_SUITE_P(Log, LogSinkFaults, ::testing::ValuesIn(subjects<LogSink>()), SubjectName());

} // namespace mydocker::conformance
