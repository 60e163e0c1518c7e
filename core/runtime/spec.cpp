// Reading a bundle's config.json: the document, its root, mounts and annotations.
#include "runtime/spec.hpp"

#include "runtime/spec_names.hpp"
#include "runtime/spec_parts.hpp"

#include <algorithm>
#include <cstddef>

namespace mydocker::runtime {
namespace {

// Two megabytes of arguments and environment, at worst of bytes that take four to escape.
constexpr json::Limits kDocumentLimits{.bytes = std::size_t{16} << 20U};

void read_version(const Member& version) {
    const std::string text = version.required().text();
    // A runtime must take every minor version of the major one that it knows.
    if (version.present() && !text.starts_with("1."))
        version.complain("is '" + text + "'; this version knows 1.x", Code::unsupported);
}

void read_root(const Member& root, ContainerSpec& spec) {
    const Member path = root.required().at("path");
    spec.root_path = path.required().text();
    if (path.present() && spec.root_path.empty()) path.complain("is empty");
    spec.root_readonly = root.at("readonly").flag();
}

SpecMount read_mount(const Member& member) {
    SpecMount mount;
    const Member destination = member.at("destination");
    mount.destination = destination.required().text();
    if (destination.present() && mount.destination.empty()) destination.complain("is empty");
    // Up to version 1.0 of the specification, relative ones were allowed and meant this.
    if (!mount.destination.empty() && mount.destination.front() != '/')
        mount.destination = "/" + mount.destination;
    mount.type = member.at("type").text();
    mount.source = member.at("source").text();
    mount.options = member.at("options").texts();
    for (const char* key : {"uidMappings", "gidMappings"})
        member.at(key).refuse_if_asked();
    return mount;
}

// What of the annotations is ours is taken out of them.
std::optional<std::string> take_annotation(ContainerSpec& spec, const char* key) {
    auto found = spec.annotations.extract(key);
    if (found.empty()) return std::nullopt;
    return std::move(found.mapped());
}

void read_seccomp(const Member& annotations, ContainerSpec& spec) {
    const auto word = take_annotation(spec, kSeccompAnnotation);
    if (spec.seccomp.kind == SeccompSpec::Kind::given) {
        if (word) annotations.at(kSeccompAnnotation).complain("is there beside linux.seccomp");
        return;
    }
    // The specification says: without linux.seccomp there is no filter.
    spec.seccomp.kind = SeccompSpec::Kind::unconfined;
    if (!word) return;
    const auto* known = std::ranges::find(kSeccompKinds, *word, [](const auto& pair) { return pair.second; });
    if (known != kSeccompKinds.end() && known->first != SeccompSpec::Kind::given) {
        spec.seccomp.kind = known->first;
    } else {
        annotations.at(kSeccompAnnotation).complain("is '" + *word + "', not builtin or unconfined");
    }
}

void read_best_effort(const Member& annotations, ContainerSpec& spec) {
    const auto list = take_annotation(spec, kBestEffortAnnotation);
    if (!list) return;
    std::string_view left = *list;
    while (!left.empty()) {
        const std::string_view type = left.substr(0, left.find(','));
        left.remove_prefix(std::min(left.size(), type.size() + 1));
        const auto limit = std::ranges::find(spec.process.rlimits, type, &RlimitSpec::type);
        if (limit != spec.process.rlimits.end()) {
            limit->required = false;
        } else {
            annotations.at(kBestEffortAnnotation)
                .complain("names '" + std::string(type) + "', which process.rlimits has not");
        }
    }
}

ContainerSpec read_document(const Member& document) {
    ContainerSpec spec;
    read_version(document.at("ociVersion"));
    document.at("hooks").refuse_if_asked();
    read_process(document.at("process").required(), spec.process);
    read_root(document.at("root"), spec);
    spec.hostname = document.at("hostname").text();
    spec.domainname = document.at("domainname").text();
    for (const Member& mount : document.at("mounts").elements())
        spec.mounts.push_back(read_mount(mount));
    read_linux(document.at("linux"), spec);
    const Member annotations = document.at("annotations");
    spec.annotations = annotations.text_map();
    read_seccomp(annotations, spec);
    read_best_effort(annotations, spec);
    return spec;
}

} // namespace

Result<ContainerSpec> parse_config_json(std::string_view text) {
    auto document = json::parse(text, kDocumentLimits);
    if (!document) return fail(document, "config.json");
    if (document->if_object() == nullptr) return fail(Code::invalid, "config.json: is no object");
    Complaint complaint;
    ContainerSpec spec = read_document(Member(&*document, "", complaint));
    if (complaint.error()) return fail(*complaint.error(), "config.json");
    return spec;
}

} // namespace mydocker::runtime
