// What tar_writer writes comes out of tar_reader, and of GNU tar, as it went in.
#include "image/tar_reader.hpp"
#include "image/tar_writer.hpp"
#include "support/image_support.hpp"

#include <gtest/gtest.h>
#include <limits>

namespace mydocker::image {
namespace {

class TextSource final : public ByteSource {
  public:
    explicit TextSource(std::string text) : text_(std::move(text)) {}
    Result<std::string_view> next() override {
        return std::exchange(given_, true) ? std::string_view() : text_;
    }

  private:
    std::string text_;
    bool given_ = false;
};

// The archive of one entry; `data`: what is stored of a file.
std::string archive_of(const TarEntry& entry, std::string_view data = {}) {
    std::string bytes;
    TarWriter writer([&](std::string_view more) -> Status {
        bytes += more;
        return {};
    });
    const auto begun = writer.begin(entry);
    EXPECT_TRUE(begun) << describe(begun.error());
    EXPECT_TRUE(data.empty() || writer.data(data));
    EXPECT_TRUE(writer.finish());
    EXPECT_EQ(bytes.size() % 512, 0U);
    return bytes;
}

void expect_same_attributes(const TarEntry& read, const TarEntry& written) {
    EXPECT_EQ(read.mode, written.mode);
    EXPECT_EQ(read.uid, written.uid);
    EXPECT_EQ(read.gid, written.gid);
    EXPECT_EQ(read.mtime.tv_sec, written.mtime.tv_sec);
    EXPECT_EQ(read.mtime.tv_nsec, written.mtime.tv_nsec);
    EXPECT_EQ(read.device_major, written.device_major);
    EXPECT_EQ(read.device_minor, written.device_minor);
    EXPECT_EQ(read.xattrs, written.xattrs);
}

void expect_same(const TarEntry& read, const TarEntry& written) {
    EXPECT_EQ(read.type, written.type);
    EXPECT_EQ(read.path, written.path);
    EXPECT_EQ(read.link, written.link);
    EXPECT_EQ(read.size, written.size);
    EXPECT_EQ(read.extents, written.extents);
    expect_same_attributes(read, written);
}

void expect_round_trip(const TarEntry& entry) {
    TextSource source(archive_of(entry));
    TarReader reader(source, Trailer::required);
    const auto read = reader.next();
    ASSERT_TRUE(read) << describe(read.error());
    ASSERT_NE(*read, nullptr);
    expect_same(**read, entry);
}

TarEntry entry_of(EntryType type, std::string path) {
    TarEntry entry;
    entry.type = type;
    entry.path = std::move(path);
    entry.mode = 0644;
    entry.mtime = {1'000'000'000, 0};
    return entry;
}

TEST(TarWriterNames, AreBytesOfAnyLength) {
    const std::string names[] = {"plain",
                                 "with\nnewline",
                                 "\xff\xfe not utf-8",
                                 "=",
                                 "a b",
                                 std::string(100, 'x'),
                                 std::string(101, 'x'),
                                 "d/" + std::string(255, 'y'),
                                 std::string(2000, '/') + "\x80\n=1"};
    for (const std::string& name : names) {
        expect_round_trip(entry_of(EntryType::file, name));
        TarEntry link = entry_of(EntryType::symlink, "l");
        link.link = name;
        expect_round_trip(link);
        link.type = EntryType::hard_link;
        expect_round_trip(link);
    }
}

TEST(TarWriterNames, WithANulAreRefused) {
    TarWriter writer([](std::string_view) -> Status { return {}; });

    EXPECT_FALSE(writer.begin(entry_of(EntryType::file, std::string("a\0b", 3))));
    EXPECT_FALSE(writer.begin(entry_of(EntryType::file, "")));
}

TEST(TarWriterTimes, AreExact) {
    const timespec times[] = {{0, 0},
                              {0, 1},
                              {1'700'000'000, 123'456'789},
                              {1'700'000'000, 500'000'000},
                              {-1, 0},
                              {-1, 500'000'000},
                              {-2, 999'999'999},
                              {-86'400, 1},
                              {077777777777, 0},
                              {077777777777 + 1, 0},
                              {std::int64_t{1} << 40, 7}};
    for (const timespec& time : times) {
        TarEntry entry = entry_of(EntryType::file, "f");
        entry.mtime = time;
        expect_round_trip(entry);
    }
}

TEST(TarWriterOwners, GoUpToTheLast) {
    for (const std::uint32_t id : {0U, 07777777U, 010000000U, 4'294'967'294U}) {
        TarEntry entry = entry_of(EntryType::directory, "d/");
        entry.uid = id;
        entry.gid = id;
        expect_round_trip(entry);
    }
}

TEST(TarWriterTypes, AllComeBack) {
    for (const auto type :
         {EntryType::directory, EntryType::fifo, EntryType::char_device, EntryType::block_device}) {
        TarEntry entry = entry_of(type, type == EntryType::directory ? "x/" : "x");
        entry.mode = 07777;
        if (type == EntryType::char_device || type == EntryType::block_device) {
            entry.device_major = 4095;
            entry.device_minor = 1'048'575;
        }
        expect_round_trip(entry);
    }
}

TEST(TarWriterXattrs, KeepTheirBytes) {
    TarEntry entry = entry_of(EntryType::file, "f");
    entry.xattrs = {{"security.capability", std::string("\x01\0\0\x02\n=\xff", 7)},
                    {"user.empty", ""},
                    {"user.long", std::string(60'000, '\0')}};
    expect_round_trip(entry);
}

TEST(TarWriterXattrs, OfMoreThanAReaderTakesAreRefused) {
    TarEntry entry = entry_of(EntryType::file, "f");
    for (int i = 0; i < 20; ++i)
        entry.xattrs.emplace_back("user." + std::to_string(i), std::string(60'000, 'x'));
    TarWriter writer([](std::string_view) -> Status { return {}; });

    EXPECT_FALSE(writer.begin(entry));
}

// Only what stands in front of the data is looked at.
TEST(TarWriterSizes, GoBeyondEightGibibytes) {
    for (const std::uint64_t size :
         {std::uint64_t{077777777777}, std::uint64_t{1} << 33, std::uint64_t{1} << 50}) {
        TarEntry entry = entry_of(EntryType::file, "big");
        entry.size = size;
        std::string bytes;
        TarWriter writer([&](std::string_view more) -> Status {
            bytes += more;
            return {};
        });
        ASSERT_TRUE(writer.begin(entry));
        ASSERT_TRUE(writer.data(std::string(1 << 20, 'x'))); // Pushes the header out.
        TextSource source(bytes);
        TarReader reader(source, Trailer::required);
        const auto read = reader.next();
        ASSERT_TRUE(read) << describe(read.error());
        EXPECT_EQ((*read)->size, size);
    }
}

TEST(TarWriterHoles, AreNoData) {
    TarEntry entry = entry_of(EntryType::file, "dir/sparse");
    entry.size = std::uint64_t{1} << 40;
    entry.extents = std::vector<Extent>{{4096, 5}, {1'000'000, 3}};
    const std::string archive = archive_of(entry, "helloend");
    EXPECT_LT(archive.size(), 10'000U);

    TextSource source(archive);
    TarReader reader(source, Trailer::required);
    const auto read = reader.next();
    ASSERT_TRUE(read) << describe(read.error());
    expect_same(**read, entry);
    const auto first = reader.data();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->offset, 4096U);
    EXPECT_EQ(first->bytes, "hello");
}

// In the block, for readers that know nothing of holes.
TEST(TarWriterHoles, StandUnderAnotherNameHoweverShortTheFilesIs) {
    const std::pair<std::string, std::string> names[] = {
        {"s", "GNUSparseFile.0/s"},
        {"d/fifteen-letters", "GNUSparseFile.0/fifteen-letters"},
        {"a name of more letters", "GNUSparseFile.0/a name of more letters"}};
    for (const auto& [name, other] : names) {
        TarEntry entry = entry_of(EntryType::file, name);
        entry.size = 1 << 20;
        entry.extents.emplace();
        EXPECT_NE(archive_of(entry).find(other + '\0'), std::string::npos) << name;
    }
}

TEST(TarWriterHoles, AFileMayBeNothingElse) {
    TarEntry entry = entry_of(EntryType::file, "hole");
    entry.size = 1 << 20;
    entry.extents.emplace();
    expect_round_trip(entry);
}

TEST(TarWriterArchives, AreReadByGnuTar) {
    const test::TempDir directory;
    TarEntry entry = entry_of(EntryType::file, std::string(150, 'n') + "\n");
    entry.size = 3'000'000;
    entry.extents = std::vector<Extent>{{2'000'000, 5}};
    entry.mtime = {1'234'567'890, 500'000'000};
    test::write_text(directory / "a.tar", archive_of(entry, "hello"));

    const auto listed = test::run({"tar", "--full-time", "--utc", "-tvf", directory / "a.tar"});
    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    EXPECT_NE(listed.out.find("3000000 2009-02-13 23:31:30.5 " + std::string(150, 'n') + "\\n"),
              std::string::npos)
        << listed.out;
    EXPECT_EQ(test::run({"sh", "-c", "tar -xOf '" + (directory / "a.tar") + "' | tr -d '\\0'"}).out, "hello");
}

} // namespace
} // namespace mydocker::image
