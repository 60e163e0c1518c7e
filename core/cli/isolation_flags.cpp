// Words to capabilities, limits and addresses.
#include "cli/isolation_flags.hpp"

#include "base/notation.hpp"
#include "cli/given_file.hpp"
#include "runtime/plan_parts.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <limits>

namespace mydocker::cli {
namespace {

bool is_address(const std::string& text) {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    return ::inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

// What can stand in /etc/hosts.
bool is_host_name(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
    });
}

std::string without_brackets(std::string text) {
    if (text.size() > 2 && text.front() == '[' && text.back() == ']') return text.substr(1, text.size() - 2);
    return text;
}

// Nothing around the number; "-1" and "unlimited": none.
Result<std::uint64_t> parse_limit(std::string_view text) {
    if (text == "-1" || text == "unlimited") return std::numeric_limits<std::uint64_t>::max();
    std::uint64_t limit = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error == std::errc() && end == text.data() + text.size()) return limit;
    return fail(Code::invalid, fmt::format("'{}' is no limit; write a number, or -1", text));
}

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

Result<engine::Ulimit> read_ulimit(const std::string& text) {
    const auto equals = text.find('=');
    if (equals == 0 || equals == std::string::npos)
        return fail(Code::invalid, "it is not of the form NAME=SOFT:HARD");
    const auto colon = text.find(':', equals);
    engine::Ulimit limit;
    limit.type = "RLIMIT_" + upper(text.substr(0, equals));
    auto soft = parse_limit(text.substr(equals + 1, colon - equals - 1));
    if (!soft) return fail(soft);
    auto hard = colon == std::string::npos ? soft : parse_limit(text.substr(colon + 1));
    if (!hard) return fail(hard);
    limit.soft = *soft;
    limit.hard = *hard;
    const std::array<runtime::RlimitSpec, 1> one{{{limit.type, limit.soft, limit.hard}}};
    if (auto sane = runtime::plan_rlimits(one); !sane) return fail(sane);
    return limit;
}

// A file of lines and blanks is made of them.
Status take_words(std::string_view flag, const std::vector<std::string>& words,
                  std::vector<std::string>& to) {
    for (const std::string& word : words) {
        const bool is_one = !word.empty() &&
                            std::ranges::none_of(word, [](unsigned char c) { return c <= ' ' || c == 0x7f; });
        if (!is_one) return fail(Code::invalid, fmt::format("{}: '{}' is no word", flag, word));
        to.push_back(word);
    }
    return {};
}

Status parse_umask(const std::string& text, engine::CreateRequest& to) {
    constexpr std::uint32_t kMost = 0777;
    if (text.empty()) return {};
    std::uint32_t bits = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits, 8);
    if (error != std::errc() || end != text.data() + text.size() || bits > kMost)
        return fail(Code::invalid, fmt::format("umask: '{}' is no number from 0 to 0777, in octal", text));
    to.umask = bits;
    return {};
}

// "mask=/proc/a:/sys/b", "unmask=ALL".
Status take_paths(std::string_view value, bool may_be_all, std::vector<std::string>& to) {
    for (;;) {
        const auto colon = value.find(':');
        const std::string path(value.substr(0, colon));
        const bool is_all = may_be_all && upper(path) == "ALL";
        if (!is_all && !path.starts_with('/'))
            return fail(Code::invalid, fmt::format("'{}' is no absolute path", path));
        to.push_back(is_all ? "ALL" : path);
        if (colon == std::string_view::npos) return {};
        value.remove_prefix(colon + 1);
    }
}

Status take_security(engine::CreateRequest& to, const std::string& text) {
    const auto separator = text.find_first_of("=:");
    const std::string key = text.substr(0, separator);
    const std::string value = separator == std::string::npos ? "" : text.substr(separator + 1);
    if (key == "no-new-privileges") { // docker writes a colon behind it, podman an equals sign.
        auto on = value.empty() ? Result<bool>(true) : parse_bool(value);
        if (!on) return fail(on);
        to.no_new_privileges = *on;
        return {};
    }
    if (key == "mask") return take_paths(value, false, to.masked);
    if (key == "unmask") return take_paths(value, true, to.unmasked);
    if (key == "systempaths" && value == "unconfined") { // docker's word for it
        to.unmasked.emplace_back("ALL");
        return {};
    }
    if (key != "seccomp")
        return fail(Code::invalid,
                    "it is unknown; there are: no-new-privileges, mask=PATH, unmask=PATH|ALL, seccomp=FILE, "
                    "seccomp=builtin, seccomp=unconfined");
    using Kind = engine::FilterChoice::Kind;
    if (value == "unconfined" || value == "builtin") {
        to.filter = {value == "builtin" ? Kind::builtin : Kind::unconfined, "", ""};
        return {};
    }
    if (value.empty()) return fail(Code::invalid, "it names no file");
    auto profile = read_given_file(value);
    if (!profile) return fail(profile);
    to.filter = {Kind::profile, value, std::move(*profile)};
    return {};
}

} // namespace

