// One record as bytes: encode, decode, and the rules for ids, names and documents. Pure; not for
// files (record_files) and not for what a document means (nobody here looks into one).
//
//   <data_dir>/                     0700
//   ├── lock                        OFD-locked during a change; its size counts the reservations made
//   ├── spare                       room for one record: changes go there when the disk is full
//   ├── names/<name>                symbolic link whose text is an id, packed: an index, the records
//   │                               decide
//   └── records/                    0700
//       ├── .pending                a record being written; what a killed writer left is overwritten
//       └── <id>                    0600, replaced by rename, never written in place:
//
//   {"schema":1,"id":"3f2a…","name":"web","revision":3,"sequence":17,"size":2,"sum":"0a1b2c3d"}⏎
//   <document: `size` bytes, verbatim>
//
// The header has these keys in this order, without spaces. `sum` is the Adler-32 (RFC 1950) of the
// bytes before `,"sum"` followed by the document. `sequence` is the order of reservation.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mydocker::json_state {

inline constexpr std::uint64_t kSchema = 1;
inline constexpr std::size_t kMaxDocument = 1U << 20U;
inline constexpr std::size_t kMaxHeader = 640; // 64 of the id, 253 of the name, four numbers, the keys
inline constexpr std::size_t kMaxName = 253;

struct Record {
    ContainerId id;
    ContainerName name;
    Revision revision = 0;
    std::uint64_t sequence = 0;
    std::string document;
};

// The header of `record` and `document` (not record.document) behind it.
[[nodiscard]] std::string encode(const Record& record, std::string_view document);

// Reads the content of the file of `id`. Errors: corrupt, with the byte where the damage is;
// unsupported for a newer schema.
[[nodiscard]] Result<Record> decode(std::string text, const ContainerId& id);

[[nodiscard]] bool is_id(std::string_view text);   // 64 lower-case hex digits
[[nodiscard]] bool is_name(std::string_view text); // [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most kMaxName

// An id in 43 characters of base64url (RFC 4648): a link's text of less than 60 bytes is kept in the
// inode by ext4, a longer one costs a block, and 80 us more when it is removed.
[[nodiscard]] std::string pack_id(const ContainerId& id);                  // needs is_id
[[nodiscard]] std::optional<ContainerId> unpack_id(std::string_view text); // nothing: it is none

// Errors: invalid. They are what keeps ids and names from being paths.
[[nodiscard]] Status check_id(const ContainerId& id);
[[nodiscard]] Status check_name(const ContainerName& name);
[[nodiscard]] Status check_document(std::string_view document);

// The first digits of an id, for messages; any other text as it is.
[[nodiscard]] std::string short_id(const ContainerId& id);

} // namespace mydocker::json_state
