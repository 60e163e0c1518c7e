// Cgroup backends: from the wire to the face, results checked on the way.
#include "plugin/adapt.hpp"

#include "mydocker/abi/cgroup_backend.h"

#include <fcntl.h>

namespace mydocker::plugin {
namespace {

// Limits as the wire has them; owns the arrays that the md_resources points to. Stays in place.
class WireResources {
  public:
    explicit WireResources(const Resources& from) : wire_(wire::make<md_resources>()) {
        set_numbers(from);
        set_lists(from);
    }
    WireResources(const WireResources&) = delete;
    WireResources& operator=(const WireResources&) = delete;
    ~WireResources() = default;

    [[nodiscard]] const md_resources* get() const { return &wire_; }

  private:
    template <class From, class To>
    void set(std::uint64_t bit, const std::optional<From>& from, To& to) {
        if (!from) return;
        wire_.set |= bit;
        to = *from;
    }

    void set_numbers(const Resources& from) {
        set(MD_SET_MEMORY, from.memory, wire_.memory);
        set(MD_SET_MEMORY_SWAP, from.memory_swap, wire_.memory_swap);
        set(MD_SET_MEMORY_RESERVATION, from.memory_reservation, wire_.memory_reservation);
        set(MD_SET_CPU_SHARES, from.cpu_shares, wire_.cpu_shares);
        set(MD_SET_CPU_QUOTA, from.cpu_quota_usec, wire_.cpu_quota_usec);
        set(MD_SET_CPU_PERIOD, from.cpu_period_usec, wire_.cpu_period_usec);
        set(MD_SET_PIDS, from.pids, wire_.pids);
        set(MD_SET_IO_WEIGHT, from.io_weight, wire_.io_weight);
        if (from.cpuset_cpus) {
            wire_.set |= MD_SET_CPUSET_CPUS;
            wire_.cpuset_cpus = wire::str(*from.cpuset_cpus);
        }
        if (from.cpuset_mems) {
            wire_.set |= MD_SET_CPUSET_MEMS;
            wire_.cpuset_mems = wire::str(*from.cpuset_mems);
        }
    }

    void set_rates(std::uint64_t bit, const std::vector<DeviceRate>& from, std::vector<md_device_rate>& own,
                   md_list& to) {
        for (const DeviceRate& rate : from) {
            auto& item = own.emplace_back(wire::make<md_device_rate>());
            item.major = rate.major;
            item.minor = rate.minor;
            item.rate = rate.rate;
        }
        if (!own.empty()) wire_.set |= bit;
        to = wire::list(own);
    }

    void set_lists(const Resources& from) {
        set_rates(MD_SET_IO_READ_BPS, from.io_read_bps, rates_[0], wire_.io_read_bps);
        set_rates(MD_SET_IO_WRITE_BPS, from.io_write_bps, rates_[1], wire_.io_write_bps);
        set_rates(MD_SET_IO_READ_IOPS, from.io_read_iops, rates_[2], wire_.io_read_iops);
        set_rates(MD_SET_IO_WRITE_IOPS, from.io_write_iops, rates_[3], wire_.io_write_iops);
        for (const HugepageLimit& limit : from.hugepages) {
            auto& item = hugepages_.emplace_back(wire::make<md_hugepage_limit>());
            item.page_size = wire::str(limit.page_size);
            item.bytes = limit.bytes;
        }
        if (!hugepages_.empty()) wire_.set |= MD_SET_HUGEPAGES;
        wire_.hugepages = wire::list(hugepages_);
        if (!from.devices) return;
        for (const DeviceRule& rule : *from.devices) {
            auto& item = devices_.emplace_back(wire::make<md_device_rule>());
            item.allow = rule.allow ? 1 : 0;
            item.type = static_cast<unsigned char>(rule.type);
            item.major = rule.major;
            item.minor = rule.minor;
            item.access = wire::str(rule.access);
        }
        wire_.set |= MD_SET_DEVICES;
        wire_.devices = wire::list(devices_);
    }

