// A directory tree as entries: what is none of them, and that it is said.
#include "image/tree_reader.hpp"
#include "support/support.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace mydocker::image {
namespace {

TEST(TreeReader, NamesTheSocketsThatItLeavesOut) {
    const test::TempDir directory;
    ASSERT_EQ(::mknod((directory / "listening").c_str(), S_IFSOCK | 0600, 0), 0);
    ASSERT_EQ(::mknod((directory / "pipe").c_str(), S_IFIFO | 0600, 0), 0);
    const auto root = files::open(directory.path(), O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(root);
    std::vector<std::string> read;
    std::vector<std::string> said;
    TreeReader reader(
        root->get(),
        [&](const TarEntry& entry, EntryData&) -> Status {
            read.push_back(entry.path);
            return {};
        },
        [&](std::string_view text) { said.emplace_back(text); });

    ASSERT_TRUE(reader.add_below(root->get(), "run/"));

    EXPECT_EQ(read, std::vector<std::string>{"run/pipe"});
    EXPECT_EQ(said, std::vector<std::string>{"left out: socket 'run/listening'"});
}

} // namespace
} // namespace mydocker::image
