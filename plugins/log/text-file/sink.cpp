// The log driver "text-file".
#include "sink.hpp"

#include "mydocker/export_log_sink.hpp"

namespace mydocker::text_file {

namespace {

constexpr std::int64_t kMaxFiles = 10'000;

} // namespace

Result<std::unique_ptr<LogSink>> TextFile::open(const Host& host) {
    auto line = LineTemplate::parse(host.options().string("template"));
    if (!line) return fail(line, "option template");
    const std::int64_t max_files = host.options().integer("max_files");
    if (max_files < 2 || max_files > kMaxFiles)
        return fail(Code::invalid, "use option max_files = " + std::to_string(max_files) +
                                       "; it must be from 2 to " + std::to_string(kMaxFiles));
    const Limits limits{.max_size = host.options().size("max_size"),
                        .max_files = static_cast<std::uint64_t>(max_files)};
    return std::unique_ptr<LogSink>(new TextFile(std::move(*line), limits));
}

Result<LogTraits> TextFile::probe() {
    return LogTraits{.readable = false, .diagnostics = true};
}

Result<std::unique_ptr<LogSink::Stream>> TextFile::open(const StreamInfo& info) {
    auto stream = TextStream::open(info, line_, limits_);
    if (!stream) return fail(stream);
    return std::unique_ptr<Stream>(std::move(*stream));
}

Status TextFile::write(Stream& stream, std::span<const LogRecord> records) {
    return static_cast<TextStream&>(stream).write(records);
}

Status TextFile::flush(Stream& stream) {
    return static_cast<TextStream&>(stream).flush();
}

Status TextFile::close(std::unique_ptr<Stream> stream) {
    return static_cast<TextStream&>(*stream).close();
}

Result<LogPage> TextFile::read(const StreamInfo& info, const LogQuery&, const LogCursor&, const LogVisitor&) {
    return fail(Code::unsupported, "read back the text log '" + info.directory + "/" + kFileName +
                                       "'; look at the file itself, or use log driver json-file");
}

Status TextFile::remove(const StreamInfo& info) {
    const auto fd = files::open(info.directory, O_RDONLY | O_DIRECTORY);
    if (!fd) return fd.error().code == Code::not_found ? Status{} : fail(fd);
    const auto entries = files::list_directory(fd->get(), info.directory);
    if (!entries) return fail(entries);
    for (const files::DirectoryEntry& entry : *entries)
        if (is_log_file_name(entry.name) && ::unlinkat(fd->get(), entry.name.c_str(), 0) != 0 &&
            errno != ENOENT)
            return fail_errno(errno, "remove '" + info.directory + "/" + entry.name + "'");
    return {};
}

} // namespace mydocker::text_file

MYDOCKER_EXPORT_LOG_SINK(mydocker::text_file::TextFile, "text-file", "1.0.0",
                         "plain lines by a template, rotated by size, on Boost.Log; serves diagnostics too",
                         mydocker::text_file::kOptions);
