// What both ends of the wire share: strings, lists and structs across it, errors into md_error and
// back, sinks. Not for drivers: their authors meet only the faces.
#pragma once

#include "mydocker/abi/base.h"
#include "mydocker/host.hpp"
#include "mydocker/result.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mydocker::wire {

static_assert(static_cast<std::uint32_t>(Code::internal) == MD_INTERNAL);
static_assert(static_cast<std::uint32_t>(LogLevel::plugin_misbehaved) == MD_LOG_PLUGIN_MISBEHAVED);
static_assert(static_cast<std::uint32_t>(OptionType::duration) == MD_OPTION_DURATION);

// --- strings, structs, lists ----------------------------------------------------------------------

[[nodiscard]] constexpr md_str str(std::string_view text) {
    return {text.data(), text.size()};
}

[[nodiscard]] constexpr std::string_view view(md_str text) {
    return text.size == 0 || text.data == nullptr ? std::string_view{}
                                                  : std::string_view(text.data, text.size);
}

// A struct that begins with its size (convention 3).
template <class T>
concept Sized = std::is_class_v<T> && std::is_trivially_copyable_v<T> && requires(T value) {
    { value.size } -> std::same_as<std::uint32_t&>;
};

// A zeroed T with its size set.
template <Sized T>
[[nodiscard]] constexpr T make() {
    T value{};
    value.size = static_cast<std::uint32_t>(sizeof(T));
    return value;
}

// Convention 4: min(size) bytes into a zeroed one. A null pointer yields the zeroed one.
// `available`: bytes that may be read at most, when a stride says so.
template <Sized T>
[[nodiscard]] T copy_in(const void* from, std::size_t available = sizeof(T)) {
    T copy{};
    if (from != nullptr) {
        std::uint32_t size = 0;
        std::memcpy(&size, from, sizeof size);
        std::memcpy(&copy, from, std::min({static_cast<std::size_t>(size), sizeof(T), available}));
    }
    copy.size = static_cast<std::uint32_t>(sizeof(T));
    return copy;
}

template <class T>
[[nodiscard]] md_list list(const std::vector<T>& items) {
    return {items.data(), items.size(), sizeof(T)};
}

template <class T, std::size_t N>
[[nodiscard]] constexpr md_list list(const T (&items)[N]) {
    return {items, N, sizeof(T)};
}

// More elements than any honest list has.
inline constexpr std::size_t kMaxItems = 1U << 20U;

// Convention 2: calls visit(const T&) for each element, stepping by stride.
// Errors: invalid for a list that cannot be one; the visitor's.
template <class T, class Visit>
[[nodiscard]] Status each(md_list items, Visit&& visit) {
    if (items.count == 0) return {};
    constexpr std::size_t kLeast = Sized<T> ? sizeof(std::uint32_t) : sizeof(T);
    if (items.data == nullptr || items.stride < kLeast || items.count > kMaxItems)
        return fail(Code::invalid, "a list of " + std::to_string(items.count) + " elements, stride " +
                                       std::to_string(items.stride) + ", cannot be read");
    const auto* at = static_cast<const unsigned char*>(items.data);
    for (std::size_t i = 0; i < items.count; ++i, at += items.stride) {
        T item{};
        if constexpr (Sized<T>)
            item = copy_in<T>(at, items.stride);
        else
            std::memcpy(&item, at, sizeof item);
        if (Status done = visit(static_cast<const T&>(item)); !done) return done;
    }
    return {};
}

[[nodiscard]] inline std::vector<md_str> strs(std::span<const std::string> texts) {
    std::vector<md_str> list;
    list.reserve(texts.size());
    for (const std::string& text : texts)
        list.push_back(str(text));
    return list;
}

[[nodiscard]] inline Result<std::vector<std::string>> strings(md_list texts) {
    std::vector<std::string> list;
    list.reserve(std::min(texts.count, kMaxItems));
    auto read = each<md_str>(texts, [&](const md_str& text) -> Status {
        list.emplace_back(view(text));
        return {};
    });
    if (!read) return fail(read);
    return list;
}

// --- errors -----------------------------------------------------------------------------------------

// Copies a text; one that is too long loses its middle, whole UTF-8 characters of it. Returns the
// bytes used.
inline std::size_t copy_elided(char* to, std::size_t capacity, std::string_view text) {
    constexpr std::string_view kGap = "…";
    if (text.size() <= capacity) {
        std::copy(text.begin(), text.end(), to);
        return text.size();
    }
    if (capacity < kGap.size()) return 0;
    const auto inside = [&](std::size_t i) {
        return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
    };
    std::size_t head = (capacity - kGap.size()) / 2;
    std::size_t tail = text.size() - (capacity - kGap.size() - head);
    while (head > 0 && inside(head))
        --head;
    while (inside(tail))
        ++tail;
    char* end = std::copy_n(text.begin(), head, to);
    end = std::copy(kGap.begin(), kGap.end(), end);
    end = std::copy(text.begin() + static_cast<std::ptrdiff_t>(tail), text.end(), end);
    return static_cast<std::size_t>(end - to);
}

// Fills the other side's md_error, as far as it reaches. Returns the code.
inline std::uint32_t fill(md_error* error, Code code, int sys_errno, std::string_view text) noexcept {
    const Code said = code == Code::ok ? Code::internal : code;
    if (error == nullptr || error->size < offsetof(md_error, text)) return static_cast<std::uint32_t>(said);
    error->code = static_cast<std::uint32_t>(said);
    error->sys_errno = sys_errno;
    const std::size_t capacity = error->size - offsetof(md_error, text);
    error->text_size = static_cast<std::uint32_t>(copy_elided(error->text, capacity, text));
    return error->code;
}

