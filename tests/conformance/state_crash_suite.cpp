// The contract of a state store under many processes, kill -9 at every system call, and damaged files.
// Face only; the one thing that is known of a store's files is that they are below its data directory.
#include "conformance/state_fixture.hpp"

#include "mydocker/support/files.hpp"
#include "support/support.hpp"

#include <algorithm>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

namespace mydocker::conformance {
namespace {

using StateProcesses = StateSuite;
using StateKilled = StateSuite;
using StateDamaged = StateSuite;

const ContainerName kWeb("web");

// Two documents that no mixture of is one of them.
const std::string& first_document() {
    static const std::string document(20'000, 'a');
    return document;
}
const std::string& second_document() {
    static const std::string document(70'000, 'b');
    return document;
}
bool is_whole(const std::string& document) {
    return document == first_document() || document == second_document();
}

TEST_P(StateProcesses, OneOfEightGetsTheName) {
    constexpr unsigned kProcesses = 8;
    for (unsigned round = 0; round < 20; ++round) {
        const ContainerName name("round" + std::to_string(round));
        std::vector<pid_t> pids;
        for (unsigned i = 0; i < kProcesses; ++i)
            pids.push_back(start_process([&, i] {
                const auto reserved = open()->reserve(test_id(round * kProcesses + i), name, "{}");
                return reserved || reserved.error().code != Code::exists ? reserved.has_value() : false;
            }));
        const auto winners = std::ranges::count_if(pids, finish_process);

        EXPECT_EQ(winners, 1);
        EXPECT_TRUE(store().resolve(name.str()));
    }
    EXPECT_EQ(listed_names(store()).size(), 20U);
}

TEST_P(StateProcesses, NoIncrementIsLost) {
    constexpr unsigned kProcesses = 6;
    constexpr unsigned kIncrements = 40;
    given(test_id(1), "counter", "0");
    std::vector<pid_t> pids;
    for (unsigned i = 0; i < kProcesses; ++i)
        pids.push_back(start_process([&] {
            const auto mine = open();
            for (unsigned done = 0; done < kIncrements;) {
                const auto record = mine->load(test_id(1));
                if (!record) return false;
                const std::string next = std::to_string(std::stoul(record->document) + 1);
                const auto saved = mine->save(test_id(1), next, record->revision);
                if (!saved && saved.error().code != Code::conflict) return false;
                if (saved) ++done;
            }
            return true;
        }));
    EXPECT_EQ(std::ranges::count_if(pids, finish_process), kProcesses);

    EXPECT_EQ(loaded(store(), test_id(1)).document, std::to_string(kProcesses * kIncrements));
}

TEST_P(StateProcesses, ReadersSeeWholeRecordsAndMissNone) {
    constexpr unsigned kRecords = 30;
    for (unsigned i = 0; i < kRecords; ++i)
        given(test_id(i), "n" + std::to_string(i), first_document());
    const pid_t writer = start_process([&] {
        const auto mine = open();
        for (unsigned i = 0;; ++i)
            if (!mine->save(test_id(i % kRecords), i % 2 == 0 ? second_document() : first_document(),
                            kAnyRevision))
                return false;
    });

    for (int round = 0; round < 100; ++round) {
        std::size_t seen = 0;
        const auto walked = store().list([&](const ListedRecord& listed) -> Status {
            seen += listed.record && is_whole(listed.record->document) ? 1U : 0U;
            return {};
        });
        EXPECT_TRUE(walked);
        EXPECT_EQ(seen, kRecords);
    }
    kill_process(writer);
}

TEST_P(StateProcesses, ReaderIsNotHeldUpByAStoppedWriter) {
    given(test_id(1), "web", first_document());
    for (int round = 0; round < 10; ++round) {
        const pid_t writer = start_process([&] {
            const auto mine = open();
            while (mine->save(test_id(1), second_document(), kAnyRevision)) {
            }
            return false;
        });
        std::this_thread::sleep_for(std::chrono::milliseconds(2 + round));
        ::kill(writer, SIGSTOP);

        const auto start = std::chrono::steady_clock::now();
        const auto record = store().load(test_id(1));
        EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));

        EXPECT_TRUE(record && is_whole(record->document));
        kill_process(writer);
    }
}

// Each case: what a child does until it is killed, and what must hold whenever that was.
struct Killed {
    const char* name;
    std::function<bool(StateStore&)> work;
    std::function<void(StateStore&)> check;
};

void check_web_is_whole_and_usable(StateStore& store) {
    const auto record = store.load(test_id(1));
    ASSERT_TRUE(record) << describe(record.error());
    EXPECT_TRUE(is_whole(record->document)) << record->document.size();
    EXPECT_EQ(store.resolve(record->name.str()), test_id(1));
    EXPECT_EQ(code_of(store.reserve(test_id(7), record->name, "{}")), Code::exists);
    EXPECT_TRUE(store.save(test_id(1), first_document(), record->revision));
}

void check_reserved(StateStore& store, const StoredRecord& record) {
    EXPECT_EQ(record.document, second_document());
    EXPECT_EQ(record.name.str(), "new");
    EXPECT_EQ(store.resolve("new"), test_id(2));
    EXPECT_EQ(code_of(store.reserve(test_id(3), ContainerName("new"), "{}")), Code::exists);
}

void check_reserve(StateStore& store) {
    const auto record = store.load(test_id(2));
    if (record) {
        check_reserved(store, *record);
    } else {
        EXPECT_EQ(record.error().code, Code::not_found) << describe(record.error());
        EXPECT_EQ(code_of(store.resolve("new")), Code::not_found);
        const auto again = store.reserve(test_id(2), ContainerName("new"), "{}");
        EXPECT_TRUE(again) << describe(again.error());
    }
    EXPECT_TRUE(store.remove(test_id(2), kAnyRevision));
    const auto other = store.reserve(test_id(3), ContainerName("new"), "{}");
    EXPECT_TRUE(other) << describe(other.error());
    EXPECT_TRUE(store.remove(test_id(3), kAnyRevision));
}

void check_rename(StateStore& store) {
    check_web_is_whole_and_usable(store);
    const auto record = store.load(test_id(1));
    ASSERT_TRUE(record);
    const std::string name = record->name.str();
    ASSERT_TRUE(name == "web" || name == "site") << name;
    const ContainerName free(name == "web" ? "site" : "web");
    EXPECT_EQ(code_of(store.resolve(free.str())), Code::not_found);
    const auto reserved = store.reserve(test_id(2), free, "{}");
    EXPECT_TRUE(reserved) << describe(reserved.error());
    EXPECT_TRUE(store.remove(test_id(2), kAnyRevision));
    EXPECT_TRUE(store.rename(test_id(1), kWeb));
}

void check_remove(StateStore& store) {
    if (store.load(test_id(1))) return check_web_is_whole_and_usable(store);
    EXPECT_EQ(code_of(store.load(test_id(1))), Code::not_found);
    EXPECT_EQ(code_of(store.resolve("web")), Code::not_found);
    EXPECT_TRUE(store.remove(test_id(1), kAnyRevision));
    const auto again = store.reserve(test_id(1), kWeb, first_document());
    EXPECT_TRUE(again) << describe(again.error());
}

const std::vector<Killed>& killed_cases() {
    static const std::vector<Killed> cases = {
        {"save",
         [](StateStore& store) {
             return store.save(test_id(1), second_document(), kAnyRevision).has_value();
         },
         check_web_is_whole_and_usable},
        {"reserve",
         [](StateStore& store) {
             return store.reserve(test_id(2), ContainerName("new"), second_document()).has_value();
         },
         check_reserve},
        {"rename",
         [](StateStore& store) { return store.rename(test_id(1), ContainerName("site")).has_value(); },
         check_rename},
        {"remove", [](StateStore& store) { return store.remove(test_id(1), kAnyRevision).has_value(); },
         check_remove},
    };
    return cases;
}

// A sanitizer makes each take ten times as long, and what is killed tells it nothing.
constexpr unsigned kEachStop = test::is_sanitized() ? 7 : 1;

// Kills at the first stop, at the second, … until the work outruns the stops.
TEST_P(StateKilled, LeavesOldOrNewAtEverySystemCall) {
    given(test_id(9), "bystander", first_document());
    given(test_id(1), "web", first_document());
    for (const Killed& killed : killed_cases()) {
        unsigned stop = 0;
        Ended ended = Ended::killed;
        while (ended == Ended::killed && !HasFailure()) {
            stop += kEachStop;
            ended = run_until_call([&] { return killed.work(*open()); }, stop);
            if (ended == Ended::cannot_trace) GTEST_SKIP() << "processes cannot be traced here";
            SCOPED_TRACE(std::string(killed.name) + ", killed at stop " + std::to_string(stop));
            killed.check(*open());
            EXPECT_TRUE(open()->load(test_id(9)));
        }
        EXPECT_GT(stop, 4U) << killed.name << ": nothing was killed in the middle";
    }
}

// The very first reservation also makes the store's directories.
TEST_P(StateKilled, LeavesNoHalfMadeStore) {
    Ended ended = Ended::killed;
    for (unsigned stop = 1; ended == Ended::killed && !HasFailure(); stop += kEachStop) {
        std::filesystem::remove_all(data_dir());
        ended = run_until_call([&] { return open()->reserve(test_id(1), kWeb, "{}").has_value(); }, stop);
        if (ended == Ended::cannot_trace) GTEST_SKIP() << "processes cannot be traced here";
        SCOPED_TRACE("killed at stop " + std::to_string(stop));
        const auto later = open();
        EXPECT_TRUE(later->remove(test_id(1), kAnyRevision));
        const auto again = later->reserve(test_id(2), kWeb, "{}");
        EXPECT_TRUE(again) << describe(again.error());
        EXPECT_EQ(listed_names(*later), std::vector<std::string>{"web"});
    }
}

TEST_P(StateKilled, LeavesOldOrNewAtRandomMoments) {
    given(test_id(1), "web", first_document());
    std::minstd_rand random(12345);
    for (int round = 0; round < 60; ++round) {
        const pid_t writer = start_process([&] {
            const auto mine = open();
            for (unsigned i = 0;; ++i) {
                if (!mine->save(test_id(1), i % 2 == 0 ? second_document() : first_document(), kAnyRevision))
                    return false;
                if (!mine->rename(test_id(1), ContainerName(i % 2 == 0 ? "site" : "web"))) return false;
                if (!mine->reserve(test_id(2), ContainerName("new"), second_document())) return false;
                if (!mine->remove(test_id(2), kAnyRevision)) return false;
            }
        });
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
        kill_process(writer);

        const auto later = open();
        check_reserve(*later);
        check_rename(*later);
    }
}

// Ways to damage a file.
struct Damage {
    const char* name;
    std::function<void(const std::string&)> apply;
};

std::string content_of(const std::string& path) {
    return files::read_file(path).value_or("");
}

void overwrite(const std::string& path, const std::string& bytes) {
    ASSERT_TRUE(files::write_atomically(path, bytes)) << path;
}

const std::vector<Damage>& damages() {
    static const std::vector<Damage> list = {
        {"emptied", [](const std::string& path) { overwrite(path, ""); }},
        {"halved",
         [](const std::string& path) {
             const std::string content = content_of(path);
             overwrite(path, content.substr(0, content.size() / 2));
         }},
        {"one byte short",
         [](const std::string& path) {
             const std::string content = content_of(path);
             overwrite(path, content.substr(0, content.size() - std::min<std::size_t>(1, content.size())));
         }},
        {"zeroed",
         [](const std::string& path) { overwrite(path, std::string(content_of(path).size(), '\0')); }},
        {"zeroed in its second half",
         [](const std::string& path) {
             const std::string content = content_of(path);
             const std::size_t half = content.size() / 2;
             overwrite(path, content.substr(0, half) + std::string(content.size() - half, '\0'));
         }},
        {"changed in one bit",
         [](const std::string& path) {
             std::string content = content_of(path);
             if (!content.empty())
                 content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 4);
             overwrite(path, content);
         }},
        {"not JSON", [](const std::string& path) { overwrite(path, "\xff\xfe<html>\n"); }},
        {"nested deeply", [](const std::string& path) { overwrite(path, std::string(100'000, '[')); }},
        {"grown by two mebibytes",
         [](const std::string& path) { overwrite(path, content_of(path) + std::string(2U << 20U, 'x')); }},
        {"a FIFO",
         [](const std::string& path) {
             std::filesystem::remove(path);
             ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
         }},
        {"a directory",
         [](const std::string& path) {
             std::filesystem::remove(path);
             std::filesystem::create_directory(path);
         }},
        {"a link to nowhere",
         [](const std::string& path) {
             std::filesystem::remove(path);
             std::filesystem::create_symlink("/nowhere", path);
         }},
    };
    return list;
}

std::string marked_document(unsigned number) {
    return "{\"marker\":\"" + std::string(20, static_cast<char>('A' + number)) + "\"," +
           std::string(3000, ' ') + "\"end\":1}";
}

std::vector<std::string> regular_files(const std::string& directory) {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
        if (entry.is_regular_file() && !entry.is_symlink()) found.push_back(entry.path());
    std::ranges::sort(found);
    return found;
}

constexpr unsigned kMarked = 4;

// Every record is given whole or reported; those whose document was not in the file, whole.
void expect_told(StateStore& store, const std::string& damaged_content) {
    std::set<std::string> whole;
    std::set<std::string> reported;
    const auto walked = store.list([&](const ListedRecord& listed) -> Status {
        if (listed.record)
            whole.insert(listed.record->document);
        else
            reported.insert(listed.id.str());
        return {};
    });
    for (unsigned i = 0; i < kMarked; ++i) {
        const std::string document = marked_document(i);
        const bool exposed =
            damaged_content.find(std::string(20, static_cast<char>('A' + i))) != std::string::npos;
        const bool told = !walked || reported.contains(test_id(i).str());
        EXPECT_TRUE(whole.contains(document) || (exposed && told)) << "record " << i;
        whole.erase(document);
        const auto loaded = store.load(test_id(i));
        if (loaded)
            EXPECT_EQ(loaded->document, document);
        else
            EXPECT_TRUE(exposed && loaded.error().code != Code::not_found) << describe(loaded.error());
    }
    EXPECT_TRUE(whole.empty()) << "a record that nobody wrote: " << *whole.begin();
}

TEST_P(StateDamaged, TellsAndSparesTheOthers) {
    for (const Damage& damage : damages()) {
        for (std::size_t which = 0;; ++which) {
            std::filesystem::remove_all(data_dir());
            for (unsigned i = 0; i < kMarked; ++i)
                ASSERT_TRUE(
                    open()->reserve(test_id(i), ContainerName("n" + std::to_string(i)), marked_document(i)));
            const std::vector<std::string> paths = regular_files(data_dir());
            if (which >= paths.size()) break;
            SCOPED_TRACE(paths[which] + " " + damage.name);
            const std::string content = content_of(paths[which]);
            damage.apply(paths[which]);

            const auto start = std::chrono::steady_clock::now();
            expect_told(*open(), content);
            // Whatever they answer, they answer, and soon.
            (void)open()->save(test_id(0), "{}", kAnyRevision);
            (void)open()->remove(test_id(1), kAnyRevision);
            (void)open()->reserve(test_id(8), ContainerName("later"), "{}");
            EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
        }
    }
}

// Without a store among the drivers on the command line there is nothing to run.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateProcesses);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateKilled);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateDamaged);

INSTANTIATE_TEST_SUITE_P(Store, StateProcesses, testing::ValuesIn(subjects<StateStore>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Store, StateKilled, testing::ValuesIn(subjects<StateStore>()), SubjectName());
INSTANTIATE_TEST_SUITE_P(Store, StateDamaged, testing::ValuesIn(subjects<StateStore>()), SubjectName());

} // namespace
} // namespace mydocker::conformance
