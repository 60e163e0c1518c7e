#include "cli/explain.hpp"

#include "base/json.hpp"
#include "base/sys.hpp"
#include "cli/table.hpp"

#include <algorithm>
#include <fcntl.h>
#include <fmt/format.h>
#include <map>
#include <unistd.h>

namespace mydocker::cli {
namespace {

constexpr std::size_t kBarWidth = 32;
constexpr double kNsAMs = 1e6;
constexpr double kNsAUsec = 1e3;

double milliseconds(std::int64_t ns) {
    return static_cast<double>(ns) / kNsAMs;
}

// Where a span lies between the first beginning and the last end. What is short is seen, too.
std::string bar(const trace::Span& span, std::int64_t first_ns, std::int64_t last_ns) {
    const auto whole = static_cast<double>(std::max<std::int64_t>(1, last_ns - first_ns));
    const auto cell = [&](std::int64_t ns) {
        const double share = static_cast<double>(ns - first_ns) / whole;
        return std::min(kBarWidth - 1, static_cast<std::size_t>(std::max(0.0, share) * kBarWidth));
    };
    const std::size_t from = cell(span.begin_ns);
    const std::size_t to = cell(span.end_ns);
    std::string text(from, ' ');
    for (std::size_t i = from; i <= to; ++i)
        text += "▇";
    return text + std::string(kBarWidth - 1 - to, ' ');
}

} // namespace

std::string waterfall(std::vector<trace::Span> spans) {
    if (spans.empty()) return {};
    // What holds others comes before them.
    std::ranges::sort(spans, {},
                      [](const trace::Span& span) { return std::pair(span.begin_ns, -span.end_ns); });
    const std::int64_t first = spans.front().begin_ns;
    const std::int64_t last = std::ranges::max(spans, {}, &trace::Span::end_ns).end_ns;
    std::string text =
        fmt::format("{:>9} {:>9}  {:<{}}  WHO       WHAT\n", "AT ms", "TOOK ms", "", kBarWidth);
    for (const trace::Span& span : spans)
        text += fmt::format("{:>9.3f} {:>9.3f} |{}| {:<9} {}{}{}\n", milliseconds(span.begin_ns - first),
                            milliseconds(span.end_ns - span.begin_ns), bar(span, first, last), span.who,
                            printable(span.name), span.detail.empty() ? "" : ": ", printable(span.detail));
    return text;
}

std::string chrome_trace(const std::vector<trace::Span>& spans) {
    std::map<std::string, int> threads; // by program
    json::Value events{json::Array{}};
    for (const trace::Span& span : spans) {
        const auto [thread, is_new] = threads.emplace(span.who, static_cast<int>(threads.size()) + 1);
        if (is_new) {
            json::Value name;
            name.set("name", "thread_name").set("ph", "M").set("pid", 1).set("tid", thread->second);
            name.set("args", json::Object{{"name", span.who}});
            events.push(std::move(name));
        }
        json::Value event;
        event.set("name", span.name).set("cat", span.who).set("ph", "X");
        event.set("ts", static_cast<double>(span.begin_ns) / kNsAUsec);
        event.set("dur", static_cast<double>(span.end_ns - span.begin_ns) / kNsAUsec);
        event.set("pid", 1).set("tid", thread->second);
        event.set("args", json::Object{{"detail", span.detail}});
        events.push(std::move(event));
    }
    json::Value root;
    root.set("traceEvents", std::move(events)).set("displayTimeUnit", "ms");
    return json::dump(root) + "\n";
}

Result<Explanation> Explanation::make(const std::string& wanted) {
    Explanation explanation;
    explanation.is_on_ = !wanted.empty();
    if (wanted.empty() || wanted == "true") return explanation;
    auto file = sys::openat(AT_FDCWD, wanted, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (!file) return fail(file, "explain");
    explanation.path_ = wanted;
    explanation.file_ = std::move(*file);
    return explanation;
}

Status Explanation::finish() {
    if (!is_on_) return {};
    if (path_.empty()) return sys::write_all(STDERR_FILENO, waterfall(recorder_.spans()));
    auto written = sys::write_all(file_.get(), chrome_trace(recorder_.spans()));
    return written ? Status{} : Status(fail(written, "explain: write '" + path_ + "'"));
}

} // namespace mydocker::cli
