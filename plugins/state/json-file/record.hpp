// One record as bytes: encode and decode. Pure; not for files (record_files) and not for what a document
// means (nobody here looks into one).
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

#include "state/common/rules.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mydocker::json_state {

using state::changed;
using state::check_document;
using state::check_id;
using state::check_name;
using state::is_expected;
using state::is_id;
using state::is_name;
using state::kMaxDocument;
using state::name_taken;
using state::no_such;
using state::short_id;

inline constexpr std::uint64_t kSchema = 1;
inline constexpr std::size_t kMaxHeader = 640; // 64 of the id, 253 of the name, four numbers, the keys

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

// An id in 43 characters of base64url (RFC 4648): a link's text of less than 60 bytes is kept in the
// inode by ext4, a longer one costs a block, and 80 us more when it is removed.
[[nodiscard]] std::string pack_id(const ContainerId& id);                  // needs is_id
[[nodiscard]] std::optional<ContainerId> unpack_id(std::string_view text); // nothing: it is none

} // namespace mydocker::json_state
