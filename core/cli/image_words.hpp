// What is said of an image in a word: its name in two parts, and its age. By images, system df and prune.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace mydocker::cli {

// "busybox" and "1.36"; both are empty where it has no name.
struct ImageName {
    std::string repository;
    std::string tag;
};

// `reference`: a key of the store; "": it has none.
[[nodiscard]] ImageName image_name(const std::string& reference);
// A part of it for people: printable, and "<none>" for what is not there.
[[nodiscard]] std::string shown_part(const std::string& part);

// When an image says that it was made; nothing when it does not say, or nonsense.
[[nodiscard]] std::optional<std::int64_t> image_created_ns(const std::string& created);
// "4 days ago"; "-" when it does not say.
[[nodiscard]] std::string image_age(const std::string& created, std::int64_t now_ns);

} // namespace mydocker::cli
