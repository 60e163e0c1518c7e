// diff, commit, export, cp: what is in containers.
#include "cli/table.hpp"
#include "cli/verb_makers.hpp"
#include "engine/contents.hpp"
#include "engine/lifecycle.hpp"
#include "image/reference.hpp"

#include <fmt/format.h>
#include <optional>
#include <unistd.h>

namespace mydocker::cli {
namespace {

image::ByteSink standard_output() {
    return [](std::string_view bytes) { return files::write_all(STDOUT_FILENO, bytes, "standard output"); };
}

Status refuse_terminal(std::string_view instead) {
    if (::isatty(STDOUT_FILENO) == 0) return {};
    return usage(fmt::format("an archive is not for a terminal; {}", instead));
}

class Diff final : public Verb {
  public:
    void declare(FlagSet&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() != 1) return usage("needs a container");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto container = engine::find_settled(**engine, operands.front());
        if (!container) return fail(container);
        auto differences = engine::diff(**engine, container->record);
        if (!differences) return fail(differences);
        std::string text;
        for (const engine::Difference& difference : *differences)
            text += fmt::format("{} {}\n", letter(difference.kind), printable(difference.path));
        print(text);
        return kOk;
    }

  private:
    static char letter(ChangeKind kind) {
        if (kind == ChangeKind::added) return 'A';
        return kind == ChangeKind::removed ? 'D' : 'C';
    }
};

class Commit final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_option("-a,--author", request_.author, "author, \"Name <mail>\"");
        app.add_option("-m,--message", request_.message, "comment for the history");
        app.add_option("-c,--change", request_.changes,
                       "instruction of a Dockerfile to apply, e.g. 'CMD [\"sh\"]'");
        app.add_flag("-p,--pause,!--no-pause", pause_, "hold a running container still meanwhile (true)");
        output_ = app.add_option("-o,--output", file_, "write the root file system to this file instead")
                      ->takes("FILE");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        const std::size_t most = output_->count() > 0 ? 1 : 2;
        if (operands.empty() || operands.size() > most)
            return usage(most == 1 ? "with -o needs a container only"
                                   : "needs a container and perhaps a name");
        request_.container = operands[0];
        request_.stillness = pause_ ? engine::Stillness::frozen : engine::Stillness::as_it_runs;
        if (operands.size() == 2) {
            auto name = image::parse_reference(operands[1]);
            if (!name) return usage(name.error().text);
            if (!name->digest.empty()) return usage("an image cannot be named by a digest");
            request_.reference = name->key();
        }
        auto engine = session.engine();
        if (!engine) return fail(engine);
        if (output_->count() > 0) return write_file(**engine);
        auto report = engine::commit(**engine, request_);
        if (!report) return fail(report);
        for (const std::string& note : report->notes)
            session.diagnostics().warning(printable(note));
        print(fmt::format("sha256:{}\n", report->id));
        return kOk;
    }

  private:
    Result<int> write_file(engine::Engine& engine) {
        auto written = engine::export_to_file(engine, request_.container, request_.stillness, file_);
        if (!written) return fail(written);
        return kOk;
    }

    engine::CommitRequest request_;
    bool pause_ = true;
    Flag* output_ = nullptr;
    std::string file_;
};

class Export final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_option("-o,--output", file_, "file to write instead of standard output")->takes("FILE");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() != 1) return usage("needs a container");
        if (file_.empty())
            if (auto fits = refuse_terminal("use -o FILE, or redirect it"); !fits) return fail(fits);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        constexpr auto kStillness = engine::Stillness::as_it_runs;
        auto done = file_.empty()
                        ? engine::export_rootfs(**engine, operands.front(), kStillness, standard_output())
                        : engine::export_to_file(**engine, operands.front(), kStillness, file_);
        if (!done) return fail(done);
        return kOk;
    }

  private:
    std::string file_;
};

// "CONTAINER:PATH"; what begins with a slash or a dot is a path of the host, whatever colons are in it.
struct Place {
    std::optional<std::string> container;
    std::string path;
};

Place parse_place(const std::string& text) {
    const auto colon = text.find(':');
    if (text.starts_with('/') || text.starts_with('.') || colon == std::string::npos || colon == 0)
        return {std::nullopt, text};
    const std::string path = text.substr(colon + 1);
    return {text.substr(0, colon), path.starts_with('/') ? path : "/" + path};
}

class Cp final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-a,--archive", archive_, "keep owner and group");
        app.add_flag("-L,--follow-link", follow_, "copy what a link as the source leads to, not the link");
        app.add_flag("-q,--quiet", quiet_, "accepted; nothing is said anyway");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.size() != 2 || operands[0].empty() || operands[1].empty())
            return usage("needs a source and a destination");
        const Place from = parse_place(operands[0]);
        const Place to = parse_place(operands[1]);
        if (from.container && to.container)
            return usage("copies between a container and the host, not from container to container");
        if (!from.container && !to.container)
            return usage("one of source and destination must be CONTAINER:PATH");
        const bool out = from.container.has_value();
        engine::CopyRequest request;
        request.container = out ? *from.container : *to.container;
        request.inside = out ? from.path : to.path;
        request.outside = out ? to.path : from.path;
        request.ownership = archive_ ? engine::Ownership::kept : engine::Ownership::caller;
        request.link = follow_ ? engine::SourceLink::followed : engine::SourceLink::copied;
        if (out && to.path == "-")
            if (auto fits = refuse_terminal("redirect it"); !fits) return fail(fits);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        auto done = out ? copy_out(**engine, request) : copy_in(**engine, request);
        if (!done) return fail(done);
        return kOk;
    }

  private:
    static Status copy_out(engine::Engine& engine, const engine::CopyRequest& request) {
        if (request.outside == "-") return engine::copy_out_stream(engine, request, standard_output());
        return engine::copy_out(engine, request);
    }

    static Status copy_in(engine::Engine& engine, const engine::CopyRequest& request) {
        if (request.outside == "-") return engine::copy_in_stream(engine, request, STDIN_FILENO);
        return engine::copy_in(engine, request);
    }

    bool archive_ = false;
    bool follow_ = false;
    bool quiet_ = false;
};

} // namespace

std::unique_ptr<Verb> make_diff() {
    return std::make_unique<Diff>();
}
std::unique_ptr<Verb> make_commit() {
    return std::make_unique<Commit>();
}
std::unique_ptr<Verb> make_export() {
    return std::make_unique<Export>();
}
std::unique_ptr<Verb> make_cp() {
    return std::make_unique<Cp>();
}

} // namespace mydocker::cli
