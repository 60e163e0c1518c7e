// What is there against what is known.
#include "engine/check.hpp"

#include "engine/baton.hpp"
#include "engine/disk.hpp"
#include "engine/lifecycle.hpp"
#include "engine/prune.hpp"
#include "engine/rebuild.hpp"
#include "engine/spec_builder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <set>
#include <sys/stat.h>

namespace mydocker::engine {
namespace {

// What the records account for.
struct Known {
    std::set<std::string> ids;      // of every record, damaged ones too
    std::set<std::string> locators; // of cgroups
    std::set<std::string> storage_drivers;
    std::set<std::string> cgroup_backends;
    std::vector<Finding> findings; // about the records themselves
};

Result<Known> read_records(Engine& engine) {
    auto store = engine.state();
    if (!store) return fail(store);
    Known known;
    auto walked = (*store)->list([&](const ListedRecord& listed) -> Status {
        known.ids.insert(listed.id.str());
        auto record =
            listed.record ? parse_record(*listed.record) : Result<ContainerRecord>(fail(listed.record));
        if (!record) {
            known.findings.push_back({"record", paths::short_id(listed.id), describe(record.error())});
            return {};
        }
        known.storage_drivers.insert(record->drivers.storage);
        known.cgroup_backends.insert(record->drivers.cgroup);
        if (const auto locator = record->intents.find("cgroup"); locator != record->intents.end())
            known.locators.insert(locator->second);
        if (record->transition != Transition::none && !Baton::is_held(engine.roots(), record->id))
            known.findings.push_back({"container", paths::short_id(record->id), "its owner is gone"});
        return {};
    });
    if (!walked) return fail(walked);
    return known;
}

// Names in a directory; none when it is not there.
std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> names;
    auto fd = files::open(directory, O_RDONLY | O_DIRECTORY);
    if (!fd) return names;
    auto entries = files::list_directory(fd->get(), directory);
    if (!entries) return names;
    for (files::DirectoryEntry& entry : *entries)
        names.push_back(std::move(entry.name));
    return names;
}

// Whether a container of this id is being born or is ending right now: the records were read a while ago.
bool is_in_hands(Engine& engine, const std::string& id) {
    return paths::is_id(id) && Baton::is_held(engine.roots(), ContainerId(id));
}

// Every storage driver that has data here or should, whether it is selected or not.
std::set<std::string> storage_drivers(const Engine& engine, const Known& known) {
    std::set<std::string> drivers = known.storage_drivers;
    for (std::string& name : storage_drivers_here(engine))
        drivers.insert(std::move(name));
    return drivers;
}

using FindingVisitor = std::function<Status(const Finding&, const std::string& driver)>;

Status check_storage(Engine& engine, const Known& known, const FindingVisitor& visit) {
    for (const std::string& name : storage_drivers(engine, known)) {
        auto driver = engine.storage(name);
        if (!driver) {
            if (auto told = visit({"storage driver", name, describe(driver.error())}, ""); !told) return told;
            continue;
        }
        auto walked = (*driver)->list([&](const StorageObject& object) -> Status {
            if (object.kind != StorageObjectKind::rw || known.ids.contains(object.id)) return {};
            if (is_in_hands(engine, object.id)) return {};
            return visit({"writable layer", object.id, "of storage driver " + name + "; no record knows it"},
                         name);
        });
        if (!walked) return walked;
    }
    return {};
}

// The cgroups that may be ours though no record says so: those of a run directory without an owner. It is
// made before any effect and removed after all of them; engines with other roots share the parent, and what
// lies there is theirs.
std::set<std::string> unowned_locators(Engine& engine, CgroupBackend& backend) {
    std::set<std::string> locators;
    for (const std::string& name : names_in(engine.roots().run_root)) {
        if (!paths::is_id(name) || Baton::is_held(engine.roots(), ContainerId(name))) continue;
        if (auto locator = backend.locate(CgroupName(fmt::format("{}/{}", kCgroupParent, name))))
            locators.insert(locator->str());
    }
    return locators;
}

Status check_cgroups(Engine& engine, const Known& known, const FindingVisitor& visit) {
    std::set<std::string> backends = known.cgroup_backends;
    if (auto selected = engine.selected_cgroup()) backends.insert(selected->name);
    for (const std::string& name : backends) {
        auto backend = engine.cgroup(name);
        if (!backend) continue; // Its containers say so themselves.
        const std::set<std::string> ours = unowned_locators(engine, **backend);
        if (ours.empty()) continue;
        auto walked = (*backend)->list(kCgroupParent, [&](const Locator& locator) -> Status {
            if (known.locators.contains(locator.str()) || !ours.contains(locator.str())) return {};
            return visit({"cgroup", locator.str(), "no record knows it"}, name);
        });
        if (!walked) return walked;
    }
    return {};
}

Status check_directories(Engine& engine, const Known& known, const FindingVisitor& visit) {
    for (const std::string& name : names_in(paths::containers(engine.roots())))
        if (!known.ids.contains(name) && !is_in_hands(engine, name))
            if (auto told = visit({"bundle", name, "no record knows it"}, ""); !told) return told;
    for (const std::string& name : names_in(engine.roots().run_root)) {
        if (!paths::is_id(name) || Baton::is_held(engine.roots(), ContainerId(name))) continue;
        if (auto told = visit({"run directory", name, "nobody holds its lock"}, ""); !told) return told;
    }
    return {};
}

bool holds_data(const Finding& finding) {
    return finding.kind == "writable layer" || finding.kind == "bundle";
}

// Whether a record or an owner has come since the walk began, or another state store knows it: then it is no
// orphan.
bool is_known_by_now(Engine& engine, const Finding& finding) {
    if (!holds_data(finding) || !paths::is_id(finding.name)) return false;
    const ContainerId id(finding.name);
    const auto container = engine.load(id);
    return container || container.error().code != Code::not_found || is_in_hands(engine, finding.name) ||
           is_of_another_store(engine, id);
}

// An orphan that a driver of ours can take away by its name.
Status take_away(Engine& engine, const Finding& finding, const std::string& driver) {
    if (finding.kind == "writable layer") {
        auto storage = engine.storage(driver);
        return storage ? (*storage)->remove_rw(RwId(finding.name)) : Status(fail(storage));
    }
    if (finding.kind == "cgroup") {
        auto backend = engine.cgroup(driver);
        return backend ? (*backend)->remove(Locator(finding.name)) : Status(fail(backend));
    }
    if (finding.kind == "bundle")
        return files::remove_tree(paths::containers(engine.roots()) + "/" + finding.name);
    if (finding.kind == "run directory") {
        auto done = recover(engine, ContainerId(finding.name));
        return done ? Status{} : Status(fail(done));
    }
    return fail(Code::unsupported, "cannot be mended by itself");
}

Status walk(Engine& engine, const Known& known, const FindingVisitor& visit) {
    if (auto done = check_directories(engine, known, visit); !done) return done;
    if (auto done = check_storage(engine, known, visit); !done) return done;
    return check_cgroups(engine, known, visit);
}

Status recover_containers(Engine& engine, const ActionVisitor& told) {
    auto store = engine.state();
    if (!store) return fail(store);
    std::vector<ContainerId> ids;
    auto walked = (*store)->list([&](const ListedRecord& listed) -> Status {
        if (listed.record) ids.push_back(listed.id);
        return {};
    });
    if (!walked) return walked;
    for (const ContainerId& id : ids) {
        auto container = engine.load(id);
        if (!container || container->record.transition == Transition::none) continue;
        auto done = recover(engine, id);
        if (done && *done) told(fmt::format("container {}: brought to rest", paths::short_id(id)));
        if (!done) told(fmt::format("container {}: {}", paths::short_id(id), describe(done.error())));
    }
    return {};
}

Status sweep(Engine& engine, const ActionVisitor& told) {
    auto freed = sweep_leftovers(engine, [&](const std::string& whose, std::uint64_t bytes) {
        told(fmt::format("{}: {} bytes of leftovers deleted", whose, bytes));
    });
    return freed ? Status{} : Status(fail(freed));
}

} // namespace

