// What the tests of the state store "sqlite" share: a store in a directory of its own, and hands that damage
// it.
#pragma once

#include "plugins/state/sqlite/store.hpp"
#include "support/support.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <sqlite3.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::sqlite_state {

namespace fs = std::filesystem;

inline const ContainerId kOne(std::string(63, '0') + "1");
inline const ContainerId kTwo("3f2a" + std::string(60, '0'));
inline const ContainerId kThree("77b1" + std::string(60, 'f'));

class Sqlite : public testing::Test {
  protected:
    [[nodiscard]] std::unique_ptr<StateStore>
    open(std::chrono::nanoseconds patience = std::chrono::seconds(30),
         const std::string& synchronous = "normal", Host::CancelFunction cancelled = {}) const {
        const Options options({{"synchronous", synchronous}, {"lock_timeout", patience}});
        return std::move(*SqliteStore::open(Host(data(), data(), options, {}, std::move(cancelled))));
    }

    [[nodiscard]] static std::unique_ptr<StateStore> open_in(const std::string& directory) {
        const Options options({{"synchronous", std::string("normal")},
                               {"lock_timeout", std::chrono::nanoseconds(std::chrono::seconds(30))}});
        return std::move(*SqliteStore::open(Host(directory, directory, options)));
    }

    void given(const ContainerId& id, const std::string& name, std::string_view document = "{}") {
        const auto reserved = open()->reserve(id, ContainerName(name), document);
        ASSERT_TRUE(reserved) << describe(reserved.error());
    }

    // What somebody does to the file with SQLite's own tool.
    void by_hand(const std::string& sql) const {
        sqlite3* connection = nullptr;
        ASSERT_EQ(sqlite3_open(file().c_str(), &connection), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
            << sqlite3_errmsg(connection);
        sqlite3_close(connection);
    }

    [[nodiscard]] std::int64_t number_by_hand(const std::string& sql) const {
        sqlite3* connection = nullptr;
        std::int64_t number = -1;
        EXPECT_EQ(sqlite3_open(file().c_str(), &connection), SQLITE_OK);
        const auto keep = [](void* to, int, char** values, char**) {
            *static_cast<std::int64_t*>(to) = std::stoll(values[0]);
            return 0;
        };
        EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), keep, &number, nullptr), SQLITE_OK)
            << sqlite3_errmsg(connection);
        sqlite3_close(connection);
        return number;
    }

    // Makes an index forget all that is in it: its root becomes a leaf without cells. Source:
    // sqlite.org/fileformat.html#b_tree_pages
    void gut(const std::string& index) const {
        const auto root = static_cast<std::size_t>(
            number_by_hand("SELECT rootpage FROM sqlite_schema WHERE name = '" + index + "'"));
        std::string bytes = test::content_of(file());
        bytes.replace((root - 1) * kPage, 8, std::string("\x0a\0\0\0\0\x40\0\0", 8));
        test::write_text(file(), bytes);
    }

    [[nodiscard]] std::int64_t flaws() const {
        return number_by_hand("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
    }

    [[nodiscard]] std::vector<std::string> listed() const { return listed_by(*open()); }

    [[nodiscard]] static std::vector<std::string> listed_by(StateStore& store) {
        std::vector<std::string> lines;
        const auto walked = store.list([&](const ListedRecord& item) -> Status {
            lines.push_back(item.record ? item.record->name.str() : item.record.error().text);
            return {};
        });
        if (!walked) lines.push_back("walk: " + describe(walked.error()));
        return lines;
    }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator(data()))
            found.push_back(entry.path().filename());
        std::ranges::sort(found);
        return found;
    }

    [[nodiscard]] std::string data() const { return directory_ / "data"; }
    [[nodiscard]] std::string file() const { return data() + "/records.db"; }

    static constexpr std::size_t kPage = 16384;

    test::TempDir directory_;
};

} // namespace mydocker::sqlite_state
