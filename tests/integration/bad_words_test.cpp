// Bad input, continued from bad_input_test: what else the catalogue (tables A, D and G) names of words,
// files, records and commands. Each row has its exact exit code and what the message says, and nothing is
// left.
#include "support/exec_fixture.hpp"
#include "support/record_file.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>

namespace mydocker::test {
namespace {

namespace fs = std::filesystem;

// One line on standard error, and nothing on standard output.
void expect_complaint(const Outcome& outcome, int code, const std::string& pattern) {
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(outcome.err.starts_with("mydocker: ")) << outcome.err;
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    EXPECT_TRUE(matches(outcome.err, pattern)) << outcome.err;
}

// --- A: words ------------------------------------------------------------------------------------------

struct Slip {
    std::string name;
    std::vector<std::string> words;
    int code;
    std::string pattern; // of standard error
};

std::ostream& operator<<(std::ostream& out, const Slip& row) {
    return out << row.name;
}

std::vector<std::string> run_flagged(std::vector<std::string> flags) {
    flags.insert(flags.begin(), "run");
    flags.insert(flags.end(), {"busybox", "true"});
    return flags;
}

class SlippedWord : public EngineTest, public ::testing::WithParamInterface<Slip> {};

TEST_P(SlippedWord, IsRefusedInOneLine) {
    expect_complaint(mydocker(GetParam().words), GetParam().code, GetParam().pattern);
}

constexpr const char* kUnclosed = "--format: character 1: an action '\\{\\{' without its '\\}\\}'";
constexpr const char* kConflict = "conflicting options: --restart and --rm";
constexpr const char* kTwoVerbs = "no image 'run'.*default image 'busybox' have the command 'run'";

const std::vector<Slip> kSlips{
    {"A1FlagBeforeTheVerb", {"--naem", "x", "ps"}, 125, "^mydocker: unknown flag --naem"},
    {"A1LetterInABundle", {"ps", "-qz"}, 125, "ps: unknown flag -z in '-qz'"},
    {"A1NeitherTrueNorFalse", {"run", "--rm=maybe", "x"}, 125, "flag --rm: 'maybe' is neither true nor"},
    {"A1FamilyWithoutAVerb", {"plugin"}, 125, "plugin: needs one of: ls, info"},
    {"A2GlobalFlagWithoutValue", {"--root"}, 125, "^mydocker: flag --root needs a value"},
    {"A2ShortFlagWithoutValue", {"run", "-m"}, 125, "run: flag -m needs a value"},
    {"A2TwoVerbs", {"run", "--rm", "run"}, 125, kTwoVerbs},
    {"A2VersionOfSomething", {"version", "x"}, 125, "version: takes no operands"},
    {"A4SharesNegative", run_flagged({"-cpushare", "-5"}), 125, "cpu shares must be 2…262144, not -5"},
    {"A4CpusetHalf", run_flagged({"-cpuset", "0-"}), 125, "cpuset: '0-' is no list of CPUs; write 0-2,7"},
    {"A4CpusetBackwards", run_flagged({"-cpuset", "7-3"}), 125, "'7-3' runs backwards; write 3-7"},
    {"A4CpusetComma", run_flagged({"-cpuset", ","}), 125, "cpuset: ',' is no list of CPUs"},
    {"A4CpusetTooFar", run_flagged({"-cpuset", "0-999"}), 125, "CPU [0-9]+ does not exist \\(0.* do(es)?\\)"},
    {"A5NameEmpty", run_flagged({"--name", ""}), 125, "'' is no container name: it is empty"},
    {"A5NameNoUtf8", run_flagged({"--name", "\xff"}), 125, "'\\\\xff' is no container name"},
    {"A5NameEscape", run_flagged({"--name", "a\x1b[2J"}), 125, "'a\\\\x1b\\[2J' is no container name"},
    {"A8EnvEmpty", run_flagged({"-e", ""}), 125, "env: '' has no name before the '='"},
    {"A10RemoveAndRestart", run_flagged({"-d", "--rm", "--restart", "always"}), 125, kConflict},
    {"A10Policy", run_flagged({"--restart", "often"}), 125, "restart: 'often' is unknown; there are: no, "},
    {"A10Count", run_flagged({"--restart", "on-failure:x"}), 125, "restart: 'x' is no number of restarts"},
    {"A10WithoutTerminal", run_flagged({"-ti"}), 125, "-t needs a terminal on standard input; use -i alone"},
    {"A10ExecSo", {"exec", "-t", "x", "true"}, 125, "exec: -t needs a terminal on standard input"},
    {"A12Until", {"logs", "--until", "noon", "x"}, 125, "logs: until: 'noon' is no time; write 20.* or 10m"},
    {"A12EventsSince", {"events", "--since", "noon"}, 125, "events: since: 'noon' is no time"},
    {"A12Exited", {"ps", "-f", "exited=256"}, 125, "ps: filter: exited must be 0…255, not 256"},
    {"A12Events", {"events", "--until", "0s", "--format", "{{.Nope"}, 125, kUnclosed},
    {"A12Info", {"info", "--format", "{{.Nope"}, 125, kUnclosed},
    {"A12InfoField", {"info", "--format", "{{.Nope}}"}, 125, "unknown field 'Nope'; there are: Containers, "},
};

INSTANTIATE_TEST_SUITE_P(BadWords, SlippedWord, ::testing::ValuesIn(kSlips),
                         [](const auto& each) { return each.param.name; });

class Wording : public EngineTest {
  protected:
    void expect_each(const std::vector<Slip>& rows) {
        for (const Slip& row : rows) {
            SCOPED_TRACE(row.name);
            Outcome outcome = mydocker(row.words);
            if (outcome.out == "[]\n") outcome.out.clear(); // As docker's `inspect` says "none".
            expect_complaint(outcome, row.code, row.pattern);
        }
    }
};

// A2: without a verb there is nothing to do.
TEST_F(Wording, WithoutAVerbIsTheHelpAndAnError) {
    const Outcome outcome = mydocker({});

    EXPECT_EQ(outcome.exit_code, 125);
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(matches(outcome.err, "Usage: mydocker .*VERB")) << outcome.err;
}

// A2, of each verb that needs an operand.
TEST_F(Wording, EveryVerbSaysWhatItNeeds) {
    std::vector<Slip> rows{{"run", {}, 125, "run: needs an image name"},
                           {"create", {}, 125, "create: needs an image name"},
                           {"exec", {}, 125, "exec: needs a container and a command"},
                           {"attach", {}, 125, "attach: needs one container"},
                           {"logs", {}, 125, "logs: needs a container"},
                           {"rename", {}, 125, "rename: needs a container and its new name"},
                           {"inspect", {}, 125, "inspect: needs a name or an id"},
                           {"commit", {}, 125, "commit: needs a container and perhaps a name"},
                           {"cp", {}, 125, "cp: needs a source and a destination"},
                           {"rmi", {}, 125, "rmi: needs an image"},
                           {"import", {}, 125, "import: needs a tar archive \\(or -\\) and a name"},
                           {"completion", {}, 125, "completion: needs the name of a shell"}};
    for (const char* verb : {"start", "stop", "restart", "kill", "wait", "pause", "unpause", "rm", "top",
                             "update", "diff", "export"})
        rows.push_back({verb, {}, 125, std::string(verb) + ": needs a container"});
    for (Slip& row : rows)
        row.words = {row.name};

    expect_each(rows);
}

// Each verb about a container; `said` is what follows the verb's name in the message.
std::vector<Slip> about_container(const std::string& name, const std::string& said) {
    const std::string of = "container:" + name;
    std::vector<Slip> rows{
        {"exec", {"exec", name, "true"}, 125, "exec: " + said},
        {"start -a", {"start", "-a", name}, 125, "start: " + said},
        {"rename", {"rename", name, "x"}, 1, "rename: " + said},
        {"update", {"update", "-m", "64m", name}, 1, "update: " + said},
        {"stats", {"stats", "--no-stream", name}, 1, "stats: " + said},
        {"container inspect", {"container", "inspect", name}, 1, "container inspect: " + said},
        {"commit", {"commit", name, "x"}, 1, "commit: " + said},
        {"cp out", {"cp", name + ":/x", "."}, 1, "cp: " + said},
        {"cp in", {"cp", ".", name + ":/x"}, 1, "cp: " + said},
        {"ps", {"ps", "-f", "since=" + name}, 1, "ps: filter: " + said},
        {"pid", run_flagged({"--pid", of}), 125, "run: pid: " + said},
        {"ipc", run_flagged({"--ipc", of}), 125, "run: ipc: " + said},
        {"network", run_flagged({"--network", of}), 125, "run: network: " + said},
        {"volumes", run_flagged({"--volumes-from", name}), 125, "volumes-from: " + said}};
    for (const char* verb : {"start", "stop", "restart", "kill", "wait", "pause", "unpause", "rm", "top",
                             "logs", "attach", "diff", "export"})
        rows.push_back({verb, {verb, name}, 1, std::string(verb) + ": " + said});
    return rows;
}

// A6: no such.
TEST_F(Wording, EveryVerbNamesWhatIsNotThere) {
    expect_each(about_container("never-made", "no container 'never-made'"));
    expect_each(
        {{"inspect", {"inspect", "never-made"}, 1, "no container, image or volume 'never-made'"},
         {"image inspect", {"image", "inspect", "never-made"}, 1, "image inspect: no image 'never-made'"},
         {"volume inspect", {"volume", "inspect", "never-made"}, 1, "volume inspect: no volume 'never-made'"},
         {"rmi", {"rmi", "never-made"}, 1, "rmi: no image 'never-made'"}});
}

// A6: a prefix of two ids. Of the second container there is a record's file only, which is what counts.
TEST_F(Wording, EveryVerbNamesThoseThatAPrefixFits) {
    remove_at_end("twin");
    const std::string id = mydocker({"create", "--name", "twin", "busybox", "true"}).out.substr(0, 64);
    ASSERT_EQ(id.size(), 64U);
    const std::string prefix = id.substr(0, 6);
    std::string other = id;
    other[6] = id[6] == 'f' ? 'e' : 'f';
    write_text(RecordFile(root(), other).path(), "");

    expect_each(about_container(prefix, "state json-file: '" + prefix + "' fits " +
                                            std::min(id, other).substr(0, 12) + ", " +
                                            std::max(id, other).substr(0, 12)));

    fs::remove(RecordFile(root(), other).path());
    EXPECT_EQ(mydocker({"rm", prefix}).exit_code, 0) << "now it fits one";
}

// A8: files of variables and labels.
TEST_F(Wording, FilesOfVariablesAreRefusedWithTheLine) {
    const TempDir directory;
    const std::string path = directory / "file";
    const std::pair<std::string, std::string> rows[] = {
        {"a=1\n=x\n", ":2: there is no name before the '='"},
        {"# comment\n\na=1\nb c=2", ":4: the name 'b c' has a blank in it"},
        {std::string("a=1\r\nb=\0x\n", 10), ":2: it has a NUL byte in it"},
        {std::string("a\0b", 3), ":1: it has a NUL byte in it"},
        {std::string((1U << 20U) + 1, 'x'), "' is larger than 1048576 bytes"},
    };

    for (const auto& [text, said] : rows) {
        write_text(path, text);
        const std::string pattern = "-file.*" + path + said;
        expect_each({{said, run_flagged({"--env-file", path}), 125, "run: env" + pattern},
                     {said, {"exec", "--env-file", path, "x", "true"}, 125, "exec: env" + pattern},
                     {said, {"create", "--label-file", path, "x"}, 125, "create: label" + pattern}});
    }
}

// A11: the kernel takes no word of more than 128 KiB, but a file may have one.
TEST_F(Wording, AVariableThatIsTooLongCannotBeGivenToTheCommand) {
    const TempDir directory;
    write_text(directory / "env", "LONG=" + std::string(200'000, 'x') + "\n");

    expect_complaint(mydocker({"run", "--rm", "--env-file", directory / "env", "busybox", "true"}), 126,
                     "run: execute '/.*true': .* [0-9]{6} bytes: Argument list too long \\(E2BIG\\)");
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

// A11: were each of them compared with all others, that would take half a minute.
TEST_F(Wording, AHundredThousandVariablesAreGivenToTheCommand) {
    const TempDir directory;
    const int count = repeats(100'000);
    std::string text;
    for (int i = 0; i < count; ++i)
        text += "V" + std::to_string(i) + "=\n";
    write_text(directory / "env", text);

    const Outcome outcome = test::run(
        Command{.words = command({"run", "--rm", "--env-file", directory / "env", "busybox", "env"}),
                .input = {},
                .environment = {},
                .directory = {},
                .limit = std::chrono::seconds(15)});

    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(outcome.out.contains("\nV" + std::to_string(count - 1) + "=\n")) << outcome.out.size();
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

TEST_F(Wording, AnEmptyNameOfTheProgramIsNoMatter) {
    const auto nameless = [&](const std::vector<std::string>& words) {
        return test::run({"bash", "-c", "exec -a '' " + line(words)});
    };

    expect_complaint(nameless({"ps", "--naem"}), 125, "^mydocker: ps: unknown flag --naem");
    EXPECT_EQ(nameless({"run", "--rm", "busybox", "echo", "hi"}).out, "hi\n");
}

// --- D: records and what they speak of -----------------------------------------------------------------

// A container at rest, "odd". What is done to its record is undone at the end.
class OddRecord : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        if (IsSkipped()) return;
        remove_at_end("odd");
        id_ = mydocker({"create", "--name", "odd", "busybox", "echo", "well"}).out.substr(0, 64);
        ASSERT_EQ(id_.size(), 64U);
        original_ = record().bytes();
    }
    void TearDown() override {
        if (!original_.empty() && fs::exists(record().path())) mend();
        EngineTest::TearDown();
    }

    [[nodiscard]] RecordFile record() const { return {root(), id_}; }
    [[nodiscard]] const std::string& id() const { return id_; }
    void mend() const { record().set_bytes(original_); }

    // Without that part, as it is shown and removed but not started.
    void expect_only_removable_without(const std::string& part, const std::string& pattern) {
        fs::rename(part, part + ".away");

        const Outcome start = mydocker({"start", "-a", "odd"});
        const Outcome ps = mydocker({"ps", "-a"});
        const Outcome rm = mydocker({"rm", "odd"});

        std::error_code gone; // With the container.
        fs::rename(part + ".away", part, gone);
        expect_complaint(start, 125, "start: " + pattern);
        EXPECT_TRUE(matches(ps.out, "odd +- +Created")) << ps.out << ps.err;
        EXPECT_EQ(rm.exit_code, 0) << rm.err;
    }

  private:
    std::string id_;
    std::string original_;
};

struct OddDamage {
    std::string name;
    std::function<void(const RecordFile&)> inflict;
    std::string pattern;
};

std::ostream& operator<<(std::ostream& out, const OddDamage& row) {
    return out << row.name;
}

class UnreadableRecord : public OddRecord, public ::testing::WithParamInterface<OddDamage> {};

// S1, S2, S4 and S11: what is wrong is told, what belongs to the container stays, the record is rebuilt, and
// the container runs. What a newer version wrote is left to that.
TEST_P(UnreadableRecord, IsToldOfAndCostsTheContainerNothing) {
    GetParam().inflict(record());
    const bool is_newer = GetParam().name.starts_with("Newer");
    const std::string pattern = id().substr(0, 12) + ".*" + GetParam().pattern;

    const Outcome ps = mydocker({"ps", "-a"});
    const Outcome checked = mydocker({"system", "check"});
    const Outcome recovered = mydocker({"system", "recover"});

    EXPECT_EQ(ps.exit_code, 0);
    EXPECT_TRUE(matches(ps.err, "^mydocker: .*container " + pattern + ".*; see `mydocker system check`"))
        << ps.err;
    EXPECT_EQ(checked.exit_code, 1);
    EXPECT_TRUE(matches(checked.out, "record +" + pattern)) << checked.out << checked.err;
    EXPECT_EQ(recovered.exit_code, is_newer ? 1 : 0) << recovered.out << recovered.err;
    EXPECT_TRUE(matches(recovered.out, is_newer
                                           ? "record +" + pattern
                                           : id().substr(0, 12) + ": record rebuilt from its configuration"))
        << recovered.out << recovered.err;
    if (is_newer) mend();
    EXPECT_EQ(mydocker({"start", "-a", "odd"}).out, "well\n");
    EXPECT_EQ(mydocker({"system", "check"}).exit_code, 0);
}

// S11: a record that is gone altogether.
TEST_F(OddRecord, ThatIsGoneIsRebuiltFromWhatTheBundleSays) {
    ASSERT_TRUE(fs::remove(record().path()));
    EXPECT_TRUE(matches(mydocker({"system", "check"}).out, "bundle +" + id() + ".*no record knows it"));

    const Outcome recovered = mydocker({"system", "recover"});

    EXPECT_EQ(recovered.exit_code, 0) << recovered.out << recovered.err;
    EXPECT_TRUE(matches(recovered.out, "record rebuilt from its configuration, as 'odd'")) << recovered.out;
    EXPECT_EQ(mydocker({"start", "-a", "odd"}).out, "well\n");
    EXPECT_TRUE(matches(mydocker({"logs", "odd"}).out, "well"));
}

// Nothing proves it: the bundle without its configuration, or the configuration without its layer.
TEST_F(OddRecord, ThatIsGoneIsNotRebuiltFromHalfAContainer) {
    const std::string layer = root() + "/storage/overlayfs/rw/" + id();
    if (!fs::exists(layer)) GTEST_SKIP() << "another storage driver serves here";
    fs::rename(record().path(), root() + "/record");
    for (const std::string& part : {root() + "/containers/" + id() + "/config.json", layer}) {
        fs::rename(part, root() + "/away");

        const Outcome recovered = mydocker({"system", "recover"});

        fs::rename(root() + "/away", part);
        EXPECT_EQ(recovered.exit_code, 1) << part;
        EXPECT_FALSE(matches(recovered.out, "rebuilt")) << part << recovered.out;
    }
    fs::rename(root() + "/record", record().path());
    EXPECT_EQ(mydocker({"start", "-a", "odd"}).out, "well\n");
}

TEST_F(OddRecord, OfARunningContainerIsNotRebuiltUnderIt) {
    const std::string live = start_detached("live", {}, {"sleep", "1000"});
    const RecordFile damaged(root(), live);
    const std::string sound = damaged.bytes();
    damaged.set_bytes("");

    const Outcome recovered = mydocker({"system", "recover"});

    EXPECT_EQ(recovered.exit_code, 1);
    EXPECT_FALSE(matches(recovered.out, "rebuilt")) << recovered.out;
    damaged.set_bytes(sound);
    EXPECT_EQ(mydocker({"exec", "live", "echo", "on"}).out, "on\n");
}

// What lies among the records and is none, is nobody's business.
TEST_F(OddRecord, BesideAFileThatIsNoneCostsNobodyAnything) {
    const std::string live = start_detached("live", {}, {"sleep", "1000"});
    write_text(root() + "/state/json-file/records/README", "not a record\n");

    (void)mydocker({"system", "recover"});
    (void)mydocker({"system", "recover", "--orphans"});

    fs::remove(root() + "/state/json-file/records/README");
    EXPECT_TRUE(fs::exists(run_root() + "/" + live + "/lock"));
    EXPECT_EQ(mydocker({"exec", "live", "echo", "on"}).out, "on\n");
    EXPECT_EQ(mydocker({"start", "-a", "odd"}).out, "well\n");
}

// Its container is no orphan of the store that is asked today.
TEST_F(OddRecord, OfAnotherStoreIsLeftToThat) {
    const Outcome recovered = mydocker({"--state-driver", "sqlite", "system", "recover"});
    const Outcome orphans = mydocker({"--state-driver", "sqlite", "system", "recover", "--orphans"});

    EXPECT_EQ(recovered.out + orphans.out, "nothing is wrong\nnothing is wrong\n");
    EXPECT_EQ(mydocker({"--state-driver", "sqlite", "ps", "-aq"}).out, "");
    EXPECT_EQ(mydocker({"start", "-a", "odd"}).out, "well\n");
    fs::remove_all(root() + "/state/sqlite");
}

const std::vector<OddDamage> kOddDamages{
    {"Empty", [](const RecordFile& file) { file.set_bytes(""); }, "damaged at byte 0 \\(the file is empty"},
    {"NotUtf8Inside", [](const RecordFile& file) { file.replace("\"busybox\"", "\"\xff\""); },
     "JSON damaged at byte [0-9]+"},
    {"NameOfAPath", [](const RecordFile& file) { file.set_document(file.document(), "../../etc"); },
     "damaged at byte [0-9]+ \\(expected a name\\)"},
    {"IntentOfAPath", [](const RecordFile& file) { file.set_member("storage", "\"../../../etc\""); },
     "'intents' names '../../../etc' for its storage, which is not this container's"},
    {"NewerDocument", [](const RecordFile& file) { file.set_member("schema", "99"); },
     "written by a newer mydocker \\(schema 99; this one knows up to 1\\)"},
};

INSTANTIATE_TEST_SUITE_P(S11, UnreadableRecord, ::testing::ValuesIn(kOddDamages),
                         [](const auto& each) { return each.param.name; });

// S5: what the message of a shared name advises.
TEST_F(OddRecord, OneOfTwoWithOneNameIsRenamedByItsId) {
    remove_at_end("even");
    ASSERT_EQ(mydocker({"create", "--name", "even", "busybox", "true"}).exit_code, 0);
    record().set_document(record().document(), "even");
    ASSERT_TRUE(matches(mydocker({"ps", "-a"}).err, "rename one of them by its id"));

    EXPECT_EQ(mydocker({"rename", id(), "third"}).exit_code, 0);

    const Outcome ps = mydocker({"ps", "-a", "--format", "{{.Names}}"});
    EXPECT_EQ(ps.out, "even\nthird\n");
    EXPECT_EQ(ps.err, "");
    EXPECT_EQ(mydocker({"rm", "third"}).exit_code, 0);
    fs::remove(root() + "/state/json-file/names/odd"); // Whose name it was, the record no longer said.
}

// S7: another thing where the store's directory should be.
TEST_F(OddRecord, OfAStoreThatIsNoDirectoryIsLeftAlone) {
    const std::string store = root() + "/state/json-file";
    fs::rename(store, store + ".away");
    write_text(store, "");
    const std::string said = ": state json-file: .*'" + store + "': Not a directory \\(ENOTDIR\\)";

    expect_complaint(mydocker({"ps", "-a"}), 125, "ps" + said);
    expect_complaint(mydocker({"rm", "odd"}), 125, "rm" + said);
    expect_complaint(mydocker({"rename", "odd", "even"}), 125, "rename" + said);
    EXPECT_EQ(mydocker({"inspect", "odd"}).exit_code, 125);
    EXPECT_EQ(mydocker({"start", "odd"}).exit_code, 125);
    expect_complaint(mydocker({"create", "busybox"}), 125, "create" + said);

    fs::remove(store);
    fs::rename(store + ".away", store);
    EXPECT_EQ(mydocker({"start", "-a", "odd"}).out, "well\n");
}

// S10: parts of a container that are gone.
TEST_F(OddRecord, WithoutItsLogTheContainerCanOnlyBeRemoved) {
    const std::string directory = root() + "/containers/" + id() + "/logs";

    expect_only_removable_without(directory, ".*'" + directory + "'.*No such file or directory \\(ENOENT\\)");
}

TEST_F(OddRecord, WithoutItsFileOfHostsTheContainerCanOnlyBeRemoved) {
    const std::string file = root() + "/containers/" + id() + "/hosts";

    expect_only_removable_without(file, ".*'" + file + "'.*No such file or directory \\(ENOENT");
}

TEST_F(OddRecord, WithoutTheLayersOfItsImageTheContainerCanOnlyBeRemoved) {
    const std::string driver = root() + "/storage/overlayfs";
    if (!fs::exists(driver + "/rw/" + id())) GTEST_SKIP() << "another storage driver serves here";

    expect_only_removable_without(driver + "/layers", ".*overlay.*No such file or directory \\(ENOENT\\)");
}

// S9: an older state of the root comes back, as from a backup; of this boot, at worst.
TEST_F(Wording, WhatComesBackFromABackupIsThereAndAtRest) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"create", "--name", "again", "busybox", "true"},
          {"run", "--name", "again", "busybox", "true"},
          {"run", "-d", "--name", "again", "busybox", "sleep", "1000"}}) {
        SCOPED_TRACE(words.front() + " " + words[1]);
        const TempDir backup;
        remove_at_end("again");
        ASSERT_EQ(mydocker(words).exit_code, 0);
        const std::string id = member(mydocker({"inspect", "again"}).out, "Id");
        const std::string there = "cd '" + root() + "' && ";
        const std::string file = " '" + (backup / "tar") + "'";
        const std::string find = "find . -name " + id + " -o -name again";
        ASSERT_EQ(test::run({"bash", "-c", there + find + " | tar -T - -cf" + file}).exit_code, 0);
        ASSERT_EQ(mydocker({"rm", "-f", "again"}).exit_code, 0);
        ASSERT_EQ(test::run({"bash", "-c", there + "tar -xf" + file}).exit_code, 0);

        const Outcome ps = mydocker({"ps", "-a"});

        EXPECT_EQ(ps.exit_code, 0) << ps.err;
        EXPECT_TRUE(matches(ps.out, "again +- +(Created|Exited)")) << ps.out << ps.err;
        EXPECT_EQ(mydocker({"rm", "again"}).exit_code, 0);
    }
}

// --- G: commands ---------------------------------------------------------------------------------------

struct OddCommand {
    std::string prepare;            // a shell line in the container
    std::vector<std::string> words; // of exec
    int code;
    std::string pattern;
};

const OddCommand kOddCommands[] = {
    // G1: PATH is empty.
    {":", {"-e", "PATH=", "box", "sh"}, 127, "'sh' is not found in PATH=\n"},
    // G2: no program, and where none is executed.
    {":", {"box", "/dev/null"}, 126, "'/dev/null' is not a regular file"},
    {"ln -s /l /l", {"box", "/l"}, 126, "execute '/l': too many links.*\\(ELOOP\\)"},
    {"cp /bin/busybox /dev/shm/x", {"box", "/dev/shm/x"}, 126, "'.*/x' is on a filesystem mounted noexec"},
    // G3: scripts of scripts.
    {"for i in 0 1 2 3 4 5 6; do echo \"#!/$((i+1))\" >/$i; chmod 755 /$i; done; cp /bin/busybox /7",
     {"box", "/0"},
     126,
     "execute '/0': .*interpreters of interpreters.*\\(ELOOP\\)"},
    // G7: user, group and directory.
    {":",
     {"-u", "root:nobodies", "box", "true"},
     126,
     "there is no group 'nobodies' in the image's /etc/group"},
    {":", {"-u", "4294967295", "box", "true"}, 125, "'4294967295' is no user id; write 0 to 42949672"},
    {":", {"-w", "/no", "box", "true"}, 126, "working directory '/no': No such file .*\\(ENOENT\\)"},
    {"mkdir -m 700 /c",
     {"-u", "1", "-w", "/c", "box", "true"},
     126,
     "working directory '/c': .*\\(EACCES\\)"},
};

TEST_F(Exec, SaysWhyAFurtherCommandCannotBeInvoked) {
    for (const OddCommand& row : kOddCommands) {
        SCOPED_TRACE(row.pattern);
        ASSERT_EQ(in_box(row.prepare).exit_code, 0);
        std::vector<std::string> words = row.words;
        words.insert(words.begin(), "exec");

        expect_complaint(mydocker(words), row.code, "exec: " + row.pattern);
    }
    EXPECT_EQ(mydocker({"exec", "box", "true"}).exit_code, 0);
}

// G8: a filter that lets nothing be executed.
TEST_F(Wording, AFilterAgainstExecveIsSuspected) {
    const TempDir directory;
    const std::string profile = directory / "none.json";
    write_text(profile, R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["execve","execveat"],"action":"SCMP_ACT_ERRNO"}]})");

    expect_complaint(mydocker(run_flagged({"--rm", "--security-opt", "seccomp=" + profile})), 126,
                     "run: execute '/.*true': denied, perhaps by the seccomp profile: .*\\(EPERM\\)");
}

// G9: stopped by a signal it is still there, and ends like any other.
TEST_F(Exec, AStoppedFirstProcessIsShownAndEnds) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"stop", "-t", "0", "box"}, {"kill", "box"}, {"rm", "-f", "box"}}) {
        SCOPED_TRACE(words.front());
        start({});
        const std::string stat = "/proc/" + pid() + "/stat";
        ASSERT_EQ(mydocker({"kill", "-s", "STOP", "box"}).exit_code, 0);
        EXPECT_TRUE(eventually([&] { return content_of(stat).contains(") T "); })) << content_of(stat);
        EXPECT_TRUE(matches(mydocker({"ps"}).out, "box +[0-9]+ +Up"));

        EXPECT_EQ(mydocker(words).exit_code, 0);

        EXPECT_EQ(mydocker({"ps", "-q"}).out, "");
        EXPECT_EQ(mydocker({"wait", "box"}).out, "137\n");
    }
}

} // namespace
} // namespace mydocker::test
