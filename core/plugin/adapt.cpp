#include "plugin/adapt.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <type_traits>
#include <variant>

namespace mydocker::plugin {

HostView::HostView(std::string label, OpenRequest request, DiagnosticFn log)
    : label_(std::move(label)),
      request_(std::move(request)),
      log_(std::move(log)),
      host_(wire::make<md_host>()) {
    add_options();
    host_.abi_major = MD_ABI_MAJOR;
    host_.abi_minor = MD_ABI_MINOR;
    host_.ctx = this;
    host_.log = &HostView::log;
    host_.cancelled = &HostView::cancelled;
    host_.data_dir = wire::str(request_.data_dir);
    host_.run_dir = wire::str(request_.run_dir);
    host_.options = wire::list(options_);
    host_.service = &HostView::service;
}

// The map is sorted by key, as the wire wants it.
void HostView::add_options() {
    const auto& values = request_.options.values();
    lists_.reserve(values.size()); // The options point into it.
    options_.reserve(values.size());
    for (const auto& [key, value] : values) {
        auto option = wire::make<md_option>();
        option.key = wire::str(key);
        std::visit(
            [&](const auto& typed) {
                using T = std::remove_cvref_t<decltype(typed)>;
                if constexpr (std::is_same_v<T, bool>) {
                    option.type = MD_OPTION_BOOLEAN;
                    option.integer = typed ? 1 : 0;
                } else if constexpr (std::is_same_v<T, std::int64_t>) {
                    option.type = MD_OPTION_INTEGER;
                    option.integer = typed;
                } else if constexpr (std::is_same_v<T, double>) {
                    option.type = MD_OPTION_FLOATING;
                    option.floating = typed;
                } else if constexpr (std::is_same_v<T, std::string>) {
                    option.type = MD_OPTION_STRING;
                    option.string = wire::str(typed);
                } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
                    option.type = MD_OPTION_LIST;
                    option.list = wire::list(lists_.emplace_back(wire::strs(typed)));
                } else if constexpr (std::is_same_v<T, std::uint64_t>) {
                    option.type = MD_OPTION_SIZE;
                    option.bytes = typed;
                } else {
                    static_assert(std::is_same_v<T, std::chrono::nanoseconds>);
                    option.type = MD_OPTION_DURATION;
                    option.integer = typed.count();
                }
            },
            value);
        options_.push_back(option);
    }
}

void HostView::log(void* ctx, std::uint32_t level, md_str text) {
    const auto& self = *static_cast<const HostView*>(ctx);
    if (!self.log_) return;
    try {
        const LogLevel known =
            level <= MD_LOG_PLUGIN_MISBEHAVED ? static_cast<LogLevel>(level) : LogLevel::plugin_misbehaved;
        std::string line = self.label_ + ": " + std::string(wire::view(text));
        for (char& c : line)
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
        self.log_(known, line);
    } catch (const std::exception&) {
        // Nothing may leave towards the plugin: ignored, and a diagnostic that cannot be written is lost.
    }
}

std::int32_t HostView::cancelled(void* ctx) {
    const auto& self = *static_cast<const HostView*>(ctx);
    try {
        return self.request_.cancelled && self.request_.cancelled() ? 1 : 0;
    } catch (const std::exception&) {
        return 1; // Who cannot answer does not want the work either.
    }
}

const void* HostView::service(void*, md_str) {
    return nullptr; // None is defined yet.
}

Result<std::unique_ptr<Instance>> Instance::open(const md_plugin& plugin, std::unique_ptr<HostView> host) {
    // The instance exists before the call, so that its errors are worded like all others.
    std::unique_ptr<Instance> instance(new Instance(plugin, std::move(host), nullptr));
    void* self = nullptr;
    const auto slot = [&](void*, const md_host* given, md_error* error) {
        return plugin.open(given, &self, error);
    };
    const md_host* given = &instance->host_->wire();
    const CallMark mark(instance->host_->label().c_str(), "open");
    Status done = wire::call(slot, nullptr, given);
    if (!done) {
        Error error = instance->worded("open", std::move(done.error()));
        instance->plugin_.close = nullptr; // There is nothing to close.
        return std::unexpected<Error>(std::move(error));
    }
    instance->self_ = self;
    return instance;
}

Instance::~Instance() {
    if (plugin_.close == nullptr || ::getpid() != pid_) return;
    const CallMark mark(host_->label().c_str(), "close");
    plugin_.close(self_);
}

