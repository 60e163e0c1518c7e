// The contract of a cgroup backend: device rules, and limits on disks and huge pages. A controller that
// the traits do not name excuses a case. Face only.
#include "conformance/cgroup_fixture.hpp"
#include "support/support.hpp"

// The limits that a case does not name are absent: that is meant.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace mydocker::conformance {
namespace {

using CgroupDevices = CgroupSuite;

// Bits: 1 /dev/null opens for both, 2 /dev/zero reads, 4 /dev/zero writes, 8 a node like null is made.
int try_devices() {
    const std::string node = "/tmp/cgroup-node-" + std::to_string(::getpid());
    const auto opens = [](const char* path, int flags) { return bool(UniqueFd(::open(path, flags))); };
    int can = 0;
    if (opens("/dev/null", O_RDWR)) can |= 1;
    if (opens("/dev/zero", O_RDONLY)) can |= 2;
    if (opens("/dev/zero", O_WRONLY)) can |= 4;
    if (::mknod(node.c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0) can |= 8;
    ::unlink(node.c_str());
    return can;
}

TEST_P(CgroupDevices, DeviceRulesAreEnforcedAndReplaced) {
    if (auto why = lacks("devices")) GTEST_SKIP() << *why;
    const DeviceRule none{false, 'a', -1, -1, "rwm"};
    const DeviceRule all{true, 'a', -1, -1, "rwm"};
    const std::pair<std::vector<DeviceRule>, int> table[] = {
        {{none, {true, 'c', 1, 3, "rw"}}, 1},
        {{none, {true, 'c', 1, 5, "r"}}, 2},
        {{none, {true, 'c', 1, 3, "rwm"}, {true, 'c', 1, 5, "w"}}, 1 | 4 | 8},
        {{all}, 15},
        {{all, {false, 'c', 1, 5, "w"}}, 1 | 2 | 8},
        {{none, {true, 'c', 1, 5, "r"}, {true, 'c', -1, -1, "w"}}, 2 | 4},
        {{none, {true, 'c', -1, -1, "m"}, {true, 'c', 1, -1, "r"}, {true, 'c', -1, 3, "w"}}, 1 | 2 | 8},
        {{{true, 'c', 1, 3, "rwm"}, none, {true, 'c', 1, 5, "rw"}}, 2 | 4},
        {{none, {true, 'c', 1, 3, "rw"}, {false, 'c', -1, -1, "rwm"}}, 0},
        {{}, 0},
        {{none, {true, 'b', 1, 3, "rwm"}}, 0},
    };
    const Locator locator = given("a");
    EXPECT_EQ(run(locator, try_devices), 15);
    for (std::size_t number = 0; number < std::size(table); ++number) {
        EXPECT_EQ(words(backend().update(locator, {.devices = table[number].first})), "ok");
        EXPECT_EQ(run(locator, try_devices), table[number].second) << "rule list " << number;
    }
}

std::optional<dev_t> any_disk() {
    for (const auto& entry : std::filesystem::directory_iterator("/sys/block")) {
        const auto text = files::read_file(entry.path() / "dev");
        unsigned major_number = 0;
        unsigned minor_number = 0;
        if (text && std::sscanf(text->c_str(), "%u:%u", &major_number, &minor_number) == 2)
            return makedev(major_number, minor_number);
    }
    return std::nullopt;
}

TEST_P(CgroupDevices, IoRatesAreSetAndLifted) {
    if (auto why = lacks("io")) GTEST_SKIP() << *why;
    const auto disk = any_disk();
    if (!disk) GTEST_SKIP() << "no block device here";
    const DeviceRate rate{major(*disk), minor(*disk), 1 << 20};
    const DeviceRate none{major(*disk), minor(*disk), 0};
    const Locator locator = given("a");

    EXPECT_EQ(words(backend().update(locator, {.io_read_bps = {rate}, .io_write_bps = {rate}})), "ok");
    EXPECT_EQ(words(backend().update(locator, {.io_read_iops = {rate}, .io_write_iops = {rate}})), "ok");
    EXPECT_EQ(words(backend().update(locator, {.io_read_bps = {none}, .io_write_iops = {none}})), "ok");
}

// The disk that a file lies on; nothing if it lies on none (in memory, say), or on a part of one.
std::optional<dev_t> disk_of(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    const std::string name =
        "/sys/dev/block/" + std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
    if (!std::filesystem::exists(name) || std::filesystem::exists(name + "/partition")) return std::nullopt;
    return status.st_dev;
}

// Past the page cache, so that each write is one to the disk and is the writer's own.
int write_directly(const std::string& path, int blocks) {
    constexpr std::size_t kBlock = 128U << 10U;
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0600));
    void* bytes = ::mmap(nullptr, kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!file || bytes == MAP_FAILED) return 2;
    for (int written = 0; written < blocks; ++written)
        if (::write(file.get(), bytes, kBlock) != static_cast<ssize_t>(kBlock)) return 3;
    return 0;
}

TEST_P(CgroupDevices, IoRateThrottles) {
    if (auto why = lacks("io")) GTEST_SKIP() << *why;
    const test::TempDir directory;
    const auto disk = disk_of(directory.path());
    if (!disk) GTEST_SKIP() << "'" << directory.path() << "' is not on a whole disk";
    const DeviceRate rate{major(*disk), minor(*disk), 1 << 20};
    const Locator locator = given("a", {.io_write_bps = {rate}});
    const auto begin = std::chrono::steady_clock::now();

    EXPECT_EQ(run(locator, [&] { return write_directly(directory / "file", 12); }), 0); // 1.5 MiB

    EXPECT_GT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1000));
}

TEST_P(CgroupDevices, FailedUpdateSaysWhatWasSetBefore) {
    if (auto why = lacks("io")) GTEST_SKIP() << *why;
    if (auto why = lacks("pids")) GTEST_SKIP() << *why;
    const Locator locator = given("a");

    const auto updated = backend().update(locator, {.pids = 10, .io_read_bps = {{4095, 1000, 1 << 20}}});

    ASSERT_FALSE(updated);
    EXPECT_NE(words(updated).find("pids"), std::string::npos) << words(updated);
    EXPECT_NE(words(updated).find("4095:1000"), std::string::npos) << words(updated);
    EXPECT_EQ(backend().stats(locator)->pids_limit, 10U);
}

TEST_P(CgroupDevices, IoWeightWorksOrSaysWhatItTakes) {
    if (auto why = lacks("io")) GTEST_SKIP() << *why;
    const Locator locator = given("a");
    for (const std::uint16_t weight : std::initializer_list<std::uint16_t>{10, 500, 1000}) {
        const auto updated = backend().update(locator, {.io_weight = weight});
        EXPECT_TRUE(updated || updated.error().code == Code::unsupported) << words(updated);
    }
}

TEST_P(CgroupDevices, HugepageLimitsAreSet) {
    if (auto why = lacks("hugetlb")) GTEST_SKIP() << *why;
    const Locator locator = given("a");

    EXPECT_EQ(words(backend().update(locator, {.hugepages = {{"2MB", 4U << 20U}}})), "ok");
    EXPECT_EQ(error_code(backend().update(locator, {.hugepages = {{"3MB", 3U << 20U}}})), Code::unsupported);
}

} // namespace

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CgroupDevices);

INSTANTIATE_TEST_SUITE_P(Backend, CgroupDevices, testing::ValuesIn(subjects<CgroupBackend>()), SubjectName());

} // namespace mydocker::conformance
