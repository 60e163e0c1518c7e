// Reading a file that would not run, for the reason.
#include "runtime/init_diagnose.hpp"

#include "base/sys.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::runtime::init {
namespace {

// A name out of a file, fit for a message: control characters as ^M.
std::string visible(std::string_view text) {
    constexpr std::size_t kLongest = 256;
    std::string shown = "'";
    for (const char c : text.substr(0, kLongest)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            shown += '^';
            shown += static_cast<char>(byte ^ 0x40U);
        } else {
            shown += c;
        }
    }
    return shown + "'";
}

std::string octal(unsigned mode) {
    std::string digits;
    for (unsigned shift = 9; shift <= 9; shift -= 3)
        digits += static_cast<char>('0' + (mode >> shift & 7U));
    return digits;
}

Diagnosis say(Code code, std::string text, int exit_code, int sys_errno = 0) {
    return {Error{code, sys_errno, std::move(text)}, exit_code};
}

// The beginning of a file, and its size.
struct Head {
    std::string bytes;
    std::uint64_t size = 0;
    UniqueFd fd;
};

std::optional<Head> read_head(const std::string& path) {
    auto fd = sys::openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!fd) return std::nullopt;
    auto status = sys::fstat(fd->get());
    if (!status) return std::nullopt;
    Head head;
    head.bytes.resize(512);
    auto count = sys::pread(fd->get(), head.bytes, 0);
    if (!count) return std::nullopt;
    head.bytes.resize(*count);
    head.size = static_cast<std::uint64_t>(status->st_size);
    head.fd = std::move(*fd);
    return head;
}

// The program that the "#!" line asks for, without its argument; as the kernel reads it: a CR belongs to it.
std::optional<std::string> interpreter_of_script(std::string_view bytes) {
    if (!bytes.starts_with("#!")) return std::nullopt;
    bytes.remove_prefix(2);
    bytes = bytes.substr(0, bytes.find('\n'));
    const auto begin = std::min(bytes.find_first_not_of(" \t"), bytes.size());
    bytes.remove_prefix(begin);
    return std::string(bytes.substr(0, bytes.find_first_of(" \t")));
}

struct Elf {
    bool wide = true;
    bool little = true;
    unsigned machine = EM_NONE;
    std::string loader; // empty: none, or out of reach
    std::uint64_t needs = 0;
};

template <class Header, class Segment>
void read_segments(const Head& head, Elf& elf) {
    Header header{};
    if (head.bytes.size() < sizeof header) {
        elf.needs = sizeof header;
        return;
    }
    std::memcpy(&header, head.bytes.data(), sizeof header);
    elf.machine = header.e_machine;
    elf.needs = std::uint64_t{header.e_phoff} + std::uint64_t{header.e_phnum} * sizeof(Segment);
    constexpr unsigned kMostSegments = 128;
    for (unsigned i = 0; i < std::min<unsigned>(header.e_phnum, kMostSegments); ++i) {
        std::array<char, sizeof(Segment)> bytes{};
        Segment segment{};
        const auto at = static_cast<off_t>(header.e_phoff + i * sizeof segment);
        auto count = sys::pread(head.fd.get(), bytes, at);
        if (!count || *count != bytes.size()) return;
        std::memcpy(&segment, bytes.data(), sizeof segment);
        if (segment.p_type != PT_INTERP || segment.p_filesz == 0 || segment.p_filesz > PATH_MAX) continue;
        std::string loader(segment.p_filesz, '\0');
        count = sys::pread(head.fd.get(), loader, static_cast<off_t>(segment.p_offset));
        if (count && *count == loader.size()) elf.loader = loader.substr(0, loader.find('\0'));
        return;
    }
}

