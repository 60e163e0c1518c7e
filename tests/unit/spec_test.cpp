// config.json and rootfs.json: written as the golden file shows, read back unchanged, and read strictly.
#include "runtime/spec.hpp"

#include "base/json.hpp"
#include "mydocker/support/files.hpp"
#include "support/full_spec.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <linux/seccomp.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <sys/mount.h>
#include <vector>

namespace mydocker::runtime {
namespace {

using test::full_process;
using test::full_spec;

std::string indented(const std::string& text) {
    const auto value = json::parse(text);
    return value ? json::dump(*value, json::Style::indented) + "\n" : "damaged: " + value.error().text;
}

TEST(SpecWrite, LooksAsTheGoldenFile) {
    const std::string path = std::string(MYDOCKER_SOURCE_DIR) + "/tests/golden/config.json";
    const std::string actual = indented(to_config_json(full_spec()));
    if (std::getenv("MYDOCKER_UPDATE_GOLDEN") != nullptr) {
        ASSERT_TRUE(files::write_atomically(path, actual, 0644));
    }

    const auto wanted = files::read_file(path);

    ASSERT_TRUE(wanted) << wanted.error().text;
    EXPECT_EQ(actual, *wanted) << "MYDOCKER_UPDATE_GOLDEN=1 writes it anew";
}

TEST(SpecRoundTrip, KeepsTheBytesOfArguments) {
    const auto spec = parse_config_json(to_config_json(full_spec()));

    ASSERT_TRUE(spec) << spec.error().text;
    EXPECT_EQ(spec->process.args, full_process().args);
    EXPECT_EQ(spec->process.env, full_process().env);
    EXPECT_EQ(spec->mounts[1].source, "/srv/d\xFF");
}

TEST(SpecRoundTrip, KeepsWhatTheSpecificationHasNoPlaceFor) {
    const auto spec = parse_config_json(to_config_json(full_spec()));

    ASSERT_TRUE(spec) << spec.error().text;
    EXPECT_EQ(spec->seccomp.kind, SeccompSpec::Kind::builtin);
    EXPECT_EQ(spec->process.user.name, "web:www");
    EXPECT_FALSE(spec->process.rlimits[0].required);
    EXPECT_TRUE(spec->process.rlimits[1].required);
    EXPECT_FALSE(spec->process.rlimits[2].required);
    EXPECT_EQ(spec->annotations, full_spec().annotations);
}

TEST(SpecRoundTrip, TellsNoDeviceFilterFromAnEmptyOne) {
    ContainerSpec spec = full_spec();
    spec.resources.devices.emplace();
    ASSERT_TRUE(parse_config_json(to_config_json(spec))->resources.devices);

    spec.resources.devices.reset();
    EXPECT_FALSE(parse_config_json(to_config_json(spec))->resources.devices);
}

// A spec with parts of the full one left out, and other bytes, by chance.
class Dice {
  public:
    explicit Dice(unsigned seed) : random_(seed) {}

    bool flip() { return random_() % 2 == 0; }
    template <class T>
    void thin(std::vector<T>& list) {
        std::erase_if(list, [&](const T&) { return flip(); });
    }
    template <class T>
    void thin(std::optional<T>& value) {
        if (flip()) value.reset();
    }
    std::string bytes() {
        std::string text(1 + random_() % 10, ' ');
        for (char& byte : text)
            byte = static_cast<char>(1 + random_() % 255);
        return text;
    }
    template <class T>
    T number(T low, T high) {
        return std::uniform_int_distribution<T>(low, high)(random_);
    }

