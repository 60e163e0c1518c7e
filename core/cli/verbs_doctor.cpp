// doctor.
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "engine/doctor.hpp"

#include "base/json.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace mydocker::cli {
namespace {

std::string_view verdict_word(engine::Verdict verdict) {
    switch (verdict) {
    case engine::Verdict::good:
        return "ok";
    case engine::Verdict::limited:
        return "limited";
    case engine::Verdict::bad:
        break;
    }
    return "bad";
}

class Doctor final : public Verb {
  public:
    void declare(FlagSet& app) override { app.add_option("--format", format_, "text (default) or json"); }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (!operands.empty()) return usage("takes no operands");
        if (format_ != "text" && format_ != "json")
            return usage(fmt::format("format: '{}' is unknown; there are: text, json", format_));
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        const auto findings = engine::diagnose(**engine);
        print(format_ == "json" ? as_json(findings) : as_text(findings));
        const bool works = std::ranges::none_of(
            findings, [](const auto& each) { return each.verdict == engine::Verdict::bad; });
        return works ? kOk : kFailed;
    }

  private:
    static std::string as_text(const std::vector<engine::Diagnosis>& findings) {
        std::string text;
        for (const engine::Diagnosis& each : findings) {
            text += fmt::format("[{:<7}] {}: {}\n", verdict_word(each.verdict), printable(each.subject),
                                printable(each.finding));
            if (!each.remedy.empty()) text += fmt::format("          → {}\n", printable(each.remedy));
        }
        return text;
    }

    static std::string as_json(const std::vector<engine::Diagnosis>& findings) {
        json::Value list{json::Array{}};
        for (const engine::Diagnosis& each : findings) {
            json::Value value;
            value.set("Subject", each.subject);
            value.set("Verdict", verdict_word(each.verdict));
            value.set("Finding", each.finding);
            value.set("Remedy", each.remedy);
            list.push(std::move(value));
        }
        return json::dump(list, json::Style::indented) + "\n";
    }

    std::string format_ = "text";
};

} // namespace

std::unique_ptr<Verb> make_doctor() {
    return std::make_unique<Doctor>();
}

} // namespace mydocker::cli
