#include "rules.hpp"

#include <algorithm>

namespace mydocker::state {
namespace {

constexpr std::size_t kIdLength = 64;
constexpr std::size_t kShortIdLength = 12;

[[nodiscard]] bool is_lower_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

[[nodiscard]] bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

} // namespace

bool is_id(std::string_view text) {
    return text.size() == kIdLength && std::ranges::all_of(text, is_lower_hex);
}

bool is_name(std::string_view text) {
    if (text.empty() || text.size() > kMaxName || !is_alphanumeric(text.front())) return false;
    return std::ranges::all_of(text,
                               [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

Status check_id(const ContainerId& id) {
    if (is_id(id.str())) return {};
    return fail(Code::invalid, "container id '" + id.str().substr(0, kIdLength) +
                                   "': it needs to be 64 lower-case hex digits");
}

Status check_name(const ContainerName& name) {
    if (is_name(name.str())) return {};
    return fail(Code::invalid, "container name '" + name.str().substr(0, kMaxName) +
                                   "': it may contain letters, digits, _ . - and begins with a letter or "
                                   "digit, at most " +
                                   std::to_string(kMaxName) + " of them");
}

Status check_document(std::string_view document) {
    if (document.size() <= kMaxDocument) return {};
    return fail(Code::invalid, "document of " + std::to_string(document.size()) + " bytes: at most " +
                                   std::to_string(kMaxDocument) + " are kept");
}

std::string short_id(const ContainerId& id) {
    return is_id(id.str()) ? id.str().substr(0, kShortIdLength) : id.str();
}

std::unexpected<Error> no_such(std::string_view what) {
    return fail(Code::not_found, "no container '" + std::string(what) + "'");
}

std::unexpected<Error> name_taken(const ContainerName& name, const ContainerId& owner) {
    return fail(Code::exists, "name '" + name.str() + "' is used by container " + owner.str());
}

std::unexpected<Error> ambiguous(std::string_view prefix, const std::vector<ContainerId>& fitting,
                                 std::size_t count) {
    const std::size_t shown = std::max(kShortIdLength, prefix.size() + 4);
    const std::size_t named = std::min(fitting.size(), kNamedIds);
    std::string text = "'" + std::string(prefix) + "' fits ";
    for (std::size_t i = 0; i < named; ++i)
        text += (i == 0 ? "" : ", ") + fitting[i].str().substr(0, shown);
    if (count > named) text += " and " + std::to_string(count - named) + " more";
    return fail(Code::conflict, std::move(text));
}

std::unexpected<Error> changed(const ContainerId& id, Revision revision, Revision expected) {
    return fail(Code::conflict, "container " + short_id(id) +
                                    " was changed by another process: it has revision " +
                                    std::to_string(revision) + ", not " + std::to_string(expected));
}

} // namespace mydocker::state
