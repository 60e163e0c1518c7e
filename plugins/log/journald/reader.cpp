#include "reader.hpp"

#include "entry.hpp"
#include "library.hpp"

#include "mydocker/support/files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

namespace mydocker::journal {
namespace {

constexpr std::size_t kPageBytes = std::size_t{4} << 20U;

struct CloseJournal {
    const Library* library;
    void operator()(sd_journal* journal) const { library->close(journal); }
};

// The entries of one container.
class Entries {
  public:
    [[nodiscard]] static Result<Entries> open(const std::string& directory, const std::string& id) {
        auto library = Library::load();
        if (!library) return fail(library);
        Entries entries(*library);
        sd_journal* journal = nullptr;
        const int opened = directory.empty() ? library->open(&journal, SD_JOURNAL_LOCAL_ONLY)
                                             : library->open_directory(&journal, directory.c_str(), 0);
        if (opened < 0) return fail_errno(-opened, "open the journal");
        entries.journal_ = {journal, CloseJournal{entries.library_.get()}};
        // The second is the journal's own word for who sent an entry: anybody can send the first.
        for (const std::string& match :
             {std::string(kFullId) + "=" + id, "_UID=" + std::to_string(::geteuid())}) {
            const int matched = library->add_match(journal, match.data(), match.size());
            if (matched < 0) return fail_errno(-matched, "search the journal for '" + match + "'");
        }
        (void)library->set_data_threshold(journal, 0); // Long lines whole; it cannot fail.
        return entries;
    }

    // Whether there is one more; it is the current one then.
    [[nodiscard]] Result<bool> next() { return moved(library_->next(journal_.get())); }
    [[nodiscard]] Result<bool> previous() { return moved(library_->previous(journal_.get())); }

    void seek_head() { (void)library_->seek_head(journal_.get()); } // next() tells what is wrong.
    void seek_tail() { (void)library_->seek_tail(journal_.get()); }
    // Errors: invalid.
    [[nodiscard]] Status seek(const std::string& cursor) {
        if (library_->seek_cursor(journal_.get(), cursor.c_str()) >= 0) return {};
        return fail(Code::invalid, "go on from '" + cursor + "', which is no cursor of a journal");
    }
    [[nodiscard]] bool is_at(const std::string& cursor) const {
        return library_->test_cursor(journal_.get(), cursor.c_str()) > 0;
    }
    // Of the current one.
    [[nodiscard]] std::string cursor() const {
        char* text = nullptr;
        if (library_->get_cursor(journal_.get(), &text) < 0) return {};
        std::string copy(text);
        std::free(text);
        return copy;
    }
    // A value of the current one, borrowed until the next is asked for; nothing: it has none.
    [[nodiscard]] std::optional<std::string_view> field(const std::string& key) const {
        const void* data = nullptr;
        std::size_t size = 0;
        if (library_->get_data(journal_.get(), key.c_str(), &data, &size) < 0) return std::nullopt;
        const std::string_view whole(static_cast<const char*>(data), size);
        return whole.substr(std::min(whole.size(), key.size() + 1)); // Behind "KEY=".
    }
    [[nodiscard]] std::int64_t time_ns() const {
        const std::string_view text = field(kTime).value_or("");
        std::int64_t time = 0;
        if (std::from_chars(text.data(), text.data() + text.size(), time).ec == std::errc{}) return time;
        constexpr std::uint64_t kThousand = 1000;
        std::uint64_t usec = 0;
        (void)library_->get_realtime_usec(journal_.get(), &usec); // Its failure leaves 1970.
        return static_cast<std::int64_t>(usec * kThousand);
    }
    [[nodiscard]] bool is_partial() const { return field(kPartial) == "true"; }
    [[nodiscard]] LogSource source() const {
        const std::string_view word = field(kSource).value_or("");
        for (const LogSource source : {LogSource::err, LogSource::diagnostic})
            if (word == source_word(source)) return source;
        return LogSource::out;
    }

  private:
    explicit Entries(const Library& library) : library_(std::make_unique<Library>(library)) {}

