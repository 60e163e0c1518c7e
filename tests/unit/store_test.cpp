// The content store: looking up, naming, removing, collecting; at the same time and after damage.
#include "image/builtin.hpp"
#include "image/load.hpp"
#include "image/manifest.hpp"
#include "image/store.hpp"
#include "support/image_support.hpp"
#include "support/tar_writer.hpp"

#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::image {
namespace {

namespace fs = std::filesystem;

std::string layer(const std::string& content) {
    return test::TarMaker().file("f", content).finish();
}

class StoreTest : public testing::Test {
  protected:
    [[nodiscard]] std::string root() const { return directory_ / "content"; }
    [[nodiscard]] Store open() const { return std::move(*Store::open(root())); }

    void load_demo(const std::string& reference, const std::string& content) {
        test::write_text(directory_ / "a.tar",
                         test::oci_archive({.reference = reference, .layers = {layer(content)}}));
        auto store = open();
        auto loaded = load(store, directory_ / "a.tar");
        ASSERT_TRUE(loaded) << describe(loaded.error());
    }
    [[nodiscard]] std::size_t blobs() const {
        const fs::directory_iterator all(root() + "/blobs/sha256");
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }
    [[nodiscard]] bool ingest_is_empty() const {
        return !fs::exists(root() + "/ingest") || fs::is_empty(root() + "/ingest");
    }

    test::TempDir directory_;
};

TEST_F(StoreTest, MakesItsDirectoryPrivate) {
    const auto store = open();

    EXPECT_EQ(fs::status(root()).permissions(), fs::perms::owner_all);
}

TEST_F(StoreTest, SaysThatNothingIsThere) {
    const auto found = open().find("busybox");

    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::not_found);
    EXPECT_EQ(found.error().text, "no image 'busybox'");
}

