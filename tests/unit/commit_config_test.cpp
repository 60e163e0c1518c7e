// What `commit` makes of a container's record and spec; and the directories above a difference.
#include "engine/commit_config.hpp"
#include "engine/contents.hpp"
#include "engine/health_record.hpp"

#include <gtest/gtest.h>

namespace mydocker::engine {
namespace {

using Strings = std::vector<std::string>;

struct Given {
    image::ImageConfig image;
    ContainerRecord record;
    runtime::ContainerSpec spec;
};

Given given() {
    Given given;
    given.image.env = {"A=1"};
    given.image.entrypoint = {"/entry", "-x"};
    given.image.cmd = {"arg"};
    given.image.labels = {{"a", "1"}};
    given.spec.hostname = "host";
    given.spec.process.args = {"/entry", "-x", "other"};
    given.spec.process.env = {"A=2", "HOSTNAME=host", "TERM=xterm", "B=3"};
    given.record.entrypoint_words = 2;
    given.record.terminal = true;
    given.record.labels = {{"a", "2"}, {"b", "3"}};
    return given;
}

image::ImageConfig config_of(const Given& given) {
    return container_config(given.image, given.record, given.spec);
}

TEST(CommitConfig, TakesTheContainersOwn) {
    Given input = given();
    input.spec.process.user.name = "me";
    input.spec.process.cwd = "/there";
    input.record.stop_signal = "SIGINT";

    const image::ImageConfig config = config_of(input);

    EXPECT_EQ(config.entrypoint, (Strings{"/entry", "-x"}));
    EXPECT_EQ(config.cmd, Strings{"other"});
    EXPECT_EQ(config.env, (Strings{"A=2", "B=3"}));
    EXPECT_EQ(config.user, "me");
    EXPECT_EQ(config.working_dir, "/there");
    EXPECT_EQ(config.stop_signal, "SIGINT");
    EXPECT_EQ(config.labels, (std::vector<std::pair<std::string, std::string>>{{"a", "2"}, {"b", "3"}}));
}

TEST(CommitConfig, SaysNothingThatNobodySaid) {
    const image::ImageConfig config = config_of(given());

    EXPECT_EQ(config.user, "");
    EXPECT_EQ(config.working_dir, "");
    EXPECT_EQ(config.stop_signal, "");
}

TEST(CommitConfig, KeepsTheEntrypointThatWasGiven) {
    Given input = given();
    input.spec.process.args = {"sh", "-c", "x"};
    input.record.entrypoint_words = 1;

    EXPECT_EQ(config_of(input).entrypoint, Strings{"sh"});
    EXPECT_EQ(config_of(input).cmd, (Strings{"-c", "x"}));
}

TEST(CommitConfig, HasNoEntrypointWhereItWasCleared) {
    Given input = given();
    input.spec.process.args = {"sh", "-c", "x"};
    input.record.entrypoint_words = 0;

    EXPECT_EQ(config_of(input).entrypoint, Strings{});
    EXPECT_EQ(config_of(input).cmd, (Strings{"sh", "-c", "x"}));
}

TEST(CommitConfig, KeepsTheHealthCheckThatWasGiven) {
    Given input = given();
    input.record.health.emplace();
    input.record.health->check.test = {"CMD", "true"};
    const std::string image_own = R"({"Test":["CMD","false"]})";

    const auto test_of = [&] { return choose_health(config_of(input).healthcheck, {}).value()->test; };
    EXPECT_EQ(test_of(), (Strings{"CMD", "true"}));
    input.image.healthcheck = image_own;
    EXPECT_EQ(test_of(), (Strings{"CMD", "true"}));
    input.record.health->check = *choose_health(image_own, {}).value();
    EXPECT_EQ(config_of(input).healthcheck, image_own) << "it is the image's";
    input.record.health.reset();
    EXPECT_EQ(config_of(input).healthcheck, R"({"Test":["NONE"]})") << "by --no-healthcheck";
}

TEST(Differences, BringTheDirectoriesAbove) {
    using enum ChangeKind;
    const std::vector<Difference> found{{modified, "/a/b", false},
                                        {added, "/a/b/c/d", false},
                                        {removed, "/a/x", false},
                                        {added, "/top", false},
                                        {removed, "/z/y", false}};

    EXPECT_EQ(with_parents(found), (std::vector<Difference>{{modified, "/a", false},
                                                            {modified, "/a/b", false},
                                                            {modified, "/a/b/c", false},
                                                            {added, "/a/b/c/d", false},
                                                            {removed, "/a/x", false},
                                                            {added, "/top", false},
                                                            {modified, "/z", false},
                                                            {removed, "/z/y", false}}));
}

} // namespace
} // namespace mydocker::engine
