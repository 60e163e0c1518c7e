// What the state store "sqlite" makes of damage: to rows, to pages, to indexes.
#include "unit/state_sqlite_fixture.hpp"

#include <array>

namespace mydocker::sqlite_state {
namespace {

TEST_F(Sqlite, ReportsARecordThatSomebodyChanged) {
    given(kOne, "before");
    given(kTwo, "web", "document");
    given(kThree, "after");
    for (const char* change : {"document = x'00'", "revision = revision + 1", "name = 'other'",
                               "name = '../x'", "revision = 0", "sum = sum + 1"}) {
        SCOPED_TRACE(change);
        by_hand("CREATE TABLE kept AS SELECT * FROM record");
        by_hand("UPDATE record SET " + std::string(change) + " WHERE id = '" + kTwo.str() + "'");

        const auto loaded = open()->load(kTwo);
        const auto lines = listed();

        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().code, Code::corrupt);
        EXPECT_TRUE(loaded.error().text.starts_with("container 3f2a00000000: record damaged ("));
        EXPECT_EQ(lines, (std::vector<std::string>{"before", loaded.error().text, "after"}));
        EXPECT_EQ(open()->save(kTwo, "new", kAnyRevision).error(), loaded.error());
        EXPECT_EQ(open()->remove(kTwo, 1).error(), loaded.error());
        by_hand("DELETE FROM record; INSERT INTO record SELECT * FROM kept; DROP TABLE kept");
    }
    by_hand("UPDATE record SET sum = sum + 1");
    EXPECT_TRUE(open()->remove(kTwo, kAnyRevision));
    EXPECT_EQ(open()->load(kTwo).error().code, Code::not_found);
}

TEST_F(Sqlite, ListsTheOthersWhereAPageIsDamaged) {
    constexpr unsigned kRecords = 6;
    for (unsigned i = 0; i < kRecords; ++i)
        given(ContainerId(std::string(64, static_cast<char>('a' + i))), "n" + std::to_string(i),
              std::string(12'000, static_cast<char>('A' + i)));
    std::string bytes = test::content_of(file());
    const std::size_t page = bytes.find(std::string(100, 'C')) / kPage;
    bytes.replace(page * kPage, kPage, kPage, '\0');
    test::write_text(file(), bytes);

    const auto lines = listed();

    ASSERT_EQ(lines.size(), kRecords);
    EXPECT_EQ(lines[1], "n1");
    EXPECT_NE(lines[2].find("which is damaged"), std::string::npos) << lines[2];
    EXPECT_EQ(lines[5], "n5");
    EXPECT_EQ(open()->load(ContainerId(std::string(64, 'e')))->document, std::string(12'000, 'E'));
}

TEST_F(Sqlite, NothingButAnIdLeavesAsOneWhereAPageIsDamaged) {
    given(kOne, "before", std::string(15'000, 'w'));
    given(kTwo, "web", std::string(15'000, 'x'));
    given(kThree, "after", std::string(15'000, 'y'));
    std::string bytes = test::content_of(file());
    const std::size_t page = bytes.find(std::string(100, 'x')) / kPage;
    bytes.replace(page * kPage, kPage, kPage, '\0');
    const std::size_t in_index = bytes.find(kTwo.str());
    ASSERT_NE(in_index, std::string::npos);
    ASSERT_EQ(bytes.find(kTwo.str(), in_index + 1), std::string::npos);
    bytes.replace(in_index, 5, "3/../");
    test::write_text(file(), bytes);

    std::vector<std::string> ids;
    std::vector<std::string> said;
    const auto walked = open()->list([&](const ListedRecord& item) -> Status {
        ids.push_back(item.id.str());
        said.push_back(item.record ? item.record->name.str() : item.record.error().text);
        return {};
    });

    EXPECT_TRUE(walked);
    EXPECT_EQ(ids, (std::vector<std::string>{kOne.str(), "", kThree.str()}));
    EXPECT_EQ(said, (std::vector<std::string>{"before", "container number 2: record damaged (its id is none)",
                                              "after"}));
}

TEST_F(Sqlite, NothingButAnIdLeavesAsOneWhereTheColumnIsDamaged) {
    given(kOne, "web");
    given(kTwo, "db");
    by_hand("UPDATE record SET id = '3f2a/../x' WHERE name = 'web'");
    const std::string said = "container number 1: record damaged (its id is none)";

    EXPECT_EQ(listed(), (std::vector<std::string>{said, "db"}));
    EXPECT_EQ(open()->resolve("web").error().text, said);
    EXPECT_EQ(open()->resolve("3f2a"), kTwo);
    EXPECT_EQ(open()->reserve(kThree, ContainerName("web"), "{}").error().text, said);
    EXPECT_EQ(open()->rename(kTwo, ContainerName("web")).error().text, said);
}

constexpr std::array<const char*, 2> kIndexes = {"record_by_id", "record_by_name"};

TEST_F(Sqlite, RemovesForGoodWhatAnIndexLost) {
    for (const char* index : kIndexes) {
        SCOPED_TRACE(index);
        fs::remove_all(data());
        given(kOne, "web");
        given(kTwo, "db");
        gut(index);

        const auto removed = open()->remove(kOne, 1);

        EXPECT_TRUE(removed) << describe(removed.error());
        EXPECT_EQ(listed(), std::vector<std::string>{"db"});
        EXPECT_EQ(flaws(), 0);
        given(kThree, "web");
    }
}

TEST_F(Sqlite, RemovesForGoodADamagedRecordThatAnIndexLost) {
    for (const char* index : kIndexes) {
        SCOPED_TRACE(index);
        fs::remove_all(data());
        given(kOne, "web");
        by_hand("UPDATE record SET sum = sum + 1");
        gut(index);

        EXPECT_TRUE(open()->remove(kOne, kAnyRevision));

        EXPECT_TRUE(listed().empty());
    }
}

TEST_F(Sqlite, ChangesWhatAnIndexLost) {
    for (const char* index : kIndexes) {
        SCOPED_TRACE(index);
        fs::remove_all(data());
        given(kOne, "web");
        given(kTwo, "db");
        gut(index);

        const auto saved = open()->save(kOne, "new", 1);
        gut(index);
        const auto renamed = open()->rename(kTwo, ContainerName("base"));

        EXPECT_EQ(saved, Revision{2});
        EXPECT_EQ(renamed, Revision{2});
        EXPECT_EQ(open()->load(kOne)->document, "new");
        EXPECT_EQ(listed(), (std::vector<std::string>{"web", "base"}));
        EXPECT_EQ(flaws(), 0);
    }
}

TEST_F(Sqlite, ANameThatTheIndexLostIsTaken) {
    given(kOne, "web");
    given(kTwo, "db");

    gut("record_by_name");
    const auto reserved = open()->reserve(kThree, ContainerName("web"), "{}");
    gut("record_by_name");
    const auto renamed = open()->rename(kTwo, ContainerName("web"));
    gut("record_by_id");
    gut("record_by_name");
    const auto both = open()->reserve(kThree, ContainerName("web"), "{}");

    ASSERT_FALSE(reserved || renamed || both);
    EXPECT_EQ(reserved.error().text, "name 'web' is used by container " + kOne.str());
    EXPECT_EQ(renamed.error(), reserved.error());
    EXPECT_EQ(both.error(), reserved.error());
}

TEST_F(Sqlite, ANameThatTheIndexLostIsNoBeginningOfAnId) {
    given(kOne, "3f");
    given(kTwo, "db");

    gut("record_by_name");

    EXPECT_EQ(open()->resolve("3f"), kOne);
    EXPECT_EQ(open()->resolve("3f2"), kTwo);
    EXPECT_EQ(open()->resolve("web").error().code, Code::not_found);
}

} // namespace
} // namespace mydocker::sqlite_state