    md_resources wire_;
    std::vector<md_device_rate> rates_[4];
    std::vector<md_hugepage_limit> hugepages_;
    std::vector<md_device_rule> devices_;
};

// Takes over a descriptor that a plugin handed out; sees to close-on-exec, whatever the plugin did.
Result<UniqueFd> take_fd(const Results& results, std::int32_t given) {
    UniqueFd fd(given);
    if (!fd) return results.fault("gave the file descriptor " + std::to_string(given));
    if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) {
        (void)fd.release(); // It is not open, so it is nobody's.
        return results.fault("gave the file descriptor " + std::to_string(given) + ", which is not open");
    }
    return fd;
}

// All descriptors are taken over before any is judged, so that none is lost.
Result<CgroupEntry> take_entry(const Results& results, const md_cgroup_entry& item) {
    CgroupEntry entry;
    Status first;
    const auto take = [&](std::int32_t given) {
        auto fd = take_fd(results, given);
        if (!fd && first) first = fail(fd);
        return fd ? *std::move(fd) : UniqueFd();
    };
    if (item.directory >= 0) entry.directory = take(item.directory);
    auto read = wire::each<std::int32_t>(item.joins, [&](const std::int32_t& fd) -> Status {
        entry.joins.push_back(take(fd));
        return {};
    });
    if (!read) return results.fault(read.error().text);
    if (!first) return fail(first);
    if (static_cast<bool>(entry.directory) == !entry.joins.empty())
        return results.fault("gave not exactly one of directory and files to join by");
    return entry;
}

CgroupStats to_face(const md_cgroup_stats& given) {
    CgroupStats stats;
    stats.cpu_usec = given.cpu_usec;
    stats.cpu_user_usec = given.cpu_user_usec;
    stats.cpu_system_usec = given.cpu_system_usec;
    stats.throttled_periods = given.throttled_periods;
    stats.throttled_usec = given.throttled_usec;
    stats.memory_bytes = given.memory_bytes;
    stats.memory_file_bytes = given.memory_file_bytes;
    if ((given.set & MD_STATS_MEMORY_LIMIT) != 0) stats.memory_limit = given.memory_limit;
    stats.oom_kills = given.oom_kills;
    stats.pids = given.pids;
    if ((given.set & MD_STATS_PIDS_LIMIT) != 0) stats.pids_limit = given.pids_limit;
    stats.io_read_bytes = given.io_read_bytes;
    stats.io_write_bytes = given.io_write_bytes;
    return stats;
}

class CgroupAdaptor final : public CgroupBackend {
  public:
    explicit CgroupAdaptor(std::unique_ptr<Instance> instance)
        : instance_(std::move(instance)),
          table_(wire::copy_in<md_cgroup_table>(instance_->table())) {}

    [[nodiscard]] Result<CgroupTraits> probe() override {
        const Results results(*instance_, "probe");
        CgroupTraits traits;
        auto out = wire::receive<md_cgroup_traits_sink>([&](const md_cgroup_traits& item) -> Status {
            traits.entry_at_clone = item.entry_at_clone != 0;
            auto controllers = results.texts("controllers", item.controllers);
            if (!controllers) return fail(controllers);
            traits.controllers = *std::move(controllers);
            if (auto ok = results.most("mounts", item.mounts.count, kMaxMounts); !ok) return ok;
            return wire::each<md_mount>(item.mounts, [&](const md_mount& given) -> Status {
                auto mount = results.mount(given);
                if (!mount) return fail(mount);
                traits.mounts.push_back(*std::move(mount));
                return {};
            });
        });
        if (auto done = out.finish(instance_->call("probe", table_.probe, out.sink())); !done)
            return fail(done);
        if (auto ok = results.one(out.count()); !ok) return fail(ok);
        return traits;
    }

    [[nodiscard]] Result<Locator> locate(const CgroupName& name) override {
        auto text = call_for_text(*instance_, "locate", table_.locate, wire::str(name.str()));
        if (!text) return fail(text);
        if (text->empty()) return instance_->fault("locate", "gave an empty locator");
        return Locator(*std::move(text));
    }

    [[nodiscard]] Status create(const Locator& locator, const Resources& resources) override {
        const WireResources limits(resources);
        return instance_->call("create", table_.create, wire::str(locator.str()), limits.get());
    }

    [[nodiscard]] Result<CgroupEntry> entry(const Locator& locator) override {
        const Results results(*instance_, "entry");
        CgroupEntry entry;
        auto out = wire::receive<md_cgroup_entry_sink>([&](const md_cgroup_entry& item) -> Status {
            auto taken = take_entry(results, item);
            if (!taken) return fail(taken);
            entry = *std::move(taken);
            return {};
        });
        if (auto done =
                out.finish(instance_->call("entry", table_.entry, wire::str(locator.str()), out.sink()));
            !done)
            return fail(done);
        if (auto ok = results.one(out.count()); !ok) return fail(ok);
        return entry;
    }

