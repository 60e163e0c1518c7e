// The file of events.
#include "engine/events.hpp"

#include "base/json.hpp"
#include "base/sys.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::engine {
namespace {

constexpr off_t kTurnEventsAt = off_t{1} << 20;
// Labels may be megabytes; of an event so much is kept.
constexpr std::size_t kMostAttributeBytes = 16 * 1024;

std::string older_events(const std::string& path) {
    return path + ".old";
}

std::string to_line(const Event& event) {
    json::Object attributes;
    std::size_t bytes = 0;
    for (const auto& [key, value] : event.attributes) {
        bytes += key.size() + value.size();
        if (bytes > kMostAttributeBytes) break;
        attributes.emplace_back(key, value);
    }
    json::Value line;
    line.set("time", event.time_ns);
    line.set("type", event.type);
    line.set("action", event.action);
    line.set("id", event.id);
    line.set("attributes", std::move(attributes));
    // The newline before: half a line that somebody left does not spoil this one.
    return "\n" + json::dump(line) + "\n";
}

Result<Event> parse_event(std::string_view text) {
    auto line = json::parse(text);
    if (!line) return fail(line);
    auto time = json::get_int(*line, "time");
    auto type = json::get_string(*line, "type");
    auto action = json::get_string(*line, "action");
    auto id = json::get_string(*line, "id");
    const json::Value* attributes = line->find("attributes");
    if (!time || !type || !action || !id || attributes == nullptr || attributes->if_object() == nullptr)
        return fail(Code::corrupt, "event");
    Event event{*time, std::move(*type), std::move(*action), std::move(*id), {}};
    for (const auto& [key, value] : *attributes->if_object())
        if (const std::string* words = value.if_string()) event.attributes.emplace_back(key, *words);
    return event;
}

// Makes the file the older one, unless somebody has been or is at it; a new one begins with the next event.
void turn_over_events(const std::string& path, int fd, const struct stat& ours) {
    if (auto locked = sys::try_lock(fd); !locked || !*locked) return;
    const auto there = sys::fstatat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
    if (!there || there->st_ino != ours.st_ino || there->st_dev != ours.st_dev) return;
    (void)sys::renameat(AT_FDCWD, path, AT_FDCWD, older_events(path)); // Tried again by the next writer.
}

} // namespace

Result<UniqueFd> EventWriter::open() const {
    constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW;
    auto fd = sys::openat(AT_FDCWD, path_, kAppend, 0600);
    if (!fd) return fd;
    auto status = sys::fstat(fd->get());
    if (!status || status->st_size <= kTurnEventsAt) return fd;
    turn_over_events(path_, fd->get(), *status);
    return sys::openat(AT_FDCWD, path_, kAppend, 0600);
}

// Opened for each event: between the start and the end of a `run` in the foreground the file may have been
// turned over more than once, and be nobody's any more.
Status EventWriter::write(Event event) const {
    auto fd = open();
    if (!fd) return fail(fd);
    if (event.time_ns == 0) event.time_ns = sys::realtime_ns();
    return sys::write_all(fd->get(), to_line(event));
}

Result<EventReader> EventReader::open(const paths::Roots& roots) {
    EventReader reader(paths::events(roots));
    reader.events_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    // The directory, since the file may not be there yet, and goes when it is turned over.
    if (!reader.events_ || ::inotify_add_watch(reader.events_.get(), roots.run_root.c_str(),
                                               IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return fail_errno(errno, "watch '" + roots.run_root + "'");
    // The current one first: it may become the older one at any time, and would be missed the other way
    // round.
    if (auto turned = reader.turn(); !turned) return fail(turned);
    auto older = sys::openat(AT_FDCWD, older_events(reader.path_), O_RDONLY | O_NOFOLLOW);
    if (!older && older.error().sys_errno == ENOENT) return reader;
    if (!older) return fail(older);
    auto status = sys::fstat(older->get());
    if (!status) return fail(status);
    if (status->st_ino != reader.current_.inode) reader.older_ = Place{std::move(*older), status->st_ino, {}};
    return reader;
}

// Opens the current file. True: it is another one than before, which has become the older one.
Result<bool> EventReader::turn() {
    auto fd = sys::openat(AT_FDCWD, path_, O_RDONLY | O_NOFOLLOW);
    if (!fd && fd.error().sys_errno == ENOENT) return false;
    if (!fd) return fail(fd);
    auto status = sys::fstat(fd->get());
    if (!status) return fail(status);
    if (current_.fd && current_.inode == status->st_ino) return false;
    if (current_.fd) older_ = std::move(current_);
    current_ = Place{std::move(*fd), status->st_ino, {}};
    return true;
}

Status EventReader::read_place(Place& place, const std::function<Status(const Event&)>& visit) {
    if (!place.fd) return {};
    std::array<char, 65536> buffer;
    for (;;) {
        auto count = sys::read(place.fd.get(), buffer);
        if (!count) return fail(count, "events");
        if (*count == 0) return {};
        place.rest.append(buffer.data(), *count);
        std::size_t from = 0;
        for (std::size_t end = place.rest.find('\n'); end != std::string::npos;
             from = end + 1, end = place.rest.find('\n', from)) {
            auto event = parse_event(std::string_view(place.rest).substr(from, end - from));
            if (!event) continue; // Empty, or what a killed writer left.
            if (auto visited = visit(*event); !visited) return visited;
        }
        place.rest.erase(0, from);
    }
}

Status EventReader::read(const std::function<Status(const Event&)>& visit) {
    std::array<char, 4096> ignored;
    while (::read(events_.get(), ignored.data(), ignored.size()) > 0) {
    }
    for (;;) {
        if (auto done = read_place(older_, visit); !done) return done;
        if (auto done = read_place(current_, visit); !done) return done;
        auto turned = turn();
        if (!turned) return fail(turned);
        if (!*turned) return {};
    }
}

Event container_event(const ContainerRecord& record, std::string action, Attributes more) {
    Event event;
    event.type = "container";
    event.action = std::move(action);
    event.id = record.id.str();
    event.attributes = std::move(more);
    event.attributes.emplace_back("image", record.image);
    event.attributes.emplace_back("name", record.name.str());
    // Labels are the image's words, too: one that is called as an attribute does not take its place, for no
    // reader of JSON takes a key that stands twice.
    std::set<std::string> taken;
    for (const auto& [key, value] : event.attributes)
        taken.insert(key);
    for (const auto& [key, value] : record.labels)
        if (taken.insert(key).second) event.attributes.emplace_back(key, value);
    return event;
}

} // namespace mydocker::engine
