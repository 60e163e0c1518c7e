// Templates of --format: what scripts write, and what is wrong with what they do not.
#include "cli/listing.hpp"
#include "cli/template.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace mydocker::cli {
namespace {

json::Value sample_row() {
    auto value =
        json::parse(R"({"ID":"0123","Names":"web","Size":12,"Share":0.5,"Running":true,"Nothing":null,
        "State":{"Status":"running","Pid":77},"Log":{"Config":{"max":"1"}},"Args":["-f","/dev/null"],"Empty":[],
        "Config":{"Labels":{"b":"2","a":"1","com.x/y":"z"},"Env":["A=1","B=2"]},
        "Mounts":[{"Source":"/a","RW":true},{"Source":"/b","RW":false}]})");
    return value ? *value : json::Value();
}

constexpr std::string_view kSampleMaps[] = {"Labels", "Log.Config"};

std::string rendered(const std::string& text) {
    auto parsed = Template::parse(text);
    if (!parsed) return "error: " + parsed.error().text;
    auto done =
        parsed->run(sample_row(), {.methods = json::Object{{"Label", json::Value(json::Object{{"k", "v"}})}},
                                   .maps = kSampleMaps});
    return done ? *done : "error: " + done.error().text;
}

struct TemplateCase {
    std::string text;
    std::string want;
};

TEST(Template, RendersWhatScriptsWrite) {
    const std::vector<TemplateCase> cases{
        {"", ""},
        {"plain", "plain"},
        {"{{.Names}}", "web"},
        {"{{ .State.Status }}", "running"},
        {"{{.ID}}\\t{{.Names}}\\n", "0123\tweb\n"},
        {"{{$.Names}}", "web"},
        {"{{json .State}}", R"({"Status":"running","Pid":77})"},
        {"{{json .Names}}", R"("web")"},
        {"{{.State.Pid}}", "77"},
        {"{{.Share}}", "0.5"},
        {"{{.Args}}", "[-f /dev/null]"},
        {"{{.Config.Labels}}", "map[a:1 b:2 com.x/y:z]"},
        {"{{.Config.Labels.a}}", "1"},
        {"{{.Config.Labels.missing}}", "<no value>"},
        {"{{.Log.Config.max}} {{.Log.Config.missing}}", "1 <no value>"},
        {"{{index .Config.Labels \"com.x/y\"}}", "z"},
        {"{{index .Config.Labels \"missing\"}}", ""},
        {"{{index .Args 1}}", "/dev/null"},
        {"{{(index .Mounts 0).Source}}", "/a"},
        {"{{range .Args}}<{{.}}>{{end}}", "<-f></dev/null>"},
        {"{{range $i, $v := .Args}}{{$i}}={{$v}};{{end}}", "0=-f;1=/dev/null;"},
        {"{{range $v := .Args}}{{$v}}{{end}}", "-f/dev/null"},
        {"{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}} {{end}}", "a:1 b:2 com.x/y:z "},
        {"{{range .Empty}}x{{else}}none{{end}}", "none"},
        {"{{range .Nothing}}x{{else}}none{{end}}", "none"},
        {"{{range .Mounts}}{{.Source}} {{end}}", "/a /b "},
        {"{{range .Mounts}}{{if .RW}}{{.Source}}{{end}}{{end}}", "/a"},
        {"{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"},
        {"{{if .Running}}yes{{else}}no{{end}}", "yes"},
        {"{{if .Empty}}yes{{else}}no{{end}}", "no"},
        {"{{if eq .Names \"db\"}}1{{else if eq .Names \"web\"}}2{{else}}3{{end}}", "2"},
        {"{{if and .Running (gt .State.Pid 0)}}up{{end}}", "up"},
        {"{{if or .Nothing .Empty}}a{{else}}b{{end}}", "b"},
        {"{{if not .Nothing}}a{{end}}", "a"},
        {"{{eq .Names \"x\" \"web\"}} {{ne .Names \"x\"}} {{lt 1 2}} {{ge 1.5 2.5}}", "true true true false"},
        {"{{with .State}}{{.Pid}} {{$.Names}}{{end}}", "77 web"},
        {"{{with .Nothing}}a{{else}}b{{end}}", "b"},
        {"{{$x := .Names}}{{$x}}{{$x = \"y\"}}{{$x}}", "weby"},
        {"{{.Names | upper | printf \"%s!\"}}", "WEB!"},
        {"{{join .Args \",\"}} {{len .Args}} {{title \"two words\"}} {{lower \"ABC\"}}",
         "-f,/dev/null 2 Two Words abc"},
        {"{{range split \"a,b\" \",\"}}[{{.}}]{{end}}", "[a][b]"},
        {"{{printf \"%-5s|%5d|%05d|%x|%.2f|%t|%q|%v|%%\" .Names .Size .Size 255 .Share .Running \"a\\\"\" "
         ".Args}}",
         "web  |   12|00012|ff|0.50|true|\"a\\\"\"|[-f /dev/null]|%"},
        {"a  {{- .Names -}}  b", "awebb"},
        {"{{/* a comment */ -}} x", "x"},
        {"{{`raw \\n`}}{{\"cooked\\n\"}}", "raw \\ncooked\n"},
        {"{{print \"a\" 1 2 \"b\"}}", "a1 2b"},
        {"{{pad \"x\" 1 2}}{{truncate \"abcdef\" 3}}", " x  abc"},
        {"{{.Label \"k\"}}{{.Label \"other\"}}", "v"},
        {"{{\"}}\"}}", "}}"},
        {"{{true}} {{nil}}", "true <no value>"},
    };

    for (const TemplateCase& each : cases)
        EXPECT_EQ(rendered(each.text), each.want) << each.text;
}

