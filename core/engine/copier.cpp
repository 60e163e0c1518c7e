// Turns what a container writes into log records.
#include "engine/copier.hpp"

#include <algorithm>
#include <utility>

namespace mydocker::engine {

namespace {

// Enough to make one write of many lines; few enough to cost the monitor no memory to speak of.
constexpr std::size_t kBatch = 256;

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80;
}

} // namespace

std::size_t piece_length(std::string_view text) {
    // A character has at most three bytes behind its first; more is no UTF-8, and cut anywhere.
    std::size_t length = kMaxRecord;
    while (length > kMaxRecord - 4 && is_continuation(text[length]))
        --length;
    return is_continuation(text[length]) ? kMaxRecord : length;
}

Copier::Copier(LogSink& sink, LogSink::Stream& stream, Report report)
    : sink_(sink),
      stream_(stream),
      report_(std::move(report)) {}

Copier::Unfinished& Copier::unfinished(LogSource source) {
    return unfinished_[static_cast<std::size_t>(source) % unfinished_.size()];
}

void Copier::feed(LogSource source, std::string_view bytes, std::int64_t now_ns) {
    const LogRecord record{.time_ns = now_ns, .source = source, .partial = false, .bytes = {}};
    Unfinished& line = unfinished(source);
    line.time_ns = now_ns;
    if (!line.text.empty()) bytes = complete(line, record, bytes);
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        std::string_view text = bytes.substr(0, end);
        while (text.size() > kMaxRecord) {
            const std::size_t length = piece_length(text);
            add(record, text.substr(0, length), true);
            text.remove_prefix(length);
        }
        if (end == std::string_view::npos) {
            deliver(); // Nothing borrows from line.text after this.
            line.text = text;
            return;
        }
        add(record, text, false);
        bytes.remove_prefix(end + 1);
    }
    deliver();
}

// Adds the first bytes to the unfinished line, until it has ended or is in pieces. Returns the rest.
std::string_view Copier::complete(Unfinished& line, LogRecord record, std::string_view bytes) {
    while (!bytes.empty() && !line.text.empty()) {
        const auto end = bytes.find('\n');
        const std::string_view head = bytes.substr(0, end);
        const std::size_t room = kMaxRecord - line.text.size();
        if (head.size() <= room) {
            line.text += head;
            if (end == std::string_view::npos) return {};
            add(record, line.text, false);
            deliver();
            line.text.clear();
            return bytes.substr(end + 1);
        }
        line.text += head.substr(0, room + 1); // One more shows whether a character ends there.
        const std::size_t length = piece_length(line.text);
        add(record, std::string_view(line.text).substr(0, length), true);
        deliver();
        line.text.erase(0, length);
        line.text.pop_back();
        bytes.remove_prefix(room);
    }
    return bytes;
}

void Copier::finish(LogSource source) {
    Unfinished& line = unfinished(source);
    if (line.text.empty()) return;
    add({.time_ns = line.time_ns, .source = source, .partial = true, .bytes = {}}, line.text, true);
    deliver();
    line.text.clear();
}

void Copier::flush() {
    if (auto flushed = sink_.flush(stream_); !flushed) {
        if (flushed.error().code != Code::busy)
            note(flushed.error()); // Busy: something waits, and may be taken.
        return;
    }
    owes_flush_ = false;
    flushed_ = counters_;
}

void Copier::give_up_unflushed() {
    counters_.dropped += std::exchange(counters_.records, flushed_.records) - flushed_.records;
    counters_.dropped_bytes += std::exchange(counters_.bytes, flushed_.bytes) - flushed_.bytes;
}

void Copier::add(LogRecord record, std::string_view bytes, bool partial) {
    record.bytes = bytes;
    record.partial = partial;
    batch_.push_back(record);
    if (batch_.size() == kBatch) deliver();
}

void Copier::deliver() {
    if (batch_.empty()) return;
    std::uint64_t bytes = 0;
    for (const LogRecord& record : batch_)
        bytes += record.bytes.size();
    const Status written = sink_.write(stream_, batch_);
    owes_flush_ = true;
    (written ? counters_.records : counters_.dropped) += batch_.size();
    (written ? counters_.bytes : counters_.dropped_bytes) += bytes;
    batch_.clear();
    if (!written) {
        ++counters_.failures;
        note(written.error());
    }
}

// A full disk fails every write; once said, it is counted.
void Copier::note(const Error& error) {
    if (reported_) return;
    reported_ = true;
    if (report_) report_(error);
}

} // namespace mydocker::engine
