// stop, kill, wait, rm: one or several containers; each failure is told, the others are still done.
#include "base/signals.hpp"
#include "cli/each.hpp"
#include "cli/resource_flags.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"
#include "engine/wait_condition.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace mydocker::cli {
namespace {

// The flags of `stop` and `restart`.
class StopFlags {
  public:
    void declare(FlagSet& app) {
        app.add_option("-t,--time,--timeout", time_, "seconds until it is killed (10); -1: never")
            ->not_empty();
        app.add_option("-s,--signal", signal_, "signal to send first")->takes("SIGNAL")->not_empty();
    }
    [[nodiscard]] Result<engine::StopRequest> parse() const {
        engine::StopRequest request;
        request.signal = signal_;
        if (!signal_.empty())
            if (auto known = signals::parse(signal_); !known) return usage(known.error().text);
        if (time_.empty()) return request;
        auto seconds = parse_number("time", time_, -1, 86400);
        if (!seconds) return usage(seconds.error().text);
        request.timeout = std::chrono::seconds(*seconds);
        return request;
    }

  private:
    std::string time_;
    std::string signal_;
};

class Stop final : public Verb {
  public:
    void declare(FlagSet& app) override {
        flags_.declare(app);
        choice_.declare(app, "all that run");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        auto request = flags_.parse();
        if (!request) return fail(request);
        auto names = choice_.names(session, operands, runs);
        if (!names) return fail(names);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        return for_each_name(session, "stop", *names, [&](const std::string& name) -> Status {
            auto container = engine::find_settled(**engine, name);
            if (!container) return fail(container);
            return engine::stop(**engine, container->record.id, *request);
        });
    }

  private:
    StopFlags flags_;
    ContainerChoice choice_;
};

class Restart final : public Verb {
  public:
    void declare(FlagSet& app) override {
        flags_.declare(app);
        choice_.declare(app, "all that run");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        auto request = flags_.parse();
        if (!request) return fail(request);
        auto names = choice_.names(session, operands, runs);
        if (!names) return fail(names);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        return for_each_name(session, "restart", *names,
                             [&](const std::string& name) { return restart(**engine, name, *request); });
    }

  private:
    // One that does not run is started.
    static Status restart(engine::Engine& engine, const std::string& name,
                          const engine::StopRequest& request) {
        auto container = engine::find_settled(engine, name);
        if (!container) return fail(container);
        const ContainerId id = container->record.id;
        if (auto stopped = engine::stop_to_restart(engine, container->record, request); !stopped)
            return stopped;
        auto started = engine::start(engine, id, engine::Attach::detached);
        if (!started) return std::unexpected<Error>(started.error().error);
        engine.note(started->record, "restart");
        return {};
    }

    StopFlags flags_;
    ContainerChoice choice_;
};

class Kill final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_option("-s,--signal", signal_, "signal to send (KILL)")->takes("SIGNAL");
        choice_.declare(app, "all that run");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        auto signal = signals::parse(signal_);
        if (!signal) return usage(signal.error().text);
        auto names = choice_.names(session, operands, runs);
        if (!names) return fail(names);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        return for_each_name(session, "kill", *names, [&](const std::string& name) -> Status {
            auto container = engine::find_settled(**engine, name);
            if (!container) return fail(container);
            return engine::kill(**engine, container->record.id, *signal);
        });
    }

  private:
    std::string signal_ = "KILL";
    ContainerChoice choice_;
};

class Wait final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_option("--condition", words_,
                       "not-running (default), next-exit or removed; or a state: created, running, paused, "
                       "exited, healthy, unhealthy; of several the first")
            ->takes("not-running|next-exit|removed|created|running|paused|exited|stopped|healthy|unhealthy");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a container");
        for (const std::string& word : words_) {
            auto condition = engine::parse_wait_condition(word);
            if (!condition) return usage(condition.error().text);
            conditions_.push_back(*condition);
        }
        auto engine = session.engine();
        if (!engine) return fail(engine);
        // From now on, whichever is waited for first.
        std::vector<Result<engine::Loaded>> first;
        if (!conditions_.empty())
            for (const std::string& name : operands)
                first.push_back(engine::find_settled(**engine, name));
        int result = kOk;
        for (std::size_t i = 0; i < operands.size(); ++i) {
            auto code = conditions_.empty() ? engine::wait(**engine, operands[i])
                                            : engine::wait_for(**engine, operands[i], first[i], conditions_);
            if (!code) {
                session.diagnostics().error(fmt::format("wait: {}", describe(code.error())));
                result = std::max(result, session.exit_code_of(code.error()));
                continue;
            }
            print(fmt::format("{}\n", *code));
        }
        return result;
    }

  private:
    std::vector<std::string> words_;
    std::vector<engine::WaitCondition> conditions_;
};

class Rm final : public Verb {
  public:
    void declare(FlagSet& app) override {
        app.add_flag("-f,--force", force_, "kill it if it runs; an absent container is no error");
        app.add_flag("-v,--volumes", volumes_, "with its anonymous volumes");
        choice_.declare(app, "every container; one that runs needs --force");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        auto names = choice_.names(session, operands, [](const engine::ContainerRecord&) { return true; });
        if (!names) return fail(names);
        auto engine = session.engine();
        if (!engine) return fail(engine);
        return for_each_name(session, "rm", *names, [&](const std::string& name) -> Status {
            auto container = engine::find_settled(**engine, name);
            if (!container && force_ && container.error().code == Code::not_found) return {};
            if (!container && force_ && container.error().code == Code::corrupt)
                return engine::remove_damaged(**engine, name);
            if (!container) return fail(container);
            return engine::remove(**engine, container->record.id,
                                  force_ ? engine::Force::yes : engine::Force::no,
                                  volumes_ ? engine::Volumes::remove : engine::Volumes::keep);
        });
    }

  private:
    bool force_ = false;
    bool volumes_ = false;
    ContainerChoice choice_;
};

} // namespace

std::unique_ptr<Verb> make_stop() {
    return std::make_unique<Stop>();
}
std::unique_ptr<Verb> make_restart() {
    return std::make_unique<Restart>();
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
