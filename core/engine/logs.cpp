// Reads a log page by page, and waits for the next one.
#include "engine/logs.hpp"

#include "engine/log_watch.hpp"
#include "engine/start_process.hpp"

#include <utility>
#include <vector>

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
    LogReader(Engine& engine, const VisitedLog& log, LogSink& sink, const LogsRequest& request)
        : engine_(engine),
          record_(*log.container),
          sink_(sink),
          visitor_(log.visitor),
          query_{request.since_ns, request.until_ns, request.tail},
          stream_(stream_info(engine, record_)) {}

    // All that is there now.
    Status read() {
        for (;;) {
            auto page = sink_.read(stream_, query_, cursor_, visitor_.record);
            if (!page && page.error().code == Code::unsupported)
                return unreadable(engine_, record_, page.error());
            if (!page) return fail(page);
            damaged_ += page->damaged;
            cursor_ = page->next;
            query_.tail.reset(); // It counts from the end once.
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
    LogQuery query_;
    StreamInfo stream_;
    LogCursor cursor_;
    std::uint64_t damaged_ = 0;
};

// What follows one container.
struct Follower {
    LogReader& reader;
    LogWatch watch;
    bool done = false;

    Status read() {
        done = watch.has_ended(); // Its last words are read after this, so nothing is lost between.
        return reader.read();
    }
};

Status follow(std::vector<Follower> followers, const LogsRequest& request) {
    for (;;) {
        std::vector<LogWatch*> open;
        for (Follower& each : followers) {
            if (each.done) continue;
            if (auto read = each.read(); !read) return read;
            if (!each.done) open.push_back(&each.watch);
        }
        if (open.empty()) return {};
        auto news = LogWatch::wait(open, request.reader, request.until_ns);
        if (!news) return fail(news);
        if (*news == LogWatch::News::over) return {};
    }
}

Status follow(Engine& engine, std::span<const VisitedLog> visited, const LogsRequest& request,
              std::vector<LogReader>& readers) {
    std::vector<Follower> followers;
    for (std::size_t i = 0; i < visited.size(); ++i) {
        auto watch = LogWatch::begin(engine.roots(), *visited[i].container);
        if (!watch) return fail(watch);
        followers.push_back({readers[i], std::move(*watch)});
    }
    return follow(std::move(followers), request);
}

Status read_all(std::vector<LogReader>& readers) {
    for (LogReader& reader : readers)
        if (auto read = reader.read(); !read) return read;
    return {};
}

} // namespace

Status logs(Engine& engine, std::span<const VisitedLog> visited, const LogsRequest& request) {
    std::vector<LogReader> readers;
    for (const VisitedLog& each : visited) {
        auto sink = engine.log(each.container->drivers.log, each.container->log_options);
        if (!sink) return fail(sink);
        readers.emplace_back(engine, each, **sink, request);
    }
    const Status done = request.follow ? follow(engine, visited, request, readers) : read_all(readers);
    for (const LogReader& reader : readers)
        reader.tell_damage();
    return done;
}

} // namespace mydocker::engine
