// Content digests: sha256 only, "sha256:" and 64 lower-case hex digits. Not for secrets.
#pragma once

#include "mydocker/result.hpp"

#include <compare>
#include <memory>
#include <string>
#include <string_view>

struct SHA256state_st; // OpenSSL's

namespace mydocker::image {

// The name of some bytes. Empty only when default-made.
class Digest {
  public:
    Digest() = default;

    // Errors: invalid when it is not "sha256:" and 64 lower-case hex digits.
    [[nodiscard]] static Result<Digest> parse(std::string_view text);
    // Errors: invalid when it is not 64 lower-case hex digits.
    [[nodiscard]] static Result<Digest> from_hex(std::string_view hex);

    [[nodiscard]] const std::string& hex() const { return hex_; }
    [[nodiscard]] std::string str() const { return "sha256:" + hex_; }
    [[nodiscard]] bool empty() const { return hex_.empty(); }

    auto operator<=>(const Digest&) const = default;

  private:
    explicit Digest(std::string hex) : hex_(std::move(hex)) {}
    friend class Hasher;

    std::string hex_;
};

// Hashes a stream.
class Hasher {
  public:
    Hasher();
    void update(std::string_view bytes);
    // Once, at the end. Errors: internal, when the library refused.
    [[nodiscard]] Result<Digest> finish();

  private:
    struct Free {
        void operator()(SHA256state_st* state) const;
    };
    std::unique_ptr<SHA256state_st, Free> state_;
    bool ok_ = false;
};

[[nodiscard]] Result<Digest> digest_of(std::string_view bytes);

} // namespace mydocker::image
