// A log sink that keeps one batch in memory and says what it was told.
#include "abi/echo.hpp"
#include "mydocker/export_log_sink.hpp"

#include <array>

namespace {

using namespace mydocker;

constexpr std::array<OptionSpec, 0> kOptions{};

class Echo final : public LogSink {
  public:
    static Result<std::unique_ptr<LogSink>> open(Host) {
        return std::unique_ptr<LogSink>(std::make_unique<Echo>());
    }

    [[nodiscard]] Result<LogTraits> probe() override { return LogTraits{true, true}; }
    [[nodiscard]] Result<std::unique_ptr<Stream>> open(const StreamInfo& info) override {
        if (info.name == "refused") return fail(Code::denied, echo::to_text(info), EACCES);
        return std::make_unique<Kept>(*this);
    }
    [[nodiscard]] Status write(Stream& stream, std::span<const LogRecord> records) override {
        auto& kept = static_cast<Kept&>(stream);
        for (const LogRecord& record : records)
            kept.text += echo::to_text(record) + "\n";
        ++kept.calls;
        return {};
    }
    [[nodiscard]] Status flush(Stream& stream) override {
        const auto& kept = static_cast<Kept&>(stream);
        return fail(Code::io, std::to_string(kept.calls) + " calls, " + std::to_string(kept.text.size()) +
                                  " bytes: " + kept.text.substr(0, 200));
    }
    [[nodiscard]] Status close(std::unique_ptr<Stream>) override { return {}; }
    [[nodiscard]] Result<LogPage> read(const StreamInfo& info, const LogQuery& query, const LogCursor& from,
                                       const LogVisitor& visit) override {
        const std::string text = echo::to_text(info) + echo::to_text(query) + from.str();
        for (const LogSource source : {LogSource::out, LogSource::err, LogSource::diagnostic})
            if (auto done = visit({-5, source, true, text}); !done) return fail(done);
        return LogPage{LogCursor(std::to_string(closed_)), false, 3};
    }
    [[nodiscard]] Status remove(const StreamInfo& info) override {
        return fail(Code::busy, echo::to_text(info));
    }

  private:
    // Counts the streams that are gone.
    struct Kept final : Stream {
        explicit Kept(Echo& owner) : sink(owner) {}
        Kept(const Kept&) = delete;
        Kept& operator=(const Kept&) = delete;
        ~Kept() override { ++sink.closed_; }
        Echo& sink;
        std::string text;
        int calls = 0;
    };

    int closed_ = 0;
};

} // namespace

MYDOCKER_EXPORT_LOG_SINK(Echo, "echo", "1.0.0", "says what it was told", kOptions);
