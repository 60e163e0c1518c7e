// What the state store "sqlite" makes of damage: to rows, to pages, to indexes.
#include "unit/state_sqlite_fixture.hpp"

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

} // namespace
} // namespace mydocker::sqlite_state
