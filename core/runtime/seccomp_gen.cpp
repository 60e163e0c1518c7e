// Build tool: looks up the numbers of the calls in seccomp_table.cpp for each architecture the filter has to
// know, and writes them as C++ for seccomp.cpp. Usage: seccomp_gen OUTPUT. The only user of libseccomp; the
// programs themselves do without.
#include "runtime/seccomp_table.hpp"

#include <seccomp.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace mydocker::runtime {
namespace {

// One table of numbers: an audit architecture, with all that comes under it.
struct Abi {
    std::string audit;                 // the constant's name
    std::vector<std::uint32_t> arches; // libseccomp's tokens
};

// What the kernel on this machine can run. x32 calls carry AUDIT_ARCH_X86_64 and a bit in the number.
std::vector<Abi> abis() {
#if defined(__x86_64__)
    return {{"AUDIT_ARCH_X86_64", {SCMP_ARCH_X86_64, SCMP_ARCH_X32}}, {"AUDIT_ARCH_I386", {SCMP_ARCH_X86}}};
#elif defined(__aarch64__)
    return {{"AUDIT_ARCH_AARCH64", {SCMP_ARCH_AARCH64}}, {"AUDIT_ARCH_ARM", {SCMP_ARCH_ARM}}};
#else
#error "add this architecture: its audit names, and where clone has its flags"
#endif
}

struct Call {
    std::string name;
    CallRule rule = CallRule::absent;
    std::uint64_t capabilities = 0;
};

using CallsByName = std::map<std::string, Call>;
using CallsByNumber = std::map<std::uint32_t, Call>;

CallsByName read_table() {
    CallsByName calls;
    for (const CallGroup& group : call_groups()) {
        std::istringstream names{std::string(group.names)};
        for (std::string name; names >> name;) {
            if (calls.emplace(name, Call{name, group.rule, group.capabilities}).second) continue;
            std::cerr << "seccomp_gen: '" << name << "' is in two groups\n";
            std::exit(1);
        }
    }
    return calls;
}

// The numbers that may be calls: the ordinary ones, and arm's own.
std::vector<std::uint32_t> candidates(std::uint32_t arch) {
    constexpr std::uint32_t kHighest = 1023;
    constexpr std::uint32_t kX32Bit = 0x40000000;
    constexpr std::uint32_t kArmFirst = 0x0f0001;
    constexpr std::uint32_t kArmLast = 0x0f0006;
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t number = 0; number <= kHighest; ++number)
        numbers.push_back(arch == SCMP_ARCH_X32 ? number | kX32Bit : number);
    for (std::uint32_t number = kArmFirst; arch == SCMP_ARCH_ARM && number <= kArmLast; ++number)
        numbers.push_back(number);
    return numbers;
}

// From number to name, not the other way: some names of i386 have a number and a place in socketcall or
// ipc, and the library answers with the latter.
void add_known(CallsByNumber& numbered, const CallsByName& calls, std::uint32_t arch) {
    struct Free {
        void operator()(char* text) const { std::free(text); }
    };
    for (const std::uint32_t number : candidates(arch)) {
        const std::unique_ptr<char, Free> name(
            seccomp_syscall_resolve_num_arch(arch, static_cast<int>(number)));
        if (!name) continue;
        const auto call = calls.find(name.get());
        if (call != calls.end()) {
            numbered.emplace(number, call->second);
        } else {
            // A newer kernel's call: absent, until somebody has decided.
            std::cerr << "seccomp_gen: note: '" << name.get() << "' is not in the table\n";
        }
    }
}

void add_recent(CallsByNumber& numbered, const CallsByName& calls, std::uint32_t arch) {
    constexpr std::uint32_t kX32Bit = 0x40000000;
    for (const RecentCall& recent : recent_calls()) {
        if (recent.x86_64_only && arch != SCMP_ARCH_X86_64) continue;
        const Call& call = calls.at(std::string(recent.name));
        const std::uint32_t number = arch == SCMP_ARCH_X32 ? recent.number | kX32Bit : recent.number;
        const auto [at, added] = numbered.emplace(number, call);
        if (added || at->second.name == call.name) continue;
        std::cerr << "seccomp_gen: number " << number << " is both '" << call.name << "' and '"
                  << at->second.name << "'\n";
        std::exit(1);
    }
}

const char* word(CallRule rule) {
    switch (rule) {
    case CallRule::allow:
        return "allow";
    case CallRule::deny:
        return "deny";
    case CallRule::absent:
        return "absent";
    case CallRule::clone:
        return "clone";
    case CallRule::personality:
        return "personality";
    case CallRule::socket:
        return "socket";
    case CallRule::ioctl:
        return "ioctl";
    }
    std::abort();
}

// One text of all names, a NUL behind each; and where each begins.
std::map<std::string, std::size_t> write_names(std::ostringstream& text, const CallsByName& calls) {
    std::map<std::string, std::size_t> places;
    std::size_t next = 0;
    text << "constexpr char kCallNames[] =\n";
    for (const auto& [name, call] : calls) {
        text << "    \"" << name << "\\0\"\n";
        places[name] = next;
        next += name.size() + 1;
    }
    text << "    ;\n";
    return places;
}

std::string numbers_of(const Abi& abi, const CallsByName& calls,
                       const std::map<std::string, std::size_t>& names) {
    CallsByNumber numbered;
    for (const std::uint32_t arch : abi.arches) {
        add_known(numbered, calls, arch);
        add_recent(numbered, calls, arch);
    }
    std::ostringstream text;
    text << "constexpr NumberedCall k_" << abi.audit << "[] = {\n";
    for (const auto& [number, call] : numbered)
        text << "    {0x" << std::hex << number << ", CallRule::" << word(call.rule) << ", 0x"
             << call.capabilities << ", 0x" << names.at(call.name) << "}, // " << call.name << "\n";
    text << "};\n";
    return text.str();
}

int generate(const char* output) {
    const CallsByName calls = read_table();
    std::ostringstream text;
    text << "// Made by seccomp_gen from seccomp_table.cpp.\n";
    const auto names = write_names(text, calls);
    for (const Abi& abi : abis())
        text << numbers_of(abi, calls, names);
    text << "constexpr Abi kAbis[] = {\n";
    for (const Abi& abi : abis())
        text << "    {" << abi.audit << ", k_" << abi.audit << "},\n";
    text << "};\n";
    std::ofstream file(output);
    file << text.str();
    file.close();
    if (file) return 0;
    std::cerr << "seccomp_gen: cannot write '" << output << "'\n";
    return 1;
}

} // namespace
} // namespace mydocker::runtime

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: seccomp_gen OUTPUT\n";
        return 2;
    }
    return mydocker::runtime::generate(argv[1]);
}
