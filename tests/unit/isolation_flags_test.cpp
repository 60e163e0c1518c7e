// Capabilities, limits and addresses on the command line.
#include "cli/isolation_flags.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace mydocker::cli {
namespace {

struct UlimitCase {
    std::string text;
    std::string type;
    std::uint64_t soft;
    std::uint64_t hard;
};

class UlimitText : public ::testing::TestWithParam<UlimitCase> {};

TEST_P(UlimitText, IsALimit) {
    const auto limit = parse_ulimit(GetParam().text);

    ASSERT_TRUE(limit) << limit.error().text;
    EXPECT_EQ(limit->type, GetParam().type);
    EXPECT_EQ(limit->soft, GetParam().soft);
    EXPECT_EQ(limit->hard, GetParam().hard);
}

constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

INSTANTIATE_TEST_SUITE_P(IsolationFlags, UlimitText,
                         ::testing::Values(UlimitCase{"nofile=10:20", "RLIMIT_NOFILE", 10, 20},
                                           UlimitCase{"nofile=10", "RLIMIT_NOFILE", 10, 10},
                                           UlimitCase{"CORE=0:-1", "RLIMIT_CORE", 0, kNone},
                                           UlimitCase{"memlock=unlimited", "RLIMIT_MEMLOCK", kNone, kNone}));

TEST(UlimitText, ThatIsNoneIsRefused) {
    for (const char* text : {"", "nofile", "=1", "nofile=", "nofile=1:", "nofile=x", "nofile=1k",
                             "nofile=2:1", "nofile=1:2:3", "nofiles=1", "nofile=-2"}) {
        const auto limit = parse_ulimit(text);

        ASSERT_FALSE(limit) << text;
        EXPECT_EQ(limit.error().text.find("ulimit: '" + std::string(text) + "'"), 0U) << limit.error().text;
    }
}

TEST(HostText, IsANameAndAnAddress) {
    EXPECT_EQ(parse_host("db:10.0.0.1")->address, "10.0.0.1");
    EXPECT_EQ(parse_host("db.example:::1")->address, "::1");
    EXPECT_EQ(parse_host("db:[fe80::1]")->address, "fe80::1");
}

TEST(HostText, ThatIsNoneIsRefused) {
    for (const char* text :
         {"", "db", "db:", ":10.0.0.1", "db:10.0.0", "d b:10.0.0.1", "db:gateway", "a\nb:10.0.0.1"})
        EXPECT_FALSE(parse_host(text)) << text;
}

TEST(HostGateway, IsTheLoopbackOfTheHostsNetwork) {
    engine::CreateRequest request;
    request.network.kind = engine::NetworkMode::Kind::host;
    request.extra_hosts = {*parse_host("me:host-gateway"), *parse_host("db:10.0.0.1")};

    ASSERT_TRUE(find_gateway(request));

    EXPECT_EQ(request.extra_hosts[0].address, "127.0.0.1");
    EXPECT_EQ(request.extra_hosts[1].address, "10.0.0.1");
}

TEST(HostGateway, IsRefusedWhereThereIsNoWayToTheHost) {
    for (const auto kind : {engine::NetworkMode::Kind::none, engine::NetworkMode::Kind::container}) {
        engine::CreateRequest request;
        request.network.kind = kind;
        request.extra_hosts = {*parse_host("me:host-gateway")};

        const auto found = find_gateway(request);

        ASSERT_FALSE(found);
        EXPECT_EQ(found.error().text,
                  "add-host: 'me:host-gateway': without --network host there is no way from "
                  "the container to the host");
    }
}

TEST(CapabilityText, IsTakenInAnySpelling) {
    for (const char* text : {"net_admin", "NET_ADMIN", "CAP_NET_ADMIN", "cap_net_admin"})
        EXPECT_EQ(parse_capability(text).value_or(""), "CAP_NET_ADMIN") << text;
    EXPECT_EQ(parse_capability("all").value_or(""), "ALL");
}

TEST(CapabilityText, ThatIsNoneIsRefused) {
    EXPECT_EQ(parse_capability("FLY").error().text, "'FLY' is no capability; see capabilities(7)");
    EXPECT_FALSE(parse_capability(""));
}

} // namespace
} // namespace mydocker::cli