TEST(Template, SaysWhereItIsWrong) {
    const std::vector<TemplateCase> cases{
        {"ab{{.Foo}}",
         "error: character 5: unknown field 'Foo'; there are: ID, Names, Size, Share, Running, Nothing, "
         "State, Log, Args, Empty, Config, Mounts"},
        {"{{.Config.Foo}}", "error: character 3: unknown field 'Foo'; there are: Labels, Env"},
        {"{{.State.Foo}}", "error: character 3: unknown field 'Foo'; there are: Status, Pid"},
        {"{{.Names.Foo}}", "error: character 3: no field 'Foo' in 'web'"},
        {"{{.Names", "error: character 1: an action '{{' without its '}}'"},
        {"{{if .Names}}x", "error: character 1: {{if}} without its {{end}}"},
        {"x{{end}}", "error: character 2: unexpected {{end}}"},
        {"{{}}", "error: character 3: something is missing"},
        {"{{.Names | }}", "error: character 12: something is missing"},
        {"{{(.Names}}", "error: character 3: a '(' without its ')'"},
        {"{{\"abc}}", "error: character 1: an action '{{' without its '}}'"},
        {"{{$x}}", "error: character 3: unknown variable '$x'"},
        {"{{.Names \"x\"}}", "error: character 3: this takes no argument"},
        {"{{len 3}}", "error: character 3: len of '3', which has no length"},
        {"{{index .Args 2}}", "error: character 3: index 2 is not in a list of 2"},
        {"{{eq .Names 1}}", "error: character 3: 'web' and '1' cannot be compared"},
        {"{{join .Names \",\"}}", "error: character 3: join needs a list, not 'web'"},
        {"{{upper}}", "error: character 3: upper needs 1 argument"},
        {"{{printf \"%d\" .Names}}", "error: character 3: printf: %d does not fit 'web'"},
        {"{{printf \"%s\"}}", "error: character 3: printf: no value for %s"},
        {"{{range .Names}}{{end}}", "error: character 9: range needs a list, not 'web'"},
        {"{{define \"x\"}}{{end}}", "error: character 1: {{define}} is not supported"},
        {"{{.A ; .B}}", "error: character 6: unexpected ';'"},
        {"{{12x}}", "error: character 3: '12x' is no number"},
    };

    for (const TemplateCase& each : cases)
        EXPECT_EQ(rendered(each.text), each.want) << each.text;
    EXPECT_TRUE(
        rendered("{{html .}}").starts_with("error: character 3: unknown function 'html'; there are: eq, "));
}

TEST(Template, NestsOnlySoDeep) {
    std::string blocks;
    std::string groups = "{{";
    for (int i = 0; i < 100000; ++i) {
        blocks += "{{if .}}";
        groups += "(";
    }

    EXPECT_NE(rendered(blocks).find("nested too deeply"), std::string::npos);
    EXPECT_NE(rendered(groups + "}}").find("nested too deeply"), std::string::npos);
}

TEST(Template, KnowsWhichFieldsItMentions) {
    auto parsed = Template::parse("{{if .Running}}{{(index .Mounts 0).Source}}{{end}}");

    ASSERT_TRUE(parsed);
    EXPECT_TRUE(parsed->mentions("Mounts"));
    EXPECT_TRUE(parsed->mentions("Running"));
    EXPECT_FALSE(parsed->mentions("Size"));
    EXPECT_TRUE(Template::parse("{{json .}}")->mentions("Size"));
}

