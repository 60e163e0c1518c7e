// The contract of a state store, clause by clause, as one process sees it. What several processes, kills
// and damage do to it: state_crash_suite.cpp. Face only: no store's name or file appears here.
#include "conformance/state_fixture.hpp"

#include <numeric>

namespace mydocker::conformance {
namespace {

constexpr std::size_t kLimit = 1U << 20U;

using StateReserve = StateSuite;
using StateLoad = StateSuite;
using StateResolve = StateSuite;
using StateSave = StateSuite;
using StateRename = StateSuite;
using StateRemove = StateSuite;
using StateList = StateSuite;
using StateEmpty = StateSuite;
using StateSharing = StateSuite;

std::string every_byte() {
    std::string bytes(512, '\0');
    std::iota(bytes.begin(), bytes.end(), '\0');
    return bytes + "\n\n{\"schema\":99}\n" + std::string(3, '\0');
}

TEST_P(StateEmpty, ProbeSaysItWorksTwice) {
    EXPECT_TRUE(store().probe());
    EXPECT_TRUE(store().probe());
}

TEST_P(StateEmpty, HasNothingAndSaysSo) {
    EXPECT_EQ(code_of(store().load(test_id(1))), Code::not_found);
    EXPECT_EQ(code_of(store().resolve("web")), Code::not_found);
    EXPECT_EQ(code_of(store().save(test_id(1), "{}", kAnyRevision)), Code::not_found);
    EXPECT_EQ(code_of(store().rename(test_id(1), ContainerName("web"))), Code::not_found);
    EXPECT_TRUE(store().remove(test_id(1), kAnyRevision));
    EXPECT_TRUE(listed_names(store()).empty());
}

TEST_P(StateReserve, KeepsWhatItWasGiven) {
    const Revision revision = given(test_id(1), "web", "{\"a\":1}");

    const auto record = store().load(test_id(1));

    ASSERT_TRUE(record) << describe(record.error());
    EXPECT_EQ(record->id, test_id(1));
    EXPECT_EQ(record->name.str(), "web");
    EXPECT_EQ(record->document, "{\"a\":1}");
    EXPECT_EQ(record->revision, revision);
    EXPECT_NE(revision, kAnyRevision);
}

TEST_P(StateReserve, RefusesTakenNameNamingItsOwner) {
    given(test_id(1), "web");

    const auto again = store().reserve(test_id(2), ContainerName("web"), "{}");

    ASSERT_EQ(code_of(again), Code::exists);
    EXPECT_NE(again.error().text.find(test_id(1).str().substr(0, 12)), std::string::npos)
        << again.error().text;
    EXPECT_EQ(code_of(store().load(test_id(2))), Code::not_found);
}

TEST_P(StateReserve, RefusesTakenIdAndLeavesTheNewNameFree) {
    given(test_id(1), "web", "first");

    EXPECT_EQ(code_of(store().reserve(test_id(1), ContainerName("other"), "second")), Code::exists);

    EXPECT_EQ(loaded(store(), test_id(1)).document, "first");
    EXPECT_EQ(loaded(store(), test_id(1)).name.str(), "web");
    EXPECT_EQ(code_of(store().resolve("other")), Code::not_found);
    EXPECT_TRUE(store().reserve(test_id(2), ContainerName("other"), "{}"));
}

TEST_P(StateReserve, RefusesTheSameTwice) {
    given(test_id(1), "web");

    EXPECT_EQ(code_of(store().reserve(test_id(1), ContainerName("web"), "{}")), Code::exists);
}

TEST_P(StateReserve, RefusesNamesThatAreNone) {
    const std::vector<std::string> bad = {"",
                                          ".",
                                          "..",
                                          "../x",
                                          "a/b",
                                          "/etc/x",
                                          "-x",
                                          "_x",
                                          ".x",
                                          "a b",
                                          "a\nb",
                                          "\xc3\xa9",
                                          std::string("a\0b", 3),
                                          std::string(254, 'a')};
    for (const std::string& name : bad)
        EXPECT_EQ(code_of(store().reserve(test_id(1), ContainerName(name), "{}")), Code::invalid) << name;
    EXPECT_TRUE(listed_names(store()).empty());
}

TEST_P(StateReserve, TakesNamesOfEveryAllowedForm) {
    const std::vector<std::string> good = {"a", "0", "A.b_c-d", "a..", "web-1", std::string(253, 'z')};
    for (unsigned i = 0; i < good.size(); ++i)
        given(test_id(i), good[i]);
    EXPECT_EQ(listed_names(store()), good);
}

TEST_P(StateReserve, RefusesIdsThatAreNone) {
    const std::string id = test_id(1).str();
    const std::vector<std::string> bad = {"",
                                          "..",
                                          "../../x",
                                          id.substr(1),
                                          id + "0",
                                          "g" + id.substr(1),
                                          "A" + id.substr(1),
                                          "../" + id.substr(3)};
    for (const std::string& text : bad) {
        const ContainerId bad_id(text);
        EXPECT_EQ(code_of(store().reserve(bad_id, ContainerName("web"), "{}")), Code::invalid) << text;
        EXPECT_FALSE(store().load(bad_id)) << text;
        EXPECT_FALSE(store().save(bad_id, "{}", kAnyRevision)) << text;
    }
    EXPECT_TRUE(listed_names(store()).empty());
}

TEST_P(StateLoad, SaysNotFound) {
    given(test_id(1), "web");

    EXPECT_EQ(code_of(store().load(test_id(2))), Code::not_found);
}

TEST_P(StateLoad, GivesDocumentsBackByteForByte) {
    given(test_id(1), "bytes", every_byte());
    given(test_id(2), "empty", "");

    EXPECT_EQ(loaded(store(), test_id(1)).document, every_byte());
    EXPECT_EQ(loaded(store(), test_id(2)).document, "");
}

TEST_P(StateLoad, KeepsDocumentsUpToOneMebibyteAndNoMore) {
    const std::string most(kLimit, '\xff');
    const std::string more(kLimit + 1, '\xff');

    EXPECT_EQ(code_of(store().reserve(test_id(1), ContainerName("more"), more)), Code::invalid);
    const Revision revision = given(test_id(1), "most", most);
    EXPECT_EQ(code_of(store().save(test_id(1), more, revision)), Code::invalid);

    EXPECT_EQ(loaded(store(), test_id(1)).document, most);
    EXPECT_TRUE(store().save(test_id(1), most, revision));
}

TEST_P(StateResolve, FindsByIdNameAndPrefix) {
    given(test_id(1), "web");
    given(test_id(2), "db");

    EXPECT_EQ(store().resolve(test_id(1).str()), test_id(1));
    EXPECT_EQ(store().resolve("db"), test_id(2));
    EXPECT_EQ(store().resolve(test_id(2).str().substr(0, 12)), test_id(2));
    EXPECT_EQ(store().resolve(test_id(2).str().substr(0, 63)), test_id(2));
}

TEST_P(StateResolve, SaysWhichContainersAnAmbiguousPrefixFits) {
    const ContainerId first("3f2a" + test_id(1).str().substr(4));
    const ContainerId second("3f90" + test_id(2).str().substr(4));
    given(first, "one");
    given(second, "two");

    const auto found = store().resolve("3f");

    ASSERT_EQ(code_of(found), Code::conflict);
    EXPECT_NE(found.error().text.find("3f2a"), std::string::npos) << found.error().text;
    EXPECT_NE(found.error().text.find("3f90"), std::string::npos) << found.error().text;
    EXPECT_EQ(store().resolve("3f9"), second);
}

TEST_P(StateResolve, PrefersNameToPrefixAndIdToName) {
    const ContainerId id(std::string(64, 'a'));
    given(id, "one");
    given(test_id(2), "aaaa");
    given(test_id(3), std::string(64, 'a'));

    EXPECT_EQ(store().resolve("aaaa"), test_id(2));
    EXPECT_EQ(store().resolve(std::string(64, 'a')), id);
}

TEST_P(StateResolve, SaysNotFoundWhateverTheText) {
    given(test_id(1), "web");

    for (const std::string& text :
         {std::string(), std::string("nope"), std::string("../web"), std::string("/"), std::string("WEB"),
          test_id(2).str(), std::string(5000, 'a')})
        EXPECT_EQ(code_of(store().resolve(text)), Code::not_found) << text;
}

TEST_P(StateSave, ReplacesTheDocumentAlone) {
    const Revision before = given(test_id(1), "web", "old");

    const auto after = store().save(test_id(1), "new", before);

    ASSERT_TRUE(after) << describe(after.error());
    EXPECT_GT(*after, before);
    const StoredRecord record = loaded(store(), test_id(1));
    EXPECT_EQ(record.document, "new");
    EXPECT_EQ(record.name.str(), "web");
    EXPECT_EQ(record.revision, *after);
}

TEST_P(StateSave, RefusesStaleRevisionAndChangesNothing) {
    const Revision first = given(test_id(1), "web", "one");
    const auto second = store().save(test_id(1), "two", first);
    ASSERT_TRUE(second) << describe(second.error());

    EXPECT_EQ(code_of(store().save(test_id(1), "three", first)), Code::conflict);
    EXPECT_EQ(code_of(store().save(test_id(1), "three", *second + 1)), Code::conflict);

    EXPECT_EQ(loaded(store(), test_id(1)).document, "two");
    EXPECT_EQ(loaded(store(), test_id(1)).revision, *second);
}

TEST_P(StateSave, AnyRevisionAlwaysFits) {
    const Revision first = given(test_id(1), "web", "one");
    ASSERT_TRUE(store().save(test_id(1), "two", first));

    EXPECT_TRUE(store().save(test_id(1), "three", kAnyRevision));

    EXPECT_EQ(loaded(store(), test_id(1)).document, "three");
}

TEST_P(StateSave, SaysNotFoundAndMakesNothing) {
    given(test_id(1), "web");

    EXPECT_EQ(code_of(store().save(test_id(2), "{}", kAnyRevision)), Code::not_found);

    EXPECT_EQ(listed_names(store()), std::vector<std::string>{"web"});
}

TEST_P(StateRename, GivesTheNewNameAndFreesTheOld) {
    const Revision before = given(test_id(1), "web", "document");

    const auto after = store().rename(test_id(1), ContainerName("site"));

    ASSERT_TRUE(after) << describe(after.error());
    EXPECT_GT(*after, before);
    EXPECT_EQ(loaded(store(), test_id(1)).name.str(), "site");
    EXPECT_EQ(loaded(store(), test_id(1)).document, "document");
    EXPECT_EQ(store().resolve("site"), test_id(1));
    EXPECT_EQ(code_of(store().resolve("web")), Code::not_found);
    EXPECT_TRUE(store().reserve(test_id(2), ContainerName("web"), "{}"));
}

TEST_P(StateRename, IsAChangeToWhoeverReadBefore) {
    const Revision before = given(test_id(1), "web");
    ASSERT_TRUE(store().rename(test_id(1), ContainerName("site")));

    EXPECT_EQ(code_of(store().save(test_id(1), "{}", before)), Code::conflict);
    EXPECT_EQ(code_of(store().remove(test_id(1), before)), Code::conflict);
}

TEST_P(StateRename, RefusesTakenNameAndChangesNothing) {
    given(test_id(1), "web");
    given(test_id(2), "db");

    const auto renamed = store().rename(test_id(1), ContainerName("db"));

    ASSERT_EQ(code_of(renamed), Code::exists);
    EXPECT_NE(renamed.error().text.find(test_id(2).str().substr(0, 12)), std::string::npos);
    EXPECT_EQ(store().resolve("web"), test_id(1));
    EXPECT_EQ(store().resolve("db"), test_id(2));
}

TEST_P(StateRename, ToItsOwnNameIsNoError) {
    given(test_id(1), "web");

    EXPECT_TRUE(store().rename(test_id(1), ContainerName("web")));

    EXPECT_EQ(store().resolve("web"), test_id(1));
}

TEST_P(StateRename, RefusesUnknownIdAndBadName) {
    given(test_id(1), "web");

    EXPECT_EQ(code_of(store().rename(test_id(2), ContainerName("x"))), Code::not_found);
    EXPECT_EQ(code_of(store().rename(test_id(1), ContainerName("../x"))), Code::invalid);
    EXPECT_EQ(code_of(store().resolve("x")), Code::not_found);
}

TEST_P(StateRemove, FreesIdAndName) {
    const Revision revision = given(test_id(1), "web");

    EXPECT_TRUE(store().remove(test_id(1), revision));

    EXPECT_EQ(code_of(store().load(test_id(1))), Code::not_found);
    EXPECT_EQ(code_of(store().resolve("web")), Code::not_found);
    EXPECT_TRUE(listed_names(store()).empty());
    given(test_id(1), "web");
}

TEST_P(StateRemove, SucceedsWhenThereIsNothing) {
    given(test_id(1), "web");

    EXPECT_TRUE(store().remove(test_id(1), kAnyRevision));
    EXPECT_TRUE(store().remove(test_id(1), kAnyRevision));
    EXPECT_TRUE(store().remove(test_id(2), 7));
}

TEST_P(StateRemove, RefusesStaleRevision) {
    const Revision first = given(test_id(1), "web");
    ASSERT_TRUE(store().save(test_id(1), "two", first));

    EXPECT_EQ(code_of(store().remove(test_id(1), first)), Code::conflict);

    EXPECT_EQ(loaded(store(), test_id(1)).document, "two");
}

TEST_P(StateList, GoesInTheOrderOfReservation) {
    const std::vector<std::string> names = {"c", "a", "z", "b"};
    for (unsigned i = 0; i < names.size(); ++i)
        given(test_id(40 - i), names[i]);

    EXPECT_EQ(listed_names(store()), names);
}

TEST_P(StateList, KeepsTheOrderThroughChanges) {
    for (unsigned i = 0; i < 5; ++i)
        given(test_id(i), "n" + std::to_string(i));
    ASSERT_TRUE(store().save(test_id(1), "changed", kAnyRevision));
    ASSERT_TRUE(store().rename(test_id(2), ContainerName("m2")));
    ASSERT_TRUE(store().remove(test_id(4), kAnyRevision));
    ASSERT_TRUE(store().remove(test_id(0), kAnyRevision));
    given(test_id(0), "n0");

    EXPECT_EQ(listed_names(*open()), (std::vector<std::string>{"n1", "m2", "n3", "n0"}));
}

TEST_P(StateList, GivesWholeRecords) {
    const Revision revision = given(test_id(1), "web", every_byte());

    std::vector<StoredRecord> records;
    ASSERT_TRUE(store().list([&](const ListedRecord& listed) -> Status {
        EXPECT_EQ(listed.id, test_id(1));
        if (listed.record) records.push_back(*listed.record);
        return {};
    }));

    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].id, test_id(1));
    EXPECT_EQ(records[0].name.str(), "web");
    EXPECT_EQ(records[0].revision, revision);
    EXPECT_EQ(records[0].document, every_byte());
}

