// Storage drivers: from the wire to the face, results checked on the way.
#include "plugin/adapt.hpp"

#include "mydocker/abi/storage_driver.h"

namespace mydocker::plugin {
namespace {

static_assert(static_cast<std::uint32_t>(Whiteouts::applied) == MD_WHITEOUTS_APPLIED);
static_assert(static_cast<std::uint32_t>(Propagation::shared) == MD_PROPAGATION_SHARED);
static_assert(static_cast<std::uint32_t>(Access::read_write) == MD_READ_WRITE);
static_assert(static_cast<std::uint32_t>(Lifetime::ephemeral) == MD_LIFETIME_EPHEMERAL);
static_assert(static_cast<std::uint32_t>(ChangeKind::removed) == MD_REMOVED);
static_assert(static_cast<std::uint32_t>(StorageObjectKind::rw) == MD_OBJECT_RW);

std::vector<md_str> to_wire(LayerChain below) {
    std::vector<md_str> ids;
    ids.reserve(below.size());
    for (const LayerId& id : below)
        ids.push_back(wire::str(id.str()));
    return ids;
}

class StorageAdaptor final : public StorageDriver {
  public:
    explicit StorageAdaptor(std::unique_ptr<Instance> instance)
        : instance_(std::move(instance)),
          table_(wire::copy_in<md_storage_table>(instance_->table())) {}

    [[nodiscard]] Result<StorageTraits> probe() override {
        md_storage_traits given{};
        auto out = wire::receive<md_storage_traits_sink>([&](const md_storage_traits& item) -> Status {
            given = item;
            return {};
        });
        if (auto done = out.finish(instance_->call("probe", table_.probe, out.sink())); !done)
            return fail(done);
        const Results results(*instance_, "probe");
        if (auto ok = results.one(out.count()); !ok) return fail(ok);
        if (auto ok = results.range("whiteouts", given.whiteouts, MD_WHITEOUTS_OVERLAY, MD_WHITEOUTS_APPLIED);
            !ok)
            return fail(ok);
        return StorageTraits{static_cast<Whiteouts>(given.whiteouts), given.max_layers, given.id_map != 0,
                             given.quota != 0, given.userns_mountable != 0};
    }

    [[nodiscard]] Result<std::string> create_layer(const LayerId& id, LayerChain below) override {
        const std::vector<md_str> chain = to_wire(below);
        auto path = call_for_text(*instance_, "create_layer", table_.create_layer, wire::str(id.str()),
                                  wire::list(chain));
        if (!path) return path;
        if (auto ok = Results(*instance_, "create_layer").path("the staging directory", *path); !ok)
            return fail(ok);
        return path;
    }

    [[nodiscard]] Result<Usage> seal_layer(const LayerId& id) override {
        return call_for_usage("seal_layer", table_.seal_layer, id.str());
    }

    [[nodiscard]] Status remove_layer(const LayerId& id) override {
        return instance_->call("remove_layer", table_.remove_layer, wire::str(id.str()));
    }

    [[nodiscard]] Status create_rw(const RwId& id, LayerChain below, const RwOptions& options) override {
        const std::vector<md_str> chain = to_wire(below);
        auto given = wire::make<md_rw_options>();
        if (options.size_limit) given.set |= MD_RW_SIZE_LIMIT;
        given.size_limit = options.size_limit.value_or(0);
        given.owner_uid = options.owner_uid;
        given.owner_gid = options.owner_gid;
        given.lifetime = static_cast<std::uint32_t>(options.lifetime);
        const md_rw_options* pointer = &given;
        return instance_->call("create_rw", table_.create_rw, wire::str(id.str()), wire::list(chain),
                               pointer);
    }

    [[nodiscard]] Result<std::vector<Mount>> mounts(const RwId& id, Access access) override {
        const Results results(*instance_, "mounts");
        std::vector<Mount> list;
        auto out = wire::receive<md_mount_sink>([&](const md_mount& item) -> Status {
            if (auto ok = results.most("mounts", list.size() + 1, kMaxMounts); !ok) return ok;
            auto mount = results.mount(item);
            if (!mount) return fail(mount);
            list.push_back(*std::move(mount));
            return {};
        });
        if (auto done = out.finish(instance_->call("mounts", table_.mounts, wire::str(id.str()),
                                                   static_cast<std::uint32_t>(access), out.sink()));
            !done)
            return fail(done);
        if (list.empty() || list.front().target != "/")
            return results.fault("the first mount is not that of the root filesystem");
        return list;
    }

