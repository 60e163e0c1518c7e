// A byte source that works ahead in a thread of its own: while one core writes files, another one
// decompresses and hashes. The only thread of the core; why, and why it is harmless: ADR 0011.
#pragma once

#include "image/stream.hpp"
#include "mydocker/result.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <semaphore>
#include <thread>
#include <vector>

namespace mydocker::image {

class PrefetchSource final : public ByteSource {
  public:
    // `inner` must outlive it, must not wait for anything but a disk, and is touched by nobody else
    // until this has given the end or an error, or is gone.
    explicit PrefetchSource(ByteSource& inner) : inner_(inner) {}
    PrefetchSource(const PrefetchSource&) = delete;
    PrefetchSource& operator=(const PrefetchSource&) = delete;
    // Waits for the thread; it stops after the chunk that it is at.
    ~PrefetchSource() override;

    // Starts the thread at the first call; without one (no thread to be had) it works as `inner`.
    [[nodiscard]] Result<std::string_view> next() override;

  private:
    static constexpr std::size_t kSlots = 8;

    // The thread fills slots in turn, the reader empties them in turn.
    struct Slot {
        std::vector<char> bytes;
        Status status; // an error ends the stream, as an empty slot does
    };

    [[nodiscard]] bool start();
    void work();

    ByteSource& inner_;
    std::array<Slot, kSlots> slots_;
    std::counting_semaphore<kSlots + 1> free_{kSlots}; // one more than slots: the last call to stop
    std::counting_semaphore<kSlots> filled_{0};
    std::atomic<bool> stop_ = false;
    std::thread thread_;
    std::size_t at_ = 0;   // the slot to be read next
    bool holding_ = false; // the slot before it is lent to the caller
    bool started_ = false;
    bool ended_ = false;
};

} // namespace mydocker::image
