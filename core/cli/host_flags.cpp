#include "cli/host_flags.hpp"

#include "cli/key_values.hpp"
#include "cli/resource_flags.hpp"
#include "engine/devices.hpp"
#include "image/manifest.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <sstream>

namespace mydocker::cli {
namespace {

constexpr std::int64_t kHighestMajor = (1 << 12) - 1;
constexpr std::int64_t kHighestMinor = (1 << 20) - 1;

bool is_access(std::string_view text) {
    return !text.empty() && text.find_first_not_of("rwm") == std::string_view::npos;
}

// An option of a log driver; also in docker's spelling: max-size, max-file.
std::string option_name(const std::string& key) {
    if (key == "max-file") return "max_files";
    std::string name = key;
    std::ranges::replace(name, '-', '_');
    return name;
}

// "*" is any.
Result<std::int64_t> parse_device_number(std::string_view what, const std::string& text, std::int64_t most) {
    if (text == "*") return -1;
    return parse_number(what, text, 0, most);
}

// One of two words; the first is the default.
Result<bool> parse_shared(std::string_view flag, const std::string& text, std::string_view own) {
    if (text.empty() || text == own) return false;
    if (text == "host") return true;
    return fail(Code::invalid, fmt::format("{}: '{}' is unknown; there are: {}host", flag, text,
                                           own.empty() ? "" : std::string(own) + " (default), "));
}

Status refuse_flag(bool given, std::string_view text) {
    return given ? Status(fail(Code::unsupported, std::string(text))) : Status{};
}

} // namespace

Result<std::vector<engine::DeviceRequest>> parse_device(const std::string& text) {
    const auto first = text.find(':');
    const std::string host = text.substr(0, first);
    std::string inside = host;
    std::string access = "rwm";
    if (first != std::string::npos) {
        const auto second = text.find(':', first + 1);
        const std::string middle =
            text.substr(first + 1, second == std::string::npos ? second : second - first - 1);
        if (second != std::string::npos) {
            inside = middle;
            access = text.substr(second + 1);
        } else if (is_access(middle)) {
            access = middle;
        } else {
            inside = middle;
        }
    }
    const std::string what = fmt::format("device: '{}'", text);
    if (host.empty() || host.front() != '/' || inside.empty() || inside.front() != '/')
        return fail(Code::invalid, what + ": paths have to be absolute");
    if (!is_access(access)) return fail(Code::invalid, what + ": the access is of the letters r, w and m");
    auto devices = engine::find_devices(host);
    if (!devices) return fail(devices);
    for (engine::DeviceRequest& device : *devices) {
        device.path = inside + device.path.substr(host.size());
        device.access = access;
    }
    return devices;
}

Result<DeviceRule> parse_device_rule(const std::string& text) {
    std::istringstream words(text);
    std::string type;
    std::string numbers;
    std::string access;
    std::string more;
    const bool three = static_cast<bool>(words >> type >> numbers >> access) && !(words >> more);
    const auto colon = numbers.find(':');
    const bool known = type == "a" || type == "b" || type == "c";
    if (!three || !known || colon == std::string::npos || !is_access(access))
        return fail(Code::invalid,
                    fmt::format("device-cgroup-rule: '{}' is not of the form 'c 10:200 rwm'", text));
    auto major = parse_device_number("device-cgroup-rule: major", numbers.substr(0, colon), kHighestMajor);
    if (!major) return fail(major);
    auto minor = parse_device_number("device-cgroup-rule: minor", numbers.substr(colon + 1), kHighestMinor);
    if (!minor) return fail(minor);
    return DeviceRule{true, type.front(), *major, *minor, access};
}

Result<engine::NamespaceMode> parse_namespace(std::string_view flag, const std::string& text,
                                              std::vector<std::string_view> own_words) {
    using Kind = engine::NamespaceMode::Kind;
    constexpr std::string_view kContainer = "container:";
    if (text.empty() || std::ranges::find(own_words, text) != own_words.end())
        return engine::NamespaceMode{Kind::own, ""};
    if (text == "host") return engine::NamespaceMode{Kind::host, ""};
    if (text.starts_with(kContainer) && text.size() > kContainer.size())
        return engine::NamespaceMode{Kind::container, text.substr(kContainer.size())};
    own_words.emplace_back("host");
    return fail(Code::invalid, fmt::format("{}: '{}' is unknown; there are: {}, container:NAME", flag, text,
                                           fmt::join(own_words, ", ")));
}

void HostFlags::declare(FlagSet& app) {
    app.add_flag("--privileged", privileged_,
                 "all capabilities and devices, no system call filter, nothing hidden or read-only");
    app.add_option("--pid", pid_, "pid namespace: private (default), host or container:NAME");
    app.add_option("--ipc", ipc_,
                   "ipc namespace and /dev/shm: private (default), shareable, host or container:NAME");
    app.add_option("--uts", uts_, "namespace of the host name: private, host or container:NAME");
    app.add_option("--cgroupns", cgroupns_, "cgroup namespace: private (default) or host");
    app.add_option("--userns", userns_, "user namespace: host");
    app.add_option("--device", devices_, "device of the host, HOST[:INSIDE][:rwm]");
    app.add_option("--device-cgroup-rule", device_rules_, "devices that it may use, as 'c 10:200 rwm'");
    app.add_option("--group-add", groups_, "further group of the user, by name or id");
    app.add_option("--oom-score-adj", oom_score_adj_, "-1000…1000: how early the kernel kills it for memory")
        ->not_empty();
    app.add_option("--sysctl", sysctls_, "kernel parameter of its namespaces, KEY=VALUE");
    app.add_option("--domainname", domainname_, "NIS domain name inside");
    app.add_option("--annotation", annotations_, "annotation in config.json, KEY=VALUE");
    app.add_option("-l,--label", labels_, "label, KEY=value");
    app.add_option("--label-file", label_files_, "file of labels, a line each")->takes("FILE");
    app.add_option("--log-opt", log_options_, "option of the log driver, KEY=VALUE");
    app.add_option("--pull", pull_, "missing (default) or never; images come by load and import");
    app.add_option("--platform", platform_, "OS[/ARCHITECTURE] of the image; this machine's is the only one");
    app.add_option("-p,--publish", published_, "refused: there are no networks yet");
    app.add_flag("-P,--publish-all", publish_all_, "refused, likewise");
    app.add_option("--expose", exposed_, "refused, likewise");
    app.add_option("--memory-swappiness", swappiness_, "refused: cgroup v2 has none");
    app.add_option("--kernel-memory", kernel_memory_, "refused: kernels have it no more");
    app.add_flag("--oom-kill-disable", oom_kill_disable_, "refused: such a container hangs without end");
}

// A flag that cannot be honoured is an error, never ignored.
Status HostFlags::refuse() const {
    constexpr std::string_view kNoNetwork =
        "publish, expose: there are no networks with ports yet; --network host shares the host's";
    if (auto fine = refuse_flag(!published_.empty() || !exposed_.empty() || publish_all_, kNoNetwork); !fine)
        return fine;
    if (auto fine = refuse_flag(!swappiness_.empty(), "memory-swappiness: not supported, as cgroup v2 has "
                                                      "none; --memory-swap limits swap");
        !fine)
        return fine;
    if (auto fine = refuse_flag(!kernel_memory_.empty(), "kernel-memory: not supported, the kernel counts it "
                                                         "with --memory since Linux 5.4");
        !fine)
        return fine;
    if (auto fine = refuse_flag(oom_kill_disable_, "oom-kill-disable: not supported, a container without "
                                                   "memory would hang; see --oom-score-adj");
        !fine)
        return fine;
    const std::string own = fmt::format("linux/{}", image::host_architecture());
    if (!platform_.empty() && platform_ != "linux" && platform_ != own)
        return fail(Code::unsupported,
                    fmt::format("platform: '{}' cannot run here; this machine is {}", platform_, own));
    if (pull_ == "always")
        return fail(Code::unsupported, "pull: there is no registry to pull from yet; see load and import");
    if (pull_ != "missing" && pull_ != "never")
        return fail(Code::invalid, fmt::format("pull: '{}' is unknown; there are: missing, never", pull_));
    return {};
}

Status HostFlags::parse_namespaces(engine::CreateRequest& to) const {
    using Kind = engine::NamespaceMode::Kind;
    auto pid = parse_namespace("pid", pid_, {"private"});
    if (!pid) return fail(pid);
    auto ipc = parse_namespace("ipc", ipc_, {"private", "shareable"});
    if (!ipc) return fail(ipc);
    auto uts = parse_namespace("uts", uts_, {"private"});
    if (!uts) return fail(uts);
    auto cgroup = parse_shared("cgroupns", cgroupns_, "private");
    if (!cgroup) return fail(cgroup);
    if (auto user = parse_shared("userns", userns_, ""); !user) return fail(user);
    to.pid = std::move(*pid);
    to.ipc = std::move(*ipc);
    to.uts = std::move(*uts);
    to.host_cgroups = *cgroup;
    if (to.uts.kind != Kind::own && !(to.hostname.empty() && domainname_.empty()))
        return fail(Code::invalid, "hostname, domainname: they would change those of somebody else, with "
                                   "--uts host or container:NAME");
    if (to.ipc.kind != Kind::own && to.shm_size)
        return fail(Code::invalid, "shm-size: /dev/shm is shared, with --ipc host or container:NAME");
    return {};
}

Status HostFlags::parse_devices(engine::CreateRequest& to) const {
    for (const std::string& text : devices_) {
        auto devices = parse_device(text);
        if (!devices) return fail(devices);
        to.devices.insert(to.devices.end(), devices->begin(), devices->end());
    }
    for (const std::string& text : device_rules_) {
        auto rule = parse_device_rule(text);
        if (!rule) return fail(rule);
        to.device_rules.push_back(std::move(*rule));
    }
    return {};
}

Status HostFlags::parse_words(engine::CreateRequest& to) const {
    const auto take = [](std::string_view flag, const std::vector<std::string>& texts, auto& map) -> Status {
        for (const std::string& text : texts) {
            const auto equals = text.find('=');
            if (equals == 0 || equals == std::string::npos)
                return fail(Code::invalid, fmt::format("{}: '{}' is not of the form KEY=VALUE", flag, text));
            map[text.substr(0, equals)] = text.substr(equals + 1);
        }
        return {};
    };
    if (auto taken = take("sysctl", sysctls_, to.sysctls); !taken) return taken;
    if (auto taken = take("annotation", annotations_, to.annotations); !taken) return taken;
    std::map<std::string, std::string> log_options;
    if (auto taken = take("log-opt", log_options_, log_options); !taken) return taken;
    for (const auto& [key, value] : log_options)
        to.log_options[option_name(key)] = value;
    for (const auto& [key, value] : to.annotations)
        if (key.starts_with("io.mydocker."))
            return fail(Code::invalid, fmt::format("annotation: '{}' is one of the engine's own", key));
    std::vector<std::string> lines;
    for (const std::string& path : label_files_) {
        auto more = read_env_file(path, [](const char*) { return ""; }, "label-file");
        if (!more) return fail(more);
        lines.insert(lines.end(), more->begin(), more->end());
    }
    // What stands on the command line comes last, and wins.
    lines.insert(lines.end(), labels_.begin(), labels_.end());
    auto labels = parse_labels(lines);
    if (!labels) return fail(labels);
    to.labels = std::move(*labels);
    return {};
}

Status HostFlags::parse(engine::CreateRequest& to) const {
    if (auto fine = refuse(); !fine) return fine;
    to.privileged = privileged_;
    to.groups = groups_;
    to.domainname = domainname_;
    if (!oom_score_adj_.empty()) {
        auto score = parse_number("oom-score-adj", oom_score_adj_, -1000, 1000);
        if (!score) return fail(score);
        to.oom_score_adj = static_cast<int>(*score);
    }
    if (auto parsed = parse_namespaces(to); !parsed) return parsed;
    if (auto parsed = parse_devices(to); !parsed) return parsed;
    return parse_words(to);
}

} // namespace mydocker::cli