std::optional<Elf> read_elf(const Head& head) {
    if (!head.bytes.starts_with(ELFMAG) || head.bytes.size() < EI_NIDENT) return std::nullopt;
    Elf elf;
    elf.wide = head.bytes[EI_CLASS] == ELFCLASS64;
    elf.little = head.bytes[EI_DATA] == ELFDATA2LSB;
    if (!elf.little) { // Only the machine can be told.
        const std::size_t at = offsetof(Elf64_Ehdr, e_machine);
        if (head.bytes.size() > at + 1)
            elf.machine = static_cast<unsigned char>(head.bytes[at]) * 256U +
                          static_cast<unsigned char>(head.bytes[at + 1]);
        return elf;
    }
    if (elf.wide)
        read_segments<Elf64_Ehdr, Elf64_Phdr>(head, elf);
    else
        read_segments<Elf32_Ehdr, Elf32_Phdr>(head, elf);
    return elf;
}

std::string machine_name(const Elf& elf) {
    constexpr struct {
        unsigned machine;
        const char* name;
    } kMachines[] = {
        {EM_X86_64, "amd64"}, {EM_AARCH64, "arm64"}, {EM_386, "386"},
        {EM_ARM, "arm"},      {EM_PPC64, "ppc64"},   {EM_S390, "s390x"},
        {EM_MIPS, "mips"},    {EM_RISCV, "riscv64"}, {258, "loong64"},
    };
    for (const auto& row : kMachines)
        if (row.machine == elf.machine)
            return std::string(row.name) + (elf.machine == EM_PPC64 && elf.little ? "le" : "");
    return "machine " + std::to_string(elf.machine);
}

#if defined(__x86_64__)
constexpr unsigned kOurMachine = EM_X86_64;
constexpr const char* kOurName = "amd64";
#elif defined(__aarch64__)
constexpr unsigned kOurMachine = EM_AARCH64;
constexpr const char* kOurName = "arm64";
#endif

// ENOENT, or ENOTDIR on the way.
Diagnosis not_there(const std::string& path, int error) {
    const std::string name = visible(path);
    auto status = sys::fstatat(AT_FDCWD, path, 0);
    if (!status) {
        if (error == ENOTDIR)
            return say(Code::not_found, name + ": a part of it is not a directory", kNotFound);
        auto target = sys::readlinkat(AT_FDCWD, path);
        if (target)
            return say(Code::not_found, name + " is a link to " + visible(*target) + ", which does not exist",
                       kNotFound);
        return say(Code::not_found, name + " does not exist in the container", kNotFound);
    }
    const auto head = read_head(path);
    if (head) {
        if (auto asked = interpreter_of_script(head->bytes)) {
            const bool windows = asked->ends_with('\r');
            const std::string text = name + ": its first line asks for " + visible(*asked);
            if (windows) return say(Code::invalid, text + ": Windows line ends", kCannotBeInvoked);
            return say(Code::not_found, text + ", which does not exist in the container", kNotFound);
        }
        if (auto elf = read_elf(*head); elf && !elf->loader.empty())
            return say(Code::not_found,
                       name + " needs the loader " + visible(elf->loader) + ", which is not in the image",
                       kNotFound);
    }
    return say(Code::not_found, name + ": something that it needs to start does not exist", kNotFound, error);
}

// The first directory on the way that may not be searched.
std::optional<std::string> closed_directory(const std::string& path) {
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        auto status = sys::fstatat(AT_FDCWD, path.substr(0, slash + 1) + ".", 0);
        if (!status && status.error().sys_errno == EACCES) return path.substr(0, slash);
    }
    return std::nullopt;
}

std::optional<std::string> why_not_executable(const std::string& path) {
    auto status = sys::fstatat(AT_FDCWD, path, 0);
    if (!status) return std::nullopt;
    if (S_ISDIR(status->st_mode)) return "is a directory";
    if (!S_ISREG(status->st_mode)) return "is not a regular file";
    const std::string mode = "(mode " + octal(status->st_mode & 07777U) + ")";
    if ((status->st_mode & 0111) == 0) return "is not executable " + mode;
    auto fd = sys::openat(AT_FDCWD, path, O_PATH);
    if (fd && sys::fstatfs_noexec(fd->get()).value_or(false)) return "is on a filesystem mounted noexec";
    return "is not executable for this user " + mode;
}

