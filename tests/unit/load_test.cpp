// Loading and importing: formats, refusals (rows E1, E2, E9 to E12), and what a kill leaves.
#include "image/load.hpp"
#include "image/manifest.hpp"
#include "mydocker/support/files.hpp"
#include "support/image_support.hpp"
#include "support/support.hpp"
#include "support/tar_writer.hpp"

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mydocker::image {
namespace {

namespace fs = std::filesystem;
using test::ArchiveOptions;
using test::TarMaker;

std::string layer(const std::string& content = "x") {
    return TarMaker().file("f", content).finish();
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

class Load : public testing::Test {
  protected:
    Result<LoadReport> load_bytes(std::string_view bytes) {
        test::write_text(directory_ / "img.tar", bytes);
        auto store = Store::open(root());
        return load(*store, directory_ / "img.tar");
    }
    [[nodiscard]] std::string root() const { return directory_ / "content"; }
    // What the store holds, ingest left out when empty.
    [[nodiscard]] std::size_t files() const {
        std::size_t count = 0;
        for (const auto& entry : fs::recursive_directory_iterator(root()))
            if (entry.is_regular_file() && entry.path().filename() != "lock") ++count;
        return count;
    }

    test::TempDir directory_;
};

TEST_F(Load, OciArchivePlainGzipAndZstd) {
    const std::string archive = test::oci_archive({.layers = {layer()}});
    for (const std::string& bytes : {archive, test::gzip(archive), test::zstd(archive)}) {
        const auto report = load_bytes(bytes);
        ASSERT_TRUE(report) << describe(report.error());
        EXPECT_EQ(report->loaded, std::vector<std::string>{"demo:latest"});
        EXPECT_TRUE(report->notes.empty());
    }
}

TEST_F(Load, DockerArchive) {
    const auto report = load_bytes(
        test::docker_archive({.reference = "demo:3", .layers = {layer("1"), test::gzip(layer("2"))}}));

    // The second layer is compressed: its digest is not its diff id, as the config of this test claims it
    // is; that is seen when it is unpacked.
    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_EQ(report->loaded, std::vector<std::string>{"demo:3"});
    const auto image = Store::open(root())->find("demo:3");
    ASSERT_TRUE(image) << describe(image.error());
    EXPECT_EQ(image->layers.at(0).media_type, media::kLayer);
    EXPECT_EQ(image->layers.at(1).media_type, media::kLayerGzip);
}

TEST_F(Load, DockerArchiveWithLinkedLayer) {
    const std::string one = layer();
    const std::string id = test::sha256_hex(one);
    const std::string config = test::config_document({.layers = {one, one}});
    TarMaker tar;
    tar.file(id + "/layer.tar", one)
        .symlink("second/layer.tar", "../" + id + "/layer.tar")
        .file("c.json", config);
    tar.file("manifest.json", R"([{"Config":"c.json","RepoTags":null,"Layers":[")" + id +
                                  R"(/layer.tar","second/layer.tar"]}])");

    const auto report = load_bytes(tar.finish());

    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_EQ(report->loaded, std::vector<std::string>{"sha256:" + test::sha256_hex(config)});
}

TEST_F(Load, LayoutDirectory) {
    test::write_text(directory_ / "img.tar", test::oci_archive({.layers = {layer()}}));
    fs::create_directory(directory_ / "layout");
    ASSERT_EQ(test::run({"tar", "-xf", directory_ / "img.tar", "-C", directory_ / "layout"}).exit_code, 0);
    auto store = Store::open(root());

    const auto report = load(*store, directory_ / "layout");

    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_TRUE(store->find("demo"));
}

