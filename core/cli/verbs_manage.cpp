// stop, kill, wait, rm: one or several containers; each failure is told, the others are still done.
#include "cli/resource_flags.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"
#include "engine/signals.hpp"

#include "base/sys.hpp"

#include <fmt/format.h>
#include <functional>
#include <unistd.h>

namespace mydocker::cli {
namespace {

// Does one thing to each named container, prints each name done, tells each failure.
int for_each_container(Session& session, std::string_view verb, const std::vector<std::string>& names,
                       const std::function<Status(const std::string&)>& act) {
    int code = kOk;
    for (const std::string& name : names) {
        if (auto done = act(name); !done) {
            session.diagnostics().error(fmt::format("{}: {}", verb, describe(done.error())));
            code = kFailed;
            continue;
        }
        (void)sys::write_all(STDOUT_FILENO, name + "\n"); // A reader that is gone has no use for it.
    }
    return code;
}

class Stop final : public Verb {
  public:
    void declare(CLI::App& app) override {
        app.add_option("-t,--time,--timeout", time_, "seconds until it is killed (10); -1: never");
        app.add_option("-s,--signal", signal_, "signal to send first");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a container");
        engine::StopRequest request;
        request.signal = signal_;
        if (!signal_.empty())
            if (auto known = engine::parse_signal(signal_); !known) return usage(known.error().text);
        if (!time_.empty()) {
            auto seconds = parse_number("time", time_, -1, 86400);
            if (!seconds) return usage(seconds.error().text);
            request.timeout = std::chrono::seconds(*seconds);
        }
        auto engine = session.engine();
        if (!engine) return fail(engine);
        return for_each_container(session, "stop", operands, [&](const std::string& name) -> Status {
            auto container = engine::find_settled(**engine, name);
            if (!container) return fail(container);
            return engine::stop(**engine, container->record.id, request);
        });
    }

  private:
    std::string time_;
    std::string signal_;
};

class Kill final : public Verb {
  public:
    void declare(CLI::App& app) override { app.add_option("-s,--signal", signal_, "signal to send (KILL)"); }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a container");
        auto signal = engine::parse_signal(signal_);
        if (!signal) return usage(signal.error().text);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        return for_each_container(session, "kill", operands, [&](const std::string& name) -> Status {
            auto container = engine::find_settled(**engine, name);
            if (!container) return fail(container);
            return engine::kill(**engine, container->record.id, *signal);
        });
    }

  private:
    std::string signal_ = "KILL";
};

class Wait final : public Verb {
  public:
    void declare(CLI::App&) override {}

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a container");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        int result = kOk;
        for (const std::string& name : operands) {
            auto code = engine::wait(**engine, name);
            if (!code) {
                session.diagnostics().error(fmt::format("wait: {}", describe(code.error())));
                result = kFailed;
                continue;
            }
            (void)sys::write_all(STDOUT_FILENO, fmt::format("{}\n", *code));
        }
        return result;
    }
};

class Rm final : public Verb {
  public:
    void declare(CLI::App& app) override {
        app.add_flag("-f,--force", force_, "kill it if it runs; an absent container is no error");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a container");
        auto engine = session.engine();
        if (!engine) return fail(engine);
        return for_each_container(session, "rm", operands, [&](const std::string& name) -> Status {
            auto container = engine::find_settled(**engine, name);
            if (!container && force_ && container.error().code == Code::not_found) return {};
            if (!container) return fail(container);
            return engine::remove(**engine, container->record.id,
                                  force_ ? engine::Force::yes : engine::Force::no);
        });
    }

  private:
    bool force_ = false;
};

} // namespace

std::unique_ptr<Verb> make_stop() {
    return std::make_unique<Stop>();
}
std::unique_ptr<Verb> make_kill() {
    return std::make_unique<Kill>();
}
std::unique_ptr<Verb> make_wait() {
    return std::make_unique<Wait>();
}
std::unique_ptr<Verb> make_rm() {
    return std::make_unique<Rm>();
}

} // namespace mydocker::cli
