// Reads a log page by page, and waits for the next one.
#include "engine/logs.hpp"

#include "engine/log_watch.hpp"
#include "engine/start_process.hpp"

namespace mydocker::engine {
namespace {

bool reads_back(Engine& engine, const std::string& driver) {
    auto sink = engine.log(driver, {});
    auto traits = sink ? (*sink)->probe() : Result<LogTraits>(fail(sink));
    return traits && traits->readable;
}

// A log driver that is installed and reads back, the selected one before others; empty: there is none.
std::string readable_driver(Engine& engine) {
    if (std::string selected = engine.selected_log(); reads_back(engine, selected)) return selected;
    auto files = engine.plugins().list();
    if (!files) return {};
    for (const plugin::PluginFile& file : *files) {
        if (file.kind != plugin::Kind::log || file.hidden || !file.passport) continue;
        if (reads_back(engine, file.name)) return file.name;
    }
    return {};
}

std::unexpected<Error> unreadable(Engine& engine, const ContainerRecord& record, const Error& error) {
    const std::string other = readable_driver(engine);
    std::string text =
        "log driver '" + record.drivers.log + "' of container '" + record.name.str() + "' cannot read back";
    if (!other.empty()) text += "; '" + other + "' can: `--log-driver " + other + "` for the next container";
    return fail(Code::unsupported, text + "; " + error.text);
}

class LogReader {
  public:
    LogReader(Engine& engine, const ContainerRecord& record, LogSink& sink, const LogsVisitor& visitor)
        : engine_(engine),
          record_(record),
          sink_(sink),
          visitor_(visitor),
          stream_(stream_info(engine, record)) {}

    // All that is there now.
    Status read(LogQuery& query) {
        for (;;) {
            auto page = sink_.read(stream_, query, cursor_, visitor_.record);
            if (!page && page.error().code == Code::unsupported)
                return unreadable(engine_, record_, page.error());
            if (!page) return fail(page);
            damaged_ += page->damaged;
            cursor_ = page->next;
            query.tail.reset(); // It counts from the end once.
            if (page->at_end) return visitor_.pause();
        }
    }

    void tell_damage() const {
        if (damaged_ > 0)
            engine_.diagnostics().warning("logs of '" + record_.name.str() +
                                          "': " + std::to_string(damaged_) + " damaged records skipped");
    }

  private:
    Engine& engine_;
    const ContainerRecord& record_;
    LogSink& sink_;
    const LogsVisitor& visitor_;
    StreamInfo stream_;
    LogCursor cursor_;
    std::uint64_t damaged_ = 0;
};

Status follow(const paths::Roots& roots, const ContainerRecord& record, const LogsRequest& request,
              LogReader& reader, LogQuery& query) {
    auto watch = LogWatch::begin(roots, record);
    if (!watch) return fail(watch);
    for (;;) {
        if (auto done = reader.read(query); !done) return done;
        auto news = watch->wait(request.reader, request.until_ns);
        if (!news) return fail(news);
        if (*news == LogWatch::News::ended) return reader.read(query);
        if (*news == LogWatch::News::over) return {};
    }
}

} // namespace

Status logs(Engine& engine, const ContainerRecord& container, const LogsRequest& request,
            const LogsVisitor& visitor) {
    auto sink = engine.log(container.drivers.log, container.log_options);
    if (!sink) return fail(sink);
    LogQuery query{request.since_ns, request.until_ns, request.tail};
    LogReader reader(engine, container, **sink, visitor);
    const Status done =
        request.follow ? follow(engine.roots(), container, request, reader, query) : reader.read(query);
    reader.tell_damage();
    return done;
}

} // namespace mydocker::engine