TEST_F(Load, ChoosesThePlatformOfThisMachine) {
    const std::string whole = test::oci_archive({.layers = {layer()}});
    const std::string other =
        R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:)" +
        std::string(64, '0') + R"(","size":3,"platform":{"os":"linux","architecture":"pdp11"}},)";
    const auto at = whole.find("{\"schemaVersion\":2,\"manifests\":[");
    const std::string index = whole.substr(at, whole.find('\0', at) - at);
    TarMaker tar;
    tar.raw(whole.substr(0, at - 512)).file("index.json", replaced(index, "[", "[" + other));

    const auto report = load_bytes(tar.finish());

    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_EQ(report->loaded, std::vector<std::string>{"demo:latest"});
}

TEST_F(Load, DropsReservedLabelsAndSaysSo) {
    const auto report = load_bytes(test::oci_archive(
        {.layers = {layer()}, .config = R"({"Labels":{"io.mydocker.log":"file:///x","ok":"1"}})"}));

    ASSERT_TRUE(report);
    ASSERT_EQ(report->notes.size(), 1U);
    const auto image = Store::open(root())->find("demo");
    EXPECT_EQ(image->config.labels.size(), 1U);
}

// --- E1, E2 --------------------------------------------------------------------------------------

TEST_F(Load, RefusesEveryTruncationAndKeepsTheStore) {
    std::string noise(30000, '\0');
    for (char& c : noise)
        c = static_cast<char>(std::rand()); // incompressible is enough
    const std::string plain = test::oci_archive({.layers = {layer(noise)}});
    ASSERT_TRUE(load_bytes(test::oci_archive({.reference = "kept", .layers = {layer("kept")}})));
    const std::size_t before = files();
    for (const std::string& whole : {plain, test::gzip(plain), test::zstd(plain)})
        for (std::size_t size = 0; size + 1024 < whole.size(); size += 4096) {
            const auto report = load_bytes(whole.substr(0, size));
            ASSERT_FALSE(report) << size;
            EXPECT_NE(report.error().text.find("img.tar"), std::string::npos);
            EXPECT_EQ(files(), before) << size;
        }
}

struct Bad {
    const char* name;
    std::function<std::string()> archive;
    const char* says;
};

class LoadRefuses : public Load, public testing::WithParamInterface<Bad> {};

TEST_P(LoadRefuses, AndSaysWhyAndLeavesNothing) {
    const auto report = load_bytes(GetParam().archive());

    ASSERT_FALSE(report);
    EXPECT_NE(report.error().text.find(GetParam().says), std::string::npos) << describe(report.error());
    EXPECT_EQ(files(), 0U);
    EXPECT_FALSE(fs::exists("/tmp/mydocker-escape"));
}

std::string sha_of_layer() {
    return "sha256:" + test::sha256_hex(layer());
}

// An archive of hand-made documents: blobs are named rightly, what is in them may be anything.
std::string documents(const std::string& manifest, const std::string& config) {
    const auto blob = [](TarMaker& tar, const std::string& text) {
        tar.file("blobs/sha256/" + test::sha256_hex(text), text);
    };
    TarMaker tar;
    blob(tar, manifest);
    blob(tar, config);
    blob(tar, layer());
    tar.file(
        "index.json",
        R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:)" +
            test::sha256_hex(manifest) + R"(","size":)" + std::to_string(manifest.size()) + "}]}");
    return tar.finish();
}

std::string manifest_of(const std::string& config, const std::string& extra = "") {
    return R"({"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:)" +
           test::sha256_hex(config) + R"(","size":)" + std::to_string(config.size()) +
           R"(},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" +
           sha_of_layer() + R"(","size":)" + std::to_string(layer().size()) + "}]" + extra + "}";
}

std::string with_config(const std::string& config) {
    return documents(manifest_of(config), config);
}

std::string with_manifest(const std::function<std::string(const std::string&)>& change) {
    const std::string config = test::config_document({.layers = {layer()}});
    return documents(change(manifest_of(config)), config);
}

std::string docker_manifest(const std::string& manifest) {
    return TarMaker()
        .file("c.json", test::config_document({.layers = {layer()}}))
        .file("l.tar", layer())
        .symlink("escape", "/etc/passwd")
        .symlink("up", "../../../etc/passwd")
        .symlink("loop", "loop")
        .file("manifest.json", manifest)
        .finish();
}

