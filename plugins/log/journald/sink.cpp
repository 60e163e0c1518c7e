// The log driver "journald".
#include "sink.hpp"

#include "entry.hpp"
#include "library.hpp"
#include "reader.hpp"

#include "log/datagram/local_socket.hpp"

#include "mydocker/export_log_sink.hpp"

#include <chrono>
#include <sys/stat.h>

namespace mydocker::journal {
namespace {

// A record has 16 KiB at most (engine), its fields less.
constexpr std::uint64_t kLeastBuffer = std::uint64_t{32} << 10U;

struct JournalStream final : LogSink::Stream {
    JournalStream(std::string common, datagram::Outbox out)
        : fields(std::move(common)),
          outbox(std::move(out)) {}

    std::string fields; // that all entries have in common
    datagram::Outbox outbox;
};

[[nodiscard]] std::string entry_of_ours(const std::string& fields, const std::string& text) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return make_entry(fields, {.time_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count(),
                               .source = LogSource::diagnostic,
                               .partial = false,
                               .bytes = text});
}

} // namespace

Result<std::unique_ptr<LogSink>> Journald::open(const Host& host) {
    const Options& options = host.options();
    for (const char* key : {"socket", "directory"}) {
        const std::string path = options.string(key);
        if (!path.empty() && !path.starts_with('/'))
            return fail(Code::invalid,
                        "use option " + std::string(key) + " = '" + path + "'; it must be an absolute path");
    }
    const std::uint64_t buffer = options.size("buffer");
    if (buffer < kLeastBuffer)
        return fail(Code::invalid, "use buffer = " + std::to_string(buffer) + "; it must be at least " +
                                       std::to_string(kLeastBuffer) + ", for an entry and a notice");
    return std::unique_ptr<LogSink>(
        new Journald(options.string("socket"), options.string("directory"), buffer));
}

Result<LogTraits> Journald::probe() {
    struct stat status{};
    if (::stat(socket_.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode))
        return fail(Code::unsupported, "find " + server() + "; this host runs without systemd's journal");
    return LogTraits{.readable = Library::load().has_value(), .diagnostics = true};
}

Result<std::unique_ptr<LogSink::Stream>> Journald::open(const StreamInfo& info) {
    const std::string fields = make_common_fields(info);
    auto outbox = datagram::Outbox::open(
        {.server = server(),
         .connect = [socket = socket_, server = server()] { return datagram::connect_local(socket, server); },
         .is_local = true,
         .make_notice = [fields](const std::string& text) { return entry_of_ours(fields, text); },
         .buffer = buffer_});
    if (!outbox) return fail(outbox);
    return std::make_unique<JournalStream>(fields, std::move(*outbox));
}

Status Journald::write(Stream& stream, std::span<const LogRecord> records) {
    auto& out = static_cast<JournalStream&>(stream);
    out.outbox.begin_batch();
    for (const LogRecord& record : records)
        out.outbox.add(make_entry(out.fields, record));
    return out.outbox.end_batch();
}

Status Journald::flush(Stream& stream) {
    return static_cast<JournalStream&>(stream).outbox.flush();
}

Status Journald::close(std::unique_ptr<Stream> stream) {
    return static_cast<JournalStream&>(*stream).outbox.close();
}

Result<LogPage> Journald::read(const StreamInfo& info, const LogQuery& query, const LogCursor& from,
                               const LogVisitor& visit) {
    synchronize(socket_);
    return read_page(directory_, info, query, from, visit);
}

Status Journald::remove(const StreamInfo&) {
    return {};
}

} // namespace mydocker::journal

MYDOCKER_EXPORT_LOG_SINK(mydocker::journal::Journald, "journald", "1.0.0",
                         "entries of systemd's journal, readable with mydocker logs and journalctl",
                         mydocker::journal::kOptions);
