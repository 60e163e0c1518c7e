// Instructions of `commit --change`, and the documents of an image made from another one.
#include "image/config_change.hpp"
#include "image/derive.hpp"
#include "image/manifest.hpp"

#include <gtest/gtest.h>

namespace mydocker::image {
namespace {

using Strings = std::vector<std::string>;

ImageConfig base() {
    ImageConfig config;
    config.env = {"PATH=/bin", "A=one"};
    config.entrypoint = {"/entry"};
    config.cmd = {"arg"};
    config.working_dir = "/srv";
    return config;
}

ConfigEdit edited(const Strings& changes) {
    ConfigEdit edit{base(), {}, false};
    for (const std::string& change : changes) {
        const auto applied = apply_change(edit, change);
        EXPECT_TRUE(applied) << describe(applied.error());
    }
    return edit;
}

TEST(ConfigChange, CommandsHaveTwoForms) {
    EXPECT_EQ(edited({"CMD [\"a\", \"b c\"]"}).config.cmd, (Strings{"a", "b c"}));
    EXPECT_EQ(edited({"cmd echo $A  x"}).config.cmd, (Strings{"/bin/sh", "-c", "echo $A  x"}));
    EXPECT_EQ(edited({"CMD [not json"}).config.cmd, (Strings{"/bin/sh", "-c", "[not json"}));
}

TEST(ConfigChange, ANewEntrypointDropsArgumentsThatWereNotItsOwn) {
    EXPECT_EQ(edited({"ENTRYPOINT [\"/new\"]"}).config.cmd, Strings{});
    EXPECT_EQ(edited({"CMD [\"x\"]", "ENTRYPOINT [\"/new\"]"}).config.cmd, Strings{"x"});
    EXPECT_EQ(edited({"ENTRYPOINT [\"/new\"]"}).config.entrypoint, Strings{"/new"});
}

TEST(ConfigChange, EnvironmentIsReplacedInPlace) {
    EXPECT_EQ(edited({"ENV A=two B='x y' C=\"$A\"\\ z"}).config.env,
              (Strings{"PATH=/bin", "A=two", "B=x y", "C=one z"}));
    EXPECT_EQ(edited({"ENV D all the  rest"}).config.env, (Strings{"PATH=/bin", "A=one", "D=all the  rest"}));
    EXPECT_EQ(edited({"ENV PATH=$PATH:/opt"}).config.env.front(), "PATH=/bin:/opt");
    EXPECT_EQ(edited({"ENV E=${NONE:-${A}}${A:+yes}${NONE:+no}\\$A'$A'"}).config.env.back(), "E=oneyes$A$A");
}

TEST(ConfigChange, OthersDoWhatTheySay) {
    const ConfigEdit edit = edited({"USER me:us", "WORKDIR rel/../here", "STOPSIGNAL SIGINT",
                                    "EXPOSE 80 53/udp 8000-8001", "VOLUME [\"/data\", \"/a b\"]",
                                    "VOLUME /data /x", "LABEL a=1 b.c=\"2 3\"", "ONBUILD RUN make"});
    EXPECT_EQ(edit.config.user, "me:us");
    EXPECT_EQ(edit.config.working_dir, "/srv/here");
    EXPECT_EQ(edit.config.stop_signal, "SIGINT");
    EXPECT_EQ(edit.config.exposed_ports, (Strings{"80/tcp", "53/udp", "8000/tcp", "8001/tcp"}));
    EXPECT_EQ(edit.config.volumes, (Strings{"/data", "/a b", "/x"}));
    EXPECT_EQ(edit.config.labels,
              (std::vector<std::pair<std::string, std::string>>{{"a", "1"}, {"b.c", "2 3"}}));
    EXPECT_EQ(edit.on_build, Strings{"RUN make"});
}

TEST(ConfigChange, WhatIsWrongIsRefusedInWords) {
    for (const char* bad : {"", "RUN make", "ENV", "ENV A", "ENV =x A=1", "ENV A='x", "ENV A=${B",
                            "ENV A=${B?x}", "EXPOSE x", "EXPOSE 0", "EXPOSE 70000", "EXPOSE 9-8",
                            "EXPOSE 80/ip", "ONBUILD FROM x", "WORKDIR ../../..", "LABEL a=1 b"}) {
        ConfigEdit edit{base(), {}, false};
        const auto applied = apply_change(edit, bad);
        ASSERT_FALSE(applied) << bad;
        EXPECT_EQ(applied.error().code, Code::invalid) << bad;
        EXPECT_TRUE(applied.error().text.starts_with("change ")) << applied.error().text;
    }
}

constexpr std::string_view kBase = R"({"architecture":"amd64","os":"linux","author":"old","os.version":"7",
 "created":"1970-01-01T00:00:00Z","config":{"Cmd":["arg"],"Healthcheck":{"Test":["NONE"]},"OnBuild":["RUN a"],
 "Labels":{"x":"y"}},"rootfs":{"type":"layers","diff_ids":[
 "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]},"history":[{"created_by":"first"}]})";

Derivation derivation() {
    Derivation derivation;
    derivation.edit.config.cmd = {"new"};
    derivation.edit.config.healthcheck = R"({"Test":["NONE"]})";
    derivation.edit.on_build = {"RUN b"};
    derivation.author = "me";
    derivation.created = "2026-01-02T03:04:05Z";
    derivation.created_by = "sh -c x";
    derivation.comment = "why";
    return derivation;
}

TEST(DeriveConfig, AddsALayerAndKeepsWhatItDoesNotKnow) {
    const Digest layer = *digest_of("layer");

    const auto document = derive_config(kBase, derivation(), layer);

    ASSERT_TRUE(document) << describe(document.error());
    const auto parsed = parse_config(*document);
    ASSERT_TRUE(parsed) << describe(parsed.error());
    EXPECT_EQ(parsed->diff_ids.size(), 2U);
    EXPECT_EQ(parsed->diff_ids.back(), layer);
    EXPECT_EQ(parsed->config.cmd, Strings{"new"});
    EXPECT_TRUE(parsed->config.labels.empty());
    ASSERT_EQ(parsed->config.history.size(), 2U);
    EXPECT_EQ(parsed->config.history[0].created_by, "first");
    EXPECT_EQ(parsed->config.history[1].comment, "why");
    for (const char* kept :
         {"\"os.version\":\"7\"", "\"Healthcheck\":{\"Test\":[\"NONE\"]}",
          "\"OnBuild\":[\"RUN a\",\"RUN b\"]", "\"author\":\"me\"", "\"created_by\":\"sh -c x\""})
        EXPECT_NE(document->find(kept), std::string::npos) << kept << " in " << *document;
    EXPECT_EQ(document->find("old"), std::string::npos);
}

TEST(DeriveConfig, OfADamagedBaseIsAnError) {
    for (const char* bad :
         {"", "[]", "{}", R"({"rootfs":{"diff_ids":7}})", R"({"config":7,"rootfs":{"diff_ids":[]}})"})
        EXPECT_FALSE(derive_config(bad, derivation(), Digest())) << bad;
}

TEST(DeriveConfig, ThatNobodyCouldReadIsAnError) {
    Derivation too_many = derivation();
    too_many.edit.config.env.assign(100'001, "A=1");

    EXPECT_FALSE(derive_config(kBase, too_many, *digest_of("layer")));
}

struct HealthChange {
    const char* text;
    const char* json; // or the beginning of the message
};

class HealthChanges : public ::testing::TestWithParam<HealthChange> {};

TEST_P(HealthChanges, AreReadAsADockerfileHasThem) {
    ConfigEdit edit;
    const auto applied = apply_change(edit, GetParam().text);
    const std::string wanted = GetParam().json;

    if (applied)
        EXPECT_EQ(edit.config.healthcheck, wanted);
    else
        EXPECT_NE(applied.error().text.find(wanted), std::string::npos) << applied.error().text;
}

INSTANTIATE_TEST_SUITE_P(
    All, HealthChanges,
    ::testing::Values(HealthChange{"HEALTHCHECK NONE", R"({"Test":["NONE"]})"},
                      HealthChange{"healthcheck cmd  a b ", R"({"Test":["CMD-SHELL","a b"]})"},
                      HealthChange{R"(HEALTHCHECK --interval=5s --retries=2 CMD ["a", "b c"])",
                                   R"({"Interval":5000000000,"Retries":2,"Test":["CMD","a","b c"]})"},
                      HealthChange{"HEALTHCHECK", "says nothing"},
                      HealthChange{"HEALTHCHECK CMD", "neither NONE nor"},
                      HealthChange{"HEALTHCHECK CMD []", "the command is empty"},
                      HealthChange{"HEALTHCHECK --interval CMD x", "'--interval' needs a value"},
                      HealthChange{"HEALTHCHECK --interval=x CMD x", "--interval: 'x' is no duration"},
                      HealthChange{"HEALTHCHECK --retries=-1 CMD x", "--retries: '-1' is no number"},
                      HealthChange{"HEALTHCHECK --rate=1s CMD x", "'--rate' is none of"}));

} // namespace
} // namespace mydocker::image