std::string many_layers(int count) {
    std::string list;
    for (int i = 0; i < count; ++i)
        list += i == 0 ? "\"l.tar\"" : ",\"l.tar\"";
    return docker_manifest(R"([{"Config":"c.json","Layers":[)" + list + "]}]");
}

INSTANTIATE_TEST_SUITE_P(
    Table, LoadRefuses,
    testing::Values(
        Bad{"empty", [] { return std::string(); }, "is empty"},
        Bad{"zeros", [] { return std::string(10240, '\0'); }, "holds no files"},
        Bad{"html", [] { return "<!DOCTYPE html>" + std::string(5000, ' '); }, "is no tar archive"},
        Bad{"bzip2", [] { return std::string("BZh91AY&SY"); }, "bzip2"},
        Bad{"rootfs", [] { return TarMaker().file("bin/sh", "x").finish(); }, "`import`"},
        Bad{"device_in_archive",
            [] { return TarMaker().add({.path = "dev/null", .type = '3', .device_major = 1}).finish(); },
            "`import`"},
        Bad{"legacy_v1", [] { return TarMaker().file("repositories", "{}").file("abc/json", "{}").finish(); },
            "before version 1.10"},
        // E3 in the outer archive
        Bad{"entry_outside", [] { return TarMaker().file("../../../tmp/mydocker-escape", "x").finish(); },
            "leaves the image"},
        // E10
        Bad{"digest",
            [] { return replaced(test::oci_archive({.layers = {layer("good!")}}), "good!", "evil!"); },
            "has digest sha256:"},
        Bad{"blob_name",
            [] { return TarMaker().file("blobs/sha256/../../x", "").file("blobs/sha256/zz", "").finish(); },
            "no sha256 digest"},
        Bad{"size",
            [] {
                return with_manifest([](const std::string& m) {
                    return replaced(m, "\"size\":" + std::to_string(layer().size()), "\"size\":7");
                });
            },
            "bytes, not 7"},
        Bad{"diff_id",
            [] {
                return with_config(R"({"os":"linux","rootfs":{"diff_ids":["sha256:)" + std::string(64, '0') +
                                   "\"]}}");
            },
            "diff id"},
        Bad{"manifest_and_index",
            [] {
                return with_manifest([](const std::string& m) {
                    return replaced(m, "\"layers\"", "\"manifests\":[],\"layers\"");
                });
            },
            "at once"},
        Bad{"type_lies",
            [] {
                return with_manifest([](const std::string& m) {
                    return replaced(m, "{\"schema",
                                    R"({"mediaType":"application/vnd.oci.image.index.v1+json","schema)");
                });
            },
            "is used as a manifest"},
        Bad{"unknown_layer_type",
            [] {
                return with_manifest(
                    [](const std::string& m) { return replaced(m, "layer.v1.tar", "layer.v9"); });
            },
            "unknown type"},
        Bad{"artifact",
            [] {
                return with_manifest(
                    [](const std::string& m) { return replaced(m, "image.config.v1", "empty.v1"); });
            },
            "no container image"},
        Bad{"schema_1",
            [] {
                return with_manifest([](const std::string& m) {
                    return replaced(m, "\"schemaVersion\":2", "\"schemaVersion\":1");
                });
            },
            "schema 1"},
        Bad{"no_layers",
            [] {
                return with_manifest([](const std::string& m) { return m.substr(0, m.find("[{")) + "[]}"; });
            },
            "has no layers"},
        Bad{"sha512",
            [] {
                return with_manifest([](const std::string& m) {
                    return replaced(m, sha_of_layer(), "sha512:" + std::string(128, 'a'));
                });
            },
            "no digest"},
        Bad{"missing_blob",
            [] {
                return with_manifest([](const std::string& m) {
                    return replaced(m, sha_of_layer(), "sha256:" + std::string(64, 'a'));
                });
            },
            "is missing"},
        Bad{"config_no_json", [] { return with_config("hello"); }, "config sha256:"},
        Bad{"config_duplicate_keys",
            [] { return with_config(R"({"os":"linux","os":"linux","rootfs":{"diff_ids":[]}})"); },
            "config sha256:"},
        Bad{"config_deep",
            [] { return with_config("{\"a\":" + std::string(10000, '[') + std::string(10000, ']') + "}"); },
            "config sha256:"},
        Bad{"config_types",
            [] {
                return with_config(R"({"os":"linux","config":{"Env":"A=b"},"rootfs":{"diff_ids":[")" +
                                   sha_of_layer() + "\"]}}");
            },
            "'Env'"},
        Bad{"config_nul",
            [] {
                return with_config(R"({"os":"linux","config":{"Cmd":["a\u0000b"]},"rootfs":{"diff_ids":[")" +
                                   sha_of_layer() + "\"]}}");
            },
            "NUL"},
        Bad{"config_windows", [] { return with_config(R"({"os":"windows","rootfs":{"diff_ids":[]}})"); },
            "not for linux"},
        Bad{"layer_count", [] { return with_config(R"({"os":"linux","rootfs":{"diff_ids":[]}})"); },
            "lists 1 layers, the config 0"},
        Bad{"config_100_mib",
            [] {
                return with_manifest([](const std::string& m) {
                    return replaced(m, "\"size\":", "\"size\":104857600,\"y\":");
                });
            },
            "over the limit"},
        // E11
        Bad{"config_path_outside",
            [] { return docker_manifest(R"([{"Config":"../../etc/passwd","Layers":["l.tar"]}])"); },
            "leaves the image"},
        Bad{"layer_link_outside", [] { return docker_manifest(R"([{"Config":"c.json","Layers":["up"]}])"); },
            "leaves the image"},
        Bad{"layer_link_absolute",
            [] { return docker_manifest(R"([{"Config":"c.json","Layers":["escape"]}])"); },
            "is missing in the archive"},
        Bad{"layer_link_loop", [] { return docker_manifest(R"([{"Config":"c.json","Layers":["loop"]}])"); },
            "link to a link"},
        Bad{"bad_tag",
            [] { return docker_manifest(R"([{"Config":"c.json","RepoTags":["../x"],"Layers":["l.tar"]}])"); },
            "no image name"},
        Bad{"manifest_no_list", [] { return docker_manifest(R"({"Config":"c.json"})"); }, "lists no image"},
        Bad{"layers_1000", [] { return many_layers(1000); }, "1000 layers, more than 128"},
        Bad{"layers_twice", [] { return many_layers(2); }, "lists 2 layers, the config 1"}),
    [](const auto& row) { return row.param.name; });

