// Records that a bad disk or another version wrote, and a store that is not as it was left: `ps` shows the
// others and says what is wrong, verbs on the damaged one fail in words. Records that lie: state_lies_test.
#include "support/engine_fixture.hpp"
#include "support/record_file.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

bool is_one_line(const std::string& text) {
    return text.ends_with('\n') && std::count(text.begin(), text.end(), '\n') == 1;
}

// "sound" and "damaged", both created; the damage is taken back at the end, so that both can go.
class StateTable : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        sound_ = create("sound");
        damaged_ = create("damaged");
        ASSERT_EQ(damaged_.size(), 64U);
        original_ = record().bytes();
    }

    void TearDown() override {
        if (original_.empty()) return EngineTest::TearDown(); // There is no record.
        // What was removed in the test stays removed.
        std::error_code error;
        if (fs::symlink_status(record().path(), error).type() != fs::file_type::not_found) {
            fs::remove_all(record().path(), error);
            record().set_bytes(original_);
            ::chmod(record().path().c_str(), 0600);
        }
        EngineTest::TearDown();
    }

    std::string create(const std::string& name) {
        remove_at_end(name);
        const Outcome outcome = mydocker({"create", "--name", name, "busybox", "sleep", "1000"});
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        return outcome.out.substr(0, outcome.out.find('\n'));
    }

    [[nodiscard]] RecordFile record() const { return {root(), damaged_}; }
    [[nodiscard]] std::string short_id() const { return damaged_.substr(0, 12); }
    [[nodiscard]] static std::string name_entry(const std::string& name) {
        return root() + "/state/json-file/names/" + name;
    }
    [[nodiscard]] const std::string& sound() const { return sound_; }
    [[nodiscard]] const std::string& damaged() const { return damaged_; }

    // ps answers, warns of the damaged one and lists the sound one alone.
    void expect_warning(const std::string& pattern) {
        const Outcome ps = mydocker({"ps", "-a"});
        EXPECT_EQ(ps.exit_code, 0);
        EXPECT_TRUE(is_one_line(ps.err)) << ps.err;
        EXPECT_TRUE(ps.err.starts_with("mydocker: ")) << ps.err;
        EXPECT_TRUE(matches(ps.err, short_id())) << ps.err;
        EXPECT_TRUE(matches(ps.err, pattern)) << ps.err;
        EXPECT_TRUE(matches(ps.out, "sound +- +Created")) << ps.out;
        EXPECT_FALSE(matches(ps.out, "damaged")) << ps.out;
    }

    void expect_refusal(const std::vector<std::string>& words, int code, const std::string& pattern) {
        const Outcome outcome = mydocker(words);
        EXPECT_EQ(outcome.exit_code, code) << words.front() << ": " << outcome.err;
        EXPECT_TRUE(is_one_line(outcome.err)) << words.front() << ": " << outcome.err;
        EXPECT_TRUE(outcome.err.starts_with("mydocker: " + words.front() + ": ")) << outcome.err;
        EXPECT_TRUE(matches(outcome.err, pattern)) << words.front() << ": " << outcome.err;
    }

    void expect_refusals(const std::string& pattern) {
        for (const std::string verb : {"inspect", "stop", "kill", "logs", "rm", "wait"})
            expect_refusal({verb, damaged_}, 1, pattern);
        expect_refusal({"start", damaged_}, 1, pattern);
        expect_refusal({"inspect", "damaged"}, 1, pattern);
    }

  private:
    std::string sound_;
    std::string damaged_;
    std::string original_;
};

// --- S1, S2, S4: files that cannot be believed ------------------------------------------------------

struct Damage {
    std::string name;
    std::function<void(const RecordFile&)> inflict;
    std::string pattern;
};

std::ostream& operator<<(std::ostream& out, const Damage& row) {
    return out << row.name;
}

class DamagedRecord : public StateTable, public ::testing::WithParamInterface<Damage> {};

TEST_P(DamagedRecord, HurtsNobodyElse) {
    GetParam().inflict(record());

    expect_warning(GetParam().pattern);
    expect_refusals(GetParam().pattern);

    EXPECT_EQ(mydocker({"start", "sound"}).exit_code, 0);
    EXPECT_EQ(mydocker({"rm", "-f", "sound"}).exit_code, 0);
}

