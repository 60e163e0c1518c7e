// Makes a plugin of a class derived from StateStore: the trampolines from the C wire to the class, and
// the macro that exports it. Include it in one source file of a plugin, nowhere else.
#pragma once

#include "mydocker/abi/state_store.h"
#include "mydocker/detail/export.hpp"
#include "mydocker/detail/wire.hpp"
#include "mydocker/state_store.hpp"

namespace mydocker::wire::state {

[[nodiscard]] inline StateStore& store(void* self) {
    return *static_cast<StateStore*>(self);
}

[[nodiscard]] inline md_stored_record to_wire(const StoredRecord& record) {
    auto item = make<md_stored_record>();
    item.id = str(record.id.str());
    item.name = str(record.name.str());
    item.revision = record.revision;
    item.document = str(record.document);
    return item;
}

// Writes the revision of a change that succeeded.
[[nodiscard]] inline Status put(const Result<Revision>& changed, std::uint64_t* revision) {
    if (!changed) return fail(changed);
    *revision = *changed;
    return {};
}

inline std::uint32_t probe(void* self, const md_state_traits_sink* out, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto traits = store(self).probe();
        if (!traits) return fail(traits);
        auto item = make<md_state_traits>();
        item.durable = traits->durable ? 1 : 0;
        return send(out, &item);
    });
}

inline std::uint32_t reserve(void* self, md_str id, md_str name, md_str document, std::uint64_t* revision,
                             md_error* error) noexcept {
    return guard(error, [&] {
        return put(store(self).reserve(ContainerId(view(id)), ContainerName(view(name)), view(document)),
                   revision);
    });
}

inline std::uint32_t load(void* self, md_str id, const md_stored_record_sink* out, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto record = store(self).load(ContainerId(view(id)));
        if (!record) return fail(record);
        const md_stored_record item = to_wire(*record);
        return send(out, &item);
    });
}

inline std::uint32_t resolve(void* self, md_str name_or_prefix, const md_str_sink* out,
                             md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto id = store(self).resolve(view(name_or_prefix));
        if (!id) return fail(id);
        return send(out, str(id->str()));
    });
}

inline std::uint32_t save(void* self, md_str id, md_str document, std::uint64_t expected,
                          std::uint64_t* revision, md_error* error) noexcept {
    return guard(error, [&] {
        return put(store(self).save(ContainerId(view(id)), view(document), expected), revision);
    });
}

inline std::uint32_t rename(void* self, md_str id, md_str name, std::uint64_t* revision,
                            md_error* error) noexcept {
    return guard(error, [&] {
        return put(store(self).rename(ContainerId(view(id)), ContainerName(view(name))), revision);
    });
}

inline std::uint32_t remove(void* self, md_str id, std::uint64_t expected, md_error* error) noexcept {
    return guard(error, [&] { return store(self).remove(ContainerId(view(id)), expected); });
}

[[nodiscard]] inline Status send_listed(const md_listed_record_sink* visit, const ListedRecord& listed) {
    auto item = make<md_listed_record>();
    item.id = str(listed.id.str());
    if (listed.record) {
        const md_stored_record record = to_wire(*listed.record);
        item.record = &record;
        return send(visit, &item);
    }
    auto damage = make<md_error>();
    const Error& why = listed.record.error();
    (void)fill(&damage, why.code, why.sys_errno, why.text); // The code is in `damage` too.
    item.error = &damage;
    return send(visit, &item);
}

inline std::uint32_t list_records(void* self, const md_listed_record_sink* visit, md_error* error) noexcept {
    return guard(error, [&] {
        return store(self).list([&](const ListedRecord& listed) { return send_listed(visit, listed); });
    });
}

inline constexpr md_state_table kTable = {
    .size = sizeof(md_state_table),
    .reserved = 0,
    .probe = &probe,
    .reserve = &reserve,
    .load = &load,
    .resolve = &resolve,
    .save = &save,
    .rename = &rename,
    .remove = &remove,
    .list = &list_records,
};

} // namespace mydocker::wire::state

// Exports `Class`, which has `static Result<std::unique_ptr<StateStore>> open(Host)`, as the state store
// `name` (the file must be state-<name>.so). name, version, summary: string literals; options:
// a constexpr std::array<OptionSpec, N> at namespace scope. Once in a plugin, at namespace scope.
#define MYDOCKER_EXPORT_STATE_STORE(Class, name, version, summary, options)                                  \
    namespace {                                                                                              \
    constexpr ::mydocker::wire::Identity mydocker_identity{MD_KIND_STATE, name, version, summary};           \
    static_assert(::mydocker::wire::is_plugin_name(name), "a plugin's name is of a-z 0-9 - _");              \
    constexpr auto mydocker_specs = ::mydocker::wire::option_specs(options);                                 \
    [[gnu::section(".note.mydocker"), gnu::used, gnu::aligned(4)]] constexpr auto mydocker_note =            \
        ::mydocker::wire::passport_note<::mydocker::wire::note_size(mydocker_identity, options)>(            \
            mydocker_identity, options);                                                                     \
    }                                                                                                        \
    constinit const md_plugin mydocker_plugin = ::mydocker::wire::descriptor<::mydocker::StateStore, Class>( \
        mydocker_identity, mydocker_specs, ::mydocker::wire::state::kTable)
