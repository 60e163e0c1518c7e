// The limits of source.hpp. A parser of nested values recurses, and a tree takes memory: a file of
// 1 MiB could hold half a million levels or values. So depth and number are counted first, by a scanner
// that knows of TOML only what strings and comments are. Source: TOML v1.0.0.
#include "config/source.hpp"

namespace mydocker::config {
namespace {

class LimitScanner {
  public:
    explicit LimitScanner(std::string_view text) : text_(text) {}

    // The limit that is exceeded; nothing: none is.
    [[nodiscard]] const char* scan() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '#')
                skip_comment();
            else if (c == '"' || c == '\'')
                skip_string(c);
            else if (const char* exceeded = count(c))
                return exceeded;
            else
                advance();
        }
        return nullptr;
    }

    [[nodiscard]] std::uint32_t line() const { return line_; }
    [[nodiscard]] std::uint32_t column() const { return column_; }

  private:
    [[nodiscard]] const char* count(char c) {
        if (c == '[' || c == '{') ++depth_;
        if ((c == ']' || c == '}') && depth_ > 0) --depth_;
        // A key may go on over blanks around its dots, but not over anything else.
        if (c == '.') ++dots_;
        if (c == '\n' || c == '=' || c == ',' || c == '[' || c == '{') dots_ = 0;
        if (c == '=' || c == ',' || c == '[' || c == '{') ++values_;
        if (depth_ > kMaxDepth || dots_ > kMaxDepth) return "nested too deeply";
        return values_ > kMaxValues ? "more than 20000 keys and elements" : nullptr;
    }

    void advance(std::size_t bytes = 1) {
        for (; bytes > 0 && at_ < text_.size(); --bytes, ++at_) {
            const auto byte = static_cast<unsigned char>(text_[at_]);
            if (byte == '\n') {
                ++line_;
                column_ = 1;
            } else if ((byte & 0xc0U) != 0x80U) { // not the rest of a character
                ++column_;
            }
        }
    }

    void skip_comment() {
        while (at_ < text_.size() && text_[at_] != '\n')
            advance();
    }

    // One that does not end is the parser's to complain of.
    void skip_string(char quote) {
        const std::string three(3, quote);
        const bool multi_line = text_.substr(at_).starts_with(three);
        const std::string_view end = multi_line ? std::string_view(three) : std::string_view(three).substr(2);
        advance(end.size());
        while (at_ < text_.size()) {
            if (text_.substr(at_).starts_with(end)) return advance(end.size());
            if (!multi_line && text_[at_] == '\n') return;
            advance(quote == '"' && text_[at_] == '\\' ? 2 : 1);
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::uint32_t line_ = 1;
    std::uint32_t column_ = 1;
    unsigned depth_ = 0;
    unsigned dots_ = 0;
    unsigned values_ = 0;
};

} // namespace

std::optional<Complaint> check_limits(std::string_view text, const std::string& path) {
    LimitScanner scanner(text);
    const char* exceeded = scanner.scan();
    if (exceeded == nullptr) return std::nullopt;
    return Complaint{
        .origin = {.source = Source::file, .name = path, .line = scanner.line(), .column = scanner.column()},
        .text = exceeded};
}

} // namespace mydocker::config
