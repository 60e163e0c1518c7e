// The contract of a storage driver, clause by clause, without mounting: layers, writable layers, walks.
// What a mounted root filesystem shows: storage_view_suite.cpp; several processes and kills:
// storage_crash_suite.cpp. Face only: no driver's name or file appears here.
#include "conformance/storage_fixture.hpp"

#include <filesystem>
#include <sys/stat.h>

namespace mydocker::conformance {
namespace {

namespace fs = std::filesystem;

using StorageProbe = StorageSuite;
using StorageIds = StorageSuite;
using StorageLayers = StorageSuite;
using StorageWritable = StorageSuite;
using StorageWalks = StorageSuite;
using StorageEmpty = StorageSuite;

const auto kNothing = [](const LayerWriter&) {};
const auto kOneFile = [](const LayerWriter& layer) { layer.file("a", "one"); };

const std::vector<std::string> kHostileIds{"",
                                           ".",
                                           "..",
                                           "../x",
                                           "a/b",
                                           "/etc",
                                           "a\nb",
                                           "a b",
                                           std::string("a\0b", 3),
                                           ".hidden",
                                           std::string(129, 'a'),
                                           "\xc3\xa4"};

// --- probe --------------------------------------------------------------------------------------------

TEST_P(StorageProbe, ChangesNothingThatLasts) {
    const auto before = tree_of(parent());

    const auto traits = open()->probe();

    EXPECT_TRUE(traits) << describe(traits.error());
    EXPECT_EQ(tree_of(parent()), before);
}

TEST_P(StorageProbe, ChangesNothingInAUsedDirectory) {
    given_rw(1, {given_layer(1, {}, kOneFile)});
    const auto before = tree_of(parent());

    EXPECT_TRUE(driver().probe());

    EXPECT_EQ(tree_of(parent()), before);
}

TEST_P(StorageProbe, SaysHowNamesAreRemoved) {
    const auto whiteouts = static_cast<std::uint32_t>(traits().whiteouts);

    EXPECT_TRUE(whiteouts >= 1 && whiteouts <= 3) << whiteouts;
}

// --- nothing there ------------------------------------------------------------------------------------

TEST_P(StorageEmpty, HasNothingAndSaysSo) {
    EXPECT_EQ(code_of(driver().seal_layer(layer_id(1))), Code::not_found);
    EXPECT_EQ(code_of(driver().mounts(rw_id(1), Access::read_write)), Code::not_found);
    EXPECT_EQ(code_of(driver().changes(rw_id(1), [](const Change&) { return Status{}; })), Code::not_found);
    EXPECT_EQ(code_of(driver().usage(rw_id(1))), Code::not_found);
    EXPECT_TRUE(listed(driver()).empty());
}

TEST_P(StorageEmpty, RemovesWhatIsNotThere) {
    EXPECT_TRUE(driver().remove_layer(layer_id(1)));
    EXPECT_TRUE(driver().remove_rw(rw_id(1)));
    EXPECT_EQ(driver().sweep().value_or(1), 0U);
}

// --- ids ----------------------------------------------------------------------------------------------

TEST_P(StorageIds, HostileOnesAreRefusedEverywhere) {
    const LayerId good = given_layer(1, {}, kOneFile);
    const auto before = tree_of(parent());
    for (const std::string& id : kHostileIds) {
        SCOPED_TRACE(testing::PrintToString(id));
        const std::vector<LayerId> bad_chain{LayerId(id)};
        EXPECT_EQ(code_of(driver().create_layer(LayerId(id), {})), Code::invalid);
        EXPECT_EQ(code_of(driver().create_layer(layer_id(2), bad_chain)), Code::invalid);
        EXPECT_EQ(code_of(driver().seal_layer(LayerId(id))), Code::invalid);
        EXPECT_EQ(code_of(driver().remove_layer(LayerId(id))), Code::invalid);
        EXPECT_EQ(code_of(driver().create_rw(RwId(id), {}, {})), Code::invalid);
        EXPECT_EQ(code_of(driver().create_rw(rw_id(2), bad_chain, {})), Code::invalid);
        EXPECT_EQ(code_of(driver().mounts(RwId(id), Access::read_only)), Code::invalid);
        EXPECT_EQ(code_of(driver().changes(RwId(id), [](const Change&) { return Status{}; })), Code::invalid);
        EXPECT_EQ(code_of(driver().usage(RwId(id))), Code::invalid);
        EXPECT_EQ(code_of(driver().remove_rw(RwId(id))), Code::invalid);
    }
    EXPECT_EQ(tree_of(parent()), before);
}

// --- layers -------------------------------------------------------------------------------------------

TEST_P(StorageLayers, StagingIsAnEmptyDirectoryOfTheDriversOwn) {
    const auto path = driver().create_layer(layer_id(1), {});

    ASSERT_TRUE(path) << describe(path.error());
    EXPECT_TRUE(path->starts_with(data_dir() + "/")) << *path;
    EXPECT_TRUE(fs::is_directory(*path));
    EXPECT_TRUE(fs::is_empty(*path));
}

TEST_P(StorageLayers, StagingHoldsACopyOfWhatIsBelowIfThatIsTheDriversWay) {
    if (traits().whiteouts != Whiteouts::applied) GTEST_SKIP() << "its layers hold differences";
    const LayerId base = given_layer(1, {}, kOneFile);

    const auto path = driver().create_layer(layer_id(2), std::vector{base});

    ASSERT_TRUE(path) << describe(path.error());
    EXPECT_EQ(read_text(*path + "/a"), "one");
}

TEST_P(StorageLayers, StagingAgainIsTheSameAndEmpty) {
    const auto first = driver().create_layer(layer_id(1), {});
    ASSERT_TRUE(first) << describe(first.error());
    write_text(*first + "/half", "unpacked");

    const auto second = driver().create_layer(layer_id(1), {});

    ASSERT_TRUE(second) << describe(second.error());
    EXPECT_EQ(*first, *second);
    EXPECT_TRUE(fs::is_empty(*second));
}

TEST_P(StorageLayers, StagingObeysNoUmask) {
    const mode_t before = ::umask(0777);
    const auto path = driver().create_layer(layer_id(1), {});
    ::umask(before);

    ASSERT_TRUE(path) << describe(path.error());
    struct stat status{};
    ASSERT_EQ(::stat(path->c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0755U);
}

TEST_P(StorageLayers, ASealedOneIsNotMadeAgain) {
    const LayerId id = given_layer(1, {}, kOneFile);

    EXPECT_EQ(code_of(driver().create_layer(id, {})), Code::exists);
}

TEST_P(StorageLayers, AMissingOneBelowIsNamed) {
    const LayerId base = given_layer(1, {}, kOneFile);

    const auto made = driver().create_layer(layer_id(3), std::vector{base, layer_id(2)});

    ASSERT_EQ(code_of(made), Code::not_found);
    EXPECT_NE(made.error().text.find(layer_id(2).str().substr(0, 12)), std::string::npos)
        << made.error().text;
    EXPECT_EQ(listed(driver()), std::multiset<std::string>{"layer " + base.str()});
}

TEST_P(StorageLayers, AStagedOneIsNoneYet) {
    ASSERT_TRUE(driver().create_layer(layer_id(1), {}));

    EXPECT_EQ(code_of(driver().create_layer(layer_id(2), std::vector{layer_id(1)})), Code::not_found);
    EXPECT_EQ(code_of(driver().create_rw(rw_id(1), std::vector{layer_id(1)}, {})), Code::not_found);
}

TEST_P(StorageLayers, SealCountsAndAgainSaysTheSame) {
    ASSERT_TRUE(driver().create_layer(layer_id(1), {}));
    const auto path = driver().create_layer(layer_id(1), {});
    write_text(*path + "/big", std::string(100'000, 'x'));
    write_text(*path + "/small", "x");

    const auto sealed = driver().seal_layer(layer_id(1));
    const auto again = driver().seal_layer(layer_id(1));
    const auto elsewhere = open()->seal_layer(layer_id(1));

    ASSERT_TRUE(sealed) << describe(sealed.error());
    ASSERT_TRUE(again) << describe(again.error());
    ASSERT_TRUE(elsewhere) << describe(elsewhere.error());
    EXPECT_GE(sealed->bytes, 100'000U);
    EXPECT_GE(sealed->inodes, 2U);
    EXPECT_EQ(sealed->bytes, again->bytes);
    EXPECT_EQ(sealed->inodes, again->inodes);
    EXPECT_EQ(sealed->bytes, elsewhere->bytes);
}

TEST_P(StorageLayers, AreThereForOtherInstances) {
    const LayerId id = given_layer(1, {}, kOneFile);

    const auto other = open();

    EXPECT_EQ(code_of(other->create_layer(id, {})), Code::exists);
    EXPECT_TRUE(other->create_rw(rw_id(1), std::vector{id}, {}));
}

TEST_P(StorageLayers, AUsedOneIsBusyAndItsUserNamed) {
    const LayerId base = given_layer(1, {}, kOneFile);
    const LayerId top = given_layer(2, {base}, kNothing);
    const RwId rw = given_rw(1, {base, top});

    const auto under_layer = driver().remove_layer(base);
    const auto under_rw = driver().remove_layer(top);

    EXPECT_EQ(code_of(under_layer), Code::busy);
    ASSERT_EQ(code_of(under_rw), Code::busy);
    EXPECT_NE(under_rw.error().text.find(rw.str().substr(0, 12)), std::string::npos) << under_rw.error().text;
}

TEST_P(StorageLayers, OneBelowStagingIsBusy) {
    const LayerId base = given_layer(1, {}, kOneFile);
    ASSERT_TRUE(driver().create_layer(layer_id(2), std::vector{base}));

    EXPECT_EQ(code_of(driver().remove_layer(base)), Code::busy);
    EXPECT_EQ(code_of(open()->remove_layer(base)), Code::busy);
}

TEST_P(StorageLayers, GoTopFirst) {
    const LayerId base = given_layer(1, {}, kOneFile);
    const LayerId top = given_layer(2, {base}, kNothing);
    const RwId rw = given_rw(1, {base, top});

    EXPECT_TRUE(driver().remove_rw(rw));
    EXPECT_TRUE(driver().remove_layer(top));
    EXPECT_TRUE(driver().remove_layer(base));

    EXPECT_TRUE(listed(driver()).empty());
    EXPECT_EQ(code_of(driver().seal_layer(top)), Code::not_found);
}

TEST_P(StorageLayers, AStagedOneIsRemoved) {
    ASSERT_TRUE(driver().create_layer(layer_id(1), {}));

    EXPECT_TRUE(driver().remove_layer(layer_id(1)));

    EXPECT_TRUE(listed(driver()).empty());
    EXPECT_EQ(code_of(driver().seal_layer(layer_id(1))), Code::not_found);
}

TEST_P(StorageLayers, CanBeMadeAnewOnceRemoved) {
    const LayerId id = given_layer(1, {}, kOneFile);
    ASSERT_TRUE(driver().remove_layer(id));

    const auto path = driver().create_layer(id, {});

    ASSERT_TRUE(path) << describe(path.error());
    EXPECT_TRUE(fs::is_empty(*path));
    EXPECT_TRUE(driver().seal_layer(id));
}

// --- writable layers ----------------------------------------------------------------------------------

TEST_P(StorageWritable, AgainSucceedsAndKeepsWhatIsInIt) {
    const LayerId base = given_layer(1, {}, kOneFile);
    const RwId id = given_rw(1, {base});
    in_view(id, [](const View& view) { write_text(view.path("kept"), "yes"); });

    EXPECT_TRUE(driver().create_rw(id, std::vector{base}, {}));
    EXPECT_TRUE(open()->create_rw(id, std::vector{base}, {}));

    EXPECT_EQ(change_lines(id), std::vector<std::string>{"+/kept"});
}

TEST_P(StorageWritable, OverAnotherChainIsThereAlready) {
    const LayerId base = given_layer(1, {}, kOneFile);
    const LayerId top = given_layer(2, {base}, kNothing);
    const RwId id = given_rw(1, {base});

    EXPECT_EQ(code_of(driver().create_rw(id, std::vector{base, top}, {})), Code::exists);
    EXPECT_EQ(code_of(driver().create_rw(id, {}, {})), Code::exists);
}

TEST_P(StorageWritable, AMissingLayerIsNamed) {
    const LayerId base = given_layer(1, {}, kOneFile);

    const auto made = driver().create_rw(rw_id(1), std::vector{base, layer_id(7)}, {});

    ASSERT_EQ(code_of(made), Code::not_found);
    EXPECT_NE(made.error().text.find(layer_id(7).str().substr(0, 12)), std::string::npos)
        << made.error().text;
    EXPECT_EQ(code_of(driver().mounts(rw_id(1), Access::read_write)), Code::not_found);
    EXPECT_EQ(listed(driver()).count("rw " + rw_id(1).str()), 0U);
}

TEST_P(StorageWritable, ALongerChainThanCanBeMountedIsRefused) {
    if (traits().max_layers == 0) GTEST_SKIP() << "it takes chains of any length";
    std::vector<LayerId> chain;
    for (unsigned i = 0; i <= traits().max_layers; ++i)
        chain.push_back(layer_id(i + 1));

    EXPECT_EQ(code_of(driver().create_rw(rw_id(1), chain, {})), Code::invalid);
}

TEST_P(StorageWritable, ALimitThatCannotBeKeptIsRefused) {
    if (traits().quota) GTEST_SKIP() << "it keeps limits";
    RwOptions options;
    options.size_limit = 1U << 20U;

    EXPECT_EQ(code_of(driver().create_rw(rw_id(1), {}, options)), Code::unsupported);
    EXPECT_TRUE(listed(driver()).empty());
}

TEST_P(StorageWritable, IsMadeOfAKindEitherWay) {
    RwOptions ephemeral;
    ephemeral.lifetime = Lifetime::ephemeral;
    const LayerId base = given_layer(1, {}, kOneFile);

    const RwId id = given_rw(1, {base}, ephemeral);
    in_view(id, [](const View& view) { write_text(view.path("b"), "two"); });
    in_view(id, [](const View& view) { write_text(view.path("c"), "again"); });

    EXPECT_EQ(change_lines(id), (std::vector<std::string>{"+/b", "+/c"}));
    EXPECT_TRUE(driver().remove_rw(id));
}

TEST_P(StorageWritable, UsageGrows) {
    const RwId id = given_rw(1, {given_layer(1, {}, kOneFile)});
    const auto before = driver().usage(id);
    in_view(id, [](const View& view) { write_text(view.path("big"), std::string(1U << 20U, 'x')); });

    const auto after = driver().usage(id);

    ASSERT_TRUE(before) << describe(before.error());
    ASSERT_TRUE(after) << describe(after.error());
    EXPECT_GE(after->bytes, before->bytes + (1U << 20U));
    EXPECT_GT(after->inodes, before->inodes);
}

TEST_P(StorageWritable, RemovedIsGoneForEveryCall) {
    const RwId id = given_rw(1, {given_layer(1, {}, kOneFile)});

    EXPECT_TRUE(driver().remove_rw(id));
    EXPECT_TRUE(driver().remove_rw(id));

    EXPECT_EQ(code_of(driver().mounts(id, Access::read_write)), Code::not_found);
    EXPECT_EQ(code_of(driver().usage(id)), Code::not_found);
    EXPECT_EQ(listed(driver()).count("rw " + id.str()), 0U);
}

TEST_P(StorageWritable, RemovalLeavesNothingBehind) {
    const LayerId base = given_layer(1, {}, kOneFile);
    ASSERT_TRUE(driver().remove_rw(given_rw(1, {base})));
    const auto before = tree_of(data_dir());
    const RwId id = given_rw(2, {base});
    in_view(id, [](const View& view) {
        fs::create_directories(view.path("x/y/z"));
        write_text(view.path("x/y/z/file"), "content");
    });

    EXPECT_TRUE(driver().remove_rw(id));

    EXPECT_EQ(tree_of(data_dir()), before);
}

// --- walks --------------------------------------------------------------------------------------------

TEST_P(StorageWalks, ListShowsEveryKind) {
    const LayerId sealed = given_layer(1, {}, kOneFile);
    ASSERT_TRUE(driver().create_layer(layer_id(2), {}));
    const RwId rw = given_rw(1, {sealed});

    const std::multiset<std::string> want{"layer " + sealed.str(), "staging " + layer_id(2).str(),
                                          "rw " + rw.str()};
    EXPECT_EQ(listed(driver()), want);
    EXPECT_EQ(listed(*open()), want);
}

TEST_P(StorageWalks, ListHandsOnTheVisitorsError) {
    given_layer(1, {}, kOneFile);
    given_layer(2, {}, kOneFile);
    int visits = 0;

    const auto walked = driver().list([&](const StorageObject&) -> Status {
        ++visits;
        return fail(Code::no_space, "of the visitor");
    });

    ASSERT_EQ(code_of(walked), Code::no_space);
    EXPECT_NE(walked.error().text.find("of the visitor"), std::string::npos);
    EXPECT_EQ(visits, 1);
}

TEST_P(StorageWalks, SweepKeepsWhatIsInUse) {
    const LayerId sealed = given_layer(1, {}, kOneFile);
    const RwId rw = given_rw(1, {sealed});
    const auto staged = driver().create_layer(layer_id(2), {});
    ASSERT_TRUE(staged);
    write_text(*staged + "/half", "unpacked");
    const auto before = tree_of(data_dir());

    EXPECT_TRUE(driver().sweep());
    EXPECT_TRUE(open()->sweep());

    EXPECT_EQ(tree_of(data_dir()), before);
    EXPECT_TRUE(driver().seal_layer(layer_id(2)));
}

TEST_P(StorageWalks, SweepFreesWhatNobodyHolds) {
    given_layer(1, {}, kOneFile);
    const auto before = tree_of(data_dir());
    auto other = open();
    const auto staged = other->create_layer(layer_id(2), {});
    ASSERT_TRUE(staged);
    write_text(*staged + "/half", std::string(100'000, 'x'));
    other.reset();

    const auto freed = driver().sweep();

    ASSERT_TRUE(freed) << describe(freed.error());
    EXPECT_GE(*freed, 100'000U);
    EXPECT_EQ(tree_of(data_dir()), before);
}

// Without a storage driver on the command line there is nothing to run.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageProbe);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageEmpty);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageIds);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageLayers);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageWritable);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageWalks);

INSTANTIATE_TEST_SUITE_P(Driver, StorageProbe, testing::ValuesIn(subjects<StorageDriver>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Driver, StorageEmpty, testing::ValuesIn(subjects<StorageDriver>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Driver, StorageIds, testing::ValuesIn(subjects<StorageDriver>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Driver, StorageLayers, testing::ValuesIn(subjects<StorageDriver>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Driver, StorageWritable, testing::ValuesIn(subjects<StorageDriver>()),
                         SubjectName());
INSTANTIATE_TEST_SUITE_P(Driver, StorageWalks, testing::ValuesIn(subjects<StorageDriver>()), SubjectName());

} // namespace
} // namespace mydocker::conformance
