// The layout of the wire, as it was published: a change here breaks plugins that exist. Appending to a
// struct changes its size alone, and the golden size is then raised by a commit that says "abi:".
#include "mydocker/abi/base.h"
#include "mydocker/abi/cgroup_backend.h"
#include "mydocker/abi/log_sink.h"
#include "mydocker/abi/state_store.h"
#include "mydocker/abi/storage_driver.h"
#include "mydocker/detail/wire.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <ostream>
#include <string>
#include <string_view>

namespace {

using namespace mydocker;

struct Golden {
    std::string_view what;
    std::size_t is;
    std::size_t golden;
};
std::ostream& operator<<(std::ostream& out, const Golden& row) {
    return out << row.what;
}

class Layout : public ::testing::TestWithParam<Golden> {};

TEST_P(Layout, IsAsPublished) {
    EXPECT_EQ(GetParam().is, GetParam().golden) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, Layout,
    ::testing::Values(
        Golden{"md_str", sizeof(md_str), 16}, Golden{"md_list", sizeof(md_list), 24},
        Golden{"md_str_sink", sizeof(md_str_sink), 16}, Golden{"md_error", sizeof(md_error), 1040},
        Golden{"md_option", sizeof(md_option), 88}, Golden{"md_option_spec", sizeof(md_option_spec), 56},
        Golden{"md_host", sizeof(md_host), 104}, Golden{"md_plugin", sizeof(md_plugin), 160},
        Golden{"md_note", sizeof(md_note), 24}, Golden{"md_passport", sizeof(md_passport), 32},
        Golden{"md_storage_traits", sizeof(md_storage_traits), 24}, Golden{"md_usage", sizeof(md_usage), 24},
        Golden{"md_mount", sizeof(md_mount), 128}, Golden{"md_rw_options", sizeof(md_rw_options), 32},
        Golden{"md_change", sizeof(md_change), 48},
        Golden{"md_storage_object", sizeof(md_storage_object), 24},
        Golden{"md_storage_table", sizeof(md_storage_table), 96},
        Golden{"md_device_rule", sizeof(md_device_rule), 48},
        Golden{"md_device_rate", sizeof(md_device_rate), 32},
        Golden{"md_hugepage_limit", sizeof(md_hugepage_limit), 32},
        Golden{"md_resources", sizeof(md_resources), 248},
        Golden{"md_cgroup_traits", sizeof(md_cgroup_traits), 56},
        Golden{"md_cgroup_entry", sizeof(md_cgroup_entry), 32},
        Golden{"md_cgroup_stats", sizeof(md_cgroup_stats), 112},
        Golden{"md_cgroup_table", sizeof(md_cgroup_table), 120},
        Golden{"md_log_record", sizeof(md_log_record), 40}, Golden{"md_label", sizeof(md_label), 40},
        Golden{"md_stream_info", sizeof(md_stream_info), 96},
        Golden{"md_log_traits", sizeof(md_log_traits), 12}, Golden{"md_log_query", sizeof(md_log_query), 32},
        Golden{"md_log_read", sizeof(md_log_read), 40}, Golden{"md_log_page", sizeof(md_log_page), 32},
        Golden{"md_log_table", sizeof(md_log_table), 64},
        Golden{"md_state_traits", sizeof(md_state_traits), 8},
        Golden{"md_stored_record", sizeof(md_stored_record), 64},
        Golden{"md_listed_record", sizeof(md_listed_record), 40},
        Golden{"md_state_table", sizeof(md_state_table), 72}));

INSTANTIATE_TEST_SUITE_P(
    Offsets, Layout,
    ::testing::Values(Golden{"md_error.text", offsetof(md_error, text), 16},
                      Golden{"md_option.key", offsetof(md_option, key), 8},
                      Golden{"md_option.integer", offsetof(md_option, integer), 24},
                      Golden{"md_option.bytes", offsetof(md_option, bytes), 32},
                      Golden{"md_option.floating", offsetof(md_option, floating), 40},
                      Golden{"md_option.string", offsetof(md_option, string), 48},
                      Golden{"md_option.list", offsetof(md_option, list), 64},
                      Golden{"md_option_spec.help", offsetof(md_option_spec, help), 40},
                      Golden{"md_host.ctx", offsetof(md_host, ctx), 16},
                      Golden{"md_host.log", offsetof(md_host, log), 24},
                      Golden{"md_host.data_dir", offsetof(md_host, data_dir), 40},
                      Golden{"md_host.options", offsetof(md_host, options), 72},
                      Golden{"md_host.service", offsetof(md_host, service), 96},
                      Golden{"md_plugin.name", offsetof(md_plugin, name), 24},
                      Golden{"md_plugin.option_specs", offsetof(md_plugin, option_specs), 104},
                      Golden{"md_plugin.open", offsetof(md_plugin, open), 128},
                      Golden{"md_plugin.table", offsetof(md_plugin, table), 144},
                      Golden{"md_plugin.extension", offsetof(md_plugin, extension), 152},
                      Golden{"md_mount.options", offsetof(md_mount, options), 64},
                      Golden{"md_mount.directory", offsetof(md_mount, directory), 88},
                      Golden{"md_mount.remounts", offsetof(md_mount, remounts), 104},
                      Golden{"md_rw_options.lifetime", offsetof(md_rw_options, lifetime), 24},
                      Golden{"md_storage_table.probe", offsetof(md_storage_table, probe), 8},
                      Golden{"md_storage_table.mounts", offsetof(md_storage_table, mounts), 48},
                      Golden{"md_storage_table.sweep", offsetof(md_storage_table, sweep), 88},
                      Golden{"md_resources.set", offsetof(md_resources, set), 8},
                      Golden{"md_resources.pids", offsetof(md_resources, pids), 64},
                      Golden{"md_resources.cpuset_cpus", offsetof(md_resources, cpuset_cpus), 72},
                      Golden{"md_resources.io_read_bps", offsetof(md_resources, io_read_bps), 104},
                      Golden{"md_resources.devices", offsetof(md_resources, devices), 224},
                      Golden{"md_cgroup_stats.io_write_bytes", offsetof(md_cgroup_stats, io_write_bytes),
                             104},
                      Golden{"md_cgroup_table.list", offsetof(md_cgroup_table, list), 112},
                      Golden{"md_log_record.bytes", offsetof(md_log_record, bytes), 24},
                      Golden{"md_stream_info.labels", offsetof(md_stream_info, labels), 72},
                      Golden{"md_log_page.next", offsetof(md_log_page, next), 16},
                      Golden{"md_log_table.remove", offsetof(md_log_table, remove), 56},
                      Golden{"md_stored_record.document", offsetof(md_stored_record, document), 48},
                      Golden{"md_listed_record.error", offsetof(md_listed_record, error), 32},
                      Golden{"md_state_table.list", offsetof(md_state_table, list), 64}));

// A later version of md_label, as another side may have it.
struct NewerLabel {
    md_label known;
    std::uint64_t appended;
};

// A version of it from before `value` was appended.
struct OlderLabel {
    std::uint32_t size;
    std::uint32_t reserved;
    md_str key;
};

TEST(Growth, ListOfLongerStructsIsReadWhole) {
    std::array<NewerLabel, 3> labels{};
    const std::array<std::string, 3> keys{"a", "b", "c"};
    for (std::size_t i = 0; i < labels.size(); ++i) {
        labels[i].known.size = sizeof(NewerLabel);
        labels[i].known.key = wire::str(keys[i]);
        labels[i].known.value = wire::str(keys[i]);
        labels[i].appended = ~std::uint64_t{0};
    }

    std::string read;
    const auto done =
        wire::each<md_label>({labels.data(), labels.size(), sizeof(NewerLabel)}, [&](const md_label& label) {
            read += wire::view(label.key);
            read += wire::view(label.value);
            return Status{};
        });

    EXPECT_TRUE(done);
    EXPECT_EQ(read, "aabbcc");
}

TEST(Growth, ListOfShorterStructsReadsAbsentFieldsAsZero) {
    std::array<OlderLabel, 3> labels{};
    const std::array<std::string, 3> keys{"a", "b", "c"};
    for (std::size_t i = 0; i < labels.size(); ++i)
        labels[i] = {sizeof(OlderLabel), 0, wire::str(keys[i])};

    std::string read;
    const auto done =
        wire::each<md_label>({labels.data(), labels.size(), sizeof(OlderLabel)}, [&](const md_label& label) {
            read += wire::view(label.key);
            read += wire::view(label.value).empty() ? "-" : "?";
            return Status{};
        });

    EXPECT_TRUE(done);
    EXPECT_EQ(read, "a-b-c-");
}

TEST(Growth, ElementThatClaimsMoreThanTheStrideIsCutAtIt) {
    std::array<OlderLabel, 2> labels{};
    labels[0] = {200, 0, wire::str("a")};
    labels[1] = {200, 0, wire::str("b")};

    std::size_t longest = 0;
    const auto done =
        wire::each<md_label>({labels.data(), 2, sizeof(OlderLabel)}, [&](const md_label& label) {
            longest = std::max(longest, label.value.size);
            return Status{};
        });

    EXPECT_TRUE(done);
    EXPECT_EQ(longest, 0U);
}

TEST(Growth, ShorterTableReadsMissingSlotsAsNull) {
    md_storage_table older;
    std::memset(&older, 0xff, sizeof older);
    older.size = offsetof(md_storage_table, sweep);

    const auto copy = wire::copy_in<md_storage_table>(&older);

    EXPECT_EQ(copy.sweep, nullptr);
    EXPECT_NE(reinterpret_cast<void*>(copy.list), nullptr);
    EXPECT_EQ(copy.size, sizeof(md_storage_table));
}

TEST(Growth, NullStructReadsAsZeros) {
    EXPECT_EQ(wire::copy_in<md_rw_options>(nullptr).set, 0U);
}

struct BadList {
    std::string_view name;
    md_list list;
};
std::ostream& operator<<(std::ostream& out, const BadList& row) {
    return out << row.name;
}
class Lists : public ::testing::TestWithParam<BadList> {};

TEST_P(Lists, ThatCannotBeOneAreRefusedUnread) {
    const auto done = wire::each<md_label>(GetParam().list, [](const md_label&) { return Status{}; });

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::invalid);
}

