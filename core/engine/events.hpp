// What happened to containers, images and volumes, for `events`: each command that changes something
// writes it down. There is no daemon, so there is a file.
//
//   <run_root>/events        one event a line, JSON, oldest first; appended in one write(2), so that
//                            writers need no lock
//   <run_root>/events.old    what was there before: the file takes its place when it has grown to 1 MiB
//
// An event is written after its effect; a kill between the two loses the event, never the effect. Events are
// a convenience: that one cannot be written is said at debug level only, and stops nobody.
#pragma once

#include "base/paths.hpp"
#include "engine/record.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace mydocker::engine {

using Attributes = std::vector<std::pair<std::string, std::string>>;

struct Event {
    std::int64_t time_ns = 0;
    std::string type;   // "container", "image", "volume"
    std::string action; // docker's words: "start", "die", "exec_create: sh -c …"
    std::string id;     // of the container or image; a volume's name
    Attributes attributes;
};

class EventWriter {
  public:
    explicit EventWriter(const paths::Roots& roots) : path_(paths::events(roots)) {}

    // Writes it down, now. Errors: for the caller to ignore.
    [[nodiscard]] Status write(Event event) const;

  private:
    [[nodiscard]] Result<UniqueFd> open() const;

    std::string path_;
};

// Reads events, oldest first, and those to come.
class EventReader {
  public:
    [[nodiscard]] static Result<EventReader> open(const paths::Roots& roots);

    // Visits what is there now and was not visited yet. A damaged line is passed over.
    [[nodiscard]] Status read(const std::function<Status(const Event&)>& visit);
    // Readable when there may be more.
    [[nodiscard]] int fd() const { return events_.get(); }

  private:
    explicit EventReader(std::string path) : path_(std::move(path)) {}

    // A file and how far it has been read.
    struct Place {
        UniqueFd fd;
        ino_t inode = 0;
        std::string rest; // a line that has not come to its end
    };
    [[nodiscard]] Result<bool> turn();
    [[nodiscard]] static Status read_place(Place& place, const std::function<Status(const Event&)>& visit);

    std::string path_;
    UniqueFd events_; // inotify
    Place older_;     // a writer that opened it before it was turned over may append still
    Place current_;
};

// Of a container, with its image, name and labels; for the Engine's own writer (Engine::note()).
[[nodiscard]] Event container_event(const ContainerRecord& record, std::string action, Attributes more = {});

} // namespace mydocker::engine
