// The fixture of the integration tests.
#include "support/engine_fixture.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>

namespace mydocker::test {
namespace {

std::unique_ptr<TempDir>& shared() {
    static std::unique_ptr<TempDir> directory;
    return directory;
}

// The leak meter counts all of the machine's containers: one test at a time, whoever else runs tests here.
UniqueFd lock_machine() {
    const std::string path = std::filesystem::temp_directory_path().string() + "/mydocker-test.lock";
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    while (fd && ::flock(fd.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    return fd;
}

// Set with the suite's directory, and only read by its tests: some have threads.
std::string& root_path() {
    static std::string path;
    return path;
}

std::string& run_root_path() {
    static std::string path;
    return path;
}

} // namespace

std::string stage() {
    const char* given = std::getenv("MYDOCKER_STAGE");
    return given != nullptr ? given : MYDOCKER_TEST_STAGE;
}

const std::string& EngineTest::root() {
    return root_path();
}

const std::string& EngineTest::run_root() {
    return run_root_path();
}

std::vector<std::string> EngineTest::command(const std::vector<std::string>& words) const {
    std::vector<std::string> all{stage() + "/bin/mydocker", "--root", root(), "--run-root", run_root()};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

std::string EngineTest::line(const std::vector<std::string>& words) const {
    std::string text;
    for (const std::string& word : command(words))
        text += "'" + word + "' ";
    return text;
}

void EngineTest::SetUpTestSuite() {
    if (missing(Need::root)) return;
    const UniqueFd machine = lock_machine();
    shared() = std::make_unique<TempDir>();
    root_path() = *shared() / "root";
    run_root_path() = *shared() / "run";
    // The image is unpacked, and everything that stays has been made, before anything is measured.
    const std::vector<std::string> roots{stage() + "/bin/mydocker", "--root", root(), "--run-root",
                                         run_root()};
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"run", "--rm", "busybox", "true"}, {"volume", "rm", "-f", "none"}}) {
        std::vector<std::string> all = roots;
        all.insert(all.end(), words.begin(), words.end());
        (void)run(all);
    }
}

void EngineTest::TearDownTestSuite() {
    shared().reset();
}

void EngineTest::SetUp() {
    if (auto why = missing(Need::root)) GTEST_SKIP() << *why;
    machine_ = lock_machine();
    meter_ = std::make_unique<LeakMeter>(std::vector<std::string>{root(), run_root()}, stage());
    ignore("/content/cache"); // Emptied with every change of the images, and made anew by the next look.
}

void EngineTest::TearDown() {
    if (!is_set_up()) return;
    for (const std::string& name : to_remove_)
        (void)mydocker({"rm", "-f", name});
    EXPECT_EQ(meter_->difference(), "");
    machine_.reset();
}

Outcome EngineTest::mydocker(const std::vector<std::string>& words, const std::string& input) {
    return run(Command{.words = command(words), .input = input, .environment = {}, .directory = {}});
}

Outcome EngineTest::mydocker_with(const std::vector<std::string>& environment,
                                  const std::vector<std::string>& words) {
    return run(Command{.words = command(words), .input = {}, .environment = environment, .directory = {}});
}

Outcome EngineTest::shell(std::vector<std::string> flags, const std::string& script) {
    flags.insert(flags.begin(), {"run", "--rm"});
    flags.insert(flags.end(), {"busybox", "sh", "-c", script});
    return mydocker(flags);
}

std::string EngineTest::start_detached(const std::string& name, const std::vector<std::string>& flags,
                                       const std::vector<std::string>& command) {
    std::vector<std::string> words{"run", "-d"};
    if (!name.empty()) words.insert(words.end(), {"--name", name});
    words.insert(words.end(), flags.begin(), flags.end());
    words.emplace_back("busybox");
    words.insert(words.end(), command.begin(), command.end());
    const Outcome outcome = mydocker(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    std::string id = outcome.out.substr(0, outcome.out.find('\n'));
    if (!id.empty()) EngineTest::remove_at_end(id);
    return id;
}

std::string member(const std::string& json, const std::string& key) {
    const std::string needle = "\"" + key + "\": ";
    const auto at = json.find(needle);
    if (at == std::string::npos) return {};
    std::size_t begin = at + needle.size();
    const bool quoted = json[begin] == '"';
    if (quoted) ++begin;
    return json.substr(begin, json.find_first_of(quoted ? "\"" : ",\n}", begin) - begin);
}

} // namespace mydocker::test
