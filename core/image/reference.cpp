#include "image/reference.hpp"

#include "image/entry_path.hpp"

#include <algorithm>
#include <optional>

namespace mydocker::image {

namespace {

constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kLegacyDomain = "index.docker.io";
constexpr std::string_view kOfficial = "library/";
constexpr std::string_view kDefaultTag = "latest";
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxTag = 128;

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
    return is_lower(c) || is_upper(c) || is_digit(c);
}

// Why something is wrong; nothing when it is right.
using Complaint = std::optional<std::string>;

// alphanumerics, joined by ".", "_", "__" or any number of "-".
Complaint check_component(std::string_view part) {
    if (part.empty()) return "a part of the name is empty";
    if (std::ranges::any_of(part, is_upper)) return "upper-case letters are not allowed in it";
    const auto word = [](char c) { return is_lower(c) || is_digit(c); };
    for (std::size_t at = 0; at < part.size();) {
        if (word(part[at])) {
            ++at;
            continue;
        }
        const std::size_t begin = at;
        while (at < part.size() && !word(part[at]))
            ++at;
        const std::string_view joint = part.substr(begin, at - begin);
        const bool known = joint == "." || joint == "_" || joint == "__" ||
                           joint.find_first_not_of('-') == std::string_view::npos;
        if (!known) return "it holds " + shown(joint);
        if (begin == 0 || at == part.size()) return "a part of it begins or ends with " + shown(joint);
    }
    return std::nullopt;
}

Complaint check_port(std::string_view port) {
    if (!port.empty() && port.size() <= 5 && std::ranges::all_of(port, is_digit)) return std::nullopt;
    return shown(port) + " is no port";
}

// "[fe80::1]:5000"; zone identifiers are not part of the grammar.
Complaint check_ipv6(std::string_view domain) {
    const auto close = domain.find(']');
    if (close == std::string_view::npos) return "']' is missing in the address";
    const std::string_view address = domain.substr(1, close - 1);
    const auto allowed = [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':';
    };
    if (address.size() < 2 || !std::ranges::all_of(address, allowed))
        return shown(address) + " is no IPv6 address";
    const std::string_view rest = domain.substr(close + 1);
    if (rest.empty()) return std::nullopt;
    if (rest.front() != ':') return shown(rest) + " stands after the address";
    return check_port(rest.substr(1));
}

Complaint check_domain(std::string_view domain) {
    if (domain.starts_with('[')) return check_ipv6(domain);
    const auto colon = domain.find(':');
    if (colon != std::string_view::npos)
        if (auto wrong = check_port(domain.substr(colon + 1))) return wrong;
    std::string_view host = domain.substr(0, colon);
    for (;;) {
        const auto dot = host.find('.');
        const std::string_view label = host.substr(0, dot);
        const bool good = !label.empty() && is_alnum(label.front()) && is_alnum(label.back()) &&
                          std::ranges::all_of(label, [](char c) { return is_alnum(c) || c == '-'; });
        if (!good) return shown(domain) + " is no host name";
        if (dot == std::string_view::npos) return std::nullopt;
        host.remove_prefix(dot + 1);
    }
}

Complaint check_tag(std::string_view tag) {
    if (tag.empty()) return "the tag is empty";
    if (tag.size() > kMaxTag) return "the tag is longer than 128 characters";
    if (tag.front() == '.' || tag.front() == '-') return "the tag begins with " + shown(tag.substr(0, 1));
    const auto allowed = [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; };
    const auto* wrong = std::ranges::find_if_not(tag, allowed);
    if (wrong != tag.end()) return "the tag holds " + shown(std::string_view(wrong, 1));
    return std::nullopt;
}

bool looks_like_domain(std::string_view first) {
    return first == "localhost" || first.starts_with('[') || first.find('.') != std::string_view::npos ||
           first.find(':') != std::string_view::npos || std::ranges::any_of(first, is_upper);
}

Complaint fill_name(std::string_view name, Reference& to) {
    const auto slash = name.find('/');
    const bool has_domain = slash != std::string_view::npos && looks_like_domain(name.substr(0, slash));
    to.domain = has_domain ? name.substr(0, slash) : kDefaultDomain;
    to.path = has_domain ? name.substr(slash + 1) : name;
    if (to.domain == kLegacyDomain) to.domain = kDefaultDomain;
    if (has_domain)
        if (auto wrong = check_domain(name.substr(0, slash))) return wrong;
    std::string_view rest = to.path;
    for (;;) {
        const auto end = rest.find('/');
        if (auto wrong = check_component(rest.substr(0, end))) return wrong;
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
    if (to.domain == kDefaultDomain && to.path.find('/') == std::string::npos) to.path.insert(0, kOfficial);
    if (to.repository().size() > kMaxName) return "it is longer than 255 characters";
    return std::nullopt;
}

Complaint fill(std::string_view text, Reference& to) {
    if (text.empty()) return "it is empty";
    const auto at = text.find('@');
    if (at != std::string_view::npos) {
        auto digest = Digest::parse(text.substr(at + 1));
        if (!digest) return digest.error().text;
        to.digest = std::move(*digest);
        text = text.substr(0, at);
    }
    // A colon after the last slash begins the tag; one before it belongs to the host's port.
    const auto slash = text.rfind('/');
    const auto colon = text.find(':', slash == std::string_view::npos ? 0 : slash);
    if (colon != std::string_view::npos) {
        to.tag = text.substr(colon + 1);
        if (auto wrong = check_tag(to.tag)) return wrong;
        text = text.substr(0, colon);
    } else if (to.digest.empty()) {
        to.tag = kDefaultTag;
    }
    if (text.empty()) return "the name is empty";
    if (text.size() == 64 && Digest::from_hex(text)) return "64 hex digits are an image's id";
    return fill_name(text, to);
}

} // namespace

std::string Reference::familiar() const {
    std::string name = repository();
    if (domain == kDefaultDomain) {
        name = path;
        if (path.starts_with(kOfficial) && path.find('/', kOfficial.size()) == std::string::npos)
            name = path.substr(kOfficial.size());
    }
    if (!tag.empty()) name += ":" + tag;
    if (!digest.empty()) name += "@" + digest.str();
    return name;
}

Result<Reference> parse_reference(std::string_view text) {
    Reference reference;
    if (auto wrong = fill(text, reference))
        return fail(Code::invalid, shown(text) + " is no image name: " + *wrong);
    return reference;
}

std::string familiar_name(std::string_view key) {
    const auto reference = parse_reference(key);
    return reference ? reference->familiar() : std::string(key);
}

} // namespace mydocker::image
