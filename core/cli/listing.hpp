// Lists of rows as --format asks for them: aligned columns, JSON, one object a line, or a template for
// each row. The verb names the fields and which of them are columns by default.
#pragma once

#include "base/json.hpp"
#include "cli/template.hpp"
#include "mydocker/result.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cli {

// A field of a row and what stands above its column.
struct Field {
    std::string_view name;
    std::string_view header;
};

// The help text of --format, the same for all.
inline constexpr const char* kFormatHelp =
    "table, json, or a template: '{{.FIELD}}', 'table {{.A}}\\t{{.B}}'";

class Listing {
  public:
    // Columns: names of fields, for the format that is given none.
    Listing(std::span<const Field> fields, std::span<const std::string_view> columns)
        : fields_(fields),
          columns_(columns.begin(), columns.end()) {}

    // "" and "table": the columns; "json"; "table TEMPLATE"; else a template. Errors: invalid, naming the
    // place.
    [[nodiscard]] Status set_format(const std::string& format);
    // Whether a template asks for the fields there are, so that one that does not is refused where there is
    // nothing to list, too. Errors: invalid, naming the place and the fields.
    [[nodiscard]] Status check_fields() const;

    // Whether -q has ids or names shown instead: a template or JSON says what else it wants.
    [[nodiscard]] bool is_plain() const { return is_plain_; }

    // Whether a field will be shown: what is not need not be found out.
    [[nodiscard]] bool shows(std::string_view field) const;
    // The same, but JSON asks for nothing by itself.
    [[nodiscard]] bool asks_for(std::string_view field) const;
    void add_column(std::string_view field) { columns_.push_back(field); }

    // A row: an object with every field, in alphabetical order, texts all. `methods`: see TemplateSetting.
    [[nodiscard]] Status add(const json::Value& row, const json::Value& methods = {});
    // What the rows so far make; for a table, with its header.
    [[nodiscard]] std::string text() const;

  private:
    enum class Style { table, json, each };

    [[nodiscard]] json::Value header_row() const;
    [[nodiscard]] std::vector<std::string> headers() const;

    std::span<const Field> fields_;
    std::vector<std::string_view> columns_;
    Style style_ = Style::table;
    bool is_plain_ = true;
    std::optional<Template> template_;
    std::vector<std::vector<std::string>> cells_; // of a table
    std::string lines_;
};

// What is wrong with a template, as the flag's error.
[[nodiscard]] std::unexpected<Error> format_error(const Error& error);

// One value as --format asks for it, with a newline: "json", or a template. `maps`: see TemplateSetting.
// Errors: invalid.
[[nodiscard]] Result<std::string> format_value(const std::string& format, const json::Value& value,
                                               std::span<const std::string_view> maps = {});

} // namespace mydocker::cli