INSTANTIATE_TEST_SUITE_P(Bad, Lists,
                         ::testing::Values(BadList{"null", {nullptr, 1, 40}}, BadList{"stride 0", {"", 1, 0}},
                                           BadList{"stride 3", {"", 1, 3}},
                                           BadList{"count 2^32", {"", std::size_t{1} << 32U, 40}}));

TEST(ErrorText, LosesItsMiddleWhenTooLong) {
    auto error = wire::make<md_error>();

    (void)wire::fill(&error, Code::io, 5, "begin " + std::string(5000, 'x') + " the cause");

    const std::string_view text(error.text, error.text_size);
    EXPECT_EQ(text.size(), sizeof error.text);
    EXPECT_TRUE(text.starts_with("begin xxx"));
    EXPECT_TRUE(text.ends_with("xxx the cause"));
    EXPECT_NE(text.find("…"), std::string_view::npos);
}

TEST(ErrorText, IsCutBetweenCharacters) {
    auto error = wire::make<md_error>();
    std::string umlauts;
    for (int i = 0; i < 1000; ++i)
        umlauts += "ä";

    for (const std::string& text : {umlauts, "x" + umlauts}) {
        (void)wire::fill(&error, Code::io, 0, text);
        std::string left(error.text, error.text_size);
        left.erase(left.find("…"), 3);
        EXPECT_EQ(left.size() % 2, text.size() % 2);
        EXPECT_EQ(left.find("\xa4\xa4"), std::string::npos);
    }
}

TEST(ErrorText, FitsTheSpaceOfAnOlderEngine) {
    auto error = wire::make<md_error>();
    std::memset(error.text, '#', sizeof error.text);
    error.size = offsetof(md_error, text) + 32;

    (void)wire::fill(&error, Code::io, 0, std::string(500, 'x'));

    EXPECT_EQ(error.text_size, 32U);
    EXPECT_EQ(error.text[32], '#');
}

} // namespace