TEST_P(StateList, StopsForItsVisitorAndHandsTheErrorOn) {
    given(test_id(1), "one");
    given(test_id(2), "two");

    int visits = 0;
    const auto walked = store().list([&](const ListedRecord&) -> Status {
        ++visits;
        return fail(Code::no_space, "the visitor's own", 28);
    });

    EXPECT_EQ(visits, 1);
    ASSERT_FALSE(walked);
    EXPECT_EQ(walked.error().code, Code::no_space);
    EXPECT_EQ(walked.error().sys_errno, 28);
    EXPECT_NE(walked.error().text.find("the visitor's own"), std::string::npos);
}

// How long that takes is measured by tests/bench.
TEST_P(StateList, WalksAThousandRecords) {
    constexpr unsigned kRecords = 1000;
    const std::string document(2000, 'x');
    for (unsigned i = 0; i < kRecords; ++i)
        given(test_id(i), "n" + std::to_string(i), document);

    EXPECT_EQ(listed_names(store()).size(), kRecords);
}

TEST_P(StateSharing, ShowsEachInstanceTheChangesOfTheOther) {
    const auto other = open();
    const Revision revision = given(test_id(1), "web", "one");

    ASSERT_TRUE(other->load(test_id(1)));
    const auto saved = other->save(test_id(1), "two", revision);
    ASSERT_TRUE(saved) << describe(saved.error());

    EXPECT_EQ(code_of(store().save(test_id(1), "three", revision)), Code::conflict);
    EXPECT_EQ(loaded(store(), test_id(1)).document, "two");
    ASSERT_TRUE(other->rename(test_id(1), ContainerName("site")));
    EXPECT_EQ(store().resolve("site"), test_id(1));
    EXPECT_EQ(code_of(store().remove(test_id(1), *saved)), Code::conflict);
    ASSERT_TRUE(other->remove(test_id(1), kAnyRevision));
    EXPECT_EQ(code_of(store().save(test_id(1), "four", kAnyRevision)), Code::not_found);
}