TEST_F(StoreTest, IsAnOciLayout) {
    load_demo("demo", "x");

    EXPECT_EQ(test::content_of(root() + "/oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}\n");
    const auto index = parse_index(test::content_of(root() + "/index.json"));
    ASSERT_TRUE(index) << describe(index.error());
    EXPECT_EQ(index->manifests.at(0).annotation("org.opencontainers.image.ref.name"),
              "docker.io/library/demo:latest");
}

TEST_F(StoreTest, FindsByNameIdAndDigest) {
    load_demo("demo:1", "x");
    const auto store = open();

    const auto image = store.find("demo:1");

    ASSERT_TRUE(image) << describe(image.error());
    EXPECT_EQ(image->config.cmd, std::vector<std::string>{"sh"});
    EXPECT_EQ(image->references, std::vector<std::string>{"docker.io/library/demo:1"});
    EXPECT_EQ(image->chain.at(0).str(), image->layers.at(0).diff_id.hex());
    for (const std::string& text : {std::string("docker.io/library/demo:1"), image->id, "sha256:" + image->id,
                                    image->id.substr(0, 12), "demo@" + image->manifest.str()}) {
        const auto again = store.find(text);
        ASSERT_TRUE(again) << text << ": " << describe(again.error());
        EXPECT_EQ(again->id, image->id);
    }
}

TEST_F(StoreTest, CachedAnswerIsTheSame) {
    test::write_text(
        directory_ / "a.tar",
        test::oci_archive({.layers = {layer("a"), layer("b")},
                           .config = R"({"Env":["A=b"],"Entrypoint":["e"],"Cmd":["c"],"User":"u",)"
                                     R"("WorkingDir":"/w","StopSignal":"INT","Labels":{"k":"v"},)"
                                     R"("Volumes":{"/v":{}},"ExposedPorts":{"80/tcp":{}},)"
                                     R"("Healthcheck":{"Test":["x"]}})",
                           .config_suffix = R"(,"history":[{"created_by":"me"},{"comment":"two"}])"}));
    auto store = open();
    ASSERT_TRUE(load(store, directory_ / "a.tar"));

    const auto first = store.find("demo");
    ASSERT_TRUE(fs::exists(root() + "/cache/demo"));
    const auto second = store.find("demo");

    ASSERT_TRUE(first && second);
    EXPECT_EQ(second->id, first->id);
    EXPECT_EQ(second->manifest, first->manifest);
    EXPECT_EQ(second->chain, first->chain);
    EXPECT_EQ(second->layers.at(1).digest, first->layers.at(1).digest);
    EXPECT_EQ(second->config.env, std::vector<std::string>{"A=b"});
    EXPECT_EQ(second->config.entrypoint, std::vector<std::string>{"e"});
    EXPECT_EQ(second->config.user, "u");
    EXPECT_EQ(second->config.working_dir, "/w");
    EXPECT_EQ(second->config.stop_signal, "INT");
    EXPECT_EQ(second->config.labels, first->config.labels);
    EXPECT_EQ(second->config.volumes, std::vector<std::string>{"/v"});
    EXPECT_EQ(second->config.exposed_ports, std::vector<std::string>{"80/tcp"});
    EXPECT_EQ(second->config.healthcheck, first->config.healthcheck);
    EXPECT_EQ(second->config.history.at(1).comment, "two");
}

TEST_F(StoreTest, CacheOfAnotherIndexIsNotUsed) {
    load_demo("demo", "x");
    const auto before = open().find("demo");
    const std::string cached = test::content_of(root() + "/cache/demo");
    load_demo("demo", "y");
    fs::create_directory(root() + "/cache");
    test::write_text(root() + "/cache/demo", cached);

    const auto after = open().find("demo");

    ASSERT_TRUE(before && after);
    EXPECT_NE(after->id, before->id);
}

TEST_F(StoreTest, DamagedCacheIsNotUsed) {
    load_demo("demo", "x");
    ASSERT_TRUE(open().find("demo"));
    const std::string cached = test::content_of(root() + "/cache/demo");
    for (std::size_t size = 0; size < cached.size(); size += 7) {
        test::write_text(root() + "/cache/demo", cached.substr(0, size));
        EXPECT_TRUE(open().find("demo")) << size;
    }
}

TEST_F(StoreTest, NameOfLoadedImageMovesAndOldOneStays) {
    load_demo("demo", "old");
    const std::string old = open().find("demo")->id;
    test::write_text(directory_ / "b.tar", test::oci_archive({.layers = {layer("new")}}));
    auto store = open();

    const auto loaded = load(store, directory_ / "b.tar");

    ASSERT_TRUE(loaded) << describe(loaded.error());
    ASSERT_EQ(loaded->notes.size(), 1U);
    EXPECT_NE(loaded->notes[0].find(old.substr(0, 12) + " lost the name demo:latest"), std::string::npos);
    EXPECT_NE(store.find("demo")->id, old);
    ASSERT_TRUE(store.find(old));
    EXPECT_TRUE(store.find(old)->references.empty());
    EXPECT_EQ(store.list()->size(), 2U);
}

TEST_F(StoreTest, TagsAndUntags) {
    load_demo("demo", "x");
    auto store = open();
    ASSERT_TRUE(store.tag("demo", *parse_reference("other:2")));
    EXPECT_EQ(store.find("demo")->references.size(), 2U);

    const auto by_id = store.remove(store.find("demo")->id);
    const auto one = store.remove("demo");
    const std::size_t left = blobs();
    const auto last = store.remove("other:2");

    ASSERT_FALSE(by_id);
    EXPECT_EQ(by_id.error().code, Code::busy);
    ASSERT_TRUE(one && last);
    EXPECT_EQ(one->untagged, std::vector<std::string>{"demo:latest"});
    EXPECT_TRUE(one->removed.empty());
    EXPECT_EQ(left, 3U);
    EXPECT_EQ(last->removed.size(), 1U);
    EXPECT_GT(last->freed, 0U);
    EXPECT_EQ(blobs(), 0U);
}

TEST_F(StoreTest, RemovalKeepsSharedLayers) {
    test::write_text(directory_ / "a.tar",
                     test::oci_archive({.reference = "a", .layers = {layer("base"), layer("a")}}));
    test::write_text(directory_ / "b.tar",
                     test::oci_archive({.reference = "b", .layers = {layer("base"), layer("b")}}));
    auto store = open();
    ASSERT_TRUE(load(store, directory_ / "a.tar"));
    ASSERT_TRUE(load(store, directory_ / "b.tar"));

    ASSERT_TRUE(store.remove("a"));

    EXPECT_EQ(blobs(), 4U);
    EXPECT_TRUE(store.open_blob(store.find("b")->layers.at(0).digest));
}

TEST_F(StoreTest, AmbiguousBeginningIsRefused) {
    auto store = open();
    std::string first;
    std::string shared;
    for (int i = 0; shared.empty(); ++i) { // two ids with the same first digit: at most 17 tries
        load_demo("demo:" + std::to_string(i), std::to_string(i));
        const std::string id = store.find("demo:" + std::to_string(i))->id;
        if (first.find(id[0]) != std::string::npos) shared = id.substr(0, 1);
        first += id[0];
    }

    const auto found = store.find(shared);

    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::conflict);
}

