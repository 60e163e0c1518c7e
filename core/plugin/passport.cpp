// Bounded reading of ELF: nothing is believed before it is known to lie inside the file.
// Source: elf(5); System V ABI, chapters 4 and 5.
#include "plugin/passport.hpp"

#include "mydocker/support/files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <span>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mydocker::plugin {
namespace {

constexpr std::size_t kMaxProgramHeaders = 128;
constexpr std::size_t kMaxSections = 4096;
constexpr std::size_t kMaxNotes = 256U << 10U;
constexpr std::size_t kMaxDynamic = 4096;

struct KindNames {
    std::string_view word;
    std::string_view phrase;
};
constexpr std::array<KindNames, 7> kKinds = {{{"storage", "storage driver"},
                                              {"cgroup", "cgroup backend"},
                                              {"log", "log sink"},
                                              {"state", "state store"},
                                              {"network", "network driver"},
                                              {"volume", "volume driver"},
                                              {"image", "image source"}}};

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#elif defined(__riscv)
constexpr unsigned kMachine = EM_RISCV;
#elif defined(__powerpc64__)
constexpr unsigned kMachine = EM_PPC64;
#else
#error "name this machine's ELF number"
#endif
static_assert(sizeof(void*) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the checks below expect a 64-bit little-endian machine");

std::string machine_name(unsigned machine) {
    switch (machine) {
    case EM_X86_64:
        return "x86-64";
    case EM_386:
        return "i386";
    case EM_AARCH64:
        return "aarch64";
    case EM_ARM:
        return "arm";
    case EM_RISCV:
        return "riscv";
    case EM_PPC64:
        return "ppc64";
    case EM_S390:
        return "s390";
    default:
        return "machine " + std::to_string(machine);
    }
}

// One open plugin file. The head is read once: headers and notes nearly always lie in it.
class File {
  public:
    File(UniqueFd fd, std::string path, std::uint64_t size)
        : fd_(std::move(fd)),
          path_(std::move(path)),
          size_(size) {}

    [[nodiscard]] std::uint64_t size() const { return size_; }

    [[nodiscard]] std::unexpected<Error> bad(Code code, std::string_view what) const {
        return fail(code, "plugin '" + path_ + "' " + std::string(what));
    }
    [[nodiscard]] std::unexpected<Error> incomplete(std::uint64_t needed) const {
        return bad(Code::corrupt, "is not a complete ELF shared object (file " + std::to_string(size_) +
                                      " B, needs " + std::to_string(needed) + " B)");
    }

    [[nodiscard]] Status read_head() {
        head_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size_, 4096)));
        return read_into(0, head_);
    }

    // Whether [offset, offset + count) lies in the file.
    [[nodiscard]] Status inside(std::uint64_t offset, std::uint64_t count) const {
        if (offset <= size_ && count <= size_ - offset) return {};
        return incomplete(offset > UINT64_MAX - count ? UINT64_MAX : offset + count);
    }

    // Bytes of the file, `count` bounded by the caller.
    [[nodiscard]] Result<std::string> read(std::uint64_t offset, std::uint64_t count) const {
        if (auto there = inside(offset, count); !there) return fail(there);
        if (offset + count <= head_.size())
            return head_.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(count));
        std::string bytes(static_cast<std::size_t>(count), '\0');
        if (auto done = read_into(offset, bytes); !done) return fail(done);
        return bytes;
    }

    template <class T>
    [[nodiscard]] Result<std::vector<T>> read_array(std::uint64_t offset, std::size_t count) const {
        auto bytes = read(offset, count * sizeof(T));
        if (!bytes) return fail(bytes);
        std::vector<T> items(count);
        if (count > 0) std::memcpy(items.data(), bytes->data(), count * sizeof(T));
        return items;
    }

  private:
    [[nodiscard]] Status read_into(std::uint64_t offset, std::string& bytes) const {
        std::size_t done = 0;
        while (done < bytes.size()) {
            const ssize_t count = ::pread(fd_.get(), bytes.data() + done, bytes.size() - done,
                                          static_cast<off_t>(offset + done));
            if (count < 0) {
                const int error = errno;
                if (error == EINTR) continue;
                return fail_errno(error, "read plugin '" + path_ + "'");
            }
            if (count == 0) return incomplete(offset + bytes.size()); // It shrank meanwhile.
            done += static_cast<std::size_t>(count);
        }
        return {};
    }

    UniqueFd fd_;
    std::string path_;
    std::uint64_t size_;
    std::string head_;
};