// What a newer version wrote is not damaged.
TEST_P(DamagedRecord, GoesWithRmForceAndItsFilesWhenAskedTo) {
    const bool stays = GetParam().name.starts_with("Newer");
    const std::string bundle = root() + "/containers/" + damaged();
    ignore("/names/damaged"); // An entry that no record bears out.
    GetParam().inflict(record());
    ASSERT_TRUE(fs::exists(bundle));

    const Outcome removed = mydocker({"rm", "-f", damaged()});

    EXPECT_EQ(removed.exit_code, stays ? 1 : 0) << removed.err;
    EXPECT_EQ(fs::symlink_status(record().path()).type() == fs::file_type::not_found, !stays);
    if (stays) return;
    EXPECT_TRUE(matches(removed.err, "recover --orphans")) << removed.err;
    EXPECT_EQ(mydocker({"ps", "-a"}).err, "");
    EXPECT_TRUE(fs::exists(bundle));
    EXPECT_EQ(mydocker({"system", "recover", "--orphans"}).exit_code, 0);
    EXPECT_FALSE(fs::exists(bundle));
}

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

std::function<void(const RecordFile&)> member_is(const std::string& key, const std::string& json) {
    return [=](const RecordFile& file) { file.set_member(key, json); };
}

std::function<void(const RecordFile&)> document_is(const std::string& document) {
    return [=](const RecordFile& file) { file.set_document(document); };
}

const std::vector<Damage> kDamages{
    {"Empty", [](const RecordFile& file) { file.set_bytes(""); }, "record damaged at byte 0"},
    {"HalfAHeader", [](const RecordFile& file) { file.set_bytes(file.bytes().substr(0, 50)); },
     "record damaged at byte [0-9]+"},
    {"HalfADocument",
     [](const RecordFile& file) { file.set_bytes(file.bytes().substr(0, file.bytes().size() / 2)); },
     "record damaged at byte [0-9]+ \\(the document has"},
    {"AFlippedBit",
     [](const RecordFile& file) {
         std::string bytes = file.bytes();
         bytes[bytes.size() - 9] = static_cast<char>(bytes[bytes.size() - 9] ^ 1);
         file.set_bytes(bytes);
     },
     "the sum does not fit"},
    {"FilledWithNul", [](const RecordFile& file) { file.set_bytes(std::string(file.bytes().size(), '\0')); },
     "record damaged at byte 0"},
    {"NotUtf8", [](const RecordFile& file) { file.set_bytes("\xff\xfe\x80garbage"); },
     "record damaged at byte 0"},
    {"Large", [](const RecordFile& file) { file.set_bytes(std::string(3U << 20U, '{')); }, "record|bytes"},
    {"DocumentEmpty", document_is(""), "damaged"},
    {"DocumentHalfJson", document_is("{\"schema\":1,\"id\":\"abc"), "damaged"},
    {"DocumentNested", document_is(nested(10000)), "nested deeper than [0-9]+"},
    {"DocumentNestedObjects", document_is("{\"schema\":1,\"a\":" + nested(10000) + "}"),
     "nested deeper than [0-9]+"},
    {"DocumentAList", document_is("[1,2,3]"), "'schema' is missing"},
    {"DuplicateKeys",
     [](const RecordFile& file) { file.replace("\"schema\":1", "\"schema\":1,\"schema\":1"); },
     "'schema' occurs twice"},
    {"PidAWord", member_is("pid", "\"x\""), "'process'"},
    {"PidOne", member_is("pid", "1"), "impossible pid"},
    {"PidNegative", member_is("pid", "-1"), "impossible pid"},
    {"PidHuge", member_is("pid", "99999999999"), "'process'"},
    {"PidFraction", member_is("pid", "12.5"), "'process'"},
    {"StateUnknown", member_is("state", "\"dreaming\""), "'state' is 'dreaming'"},
    {"TransitionUnknown", member_is("transition", "\"maybe\""), "'transition' is 'maybe'"},
    {"ExitCodeOutOfRange", member_is("exit_code", "1000"), "'exit_code' is out of range"},
    {"StateMissing", [](const RecordFile& file) { file.replace("\"state\":", "\"stat\":"); }, "state"},
    {"CommandAText", [](const RecordFile& file) { file.replace("[\"sleep\",\"1000\"]", "\"sleep\""); },
     "command"},
    {"OtherId", member_is("id", "\"" + std::string(64, 'a') + "\""), "not this container's"},
    {"IdAPath", member_is("id", "\"../../etc\""), "not this container's"},
    {"NewerDocument", member_is("schema", "99"), "newer mydocker \\(schema 99; this one knows up to 1\\)"},
    {"NewerFile",
     [](const RecordFile& file) {
         std::string bytes = file.bytes();
         file.set_bytes(bytes.replace(bytes.find("\"schema\":1"), 10, "\"schema\":99"));
     },
     "newer mydocker \\(schema 99; this one knows up to 1\\)"},
    // S3: things that are no file of ours.
    {"ASymlink",
     [](const RecordFile& file) {
         fs::remove(file.path());
         fs::create_symlink("/etc/hostname", file.path());
     },
     "regular file"},
    {"AFifo",
     [](const RecordFile& file) {
         fs::remove(file.path());
         ::mkfifo(file.path().c_str(), 0600);
     },
     "regular file"},
    {"ADirectory",
     [](const RecordFile& file) {
         fs::remove(file.path());
         fs::create_directory(file.path());
     },
     "regular file"},
    {"ADevice",
     [](const RecordFile& file) {
         fs::remove(file.path());
         ::mknod(file.path().c_str(), S_IFCHR | 0600, 0x501 /* 5:1, the console */);
     },
     "regular file"},
    {"AnotherUsers", [](const RecordFile& file) { (void)!::chown(file.path().c_str(), 1000, 1000); },
     "regular file|user"},
};

