// Plugin side of the handshake: the descriptor, the passport note and the Host, made from what an
// export macro is given. Not for drivers.
#pragma once

#include "mydocker/abi/base.h"
#include "mydocker/abi/storage_driver.h"
#include "mydocker/detail/wire.hpp"
#include "mydocker/host.hpp"
#include "mydocker/storage_driver.hpp"

#include <array>
#include <bit>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace mydocker::wire {

// What a plugin says of itself.
struct Identity {
    md_kind kind;
    std::string_view name;
    std::string_view version;
    std::string_view summary;
};

// Mirrors base.h: the engine picks files by name and refuses others.
[[nodiscard]] consteval bool is_plugin_name(std::string_view name) {
    if (name.empty() || name.size() > 64) return false;
    for (const char c : name)
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) return false;
    return name.front() != '-' && name.front() != '_';
}

template <std::size_t N>
[[nodiscard]] consteval std::array<md_option_spec, N> option_specs(const std::array<OptionSpec, N>& options) {
    std::array<md_option_spec, N> specs{};
    for (std::size_t i = 0; i < N; ++i) {
        specs[i] = make<md_option_spec>();
        specs[i].type = static_cast<std::uint32_t>(options[i].type);
        specs[i].key = str(options[i].key);
        specs[i].default_value = str(options[i].default_value);
        specs[i].help = str(options[i].help);
    }
    return specs;
}

// Writes the note's bytes; without space it only counts them.
class NoteWriter {
  public:
    consteval explicit NoteWriter(unsigned char* to) : to_(to) {}

    [[nodiscard]] consteval std::size_t size() const { return size_; }

    consteval void bytes(std::string_view text, std::size_t zeros) {
        for (const char c : text)
            put(static_cast<unsigned char>(c));
        for (std::size_t i = 0; i < zeros; ++i)
            put(0);
    }
    consteval void number(std::size_t value) {
        static_assert(std::endian::native == std::endian::little, "write the other byte order here");
        for (unsigned i = 0; i < 4; ++i)
            put(static_cast<unsigned char>(value >> (8 * i)));
    }

  private:
    consteval void put(unsigned char byte) {
        if (to_ != nullptr) to_[size_] = byte;
        ++size_;
    }

    unsigned char* to_;
    std::size_t size_ = 0;
};

// Lays out md_note, md_passport and the texts. Returns the descriptor's size, without padding.
template <std::size_t N>
consteval std::size_t write_note(NoteWriter& note, const Identity& plugin,
                                 const std::array<OptionSpec, N>& options, std::size_t descriptor_size) {
    note.number(sizeof "mydocker");
    note.number(descriptor_size);
    note.number(MD_NOTE_PASSPORT);
    note.bytes("mydocker", sizeof md_note::owner - 8);
    const std::size_t start = note.size();
    for (const std::size_t value :
         {sizeof(md_passport), std::size_t{MD_ABI_MAJOR}, std::size_t{MD_ABI_MINOR}, std::size_t{plugin.kind},
          std::size_t{0}, std::size_t{5}, N, std::size_t{4}})
        note.number(value);
    for (const std::string_view text :
         {plugin.name, plugin.version, std::string_view{}, plugin.summary, std::string_view{}})
        note.bytes(text, 1);
    for (const OptionSpec& option : options) {
        const char type[] = {static_cast<char>('0' + static_cast<int>(option.type)), '\0'};
        for (const std::string_view text :
             {std::string_view(type), std::string_view(option.key), std::string_view(option.default_value),
              std::string_view(option.help)})
            note.bytes(text, 1);
    }
    return note.size() - start;
}

template <std::size_t N>
[[nodiscard]] consteval std::size_t note_size(const Identity& plugin,
                                              const std::array<OptionSpec, N>& options) {
    NoteWriter counter(nullptr);
    (void)write_note(counter, plugin, options, 0); // Only its size is asked for.
    return counter.size();
}

// The content of section .note.mydocker; `Size` is what note_size says.
template <std::size_t Size, std::size_t N>
[[nodiscard]] consteval std::array<unsigned char, (Size + 3) / 4 * 4>
passport_note(const Identity& plugin, const std::array<OptionSpec, N>& options) {
    static_assert(sizeof(md_note) == 24 && sizeof(md_passport) == 32);
    std::array<unsigned char, (Size + 3) / 4 * 4> bytes{};
    NoteWriter note(bytes.data());
    (void)write_note(note, plugin, options, Size - sizeof(md_note)); // The size is known already.
    return bytes;
}

