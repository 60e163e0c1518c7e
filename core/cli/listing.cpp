// Lists of rows.
#include "cli/listing.hpp"

#include "cli/table.hpp"
#include "cli/template_functions.hpp"

#include <algorithm>

namespace mydocker::cli {
namespace {

constexpr std::string_view kTable = "table";

// Of a row in general.
TemplateSetting any_labels() {
    return {.methods = json::Object{{"Label", json::Value(json::Object{})}}};
}

std::vector<std::string> cells_of(std::string_view line) {
    std::vector<std::string> cells;
    for (;;) {
        const auto tab = line.find('\t');
        cells.emplace_back(line.substr(0, tab));
        if (tab == std::string_view::npos) return cells;
        line.remove_prefix(tab + 1);
    }
}

} // namespace

std::unexpected<Error> format_error(const Error& error) {
    return fail(error, "--format");
}

Status Listing::set_format(const std::string& format) {
    if (format.empty() || format == kTable) return {};
    is_plain_ = false;
    if (format == "json") {
        style_ = Style::json;
        return {};
    }
    std::string_view text = format;
    const bool is_table = text.starts_with("table ");
    if (is_table) text.remove_prefix(kTable.size() + 1);
    auto parsed = Template::parse(text);
    if (!parsed) return format_error(parsed.error());
    style_ = is_table ? Style::table : Style::each;
    template_ = std::move(*parsed);
    return {};
}

Status Listing::check_fields() const {
    if (!template_) return {};
    if (auto fine = template_->check(header_row(), any_labels()); !fine) return format_error(fine.error());
    return {};
}

bool Listing::shows(std::string_view field) const {
    return style_ == Style::json || asks_for(field);
}

bool Listing::asks_for(std::string_view field) const {
    if (template_) return template_->mentions(field);
    return style_ == Style::table && std::ranges::find(columns_, field) != columns_.end();
}

Status Listing::add(const json::Value& row, const json::Value& methods) {
    if (style_ == Style::json) {
        lines_ += json::dump(row) + "\n";
        return {};
    }
    if (!template_) {
        std::vector<std::string> cells;
        for (const std::string_view column : columns_) {
            const json::Value* value = row.find(column);
            cells.push_back(value != nullptr ? to_text(*value) : "");
        }
        cells_.push_back(std::move(cells));
        return {};
    }
    auto line = template_->run(row, {.methods = methods});
    if (!line) return format_error(line.error());
    if (style_ == Style::table)
        cells_.push_back(cells_of(*line));
    else
        lines_ += *line + "\n";
    return {};
}

json::Value Listing::header_row() const {
    json::Value row{json::Object{}};
    for (const Field& field : fields_)
        row.set(std::string(field.name), field.header);
    return row;
}

std::vector<std::string> Listing::headers() const {
    const json::Value row = header_row();
    if (template_) {
        auto line = template_->run(row, any_labels());
        return line ? cells_of(*line) : std::vector<std::string>{};
    }
    std::vector<std::string> headers;
    for (const std::string_view column : columns_) {
        const json::Value* header = row.find(column);
        headers.push_back(header != nullptr ? to_text(*header) : "");
    }
    return headers;
}

std::string Listing::text() const {
    if (style_ != Style::table) return lines_;
    Table table(headers());
    for (const auto& row : cells_)
        table.add(row);
    return table.text();
}

Result<std::string> format_value(const std::string& format, const json::Value& value,
                                 std::span<const std::string_view> maps) {
    if (format == "json") return json::dump(value) + "\n";
    auto parsed = Template::parse(format);
    if (!parsed) return format_error(parsed.error());
    auto text = parsed->run(value, {.maps = maps});
    if (!text) return format_error(text.error());
    return *text + "\n";
}

} // namespace mydocker::cli
