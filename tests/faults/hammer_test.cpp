// Many clients at once, without a daemon between them: on shared names, against a model of what may come of
// it; and a thousand containers that come and go.
//
//   MYDOCKER_HAMMER_SECONDS=60   how long the clients go on (default: 10)
//   MYDOCKER_HAMMER_SEED=7       of the first client (default: random, printed)
#include "support/engine_fixture.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

namespace mydocker::test {
namespace {

using HammerClock = std::chrono::steady_clock;

constexpr int kClients = 8;
constexpr int kNames = 3;

unsigned setting(const char* variable, unsigned otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

// What is known of all that was made and removed, by whatever client.
class Model {
  public:
    void made(const std::string& name, const std::string& id, HammerClock::time_point begun) {
        const std::lock_guard guard(mutex_);
        if (!made_.emplace(id, Made{name, begun}).second)
            wrong_ << "two containers have the id " << id << "\n";
    }
    // Several may remove one container at once, and all succeed: what counts is when the last one did.
    void removed(const std::string& name) {
        const std::lock_guard guard(mutex_);
        last_removal_[name] = HammerClock::now();
    }
    void complain(const std::string& words) {
        const std::lock_guard guard(mutex_);
        wrong_ << words << "\n";
    }
    void count(const std::string& verb, bool succeeded) {
        const std::lock_guard guard(mutex_);
        ++(succeeded ? succeeded_ : refused_)[verb];
    }

    // When all clients have ended. `kept`: the ids that are left.
    void check_kept(const std::set<std::string>& kept) {
        for (const std::string& id : kept)
            if (!made_.contains(id)) wrong_ << "nobody made " << id << "\n";
        for (const auto& [id, made] : made_) {
            const auto removal = last_removal_.find(made.name);
            const bool may_be_gone = removal != last_removal_.end() && removal->second > made.begun;
            if (!kept.contains(id) && !may_be_gone) wrong_ << "lost: " << made.name << " " << id << "\n";
        }
    }
    [[nodiscard]] std::string wrong() const { return wrong_.str(); }
    [[nodiscard]] int succeeded(const std::string& verb) const {
        const auto found = succeeded_.find(verb);
        return found == succeeded_.end() ? 0 : found->second;
    }
    void print() const {
        for (const auto& [verb, times] : succeeded_) {
            const auto refused = refused_.find(verb);
            std::cout << "  " << verb << ": " << times << ", refused "
                      << (refused == refused_.end() ? 0 : refused->second) << "\n";
        }
    }

  private:
    struct Made {
        std::string name;
        HammerClock::time_point begun;
    };

    std::mutex mutex_;
    std::map<std::string, Made> made_;
    std::map<std::string, HammerClock::time_point> last_removal_;
    std::map<std::string, int> succeeded_;
    std::map<std::string, int> refused_;
    std::ostringstream wrong_;
};

class Hammer : public EngineTest {
  protected:
    void SetUp() override {
        EngineTest::SetUp();
        for (const char* turned_over : {"/events", "/exits"})
            ignore(turned_over);
    }
    void TearDown() override {
        for (int i = 0; i < kNames; ++i)
            remove_at_end("shared" + std::to_string(i));
        EngineTest::TearDown();
    }

    void strike(Model& model, std::mt19937& dice) {
        const std::string name = "shared" + std::to_string(dice() % kNames);
        switch (dice() % 12) {
        case 0:
        case 1:
            return make(model, name, {"create", "--name", name, "busybox", "sleep", "1000"});
        case 2:
        case 3:
            return make(model, name, {"run", "-d", "--name", name, "busybox", "sleep", "1000"});
        case 4:
        case 5:
            (void)heard(model, {"start", name});
            return;
        case 6:
        case 7:
            return exec(model, name, std::to_string(dice()));
        case 8:
            (void)heard(model, {"stop", "-t", "0", name});
            return;
        case 9:
            return remove(model, name, {"rm", name});
        case 10:
            return remove(model, name, {"rm", "-f", name});
        default:
            return list(model);
        }
    }

  private:
    // It succeeds, or says in one line why not, in words for people and of something that can be.
    Outcome heard(Model& model, const std::vector<std::string>& words) {
        const Outcome outcome = mydocker(words);
        std::string said;
        for (const std::string& word : words)
            said += word + " ";
        said += "ended with " + std::to_string(outcome.exit_code) + ": " + outcome.err;
        static const std::regex one_line("mydocker: [^\n]+\n");
        // What only a race within the engine, or a bug, could have as its cause.
        static const std::regex impossible(
            R"(\bE[A-Z]{3,}\b|No such file|corrupt|internal|damaged|not empty|Bad file|stopped by the test)");
        if (outcome.exit_code == 0 && !outcome.err.empty()) model.complain("with success: " + said);
        if (outcome.exit_code != 0 && !std::regex_match(outcome.err, one_line)) model.complain(said);
        // Whose container is ended meanwhile, ends with it.
        const bool ended = words.front() == "exec" && outcome.exit_code == 137;
        if ((outcome.exit_code > 128 && !ended) || std::regex_search(outcome.err, impossible))
            model.complain(said);
        model.count(words.front(), outcome.exit_code == 0);
        return outcome;
    }

    void make(Model& model, const std::string& name, const std::vector<std::string>& words) {
        const HammerClock::time_point begun = HammerClock::now();
        const Outcome outcome = heard(model, words);
        if (outcome.exit_code == 0) model.made(name, outcome.out.substr(0, 64), begun);
    }

    void remove(Model& model, const std::string& name, const std::vector<std::string>& words) {
        if (heard(model, words).exit_code == 0) model.removed(name);
    }

    void exec(Model& model, const std::string& name, const std::string& token) {
        const Outcome outcome = heard(model, {"exec", name, "echo", token});
        if (outcome.exit_code == 0 && outcome.out != token + "\n")
            model.complain("exec printed '" + outcome.out + "', not " + token);
    }

    void list(Model& model) {
        std::istringstream lines(heard(model, {"ps", "-a", "--format", "{{.Names}}"}).out);
        std::set<std::string> seen;
        for (std::string name; std::getline(lines, name);)
            if (!seen.insert(name).second) model.complain("ps shows twice: " + name);
    }
};

TEST_F(Hammer, EightClientsOnSharedNamesLoseAndDoubleNothing) {
    const unsigned seed = setting("MYDOCKER_HAMMER_SEED", std::random_device()());
    const HammerClock::time_point end =
        HammerClock::now() + std::chrono::seconds(setting("MYDOCKER_HAMMER_SECONDS", 10));
    std::cout << "  seed " << seed << std::endl;
    Model model;

    std::vector<std::thread> clients;
    clients.reserve(kClients);
    for (unsigned i = 0; i < kClients; ++i)
        clients.emplace_back([&, i] {
            std::mt19937 dice(seed + i);
            while (HammerClock::now() < end)
                strike(model, dice);
        });
    for (std::thread& client : clients)
        client.join();

    std::set<std::string> kept;
    std::istringstream ids(mydocker({"ps", "-aq", "--no-trunc"}).out);
    for (std::string id; std::getline(ids, id);)
        kept.insert(id);
    EXPECT_LE(kept.size(), static_cast<std::size_t>(kNames));
    model.check_kept(kept);
    model.print();
    EXPECT_EQ(model.wrong(), "");
    for (const char* verb : {"create", "run", "start", "exec", "stop", "rm", "ps"})
        EXPECT_GT(model.succeeded(verb), 0) << verb << " never succeeded";
}

TEST_F(Hammer, AThousandAtOnceComeAndGo) {
    const int count = is_sanitized() ? 100 : repeats(1000);
    std::string line;
    for (const std::string& word : command({}))
        line += word + " ";
    const std::string all = std::to_string(count);

    const Outcome made =
        run(Command{.words = {"bash", "-c",
                              "seq " + all + " | xargs -P 8 -I{} sh -c '" + line +
                                  "run -d --name crowd{} busybox sleep 1000 >/dev/null || echo failed'"},
                    .input = {},
                    .environment = {},
                    .directory = {},
                    .limit = std::chrono::seconds(400)});
    EXPECT_EQ(made.out + made.err, "");
    const Outcome running = mydocker({"ps", "-q"});
    EXPECT_EQ(std::ranges::count(running.out, '\n'), count);

    // Ten at a time as arguments of one command, eight commands at once.
    const Outcome removed =
        run(Command{.words = {"bash", "-c", line + "ps -aq | xargs -P 8 -n 10 " + line + "rm -f | wc -l"},
                    .input = {},
                    .environment = {},
                    .directory = {},
                    .limit = std::chrono::seconds(400)});
    EXPECT_EQ(removed.out, all + "\n");
    EXPECT_EQ(removed.err, "");
    EXPECT_EQ(mydocker({"ps", "-aq"}).out, "");
}

} // namespace
} // namespace mydocker::test