    [[nodiscard]] static Result<bool> moved(int result) {
        if (result < 0) return fail_errno(-result, "read the journal");
        return result > 0;
    }

    std::unique_ptr<Library> library_; // stays where it is when this moves
    std::unique_ptr<sd_journal, CloseJournal> journal_{nullptr, CloseJournal{nullptr}};
};

[[nodiscard]] bool is_asked_for(const LogQuery& query, std::int64_t time_ns) {
    return (!query.since_ns || time_ns >= *query.since_ns) && (!query.until_ns || time_ns <= *query.until_ns);
}

// Makes next() go to the first entry of the last `lines` lines. A line is an entry and the pieces before it.
[[nodiscard]] Status seek_lines_from_end(Entries& entries, const LogQuery& query, std::uint64_t lines) {
    entries.seek_tail();
    for (std::uint64_t seen = 0;;) {
        auto moved = entries.previous();
        if (!moved) return fail(moved);
        if (!*moved) break;
        if (!is_asked_for(query, entries.time_ns())) continue;
        const bool is_last_piece = !entries.is_partial() || seen == 0;
        if (is_last_piece && seen++ == lines) return {};
    }
    entries.seek_head();
    return {};
}

// Makes next() go to the first entry that is to be read.
[[nodiscard]] Status seek_begin(Entries& entries, const LogQuery& query, const LogCursor& from) {
    if (from.empty() && query.tail) return seek_lines_from_end(entries, query, *query.tail);
    if (from.empty()) {
        entries.seek_head();
        return {};
    }
    if (auto found = entries.seek(from.str()); !found) return found;
    auto moved = entries.next();
    if (!moved) return fail(moved);
    if (*moved && entries.is_at(from.str())) return {};
    return entries.seek(from.str()); // It is gone: what came next is not read yet.
}

[[nodiscard]] Status show(const Entries& entries, const LogVisitor& visit) {
    const LogRecord header{.time_ns = entries.time_ns(),
                           .source = entries.source(),
                           .partial = entries.is_partial(),
                           .bytes = {}};
    LogRecord record = header;
    record.bytes = entries.field(kMessage).value_or(""); // Last, for asking for another one ends its life.
    return visit(record);
}

} // namespace

Result<LogPage> read_page(const std::string& directory, const StreamInfo& info, const LogQuery& query,
                          const LogCursor& from, const LogVisitor& visit) {
    auto entries = Entries::open(directory, info.id);
    if (!entries) return fail(entries);
    if (auto found = seek_begin(*entries, query, from); !found) return fail(found);
    LogPage page{.next = from, .at_end = true, .damaged = 0};
    // `tail` counts once: where there is something before what it asks for, the next read goes on from that.
    if (from.empty()) page.next = LogCursor(entries->cursor());
    for (std::size_t bytes = 0; bytes < kPageBytes;) {
        auto moved = entries->next();
        if (!moved) return fail(moved);
        if (!*moved) return page;
        page.next = LogCursor(entries->cursor());
        if (!is_asked_for(query, entries->time_ns())) continue;
        bytes += entries->field(kMessage).value_or("").size() + 1;
        if (auto visited = show(*entries, visit); !visited) return fail(visited);
    }
    page.at_end = false;
    return page;
}

void synchronize(const std::string& socket) {
    // varlink: JSON, ended by a byte of zero.
    const std::string request = R"({"method":"io.systemd.Journal.Synchronize"})";
    constexpr int kPatienceMs = 1000;
    const std::string path = socket.substr(0, socket.rfind('/') + 1) + "io.systemd.journal";
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.size() >= sizeof name.sun_path) return;
    std::ranges::copy(path, name.sun_path);
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&name));
    if (!fd || ::connect(fd.get(), generic, sizeof name) != 0) return;
    if (::send(fd.get(), request.c_str(), request.size() + 1, MSG_NOSIGNAL) < 0) return;
    pollfd answered{.fd = fd.get(), .events = POLLIN, .revents = 0};
    (void)::poll(&answered, 1, kPatienceMs); // Whatever the answer is, we read what is there.
}

} // namespace mydocker::journal
