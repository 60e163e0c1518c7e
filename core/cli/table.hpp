// Output for people: tables with aligned columns, ages, sizes, quoted commands. Text from images and
// containers is hostile: control bytes are shown, never sent to a terminal.
#pragma once

#include "base/diag_text.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cli {

class Table {
  public:
    explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}

    // Whatever a cell holds is made printable: it may come by a template from a label.
    void add(std::vector<std::string> row);
    // Columns two blanks apart, the last one unpadded, each row with a newline.
    [[nodiscard]] std::string text() const;

  private:
    std::vector<std::vector<std::string>> rows_;
};

// On one line: what a terminal would obey, what turns the direction of writing and bytes that are no UTF-8 as
// \n, \x1b, \u009b… Again: the same.
[[nodiscard]] std::string printable(std::string_view bytes);
// Words as a shell would take them back, control bytes shown.
[[nodiscard]] std::string quote_command(const std::vector<std::string>& words);
// "5 seconds", "3 minutes", "2 hours", "4 days"…
[[nodiscard]] std::string age(std::int64_t since_ns, std::int64_t now_ns);
// "4.26MB", decimal, as docker shows image sizes.
[[nodiscard]] std::string human_size(std::uint64_t bytes);
// "4.06MiB", binary, as docker shows memory.
[[nodiscard]] std::string binary_size(std::uint64_t bytes);
using diag::timestamp;
// At most `width` characters, with "…" where it was cut.
[[nodiscard]] std::string shorten(std::string text, std::size_t width);

} // namespace mydocker::cli