INSTANTIATE_TEST_SUITE_P(S1toS4, DamagedRecord, ::testing::ValuesIn(kDamages),
                         [](const auto& each) { return each.param.name; });

// --- S5: two records with one name ------------------------------------------------------------------

TEST_F(StateTable, ASharedNameIsToldAndBothAreWithinReachById) {
    record().set_document(record().document(), "sound");

    const Outcome ps = mydocker({"ps", "-a"});
    EXPECT_EQ(ps.exit_code, 0);
    EXPECT_TRUE(matches(ps.err, "name 'sound' belongs to .*" + sound().substr(0, 12))) << ps.err;
    EXPECT_TRUE(matches(ps.err, "name 'sound' belongs to .*" + short_id())) << ps.err;

    EXPECT_EQ(mydocker({"inspect", sound()}).exit_code, 0);
    EXPECT_EQ(mydocker({"inspect", damaged()}).exit_code, 0);
    EXPECT_EQ(mydocker({"rm", damaged()}).exit_code, 0);
    EXPECT_TRUE(matches(mydocker({"ps", "-a"}).out, "sound +- +Created"));
    fs::remove(name_entry("damaged")); // Whose name it was, the record no longer said.
}

TEST_F(StateTable, AnIndexThatPointsElsewhereIsOverruledByTheRecords) {
    const fs::path target = fs::read_symlink(name_entry("damaged"));
    fs::remove(name_entry("sound"));
    fs::create_symlink(target, name_entry("sound"));

    EXPECT_EQ(member(mydocker({"inspect", "sound"}).out, "Id"), sound());
    EXPECT_EQ(member(mydocker({"inspect", "damaged"}).out, "Id"), damaged());
    EXPECT_EQ(mydocker({"rm", "sound"}).exit_code, 0);
    fs::remove(name_entry("sound"));
}

TEST_F(StateTable, AnIndexThatIsGoneIsMadeAgain) {
    fs::remove_all(root() + "/state/json-file/names");

    EXPECT_EQ(member(mydocker({"inspect", "sound"}).out, "Id"), sound());
    const Outcome taken = mydocker({"create", "--name", "sound", "busybox", "true"});
    EXPECT_EQ(taken.exit_code, 125);
    EXPECT_TRUE(matches(taken.err, "name 'sound' is used by")) << taken.err;
}

TEST_F(StateTable, AFileThatIsNoRecordIsToldAndPassedOver) {
    const std::string stray = root() + "/state/json-file/records/README";
    write_text(stray, "hello");

    const Outcome ps = mydocker({"ps", "-a"});
    fs::remove(stray);

    EXPECT_EQ(ps.exit_code, 0);
    EXPECT_TRUE(matches(ps.err, "README")) << ps.err;
    EXPECT_TRUE(matches(ps.out, "sound") && matches(ps.out, "damaged")) << ps.out;
}

