// Makes a plugin of a class derived from CgroupBackend: the trampolines from the C wire to the class,
// and the macro that exports it. Include it in one source file of a plugin, nowhere else.
#pragma once

#include "mydocker/abi/cgroup_backend.h"
#include "mydocker/cgroup_backend.hpp"
#include "mydocker/detail/export.hpp"
#include "mydocker/detail/wire.hpp"

namespace mydocker::wire::cgroup {

[[nodiscard]] inline CgroupBackend& backend(void* self) {
    return *static_cast<CgroupBackend*>(self);
}

inline constexpr std::uint64_t kKnownLimits = (std::uint64_t{MD_SET_DEVICES} << 1) - 1;

[[nodiscard]] inline Result<std::vector<DeviceRate>> rates(md_list given) {
    std::vector<DeviceRate> list;
    auto read = each<md_device_rate>(given, [&](const md_device_rate& rate) -> Status {
        list.push_back({rate.major, rate.minor, rate.rate});
        return {};
    });
    if (!read) return fail(read);
    return list;
}

[[nodiscard]] inline Result<std::vector<HugepageLimit>> hugepages(md_list given) {
    std::vector<HugepageLimit> list;
    auto read = each<md_hugepage_limit>(given, [&](const md_hugepage_limit& limit) -> Status {
        list.push_back({std::string(view(limit.page_size)), limit.bytes});
        return {};
    });
    if (!read) return fail(read);
    return list;
}

[[nodiscard]] inline Result<std::vector<DeviceRule>> device_rules(md_list given) {
    std::vector<DeviceRule> list;
    auto read = each<md_device_rule>(given, [&](const md_device_rule& rule) -> Status {
        list.push_back({rule.allow != 0, static_cast<char>(rule.type), rule.major, rule.minor,
                        std::string(view(rule.access))});
        return {};
    });
    if (!read) return fail(read);
    return list;
}

// The lists among the limits.
[[nodiscard]] inline Status read_lists(const md_resources& given, Resources& to) {
    struct RateList {
        md_list from;
        std::vector<DeviceRate>* to;
    };
    for (const RateList& one :
         {RateList{given.io_read_bps, &to.io_read_bps}, RateList{given.io_write_bps, &to.io_write_bps},
          RateList{given.io_read_iops, &to.io_read_iops}, RateList{given.io_write_iops, &to.io_write_iops}}) {
        auto list = rates(one.from);
        if (!list) return fail(list);
        *one.to = std::move(*list);
    }
    auto pages = hugepages(given.hugepages);
    if (!pages) return fail(pages);
    to.hugepages = std::move(*pages);
    if ((given.set & MD_SET_DEVICES) == 0) return {};
    auto rules = device_rules(given.devices);
    if (!rules) return fail(rules);
    to.devices = std::move(*rules);
    return {};
}

[[nodiscard]] inline Result<Resources> resources(const md_resources* pointer) {
    const auto given = copy_in<md_resources>(pointer);
    if ((given.set & ~kKnownLimits) != 0)
        return fail(Code::unsupported, "set a limit that this backend does not know");
    const auto has = [&](std::uint64_t bit) { return (given.set & bit) != 0; };
    Resources to;
    if (has(MD_SET_MEMORY)) to.memory = given.memory;
    if (has(MD_SET_MEMORY_SWAP)) to.memory_swap = given.memory_swap;
    if (has(MD_SET_MEMORY_RESERVATION)) to.memory_reservation = given.memory_reservation;
    if (has(MD_SET_CPU_SHARES)) to.cpu_shares = given.cpu_shares;
    if (has(MD_SET_CPU_QUOTA)) to.cpu_quota_usec = given.cpu_quota_usec;
    if (has(MD_SET_CPU_PERIOD)) to.cpu_period_usec = given.cpu_period_usec;
    if (has(MD_SET_CPUSET_CPUS)) to.cpuset_cpus = std::string(view(given.cpuset_cpus));
    if (has(MD_SET_CPUSET_MEMS)) to.cpuset_mems = std::string(view(given.cpuset_mems));
    if (has(MD_SET_PIDS)) to.pids = given.pids;
    if (has(MD_SET_IO_WEIGHT)) to.io_weight = static_cast<std::uint16_t>(given.io_weight);
    if (auto lists = read_lists(given, to); !lists) return fail(lists);
    return to;
}

inline std::uint32_t probe(void* self, const md_cgroup_traits_sink* out, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto traits = backend(self).probe();
        if (!traits) return fail(traits);
        const std::vector<md_str> controllers = strs(traits->controllers);
        std::vector<MountLists> lists; // Outlives the items below, which point into it.
        lists.reserve(traits->mounts.size());
        std::vector<md_mount> mounts;
        for (const Mount& mount : traits->mounts) {
            lists.push_back(lists_of(mount));
            mounts.push_back(to_wire(mount, lists.back()));
        }
        auto item = make<md_cgroup_traits>();
        item.entry_at_clone = traits->entry_at_clone ? 1 : 0;
        item.controllers = wire::list(controllers);
        item.mounts = wire::list(mounts);
        return send(out, &item);
    });
}

inline std::uint32_t locate(void* self, md_str name, const md_str_sink* out, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto locator = backend(self).locate(CgroupName(view(name)));
        if (!locator) return fail(locator);
        return send(out, str(locator->str()));
    });
}

inline std::uint32_t create(void* self, md_str locator, const md_resources* given, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto limits = resources(given);
        if (!limits) return fail(limits);
        return backend(self).create(Locator(view(locator)), *limits);
    });
}

