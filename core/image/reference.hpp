// Image names: the reference grammar of the distribution project, docker's short names, and back.
// Source: github.com/distribution/reference (grammar in its package comment). Pure; not for ids.
#pragma once

#include "image/digest.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <string_view>

namespace mydocker::image {

// "host:5000/a/b:tag@sha256:…" in parts, short names completed.
struct Reference {
    std::string domain; // "docker.io" when none was given
    std::string path;   // "library/busybox"
    std::string tag;    // empty only when there is a digest
    Digest digest;      // of a manifest; empty: none was given

    // "docker.io/library/busybox"
    [[nodiscard]] std::string repository() const { return domain + "/" + path; }
    // What the store keeps the image under: "docker.io/library/busybox:latest".
    [[nodiscard]] std::string key() const { return repository() + ":" + tag; }
    // As a user writes it: "busybox:latest", "busybox@sha256:…".
    [[nodiscard]] std::string familiar() const;

    bool operator==(const Reference&) const = default;
};

// Errors: invalid: "'a//b' is no image name: …".
[[nodiscard]] Result<Reference> parse_reference(std::string_view text);

// The familiar form of a key; the key itself if it is none.
[[nodiscard]] std::string familiar_name(std::string_view key);

} // namespace mydocker::image