Result<File> open_file(const std::string& path) {
    // O_NONBLOCK: a FIFO must not hang us.
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY));
    if (!fd) {
        const int error = errno;
        if (error == ELOOP)
            return fail(Code::denied, "plugin '" + path + "' is a symbolic link; put the file itself there");
        if (error == ENXIO || error == ENODEV)
            return fail(Code::invalid, "plugin '" + path + "' is not a regular file");
        return fail_errno(error, "open plugin '" + path + "'");
    }
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "stat plugin '" + path + "'");
    if (!S_ISREG(status.st_mode)) return fail(Code::invalid, "plugin '" + path + "' is not a regular file");
    File file(std::move(fd), path, static_cast<std::uint64_t>(status.st_size));
    if (auto head = file.read_head(); !head) return fail(head);
    return file;
}

Result<Elf64_Ehdr> read_header(const File& file) {
    auto ident = file.read(0, std::min<std::uint64_t>(file.size(), EI_NIDENT));
    if (!ident) return fail(ident);
    if (!ident->starts_with(ELFMAG)) return file.bad(Code::invalid, "is not an ELF shared object");
    auto headers = file.read_array<Elf64_Ehdr>(0, 1);
    if (!headers) return fail(headers);
    const Elf64_Ehdr header = headers->front();
    if (header.e_ident[EI_CLASS] != ELFCLASS64)
        return file.bad(Code::unsupported,
                        "is for a 32-bit machine; this machine is " + machine_name(kMachine));
    if (header.e_ident[EI_DATA] != ELFDATA2LSB)
        return file.bad(Code::unsupported,
                        "is for a big-endian machine; this machine is " + machine_name(kMachine));
    if (header.e_machine != kMachine)
        return file.bad(Code::unsupported, "is for " + machine_name(header.e_machine) + "; this machine is " +
                                               machine_name(kMachine));
    if (header.e_type == ET_EXEC) return file.bad(Code::invalid, "is a program, not a shared object");
    if (header.e_type != ET_DYN) return file.bad(Code::invalid, "is not a shared object");
    return header;
}

// Every segment lies in the file.
Result<std::vector<Elf64_Phdr>> read_segments(const File& file, const Elf64_Ehdr& header) {
    if (header.e_phnum == 0 || header.e_phnum > kMaxProgramHeaders ||
        header.e_phentsize != sizeof(Elf64_Phdr))
        return file.bad(Code::corrupt, "has damaged program headers");
    auto segments = file.read_array<Elf64_Phdr>(header.e_phoff, header.e_phnum);
    if (!segments) return fail(segments);
    for (const Elf64_Phdr& segment : *segments) {
        if (auto there = file.inside(segment.p_offset, segment.p_filesz); !there) return fail(there);
        if (segment.p_type == PT_INTERP) return file.bad(Code::invalid, "is a program, not a shared object");
    }
    return segments;
}

// Every section lies in the file; a file may have none.
Status check_sections(const File& file, const Elf64_Ehdr& header) {
    if (header.e_shoff == 0 || header.e_shnum == 0) return {};
    if (header.e_shnum > kMaxSections || header.e_shentsize != sizeof(Elf64_Shdr))
        return file.bad(Code::corrupt, "has damaged section headers");
    auto sections = file.read_array<Elf64_Shdr>(header.e_shoff, header.e_shnum);
    if (!sections) return fail(sections);
    for (const Elf64_Shdr& section : *sections)
        if (section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL)
            if (auto there = file.inside(section.sh_offset, section.sh_size); !there) return there;
    return {};
}

