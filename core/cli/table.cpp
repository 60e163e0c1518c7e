// Output for people.
#include "cli/table.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace mydocker::cli {
namespace {

// Columns count characters, not bytes: continuation bytes of UTF-8 have no width.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool is_plain(std::string_view word) {
    constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,";
    return !word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos;
}

} // namespace

void Table::add(std::vector<std::string> row) {
    for (std::string& cell : row)
        cell = printable(cell);
    rows_.push_back(std::move(row));
}

std::string Table::text() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], width_of(row[i]));
    }
    std::string text;
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += row[i];
            if (i + 1 < row.size()) text.append(widths[i] - width_of(row[i]) + 3, ' ');
        }
        text += '\n';
    }
    return text;
}

std::string printable(std::string_view bytes) {
    return diag::visible(bytes, bytes.size());
}

std::string quote_command(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        if (!text.empty()) text += ' ';
        if (is_plain(word)) {
            text += word;
            continue;
        }
        text += '\'';
        for (const char c : word)
            text += c == '\'' ? std::string("'\\''") : std::string(1, c);
        text += '\'';
    }
    return printable(text);
}

std::string age(std::int64_t since_ns, std::int64_t now_ns) {
    const std::int64_t seconds = std::max<std::int64_t>(0, (now_ns - since_ns) / 1'000'000'000);
    struct Unit {
        std::int64_t seconds;
        std::string_view name;
    };
    constexpr std::array<Unit, 6> kUnits{{{31536000, "year"},
                                          {2592000, "month"},
                                          {86400, "day"},
                                          {3600, "hour"},
                                          {60, "minute"},
                                          {1, "second"}}};
    for (const Unit& unit : kUnits) {
        const std::int64_t count = seconds / unit.seconds;
        if (count > 0) return fmt::format("{} {}{}", count, unit.name, count == 1 ? "" : "s");
    }
    return "less than a second";
}

std::string human_size(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> kUnits{"B", "kB", "MB", "GB", "TB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1000 && unit + 1 < kUnits.size()) {
        value /= 1000;
        ++unit;
    }
    if (unit == 0) return fmt::format("{}B", bytes);
    return fmt::format("{:.3g}{}", value, kUnits[unit]);
}

std::string binary_size(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit)
        value /= 1024;
    return fmt::format("{:.4g}{}", value, kUnits[unit]);
}

std::string shorten(std::string text, std::size_t width) {
    if (width_of(text) <= width) return text;
    std::size_t bytes = 0;
    for (std::size_t seen = 0; bytes < text.size(); ++bytes) {
        const bool starts = (static_cast<unsigned char>(text[bytes]) & 0xC0U) != 0x80U;
        if (starts && seen++ == width - 1) break;
    }
    return text.substr(0, bytes) + "…";
}

} // namespace mydocker::cli
