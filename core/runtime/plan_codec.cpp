// LaunchPlan ↔ bytes. One list of fields serves both directions, so they cannot differ in order.
#include "runtime/plan.hpp"

#include "base/codec.hpp"

#include <concepts>
#include <cstring>
#include <type_traits>

namespace mydocker::runtime {
namespace {

// First word; changed with every change of the fields below. A monitor that runs across an upgrade then
// meets a clear refusal.
constexpr std::uint32_t kVersion = 0x6d70'0003;

class Encoder {
  public:
    template <class T>
        requires std::is_arithmetic_v<T> || std::is_enum_v<T>
    void field(const T& value) {
        if constexpr (std::same_as<T, bool>)
            writer_.put(static_cast<std::uint8_t>(value ? 1 : 0));
        else
            writer_.put(value);
    }
    void field(const std::string& text) { writer_.put(text); }
    void field(const std::vector<std::string>& list) { writer_.put(list); }
    void field(const std::vector<sock_filter>& program) {
        std::string bytes(program.size() * sizeof(sock_filter), '\0');
        if (!program.empty()) std::memcpy(bytes.data(), program.data(), bytes.size());
        writer_.put(bytes);
    }
    template <class T>
    void field(const std::optional<T>& value) {
        field(value.has_value());
        field(value.value_or(T{}));
    }
    template <class T>
    void field(const std::vector<T>& list) {
        writer_.put(static_cast<std::uint64_t>(list.size()));
        for (const T& item : list)
            field(item);
    }
    template <class T>
        requires std::is_class_v<T>
    void field(const T& value) {
        fields(*this, value);
    }
    [[nodiscard]] std::string take() { return writer_.take(); }

  private:
    codec::Writer writer_;
};

class Decoder {
  public:
    explicit Decoder(std::string_view bytes) : reader_(bytes) {}

    template <class T>
        requires std::is_arithmetic_v<T> || std::is_enum_v<T>
    void field(T& value) {
        if constexpr (std::same_as<T, bool>) {
            std::uint8_t byte = 0;
            reader_.get(byte);
            sane_ = sane_ && byte <= 1;
            value = byte == 1;
        } else {
            reader_.get(value);
        }
    }
    void field(std::string& text) { reader_.get(text); }
    void field(std::vector<std::string>& list) { reader_.get(list); }
    void field(std::vector<sock_filter>& program) {
        std::string bytes;
        reader_.get(bytes);
        sane_ = sane_ && bytes.size() % sizeof(sock_filter) == 0;
        program.resize(bytes.size() / sizeof(sock_filter));
        if (!program.empty()) std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
    }
    template <class T>
    void field(std::optional<T>& value) {
        bool there = false;
        T inner{};
        field(there);
        field(inner);
        if (there)
            value = inner;
        else
            value.reset();
    }
    // A count that lies ends at the first element that is not there.
    template <class T>
    void field(std::vector<T>& list) {
        std::uint64_t count = 0;
        reader_.get(count);
        list.clear();
        for (std::uint64_t i = 0; i < count && reader_.ok(); ++i)
            field(list.emplace_back());
    }
    template <class T>
        requires std::is_class_v<T>
    void field(T& value) {
        fields(*this, value);
    }
    // Enumerations hold what they may.
    template <class T>
    void at_most(T value, T last) {
        sane_ = sane_ && value <= last;
    }
    [[nodiscard]] bool complete() const { return sane_ && reader_.complete(); }

