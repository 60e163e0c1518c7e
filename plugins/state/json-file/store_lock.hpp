// The one lock of a store, taken for changes only; readers never wait. An open-file-description lock:
// the kernel frees it with its holder, however that ends.
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include "record_files.hpp"

#include <chrono>
#include <cstdint>
#include <utility>

namespace mydocker::json_state {

class StoreLock {
  public:
    // Holds the lock until it goes out of scope.
    class Guard {
      public:
        explicit Guard(int fd) : fd_(fd) {}
        Guard(Guard&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
        Guard& operator=(Guard&&) = delete;
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;
        ~Guard();

      private:
        int fd_; // the lock's, borrowed
    };

    // Waits while another process holds it, `patience` long. Errors: timeout, naming the holder;
    // cancelled when the host asks for it. Needs files.open.
    [[nodiscard]] Result<Guard> acquire(const RecordFiles& files, const Host& host,
                                        std::chrono::nanoseconds patience);

    // How many reservations were counted. Errors: conflict when the lock's file was removed meanwhile,
    // so that it excludes nobody. Needs the lock; so does set_count.
    [[nodiscard]] Result<std::uint64_t> count() const;
    [[nodiscard]] Status set_count(std::uint64_t count, files::Sync sync) const;

    void close() { file_.reset(); }

  private:
    [[nodiscard]] Status open(const RecordFiles& files);

    UniqueFd file_; // kept between calls: a command makes some changes in a row
};

} // namespace mydocker::json_state