void IsolationFlags::declare(FlagSet& app) {
    app.add_option("--cap-add", cap_add_, "capability that it gets besides the default ones; ALL: every one");
    app.add_option("--cap-drop", cap_drop_, "capability that it does not get; ALL: none at all");
    app.add_option("--security-opt", security_,
                   "no-new-privileges[=false] (true is the default), or seccomp=FILE (a profile as docker "
                   "has it), unconfined or builtin; mask=PATH[:PATH] hides, unmask=PATH[:PATH]|ALL shows "
                   "what is hidden or read-only in /proc and /sys");
    app.add_option("--ulimit", ulimits_, "limit of its processes, NAME=SOFT[:HARD], as nofile=1024:2048");
    app.add_option("--shm-size", shm_size_, "size of /dev/shm (64m)")->not_empty();
    app.add_option(
        "--add-host", hosts_,
        "line of /etc/hosts, HOST:ADDRESS; HOST:host-gateway is this host, with --network host alone");
    app.add_option("--umask", umask_, "bits that its new files do not get, in octal (0022)")->not_empty();
    app.add_option("--dns-search", dns_search_, "domain to search instead of the host's");
    app.add_option("--dns-option,--dns-opt", dns_options_,
                   "option in /etc/resolv.conf instead of the host's, as ndots:2");
    app.add_option("--dns", dns_, "resolver in /etc/resolv.conf instead of the host's");
}

Status IsolationFlags::parse_capabilities(engine::CreateRequest& to) const {
    for (const std::string& text : cap_add_) {
        auto name = parse_capability(text);
        if (!name) return fail(name, "cap-add");
        to.cap_add.push_back(std::move(*name));
    }
    for (const std::string& text : cap_drop_) {
        auto name = parse_capability(text);
        if (!name) return fail(name, "cap-drop");
        to.cap_drop.push_back(std::move(*name));
    }
    return {};
}

Status IsolationFlags::parse_security(engine::CreateRequest& to) const {
    for (const std::string& text : security_)
        if (auto taken = take_security(to, text); !taken)
            return fail(taken, fmt::format("security-opt: '{}'", text));
    for (const std::string& text : ulimits_) {
        auto limit = parse_ulimit(text);
        if (!limit) return fail(limit);
        std::erase_if(to.ulimits, [&](const engine::Ulimit& known) { return known.type == limit->type; });
        to.ulimits.push_back(std::move(*limit));
    }
    if (shm_size_.empty()) return {};
    auto size = notation::parse_size(shm_size_);
    if (!size || *size == 0)
        return fail(Code::invalid, fmt::format("shm-size: '{}' is no size; write 64m", shm_size_));
    to.shm_size = *size;
    return {};
}

Status IsolationFlags::parse_addresses(engine::CreateRequest& to) const {
    for (const std::string& text : hosts_) {
        auto host = parse_host(text);
        if (!host) return fail(host);
        to.extra_hosts.push_back(std::move(*host));
    }
    for (const std::string& text : dns_) {
        if (!is_address(text)) return fail(Code::invalid, fmt::format("dns: '{}' is no IP address", text));
        to.dns.push_back(text);
    }
    if (auto taken = take_words("dns-search", dns_search_, to.dns_search); !taken) return taken;
    return take_words("dns-option", dns_options_, to.dns_options);
}

Status IsolationFlags::parse(engine::CreateRequest& to) const {
    if (auto parsed = parse_capabilities(to); !parsed) return parsed;
    if (auto parsed = parse_security(to); !parsed) return parsed;
    if (auto parsed = parse_umask(umask_, to); !parsed) return parsed;
    return parse_addresses(to);
}

Result<engine::Ulimit> parse_ulimit(const std::string& text) {
    auto limit = read_ulimit(text);
    if (!limit) return fail(limit, fmt::format("ulimit: '{}'", text));
    return limit;
}

Result<engine::ExtraHost> parse_host(const std::string& text) {
    const auto colon = text.find(':');
    const std::string name = text.substr(0, colon);
    const std::string address = colon == std::string::npos ? "" : without_brackets(text.substr(colon + 1));
    const bool known = is_address(address) || address == kHostGateway;
    if (is_host_name(name) && known) return engine::ExtraHost{name, address};
    return fail(Code::invalid, fmt::format("add-host: '{}' is not of the form HOST:ADDRESS", text));
}

Status find_gateway(engine::CreateRequest& to) {
    for (engine::ExtraHost& host : to.extra_hosts) {
        if (host.address != kHostGateway) continue;
        if (to.network.kind != engine::NetworkMode::Kind::host)
            return fail(Code::unsupported,
                        fmt::format("add-host: '{}:host-gateway': without --network host there is no way "
                                    "from the container to the host",
                                    host.name));
        host.address = "127.0.0.1"; // Its loopback is the host's.
    }
    return {};
}

Result<std::string> parse_capability(const std::string& text) {
    std::string name = upper(text);
    if (name == "ALL") return name;
    if (!name.starts_with("CAP_")) name.insert(0, "CAP_");
    if (std::ranges::find(runtime::capability_names(), name) != runtime::capability_names().end())
        return name;
    return fail(Code::invalid, fmt::format("'{}' is no capability; see capabilities(7)", text));
}

} // namespace mydocker::cli
