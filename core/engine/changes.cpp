// diff: what a container has changed, as its storage driver tells.
#include "engine/contents.hpp"

#include <set>

namespace mydocker::engine {
namespace {

// Adds each directory above `path` that was not told yet.
void add_parents(const std::string& path, std::set<std::string, std::less<>>& told,
                 std::vector<Difference>& to) {
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
        if (const auto [parent, is_new] = told.insert(path.substr(0, slash)); is_new)
            to.push_back({ChangeKind::modified, *parent, false});
}

} // namespace

std::vector<Difference> with_parents(std::vector<Difference> differences) {
    std::set<std::string, std::less<>> told;
    std::vector<Difference> all;
    all.reserve(differences.size());
    for (Difference& difference : differences) {
        add_parents(difference.path, told, all);
        if (difference.kind != ChangeKind::removed) told.insert(difference.path);
        all.push_back(std::move(difference));
    }
    return all;
}

Result<std::vector<Difference>> diff(Engine& engine, const ContainerRecord& record) {
    auto driver = engine.storage(record.drivers.storage);
    if (!driver) return fail(driver);
    std::vector<Difference> differences;
    auto walked = (*driver)->changes(RwId(record.id.str()), [&](const Change& change) -> Status {
        differences.push_back({change.kind, change.path, change.opaque});
        return {};
    });
    if (!walked) return fail(walked);
    return with_parents(std::move(differences));
}

} // namespace mydocker::engine
