// What flags make of a container's spec.
#include "engine/security.hpp"
#include "engine/spec_builder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace mydocker::engine {
namespace {

using Words = std::vector<std::string>;

runtime::ContainerSpec built(const CreateRequest& request, std::vector<runtime::SpecMount> mounts = {}) {
    image::ImageConfig image;
    image.cmd = {"true"};
    const SpecInput input{.image = image,
                          .request = request,
                          .id = std::string(64, 'a'),
                          .bundle = "/b",
                          .network_path = {},
                          .pid_path = {},
                          .ipc_path = {},
                          .uts_path = {},
                          .shared_name = {},
                          .swap_limit = false,
                          .all_capabilities = {"CAP_CHOWN", "CAP_SYS_ADMIN"},
                          .mounts = std::move(mounts),
                          .host_devices = {}};
    auto spec = build_spec(input);
    EXPECT_TRUE(spec) << describe(spec.error());
    return std::move(*spec);
}

TEST(GrantedCapabilities, FollowDockersRules) {
    const Words all{"CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"};
    Words without_kill = default_capabilities();
    std::erase(without_kill, "CAP_KILL");
    Words with_admin = without_kill;
    with_admin.emplace_back("CAP_SYS_ADMIN");

    EXPECT_EQ(granted_capabilities({}, {}, all), default_capabilities());
    EXPECT_EQ(granted_capabilities({}, {"CAP_KILL"}, all), without_kill);
    EXPECT_EQ(granted_capabilities({"CAP_SYS_ADMIN"}, {"CAP_KILL"}, all), with_admin);
    EXPECT_EQ(granted_capabilities({"ALL"}, {}, all), all);
    EXPECT_EQ(granted_capabilities({"ALL"}, {"CAP_KILL"}, all), (Words{"CAP_CHOWN", "CAP_SYS_ADMIN"}));
    EXPECT_EQ(granted_capabilities({}, {"ALL"}, all), Words{});
    EXPECT_EQ(granted_capabilities({"CAP_KILL"}, {"ALL"}, all), Words{"CAP_KILL"});
}

TEST(SpecBuilder, PutsTheUsersLimitInPlaceOfTheDefaultOne) {
    CreateRequest request;
    request.ulimits = {{"RLIMIT_NOFILE", 10, 20}};

    const auto limits = built(request).process.rlimits;

    EXPECT_EQ(std::ranges::count(limits, "RLIMIT_NOFILE", &runtime::RlimitSpec::type), 1);
    EXPECT_EQ(limits.back().hard, 20U);
    EXPECT_TRUE(limits.back().required);
}

TEST(SpecBuilder, GivesUpPrivilegeUnlessToldOtherwise) {
    CreateRequest request;
    EXPECT_TRUE(built(request).process.no_new_privileges);
    EXPECT_EQ(built(request).seccomp.kind, runtime::SeccompSpec::Kind::builtin);

    request.no_new_privileges = false;
    request.filter = FilterChoice{.kind = FilterChoice::Kind::unconfined, .file = {}, .text = {}};

    EXPECT_FALSE(built(request).process.no_new_privileges);
    EXPECT_EQ(built(request).seccomp.kind, runtime::SeccompSpec::Kind::unconfined);
}

TEST(SpecBuilder, SizesTheSharedMemory) {
    CreateRequest request;
    request.shm_size = 1U << 20U;

    const auto mounts = built(request).mounts;
    const auto shm = std::ranges::find(mounts, "/dev/shm", &runtime::SpecMount::destination);

    EXPECT_EQ(shm->options, (Words{"nosuid", "noexec", "nodev", "mode=1777", "size=1048576"}));
}

TEST(SpecBuilder, LeavesOutDefaultsWhereTheUserHasAMount) {
    CreateRequest request;
    request.read_only = true;

    const auto mounts =
        built(request, {{"/tmp", "bind", "/mine", {}}, {"/etc/hosts", "bind", "/my", {}}}).mounts;

    for (const char* target : {"/tmp", "/etc/hosts", "/run"})
        EXPECT_EQ(std::ranges::count(mounts, target, &runtime::SpecMount::destination), 1) << target;
}

TEST(EtcFiles, HaveByDefaultWhatEveryProgramLooksFor) {
    const auto files = etc_files({}, "me", "nameserver 1.2.3.4\nsearch example\n");

    EXPECT_EQ(files[0], (std::pair<std::string, std::string>{"hostname", "me\n"}));
    EXPECT_EQ(files[1].first, "hosts");
    EXPECT_EQ(files[1].second, "127.0.0.1\tlocalhost\n"
                               "::1\tlocalhost ip6-localhost ip6-loopback\n"
                               "fe00::0\tip6-localnet\n"
                               "ff00::0\tip6-mcastprefix\n"
                               "ff02::1\tip6-allnodes\n"
                               "ff02::2\tip6-allrouters\n"
                               "127.0.1.1\tme\n");
    EXPECT_EQ(files[2],
              (std::pair<std::string, std::string>{"resolv.conf", "nameserver 1.2.3.4\nsearch example\n"}));
}

TEST(EtcFiles, HaveTheUsersHostsAndResolvers) {
    CreateRequest request;
    request.extra_hosts = {{"db", "10.0.0.1"}};
    request.dns = {"10.0.0.2"};

    const auto files = etc_files(request, "me", "nameserver 1.2.3.4\nsearch example\noptions ndots:2");

    EXPECT_TRUE(files[1].second.ends_with("127.0.1.1\tme\n10.0.0.1\tdb\n")) << files[1].second;
    EXPECT_EQ(files[2].second, "search example\noptions ndots:2\nnameserver 10.0.0.2\n");
}

} // namespace
} // namespace mydocker::engine
