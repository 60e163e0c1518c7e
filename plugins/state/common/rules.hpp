// What every state store demands of ids, names and documents, and how it says no. Pure; not for how a store
// keeps them.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::state {

inline constexpr std::size_t kMaxDocument = 1U << 20U;
inline constexpr std::size_t kMaxName = 253;

[[nodiscard]] bool is_id(std::string_view text);   // 64 lower-case hex digits
[[nodiscard]] bool is_name(std::string_view text); // [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most kMaxName

// Errors: invalid. They are what keeps ids and names from being paths.
[[nodiscard]] Status check_id(const ContainerId& id);
[[nodiscard]] Status check_name(const ContainerName& name);
[[nodiscard]] Status check_document(std::string_view document);

// The first digits of an id, for messages; any other text as it is.
[[nodiscard]] std::string short_id(const ContainerId& id);

// not_found. `what`: an id, a name or a prefix, as the user knows it.
[[nodiscard]] std::unexpected<Error> no_such(std::string_view what);
// exists.
[[nodiscard]] std::unexpected<Error> name_taken(const ContainerName& name, const ContainerId& owner);
// conflict: `fitting` are the first of `count` ids that begin with the prefix.
[[nodiscard]] std::unexpected<Error> ambiguous(std::string_view prefix,
                                               const std::vector<ContainerId>& fitting, std::size_t count);
// conflict.
[[nodiscard]] std::unexpected<Error> changed(const ContainerId& id, Revision revision, Revision expected);

[[nodiscard]] constexpr bool is_expected(Revision revision, Revision expected) {
    return expected == kAnyRevision || revision == expected;
}

// So many of the ids that a prefix fits are named.
inline constexpr std::size_t kNamedIds = 5;

} // namespace mydocker::state
