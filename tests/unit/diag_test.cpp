// Diagnostics: forms, levels, hostile bytes, and a sink that fails.
#include "base/diag.hpp"

#include "base/diag_text.hpp"
#include "base/json.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mydocker::diag {
namespace {

class DiagStderr : public testing::Test {
  protected:
    static std::string said(diag::Setup setup, LogLevel level, std::string_view text,
                            const std::vector<Field>& fields = {}) {
        Diagnostics diagnostics(std::move(setup));
        testing::internal::CaptureStderr();
        diagnostics.write(level, text, fields);
        return testing::internal::GetCapturedStderr();
    }
};

TEST_F(DiagStderr, ErrorSpeaksForItself) {
    EXPECT_EQ(said({}, LogLevel::error, "run: no such image"), "mydocker: run: no such image\n");
}

TEST_F(DiagStderr, WarningSaysThatItIsOne) {
    EXPECT_EQ(said({}, LogLevel::warning, "x"), "mydocker: warning: x\n");
}

TEST_F(DiagStderr, LevelBelowIsSilent) {
    EXPECT_EQ(said({}, LogLevel::info, "x"), "");
}

TEST_F(DiagStderr, MisbehaviourIsAlwaysTold) {
    const diag::Setup setup{.level = LogLevel::plugin_misbehaved, .format = Format::text, .open_writer = {}};

    EXPECT_EQ(said(setup, LogLevel::host_misbehaved, "x"), "mydocker: host_misbehaved: x\n");
}

TEST_F(DiagStderr, FieldsFollowTheText) {
    EXPECT_EQ(said({}, LogLevel::warning, "x", {{"id", "ab"}, {"path", "a b"}, {"none", ""}}),
              "mydocker: warning: x id=ab path=\"a b\" none=\"\"\n");
}

TEST_F(DiagStderr, HostileBytesAreShownNotDone) {
    EXPECT_EQ(said({}, LogLevel::error, "a\x1b[2J\nmydocker: b\r\xff\xC2\x9B"),
              "mydocker: a\\x1b[2J\\nmydocker: b\\r\\xff\\u009b\n");
}

TEST_F(DiagStderr, JsonFormIsOneObject) {
    const diag::Setup setup{.level = LogLevel::info, .format = Format::json, .open_writer = {}};

    const auto value = json::parse(said(setup, LogLevel::info, "he\"llo", {{"id", "ab"}}));

    ASSERT_TRUE(value) << value.error().text;
    EXPECT_EQ(json::get_string(*value, "level"), "info");
    EXPECT_EQ(json::get_string(*value, "msg"), "he\"llo");
    EXPECT_EQ(json::get_string(*value, "id"), "ab");
    EXPECT_EQ(json::get_string(*value, "time")->size(), std::string("2026-11-23T21:01:02.000000003Z").size());
}

TEST(DiagVisible, KeepsTextOfAllLanguages) {
    EXPECT_EQ(visible("žluť 容器 💾", 100), "žluť 容器 💾");
}

TEST(DiagVisible, ShowsMarksThatReorderText) {
    EXPECT_EQ(visible("a\u202Eb\u200B\u2066", 100), "a\\u202eb\\u200b\\u2066");
}

TEST(DiagVisible, LeavesOutTheMiddle) {
    EXPECT_EQ(visible(std::string(50, 'a') + std::string(50, 'b'), 10), "aaaaa … bbbbb");
}

TEST(DiagVisible, CutsBetweenCharacters) {
    EXPECT_EQ(visible("éééééééééé", 6), "é … éé");
}

TEST(DiagTimestamp, IsRfc3339WithNanoseconds) {
    EXPECT_EQ(timestamp(0), "1970-01-01T00:00:00.000000000Z");
    EXPECT_EQ(timestamp(1'795'467'662'000'000'003), "2026-11-23T21:01:02.000000003Z");
    EXPECT_EQ(timestamp(-1), "1969-12-31T23:59:59.999999999Z");
}

struct Sink {
    int opened = 0;
    std::vector<std::string> lines;
    bool open_fails = false;
    bool write_fails = false;

    Setup setup(Format format = Format::text) {
        return {.level = LogLevel::info, .format = format, .open_writer = [this]() -> Result<Writer> {
                    ++opened;
                    if (open_fails) return fail(Code::no_space, "open sink", ENOSPC);
                    return Writer([this](LogLevel, std::string_view line) -> Status {
                        if (write_fails) return fail(Code::io, "write record", EIO);
                        lines.emplace_back(line);
                        return {};
                    });
                }};
    }
};

TEST(DiagSink, IsOpenedByTheFirstRecordThatCounts) {
    Sink sink;
    Diagnostics diagnostics(sink.setup());

    diagnostics.debug("unheard");
    EXPECT_EQ(sink.opened, 0);
    diagnostics.info("first");
    diagnostics.info("second");

    EXPECT_EQ(sink.opened, 1);
    EXPECT_EQ(sink.lines, (std::vector<std::string>{"mydocker: info: first", "mydocker: info: second"}));
}

TEST(DiagSink, ThatCannotBeOpenedIsToldOfOnce) {
    Sink sink;
    sink.open_fails = true;
    Diagnostics diagnostics(sink.setup());

    testing::internal::CaptureStderr();
    diagnostics.info("first");
    diagnostics.info("second");
    const std::string said = testing::internal::GetCapturedStderr();

    EXPECT_EQ(said,
              "mydocker: warning: diagnostics go to standard error now: open sink: No space left on device "
              "(ENOSPC)\nmydocker: info: first\nmydocker: info: second\n");
    EXPECT_EQ(sink.opened, 1);
}

TEST(DiagSink, ThatFailsLaterLosesNothing) {
    Sink sink;
    Diagnostics diagnostics(sink.setup());
    diagnostics.info("first");
    sink.write_fails = true;

    testing::internal::CaptureStderr();
    diagnostics.info("second");
    const std::string said = testing::internal::GetCapturedStderr();

    EXPECT_NE(said.find("write record"), std::string::npos);
    EXPECT_NE(said.find("mydocker: info: second\n"), std::string::npos);
}

TEST(DiagSink, WordsOfItsOwnGoPastIt) {
    Diagnostics diagnostics;
    diagnostics.set({.level = LogLevel::info, .format = Format::text, .open_writer = [&]() -> Result<Writer> {
                         diagnostics.info("opening");
                         return Writer([](LogLevel, std::string_view) -> Status { return {}; });
                     }});

    testing::internal::CaptureStderr();
    diagnostics.info("record");

    EXPECT_EQ(testing::internal::GetCapturedStderr(), "mydocker: info: opening\n");
}

} // namespace
} // namespace mydocker::diag
