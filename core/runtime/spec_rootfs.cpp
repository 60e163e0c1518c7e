// rootfs.json: the mounts of a root filesystem as the storage driver gave them. Our own document, not the
// specification's, so it carries a schema number.
#include "base/json.hpp"
#include "runtime/spec.hpp"
#include "runtime/spec_reader.hpp"

#include <algorithm>
#include <array>

namespace mydocker::runtime {
namespace {

constexpr std::uint32_t kSchema = 1;

constexpr std::array<std::pair<Propagation, std::string_view>, 4> kPropagations{{
    {Propagation::inherit, "inherit"},
    {Propagation::isolated, "isolated"},
    {Propagation::follower, "follower"},
    {Propagation::shared, "shared"},
}};

json::Value mount_json(const Mount& mount) {
    const auto* known =
        std::ranges::find(kPropagations, mount.propagation, [](const auto& pair) { return pair.first; });
    json::Value value;
    value.set("type", mount.type).set("source", mount.source).set("target", mount.target);
    value.set("flags", mount.flags).set("propagation", known->second);
    value.set("options", json::Array(mount.options.begin(), mount.options.end()));
    value.set("directory", mount.directory);
    if (!mount.remounts.empty())
        value.set("remounts", json::Array(mount.remounts.begin(), mount.remounts.end()));
    return value;
}

// Driver and store are trusted, but a damaged document must not name a place outside of the root.
bool is_inside(std::string_view target) {
    if (!target.starts_with('/')) return false;
    while (!target.empty()) {
        target.remove_prefix(1);
        const std::string_view component = target.substr(0, target.find('/'));
        if (component == "..") return false;
        target.remove_prefix(component.size());
    }
    return true;
}

Mount read_rootfs_mount(const Member& member) {
    Mount mount;
    mount.type = member.at("type").required().text();
    mount.source = member.at("source").text();
    const Member target = member.at("target");
    mount.target = target.required().text();
    if (target.present() && !is_inside(mount.target)) target.complain("is no absolute path without '..'");
    mount.flags = member.at("flags").number<std::uint64_t>();
    const Member propagation = member.at("propagation");
    const std::string word = propagation.required().text();
    const auto* known = std::ranges::find(kPropagations, word, [](const auto& pair) { return pair.second; });
    if (known == kPropagations.end()) {
        propagation.complain("'" + word + "' is no kind of propagation");
    } else {
        mount.propagation = known->first;
    }
    mount.options = member.at("options").texts();
    mount.directory = member.at("directory").text();
    mount.remounts = member.at("remounts").texts();
    return mount;
}

std::vector<Mount> read_rootfs_document(const Member& document) {
    const Member schema = document.at("schema");
    const auto number = schema.required().number<std::uint32_t>();
    if (number > kSchema)
        schema.complain("is " + std::to_string(number) + ", written by a newer version; this one knows " +
                            std::to_string(kSchema),
                        Code::unsupported);
    std::vector<Mount> rootfs;
    const Member mounts = document.at("mounts");
    for (const Member& mount : mounts.required().elements())
        rootfs.push_back(read_rootfs_mount(mount));
    if (rootfs.empty()) mounts.complain("is empty");
    if (!rootfs.empty() && rootfs.front().target != "/") mounts.complain("does not begin with the root");
    return rootfs;
}

} // namespace

std::string to_rootfs_json(const std::vector<Mount>& rootfs) {
    json::Array mounts;
    for (const Mount& mount : rootfs)
        mounts.push_back(mount_json(mount));
    return json::dump(json::Object{{"schema", kSchema}, {"mounts", std::move(mounts)}}) + "\n";
}

Result<std::vector<Mount>> parse_rootfs_json(std::string_view text) {
    auto document = json::parse(text);
    if (!document) return fail(document, "rootfs.json");
    if (document->if_object() == nullptr) return fail(Code::corrupt, "rootfs.json: is no object");
    Complaint complaint;
    std::vector<Mount> rootfs = read_rootfs_document(Member(&*document, "", complaint));
    if (complaint.error()) return fail(*complaint.error(), "rootfs.json");
    return rootfs;
}

} // namespace mydocker::runtime