// --- values of more than one kind ---------------------------------------------------------------------

struct MountLists {
    std::vector<md_str> options;
    std::vector<md_str> remounts;
};

[[nodiscard]] inline MountLists lists_of(const Mount& mount) {
    return {strs(mount.options), strs(mount.remounts)};
}

// `lists` are the mount's, kept by the caller as long as the result.
[[nodiscard]] inline md_mount to_wire(const Mount& mount, const MountLists& lists) {
    auto item = make<md_mount>();
    item.propagation = static_cast<std::uint32_t>(mount.propagation);
    item.flags = mount.flags;
    item.type = str(mount.type);
    item.source = str(mount.source);
    item.target = str(mount.target);
    item.options = list(lists.options);
    item.directory = str(mount.directory);
    item.remounts = list(lists.remounts);
    return item;
}

// --- opening an instance ------------------------------------------------------------------------------

[[nodiscard]] inline Result<OptionValue> option_value(const md_option& option) {
    switch (static_cast<OptionType>(option.type)) {
    case OptionType::boolean:
        return OptionValue(option.integer != 0);
    case OptionType::integer:
        return OptionValue(option.integer);
    case OptionType::floating:
        return OptionValue(option.floating);
    case OptionType::string:
        return OptionValue(std::string(view(option.string)));
    case OptionType::list: {
        auto texts = strings(option.list);
        if (!texts) return fail(texts);
        return OptionValue(std::move(*texts));
    }
    case OptionType::size:
        return OptionValue(option.bytes);
    case OptionType::duration:
        return OptionValue(std::chrono::nanoseconds(option.integer));
    }
    return fail(Code::invalid, "option '" + std::string(view(option.key)) + "' has a type unknown here");
}

// The engine's md_host as the driver sees it.
[[nodiscard]] inline Result<Host> make_host(const md_host* given) {
    const auto host = copy_in<md_host>(given);
    std::map<std::string, OptionValue, std::less<>> values;
    auto read = each<md_option>(host.options, [&](const md_option& option) -> Status {
        auto value = option_value(option);
        if (!value) return fail(value);
        values.insert_or_assign(std::string(view(option.key)), std::move(*value));
        return {};
    });
    if (!read) return fail(read);
    Host::LogFunction log;
    if (host.log != nullptr)
        log = [ctx = host.ctx, write = host.log](LogLevel level, std::string_view text) {
            write(ctx, static_cast<std::uint32_t>(level), str(text));
        };
    Host::CancelFunction cancelled;
    if (host.cancelled != nullptr)
        cancelled = [ctx = host.ctx, ask = host.cancelled] { return ask(ctx) != 0; };
    return Host(std::string(view(host.data_dir)), std::string(view(host.run_dir)), Options(std::move(values)),
                std::move(log), std::move(cancelled));
}

// md_plugin.open of a driver: Class::open(Host) → unique_ptr<Face>.
template <class Face, class Class>
std::uint32_t open_instance(const md_host* host, void** self, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto seen = make_host(host);
        if (!seen) return fail(seen);
        Result<std::unique_ptr<Face>> made = Class::open(std::move(*seen));
        if (!made) return fail(made);
        if (*made == nullptr) return fail(Code::plugin_fault, "open made no instance");
        *self = static_cast<Face*>(made->release());
        return {};
    });
}

template <class Face>
void close_instance(void* self) noexcept {
    delete static_cast<Face*>(self);
}

template <class Face, class Class, class Table, std::size_t N>
[[nodiscard]] consteval md_plugin descriptor(const Identity& plugin,
                                             const std::array<md_option_spec, N>& specs, const Table& table) {
    auto described = make<md_plugin>();
    described.abi_major = MD_ABI_MAJOR;
    described.abi_minor = MD_ABI_MINOR;
    described.kind = plugin.kind;
    described.name = str(plugin.name);
    described.version = str(plugin.version);
    described.summary = str(plugin.summary);
    described.option_specs = {specs.data(), N, sizeof(md_option_spec)};
    described.open = &open_instance<Face, Class>;
    described.close = &close_instance<Face>;
    described.table = &table;
    return described;
}

} // namespace mydocker::wire