Diagnosis not_allowed(const std::string& path) {
    const std::string name = visible(path);
    if (auto closed = closed_directory(path))
        return say(Code::denied, name + ": no search permission on " + visible(*closed), kCannotBeInvoked);
    auto status = sys::fstatat(AT_FDCWD, path, 0);
    const bool plain = status && S_ISREG(status->st_mode) && (status->st_mode & 0111) != 0;
    if (const auto head = plain ? read_head(path) : std::nullopt) {
        if (auto asked = interpreter_of_script(head->bytes)) {
            auto of = sys::fstatat(AT_FDCWD, *asked, 0);
            const bool to_blame = of && (S_ISDIR(of->st_mode) || (of->st_mode & 0111) == 0);
            if (to_blame)
                return say(Code::denied,
                           name + ": its first line asks for " + visible(*asked) + ", which " +
                               why_not_executable(*asked).value_or("cannot be executed"),
                           kCannotBeInvoked);
        }
    }
    if (auto why = why_not_executable(path)) return say(Code::denied, name + " " + *why, kCannotBeInvoked);
    return say(Code::denied, "execute " + name, kCannotBeInvoked, EACCES);
}

Diagnosis no_program(const std::string& path) {
    const std::string name = visible(path);
    const auto head = read_head(path);
    if (!head) return say(Code::invalid, name + " is not a program", kCannotBeInvoked, ENOEXEC);
    if (head->bytes.empty()) return say(Code::invalid, name + " is an empty file", kCannotBeInvoked, ENOEXEC);
    if (interpreter_of_script(head->bytes))
        return say(Code::invalid, name + ": its first line names no interpreter", kCannotBeInvoked, ENOEXEC);
    const auto elf = read_elf(*head);
    if (!elf) {
        const bool is_elf = head->bytes.starts_with(ELFMAG);
        return say(Code::invalid,
                   name + (is_elf ? " is a damaged program" : " is not a program: it has no \"#!\" line"),
                   kCannotBeInvoked, ENOEXEC);
    }
    if (elf->machine != EM_NONE && (elf->machine != kOurMachine || !elf->little))
        return say(Code::unsupported,
                   name + " is for " + machine_name(*elf) + "; this machine is " + kOurName +
                       " (no binfmt handler)",
                   kCannotBeInvoked);
    if (elf->needs > head->size)
        return say(Code::invalid,
                   name + " is a damaged program: it has " + std::to_string(head->size) +
                       " bytes and needs " + std::to_string(elf->needs),
                   kCannotBeInvoked, ENOEXEC);
    return say(Code::invalid, name + " is a damaged program", kCannotBeInvoked, ENOEXEC);
}

} // namespace

Diagnosis diagnose(const std::string& path, int error, std::size_t command_bytes) {
    const std::string name = visible(path);
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return not_there(path, error);
    case EACCES:
        return not_allowed(path);
    case ENOEXEC:
        return no_program(path);
    case EPERM:
        return say(Code::denied, "execute " + name + ": denied, perhaps by the seccomp profile",
                   kCannotBeInvoked, error);
    case E2BIG:
        return say(Code::invalid,
                   "execute " + name + ": arguments and environment take " + std::to_string(command_bytes) +
                       " bytes",
                   kCannotBeInvoked, error);
    case ETXTBSY:
        return say(Code::busy, "execute " + name + ": it is open for writing", kCannotBeInvoked, error);
    case ELIBBAD:
        return say(Code::invalid, "execute " + name + ": its loader is damaged", kCannotBeInvoked, error);
    case ELOOP:
        return say(Code::invalid, "execute " + name + ": too many links, or interpreters of interpreters",
                   kCannotBeInvoked, error);
    default:
        return say(code_from_errno(error), "execute " + name, kCannotBeInvoked, error);
    }
}

} // namespace mydocker::runtime::init
