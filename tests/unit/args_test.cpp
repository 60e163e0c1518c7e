// Words to flags and operands: pflag's rules, and the teaching program's.
#include "cli/args.hpp"

#include <gtest/gtest.h>

namespace mydocker::cli {
namespace {

// A verb's flags as one line, for comparing.
struct SomeFlags {
    bool interactive = false;
    bool tty = false;
    bool pause = true;
    std::string memory;
    std::string shares;
    std::string name;
    std::vector<std::string> env;
    bool help = false;
    FlagSet set;

    SomeFlags() {
        set.add_flag("-i,--interactive", interactive, "");
        set.add_flag("-t,--tty", tty, "");
        set.add_flag("-p,--pause,!--no-pause", pause, "");
        set.add_option("-m,--memory", memory, "");
        set.add_option("-c,--cpu-shares", shares, "");
        set.add_option("--name", name, "");
        set.add_option("-e,--env", env, "");
        set.add_flag("-h,--help", help, "");
    }
};

std::string summary(const std::vector<std::string>& words, Operands operands = Operands::anywhere) {
    SomeFlags flags;
    auto parsed = parse(flags.set, words, operands);
    if (!parsed) return "error: " + parsed.error().text;
    std::string text = std::string(flags.interactive ? "i" : "") + (flags.tty ? "t" : "") +
                       (flags.pause ? "p" : "") + " m=" + flags.memory + " c=" + flags.shares +
                       " n=" + flags.name + " e=";
    for (const std::string& one : flags.env)
        text += one + ",";
    for (const std::string& operand : parsed->operands)
        text += " [" + operand + "]";
    return text;
}

struct ArgsCase {
    std::vector<std::string> words;
    std::string want;
    Operands operands = Operands::anywhere;
};

TEST(Args, AreReadAsPflagReadsThem) {
    const std::vector<ArgsCase> cases{
        {{}, "p m= c= n= e="},
        {{"-it"}, "itp m= c= n= e="},
        {{"-ti", "-m", "1g", "sh"}, "itp m=1g c= n= e= [sh]"},
        {{"-m1g"}, "p m=1g c= n= e="},
        {{"-m=1g"}, "p m=1g c= n= e="},
        {{"-tm", "1g"}, "tp m=1g c= n= e="},
        {{"--memory=1g", "--memory", "2g"}, "p m=2g c= n= e="},
        {{"--name="}, "p m= c= n= e="},
        {{"-e", "a=1", "--env=b=2", "-e=c"}, "p m= c= n= e=a=1,b=2,c,"},
        {{"-e", "-x"}, "p m= c= n= e=-x,"},
        {{"--no-pause"}, " m= c= n= e="},
        {{"--pause=false"}, " m= c= n= e="},
        {{"--no-pause=false"}, "p m= c= n= e="},
        {{"--pause=F"}, " m= c= n= e="},
        {{"--no-pause=TRUE"}, " m= c= n= e="},
        {{"-i", "a", "-t", "b"}, "itp m= c= n= e= [a] [b]"},
        {{"-i", "a", "-t", "b"}, "ip m= c= n= e= [a] [-t] [b]", Operands::then_stop},
        {{"-i", "--", "-t"}, "ip m= c= n= e= [-t]"},
        {{"-"}, "p m= c= n= e= [-]"},
        {{"", " "}, "p m= c= n= e= [] [ ]"},
        {{"-cpushare", "512", "-name", "x"}, "p m= c=512 n=x e="},
        {{"--nmae", "x"}, "error: unknown flag --nmae; did you mean --name?"},
        {{"-x"}, "error: unknown flag -x"},
        {{"-itx"}, "error: unknown flag -x in '-itx'"},
        {{"--memory"}, "error: flag --memory needs a value"},
        {{"-tm"}, "error: flag -tm needs a value"},
        {{"--tty=maybe"}, "error: flag --tty: 'maybe' is neither true nor false"},
    };

    for (const ArgsCase& each : cases)
        EXPECT_EQ(summary(each.words, each.operands), each.want);
}

TEST(Args, CountHowOftenAFlagIsGiven) {
    FlagSet set;
    std::string text = "default";
    const Flag* flag = set.add_option("--name", text, "");
    EXPECT_EQ(flag->count(), 0U);

    const std::vector<std::string> words{"--name="};
    ASSERT_TRUE(parse(set, words, Operands::anywhere));

    EXPECT_EQ(flag->count(), 1U);
    EXPECT_EQ(text, "");
}

TEST(Truth, IsInGosWords) {
    for (const char* yes : {"1", "t", "T", "true", "True", "TRUE"})
        EXPECT_EQ(parse_bool(yes), Result<bool>(true)) << yes;
    for (const char* no : {"0", "f", "F", "false", "False", "FALSE"})
        EXPECT_EQ(parse_bool(no), Result<bool>(false)) << no;
    for (const char* neither : {"", "yes", "tRUE", "01", " true"})
        EXPECT_EQ(parse_bool(neither).error().text,
                  "'" + std::string(neither) + "' is neither true nor false");
}

} // namespace
} // namespace mydocker::cli
