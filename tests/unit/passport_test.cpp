// Files that are no plugins, or not whole ones, each refused in words and without running any of them.
// The rows are made here, mostly by changing single bytes of a good plugin.
#include "plugin/passport.hpp"
#include "support/plugin_dir.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <elf.h>
#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <vector>

namespace {

using namespace mydocker;
using plugin::Kind;
using plugin::read_passport;

template <class T>
void put(std::string& bytes, std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

template <class T>
T get(const std::string& bytes, std::size_t at) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

const std::string& good_plugin() {
    static const std::string bytes = test::content_of(MYDOCKER_FIXTURE_DIR "/log-c-lines.so");
    return bytes;
}

// Where our note begins in the file.
std::size_t note_at(const std::string& bytes) {
    const std::string_view owner("mydocker\0\0\0\0", 12);
    return bytes.find(owner) - offsetof(md_note, owner);
}

class PassportFile : public ::testing::Test {
  protected:
    // The words for a file with these bytes, without the path.
    [[nodiscard]] std::string words(std::string_view bytes) const {
        const std::string path = directory_ / "storage-x.so";
        test::write_text(path, bytes);
        return words_of(path);
    }
    [[nodiscard]] static std::string words_of(const std::string& path) {
        auto passport = read_passport(path);
        if (passport) return "fine";
        const std::string text = describe(passport.error());
        const std::string name = "plugin '" + path + "' ";
        return text.starts_with(name) ? text.substr(name.size()) : text;
    }

    test::TempDir directory_;
};

TEST_F(PassportFile, SaysWhatThePluginIs) {
    auto passport = read_passport(MYDOCKER_FIXTURE_DIR "/log-c-lines.so");

    ASSERT_TRUE(passport) << describe(passport.error());
    EXPECT_EQ(passport->kind, Kind::log);
    EXPECT_EQ(passport->abi_major, std::uint32_t{MD_ABI_MAJOR});
    EXPECT_EQ(passport->name, "c-lines");
    EXPECT_EQ(passport->version, "1.2.3");
    EXPECT_EQ(passport->vendor, "the tests");
    EXPECT_EQ(passport->summary, "a log sink in C");
    EXPECT_EQ(passport->url, "https://example.org");
}

TEST_F(PassportFile, HasTheOptionsWithTypesDefaultsAndHelp) {
    auto passport = read_passport(MYDOCKER_FIXTURE_DIR "/storage-echo.so");

    ASSERT_TRUE(passport) << describe(passport.error());
    ASSERT_EQ(passport->options.size(), 7U);
    EXPECT_STREQ(passport->options[0].key, "truth");
    EXPECT_EQ(passport->options[0].type, OptionType::boolean);
    EXPECT_STREQ(passport->options[5].default_value, "10m");
    EXPECT_EQ(passport->options[6].type, OptionType::duration);
    EXPECT_STREQ(passport->options[6].help, "a duration");
}

TEST_F(PassportFile, OptionsOutliveCopiesOfThePassport) {
    std::vector<OptionSpec> options;
    std::shared_ptr<const std::vector<char>> texts;
    {
        auto passport = read_passport(MYDOCKER_FIXTURE_DIR "/storage-echo.so");
        options = passport.value().options;
        texts = passport.value().texts;
    }

    EXPECT_STREQ(options[3].default_value, "a b");
}

// --- C1: no regular file ----------------------------------------------------------------------------------

TEST_F(PassportFile, OtherThanRegularIsRefusedWithoutHanging) {
    const std::string fifo = directory_ / "storage-fifo.so";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    const std::string socket_path = directory_ / "storage-socket.so";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const std::string link = directory_ / "storage-link.so";
    std::filesystem::create_symlink(MYDOCKER_FIXTURE_DIR "/storage-echo.so", link);

    EXPECT_EQ(words_of(fifo), "is not a regular file");
    EXPECT_EQ(words_of(socket_path), "is not a regular file");
    EXPECT_EQ(words_of("/dev/null"), "is not a regular file");
    EXPECT_EQ(words_of(directory_.path()), "is not a regular file");
    EXPECT_EQ(words_of(link), "is a symbolic link; put the file itself there");
    EXPECT_EQ(words_of(directory_ / "storage-none.so"),
              "open plugin '" + directory_ / "storage-none.so" + "': No such file or directory (ENOENT)");
}

// --- C2 to C5: changed bytes
// ---------------------------------------------------------------------------------

struct Row {
    const char* name;
    std::function<void(std::string&)> change;
    std::string_view words;
};
std::ostream& operator<<(std::ostream& out, const Row& row) {
    return out << row.name;
}

class PassportRows : public PassportFile, public ::testing::WithParamInterface<Row> {};

TEST_P(PassportRows, AreRefusedInWords) {
    std::string bytes = good_plugin();
    GetParam().change(bytes);

    EXPECT_EQ(words(bytes), GetParam().words);
}

// Changes the first program header of a type.
template <class Change>
void change_segment(std::string& bytes, std::uint32_t type, Change change) {
    const auto at = get<std::uint64_t>(bytes, offsetof(Elf64_Ehdr, e_phoff));
    for (std::size_t i = 0; i < get<std::uint16_t>(bytes, offsetof(Elf64_Ehdr, e_phnum)); ++i) {
        auto segment = get<Elf64_Phdr>(bytes, at + i * sizeof(Elf64_Phdr));
        if (segment.p_type != type) continue;
        change(segment);
        put(bytes, at + i * sizeof(Elf64_Phdr), segment);
        return;
    }
}

constexpr std::string_view kDamagedPassport = "has a damaged passport";
constexpr std::string_view kNoDescriptor = "has no mydocker descriptor (is it a mydocker plugin?)";

void put_passport(std::string& bytes, std::size_t field, std::uint32_t value) {
    put(bytes, note_at(bytes) + sizeof(md_note) + field, value);
}

INSTANTIATE_TEST_SUITE_P(
    C, PassportRows,
    ::testing::Values(
        Row{"Empty", [](std::string& b) { b.clear(); }, "is not an ELF shared object"},
        Row{"Text", [](std::string& b) { b = "#!/bin/sh\necho storage\n"; }, "is not an ELF shared object"},
        Row{"Html", [](std::string& b) { b = std::string(5000, '<'); }, "is not an ELF shared object"},
        Row{"Class32", [](std::string& b) { b[EI_CLASS] = ELFCLASS32; },
            "is for a 32-bit machine; this machine is x86-64"},
        Row{"BigEndian", [](std::string& b) { b[EI_DATA] = ELFDATA2MSB; },
            "is for a big-endian machine; this machine is x86-64"},
        Row{"OtherMachine",
            [](std::string& b) { put<std::uint16_t>(b, offsetof(Elf64_Ehdr, e_machine), EM_AARCH64); },
            "is for aarch64; this machine is x86-64"},
        Row{"Program", [](std::string& b) { put<std::uint16_t>(b, offsetof(Elf64_Ehdr, e_type), ET_EXEC); },
            "is a program, not a shared object"},
        Row{"Object", [](std::string& b) { put<std::uint16_t>(b, offsetof(Elf64_Ehdr, e_type), ET_REL); },
            "is not a shared object"},
        Row{"NoSegments", [](std::string& b) { put<std::uint16_t>(b, offsetof(Elf64_Ehdr, e_phnum), 0); },
            "has damaged program headers"},
        Row{"ManySegments",
            [](std::string& b) { put<std::uint16_t>(b, offsetof(Elf64_Ehdr, e_phnum), 0xffff); },
            "has damaged program headers"},
        Row{"Interpreter",
            [](std::string& b) { change_segment(b, PT_NOTE, [](Elf64_Phdr& s) { s.p_type = PT_INTERP; }); },
            "is a program, not a shared object"},
        Row{"NoDynamicSection",
            [](std::string& b) { change_segment(b, PT_DYNAMIC, [](Elf64_Phdr& s) { s.p_type = PT_NULL; }); },
            "has no dynamic section"},
        Row{"HugeDynamicSection",
            [](std::string& b) {
                b.resize(std::size_t{1} << 20U);
                change_segment(b, PT_DYNAMIC, [](Elf64_Phdr& s) { s.p_filesz = 70000; });
            },
            "has a damaged dynamic section"},
        Row{"NoNoteSegment",
            [](std::string& b) { change_segment(b, PT_NOTE, [](Elf64_Phdr& s) { s.p_type = PT_NULL; }); },
            kNoDescriptor},
        Row{"OtherOwner", [](std::string& b) { b[note_at(b) + offsetof(md_note, owner)] = 'M'; },
            kNoDescriptor},
        Row{"OtherNoteType",
            [](std::string& b) { put<std::uint32_t>(b, note_at(b) + offsetof(md_note, type), 2); },
            kNoDescriptor},
        Row{"NoteBeyondSegment",
            [](std::string& b) {
                put<std::uint32_t>(b, note_at(b) + offsetof(md_note, descriptor_size), 0xfffffff0);
            },
            kNoDescriptor},
        Row{"NoteTooSmall",
            [](std::string& b) { put<std::uint32_t>(b, note_at(b) + offsetof(md_note, descriptor_size), 8); },
            kDamagedPassport},
        Row{"TextsCutOff",
            [](std::string& b) {
                put<std::uint32_t>(b, note_at(b) + offsetof(md_note, descriptor_size), 60);
            },
            kDamagedPassport},
        Row{"SizeTooSmall", [](std::string& b) { put_passport(b, offsetof(md_passport, size), 16); },
            kDamagedPassport},
        Row{"SizeTooLarge", [](std::string& b) { put_passport(b, offsetof(md_passport, size), 1U << 31U); },
            kDamagedPassport},
        Row{"KindZero", [](std::string& b) { put_passport(b, offsetof(md_passport, kind), 0); },
            kDamagedPassport},
        Row{"KindUnknown", [](std::string& b) { put_passport(b, offsetof(md_passport, kind), 99); },
            kDamagedPassport},
        Row{"ManyOptions",
            [](std::string& b) { put_passport(b, offsetof(md_passport, option_count), 0xffffffff); },
            kDamagedPassport},
        Row{"ManyTexts",
            [](std::string& b) { put_passport(b, offsetof(md_passport, plugin_texts), 0xffffffff); },
            kDamagedPassport},
        Row{"FewTexts", [](std::string& b) { put_passport(b, offsetof(md_passport, plugin_texts), 3); },
            kDamagedPassport},
        Row{"NameWithSlash",
            [](std::string& b) { b[note_at(b) + sizeof(md_note) + sizeof(md_passport) + 1] = '/'; },
            kDamagedPassport}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(PassportFile, TruncatedAnywhereIsNeverTakenForWhole) {
    const std::string& bytes = good_plugin();
    for (std::size_t size = 512; size < bytes.size(); size += 512) {
        const std::string said = words(std::string_view(bytes).substr(0, size));

        EXPECT_TRUE(
            said.starts_with("is not a complete ELF shared object (file " + std::to_string(size) + " B"))
            << size << ": " << said;
    }
}

TEST_F(PassportFile, TruncatedAndWithoutSectionsIsFoundByItsSegments) {
    std::string bytes = good_plugin();
    put<std::uint64_t>(bytes, offsetof(Elf64_Ehdr, e_shoff), 0);
    put<std::uint16_t>(bytes, offsetof(Elf64_Ehdr, e_shnum), 0);
    std::uint64_t end = 0;
    change_segment(bytes, PT_DYNAMIC,
                   [&](const Elf64_Phdr& segment) { end = segment.p_offset + segment.p_filesz; });

    EXPECT_EQ(words(bytes), "fine");
    EXPECT_TRUE(words(std::string_view(bytes).substr(0, static_cast<std::size_t>(end) - 1))
                    .starts_with("is not a complete ELF shared object"));
}

TEST_F(PassportFile, ProgramsAreNoPlugins) {
    EXPECT_EQ(words_of(std::filesystem::canonical("/proc/self/exe")), "is a program, not a shared object");
}

TEST_F(PassportFile, LibraryThatIsNoPluginIsTold) {
    EXPECT_EQ(words_of(MYDOCKER_FIXTURE_DIR "/storage-nopass.so"), kNoDescriptor);
}

TEST_F(PassportFile, OtherMajorIsReadAndRefusedWithBothVersions) {
    std::string bytes = good_plugin();
    put_passport(bytes, offsetof(md_passport, abi_major), 2);
    const std::string path = directory_ / "log-c-lines.so";
    test::write_text(path, bytes);

    auto passport = read_passport(path);
    ASSERT_TRUE(passport) << describe(passport.error());
    auto abi = check_abi(*passport, path);

    ASSERT_FALSE(abi);
    EXPECT_EQ(abi.error().code, Code::unsupported);
    EXPECT_EQ(abi.error().text, "plugin '" + path +
                                    "' needs ABI 2.0; this engine offers 1.0; install a newer "
                                    "mydocker, or rebuild it with the SDK of this one");
}

TEST_F(PassportFile, NewerMinorIsWelcome) {
    auto passport = read_passport(MYDOCKER_FIXTURE_DIR "/log-c-newer.so");

    ASSERT_TRUE(passport) << describe(passport.error());
    EXPECT_EQ(passport->abi_minor, MD_ABI_MINOR + 1U);
    EXPECT_TRUE(check_abi(*passport, "x"));
}

// Random damage: whatever it says, it must come back, and never read outside the file (sanitizers watch).
TEST_F(PassportFile, DamagedHeadersNeverCrash) {
    std::mt19937 random(20241123); // Fixed: a failure must be repeatable.
    const std::string path = directory_ / "log-x.so";
    std::size_t refused = 0;
    for (int round = 0; round < test::repeats(3000); ++round) {
        std::string bytes = good_plugin();
        for (int i = 0; i < 3; ++i)
            bytes[random() % 1024] = static_cast<char>(random());
        test::write_text(path, bytes);
        if (!read_passport(path)) ++refused;
    }

    EXPECT_GT(refused, 0U);
}

} // namespace
