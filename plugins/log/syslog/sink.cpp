// The log driver "syslog".
#include "sink.hpp"

#include "mydocker/export_log_sink.hpp"

#include <sys/stat.h>

namespace mydocker::syslog {
namespace {

// RFC 5424, section 6.1, wants every server to take the one; a datagram has no room for more than the other.
constexpr std::uint64_t kLeastMessage = 480;
constexpr std::uint64_t kMostMessage = 65'000;
constexpr std::uint64_t kNoticeRoom = 512;

[[nodiscard]] Result<Form> parse_form(std::string_view text, const Address& address) {
    const Form older = address.is_local() ? Form::rfc3164_local : Form::rfc3164;
    if (text == "rfc5424") return Form::rfc5424;
    if (text == "rfc3164") return older;
    if (text == "auto") return address.is_local() ? older : Form::rfc5424;
    return fail(Code::invalid,
                "use format '" + std::string(text) + "'; it must be 'auto', 'rfc5424' or 'rfc3164'");
}

[[nodiscard]] Result<std::size_t> message_limit(std::uint64_t bytes) {
    if (bytes >= kLeastMessage && bytes <= kMostMessage) return bytes;
    return fail(Code::invalid, "use max_message = " + std::to_string(bytes) + "; it must be from " +
                                   std::to_string(kLeastMessage) + " to " + std::to_string(kMostMessage));
}

} // namespace

Result<std::unique_ptr<LogSink>> Syslog::open(const Host& host) {
    const Options& options = host.options();
    auto address = parse_address(options.string("address"));
    if (!address) return fail(address);
    auto facility = parse_facility(options.string("facility"));
    if (!facility) return fail(facility);
    auto form = parse_form(options.string("format"), *address);
    if (!form) return fail(form);
    if (auto fit = check_tag(options.string("tag")); !fit) return fail(fit);
    auto limit = message_limit(options.size("max_message"));
    if (!limit) return fail(limit);
    const std::uint64_t buffer = options.size("buffer");
    if (buffer < *limit + kNoticeRoom)
        return fail(Code::invalid, "use buffer = " + std::to_string(buffer) + "; it must be at least " +
                                       std::to_string(*limit + kNoticeRoom) +
                                       ", for one message of max_message and a notice");
    return std::unique_ptr<LogSink>(new Syslog({.address = std::move(*address),
                                                .facility = *facility,
                                                .form = *form,
                                                .tag = options.string("tag"),
                                                .max_message = *limit,
                                                .buffer = buffer}));
}

Result<LogTraits> Syslog::probe() {
    const Address& address = settings_.address;
    struct stat status{};
    const bool is_there =
        !address.is_local() || (::stat(address.path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode));
    if (!is_there)
        return fail(Code::unsupported, "find a syslog server at '" + address.text +
                                           "'; start one, or set address in [log.syslog]");
    return LogTraits{.readable = false, .diagnostics = true};
}

Result<std::unique_ptr<LogSink::Stream>> Syslog::open(const StreamInfo& info) {
    auto stream = SyslogStream::open(info, settings_);
    if (!stream) return fail(stream);
    return std::unique_ptr<Stream>(std::move(*stream));
}

Status Syslog::write(Stream& stream, std::span<const LogRecord> records) {
    return static_cast<SyslogStream&>(stream).write(records);
}

Status Syslog::flush(Stream& stream) {
    return static_cast<SyslogStream&>(stream).flush();
}

Status Syslog::close(std::unique_ptr<Stream> stream) {
    return static_cast<SyslogStream&>(*stream).close();
}

Result<LogPage> Syslog::read(const StreamInfo&, const LogQuery&, const LogCursor&, const LogVisitor&) {
    return fail(Code::unsupported, "read back what syslog server '" + settings_.address.text +
                                       "' was given; look where it keeps its messages");
}

Status Syslog::remove(const StreamInfo&) {
    return {}; // What the server has is not ours to remove.
}

} // namespace mydocker::syslog

MYDOCKER_EXPORT_LOG_SINK(mydocker::syslog::Syslog, "syslog", "1.0.0",
                         "messages to a syslog server, by a local socket or UDP", mydocker::syslog::kOptions);
