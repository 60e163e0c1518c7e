#include "listing.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::json_state {
namespace {

// Documents up to this many bytes in all are kept from the first pass, which finds the order; the rest
// is read once more when its turn comes.
constexpr std::size_t kKeptBytes = 16U << 20U;

constexpr std::uint64_t kUnknownSequence = std::numeric_limits<std::uint64_t>::max();

struct Listed {
    ContainerId id; // empty: the file's name is none
    std::uint64_t sequence = kUnknownSequence;
    Result<Record> record;
    bool kept = true; // the document is in `record`
};

[[nodiscard]] StoredRecord stored(Record record) {
    return StoredRecord{.id = std::move(record.id),
                        .name = std::move(record.name),
                        .revision = record.revision,
                        .document = std::move(record.document)};
}

[[nodiscard]] Result<std::vector<Listed>> gather(const RecordFiles& files) {
    auto entries = files.entries();
    if (!entries) return fail(entries);
    std::vector<Listed> found;
    found.reserve(entries->size());
    std::size_t bytes = 0;
    for (const files::DirectoryEntry& entry : *entries) {
        if (!is_id(entry.name)) {
            found.push_back({.id = {},
                             .record = fail(Code::corrupt, files.path_of("records/" + entry.name) +
                                                               " is no record: its name is no id")});
            continue;
        }
        ContainerId id(entry.name);
        auto record = files.read(id);
        if (!record && record.error().code == Code::not_found) continue; // Removed since.
        const std::uint64_t sequence = record ? record->sequence : kUnknownSequence;
        bool kept = true;
        if (record) {
            kept = bytes + record->document.size() <= kKeptBytes;
            if (kept)
                bytes += record->document.size();
            else
                record->document = std::string();
        }
        found.push_back(
            {.id = std::move(id), .sequence = sequence, .record = std::move(record), .kept = kept});
    }
    std::ranges::sort(found, [](const Listed& a, const Listed& b) {
        return std::tie(a.sequence, a.id) < std::tie(b.sequence, b.id);
    });
    return found;
}

[[nodiscard]] Error shared_name(const ContainerName& name, const std::vector<Listed*>& sharers) {
    std::string ids;
    for (const Listed* sharer : sharers)
        ids += (ids.empty() ? "" : " and ") + short_id(sharer->id);
    return Error{.code = Code::conflict,
                 .text = "name '" + name.str() + "' belongs to " + ids + "; rename one of them by its id"};
}

// A name that changed hands during the walk looks shared and is not: read again, and believe that.
[[nodiscard]] bool still_named(const RecordFiles& files, Listed& listed, const ContainerName& name) {
    listed.record = files.read(listed.id);
    listed.kept = true;
    return listed.record && listed.record->name == name;
}

void mark_shared_names(const RecordFiles& files, std::vector<Listed>& found) {
    std::map<std::string_view, std::vector<Listed*>> by_name;
    for (Listed& listed : found)
        if (listed.record) by_name[listed.record->name.str()].push_back(&listed);
    for (auto& [view, sharers] : by_name) {
        if (sharers.size() < 2) continue;
        const ContainerName name(view);
        std::erase_if(sharers, [&](Listed* listed) { return !still_named(files, *listed, name); });
        if (sharers.size() < 2) continue;
        const Error error = shared_name(name, sharers);
        for (Listed* sharer : sharers)
            sharer->record = std::unexpected(error);
    }
}

} // namespace

Status list_records(const RecordFiles& files, const RecordVisitor& visit) {
    auto found = gather(files);
    if (!found) return fail(found);
    mark_shared_names(files, *found);
    for (Listed& listed : *found) {
        if (listed.record && !listed.kept) listed.record = files.read(listed.id);
        if (!listed.record && listed.record.error().code == Code::not_found) continue;
        ListedRecord item{.id = listed.id, .record = StoredRecord{}};
        if (listed.record)
            item.record = stored(std::move(*listed.record));
        else
            item.record = fail(listed.record);
        if (auto visited = visit(item); !visited) return visited;
        listed.record = Record{}; // Its document is not needed any more.
    }
    return {};
}

} // namespace mydocker::json_state
