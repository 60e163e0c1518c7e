// --cidfile: a file for the id of the container that is made.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <string>
#include <utility>

namespace mydocker::cli {

// Made empty before the container; the engine writes the id. Goes again unless it is kept.
class IdFile {
  public:
    IdFile() = default;
    // An empty path: there is none. Errors: exists.
    [[nodiscard]] static Result<IdFile> make(const std::string& path);
    IdFile(IdFile&& other) noexcept : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}
    IdFile& operator=(IdFile&&) = delete;
    IdFile(const IdFile&) = delete;
    IdFile& operator=(const IdFile&) = delete;
    ~IdFile();

    [[nodiscard]] int fd() const { return fd_.get(); } // -1: there is none
    void keep() { path_.clear(); }

  private:
    IdFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    std::string path_;
    UniqueFd fd_;
};

} // namespace mydocker::cli
