// The text of a configuration file, and whether it may be believed: read without hanging, of bounded
// size, depth and number of values, and, while we are root, writable by root alone. Not for its meaning.
#pragma once

#include "config/raw.hpp"

#include <cstddef>
#include <expected>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace mydocker::config {

inline constexpr std::size_t kMaxFileBytes = 1U << 20U;
inline constexpr unsigned kMaxDepth = 32;      // of brackets, and of the dots in a key
inline constexpr unsigned kMaxValues = 20'000; // keys and elements of lists

enum class IfMissing { nothing, complain };

// Reads files of one run of load().
class SourceReader {
  public:
    // The file's text; nothing if it is missing and that is allowed.
    [[nodiscard]] std::expected<std::optional<std::string>, Complaint> read(const std::string& path,
                                                                            IfMissing missing);
    // The names NAME.toml in a directory, in byte order, as paths; none if it is missing.
    [[nodiscard]] std::expected<std::vector<std::string>, Complaint> list(const std::string& directory);

  private:
    enum class Links { none, maybe }; // on the way to a file

    [[nodiscard]] std::optional<Complaint> distrust(const struct stat& status, const std::string& path,
                                                    Links links);
    [[nodiscard]] std::optional<Complaint> distrust_parents(const std::string& path, const std::string& file);

    std::set<std::string> trusted_directories_;
};

// Whether there is nothing to parse: blank lines, comments of plain ASCII, and beginnings of known tables
// with nothing in them. All else is left for the parser to judge. The installed file is like that, and
// `mydocker run` reads it each time.
[[nodiscard]] bool is_blank(std::string_view text);

// What of the limits the text exceeds, before a parser builds anything of it.
[[nodiscard]] std::optional<Complaint> check_limits(std::string_view text, const std::string& path);

} // namespace mydocker::config