  private:
    codec::Reader reader_;
    bool sane_ = true;
};

template <class T, class U>
concept Is = std::same_as<std::remove_const_t<T>, U>;

template <class Archive>
void fields(Archive& archive, Is<IdMapping> auto& mapping) {
    archive.field(mapping.container_id);
    archive.field(mapping.host_id);
    archive.field(mapping.size);
}

template <class Archive>
void fields(Archive& archive, Is<Mount> auto& mount) {
    archive.field(mount.type);
    archive.field(mount.source);
    archive.field(mount.target);
    archive.field(mount.flags);
    archive.field(mount.propagation);
    archive.field(mount.options);
    archive.field(mount.directory);
    archive.field(mount.remounts);
}

template <class Archive>
void fields(Archive& archive, Is<PlannedMount> auto& planned) {
    archive.field(planned.mount);
    archive.field(planned.maker);
    archive.field(planned.late_read_only);
    archive.field(planned.plain_target);
    archive.field(planned.may_cover_proc);
}

template <class Archive>
void fields(Archive& archive, Is<PlannedDevice> auto& device) {
    archive.field(device.path);
    archive.field(device.mode);
    archive.field(device.major);
    archive.field(device.minor);
    archive.field(device.uid);
    archive.field(device.gid);
}

template <class Archive>
void fields(Archive& archive, Is<PlannedLink> auto& link) {
    archive.field(link.path);
    archive.field(link.target);
}

template <class Archive>
void fields(Archive& archive, Is<PlannedSysctl> auto& sysctl) {
    archive.field(sysctl.path);
    archive.field(sysctl.value);
}

template <class Archive>
void fields(Archive& archive, Is<PlannedRlimit> auto& limit) {
    archive.field(limit.resource);
    archive.field(limit.name);
    archive.field(limit.soft);
    archive.field(limit.hard);
    archive.field(limit.required);
}

template <class Archive>
void fields(Archive& archive, Is<PlannedUser> auto& user) {
    archive.field(user.lookup);
    archive.field(user.name);
    archive.field(user.group_name);
    archive.field(user.group_given);
    archive.field(user.uid);
    archive.field(user.gid);
    archive.field(user.additional_gids);
    archive.field(user.additional_groups);
    archive.field(user.umask);
}

template <class Archive>
void fields(Archive& archive, Is<PlannedCapabilities> auto& capabilities) {
    archive.field(capabilities.bounding);
    archive.field(capabilities.effective);
    archive.field(capabilities.permitted);
    archive.field(capabilities.inheritable);
    archive.field(capabilities.ambient);
}

template <class Archive>
void fields(Archive& archive, Is<ConsoleSize> auto& size) {
    archive.field(size.rows);
    archive.field(size.columns);
}

template <class Archive>
void fields(Archive& archive, Is<LaunchPlan> auto& plan) {
    archive.field(plan.id);
    archive.field(plan.name);
    archive.field(plan.clone_flags);
    archive.field(plan.new_cgroup_namespace);
    archive.field(plan.join);
    archive.field(plan.uid_mappings);
    archive.field(plan.gid_mappings);
    archive.field(plan.rootfs);
    archive.field(plan.mounts);
    archive.field(plan.devices);
    archive.field(plan.links);
    archive.field(plan.masked_paths);
    archive.field(plan.readonly_paths);
    archive.field(plan.root_readonly);
    archive.field(plan.root_propagation);
    archive.field(plan.hostname);
    archive.field(plan.domainname);
    archive.field(plan.sysctls);
    archive.field(plan.user);
    archive.field(plan.capabilities);
    archive.field(plan.rlimits);
    archive.field(plan.oom_score_adj);
    archive.field(plan.no_new_privileges);
    archive.field(plan.seccomp);
    archive.field(plan.seccomp_flags);
    archive.field(plan.watch);
    archive.field(plan.die_with_monitor);
    archive.field(plan.reaper);
    archive.field(plan.terminal);
    archive.field(plan.console_size);
    archive.field(plan.cwd);
    archive.field(plan.create_cwd);
    archive.field(plan.args);
    archive.field(plan.env);
    archive.field(plan.trace);
}

void check_enumerations(Decoder& decoder, const LaunchPlan& plan) {
    for (const NamespaceKind kind : plan.join)
        decoder.at_most(kind, NamespaceKind::time);
    for (const auto* list : {&plan.rootfs, &plan.mounts})
        for (const PlannedMount& planned : *list) {
            decoder.at_most(planned.maker, MountMaker::init);
            decoder.at_most(planned.mount.propagation, Propagation::shared);
        }
}

} // namespace

std::string encode(const LaunchPlan& plan) {
    Encoder encoder;
    encoder.field(kVersion);
    encoder.field(plan);
    return encoder.take();
}

Result<LaunchPlan> decode(std::string_view bytes) {
    Decoder decoder(bytes);
    std::uint32_t version = 0;
    decoder.field(version);
    if (version != kVersion) return fail(Code::corrupt, "the launch plan is of another version of mydocker");
    LaunchPlan plan;
    decoder.field(plan);
    check_enumerations(decoder, plan);
    if (!decoder.complete()) return fail(Code::corrupt, "the launch plan is malformed");
    return plan;
}

} // namespace mydocker::runtime