Result<std::vector<Finding>> check_system(Engine& engine) {
    auto known = read_records(engine);
    if (!known) return fail(known);
    std::vector<Finding> findings = known->findings;
    auto walked = walk(engine, *known, [&](const Finding& finding, const std::string&) -> Status {
        if (!is_known_by_now(engine, finding)) findings.push_back(finding);
        return {};
    });
    if (!walked) return fail(walked);
    return findings;
}

Result<std::vector<Finding>> recover_system(Engine& engine, Orphans orphans, const ActionVisitor& told) {
    if (auto done = recover_containers(engine, told); !done) return fail(done);
    // Who wants orphans removed does not want them rebuilt, and what is damaged is no orphan.
    if (orphans == Orphans::keep)
        if (auto done = rebuild_records(engine, told); !done) return fail(done);
    auto known = read_records(engine);
    if (!known) return fail(known);
    std::vector<std::pair<Finding, std::string>> unknown;
    auto walked = walk(engine, *known, [&](const Finding& finding, const std::string& driver) -> Status {
        unknown.emplace_back(finding, driver);
        return {};
    });
    if (!walked) return fail(walked);
    for (const auto& [finding, driver] : unknown) {
        if (is_known_by_now(engine, finding)) continue;
        if (orphans == Orphans::keep && holds_data(finding)) continue;
        auto done = take_away(engine, finding, driver);
        told(done ? fmt::format("{} {}: removed", finding.kind, finding.name)
                  : fmt::format("{} {}: {}", finding.kind, finding.name, describe(done.error())));
    }
    if (auto done = sweep(engine, told); !done) return fail(done);
    return check_system(engine);
}

} // namespace mydocker::engine
