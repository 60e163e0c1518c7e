#include "image/digest.hpp"

#include "image/entry_path.hpp"

#include <array>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <span>

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

void Hasher::Free::operator()(evp_md_ctx_st* context) const {
    EVP_MD_CTX_free(context);
}

Hasher::Hasher() : context_(EVP_MD_CTX_new()) {
    // The host's openssl.cnf has no say in what sha256 is, and costs a read.
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    ok_ = context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
}

void Hasher::update(std::string_view bytes) {
    ok_ = ok_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
}

Result<Digest> Hasher::finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
    unsigned size = 0;
    ok_ = ok_ && EVP_DigestFinal_ex(context_.get(), raw.data(), &size) == 1;
    if (!ok_) return fail(Code::internal, "compute sha256");
    std::string hex;
    for (const unsigned char byte : std::span(raw).first(size)) {
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
