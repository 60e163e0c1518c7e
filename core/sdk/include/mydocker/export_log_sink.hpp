// Makes a plugin of a class derived from LogSink: the trampolines from the C wire to the class, and the
// macro that exports it. Include it in one source file of a plugin, nowhere else.
#pragma once

#include "mydocker/abi/log_sink.h"
#include "mydocker/detail/export.hpp"
#include "mydocker/detail/wire.hpp"
#include "mydocker/log_sink.hpp"

namespace mydocker::wire::log {

[[nodiscard]] inline LogSink& sink(void* self) {
    return *static_cast<LogSink*>(self);
}

[[nodiscard]] inline LogSink::Stream& stream_of(void* stream) {
    return *static_cast<LogSink::Stream*>(stream);
}

[[nodiscard]] inline Result<StreamInfo> stream_info(const md_stream_info* pointer) {
    const auto given = copy_in<md_stream_info>(pointer);
    StreamInfo info;
    info.id = view(given.id);
    info.name = view(given.name);
    info.image = view(given.image);
    info.directory = view(given.directory);
    auto read = each<md_label>(given.labels, [&](const md_label& label) -> Status {
        info.labels.emplace_back(view(label.key), view(label.value));
        return {};
    });
    if (!read) return fail(read);
    return info;
}

inline std::uint32_t probe(void* self, const md_log_traits_sink* out, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto traits = sink(self).probe();
        if (!traits) return fail(traits);
        auto item = make<md_log_traits>();
        item.readable = traits->readable ? 1 : 0;
        item.diagnostics = traits->diagnostics ? 1 : 0;
        return send(out, &item);
    });
}

inline std::uint32_t open(void* self, const md_stream_info* given, void** stream, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto info = stream_info(given);
        if (!info) return fail(info);
        auto opened = sink(self).open(*info);
        if (!opened) return fail(opened);
        if (*opened == nullptr) return fail(Code::plugin_fault, "made no stream");
        *stream = opened->release();
        return {};
    });
}

inline std::uint32_t write(void* self, void* stream, md_list records, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        std::vector<LogRecord> batch;
        batch.reserve(std::min(records.count, kMaxItems));
        auto read = each<md_log_record>(records, [&](const md_log_record& record) -> Status {
            batch.push_back({record.time_ns, static_cast<LogSource>(record.source), record.partial != 0,
                             view(record.bytes)});
            return {};
        });
        if (!read) return read;
        return sink(self).write(stream_of(stream), batch);
    });
}

inline std::uint32_t flush(void* self, void* stream, md_error* error) noexcept {
    return guard(error, [&] { return sink(self).flush(stream_of(stream)); });
}

inline std::uint32_t close(void* self, void* stream, md_error* error) noexcept {
    return guard(error,
                 [&] { return sink(self).close(std::unique_ptr<LogSink::Stream>(&stream_of(stream))); });
}

[[nodiscard]] inline Result<LogQuery> query(const md_log_query* pointer) {
    const auto given = copy_in<md_log_query>(pointer);
    if ((given.set & ~std::uint32_t{MD_QUERY_SINCE | MD_QUERY_UNTIL | MD_QUERY_TAIL}) != 0)
        return fail(Code::unsupported, "read with a condition that this sink does not know");
    LogQuery asked;
    if ((given.set & MD_QUERY_SINCE) != 0) asked.since_ns = given.since_ns;
    if ((given.set & MD_QUERY_UNTIL) != 0) asked.until_ns = given.until_ns;
    if ((given.set & MD_QUERY_TAIL) != 0) asked.tail = given.tail;
    return asked;
}

[[nodiscard]] inline Status send_record(const md_log_record_sink* visit, const LogRecord& record) {
    auto item = make<md_log_record>();
    item.source = static_cast<std::uint32_t>(record.source);
    item.time_ns = record.time_ns;
    item.partial = record.partial ? 1 : 0;
    item.bytes = str(record.bytes);
    return send(visit, &item);
}

inline std::uint32_t read(void* self, const md_log_read* what, const md_log_record_sink* visit,
                          const md_log_page_sink* out, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        const auto given = copy_in<md_log_read>(what);
        auto info = stream_info(given.info);
        if (!info) return fail(info);
        auto asked = query(given.query);
        if (!asked) return fail(asked);
        auto page = sink(self).read(*info, *asked, LogCursor(view(given.from)),
                                    [&](const LogRecord& record) { return send_record(visit, record); });
        if (!page) return fail(page);
        auto item = make<md_log_page>();
        item.at_end = page->at_end ? 1 : 0;
        item.damaged = page->damaged;
        item.next = str(page->next.str());
        return send(out, &item);
    });
}

inline std::uint32_t remove(void* self, const md_stream_info* given, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto info = stream_info(given);
        if (!info) return fail(info);
        return sink(self).remove(*info);
    });
}

inline constexpr md_log_table kTable = {
    .size = sizeof(md_log_table),
    .reserved = 0,
    .probe = &probe,
    .open = &open,
    .write = &write,
    .flush = &flush,
    .close = &close,
    .read = &read,
    .remove = &remove,
};

} // namespace mydocker::wire::log

// Exports `Class`, which has `static Result<std::unique_ptr<LogSink>> open(Host)`, as the log sink
// `name` (the file must be log-<name>.so). name, version, summary: string literals; options:
// a constexpr std::array<OptionSpec, N> at namespace scope. Once in a plugin, at namespace scope.
#define MYDOCKER_EXPORT_LOG_SINK(Class, name, version, summary, options)                                     \
    namespace {                                                                                              \
    constexpr ::mydocker::wire::Identity mydocker_identity{MD_KIND_LOG, name, version, summary};             \
    static_assert(::mydocker::wire::is_plugin_name(name), "a plugin's name is of a-z 0-9 - _");              \
    constexpr auto mydocker_specs = ::mydocker::wire::option_specs(options);                                 \
    [[gnu::section(".note.mydocker"), gnu::used, gnu::aligned(4)]] constexpr auto mydocker_note =            \
        ::mydocker::wire::passport_note<::mydocker::wire::note_size(mydocker_identity, options)>(            \
            mydocker_identity, options);                                                                     \
    }                                                                                                        \
    constinit const md_plugin mydocker_plugin = ::mydocker::wire::descriptor<::mydocker::LogSink, Class>(    \
        mydocker_identity, mydocker_specs, ::mydocker::wire::log::kTable)
