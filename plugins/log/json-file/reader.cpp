// Reads one container's log back, page by page.
#include "reader.hpp"

#include "line_scanner.hpp"
#include "log_files.hpp"
#include "record.hpp"

#include <array>

namespace mydocker::json_file {

namespace {

// Bytes of file that one call looks at, so that a reader that shows progress or stops is never far.
constexpr std::uint64_t kPage = std::uint64_t{4} << 20U;

bool matches(const LogQuery& query, const LogRecord& record) {
    return (!query.since_ns || record.time_ns >= *query.since_ns) &&
           (!query.until_ns || record.time_ns <= *query.until_ns);
}

// Counts lines from the end. A record that is no piece ends a line; so does, for its source, a last
// piece whose line has not come to its end.
class TailCounter {
  public:
    explicit TailCounter(std::uint64_t wanted) : wanted_(wanted) {}

    // Whether the record, which lies before all others counted, still belongs to the wanted lines.
    [[nodiscard]] bool take(const LogRecord& record) {
        bool& seen = seen_[static_cast<std::size_t>(record.source) % seen_.size()];
        if (record.partial && seen) return true;
        if (count_ == wanted_) return false;
        ++count_;
        seen = true;
        return true;
    }

  private:
    std::uint64_t wanted_;
    std::uint64_t count_ = 0;
    std::array<bool, 4> seen_{};
};

class PageReader {
  public:
    PageReader(std::vector<LogFile> files, const LogQuery& query, const LogVisitor& visit)
        : files_(std::move(files)),
          query_(query),
          visit_(visit) {}

    [[nodiscard]] Result<LogPage> read(Resume from);
    [[nodiscard]] Result<Resume> find_tail(std::uint64_t lines);

  private:
    enum class Went { to_end, page_full };

    [[nodiscard]] Result<Went> read_file(std::size_t index, std::uint64_t offset);
    [[nodiscard]] Status take(const Line& line);
    [[nodiscard]] bool may_still_grow(std::size_t index, const Line& line) const;
    [[nodiscard]] Result<bool> count_lines(std::size_t index, TailCounter& counter, Resume& begin);
    void set_next(std::size_t index, std::uint64_t offset) {
        page_.next = to_cursor({files_[index].number, files_[index].inode, offset});
    }

    std::vector<LogFile> files_;
    const LogQuery& query_;
    const LogVisitor& visit_;
    Decoder decoder_;
    LogPage page_;
    std::uint64_t looked_at_ = 0;
};

Result<LogPage> PageReader::read(Resume from) {
    for (std::size_t i = from.index; i < files_.size(); ++i) {
        const auto went = read_file(i, i == from.index ? from.offset : 0);
        if (!went) return fail(went);
        if (*went == Went::page_full) {
            page_.at_end = false;
            break;
        }
    }
    return std::move(page_);
}

Result<PageReader::Went> PageReader::read_file(std::size_t index, std::uint64_t offset) {
    LineScanner scanner(files_[index].fd.get(), offset);
    for (;;) {
        set_next(index, scanner.offset());
        if (looked_at_ >= kPage) return Went::page_full;
        const auto line = scanner.next();
        if (!line) return fail(line);
        if (!*line) return Went::to_end;
        if (!(*line)->ended && may_still_grow(index, **line)) return Went::to_end;
        looked_at_ += (*line)->end - (*line)->begin;
        if (auto taken = take(**line); !taken) return fail(taken);
    }
}

// Whether the half line at the end is one that is being written right now.
bool PageReader::may_still_grow(std::size_t index, const Line& line) const {
    if (index + 1 != files_.size()) return false;
    const int fd = files_[index].fd.get();
    if (has_living_writer(fd)) return true;
    // The writer may have completed the line and ended between our read and the question.
    struct stat status{};
    return ::fstat(fd, &status) == 0 && static_cast<std::uint64_t>(status.st_size) != line.end;
}

Status PageReader::take(const Line& line) {
    if (line.text.empty() && !line.too_long) return {}; // the end that was put to a half line
    const auto record = line.too_long ? std::nullopt : decoder_.decode(line.text);
    if (!record) {
        ++page_.damaged;
        return {};
    }
    return matches(query_, *record) ? visit_(*record) : Status{};
}

Result<Resume> PageReader::find_tail(std::uint64_t lines) {
    Resume begin{files_.size(), 0};
    TailCounter counter(lines);
    for (std::size_t i = files_.size(); i-- > 0;) {
        const auto more = count_lines(i, counter, begin);
        if (!more) return fail(more);
        if (!*more) break;
    }
    return begin;
}

// Moves `begin` back over the wanted lines of one file. False when all wanted lines are found.
Result<bool> PageReader::count_lines(std::size_t index, TailCounter& counter, Resume& begin) {
    struct stat status{};
    if (::fstat(files_[index].fd.get(), &status) != 0) return fail_errno(errno, "examine log");
    ReverseLineScanner scanner(files_[index].fd.get(), static_cast<std::uint64_t>(status.st_size));
    for (;;) {
        const auto line = scanner.previous();
        if (!line) return fail(line);
        if (!*line) return true;
        if (begin.index == files_.size()) begin = {index, (*line)->end};
        const auto record = (*line)->too_long ? std::nullopt : decoder_.decode((*line)->text);
        if (!record || !matches(query_, *record)) continue;
        if (!counter.take(*record)) return false;
        begin = {index, (*line)->begin};
    }
}

} // namespace

Result<LogPage> read_page(const std::string& directory, const LogQuery& query, const LogCursor& from,
                          const LogVisitor& visit) {
    Position position;
    if (!from.empty()) {
        const auto parsed = parse_cursor(from);
        if (!parsed) return fail(parsed);
        position = *parsed;
    }
    LogPage nothing;
    nothing.next = to_cursor(position); // Never empty: `tail` is for the first read only.
    auto fd = open_log_directory(directory);
    if (!fd && fd.error().code == Code::not_found) return nothing;
    if (!fd) return fail(fd);
    auto files = open_log_files(fd->get(), directory, position);
    if (!files) return fail(files);
    if (files->empty()) return nothing;

    Resume resume = find_position(*files, position);
    if (resume.index < files->size()) {
        struct stat status{};
        if (::fstat((*files)[resume.index].fd.get(), &status) != 0) return fail_errno(errno, "examine log");
        // Behind the end: the file was cut off.
        resume.offset = std::min(resume.offset, static_cast<std::uint64_t>(status.st_size));
    }
    PageReader reader(std::move(*files), query, visit);
    if (query.tail && from.empty()) {
        const auto tail = reader.find_tail(*query.tail);
        if (!tail) return fail(tail);
        resume = *tail;
    }
    auto page = reader.read(resume);
    if (page && page->next.empty()) page->next = nothing.next;
    return page;
}

} // namespace mydocker::json_file
