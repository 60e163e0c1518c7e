// State stores: from the wire to the face, results checked on the way.
#include "plugin/adapt.hpp"

#include "mydocker/abi/state_store.h"

namespace mydocker::plugin {
namespace {

static_assert(kAnyRevision == MD_ANY_REVISION);

class StateAdaptor final : public StateStore {
  public:
    explicit StateAdaptor(std::unique_ptr<Instance> instance)
        : instance_(std::move(instance)),
          table_(wire::copy_in<md_state_table>(instance_->table())) {}

    [[nodiscard]] Result<StateTraits> probe() override {
        StateTraits traits;
        auto out = wire::receive<md_state_traits_sink>([&](const md_state_traits& item) -> Status {
            traits = {item.durable != 0};
            return {};
        });
        if (auto done = out.finish(instance_->call("probe", table_.probe, out.sink())); !done)
            return fail(done);
        if (auto ok = Results(*instance_, "probe").one(out.count()); !ok) return fail(ok);
        return traits;
    }

    [[nodiscard]] Result<Revision> reserve(const ContainerId& id, const ContainerName& name,
                                           std::string_view document) override {
        return call_for_revision("reserve", table_.reserve, wire::str(id.str()), wire::str(name.str()),
                                 wire::str(document));
    }

    [[nodiscard]] Result<StoredRecord> load(const ContainerId& id) override {
        StoredRecord record;
        const Results results(*instance_, "load");
        auto out = wire::receive<md_stored_record_sink>([&](const md_stored_record& item) -> Status {
            record = to_face(item);
            return check(results, record);
        });
        if (auto done = out.finish(instance_->call("load", table_.load, wire::str(id.str()), out.sink()));
            !done)
            return fail(done);
        if (auto ok = results.one(out.count()); !ok) return fail(ok);
        if (record.id != id) return results.fault("gave the record of '" + record.id.str() + "'");
        return record;
    }

    [[nodiscard]] Result<ContainerId> resolve(std::string_view name_or_prefix) override {
        auto id = call_for_text(*instance_, "resolve", table_.resolve, wire::str(name_or_prefix));
        if (!id) return fail(id);
        if (id->empty()) return instance_->fault("resolve", "gave an empty id");
        return ContainerId(*std::move(id));
    }

    [[nodiscard]] Result<Revision> save(const ContainerId& id, std::string_view document,
                                        Revision expected) override {
        return call_for_revision("save", table_.save, wire::str(id.str()), wire::str(document), expected);
    }

    [[nodiscard]] Result<Revision> rename(const ContainerId& id, const ContainerName& name) override {
        return call_for_revision("rename", table_.rename, wire::str(id.str()), wire::str(name.str()));
    }

    [[nodiscard]] Status remove(const ContainerId& id, Revision expected) override {
        return instance_->call("remove", table_.remove, wire::str(id.str()), expected);
    }

    [[nodiscard]] Status list(const RecordVisitor& visit) override {
        const Results results(*instance_, "list");
        auto out = wire::receive<md_listed_record_sink>([&](const md_listed_record& item) -> Status {
            const ContainerId id(wire::view(item.id));
            if (auto ok = results.text("an id", id.str()); !ok) return ok;
            if ((item.record == nullptr) == (item.error == nullptr))
                return results.fault("gave not exactly one of record and error");
            if (item.error != nullptr) return visit({id, std::unexpected<Error>(to_error(*item.error))});
            const StoredRecord record = to_face(wire::copy_in<md_stored_record>(item.record));
            if (auto ok = check(results, record); !ok) return ok;
            return visit({id, record});
        });
        return out.finish(instance_->call("list", table_.list, out.sink()));
    }

  private:
    template <class Slot, class... Arguments>
    [[nodiscard]] Result<Revision> call_for_revision(const char* name, Slot slot, Arguments... arguments) {
        std::uint64_t revision = 0;
        if (auto done = instance_->call(name, slot, arguments..., &revision); !done) return fail(done);
        if (revision == 0) return instance_->fault(name, "gave the revision 0");
        return revision;
    }

    [[nodiscard]] static StoredRecord to_face(const md_stored_record& item) {
        return {ContainerId(wire::view(item.id)), ContainerName(wire::view(item.name)), item.revision,
                std::string(wire::view(item.document))};
    }

    [[nodiscard]] static Status check(const Results& results, const StoredRecord& record) {
        if (auto ok = results.text("an id", record.id.str()); !ok) return ok;
        if (auto ok = results.text("a name", record.name.str()); !ok) return ok;
        if (record.revision == 0) return results.fault("gave the revision 0");
        if (record.document.size() > MD_DOCUMENT_LIMIT)
            return results.fault("gave a document of " + std::to_string(record.document.size()) + " bytes");
        return {};
    }

    // Why a record is damaged: the driver's words, under its name.
    [[nodiscard]] Error to_error(const md_error& given) const {
        const wire::ErrorSpace space{wire::copy_in<md_error>(&given), wire::kGuardWord};
        const std::uint32_t code = given.code == MD_OK ? std::uint32_t{MD_CORRUPT} : given.code;
        return instance_->worded("list", wire::take(space, code));
    }

    std::unique_ptr<Instance> instance_;
    md_state_table table_;
};

} // namespace

Result<std::unique_ptr<StateStore>> PluginHost::open_state(const OpenRequest& request) {
    auto plugin = load_for(Kind::state, request);
    if (!plugin) return fail(plugin);
    const auto table = wire::copy_in<md_state_table>(plugin->descriptor.table);
    if (auto good = check_slots(*plugin, {{"probe", table.probe != nullptr},
                                          {"reserve", table.reserve != nullptr},
                                          {"load", table.load != nullptr},
                                          {"resolve", table.resolve != nullptr},
                                          {"save", table.save != nullptr},
                                          {"rename", table.rename != nullptr},
                                          {"remove", table.remove != nullptr},
                                          {"list", table.list != nullptr}});
        !good)
        return fail(good);
    auto instance = open_instance(*plugin, request);
    if (!instance) return fail(instance);
    return std::make_unique<StateAdaptor>(*std::move(instance));
}

} // namespace mydocker::plugin
