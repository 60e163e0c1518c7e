// Writes tar archives byte by byte, hostile ones too: nothing is checked, every field can lie. For
// tests only.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::test {

// One entry; what is not set is ordinary.
struct TarSpec {
    std::string path{};
    char type = '0';
    std::string content{};
    std::string link{};
    std::uint32_t mode = 0644;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int64_t mtime = 1'000'000'000;
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::vector<std::pair<std::string, std::string>> pax{}; // records in front of the entry
    std::string magic = std::string("ustar\0"
                                    "00",
                                    8);
    std::int64_t size = -1; // what the header says; -1: the truth
    bool break_checksum = false;
};

class TarMaker {
  public:
    TarMaker& add(const TarSpec& spec) {
        if (!spec.pax.empty()) {
            TarSpec header;
            header.path = "PaxHeaders/x";
            header.type = 'x';
            for (const auto& [key, value] : spec.pax)
                header.content += pax_record(key, value);
            header.magic = spec.magic;
            add(header);
        }
        bytes_ += block(spec);
        return add_padded(spec.content);
    }
    TarMaker& file(std::string path, std::string content, std::uint32_t mode = 0644) {
        return add({.path = std::move(path), .content = std::move(content), .mode = mode});
    }
    TarMaker& directory(std::string path, std::uint32_t mode = 0755) {
        return add({.path = std::move(path), .type = '5', .mode = mode});
    }
    TarMaker& symlink(std::string path, std::string target) {
        return add({.path = std::move(path), .type = '2', .link = std::move(target), .mode = 0777});
    }
    TarMaker& hard_link(std::string path, std::string target) {
        return add({.path = std::move(path), .type = '1', .link = std::move(target)});
    }
    TarMaker& raw(std::string_view bytes) {
        bytes_ += bytes;
        return *this;
    }
    TarMaker& add_padded(std::string_view bytes) {
        bytes_ += bytes;
        bytes_.append((512 - bytes.size() % 512) % 512, '\0');
        return *this;
    }

    // With the two blocks of zeros that end an archive.
    [[nodiscard]] std::string finish() const { return bytes_ + std::string(1024, '\0'); }
    [[nodiscard]] const std::string& unfinished() const { return bytes_; }

    [[nodiscard]] static std::string pax_record(const std::string& key, const std::string& value) {
        const std::size_t bare = key.size() + value.size() + 3;
        std::size_t length = bare + std::to_string(bare).size();
        length = bare + std::to_string(length).size();
        return std::to_string(length) + " " + key + "=" + value + "\n";
    }

    [[nodiscard]] static std::string block(const TarSpec& spec) {
        std::string header(512, '\0');
        const auto put = [&](std::size_t at, std::size_t size, std::string_view text) {
            header.replace(at, std::min(size, text.size()), text.substr(0, size));
        };
        put(0, 100, spec.path);
        put(100, 8, octal(spec.mode, 7));
        put(108, 8, octal(spec.uid, 7));
        put(116, 8, octal(spec.gid, 7));
        const auto size = static_cast<std::uint64_t>(spec.size);
        put(124, 12, octal(spec.size < 0 ? spec.content.size() : size, 11));
        put(136, 12, octal(static_cast<std::uint64_t>(std::max<std::int64_t>(spec.mtime, 0)), 11));
        header[156] = spec.type;
        put(157, 100, spec.link);
        put(257, 8, spec.magic);
        put(329, 8, octal(spec.device_major, 7));
        put(337, 8, octal(spec.device_minor, 7));
        put(148, 8, "        ");
        unsigned sum = 0;
        for (const char c : header)
            sum += static_cast<unsigned char>(c);
        if (spec.break_checksum) ++sum;
        put(148, 8, octal(sum, 6) + std::string("\0 ", 2));
        return header;
    }

  private:
    [[nodiscard]] static std::string octal(std::uint64_t value, int digits) {
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%0*llo", digits, static_cast<unsigned long long>(value));
        return text.data();
    }

    std::string bytes_;
};

} // namespace mydocker::test
