// Makes a plugin of a class derived from StorageDriver: the trampolines from the C wire to the class,
// and the macro that exports it. Include it in one source file of a plugin, nowhere else.
#pragma once

#include "mydocker/abi/storage_driver.h"
#include "mydocker/detail/export.hpp"
#include "mydocker/detail/wire.hpp"
#include "mydocker/storage_driver.hpp"

namespace mydocker::wire::storage {

[[nodiscard]] inline StorageDriver& driver(void* self) {
    return *static_cast<StorageDriver*>(self);
}

[[nodiscard]] inline Result<std::vector<LayerId>> chain(md_list below) {
    std::vector<LayerId> ids;
    auto read = each<md_str>(below, [&](const md_str& id) -> Status {
        ids.emplace_back(view(id));
        return {};
    });
    if (!read) return fail(read);
    return ids;
}

[[nodiscard]] inline Status send_usage(const md_usage_sink* out, const Usage& usage) {
    auto item = make<md_usage>();
    item.bytes = usage.bytes;
    item.inodes = usage.inodes;
    return send(out, &item);
}

inline std::uint32_t probe(void* self, const md_storage_traits_sink* out, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto traits = driver(self).probe();
        if (!traits) return fail(traits);
        auto item = make<md_storage_traits>();
        item.whiteouts = static_cast<std::uint32_t>(traits->whiteouts);
        item.max_layers = traits->max_layers;
        item.id_map = traits->id_map ? 1 : 0;
        item.quota = traits->quota ? 1 : 0;
        item.userns_mountable = traits->userns_mountable ? 1 : 0;
        return send(out, &item);
    });
}

inline std::uint32_t create_layer(void* self, md_str id, md_list below, const md_str_sink* out,
                                  md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto layers = chain(below);
        if (!layers) return fail(layers);
        auto path = driver(self).create_layer(LayerId(view(id)), *layers);
        if (!path) return fail(path);
        return send(out, str(*path));
    });
}

inline std::uint32_t seal_layer(void* self, md_str id, const md_usage_sink* out, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto usage = driver(self).seal_layer(LayerId(view(id)));
        if (!usage) return fail(usage);
        return send_usage(out, *usage);
    });
}

inline std::uint32_t remove_layer(void* self, md_str id, md_error* error) noexcept {
    return guard(error, [&] { return driver(self).remove_layer(LayerId(view(id))); });
}

inline std::uint32_t create_rw(void* self, md_str id, md_list below, const md_rw_options* options,
                               md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        const auto given = copy_in<md_rw_options>(options);
        if ((given.set & ~std::uint32_t{MD_RW_SIZE_LIMIT}) != 0)
            return fail(Code::unsupported, "create_rw with an option that this driver does not know");
        auto layers = chain(below);
        if (!layers) return fail(layers);
        RwOptions rw;
        if ((given.set & MD_RW_SIZE_LIMIT) != 0) rw.size_limit = given.size_limit;
        rw.owner_uid = given.owner_uid;
        rw.owner_gid = given.owner_gid;
        rw.lifetime = static_cast<Lifetime>(given.lifetime);
        return driver(self).create_rw(RwId(view(id)), *layers, rw);
    });
}

inline std::uint32_t mounts(void* self, md_str id, std::uint32_t access, const md_mount_sink* out,
                            md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto list = driver(self).mounts(RwId(view(id)), static_cast<Access>(access));
        if (!list) return fail(list);
        for (const Mount& mount : *list) {
            const MountLists lists = lists_of(mount);
            const md_mount item = to_wire(mount, lists);
            if (auto sent = send(out, &item); !sent) return sent;
        }
        return {};
    });
}

inline std::uint32_t changes(void* self, md_str id, const md_change_sink* visit, md_error* error) noexcept {
    return guard(error, [&] {
        return driver(self).changes(RwId(view(id)), [&](const Change& change) -> Status {
            auto item = make<md_change>();
            item.kind = static_cast<std::uint32_t>(change.kind);
            item.opaque = change.opaque ? 1 : 0;
            item.path = str(change.path);
            item.content = str(change.content);
            return send(visit, &item);
        });
    });
}

inline std::uint32_t usage(void* self, md_str id, const md_usage_sink* out, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto found = driver(self).usage(RwId(view(id)));
        if (!found) return fail(found);
        return send_usage(out, *found);
    });
}

inline std::uint32_t remove_rw(void* self, md_str id, md_error* error) noexcept {
    return guard(error, [&] { return driver(self).remove_rw(RwId(view(id))); });
}

inline std::uint32_t list_objects(void* self, const md_storage_object_sink* visit, md_error* error) noexcept {
    return guard(error, [&] {
        return driver(self).list([&](const StorageObject& object) -> Status {
            auto item = make<md_storage_object>();
            item.kind = static_cast<std::uint32_t>(object.kind);
            item.id = str(object.id);
            return send(visit, &item);
        });
    });
}

inline std::uint32_t sweep(void* self, std::uint64_t* bytes, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto freed = driver(self).sweep();
        if (!freed) return fail(freed);
        *bytes = *freed;
        return {};
    });
}

inline constexpr md_storage_table kTable = {
    .size = sizeof(md_storage_table),
    .reserved = 0,
    .probe = &probe,
    .create_layer = &create_layer,
    .seal_layer = &seal_layer,
    .remove_layer = &remove_layer,
    .create_rw = &create_rw,
    .mounts = &mounts,
    .changes = &changes,
    .usage = &usage,
    .remove_rw = &remove_rw,
    .list = &list_objects,
    .sweep = &sweep,
};

} // namespace mydocker::wire::storage

// Exports `Class`, which has `static Result<std::unique_ptr<StorageDriver>> open(Host)`, as the storage
// driver `name` (the file must be storage-<name>.so). name, version, summary: string literals; options:
// a constexpr std::array<OptionSpec, N> at namespace scope. Once in a plugin, at namespace scope.
#define MYDOCKER_EXPORT_STORAGE_DRIVER(Class, name, version, summary, options)                               \
    namespace {                                                                                              \
    constexpr ::mydocker::wire::Identity mydocker_identity{MD_KIND_STORAGE, name, version, summary};         \
    static_assert(::mydocker::wire::is_plugin_name(name), "a plugin's name is of a-z 0-9 - _");              \
    constexpr auto mydocker_specs = ::mydocker::wire::option_specs(options);                                 \
    [[gnu::section(".note.mydocker"), gnu::used, gnu::aligned(4)]] constexpr auto mydocker_note =            \
        ::mydocker::wire::passport_note<::mydocker::wire::note_size(mydocker_identity, options)>(            \
            mydocker_identity, options);                                                                     \
    }                                                                                                        \
    constinit const md_plugin mydocker_plugin =                                                              \
        ::mydocker::wire::descriptor<::mydocker::StorageDriver, Class>(mydocker_identity, mydocker_specs,    \
                                                                       ::mydocker::wire::storage::kTable)