  private:
    std::mt19937_64 random_;
};

void shake(Dice& dice, ProcessSpec& process) {
    process.terminal = dice.flip();
    dice.thin(process.console_size);
    process.user = {.name = dice.flip() ? dice.bytes() : "",
                    .uid = dice.number<std::uint32_t>(0, 4294967294),
                    .gid = dice.number<std::uint32_t>(0, 4294967294),
                    .additional_gids = {},
                    .additional_groups = {},
                    .umask = std::nullopt};
    process.args = {dice.bytes(), "", dice.bytes()};
    dice.thin(process.env);
    process.cwd = "/" + dice.bytes();
    dice.thin(process.capabilities.bounding);
    dice.thin(process.rlimits);
    for (RlimitSpec& limit : process.rlimits) {
        limit.hard = dice.number<std::uint64_t>(0, ~std::uint64_t{0});
        limit.soft = dice.number<std::uint64_t>(0, limit.hard);
        limit.required = dice.flip();
    }
    process.no_new_privileges = dice.flip();
    dice.thin(process.oom_score_adj);
}

void shake(Dice& dice, Resources& resources) {
    for (auto* limit : {&resources.memory, &resources.memory_swap, &resources.memory_reservation,
                        &resources.cpu_quota_usec, &resources.pids}) {
        *limit = dice.number<std::int64_t>(-1, INT64_MAX);
        dice.thin(*limit);
    }
    resources.cpu_shares = dice.number<std::uint64_t>(0, ~std::uint64_t{0});
    dice.thin(resources.cpu_shares);
    dice.thin(resources.cpu_period_usec);
    dice.thin(resources.cpuset_cpus);
    dice.thin(resources.io_weight);
    dice.thin(resources.io_read_bps);
    dice.thin(resources.hugepages);
    if (resources.devices) dice.thin(*resources.devices);
    dice.thin(resources.devices);
}

// A filter that says everything a filter can say.
SeccompSpec given_filter() {
    SeccompFilter filter;
    filter.default_action = SECCOMP_RET_ERRNO | 38U;
    filter.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
    filter.flags = SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    filter.rules = {{{"read", "write"}, SECCOMP_RET_ALLOW, {}},
                    {{"kill"},
                     SECCOMP_RET_TRACE | 7U,
                     {{1, SeccompArgument::Comparison::masked_equal, ~std::uint64_t{0}, 9},
                      {2, SeccompArgument::Comparison::less, 3, 0}}}};
    return {SeccompSpec::Kind::given, filter};
}

TEST(SpecRoundTrip, KeepsAFilter) {
    ContainerSpec spec = full_spec();
    spec.seccomp = given_filter();

    const auto read = parse_config_json(to_config_json(spec));

    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read->seccomp.kind, SeccompSpec::Kind::given);
    EXPECT_EQ(read->seccomp.filter.default_action, spec.seccomp.filter.default_action);
    EXPECT_EQ(read->seccomp.filter.flags, spec.seccomp.filter.flags);
    EXPECT_EQ(read->seccomp.filter.architectures, spec.seccomp.filter.architectures);
    ASSERT_EQ(read->seccomp.filter.rules.size(), 2U);
    EXPECT_EQ(read->seccomp.filter.rules[1].action, SECCOMP_RET_TRACE | 7U);
    EXPECT_EQ(read->seccomp.filter.rules[1].arguments[0].value, ~std::uint64_t{0});
    EXPECT_EQ(read->seccomp.filter.rules[1].arguments[0].value_two, 9U);
    EXPECT_FALSE(read->annotations.contains("io.mydocker.seccomp"));
}

TEST(SpecRoundTrip, IsExactForAnySpec) {
    for (unsigned seed = 0; seed < static_cast<unsigned>(test::repeats(3000)); ++seed) {
        Dice dice(seed);
        ContainerSpec spec = full_spec();
        shake(dice, spec.process);
        shake(dice, spec.resources);
        spec.root_readonly = dice.flip();
        spec.hostname = dice.flip() ? "" : dice.bytes();
        dice.thin(spec.mounts);
        dice.thin(spec.namespaces);
        dice.thin(spec.uid_mappings);
        dice.thin(spec.devices);
        spec.seccomp.kind = dice.flip() ? SeccompSpec::Kind::builtin : SeccompSpec::Kind::unconfined;
        if (dice.flip()) spec.seccomp = given_filter();
        if (dice.flip()) spec.annotations = {{dice.bytes(), dice.bytes()}};
        const std::string text = to_config_json(spec);

        const auto read = parse_config_json(text);

        ASSERT_TRUE(read) << "seed " << seed << ": " << read.error().text << "\n" << text;
        ASSERT_EQ(to_config_json(*read), text) << "seed " << seed;
        ASSERT_EQ(read->process.args, spec.process.args) << "seed " << seed;
        ASSERT_EQ(read->resources.devices.has_value(), spec.resources.devices.has_value()) << "seed " << seed;
    }
}

// The least that is a configuration.
constexpr const char* kLeast =
    R"({"ociVersion":"1.0.2","process":{"args":["a"],"cwd":"/"},"root":{"path":"r"}})";

TEST(SpecRead, TakesTheLeastConfiguration) {
    const auto spec = parse_config_json(kLeast);

    ASSERT_TRUE(spec) << spec.error().text;
    EXPECT_EQ(spec->root_path, "r");
    EXPECT_TRUE(spec->namespaces.empty());
}

TEST(SpecRead, WithoutAFilterThereIsNone) {
    EXPECT_EQ(parse_config_json(kLeast)->seccomp.kind, SeccompSpec::Kind::unconfined);
}

TEST(SpecRead, IgnoresWhatItDoesNotKnow) {
    EXPECT_TRUE(parse_config_json(
        R"({"x":1,"ociVersion":"1.9.0","process":{"args":["a"],"cwd":"/","y":[]},"root":{"path":"r"},"solaris":{}})"));
}

TEST(SpecRead, TakesNullForAbsent) {
    EXPECT_TRUE(parse_config_json(
        R"({"ociVersion":"1.0.2","process":{"args":["a"],"cwd":"/","env":null},"root":{"path":"r"},"mounts":null,"linux":null})"));
}

TEST(SpecRead, MakesOldRelativeDestinationsAbsolute) {
    const auto spec = parse_config_json(
        R"({"ociVersion":"1.0.0","process":{"args":["a"],"cwd":"/"},"root":{"path":"r"},"mounts":[{"destination":"tmp"}]})");

    EXPECT_EQ(spec->mounts[0].destination, "/tmp");
}

struct Wrong {
    const char* title;
    std::string_view member; // with its value, put in place of the least one's or added
    const char* says;
};

// `{"process": {…}}`, `{"linux": {…}}` and so on, over the least configuration.
std::string with(std::string_view path, const std::string& value) {
    json::Value document = *json::parse(kLeast);
    json::Value* place = &document;
    for (;;) {
        const std::string key(path.substr(0, path.find('.')));
        path.remove_prefix(std::min(path.size(), key.size() + 1));
        json::Object& object = *place->if_object();
        auto found = std::ranges::find(object, key, [](const auto& member) { return member.first; });
        if (found == object.end()) found = object.insert(object.end(), {key, json::Object{}});
        place = &found->second;
        if (path.empty()) break;
    }
    *place = *json::parse(value);
    return json::dump(document);
}

class SpecWrong : public testing::TestWithParam<Wrong> {};

TEST_P(SpecWrong, IsRefusedByTheNameOfTheMember) {
    const std::string_view member = GetParam().member;
    const std::size_t equals = member.find('=');

    const auto spec =
        parse_config_json(with(member.substr(0, equals), std::string(member.substr(equals + 1))));

    ASSERT_FALSE(spec);
    EXPECT_EQ(spec.error().text, "config.json: " + std::string(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, SpecWrong,
    testing::Values(
        Wrong{"version", "ociVersion=\"2.0.0\"", "ociVersion: is '2.0.0'; this version knows 1.x"},
        Wrong{"no_version", "ociVersion=null", "ociVersion: is missing"},
        Wrong{"process_list", "process=[]", "process: is no object"},
        Wrong{"no_process", "process=null", "process: is missing"},
        Wrong{"no_args", "process.args=[]", "process.args: is empty"},
        Wrong{"args_number", "process.args=[\"a\",7]", "process.args[1]: is no text"},
        Wrong{"args_null", "process.args=[null]", "process.args[0]: is missing"},
        Wrong{"args_nul", "process.args=[\"a\\u0000b\"]", "process.args[0]: holds a NUL byte"},
        Wrong{"cwd", "process.cwd=\"x\"", "process.cwd: is no absolute path"},
        Wrong{"terminal", "process.terminal=1", "process.terminal: is neither true nor false"},
        Wrong{"uid_unchanged", "process.user.uid=4294967295",
              "process.user.uid: is no whole number from 0 to 4294967294"},
        Wrong{"uid_overflow", "process.user.uid=4294967296",
              "process.user.uid: is no whole number from 0 to 4294967294"},
        Wrong{"uid_negative", "process.user.uid=-1",
              "process.user.uid: is no whole number from 0 to 4294967294"},
        Wrong{"uid_text", "process.user.uid=\"0\"",
              "process.user.uid: is no whole number from 0 to 4294967294"},
        Wrong{"uid_fraction", "process.user.uid=0.0",
              "process.user.uid: is no whole number from 0 to 4294967294"},
        Wrong{"group", "process.user.additionalGids=[1,-2]",
              "process.user.additionalGids[1]: is no whole number from 0 to 4294967294"},
        Wrong{"umask", "process.user.umask=512", "process.user.umask: is no whole number from 0 to 511"},
        Wrong{"rlimit_half", "process.rlimits=[{\"type\":\"RLIMIT_AS\",\"hard\":1}]",
              "process.rlimits[0].soft: is missing"},
        Wrong{"rlimit_order", "process.rlimits=[{\"type\":\"RLIMIT_AS\",\"hard\":1,\"soft\":2}]",
              "process.rlimits[0]: has a soft limit above the hard one"},
        Wrong{
            "rlimit_twice",
            "process.rlimits=[{\"type\":\"R\",\"hard\":1,\"soft\":1},{\"type\":\"R\",\"hard\":1,\"soft\":1}]",
            "process.rlimits[1].type: 'R' is there twice"},
        Wrong{"oom", "process.oomScoreAdj=1001",
              "process.oomScoreAdj: is no whole number from -1000 to 1000"},
        Wrong{"apparmor", "process.apparmorProfile=\"x\"",
              "process.apparmorProfile: is not supported by this version"},
        Wrong{"hooks", "hooks.prestart=[{}]", "hooks: is not supported by this version"},
        Wrong{"no_root", "root=null", "root: is missing"},
        Wrong{"root_empty", "root.path=\"\"", "root.path: is empty"},
        Wrong{"mount", "mounts=[{}]", "mounts[0].destination: is missing"},
        Wrong{"mount_options", "mounts=[{\"destination\":\"/a\",\"options\":\"ro\"}]",
              "mounts[0].options: is no list"},
        Wrong{"namespace", "linux.namespaces=[{\"type\":\"foo\"}]",
              "linux.namespaces[0].type: 'foo' is no kind of namespace"},
        Wrong{"namespace_twice", "linux.namespaces=[{\"type\":\"pid\"},{\"type\":\"pid\"}]",
              "linux.namespaces[1].type: 'pid' is there twice"},
        Wrong{"namespace_path", "linux.namespaces=[{\"type\":\"pid\",\"path\":\"x\"}]",
              "linux.namespaces[0].path: is no absolute path"},
        Wrong{"mapping", "linux.uidMappings=[{\"containerID\":0,\"hostID\":0,\"size\":0}]",
              "linux.uidMappings[0].size: is no whole number from 1 to 4294967295"},
        Wrong{"device_type", "linux.devices=[{\"path\":\"/dev/x\",\"type\":\"cc\",\"major\":1,\"minor\":1}]",
              "linux.devices[0].type: 'cc' is none of c, u, b, p"},
        Wrong{"device_number", "linux.devices=[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":1}]",
              "linux.devices[0].minor: is missing"},
        Wrong{"seccomp", "linux.seccomp={\"defaultAction\":\"SCMP_ACT_NO\"}",
              "linux.seccomp.defaultAction: 'SCMP_ACT_NO' is unknown; there are: SCMP_ACT_ALLOW, "
              "SCMP_ACT_ERRNO, SCMP_ACT_KILL_THREAD, SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_TRAP, "
              "SCMP_ACT_TRACE, SCMP_ACT_LOG"},
        Wrong{"seccomp_agent", "linux.seccomp={\"defaultAction\":\"SCMP_ACT_LOG\",\"listenerPath\":\"/x\"}",
              "linux.seccomp.listenerPath: is not supported by this version"},
        Wrong{"memory", "linux.resources.memory.limit=-2",
              "linux.resources.memory.limit: is no whole number from -1 to 9223372036854775807"},
        Wrong{"memory_text", "linux.resources.memory.limit=\"100m\"",
              "linux.resources.memory.limit: is no whole number from -1 to 9223372036854775807"},
        Wrong{"weight", "linux.resources.blockIO.weight=9",
              "linux.resources.blockIO.weight: is no whole number from 10 to 1000"},
        Wrong{"rule_access", "linux.resources.devices=[{\"allow\":true,\"access\":\"rwx\"}]",
              "linux.resources.devices[0].access: is 'rwx'; it is made of r, w and m"},
        Wrong{"rule_silent", "linux.resources.devices=[{\"allow\":true}]",
              "linux.resources.devices[0].access: is missing"},
        Wrong{"unified", "linux.resources.unified={\"a\":\"b\"}",
              "linux.resources.unified: is not supported by this version"},
        Wrong{"sysctl", "linux.sysctl={\"a.b\":1}", "linux.sysctl.a.b: is no text"},
        Wrong{"annotation", "annotations={\"io.mydocker.seccomp\":\"none\"}",
              "annotations.io.mydocker.seccomp: is 'none', not builtin or unconfined"},
        Wrong{
            "best_effort", "annotations={\"io.mydocker.rlimits.best_effort\":\"RLIMIT_AS\"}",
            "annotations.io.mydocker.rlimits.best_effort: names 'RLIMIT_AS', which process.rlimits has not"}),
    [](const auto& tested) { return tested.param.title; });

TEST(SpecRead, NamesThePlaceOfDamage) {
    const auto spec = parse_config_json(R"({"ociVersion":)");

    ASSERT_FALSE(spec);
    EXPECT_EQ(spec.error().code, Code::corrupt);
    EXPECT_TRUE(spec.error().text.starts_with("config.json: JSON damaged at byte ")) << spec.error().text;
}

std::vector<Mount> full_rootfs() {
    return {{.type = "overlay",
             .source = "overlay",
             .target = "/",
             .flags = MS_NODEV | MS_NOSUID,
             .propagation = Propagation::isolated,
             .options = {"lowerdir=a:b", "upperdir=\xFF,x"},
             .directory = "/var/lib/mydocker/storage/overlayfs/l",
             .remounts = {"append=c,append=\xFF", "append=d"}},
            {.type = "bind",
             .source = "/x",
             .target = "/a..b/c",
             .flags = MS_REC,
             .propagation = Propagation::shared,
             .options = {},
             .directory = "",
             .remounts = {}}};
}

TEST(RootfsJson, ComesBackUnchanged) {
    const auto rootfs = parse_rootfs_json(to_rootfs_json(full_rootfs()));

    ASSERT_TRUE(rootfs) << rootfs.error().text;
    ASSERT_EQ(rootfs->size(), 2U);
    EXPECT_EQ(to_rootfs_json(*rootfs), to_rootfs_json(full_rootfs()));
    EXPECT_EQ(rootfs->front().options, full_rootfs().front().options);
    EXPECT_EQ(rootfs->front().remounts, full_rootfs().front().remounts);
    EXPECT_EQ(rootfs->front().flags, full_rootfs().front().flags);
    EXPECT_EQ(rootfs->back().propagation, Propagation::shared);
}

class RootfsWrong : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(RootfsWrong, IsRefusedByTheNameOfTheMember) {
    const auto rootfs = parse_rootfs_json(GetParam().first);

    ASSERT_FALSE(rootfs);
    EXPECT_EQ(rootfs.error().text, std::string("rootfs.json: ") + GetParam().second);
}

INSTANTIATE_TEST_SUITE_P(
    All, RootfsWrong,
    testing::Values(
        std::pair{R"({"schema":99,"shape":"other"})",
                  "schema: is 99, written by a newer version; this one knows 1"},
        std::pair{R"({"mounts":[]})", "schema: is missing"},
        std::pair{R"({"schema":1,"mounts":[]})", "mounts: is empty"},
        std::pair{R"({"schema":1,"mounts":[{"type":"bind","target":"/a","propagation":"inherit"}]})",
                  "mounts: does not begin with the root"},
        std::pair{R"({"schema":1,"mounts":[{"type":"bind","target":"/a/../b","propagation":"inherit"}]})",
                  "mounts[0].target: is no absolute path without '..'"},
        std::pair{R"({"schema":1,"mounts":[{"type":"bind","target":"/","propagation":"odd"}]})",
                  "mounts[0].propagation: 'odd' is no kind of propagation"}));

} // namespace
} // namespace mydocker::runtime
