// Help, man pages and completions say the same: what the table of verbs and the flags' declarations say.
#include "cli/args.hpp"
#include "cli/completion.hpp"
#include "cli/help.hpp"
#include "support/support.hpp"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>

namespace mydocker::cli {
namespace {

void for_each_verb(const std::function<void(const VerbEntry&, const FlagSet&)>& visit) {
    for (const VerbEntry& entry : verbs()) {
        if (entry.is_internal()) continue;
        GlobalFlags globals;
        FlagSet flags;
        auto verb = entry.make();
        verb->declare(flags);
        declare_globals(flags, globals);
        visit(entry, flags);
    }
}

std::vector<Candidate> some_names(std::string_view kind, std::string_view prefix) {
    std::vector<Candidate> found;
    for (const char* name : {"web", "worker"})
        if (const std::string word = std::string(name) + (kind == "CONTAINER" ? ""
                                                          : kind == "IMAGE"   ? "-image"
                                                                              : "-volume");
            word.starts_with(prefix))
            found.push_back({word, ""});
    return found;
}

std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> words{""};
    for (const char c : line)
        if (c == ' ')
            words.emplace_back();
        else
            words.back() += c;
    return words;
}

std::string completed(const std::string& line) {
    const Completion completion = complete(words_of(line), some_names);
    std::string text;
    for (const Candidate& candidate : completion.candidates)
        text += candidate.word + " ";
    return text + (completion.files ? ":files" : "") + (completion.directories ? ":directories" : "");
}

bool offers(const std::string& line, const std::string& word) {
    const Completion completion = complete(words_of(line), some_names);
    return std::ranges::any_of(completion.candidates,
                               [&](const Candidate& candidate) { return candidate.word == word; });
}

std::string undashed(std::string page) {
    for (std::size_t at = page.find("\\-"); at != std::string::npos; at = page.find("\\-", at))
        page.erase(at, 1);
    return page;
}

TEST(Documentation, HasEveryVerb) {
    GlobalFlags unused;
    FlagSet globals;
    declare_globals(globals, unused);
    const std::string help = program_help();
    const std::string page = undashed(program_page(globals));

    for_each_verb([&](const VerbEntry& entry, const FlagSet&) {
        const std::string name(entry.name);
        EXPECT_NE(help.find("\n  " + name + " "), std::string::npos) << name;
        EXPECT_NE(page.find("\\fB" + name + "\\fR"), std::string::npos) << name;
        EXPECT_NE(page.find("\\fB" + page_name(entry) + "\\fR(1)"), std::string::npos) << name;
        const auto blank = name.find(' ');
        EXPECT_TRUE(offers("", name.substr(0, blank))) << name;
        const bool two_words = blank != std::string::npos;
        EXPECT_TRUE(!two_words || offers(name.substr(0, blank + 1), name.substr(blank + 1))) << name;
    });
    for (const VerbEntry& entry : verbs())
        EXPECT_TRUE(!entry.is_internal() || help.find(std::string(entry.name) + " ") == std::string::npos)
            << entry.name;
}

TEST(Documentation, HasEveryFlagOfEveryVerb) {
    for_each_verb([](const VerbEntry& entry, const FlagSet& flags) {
        const std::string help = verb_help(entry, flags);
        const std::string page = undashed(verb_page(entry, flags));
        for (const Flag& flag : flags.all()) {
            const std::string what = std::string(entry.name) + " --" + std::string(flag.name());
            EXPECT_FALSE(flag.help().empty()) << what;
            EXPECT_NE(help.find("--" + std::string(flag.name())), std::string::npos) << what;
            for (const std::string_view name : flag.long_names()) {
                EXPECT_NE(page.find("\\fB--" + std::string(name) + "\\fR"), std::string::npos) << what;
                EXPECT_TRUE(offers(std::string(entry.name) + " --", "--" + std::string(name))) << what;
            }
            for (const std::string_view name : flag.short_names()) {
                EXPECT_NE(page.find("\\fB-" + std::string(name) + "\\fR"), std::string::npos) << what;
                EXPECT_TRUE(offers(std::string(entry.name) + " -", "-" + std::string(name))) << what;
            }
        }
    });
}

// No two flags of a verb have one name: the second would never be reached.
TEST(Documentation, NamesEachFlagOnce) {
    for_each_verb([](const VerbEntry& entry, const FlagSet& flags) {
        std::vector<std::string> names;
        for (const Flag& flag : flags.all()) {
            for (const std::string_view name : flag.long_names())
                names.push_back("--" + std::string(name));
            for (const std::string_view name : flag.short_names())
                names.push_back("-" + std::string(name));
        }
        std::ranges::sort(names);
        const auto twice = std::ranges::adjacent_find(names);
        EXPECT_EQ(twice, names.end()) << entry.name << " " << (twice == names.end() ? "" : *twice);
    });
}

TEST(Documentation, ManPagesAreSound) {
    if (test::run({"sh", "-c", "command -v man"}).exit_code != 0) GTEST_SKIP() << "needs man(1)";
    const test::TempDir directory;
    GlobalFlags unused;
    FlagSet globals;
    declare_globals(globals, unused);
    test::write_text(directory / "mydocker.1", program_page(globals));
    for_each_verb([&](const VerbEntry& entry, const FlagSet& flags) {
        test::write_text(directory / (page_name(entry) + ".1"), verb_page(entry, flags));
    });

    const test::Outcome outcome =
        test::run({"sh", "-c",
                   "for page in " + directory.path() +
                       "/*.1; do LC_ALL=C.UTF-8 MANROFFSEQ= man --warnings=all -E UTF-8 -l \"$page\" > "
                       "\"$page.txt\" || echo unreadable $page; done; cat " +
                       directory.path() + "/mydocker-run.1.txt"});

    EXPECT_EQ(outcome.err, "");
    EXPECT_NE(outcome.out.find("--cpu-shares"), std::string::npos) << outcome.out;
    EXPECT_EQ(outcome.out.find("unreadable"), std::string::npos) << outcome.out;
}

TEST(Completion, KnowsWhatStandsWhere) {
    EXPECT_EQ(completed("volu"), "volume ");
    EXPECT_EQ(completed("volume i"), "inspect ");
    EXPECT_EQ(completed("--root x volume i"), "inspect ");
    EXPECT_EQ(completed("stop w"), "web worker ");
    EXPECT_EQ(completed("stop web w"), "web worker ");
    EXPECT_EQ(completed("stop -t 3 wo"), "worker ");
    EXPECT_EQ(completed("stop -s US"), "USR1 USR2 ");
    EXPECT_EQ(completed("stop --signal=US"), "--signal=USR1 --signal=USR2 ");
    EXPECT_EQ(completed("logs --tail "), "");
    EXPECT_EQ(completed("attach web "), "") << "it takes one";
    EXPECT_EQ(completed("run -ti wo"), "worker-image ");
    EXPECT_EQ(completed("run busybox --"), "") << "the container's own flags";
    EXPECT_EQ(completed("exec web s"), "");
    EXPECT_EQ(completed("volume rm wo"), "worker-volume ");
    EXPECT_EQ(completed("inspect wo"), "worker worker-image worker-volume ");
    EXPECT_EQ(completed("inspect --type "), "container image volume ");
    EXPECT_EQ(completed("load "), ":files:directories");
    EXPECT_EQ(completed("--log-level w"), "warning ");
    EXPECT_EQ(completed("--root "), ":directories");
    EXPECT_EQ(completed("completion "), "bash zsh fish ");
    EXPECT_EQ(completed("nonsense "), "");
    EXPECT_EQ(completed("volume nonsense "), "");
    EXPECT_EQ(completed("__"), "");
}

} // namespace
} // namespace mydocker::cli