inline std::uint32_t entry(void* self, md_str locator, const md_cgroup_entry_sink* out,
                           md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto way = backend(self).entry(Locator(view(locator)));
        if (!way) return fail(way);
        std::vector<std::int32_t> joins;
        joins.reserve(way->joins.size()); // From here on nothing can fail until they are handed over.
        for (UniqueFd& fd : way->joins)
            joins.push_back(fd.release());
        auto item = make<md_cgroup_entry>();
        item.directory = way->directory.release();
        item.joins = wire::list(joins);
        return send(out, &item);
    });
}

inline std::uint32_t attach(void* self, md_str locator, std::int32_t pid, md_error* error) noexcept {
    return guard(error, [&] { return backend(self).attach(Locator(view(locator)), pid); });
}

inline std::uint32_t update(void* self, md_str locator, const md_resources* given, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto limits = resources(given);
        if (!limits) return fail(limits);
        return backend(self).update(Locator(view(locator)), *limits);
    });
}

inline std::uint32_t stats(void* self, md_str locator, const md_cgroup_stats_sink* out,
                           md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto now = backend(self).stats(Locator(view(locator)));
        if (!now) return fail(now);
        auto item = make<md_cgroup_stats>();
        if (now->memory_limit) item.set |= MD_STATS_MEMORY_LIMIT;
        if (now->pids_limit) item.set |= MD_STATS_PIDS_LIMIT;
        item.cpu_usec = now->cpu_usec;
        item.cpu_user_usec = now->cpu_user_usec;
        item.cpu_system_usec = now->cpu_system_usec;
        item.throttled_periods = now->throttled_periods;
        item.throttled_usec = now->throttled_usec;
        item.memory_bytes = now->memory_bytes;
        item.memory_file_bytes = now->memory_file_bytes;
        item.memory_limit = now->memory_limit.value_or(0);
        item.oom_kills = now->oom_kills;
        item.pids = now->pids;
        item.pids_limit = now->pids_limit.value_or(0);
        item.io_read_bytes = now->io_read_bytes;
        item.io_write_bytes = now->io_write_bytes;
        return send(out, &item);
    });
}

inline std::uint32_t freeze(void* self, md_str locator, md_error* error) noexcept {
    return guard(error, [&] { return backend(self).freeze(Locator(view(locator))); });
}

inline std::uint32_t thaw(void* self, md_str locator, md_error* error) noexcept {
    return guard(error, [&] { return backend(self).thaw(Locator(view(locator))); });
}

inline std::uint32_t kill(void* self, md_str locator, std::int32_t signal, md_error* error) noexcept {
    return guard(error, [&] { return backend(self).kill(Locator(view(locator)), signal); });
}

inline std::uint32_t processes(void* self, md_str locator, const md_pid_sink* visit,
                               md_error* error) noexcept {
    return guard(error, [&] {
        return backend(self).processes(Locator(view(locator)),
                                       [&](pid_t pid) { return send(visit, std::int32_t{pid}); });
    });
}

inline std::uint32_t events(void* self, md_str locator, std::int32_t* fd, md_error* error) noexcept {
    return guard(error, [&]() -> Status {
        auto ready = backend(self).events(Locator(view(locator)));
        if (!ready) return fail(ready);
        *fd = ready->release();
        return {};
    });
}

inline std::uint32_t remove(void* self, md_str locator, md_error* error) noexcept {
    return guard(error, [&] { return backend(self).remove(Locator(view(locator))); });
}

inline std::uint32_t list_cgroups(void* self, md_str prefix, const md_str_sink* visit,
                                  md_error* error) noexcept {
    return guard(error, [&] {
        return backend(self).list(view(prefix),
                                  [&](const Locator& locator) { return send(visit, str(locator.str())); });
    });
}

inline constexpr md_cgroup_table kTable = {
    .size = sizeof(md_cgroup_table),
    .reserved = 0,
    .probe = &probe,
    .locate = &locate,
    .create = &create,
    .entry = &entry,
    .attach = &attach,
    .update = &update,
    .stats = &stats,
    .freeze = &freeze,
    .thaw = &thaw,
    .kill = &kill,
    .processes = &processes,
    .events = &events,
    .remove = &remove,
    .list = &list_cgroups,
};

} // namespace mydocker::wire::cgroup

// Exports `Class`, which has `static Result<std::unique_ptr<CgroupBackend>> open(Host)`, as the cgroup
// backend `name` (the file must be cgroup-<name>.so). name, version, summary: string literals; options: a
// constexpr std::array<OptionSpec, N> at namespace scope. Once in a plugin, at namespace scope.
#define MYDOCKER_EXPORT_CGROUP_BACKEND(Class, name, version, summary, options)                               \
    namespace {                                                                                              \
    constexpr ::mydocker::wire::Identity mydocker_identity{MD_KIND_CGROUP, name, version, summary};          \
    static_assert(::mydocker::wire::is_plugin_name(name), "a plugin's name is of a-z 0-9 - _");              \
    constexpr auto mydocker_specs = ::mydocker::wire::option_specs(options);                                 \
    [[gnu::section(".note.mydocker"), gnu::used, gnu::aligned(4)]] constexpr auto mydocker_note =            \
        ::mydocker::wire::passport_note<::mydocker::wire::note_size(mydocker_identity, options)>(            \
            mydocker_identity, options);                                                                     \
    }                                                                                                        \
    constinit const md_plugin mydocker_plugin =                                                              \
        ::mydocker::wire::descriptor<::mydocker::CgroupBackend, Class>(mydocker_identity, mydocker_specs,    \
                                                                       ::mydocker::wire::cgroup::kTable)
