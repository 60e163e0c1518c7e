// Room for a change on a full disk. Without it nothing could be stopped or removed there, since both are
// changes of a record, and SQLite has none without room for its -wal and -shm files.
#pragma once

#include "mydocker/result.hpp"

#include <string>
#include <utility>

namespace mydocker::sqlite_state {

class Spare {
  public:
    explicit Spare(const std::string& directory) : path_(directory + "/spare") {}

    // Makes the file unless it is there. Before there is one record more. Errors: no_space.
    [[nodiscard]] Status keep() const;
    // Gives the room back, for whoever takes it first; whether there was any.
    [[nodiscard]] bool release() const;

  private:
    std::string path_;
};

} // namespace mydocker::sqlite_state
