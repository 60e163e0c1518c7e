// A flow: one step a call.
#include "engine/flow.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace mydocker::engine {

Flow::Flow(int from, int to, UniqueFd ours, std::size_t piece)
    : from_(from),
      to_(to),
      ours_(std::move(ours)),
      piece_(piece) {}

pollfd Flow::wanted() const {
    if (has_ended()) return {-1, 0, 0};
    return is_writing() ? pollfd{to_, POLLOUT, 0} : pollfd{from_, POLLIN, 0};
}

void Flow::proceed() {
    if (has_ended()) return;
    return is_writing() ? write_some() : read_some();
}

void Flow::end() {
    from_ = -1;
    pending_.clear();
    ours_.reset();
}

void Flow::read_some() {
    std::array<char, kWhole> buffer;
    auto count = sys::read(from_, buffer);
    if (!count && count.error().sys_errno == EAGAIN) return;
    // A terminal whose last user is gone says EIO.
    if (!count || *count == 0) return end();
    const std::string_view bytes(buffer.data(), *count);
    if (filter_)
        pending_ = filter_(bytes);
    else
        pending_.assign(bytes);
}

// A reader that has gone is passed on: the writer's own descriptor is closed.
void Flow::write_some() {
    auto count = sys::write(to_, std::string_view(pending_).substr(0, piece_));
    if (!count && count.error().sys_errno == EAGAIN) return;
    if (!count && count.error().sys_errno != EPIPE) failure_ = count.error();
    if (!count) return end();
    pending_.erase(0, *count);
}

} // namespace mydocker::engine