    [[nodiscard]] Status attach(const Locator& locator, pid_t pid) override {
        return instance_->call("attach", table_.attach, wire::str(locator.str()), std::int32_t{pid});
    }

    [[nodiscard]] Status update(const Locator& locator, const Resources& resources) override {
        const WireResources limits(resources);
        return instance_->call("update", table_.update, wire::str(locator.str()), limits.get());
    }

    [[nodiscard]] Result<CgroupStats> stats(const Locator& locator) override {
        CgroupStats stats;
        auto out = wire::receive<md_cgroup_stats_sink>([&](const md_cgroup_stats& item) -> Status {
            stats = to_face(item);
            return {};
        });
        if (auto done =
                out.finish(instance_->call("stats", table_.stats, wire::str(locator.str()), out.sink()));
            !done)
            return fail(done);
        if (auto ok = Results(*instance_, "stats").one(out.count()); !ok) return fail(ok);
        return stats;
    }

    [[nodiscard]] Status freeze(const Locator& locator) override {
        return instance_->call("freeze", table_.freeze, wire::str(locator.str()));
    }

    [[nodiscard]] Status thaw(const Locator& locator) override {
        return instance_->call("thaw", table_.thaw, wire::str(locator.str()));
    }

    [[nodiscard]] Status kill(const Locator& locator, int signal) override {
        return instance_->call("kill", table_.kill, wire::str(locator.str()), std::int32_t{signal});
    }

    [[nodiscard]] Status processes(const Locator& locator, const ProcessVisitor& visit) override {
        const Results results(*instance_, "processes");
        auto out = wire::receive<md_pid_sink>([&](std::int32_t pid) -> Status {
            // 0, a process outside our pid namespace, is nothing that could be signalled or shown.
            if (pid <= 0) return results.fault("gave the process id " + std::to_string(pid));
            return visit(pid);
        });
        return out.finish(
            instance_->call("processes", table_.processes, wire::str(locator.str()), out.sink()));
    }

    [[nodiscard]] Result<UniqueFd> events(const Locator& locator) override {
        std::int32_t fd = -1;
        if (auto done = instance_->call("events", table_.events, wire::str(locator.str()), &fd); !done)
            return fail(done);
        return take_fd(Results(*instance_, "events"), fd);
    }

    [[nodiscard]] Status remove(const Locator& locator) override {
        return instance_->call("remove", table_.remove, wire::str(locator.str()));
    }

    [[nodiscard]] Status list(std::string_view prefix, const LocatorVisitor& visit) override {
        const Results results(*instance_, "list");
        auto out = wire::receive<md_str_sink>([&](md_str item) -> Status {
            if (auto ok = results.text("a locator", wire::view(item)); !ok) return ok;
            return visit(Locator(wire::view(item)));
        });
        return out.finish(instance_->call("list", table_.list, wire::str(prefix), out.sink()));
    }

  private:
    std::unique_ptr<Instance> instance_;
    md_cgroup_table table_;
};

} // namespace

Result<std::unique_ptr<CgroupBackend>> PluginHost::open_cgroup(const OpenRequest& request) {
    auto plugin = load_for(Kind::cgroup, request);
    if (!plugin) return fail(plugin);
    const auto table = wire::copy_in<md_cgroup_table>(plugin->descriptor.table);
    if (auto good = check_slots(*plugin, {{"probe", table.probe != nullptr},
                                          {"locate", table.locate != nullptr},
                                          {"create", table.create != nullptr},
                                          {"entry", table.entry != nullptr},
                                          {"update", table.update != nullptr},
                                          {"stats", table.stats != nullptr},
                                          {"kill", table.kill != nullptr},
                                          {"processes", table.processes != nullptr},
                                          {"remove", table.remove != nullptr},
                                          {"list", table.list != nullptr}});
        !good)
        return fail(good);
    auto instance = open_instance(*plugin, request);
    if (!instance) return fail(instance);
    return std::make_unique<CgroupAdaptor>(*std::move(instance));
}

} // namespace mydocker::plugin