// Plugin side of every slot: runs the lambda, lets no exception out. Returns what the slot returns.
template <class Function>
std::uint32_t guard(md_error* error, Function&& function) noexcept {
    try {
        const Status done = function();
        if (done) return MD_OK;
        return fill(error, done.error().code, done.error().sys_errno, done.error().text);
    } catch (const std::exception& thrown) {
        char text[MD_ERROR_TEXT];
        const int length = std::snprintf(text, sizeof text, "unexpected error (%.960s)", thrown.what());
        return fill(error, Code::plugin_fault, 0, {text, static_cast<std::size_t>(std::max(length, 0))});
    } catch (...) {
        return fill(error, Code::plugin_fault, 0, "unexpected error (an exception of unknown type)");
    }
}

// Where the engine lets a plugin write its error; the guard word behind it shows who writes too far.
struct ErrorSpace {
    md_error error;
    std::uint64_t guard_word;
};
inline constexpr std::uint64_t kGuardWord = 0x6d79646f636b6572;

// Reads what a plugin reported with `code`. A report that breaks the conventions is a plugin_fault.
[[nodiscard]] inline Error take(const ErrorSpace& space, std::uint32_t code) {
    const md_error& error = space.error;
    if (space.guard_word != kGuardWord)
        return {Code::plugin_fault, 0, "wrote beyond the space for its error text"};
    if (code > MD_INTERNAL)
        return {Code::plugin_fault, 0, "returned code " + std::to_string(code) + ", which does not exist"};
    if (error.text_size > sizeof error.text)
        return {Code::plugin_fault, 0, "reported an error text longer than the space for it"};
    std::string text(error.text, error.text_size);
    for (char& c : text) // One line, and no terminal's commands.
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    if (text.empty() && error.sys_errno == 0) text = "returned an error without saying why";
    return {static_cast<Code>(code), std::max(error.sys_errno, 0), std::move(text)};
}

// Engine side of every slot: calls it with self, arguments and space for an error. An absent slot is
// `unsupported` (convention 11). The error's text is the plugin's; the caller names the plugin.
template <class Slot, class... Arguments>
[[nodiscard]] Status call(Slot slot, void* self, Arguments... arguments) {
    if constexpr (std::is_pointer_v<Slot>)
        if (slot == nullptr) return fail(Code::unsupported, "not offered by this driver");
    ErrorSpace space;
    space.error.size = static_cast<std::uint32_t>(sizeof space.error);
    space.error.code = MD_OK;
    space.error.sys_errno = 0;
    space.error.text_size = 0;
    space.guard_word = kGuardWord;
    std::uint32_t code = MD_OK;
    try {
        code = slot(self, arguments..., &space.error);
    } catch (...) { // Only a plugin that does without guard() can do this.
        return fail(Code::plugin_fault, "let an exception out");
    }
    if (code == MD_OK && space.guard_word == kGuardWord) return {};
    return std::unexpected<Error>(take(space, code));
}

// --- sinks ------------------------------------------------------------------------------------------

// Sending side: hands one item to a sink.
template <class Sink, class Item>
[[nodiscard]] Status send(const Sink* sink, Item item) {
    if (sink == nullptr || sink->item == nullptr) return fail(Code::invalid, "the engine gave no sink");
    if (sink->item(sink->ctx, item) == 0) return {};
    return fail(Code::cancelled, "stopped by the engine");
}

// Receiving side: takes the items of one call, each copied in, and keeps the taker's own error, which
// wins over whatever the sender then says (convention 7).
template <class Sink, class Take>
class Receiver {
  public:
    explicit Receiver(Take take) : take_(std::move(take)) {}
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;
    ~Receiver() = default;

    // Valid as long as this object stays where it is.
    [[nodiscard]] const Sink* sink() { return &sink_; }
    [[nodiscard]] std::size_t count() const { return count_; }

    [[nodiscard]] Status finish(Status done) const {
        if (own_) return std::unexpected<Error>(*own_);
        return done;
    }

  private:
    template <class Item>
    static std::int32_t item(void* ctx, Item item) noexcept {
        auto& self = *static_cast<Receiver*>(ctx);
        if (self.own_) return 1; // Asked to stop, and did not.
        try {
            ++self.count_;
            Status taken;
            if constexpr (std::is_pointer_v<Item>)
                taken = self.take_(copy_in<std::remove_cv_t<std::remove_pointer_t<Item>>>(item));
            else
                taken = self.take_(item);
            if (taken) return 0;
            self.own_ = std::move(taken.error());
        } catch (const std::exception& thrown) {
            self.own_ = Error{Code::internal, 0, thrown.what()};
        } catch (...) {
            self.own_ = Error{Code::internal, 0, "an exception of unknown type"};
        }
        return 1;
    }

    Take take_;
    std::optional<Error> own_;
    std::size_t count_ = 0;
    Sink sink_{this, &item};
};

// Receiver of a Sink, its taker's type deduced.
template <class Sink, class Take>
[[nodiscard]] Receiver<Sink, Take> receive(Take take) {
    return Receiver<Sink, Take>(std::move(take));
}

} // namespace mydocker::wire
