// The log driver "json-file".
#include "sink.hpp"

#include "reader.hpp"

#include "mydocker/export_log_sink.hpp"

namespace mydocker::json_file {

namespace {

constexpr std::int64_t kMaxFiles = 500; // A reader of all has all of them open.

} // namespace

Result<std::unique_ptr<LogSink>> JsonFile::open(const Host& host) {
    const std::int64_t max_files = host.options().integer("max_files");
    if (max_files < 1 || max_files > kMaxFiles)
        return fail(Code::invalid, "use option max_files = " + std::to_string(max_files) +
                                       "; it must be from 1 to " + std::to_string(kMaxFiles));
    const Limits limits{.max_size = host.options().size("max_size"),
                        .max_files = static_cast<std::uint64_t>(max_files)};
    return std::unique_ptr<LogSink>(new JsonFile(limits));
}

Result<LogTraits> JsonFile::probe() {
    return LogTraits{.readable = true, .diagnostics = false};
}

Result<std::unique_ptr<LogSink::Stream>> JsonFile::open(const StreamInfo& info) {
    auto writer = Writer::open(info.directory, limits_);
    if (!writer) return fail(writer);
    return std::unique_ptr<Stream>(std::move(*writer));
}

Status JsonFile::write(Stream& stream, std::span<const LogRecord> records) {
    return static_cast<Writer&>(stream).write(records);
}

Status JsonFile::flush(Stream& stream) {
    // Every write has handed its lines to the kernel; there is but memory to give back.
    static_cast<Writer&>(stream).release_buffer();
    return {};
}

Status JsonFile::close(std::unique_ptr<Stream> stream) {
    return static_cast<Writer&>(*stream).close();
}

Result<LogPage> JsonFile::read(const StreamInfo& info, const LogQuery& query, const LogCursor& from,
                               const LogVisitor& visit) {
    return read_page(info.directory, query, from, visit);
}

Status JsonFile::remove(const StreamInfo& info) {
    const auto fd = open_log_directory(info.directory);
    if (!fd) return fd.error().code == Code::not_found ? Status{} : fail(fd);
    const auto ages = list_ages(fd->get(), info.directory);
    if (!ages) return fail(ages);
    for (const std::uint64_t age : *ages)
        if (::unlinkat(fd->get(), file_name(age).c_str(), 0) != 0 && errno != ENOENT)
            return fail_errno(errno, "remove '" + info.directory + "/" + file_name(age) + "'");
    return {};
}

} // namespace mydocker::json_file

MYDOCKER_EXPORT_LOG_SINK(mydocker::json_file::JsonFile, "json-file", "1.0.0",
                         "lines in docker's JSON format, rotated by size, readable with mydocker logs",
                         mydocker::json_file::kOptions);
