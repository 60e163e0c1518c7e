#include "device_filter.hpp"

#include "../common/limits.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <ranges>
#include <string_view>
#include <sys/resource.h>
#include <sys/syscall.h>

namespace mydocker::cgroup_v2 {
namespace {

// Registers: the context comes in R1, the answer leaves in R0.
constexpr std::uint8_t kAnswer = BPF_REG_0;
constexpr std::uint8_t kContext = BPF_REG_1;
constexpr std::uint8_t kType = BPF_REG_2;
constexpr std::uint8_t kAsked = BPF_REG_3; // access bits that no rule has decided yet
constexpr std::uint8_t kMajor = BPF_REG_4;
constexpr std::uint8_t kMinor = BPF_REG_5;
constexpr std::uint8_t kSpare = BPF_REG_6;

constexpr std::int32_t kAllAccess = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

[[nodiscard]] bpf_insn instruction(int code, std::uint8_t to, std::uint8_t from, std::int16_t offset,
                                   std::int32_t value) {
    bpf_insn insn{};
    insn.code = static_cast<std::uint8_t>(code);
    insn.dst_reg = to & 0xFU;
    insn.src_reg = from & 0xFU;
    insn.off = offset;
    insn.imm = value;
    return insn;
}

[[nodiscard]] bpf_insn load_word(std::uint8_t to, std::size_t offset) {
    return instruction(BPF_LDX | BPF_MEM | BPF_W, to, kContext, static_cast<std::int16_t>(offset), 0);
}

[[nodiscard]] bpf_insn compute(int operation, std::uint8_t to, std::int32_t value) {
    return instruction(BPF_ALU | operation | BPF_K, to, 0, 0, value);
}

[[nodiscard]] bpf_insn jump(int condition, std::uint8_t left, std::int32_t right, std::size_t over) {
    return instruction(BPF_JMP | condition | BPF_K, left, 0, static_cast<std::int16_t>(over), right);
}

using Program = std::vector<bpf_insn>;

void append_answer(Program& program, bool allowed) {
    program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, kAnswer, 0, 0, allowed ? 1 : 0));
    program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

[[nodiscard]] std::int32_t access_bits(std::string_view letters) {
    std::int32_t bits = 0;
    if (letters.find('m') != std::string_view::npos) bits |= BPF_DEVCG_ACC_MKNOD;
    if (letters.find('r') != std::string_view::npos) bits |= BPF_DEVCG_ACC_READ;
    if (letters.find('w') != std::string_view::npos) bits |= BPF_DEVCG_ACC_WRITE;
    return bits;
}

// What a rule does to a device that it matches.
[[nodiscard]] Program effect(const DeviceRule& rule) {
    Program program;
    const std::int32_t access = access_bits(rule.access);
    if (access == kAllAccess) {
        append_answer(program, rule.allow); // Whatever is still asked for.
    } else if (rule.allow) {
        program.push_back(compute(BPF_AND, kAsked, ~access));
        program.push_back(jump(BPF_JNE, kAsked, 0, 2));
        append_answer(program, true);
    } else {
        program.push_back(instruction(BPF_ALU | BPF_MOV | BPF_X, kSpare, kAsked, 0, 0));
        program.push_back(compute(BPF_AND, kSpare, access));
        program.push_back(jump(BPF_JEQ, kSpare, 0, 2));
        append_answer(program, false);
    }
    return program;
}

[[nodiscard]] Program with_conditions(const DeviceRule& rule, Program program) {
    const auto guard = [&](std::uint8_t left, std::int64_t right) {
        program.insert(program.begin(),
                       jump(BPF_JNE, left, static_cast<std::int32_t>(right), program.size()));
    };
    if (rule.minor >= 0) guard(kMinor, rule.minor);
    if (rule.major >= 0) guard(kMajor, rule.major);
    if (rule.type != 'a') guard(kType, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    return program;
}

// Whether no device and no access gets past the rule undecided. Code behind it could not be reached,
// which the kernel refuses.
[[nodiscard]] bool decides_all(const DeviceRule& rule) {
    return rule.type == 'a' && rule.major < 0 && rule.minor < 0 && access_bits(rule.access) == kAllAccess;
}

[[nodiscard]] long bpf(int command, bpf_attr& attributes) {
    return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

[[nodiscard]] std::uint64_t address(const void* pointer) {
    return std::bit_cast<std::uintptr_t>(pointer);
}

// Errors: the errno value.
[[nodiscard]] std::expected<UniqueFd, int> load_once(const Program& program) {
    bpf_attr attributes{};
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insn_cnt = static_cast<std::uint32_t>(program.size());
    attributes.insns = address(program.data());
    attributes.license = address("Apache-2.0"); // It calls no helper that asks for another.
    UniqueFd fd(static_cast<int>(bpf(BPF_PROG_LOAD, attributes)));
    if (!fd) return std::unexpected(errno);
    return fd;
}

// Before Linux 5.11 a program counts as locked memory, of which the default limit allows next to none.
[[nodiscard]] std::expected<UniqueFd, int> load_unlimited(const Program& program) {
    rlimit before{};
    if (::getrlimit(RLIMIT_MEMLOCK, &before) != 0) return std::unexpected(EPERM);
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0) return std::unexpected(EPERM);
    auto loaded = load_once(program);
    (void)::setrlimit(RLIMIT_MEMLOCK, &before); // Lowering always works.
    return loaded;
}

[[nodiscard]] Result<UniqueFd> load(const Program& program) {
    auto loaded = load_once(program);
    if (!loaded && loaded.error() == EPERM) loaded = load_unlimited(program);
    if (loaded) return std::move(*loaded);
    return fail_errno(loaded.error(), "load the device filter");
}

// The cgroup's own filters. Source: bpf(2), BPF_PROG_QUERY.
[[nodiscard]] Result<std::vector<UniqueFd>> filters_of(int cgroup) {
    std::array<std::uint32_t, 64> ids{};
    bpf_attr query{};
    query.query.target_fd = static_cast<std::uint32_t>(cgroup);
    query.query.attach_type = BPF_CGROUP_DEVICE;
    query.query.prog_ids = address(ids.data());
    query.query.prog_cnt = static_cast<std::uint32_t>(ids.size());
    if (bpf(BPF_PROG_QUERY, query) != 0) {
        const int error = errno;
        if (error == EINVAL || error == ENOSYS)
            return fail(Code::unsupported,
                        "device rules asked, but this kernel has no CONFIG_CGROUP_BPF to keep them with");
        return fail_errno(error, "list the device filters");
    }
    std::vector<UniqueFd> filters;
    for (std::size_t at = 0; at < std::min<std::size_t>(query.query.prog_cnt, ids.size()); ++at) {
        bpf_attr get{};
        get.prog_id = ids.at(at);
        UniqueFd fd(static_cast<int>(bpf(BPF_PROG_GET_FD_BY_ID, get)));
        const int error = errno;
        if (!fd && error != ENOENT) return fail_errno(error, "open a device filter");
        if (fd) filters.push_back(std::move(fd));
    }
    return filters;
}

[[nodiscard]] bool attach(int cgroup, const UniqueFd& filter, const UniqueFd* replaced) {
    bpf_attr attributes{};
    attributes.target_fd = static_cast<std::uint32_t>(cgroup);
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(filter.get());
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (replaced != nullptr) {
        attributes.attach_flags |= BPF_F_REPLACE;
        attributes.replace_bpf_fd = static_cast<std::uint32_t>(replaced->get());
    }
    return bpf(BPF_PROG_ATTACH, attributes) == 0;
}

[[nodiscard]] Status detach(int cgroup, const UniqueFd& filter) {
    bpf_attr attributes{};
    attributes.target_fd = static_cast<std::uint32_t>(cgroup);
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(filter.get());
    attributes.attach_type = BPF_CGROUP_DEVICE;
    if (bpf(BPF_PROG_DETACH, attributes) == 0 || errno == ENOENT) return {};
    return fail_errno(errno, "detach the former device filter");
}

} // namespace

std::vector<bpf_insn> assemble_filter(const std::vector<DeviceRule>& rules) {
    Program program;
    program.push_back(load_word(kType, offsetof(bpf_cgroup_dev_ctx, access_type)));
    program.push_back(instruction(BPF_ALU | BPF_MOV | BPF_X, kAsked, kType, 0, 0));
    program.push_back(compute(BPF_AND, kType, 0xFFFF));
    program.push_back(compute(BPF_RSH, kAsked, 16));
    program.push_back(load_word(kMajor, offsetof(bpf_cgroup_dev_ctx, major)));
    program.push_back(load_word(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)));
    for (const DeviceRule& rule : std::views::reverse(rules)) {
        const Program part = with_conditions(rule, effect(rule));
        program.insert(program.end(), part.begin(), part.end());
        if (decides_all(rule)) return program;
    }
    append_answer(program, false);
    return program;
}

bool can_filter(int cgroup) {
    bpf_attr query{};
    query.query.target_fd = static_cast<std::uint32_t>(cgroup);
    query.query.attach_type = BPF_CGROUP_DEVICE;
    return bpf(BPF_PROG_QUERY, query) == 0;
}

Status set_filter(int cgroup, const std::vector<DeviceRule>& rules) {
    const bool open = cgroup::allows_everything(rules);
    auto former = filters_of(cgroup);
    if (!former && open && former.error().code == Code::unsupported) return {};
    if (!former) return fail(former);
    std::size_t replaced = 0;
    if (!open) {
        const auto filter = load(assemble_filter(rules));
        if (!filter) return fail(filter);
        // In one step where the kernel can (5.6); before, both are in force for a moment.
        if (!former->empty() && attach(cgroup, *filter, &former->front()))
            replaced = 1;
        else if (!attach(cgroup, *filter, nullptr))
            return fail_errno(errno, "attach the device filter");
    }
    for (std::size_t at = replaced; at < former->size(); ++at)
        if (auto detached = detach(cgroup, (*former)[at]); !detached) return detached;
    return {};
}

} // namespace mydocker::cgroup_v2
