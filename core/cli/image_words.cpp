// Words about images.
#include "cli/image_words.hpp"

#include "cli/table.hpp"
#include "cli/times.hpp"
#include "image/reference.hpp"

namespace mydocker::cli {

ImageName image_name(const std::string& reference) {
    if (reference.empty()) return {};
    const std::string name = image::familiar_name(reference);
    const auto colon = name.rfind(':');
    return {name.substr(0, colon), name.substr(colon + 1)};
}

std::string shown_part(const std::string& part) {
    return part.empty() ? "<none>" : printable(part);
}

std::optional<std::int64_t> image_created_ns(const std::string& created) {
    auto time = parse_time("created", created, 0);
    if (!time || *time < 0) return std::nullopt; // An age, which no image has.
    return *time;
}

std::string image_age(const std::string& created, std::int64_t now_ns) {
    const auto time = image_created_ns(created);
    return time ? age(*time, now_ns) + " ago" : "-";
}

} // namespace mydocker::cli