Error Instance::worded(const char* name, Error error) const {
    const std::string& label = host_->label();
    const bool faulty = error.code == Code::plugin_fault || error.text.empty();
    const std::string text =
        error.text.starts_with(label + ": ") ? error.text.substr(label.size() + 2) : std::move(error.text);
    const std::string call = faulty ? std::string(name) : std::string();
    error.text = label;
    for (const std::string& part : {call, text})
        if (!part.empty()) error.text += ": " + part;
    return error;
}

std::unexpected<Error> Instance::fault(const char* name, std::string_view text) const {
    return std::unexpected<Error>(worded(name, Error{Code::plugin_fault, 0, std::string(text)}));
}

Error Instance::absent(const char* name) const {
    return {Code::unsupported, 0, host_->label() + ": " + name + ": not offered by this driver"};
}

Error Instance::foreign(const char* name) const {
    return {Code::internal, 0,
            host_->label() + ": " + name + ": called in another process than the one that opened it"};
}

Status Results::text(std::string_view what, std::string_view value) const {
    if (value.size() > kMaxText)
        return fault(std::string(what) + " of " + std::to_string(value.size()) + " bytes is too long");
    if (value.find('\0') != std::string_view::npos) return fault(std::string(what) + " has a NUL byte in it");
    return {};
}

Status Results::path(std::string_view what, std::string_view value) const {
    if (auto ok = text(what, value); !ok) return ok;
    const std::string named = std::string(what) + " '" + std::string(value) + "'";
    if (!value.starts_with('/')) return fault(named + " is not an absolute path");
    if (value.ends_with("/..") || value.find("/../") != std::string_view::npos)
        return fault(named + " has a '..' in it");
    return {};
}

Status Results::range(std::string_view what, std::uint64_t value, std::uint64_t least,
                      std::uint64_t most) const {
    if (value >= least && value <= most) return {};
    return fault(std::string(what) + " is " + std::to_string(value) + ", which does not exist");
}

Status Results::one(std::size_t count) const {
    if (count == 1) return {};
    return fault(count == 0 ? "reported success without a result" : "gave more than one result");
}

Status Results::most(std::string_view what, std::size_t count, std::size_t limit) const {
    if (count <= limit) return {};
    return fault("gave more than " + std::to_string(limit) + " " + std::string(what));
}

Result<std::vector<std::string>> Results::texts(std::string_view what, md_list given) const {
    if (auto ok = most(what, given.count, kMaxOptions); !ok) return fail(ok);
    auto list = wire::strings(given);
    if (!list) return fault(list.error().text);
    for (const std::string& value : *list)
        if (auto ok = text(what, value); !ok) return fail(ok);
    return list;
}

Result<Mount> Results::mount(const md_mount& given) const {
    Mount mount;
    mount.type = wire::view(given.type);
    mount.source = wire::view(given.source);
    mount.target = wire::view(given.target);
    mount.flags = given.flags;
    mount.propagation = static_cast<Propagation>(given.propagation);
    mount.directory = wire::view(given.directory);
    auto options = texts("mount options", given.options);
    if (!options) return fail(options);
    mount.options = *std::move(options);
    auto remounts = texts("a mount's remounts", given.remounts);
    if (!remounts) return fail(remounts);
    mount.remounts = *std::move(remounts);
    if (mount.type.empty()) return fault("a mount without a type");
    if (auto ok = text("a mount's type", mount.type); !ok) return fail(ok);
    if (auto ok = text("a mount's source", mount.source); !ok) return fail(ok);
    if (auto ok = path("a mount's target", mount.target); !ok) return fail(ok);
    if (mount.type == "bind")
        if (auto ok = path("a bind mount's source", mount.source); !ok) return fail(ok);
    if (!mount.directory.empty())
        if (auto ok = path("a mount's directory", mount.directory); !ok) return fail(ok);
    if (auto ok = range("a mount's propagation", given.propagation, 0, MD_PROPAGATION_SHARED); !ok)
        return fail(ok);
    return mount;
}

Status check_slots(const LoadedPlugin& plugin, std::initializer_list<RequiredSlot> slots) {
    for (const RequiredSlot& slot : slots)
        if (!slot.present)
            return fail(Code::plugin_fault, "plugin '" + plugin.path + "': descriptor field '" +
                                                std::string(slot.name) + "' is empty");
    return {};
}

} // namespace mydocker::plugin
