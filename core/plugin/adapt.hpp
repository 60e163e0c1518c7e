// What the adaptors from the wire to the faces share: one opened instance, calls to it, checks of what
// it returns. Inside core/plugin only.
#pragma once

#include "mydocker/abi/base.h"
#include "mydocker/abi/storage_driver.h"
#include "mydocker/detail/wire.hpp"
#include "mydocker/result.hpp"
#include "mydocker/storage_driver.hpp"
#include "plugin/crash.hpp"
#include "plugin/plugin_host.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace mydocker::plugin {

// More than any honest driver returns.
inline constexpr std::size_t kMaxMounts = 1024;
inline constexpr std::size_t kMaxOptions = 8192;
inline constexpr std::size_t kMaxText = 64U << 10U;

// The engine's side of md_host for one instance: the strings and options behind it. Stays in place.
class HostView {
  public:
    // `label`: "storage overlayfs".
    HostView(std::string label, OpenRequest request, DiagnosticFn log);
    HostView(const HostView&) = delete;
    HostView& operator=(const HostView&) = delete;
    ~HostView() = default;

    [[nodiscard]] const md_host& wire() const { return host_; }
    [[nodiscard]] const std::string& label() const { return label_; }

  private:
    void add_options();
    static void log(void* ctx, std::uint32_t level, md_str text);
    static std::int32_t cancelled(void* ctx);
    static const void* service(void* ctx, md_str id);

    std::string label_;
    OpenRequest request_;
    DiagnosticFn log_;
    std::vector<std::vector<md_str>> lists_;
    std::vector<md_option> options_;
    md_host host_;
};

// One instance of a plugin, closed at the end, by the process that opened it alone.
class Instance {
  public:
    // Errors: the driver's; plugin_fault.
    [[nodiscard]] static Result<std::unique_ptr<Instance>> open(const md_plugin& plugin,
                                                                std::unique_ptr<HostView> host);
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;
    ~Instance();

    // Calls a slot. Every error's text begins with the plugin's kind and name, once.
    template <class Slot, class... Arguments>
    [[nodiscard]] Status call(const char* name, Slot slot, Arguments... arguments) const {
        if (slot == nullptr) return std::unexpected<Error>(absent(name));
        if (::getpid() != pid_) return std::unexpected<Error>(foreign(name));
        const CallMark mark(host_->label().c_str(), name);
        Status done = wire::call(slot, self_, arguments...);
        if (done) return done;
        return std::unexpected<Error>(worded(name, std::move(done.error())));
    }

    // A driver broke its contract: "storage overlayfs: mounts: text".
    [[nodiscard]] std::unexpected<Error> fault(const char* name, std::string_view text) const;

    // A driver's error with its kind and name before the text.
    [[nodiscard]] Error worded(const char* name, Error error) const;

    [[nodiscard]] const void* table() const { return plugin_.table; }

  private:
    Instance(const md_plugin& plugin, std::unique_ptr<HostView> host, void* self)
        : plugin_(plugin),
          host_(std::move(host)),
          self_(self),
          pid_(::getpid()) {}

    [[nodiscard]] Error absent(const char* name) const;
    [[nodiscard]] Error foreign(const char* name) const;

    md_plugin plugin_;
    std::unique_ptr<HostView> host_;
    void* self_;
    pid_t pid_;
};

// Checks of what one call returned; errors are plugin_fault and name driver, call and value.
class Results {
  public:
    Results(const Instance& instance, const char* call) : instance_(instance), call_(call) {}

    // Not longer than kMaxText, without NUL.
    [[nodiscard]] Status text(std::string_view what, std::string_view value) const;
    // A text; absolute, without "..".
    [[nodiscard]] Status path(std::string_view what, std::string_view value) const;
    [[nodiscard]] Status range(std::string_view what, std::uint64_t value, std::uint64_t least,
                               std::uint64_t most) const;
    [[nodiscard]] Status one(std::size_t count) const; // exactly one item came
    [[nodiscard]] Status most(std::string_view what, std::size_t count, std::size_t limit) const;
    [[nodiscard]] std::unexpected<Error> fault(std::string_view text) const {
        return instance_.fault(call_, text);
    }

    [[nodiscard]] Result<Mount> mount(const md_mount& given) const;
    [[nodiscard]] Result<std::vector<std::string>> texts(std::string_view what, md_list given) const;

  private:
    const Instance& instance_;
    const char* call_;
};

// A slot that a table must have.
struct RequiredSlot {
    std::string_view name;
    bool present;
};

// Errors: plugin_fault naming the first that is empty.
[[nodiscard]] Status check_slots(const LoadedPlugin& plugin, std::initializer_list<RequiredSlot> slots);

// Calls a slot whose result is one text.
template <class Slot, class... Arguments>
[[nodiscard]] Result<std::string> call_for_text(const Instance& instance, const char* name, Slot slot,
                                                Arguments... arguments) {
    std::string text;
    auto out = wire::receive<md_str_sink>([&](md_str item) -> Status {
        text = wire::view(item);
        return {};
    });
    if (auto done = out.finish(instance.call(name, slot, arguments..., out.sink())); !done) return fail(done);
    const Results results(instance, name);
    if (auto ok = results.one(out.count()); !ok) return fail(ok);
    if (auto ok = results.text("its result", text); !ok) return fail(ok);
    return text;
}

} // namespace mydocker::plugin
