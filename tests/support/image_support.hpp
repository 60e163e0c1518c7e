// Helpers for tests of images: compression, trees as text, work in a child whose memory is measured.
#pragma once

#include "support/support.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::test {

[[nodiscard]] std::string gzip(std::string_view bytes);
[[nodiscard]] std::string zstd(std::string_view bytes);
// Zstd data that decompresses to so many zeros.
[[nodiscard]] std::string zstd_zeros(std::uint64_t count, int window_log = 0);

// Each entry below `directory` as a line, sorted: "d 0755 a", "f 0644 a/b 'content'", "l a/l -> x",
// "c 0:0 a/w", "p 0600 fifo"; " opaque" after a directory marked as such.
[[nodiscard]] std::string tree(const std::string& directory);

// False under AddressSanitizer, whose own memory would be measured.
[[nodiscard]] constexpr bool is_memory_measurable() {
    return !is_sanitized();
}

// Runs `work` in a child process; returns the most memory it had resident, in KiB, or -1 when it
// returned false or died.
[[nodiscard]] long resident_kib(const std::function<bool()>& work);

// An OCI layout as an archive: one image of the given layers (uncompressed tars) and reference.
struct ArchiveOptions {
    std::string reference = "docker.io/library/demo:latest";
    std::vector<std::string> layers{};
    std::string config{};        // JSON of the "config" member; empty: {"Cmd":["sh"]}
    std::string config_suffix{}; // more members, beginning with a comma
};
[[nodiscard]] std::string oci_archive(const ArchiveOptions& options);
[[nodiscard]] std::string docker_archive(const ArchiveOptions& options);
[[nodiscard]] std::string config_document(const ArchiveOptions& options);
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

} // namespace mydocker::test
