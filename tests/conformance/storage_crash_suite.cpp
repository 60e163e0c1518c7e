// The contract of a storage driver when several processes use it and when they are killed: at every system
// call of a creating or removing call, after which the next call works and nothing is left for ever.
#include "conformance/storage_fixture.hpp"
#include "support/support.hpp"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

namespace mydocker::conformance {
namespace {

using StorageSharing = StorageSuite;

class StorageCrash : public StorageSuite {
  protected:
    // Kills the work at every call, one run each, until it finishes; after each, `check` looks.
    void kill_everywhere(const std::function<bool()>& work, const std::function<void()>& check) {
        constexpr unsigned kMost = 4000;
        // What a sanitizer has to say, it says at any of them, and each takes it ten times as long.
        constexpr unsigned kEach = test::is_sanitized() ? 10 : 1;
        for (unsigned stop = 1; stop < kMost; stop += kEach) {
            SCOPED_TRACE("killed at stop " + std::to_string(stop));
            const Ended ended = run_until_call(work, stop);
            if (ended == Ended::cannot_trace) GTEST_SKIP() << "processes cannot be traced here";
            check();
            if (ended == Ended::finished || HasFailure()) return;
        }
        ADD_FAILURE() << "the work never finished";
    }

    static Status unpack(StorageDriver& driver, const LayerId& id, const std::vector<LayerId>& below,
                         Whiteouts whiteouts) {
        const auto path = driver.create_layer(id, below);
        if (!path) return fail(path);
        const LayerWriter layer(*path, whiteouts);
        layer.directory("dir");
        layer.file("dir/file", "whole");
        const auto sealed = driver.seal_layer(id);
        return sealed ? Status{} : Status(fail(sealed));
    }
};

// --- several processes --------------------------------------------------------------------------------

TEST_P(StorageSharing, StagingTheSameLayerWaitsForTheFirst) {
    const auto path = driver().create_layer(layer_id(1), {});
    ASSERT_TRUE(path);
    const auto other = open();
    std::atomic<bool> answered = false;
    Result<std::string> answer;
    std::thread second([&] {
        answer = other->create_layer(layer_id(1), {});
        answered = true;
    });

    // Long enough for a call that does not wait to come back.
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    EXPECT_FALSE(answered);
    write_text(*path + "/file", "first");
    EXPECT_TRUE(driver().seal_layer(layer_id(1)));
    second.join();

    EXPECT_EQ(code_of(answer), Code::exists);
}

TEST_P(StorageSharing, StagingIsTakenOverFromWhoGaveUp) {
    auto first = open();
    const auto path = first->create_layer(layer_id(1), {});
    ASSERT_TRUE(path);
    write_text(*path + "/half", "unpacked");
    Result<std::string> answer;
    std::thread second([&] { answer = driver().create_layer(layer_id(1), {}); });

    first.reset();
    second.join();

    ASSERT_TRUE(answer) << describe(answer.error());
    EXPECT_TRUE(std::filesystem::is_empty(*answer));
    EXPECT_TRUE(driver().seal_layer(layer_id(1)));
}

TEST_P(StorageSharing, StagingIsTakenOverFromWhoRemovedIt) {
    ASSERT_TRUE(driver().create_layer(layer_id(1), {}));
    const auto other = open();
    Result<std::string> answer;
    std::thread second([&] { answer = other->create_layer(layer_id(1), {}); });

    EXPECT_TRUE(driver().remove_layer(layer_id(1)));
    second.join();

    ASSERT_TRUE(answer) << describe(answer.error());
    EXPECT_TRUE(other->seal_layer(layer_id(1)));
    EXPECT_EQ(code_of(driver().create_layer(layer_id(1), {})), Code::exists);
}

TEST_P(StorageSharing, ManyProcessesMakeOneLayerOnce) {
    const Whiteouts whiteouts = traits().whiteouts;
    constexpr int kProcesses = 6;
    std::vector<pid_t> children;
    children.reserve(kProcesses);
    for (int i = 0; i < kProcesses; ++i)
        children.push_back(start_process([&] {
            const auto mine = open();
            const auto path = mine->create_layer(layer_id(1), {});
            if (!path) return path.error().code == Code::exists;
            LayerWriter(*path, whiteouts).file("file", "whole");
            return mine->seal_layer(layer_id(1)).has_value();
        }));

    for (const pid_t child : children)
        EXPECT_TRUE(finish_process(child));
    EXPECT_EQ(listed(driver()), std::multiset<std::string>{"layer " + layer_id(1).str()});
}

TEST_P(StorageSharing, ALayerIsNeverRemovedUnderItsUser) {
    constexpr int kRounds = 60;
    const LayerId base = given_layer(1, {}, [](const LayerWriter& layer) { layer.file("a", "1"); });
    const pid_t remover = start_process([&] {
        const auto mine = open();
        for (int i = 0; i < kRounds; ++i)
            if (const auto removed = mine->remove_layer(base); !removed && removed.error().code != Code::busy)
                return false;
        return true;
    });
    bool whole = true;
    for (int i = 0; i < kRounds; ++i) {
        const auto made = driver().create_rw(rw_id(1), std::vector{base}, {});
        if (!made) whole = whole && made.error().code == Code::not_found;
        // While a writable layer is there its layer is, too.
        if (made) whole = whole && code_of(driver().create_layer(base, {})) == Code::exists;
        EXPECT_TRUE(driver().remove_rw(rw_id(1)));
    }

    EXPECT_TRUE(finish_process(remover));
    EXPECT_TRUE(whole);
}

TEST_P(StorageSharing, SweepingBesideRemovalHurtsNobody) {
    const LayerId base = given_layer(1, {}, [](const LayerWriter& layer) { layer.file("a", "1"); });
    const pid_t sweeper = start_process([&] {
        const auto mine = open();
        for (int i = 0; i < 200; ++i)
            if (!mine->sweep()) return false;
        return true;
    });
    for (int i = 0; i < 20; ++i) {
        const RwId id = given_rw(1, {base});
        in_view(id, [](const View& view) {
            for (int n = 0; n < 20; ++n)
                std::filesystem::create_directories(view.path("d" + std::to_string(n) + "/e/f"));
        });
        const auto removed = driver().remove_rw(id);
        EXPECT_TRUE(removed) << describe(removed.error());
    }

    EXPECT_TRUE(finish_process(sweeper));
}

// --- kills --------------------------------------------------------------------------------------------

TEST_P(StorageCrash, UnpackingALayerCanBeKilledAnywhere) {
    const LayerId base = given_layer(1, {}, [](const LayerWriter& layer) { layer.file("a", "1"); });
    const Whiteouts whiteouts = traits().whiteouts;
    const auto before = tree_of(data_dir());

    kill_everywhere([&] { return unpack(*open(), layer_id(2), {base}, whiteouts).has_value(); },
                    [&] {
                        const auto again = unpack(driver(), layer_id(2), {base}, whiteouts);
                        EXPECT_TRUE(again || again.error().code == Code::exists) << describe(again.error());
                        const RwId id = given_rw(1, {base, layer_id(2)});
                        EXPECT_EQ(read_text(mounted(id).path("dir/file")), "whole");
                        EXPECT_TRUE(driver().remove_rw(id));
                        EXPECT_TRUE(driver().remove_layer(layer_id(2)));
                        EXPECT_TRUE(driver().sweep());
                        EXPECT_EQ(tree_of(data_dir()), before);
                    });
}

TEST_P(StorageCrash, AKilledUnpackingIsSwept) {
    const LayerId base = given_layer(1, {}, [](const LayerWriter& layer) { layer.file("a", "1"); });
    const Whiteouts whiteouts = traits().whiteouts;
    const auto before = tree_of(data_dir());

    kill_everywhere([&] { return unpack(*open(), layer_id(2), {base}, whiteouts).has_value(); },
                    [&] {
                        EXPECT_TRUE(driver().sweep());
                        EXPECT_EQ(listed(driver()).count("staging " + layer_id(2).str()), 0U);
                        EXPECT_TRUE(driver().remove_layer(layer_id(2)));
                        EXPECT_EQ(tree_of(data_dir()), before);
                    });
}

TEST_P(StorageCrash, RemovingALayerCanBeKilledAnywhere) {
    const Whiteouts whiteouts = traits().whiteouts;
    given_layer(1, {}, [](const LayerWriter& layer) { layer.file("a", "1"); });
    const auto before = tree_of(data_dir());
    ASSERT_TRUE(unpack(driver(), layer_id(2), {}, whiteouts));

    kill_everywhere([&] { return open()->remove_layer(layer_id(2)).has_value(); },
                    [&] {
                        // Either whole or none.
                        const auto known = driver().create_rw(rw_id(1), std::vector{layer_id(2)}, {});
                        EXPECT_TRUE(known || known.error().code == Code::not_found)
                            << describe(known.error());
                        if (known) {
                            EXPECT_EQ(read_text(mounted(rw_id(1)).path("dir/file")), "whole");
                        }
                        EXPECT_TRUE(driver().remove_rw(rw_id(1)));
                        EXPECT_TRUE(driver().remove_layer(layer_id(2)));
                        EXPECT_TRUE(driver().sweep());
                        EXPECT_EQ(tree_of(data_dir()), before);
                        ASSERT_TRUE(unpack(driver(), layer_id(2), {}, whiteouts));
                    });
}

TEST_P(StorageCrash, MakingAWritableLayerCanBeKilledAnywhere) {
    const LayerId base = given_layer(1, {}, [](const LayerWriter& layer) { layer.file("a", "1"); });
    const auto before = tree_of(data_dir());

    kill_everywhere([&] { return open()->create_rw(rw_id(1), std::vector{base}, {}).has_value(); },
                    [&] {
                        const RwId id = given_rw(1, {base});
                        EXPECT_EQ(read_text(mounted(id).path("a")), "1");
                        EXPECT_TRUE(driver().remove_rw(id));
                        EXPECT_TRUE(driver().sweep());
                        EXPECT_EQ(tree_of(data_dir()), before);
                    });
}

TEST_P(StorageCrash, AHalfMadeWritableLayerIsRemoved) {
    const LayerId base = given_layer(1, {}, [](const LayerWriter& layer) { layer.file("a", "1"); });
    const auto before = tree_of(data_dir());

    kill_everywhere([&] { return open()->create_rw(rw_id(1), std::vector{base}, {}).has_value(); },
                    [&] {
                        EXPECT_TRUE(driver().remove_rw(rw_id(1)));
                        EXPECT_EQ(tree_of(data_dir()), before);
                        EXPECT_EQ(code_of(driver().mounts(rw_id(1), Access::read_write)), Code::not_found);
                    });
}

TEST_P(StorageCrash, RemovingAWritableLayerCanBeKilledAnywhere) {
    const LayerId base = given_layer(1, {}, [](const LayerWriter& layer) { layer.file("a", "1"); });
    const auto before = tree_of(data_dir());
    const auto write = [&] {
        in_view(given_rw(1, {base}), [](const View& view) {
            std::filesystem::create_directories(view.path("x/y"));
            write_text(view.path("x/y/z"), "content");
        });
    };
    write();

    kill_everywhere([&] { return open()->remove_rw(rw_id(1)).has_value(); },
                    [&] {
                        EXPECT_TRUE(driver().remove_rw(rw_id(1)));
                        EXPECT_TRUE(driver().sweep());
                        EXPECT_EQ(tree_of(data_dir()), before);
                        write();
                    });
}

TEST_P(StorageCrash, SweepingCanBeKilledAnywhere) {
    given_layer(1, {}, [](const LayerWriter& layer) { layer.file("a", "1"); });
    const auto before = tree_of(data_dir());
    const auto abandon = [&] {
        const auto other = open();
        const auto path = other->create_layer(layer_id(2), {});
        ASSERT_TRUE(path);
        write_text(*path + "/half", "unpacked");
    };
    abandon();

    kill_everywhere([&] { return open()->sweep().has_value(); },
                    [&] {
                        EXPECT_TRUE(driver().sweep());
                        EXPECT_EQ(tree_of(data_dir()), before);
                        abandon();
                    });
}

// Without a storage driver on the command line there is nothing to run.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageSharing);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StorageCrash);

INSTANTIATE_TEST_SUITE_P(Driver, StorageSharing, testing::ValuesIn(subjects<StorageDriver>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Driver, StorageCrash, testing::ValuesIn(subjects<StorageDriver>()), SubjectName());

} // namespace
} // namespace mydocker::conformance
