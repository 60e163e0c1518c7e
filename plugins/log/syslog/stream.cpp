#include "stream.hpp"

#include <array>
#include <chrono>
#include <climits>
#include <unistd.h>
#include <utility>

namespace mydocker::syslog {
namespace {

constexpr std::size_t kShortOrigin = 12;

[[nodiscard]] std::string host_name() {
    std::array<char, HOST_NAME_MAX + 1> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0 || name.front() == '\0') return "-";
    return name.data();
}

// As of now.
[[nodiscard]] std::string make_notice(const Origin& origin, const std::string& text) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const LogRecord record{.time_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count(),
                           .source = LogSource::diagnostic,
                           .partial = false,
                           .bytes = text};
    return make_header(origin, record) + text;
}

} // namespace

Result<std::unique_ptr<SyslogStream>> SyslogStream::open(const StreamInfo& info, const Settings& settings) {
    Origin origin{.form = settings.form,
                  .facility = settings.facility,
                  .host = host_name(),
                  .tag = make_tag(settings.tag, info, settings.form),
                  .id = info.id.substr(0, kShortOrigin)};
    if (origin.id.empty()) origin.id = "-";
    auto outbox = datagram::Outbox::open(
        {.server = describe_server(settings.address),
         .connect = make_connector(settings.address),
         .is_local = settings.address.is_local(),
         .make_notice = [origin](const std::string& text) { return make_notice(origin, text); },
         .buffer = settings.buffer});
    if (!outbox) return fail(outbox);
    return std::unique_ptr<SyslogStream>(
        new SyslogStream(std::move(origin), settings.max_message, std::move(*outbox)));
}

Status SyslogStream::write(std::span<const LogRecord> records) {
    outbox_.begin_batch();
    for (const LogRecord& record : records)
        visit_messages(origin_, record, max_message_,
                       [this](std::string message) { outbox_.add(std::move(message)); });
    return outbox_.end_batch();
}

} // namespace mydocker::syslog
