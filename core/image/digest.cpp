#include "image/digest.hpp"

#include "image/entry_path.hpp"

#include <array>
// The functions of the one algorithm: the EVP way links all of libcrypto into every start of ours, a third
// of whose time went into relocating it.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

namespace mydocker::image {

namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::string_view kHexDigits = "0123456789abcdef";

} // namespace

Result<Digest> Digest::from_hex(std::string_view hex) {
    const bool good = hex.size() == 64 && hex.find_first_not_of(kHexDigits) == std::string_view::npos;
    if (!good) return fail(Code::invalid, shown(hex) + " is no sha256 digest (64 hex digits)");
    return Digest(std::string(hex));
}

Result<Digest> Digest::parse(std::string_view text) {
    if (!text.starts_with(kPrefix))
        return fail(Code::invalid, shown(text) + " is no digest of the kind 'sha256:' and 64 hex digits");
    return from_hex(text.substr(kPrefix.size()));
}

void Hasher::Free::operator()(SHA256state_st* state) const {
    delete state;
}

Hasher::Hasher() : state_(new SHA256state_st) {
    ok_ = ::SHA256_Init(state_.get()) == 1;
}

void Hasher::update(std::string_view bytes) {
    ok_ = ok_ && ::SHA256_Update(state_.get(), bytes.data(), bytes.size()) == 1;
}

Result<Digest> Hasher::finish() {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> raw{};
    ok_ = ok_ && ::SHA256_Final(raw.data(), state_.get()) == 1;
    if (!ok_) return fail(Code::internal, "compute sha256");
    std::string hex;
    for (const unsigned char byte : raw) {
        hex += kHexDigits[byte >> 4U];
        hex += kHexDigits[byte & 0xfU];
    }
    return Digest(std::move(hex));
}

Result<Digest> digest_of(std::string_view bytes) {
    Hasher hasher;
    hasher.update(bytes);
    return hasher.finish();
}

} // namespace mydocker::image
