// The small file "below" that says what a layer or a writable layer lies on:
//
//   mydocker-chain 1 kept        schema; "kept" or "ephemeral"
//   layer <layer id>             what is below, a line for each, base first
//   usage 4096 3                 sealed layers only: bytes, inodes
//   end                          without it, what the file describes is half-made
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::storage {

inline constexpr const char* kRecord = "below";
inline constexpr std::string_view kRecordEnd = "end\n";

struct ChainRecord {
    std::vector<LayerId> below;
    Lifetime lifetime = Lifetime::kept;
    std::optional<Usage> usage;
    bool complete = false;
};

// [A-Za-z0-9_.-]{1,128}, not beginning with '.'. Errors: invalid, naming the rule; `what` is "layer" …
[[nodiscard]] Status check_id(std::string_view id, std::string_view what);

// Everything but usage and end, which are appended once true.
[[nodiscard]] std::string format_head(LayerChain below, Lifetime lifetime);
[[nodiscard]] std::string format_usage(const Usage& usage);

// Errors: corrupt; unsupported, when a newer version wrote it. A text cut short is a record that is not
// complete, with as many ids as are whole.
[[nodiscard]] Result<ChainRecord> parse_record(std::string_view text, std::string_view name);

// Reads the record in the directory. Errors: not_found, and what parse_record says.
[[nodiscard]] Result<ChainRecord> read_record(int directory, const std::string& path);

} // namespace mydocker::storage