// --- S7: the store itself ---------------------------------------------------------------------------

TEST_F(StateTable, AReadOnlyStoreIsReadAndRefusesChanges) {
    const std::string remount =
        "mount --bind " + root() + " " + root() + " && mount -o remount,ro,bind " + root();
    const auto on_read_only = [&](const std::vector<std::string>& words) {
        return test::run({"unshare", "-m", "sh", "-c", remount + " && " + line(words)});
    };

    const Outcome ps = on_read_only({"ps", "-a"});
    const Outcome create = on_read_only({"create", "busybox", "true"});
    const Outcome rm = on_read_only({"rm", "sound"});

    EXPECT_EQ(ps.exit_code, 0) << ps.err;
    EXPECT_TRUE(matches(ps.out, "sound")) << ps.out;
    EXPECT_EQ(create.exit_code, 125);
    EXPECT_TRUE(matches(create.err, "Read-only file system \\(EROFS\\)")) << create.err;
    EXPECT_EQ(rm.exit_code, 1);
    EXPECT_TRUE(matches(rm.err, "Read-only file system \\(EROFS\\)")) << rm.err;
    EXPECT_EQ(mydocker({"inspect", "sound"}).exit_code, 0);
}

class NoStore : public EngineTest {};

TEST_F(NoStore, IsEmptyAndMadeWhenNeeded) {
    const TempDir directory;
    const std::vector<std::string> roots{stage() + "/bin/mydocker", "--root", directory / "root",
                                         "--run-root", directory / "run"};
    const auto mydocker_there = [&](std::vector<std::string> words) {
        words.insert(words.begin(), roots.begin(), roots.end());
        return test::run(words);
    };

    const Outcome first = mydocker_there({"ps", "-a"});
    EXPECT_EQ(first.exit_code, 0);
    EXPECT_TRUE(matches(first.out, "^ID +NAME +PID .*\n$")) << first.out;
    EXPECT_EQ(first.err, "");
    EXPECT_EQ(mydocker_there({"create", "--name", "first", "busybox", "true"}).exit_code, 0);
    fs::remove_all(directory / "root/state");
    const Outcome ps = mydocker_there({"ps", "-a"});

    EXPECT_EQ(ps.exit_code, 0) << ps.err;
    EXPECT_EQ(ps.err, "");
    EXPECT_EQ(mydocker_there({"rm", "first"}).exit_code, 1);
}

// --- S10: what a record speaks of is gone -----------------------------------------------------------

TEST_F(StateTable, WithoutItsWritableLayerAContainerCanOnlyBeRemoved) {
    for (const auto& driver : fs::directory_iterator(root() + "/storage"))
        fs::remove_all(driver.path() / "rw" / damaged());

    const Outcome start = mydocker({"start", "-a", "damaged"});

    EXPECT_EQ(start.exit_code, 125);
    EXPECT_TRUE(is_one_line(start.err)) << start.err;
    EXPECT_TRUE(matches(start.err, "storage .*layer")) << start.err;
    EXPECT_TRUE(matches(mydocker({"ps", "-a"}).out, "damaged +- +Created"));
    EXPECT_EQ(mydocker({"rm", "damaged"}).exit_code, 0);
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, sound().substr(0, 12) + "\n");
}

TEST_F(StateTable, WithoutItsBundleAContainerCanOnlyBeRemoved) {
    fs::remove_all(root() + "/containers/" + damaged());

    const Outcome start = mydocker({"start", "-a", "damaged"});

    EXPECT_EQ(start.exit_code, 125);
    EXPECT_TRUE(is_one_line(start.err)) << start.err;
    EXPECT_TRUE(matches(start.err, "config.json")) << start.err;
    EXPECT_EQ(mydocker({"logs", "damaged"}).exit_code, 0);
    EXPECT_EQ(mydocker({"rm", "damaged"}).exit_code, 0);
}

TEST_F(StateTable, ADamagedConfigurationIsNamed) {
    write_text(root() + "/containers/" + damaged() + "/config.json", "{\"ociVersion\":");

    const Outcome start = mydocker({"start", "-a", "damaged"});

    EXPECT_EQ(start.exit_code, 125);
    EXPECT_TRUE(matches(start.err, "config.json")) << start.err;
    EXPECT_EQ(mydocker({"rm", "damaged"}).exit_code, 0);
}

} // namespace
} // namespace mydocker::test