    [[nodiscard]] Status changes(const RwId& id, const ChangeVisitor& visit) override {
        const Results results(*instance_, "changes");
        auto out = wire::receive<md_change_sink>([&](const md_change& item) -> Status {
            if (auto ok = results.range("a change's kind", item.kind, MD_ADDED, MD_REMOVED); !ok) return ok;
            const Change change{static_cast<ChangeKind>(item.kind), std::string(wire::view(item.path)),
                                std::string(wire::view(item.content)), item.opaque != 0};
            if (auto ok = results.path("a change's path", change.path); !ok) return ok;
            if (change.kind == ChangeKind::removed) return visit(change);
            if (auto ok = results.path("a change's content", change.content); !ok) return ok;
            return visit(change);
        });
        return out.finish(instance_->call("changes", table_.changes, wire::str(id.str()), out.sink()));
    }

    [[nodiscard]] Result<Usage> usage(const RwId& id) override {
        return call_for_usage("usage", table_.usage, id.str());
    }

    [[nodiscard]] Status remove_rw(const RwId& id) override {
        return instance_->call("remove_rw", table_.remove_rw, wire::str(id.str()));
    }

    [[nodiscard]] Status list(const StorageObjectVisitor& visit) override {
        const Results results(*instance_, "list");
        auto out = wire::receive<md_storage_object_sink>([&](const md_storage_object& item) -> Status {
            if (auto ok = results.range("an object's kind", item.kind, MD_OBJECT_LAYER, MD_OBJECT_RW); !ok)
                return ok;
            const StorageObject object{static_cast<StorageObjectKind>(item.kind),
                                       std::string(wire::view(item.id))};
            if (auto ok = results.text("an object's id", object.id); !ok) return ok;
            return visit(object);
        });
        return out.finish(instance_->call("list", table_.list, out.sink()));
    }

    [[nodiscard]] Result<std::uint64_t> sweep() override {
        std::uint64_t bytes = 0;
        if (auto done = instance_->call("sweep", table_.sweep, &bytes); !done) return fail(done);
        return bytes;
    }

  private:
    template <class Slot>
    [[nodiscard]] Result<Usage> call_for_usage(const char* name, Slot slot, const std::string& id) {
        Usage usage;
        auto out = wire::receive<md_usage_sink>([&](const md_usage& item) -> Status {
            usage = {item.bytes, item.inodes};
            return {};
        });
        if (auto done = out.finish(instance_->call(name, slot, wire::str(id), out.sink())); !done)
            return fail(done);
        if (auto ok = Results(*instance_, name).one(out.count()); !ok) return fail(ok);
        return usage;
    }

    std::unique_ptr<Instance> instance_;
    md_storage_table table_;
};

} // namespace

Result<std::unique_ptr<StorageDriver>> PluginHost::open_storage(const OpenRequest& request) {
    auto plugin = load_for(Kind::storage, request);
    if (!plugin) return fail(plugin);
    const auto table = wire::copy_in<md_storage_table>(plugin->descriptor.table);
    if (auto good = check_slots(*plugin, {{"probe", table.probe != nullptr},
                                          {"create_layer", table.create_layer != nullptr},
                                          {"seal_layer", table.seal_layer != nullptr},
                                          {"remove_layer", table.remove_layer != nullptr},
                                          {"create_rw", table.create_rw != nullptr},
                                          {"mounts", table.mounts != nullptr},
                                          {"remove_rw", table.remove_rw != nullptr},
                                          {"list", table.list != nullptr},
                                          {"sweep", table.sweep != nullptr}});
        !good)
        return fail(good);
    auto instance = open_instance(*plugin, request);
    if (!instance) return fail(instance);
    return std::make_unique<StorageAdaptor>(*std::move(instance));
}

} // namespace mydocker::plugin