// "": it is fine.
std::string checked(const std::string& text) {
    auto parsed = Template::parse(text);
    if (!parsed) return "no template: " + parsed.error().text;
    auto fine = parsed->check(
        sample_row(), {.methods = json::Object{{"Label", json::Value(json::Object{})}}, .maps = kSampleMaps});
    return fine ? "" : fine.error().text;
}

TEST(Template, IsCheckedByASampleOfTheValue) {
    for (const char* fine :
         {"", "plain", "{{.Names}} {{$.State.Pid}}", "{{json .}}", "{{.Label \"k\"}}", "{{\"k\" | .Label}}",
          "{{.Config.Labels.whatever}}", "{{range .Mounts}}{{.Source}} {{$.ID}}{{end}}",
          "{{with .State}}{{.Foo}}{{end}}", "{{(index .Mounts 7).Foo}}", "{{$x := .ID}}{{$x.Foo}}"})
        EXPECT_EQ(checked(fine), "") << fine;
    for (const char* wrong :
         {"{{.Foo}}", "{{$.Foo}}", "{{.State.Foo}}", "{{if false}}{{.Foo}}{{end}}", "{{upper .Foo}}",
          "{{(upper .Foo) | lower}}", "{{range .Foo}}{{end}}", "{{range .Args}}{{$.Foo}}{{end}}",
          "{{with .Nothing}}{{else}}{{.Foo}}{{end}}", "{{.Foo \"k\"}}"})
        EXPECT_TRUE(checked(wrong).contains("unknown field 'Foo'; there are: ")) << wrong << checked(wrong);
}

TEST(Template, ShowsTheWholeAsJsonInAnotherShapeWhereThereIsOne) {
    const json::Value value(json::Object{{"ID", "1"}});
    const TemplateSetting setting{.whole = json::Object{{"id", "1"}}};

    for (const char* text : {"{{json .}}", "{{ json $ }}", "{{. | json}}", "{{with .ID}}{{json $}}{{end}}"})
        EXPECT_EQ(Template::parse(text)->run(value, setting), R"({"id":"1"})") << text;
    EXPECT_EQ(Template::parse("{{json .ID}} {{.}}")->run(value, setting), R"("1" map[ID:1])");
}

constexpr Field kListingFields[] = {{"ID", "ID"}, {"Names", "NAME"}};
constexpr std::string_view kListingColumns[] = {"ID", "Names"};

std::string listed(const std::string& format) {
    Listing listing(kListingFields, kListingColumns);
    if (auto set = listing.set_format(format); !set) return set.error().text;
    for (const char* name : {"one", "twenty"}) {
        json::Value row;
        row.set("ID", "1");
        row.set("Names", name);
        if (auto added = listing.add(row); !added) return added.error().text;
    }
    return listing.text();
}

TEST(Listing, IsTableJsonOrTemplate) {
    EXPECT_EQ(listed(""), "ID   NAME\n1    one\n1    twenty\n");
    EXPECT_EQ(listed("table"), listed(""));
    EXPECT_EQ(listed("json"), "{\"ID\":\"1\",\"Names\":\"one\"}\n{\"ID\":\"1\",\"Names\":\"twenty\"}\n");
    EXPECT_EQ(listed("{{.Names}}"), "one\ntwenty\n");
    EXPECT_EQ(listed("table {{.Names}}\\t{{upper .ID}}"), "NAME     ID\none      1\ntwenty   1\n");
    EXPECT_EQ(listed("{{.Name}}"), "--format: character 3: unknown field 'Name'; there are: ID, Names");
    EXPECT_EQ(listed("{{.Name"), "--format: character 1: an action '{{' without its '}}'");
}

TEST(Listing, ChecksTheFieldsWithoutARow) {
    Listing listing(kListingFields, kListingColumns);
    ASSERT_TRUE(listing.check_fields());
    ASSERT_TRUE(listing.set_format("table {{.ID}}\\t{{.Label \"k\"}}"));
    EXPECT_TRUE(listing.check_fields());
    ASSERT_TRUE(listing.set_format("{{.Name}}"));
    EXPECT_EQ(listing.check_fields().error().text,
              "--format: character 3: unknown field 'Name'; there are: ID, Names");
}

// A table's rows may differ in their number of cells.
TEST(Listing, TakesRowsOfAnyWidth) {
    EXPECT_EQ(listed("table {{.ID}}{{if eq .Names \"twenty\"}}\\t{{.Names}}\\tx{{end}}"),
              "ID\n1\n1    twenty   x\n");
}

} // namespace
} // namespace mydocker::cli
