// The log driver "none".
#include "sink.hpp"

#include "mydocker/export_log_sink.hpp"

namespace mydocker::no_log {

Result<std::unique_ptr<LogSink>> None::open(const Host&) {
    return std::make_unique<None>();
}

// Not fit for diagnostics: who loses them should have said so by their level.
Result<LogTraits> None::probe() {
    return LogTraits{.readable = false, .diagnostics = false};
}

Result<std::unique_ptr<LogSink::Stream>> None::open(const StreamInfo&) {
    return std::make_unique<Stream>();
}

Status None::write(Stream&, std::span<const LogRecord>) {
    return {};
}

Status None::flush(Stream&) {
    return {};
}

Status None::close(std::unique_ptr<Stream>) {
    return {};
}

Result<LogPage> None::read(const StreamInfo&, const LogQuery&, const LogCursor&, const LogVisitor&) {
    return fail(Code::unsupported, "nothing of its output was kept");
}

Status None::remove(const StreamInfo&) {
    return {};
}

} // namespace mydocker::no_log

MYDOCKER_EXPORT_LOG_SINK(mydocker::no_log::None, "none", "1.0.0", "keeps nothing",
                         mydocker::no_log::kOptions);