// A position-independent program is ET_DYN as well; the linker marks it (a static one has no PT_INTERP).
Status check_not_program(const File& file, std::span<const Elf64_Phdr> segments) {
    for (const Elf64_Phdr& segment : segments) {
        if (segment.p_type != PT_DYNAMIC) continue;
        const auto count = static_cast<std::size_t>(segment.p_filesz / sizeof(Elf64_Dyn));
        if (count > kMaxDynamic) return file.bad(Code::corrupt, "has a damaged dynamic section");
        auto entries = file.read_array<Elf64_Dyn>(segment.p_offset, count);
        if (!entries) return fail(entries);
        for (const Elf64_Dyn& entry : *entries) {
            if (entry.d_tag == DT_NULL) break;
            if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_PIE) != 0)
                return file.bad(Code::invalid, "is a program, not a shared object");
        }
        return {};
    }
    return file.bad(Code::corrupt, "has no dynamic section");
}

// The descriptor of our note among the notes of one segment; nothing when it is not there.
std::optional<std::string> find_note(std::string_view notes, std::size_t align) {
    const auto padded = [&](std::uint64_t size) { return (size + align - 1) / align * align; };
    while (notes.size() >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note{};
        std::memcpy(&note, notes.data(), sizeof note);
        notes.remove_prefix(sizeof note);
        const std::uint64_t owner_size = padded(note.n_namesz);
        if (owner_size > notes.size() || note.n_descsz > notes.size() - owner_size) return std::nullopt;
        const std::string_view owner = notes.substr(0, note.n_namesz);
        const std::string_view descriptor = notes.substr(static_cast<std::size_t>(owner_size), note.n_descsz);
        if (note.n_type == MD_NOTE_PASSPORT && owner == std::string_view("mydocker", sizeof "mydocker"))
            return std::string(descriptor);
        notes.remove_prefix(static_cast<std::size_t>(
            std::min<std::uint64_t>(owner_size + padded(note.n_descsz), notes.size())));
    }
    return std::nullopt;
}

Result<std::string> read_note(const File& file, std::span<const Elf64_Phdr> segments) {
    for (const Elf64_Phdr& segment : segments) {
        if (segment.p_type != PT_NOTE || segment.p_filesz > kMaxNotes) continue;
        auto notes = file.read(segment.p_offset, segment.p_filesz);
        if (!notes) return fail(notes);
        if (auto note = find_note(*notes, segment.p_align == 8 ? 8 : 4)) return *std::move(note);
    }
    return file.bad(Code::invalid, "has no mydocker descriptor (is it a mydocker plugin?)");
}

// Takes NUL-terminated texts from the note, one after the other.
class Texts {
  public:
    explicit Texts(std::string_view rest) : rest_(rest) {}

    // Null: there are no more. The pointer is into the note.
    [[nodiscard]] const char* next() {
        const auto end = rest_.find('\0');
        if (end == std::string_view::npos) return nullptr;
        const char* text = rest_.data();
        rest_.remove_prefix(end + 1);
        return text;
    }

    // The first `wanted` of `count` texts, the rest (of a later ABI) skipped.
    template <std::size_t wanted>
    [[nodiscard]] std::optional<std::array<const char*, wanted>> take(std::uint32_t count) {
        std::array<const char*, wanted> taken{};
        for (std::uint32_t i = 0; i < count; ++i) {
            const char* text = next();
            if (text == nullptr) return std::nullopt;
            if (i < wanted) taken[i] = text;
        }
        if (count < wanted) return std::nullopt;
        return taken;
    }

  private:
    std::string_view rest_;
};

