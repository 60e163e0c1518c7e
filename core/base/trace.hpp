// What was done when, for `run --explain`: spans of time with a name. Nothing is kept, and no clock is read,
// unless there is a recorder. All processes of a start count by the same clock, CLOCK_MONOTONIC.
#pragma once

#include "base/codec.hpp"
#include "base/sys.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::trace {

struct Span {
    std::string who;    // the program: "mydocker", "monitor", "init"
    std::string name;   // what was done: "storage", "mount"
    std::string detail; // to what, with what
    std::int64_t begin_ns = 0;
    std::int64_t end_ns = 0;
};

// The spans of one process, and those that others sent it.
class Recorder {
  public:
    explicit Recorder(std::string_view who) : who_(who) {}

    void add(std::string_view name, std::string detail, std::int64_t begin_ns, std::int64_t end_ns) {
        spans_.push_back({who_, std::string(name), std::move(detail), begin_ns, end_ns});
    }
    void add_all(std::vector<Span> spans) {
        spans_.insert(spans_.end(), std::make_move_iterator(spans.begin()),
                      std::make_move_iterator(spans.end()));
    }
    [[nodiscard]] const std::vector<Span>& spans() const { return spans_; }
    void forget() { spans_.clear(); }

  private:
    std::string who_;
    std::vector<Span> spans_;
};

// From its making to its end; without a recorder nothing.
class Scope {
  public:
    Scope(Recorder* recorder, std::string_view name)
        : recorder_(recorder),
          name_(name),
          begin_ns_(recorder != nullptr ? sys::monotonic_ns() : 0) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() {
        if (recorder_ != nullptr) recorder_->add(name_, std::move(detail_), begin_ns_, sys::monotonic_ns());
    }

    // `make` returns the detail; it is called only if that is wanted.
    template <class Make>
    void describe(const Make& make) {
        if (recorder_ != nullptr) detail_ = make();
    }

  private:
    Recorder* recorder_;
    std::string_view name_;
    std::string detail_;
    std::int64_t begin_ns_;
};

// For the way from one of our programs to another. What goes beyond `limit` bytes is left out.
[[nodiscard]] inline std::string encode(const std::vector<Span>& spans, std::size_t limit) {
    std::string bytes;
    for (const Span& span : spans) {
        codec::Writer writer;
        writer.put(span.who);
        writer.put(span.name);
        writer.put(span.detail);
        writer.put(span.begin_ns);
        writer.put(span.end_ns);
        codec::Writer framed;
        framed.put(writer.take());
        const std::string frame = framed.take();
        if (bytes.size() + frame.size() > limit) break;
        bytes += frame;
    }
    return bytes;
}

// What cannot be read is left out: it is for the eye alone.
[[nodiscard]] inline std::vector<Span> decode(std::string_view bytes) {
    std::vector<Span> spans;
    while (bytes.size() >= sizeof(std::uint64_t)) {
        std::uint64_t size = 0;
        codec::Reader(bytes.substr(0, sizeof size)).get(size);
        bytes.remove_prefix(sizeof size);
        if (size > bytes.size()) break;
        codec::Reader reader(bytes.substr(0, size));
        Span span;
        reader.get(span.who);
        reader.get(span.name);
        reader.get(span.detail);
        reader.get(span.begin_ns);
        reader.get(span.end_ns);
        if (!reader.complete()) break;
        spans.push_back(std::move(span));
        bytes.remove_prefix(size);
    }
    return spans;
}

} // namespace mydocker::trace
