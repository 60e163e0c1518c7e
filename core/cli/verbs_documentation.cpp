// completion, and what shells and the build ask for: __complete, __man.
#include "cli/args.hpp"
#include "cli/completion.hpp"
#include "cli/help.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"
#include "engine/volumes.hpp"
#include "image/reference.hpp"

#include <fcntl.h>

namespace mydocker::cli {
namespace {

bool is_hex_text(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void add_container(std::vector<Candidate>& found, const engine::ContainerRecord& record,
                   std::string_view prefix) {
    const std::string help(engine::to_string(record.state));
    if (record.name.str().starts_with(prefix)) found.push_back({record.name.str(), help});
    // Ids only when one is being typed: they would hide the names.
    if (is_hex_text(prefix) && record.id.str().starts_with(prefix))
        found.push_back({paths::short_id(record.id), help + " " + record.name.str()});
}

void add_image(std::vector<Candidate>& found, const image::Image& image, std::string_view prefix) {
    for (const std::string& reference : image.references) {
        std::string name = image::familiar_name(reference);
        if (name.ends_with(":latest")) name.resize(name.size() - 7);
        if (name.starts_with(prefix)) found.push_back({std::move(name), "image"});
    }
    if (is_hex_text(prefix) && image.id.starts_with(prefix))
        found.push_back({image.id.substr(0, 12), "image"});
}

// What exists; nothing where the engine cannot say. Containers are shown as their records are: bringing
// them to rest is no business of a completion.
std::vector<Candidate> existing(Session& session, std::string_view kind, std::string_view prefix) {
    std::vector<Candidate> found;
    session.tolerate_broken_config();
    auto engine = session.engine();
    if (!engine) return found;
    if (kind == "VOLUME") {
        auto volumes = engine::list_volumes((*engine)->roots());
        for (const engine::Volume& volume : volumes.value_or(std::vector<engine::Volume>{}))
            if (volume.name.starts_with(prefix)) found.push_back({volume.name, "volume"});
    } else if (kind == "IMAGE") {
        auto store = (*engine)->images();
        auto images = store ? (*store)->list() : Result<std::vector<image::ListedImage>>(fail(store));
        if (images)
            for (const image::ListedImage& listed : *images)
                if (listed.image) add_image(found, *listed.image, prefix);
    } else if (auto store = (*engine)->state()) {
        (void)(*store)->list([&](const ListedRecord& listed) -> Status {
            auto record = listed.record ? engine::parse_record(*listed.record)
                                        : Result<engine::ContainerRecord>(fail(listed.record));
            if (record) add_container(found, *record, prefix);
            return {};
        });
    }
    return found;
}

class CompletionVerb final : public Verb {
  public:
    void declare(FlagSet&) override {}

    Result<int> run(Session&, const std::vector<std::string>& operands) override {
        if (operands.size() != 1) return usage("needs the name of a shell: bash, zsh or fish");
        auto script = completion_script(operands.front());
        if (!script) return usage(script.error().text);
        print(*script);
        return kOk;
    }
};

// __complete -- WORD...: candidates for the last word.
class Complete final : public Verb {
  public:
    void declare(FlagSet&) override {}
    [[nodiscard]] Operands operands() const override { return Operands::then_stop; }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        const Completion completion = complete(operands, [&](std::string_view kind, std::string_view prefix) {
            return existing(session, kind, prefix);
        });
        std::string text;
        for (const Candidate& candidate : completion.candidates)
            text += candidate.word + "\t" + candidate.help + "\n";
        if (completion.files) text += ":files\n";
        if (completion.directories && !completion.files)
            text += ":directories\n"; // Files have them among them.
        print(text);
        return kOk;
    }
};

// __man DIR: writes the manual pages.
class Man final : public Verb {
  public:
    void declare(FlagSet&) override {}

    Result<int> run(Session&, const std::vector<std::string>& operands) override {
        if (operands.size() != 1) return usage("internal: needs a directory");
        if (auto made = files::make_directories(operands.front()); !made) return fail(made);
        auto directory = files::open(operands.front(), O_RDONLY | O_DIRECTORY);
        if (!directory) return fail(directory);
        GlobalFlags unused;
        FlagSet globals;
        declare_globals(globals, unused);
        Status done = write(directory->get(), "mydocker", program_page(globals));
        for (const VerbEntry& entry : verbs()) {
            if (entry.is_internal() || !done) continue;
            FlagSet flags;
            auto verb = entry.make();
            verb->declare(flags);
            declare_globals(flags, unused);
            done = write(directory->get(), page_name(entry), verb_page(entry, flags));
        }
        if (!done) return fail(done);
        return kOk;
    }

  private:
    static Status write(int directory, const std::string& name, const std::string& text) {
        return files::write_atomically(directory, name + ".1", text, 0644);
    }
};

} // namespace

std::unique_ptr<Verb> make_completion() {
    return std::make_unique<CompletionVerb>();
}
std::unique_ptr<Verb> make_complete() {
    return std::make_unique<Complete>();
}
std::unique_ptr<Verb> make_man() {
    return std::make_unique<Man>();
}

} // namespace mydocker::cli