std::optional<OptionSpec> to_spec(const std::array<const char*, 4>& texts) {
    const std::string_view number(texts[0]);
    std::uint32_t type = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), type);
    if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
    if (type < MD_OPTION_BOOLEAN || type > MD_OPTION_DURATION || *texts[1] == '\0') return std::nullopt;
    return OptionSpec{texts[1], static_cast<OptionType>(type), texts[2], texts[3]};
}

Result<Passport> parse_note(const File& file, std::shared_ptr<const std::vector<char>> note) {
    md_passport head{};
    const auto damaged = [&] { return file.bad(Code::corrupt, "has a damaged passport"); };
    if (note->size() < sizeof head) return damaged();
    std::memcpy(&head, note->data(), sizeof head);
    if (head.size < sizeof head || head.size > note->size()) return damaged();
    Passport passport;
    passport.texts = std::move(note);
    Texts texts(std::string_view(passport.texts->data(), passport.texts->size()).substr(head.size));
    const auto said = texts.take<5>(head.plugin_texts);
    if (!said || !is_plugin_name((*said)[0]) || head.kind == 0 || head.kind > kKinds.size()) return damaged();
    passport.kind = static_cast<Kind>(head.kind);
    passport.abi_major = head.abi_major;
    passport.abi_minor = head.abi_minor;
    passport.name = (*said)[0];
    passport.version = (*said)[1];
    passport.vendor = (*said)[2];
    passport.summary = (*said)[3];
    passport.url = (*said)[4];
    if (head.abi_major != MD_ABI_MAJOR) return passport;
    for (std::uint32_t i = 0; i < head.option_count; ++i) {
        const auto option = texts.take<4>(head.option_texts);
        const auto spec = option ? to_spec(*option) : std::nullopt;
        if (!spec) return damaged();
        passport.options.push_back(*spec);
    }
    return passport;
}

} // namespace

std::string_view kind_word(Kind kind) {
    return kKinds.at(static_cast<std::size_t>(kind) - 1).word;
}

std::string_view kind_phrase(Kind kind) {
    return kKinds.at(static_cast<std::size_t>(kind) - 1).phrase;
}

std::optional<Kind> parse_kind(std::string_view word) {
    for (std::size_t i = 0; i < kKinds.size(); ++i)
        if (kKinds[i].word == word) return static_cast<Kind>(i + 1);
    return std::nullopt;
}

bool is_plugin_name(std::string_view name) {
    const auto letter_or_digit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (name.empty() || name.size() > 64 || !letter_or_digit(name.front())) return false;
    return std::ranges::all_of(name, [&](char c) { return letter_or_digit(c) || c == '-' || c == '_'; });
}

Result<Passport> read_passport(const std::string& path) {
    auto file = open_file(path);
    if (!file) return fail(file);
    auto header = read_header(*file);
    if (!header) return fail(header);
    auto segments = read_segments(*file, *header);
    if (!segments) return fail(segments);
    if (auto whole = check_sections(*file, *header); !whole) return fail(whole);
    if (auto library = check_not_program(*file, *segments); !library) return fail(library);
    auto note = read_note(*file, *segments);
    if (!note) return fail(note);
    return parse_note(*file, std::make_shared<const std::vector<char>>(note->begin(), note->end()));
}

Status check_abi(const Passport& passport, const std::string& path) {
    if (passport.abi_major == MD_ABI_MAJOR) return {};
    const auto version = [](std::uint32_t major, std::uint32_t minor) {
        return std::to_string(major) + "." + std::to_string(minor);
    };
    const std::string_view remedy =
        passport.abi_major < MD_ABI_MAJOR
            ? "; rebuild it with the SDK of this engine"
            : "; install a newer mydocker, or rebuild it with the SDK of this one";
    return fail(Code::unsupported,
                "plugin '" + path + "' needs ABI " + version(passport.abi_major, passport.abi_minor) +
                    "; this engine offers " + version(MD_ABI_MAJOR, MD_ABI_MINOR) + std::string(remedy));
}

} // namespace mydocker::plugin