TEST_F(Load, TwoImagesWithOneTagLastHasItAndItIsSaid) {
    const std::string one = test::config_document({.layers = {layer("1")}});
    const std::string two = test::config_document({.layers = {layer("2")}});
    TarMaker tar;
    tar.file("1.json", one)
        .file("2.json", two)
        .file("1.tar", layer("1"))
        .file("2.tar", layer("2"))
        .file("repositories", "{\"evil\":{}}");
    tar.file(
        "manifest.json",
        R"([{"Config":"1.json","RepoTags":["x:1"],"Layers":["1.tar"]},{"Config":"2.json","RepoTags":["x:1"],"Layers":["2.tar"]}])");

    const auto report = load_bytes(tar.finish());

    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_FALSE(report->notes.empty());
    const auto store = Store::open(root());
    EXPECT_EQ(store->find("x:1")->id, test::sha256_hex(two));
    EXPECT_FALSE(store->find("evil"));
}

// --- import --------------------------------------------------------------------------------------

TEST_F(Load, ImportsARootfsPlainGzipAndZstd) {
    const std::string rootfs = TarMaker().directory("./").directory("bin").file("bin/sh", "x", 0755).finish();
    auto store = Store::open(root());
    for (const std::string& bytes : {rootfs, test::gzip(rootfs), test::zstd(rootfs)}) {
        test::write_text(directory_ / "rootfs", bytes);
        const auto report = import_rootfs(
            *store, {.source = directory_ / "rootfs", .name = "mine", .config = {}, .limits = {}});
        ASSERT_TRUE(report) << describe(report.error());
        EXPECT_EQ(report->loaded, std::vector<std::string>{"mine:latest"});
        const auto image = store->find("mine");
        ASSERT_TRUE(image) << describe(image.error());
        EXPECT_EQ(image->layers.at(0).diff_id.hex(), test::sha256_hex(rootfs));
        EXPECT_EQ(image->config.architecture, host_architecture());
    }
}

