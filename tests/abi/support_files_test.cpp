// The SDK's helpers on files in a program that has included other headers first.
// clang-format off
#include <iomanip> // Its std::quoted is found for the argument's sake, and is the better match.
// clang-format on
#include "mydocker/support/files.hpp"

#include "support/support.hpp"

#include <filesystem>
#include <gtest/gtest.h>

namespace mydocker {
namespace {

TEST(SupportFiles, RemoveTreeIsTheSameAfterIomanip) {
    const test::TempDir directory;
    std::filesystem::create_directories(directory.path() + "/tree/below");

    const Status removed = files::remove_tree(AT_FDCWD, directory.path() + "/tree");

    EXPECT_TRUE(removed) << describe(removed.error());
    EXPECT_FALSE(std::filesystem::exists(directory.path() + "/tree"));
}

} // namespace
} // namespace mydocker
