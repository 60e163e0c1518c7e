// The keys that leave a container running and give the operator's terminal back: docker's notation, and the
// sequence found in what is typed. Values only; reading and waiting are the relays'.
#pragma once

#include "mydocker/result.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace mydocker::engine {

inline constexpr std::string_view kDefaultDetachKeys = "ctrl-p,ctrl-q";
// A key that begins the sequence is passed on when the next one does not come within this time: a shell wants
// its ctrl-p (moby#16679).
inline constexpr std::chrono::milliseconds kDetachPause{300};

// The bytes of "ctrl-p,ctrl-q" or "ctrl-a,b"; empty: no keys detach. Errors: invalid, naming the key.
// Source: docker-attach(1), "Override the detach sequence".
[[nodiscard]] Result<std::string> parse_detach_keys(std::string_view text);

class DetachWatch {
  public:
    explicit DetachWatch(std::string keys) : keys_(std::move(keys)) {}

    // What of the typed bytes, and of those held back before, is to be passed on. Once the sequence is found,
    // what follows it is dropped.
    [[nodiscard]] std::string feed(std::string_view typed);
    [[nodiscard]] bool has_found() const { return found_; }
    // Whether bytes are held back that may be the beginning of the sequence.
    [[nodiscard]] bool is_holding() const { return !held_.empty() && !found_; }
    // Those bytes: nothing more came in time.
    [[nodiscard]] std::string release() { return std::exchange(held_, {}); }

  private:
    std::string keys_;
    std::string held_;
    bool found_ = false;
};

} // namespace mydocker::engine