TEST_P(StateSharing, OutlivesItsInstances) {
    given(test_id(1), "web", "one");

    const auto later = open();

    EXPECT_EQ(loaded(*later, test_id(1)).document, "one");
    EXPECT_EQ(code_of(later->reserve(test_id(2), ContainerName("web"), "{}")), Code::exists);
}

// Without a store among the drivers on the command line there is nothing to run.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateEmpty);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateReserve);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateLoad);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateResolve);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateSave);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateRename);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateRemove);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateList);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateSharing);

INSTANTIATE_TEST_SUITE_P(Store, StateEmpty, testing::ValuesIn(subjects<StateStore>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Store, StateReserve, testing::ValuesIn(subjects<StateStore>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Store, StateLoad, testing::ValuesIn(subjects<StateStore>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Store, StateResolve, testing::ValuesIn(subjects<StateStore>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Store, StateSave, testing::ValuesIn(subjects<StateStore>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Store, StateRename, testing::ValuesIn(subjects<StateStore>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Store, StateRemove, testing::ValuesIn(subjects<StateStore>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Store, StateList, testing::ValuesIn(subjects<StateStore>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Store, StateSharing, testing::ValuesIn(subjects<StateStore>()), SubjectName());

} // namespace
} // namespace mydocker::conformance