TEST_F(StoreTest, DamagedImageHurtsNoOther) {
    load_demo("bad", "1");
    load_demo("good", "2");
    const auto bad = open().find("bad");
    test::write_text(root() + "/blobs/sha256/" + bad->manifest.hex(), "{");
    load_demo("more", "3"); // the cache is gone

    auto store = open();
    const auto found = store.find("bad");
    const auto list = store.list();

    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::corrupt);
    EXPECT_TRUE(store.find("good"));
    EXPECT_EQ(std::ranges::count_if(*list, [](const auto& item) { return !item.image; }), 1);
    const auto removed = store.remove("bad");
    ASSERT_TRUE(removed) << describe(removed.error());
    EXPECT_TRUE(removed->notes.empty());
    EXPECT_TRUE(store.find("good"));
}

TEST_F(StoreTest, KeepsForeignMembersOfTheIndex) {
    load_demo("demo", "x");
    std::string index = test::content_of(root() + "/index.json");
    index.replace(index.find("\"annotations\":{"), 15,
                  "\"x-mine\":7,\"annotations\":{\"org.example\":\"kept\",");
    test::write_text(root() + "/index.json", index);
    auto store = open();

    ASSERT_TRUE(store.tag("demo", *parse_reference("two")));

    const std::string after = test::content_of(root() + "/index.json");
    EXPECT_NE(after.find("\"org.example\":\"kept\""), std::string::npos) << after;
    EXPECT_NE(after.find("\"x-mine\":7"), std::string::npos);
}

TEST_F(StoreTest, RefusesAnotherLayoutVersion) {
    auto store = open();
    test::write_text(root() + "/oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
    test::write_text(directory_ / "a.tar", test::oci_archive({.layers = {layer("x")}}));

    const auto loaded = load(store, directory_ / "a.tar");

    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, Code::unsupported);
    EXPECT_TRUE(ingest_is_empty());
}

TEST_F(StoreTest, SweepsIngestsThatCanHaveNoOwner) {
    auto store = open();
    fs::create_directories(root() + "/ingest/killed-early");
    test::write_text(root() + "/ingest/stray", "x");

    EXPECT_TRUE(store.sweep());

    EXPECT_TRUE(ingest_is_empty());
}

TEST_F(StoreTest, TakesNoFailureForTheEndOfAnIngestsOwner) {
    auto store = open();
    fs::create_directories(root() + "/ingest/held");
    ASSERT_EQ(::mknod((root() + "/ingest/held/lock").c_str(), S_IFSOCK | 0600, 0), 0); // cannot be opened

    EXPECT_FALSE(store.sweep());

    EXPECT_TRUE(fs::exists(root() + "/ingest/held"));
}

TEST_F(StoreTest, FiftyLoadsAndRemovalsAtOnceLeaveOnlyWhatIsNamed) {
    for (int i = 0; i < 10; ++i)
        test::write_text(directory_ / (std::to_string(i) + ".tar"),
                         test::oci_archive({.reference = "demo:" + std::to_string(i),
                                            .layers = {layer("shared"), layer(std::to_string(i))}}));
    std::vector<pid_t> children;
    for (int i = 0; i < 50; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            auto store = Store::open(root());
            const std::string tag = std::to_string(i % 10);
            const bool loaded = store && load(*store, directory_ / (tag + ".tar")).has_value();
            // Another may have removed it already: what counts is what is left.
            if (i % 2 == 1) (void)store->remove("demo:" + tag);
            ::_exit(loaded ? 0 : 1);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    auto store = open();
    const auto list = store.list();
    ASSERT_TRUE(list) << describe(list.error());
    for (const auto& item : *list)
        for (const auto& part : item.image->layers)
            EXPECT_TRUE(store.open_blob(part.digest)) << item.references.at(0);
    EXPECT_EQ(store.sweep().value_or(1), 0U);
    EXPECT_TRUE(ingest_is_empty());
}

TEST_F(StoreTest, BuiltinIsLoadedOnceByFiftyAtOnce) {
    fs::create_directory(directory_ / "images");
    test::write_text(directory_ / "images/demo.tar", test::oci_archive({.layers = {layer("x")}}));
    std::vector<pid_t> children;
    for (int i = 0; i < 50; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            auto store = Store::open(root());
            ::_exit(store && find_or_load_builtin(*store, "demo", directory_ / "images") ? 0 : 1);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(open().list()->size(), 1U);
    EXPECT_EQ(blobs(), 3U);
}

TEST_F(StoreTest, BuiltinNamesAreNoPaths) {
    auto store = open();
    test::write_text(directory_ / "secret.tar", test::oci_archive({.layers = {layer("x")}}));
    fs::create_directory(directory_ / "images");

    for (const char* name : {"../secret", "a/../secret", "x/secret", "host.io/demo", "demo:1"}) {
        const auto found = find_or_load_builtin(store, name, directory_ / "images");
        EXPECT_FALSE(found) << name;
    }
}

} // namespace
} // namespace mydocker::image