TEST_F(Load, ImportRefusesWhatIsNoRootfs) {
    auto store = Store::open(root());
    const auto import_bytes = [&](std::string_view bytes) {
        test::write_text(directory_ / "rootfs", bytes);
        return import_rootfs(*store,
                             {.source = directory_ / "rootfs", .name = "mine", .config = {}, .limits = {}});
    };

    EXPECT_FALSE(import_bytes("<html>"));
    EXPECT_FALSE(import_bytes(std::string(1024, '\0')));
    EXPECT_FALSE(import_bytes(TarMaker().file("../x", "").finish()));
    EXPECT_FALSE(import_bytes(TarMaker().file("x", "").unfinished()));
    EXPECT_FALSE(import_rootfs(
        *store, {.source = directory_ / "rootfs", .name = "Bad Name", .config = {}, .limits = {}}));
    EXPECT_FALSE(
        import_rootfs(*store, {.source = directory_ / "none", .name = "x", .config = {}, .limits = {}}));
    EXPECT_EQ(files(), 0U);
}

TEST_F(Load, NeedsLittleMemory) {
    if (!test::is_memory_measurable()) GTEST_SKIP() << "measures memory, which the sanitizer uses too";
    test::write_text(directory_ / "img.tar",
                     test::oci_archive({.layers = {layer(std::string(100 << 20, 'x'))}}));

    const long kib = test::resident_kib([&] {
        auto store = Store::open(root());
        return load(*store, directory_ / "img.tar").has_value();
    });

    EXPECT_GT(kib, 0);
    EXPECT_LT(kib, 64 * 1024);
}

// --- kill -9 -------------------------------------------------------------------------------------

TEST_F(Load, KilledAnywhereTheNextOneSucceedsAndNothingUnknownIsLeft) {
    const std::string archive =
        test::oci_archive({.layers = {layer(std::string(4 << 20, 'a')), layer(std::string(4 << 20, 'b'))}});
    test::write_text(directory_ / "img.tar", archive);
    const int times = test::repeats(60);
    for (int i = 0; i < times; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            auto store = Store::open(root());
            ::_exit(load(*store, directory_ / "img.tar") ? 0 : 1);
        }
        const timespec delay{0, i * (42'000'000L / times)}; // from the first instant to past the end
        ::nanosleep(&delay, nullptr);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);

        auto store = Store::open(root());
        const auto listed = store->list();
        ASSERT_TRUE(listed) << describe(listed.error());
        for (const auto& item : *listed)
            ASSERT_TRUE(item.image) << describe(item.image.error());
        const auto report = load(*store, directory_ / "img.tar");
        ASSERT_TRUE(report) << i << ": " << describe(report.error());
        EXPECT_TRUE(fs::is_empty(root() + "/ingest"));
        ASSERT_TRUE(store->remove("demo"));
        EXPECT_TRUE(fs::is_empty(root() + "/blobs/sha256")) << i;
    }
}

} // namespace
} // namespace mydocker::image
