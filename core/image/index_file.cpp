#include "image/index_file.hpp"

#include "image/manifest.hpp"
#include "image/reference.hpp"

#include <algorithm>

namespace mydocker::image {

namespace {

constexpr std::size_t kMaxIndexBytes = std::size_t{16} << 20U;

std::string annotation(const json::Value& entry, std::string_view key) {
    const json::Value* all = entry.find("annotations");
    const json::Value* value = all != nullptr ? all->find(key) : nullptr;
    const std::string* text = value != nullptr ? value->if_string() : nullptr;
    return text != nullptr ? *text : std::string();
}

IndexEntry read_entry(const json::Value& raw) {
    IndexEntry entry;
    entry.raw = raw;
    const json::Value* digest_value = raw.find("digest");
    const std::string* text = digest_value != nullptr ? digest_value->if_string() : nullptr;
    auto digest = text != nullptr ? Digest::parse(*text) : fail(Code::corrupt, "no digest");
    if (!digest) return entry;
    entry.manifest = std::move(*digest);
    entry.id = annotation(raw, kIdAnnotation);
    if (!Digest::from_hex(entry.id)) entry.id.clear();
    const std::string name = annotation(raw, kReferenceAnnotation);
    const auto reference = parse_reference(name);
    if (reference && !reference->tag.empty()) entry.reference = reference->key();
    return entry;
}

// The entry as it goes into the file: the raw one with our two annotations as they are now.
json::Value write_entry(const IndexEntry& entry) {
    if (entry.manifest.empty()) return entry.raw;
    json::Value annotations{json::Object{}};
    if (const json::Value* old = entry.raw.find("annotations"); old != nullptr && old->if_object() != nullptr)
        for (const auto& [key, value] : *old->if_object())
            if (key != kReferenceAnnotation && key != kIdAnnotation && key != kContainerdAnnotation)
                annotations.set(key, value);
    if (!entry.reference.empty()) annotations.set(std::string(kReferenceAnnotation), entry.reference);
    if (!entry.id.empty()) annotations.set(std::string(kIdAnnotation), entry.id);
    json::Value result{json::Object{}};
    for (const auto& [key, value] : *entry.raw.if_object())
        if (key != "annotations") result.set(key, value);
    result.set("annotations", std::move(annotations));
    return result;
}

} // namespace

std::string IndexFile::set_reference(const IndexEntry& entry) {
    std::string loser;
    for (const IndexEntry& old : entries)
        if (old.reference == entry.reference && !entry.reference.empty() && old.id != entry.id)
            loser = old.id;
    remove_reference(entry.reference);
    // An entry of this manifest without a name is of no use beside one with a name.
    std::erase_if(entries, [&](const IndexEntry& old) {
        return old.manifest == entry.manifest && old.reference.empty();
    });
    const bool named_already = entry.reference.empty() && !references_of(entry.manifest).empty();
    if (!named_already) entries.push_back(entry);
    return loser;
}

void IndexFile::remove_reference(std::string_view reference) {
    if (reference.empty()) return;
    for (auto at = entries.begin(); at != entries.end();) {
        if (at->reference != reference) {
            ++at;
            continue;
        }
        const auto same = [&](const IndexEntry& other) {
            return other.manifest == at->manifest && &other != &*at;
        };
        if (std::ranges::any_of(entries, same)) {
            at = entries.erase(at);
        } else {
            at->reference.clear();
            ++at;
        }
    }
}

void IndexFile::remove_manifest(const Digest& manifest) {
    std::erase_if(entries, [&](const IndexEntry& entry) { return entry.manifest == manifest; });
}

std::vector<std::string> IndexFile::references_of(const Digest& manifest) const {
    std::vector<std::string> names;
    for (const IndexEntry& entry : entries)
        if (entry.manifest == manifest && !entry.reference.empty()) names.push_back(entry.reference);
    std::ranges::sort(names);
    return names;
}

Result<IndexFile> parse_index_file(std::string_view text) {
    auto root = json::parse(text, {.bytes = kMaxIndexBytes, .depth = 32});
    if (!root) return fail(root, "index.json");
    const json::Value* list = root->find("manifests");
    if (list == nullptr || list->if_array() == nullptr)
        return fail(Code::corrupt, "index.json: member 'manifests' is no list");
    IndexFile index;
    for (const json::Value& item : *list->if_array()) {
        if (item.if_object() == nullptr)
            return fail(Code::corrupt, "index.json: an entry of 'manifests' is no object");
        index.entries.push_back(read_entry(item));
    }
    return index;
}

std::string to_text(const IndexFile& index) {
    json::Value root;
    root.set("schemaVersion", 2);
    root.set("mediaType", media::kIndex);
    json::Value list{json::Array{}};
    for (const IndexEntry& entry : index.entries)
        list.push(write_entry(entry));
    root.set("manifests", std::move(list));
    return json::dump(root) + "\n";
}

IndexEntry make_index_entry(const Digest& manifest, std::uint64_t size, std::string_view media_type,
                            std::string id) {
    IndexEntry entry;
    entry.manifest = manifest;
    entry.id = std::move(id);
    entry.raw.set("mediaType", media_type);
    entry.raw.set("digest", manifest.str());
    entry.raw.set("size", size);
    return entry;
}

} // namespace mydocker::image
