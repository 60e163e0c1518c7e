// rmi, import, load.
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "engine/images.hpp"
#include "image/load.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>

namespace mydocker::cli {
namespace {

class Rmi final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-f,--force", force_, "also with containers or several names");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs an image");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        int code = kOk;
        for (const std::string& name : operands) {
            auto report = engine::remove_image(**engine, name, force_ ? image::Force::yes : image::Force::no);
            if (!report) {
                session.diagnostics().error(fmt::format("rmi: {}", describe(report.error())));
                code = std::max(code, session.exit_code_of(report.error()));
                continue;
            }
            for (const std::string& untagged : report->untagged)
                print(fmt::format("Untagged: {}\n", printable(untagged)));
            for (const std::string& removed : report->removed)
                print(fmt::format("Deleted: {}\n", removed));
        }
        return code;
    }

  private:
    bool force_ = false;
};

void print_report(Session& session, const image::LoadReport& report) {
    for (const std::string& name : report.loaded)
        print(fmt::format("Loaded image: {}\n", printable(name)));
    for (const std::string& note : report.notes)
        session.diagnostics().warning(printable(note));
}

class Load final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_option("-i,--input", input_, "archive or directory to read")->takes("FILE");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() > 1 || (!operands.empty() && !input_.empty())) return usage("needs one archive");
        const std::string source = !input_.empty() ? input_ : operands.empty() ? "-" : operands.front();
        if (source == "-" && ::isatty(STDIN_FILENO) == 1)
            return usage("needs an archive, or one on standard input");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto store = (*engine)->images();
        if (!store) return fail(store);
        auto report = image::load(**store, source, engine::unpack_limits(**engine).growth);
        if (!report) return fail(report);
        engine::note_images(**engine, "load", report->loaded);
        print_report(session, *report);
        return kOk;
    }

  private:
    std::string input_;
};

class Import final : public Verb {
  public:
    void declare(FlagSet&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() != 2) return usage("needs a tar archive (or -) and a name");
        auto name = image::parse_reference(operands[1]);
        if (!name) return usage(name.error().text);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto store = (*engine)->images();
        if (!store) return fail(store);
        image::ImportRequest request;
        request.source = operands[0];
        request.name = operands[1];
        request.config.cmd = {"sh"};
        request.limits = engine::unpack_limits(**engine).growth;
        auto report = image::import_rootfs(**store, request);
        if (!report) return fail(report);
        engine::note_images(**engine, "import", report->loaded);
        print_report(session, *report);
        return kOk;
    }
};

} // namespace

std::unique_ptr<Verb> make_rmi() {
    return std::make_unique<Rmi>();
}
std::unique_ptr<Verb> make_load() {
    return std::make_unique<Load>();
}
std::unique_ptr<Verb> make_import() {
    return std::make_unique<Import>();
}

} // namespace mydocker::cli
