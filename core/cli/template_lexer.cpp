// The words of an action.
#include "cli/template_lexer.hpp"

#include "cli/template_tree.hpp"

#include <cctype>
#include <optional>

namespace mydocker::cli {
namespace {

using Token = TemplateToken;

bool is_word_byte(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::optional<char> escaped(char c) {
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case '\\':
    case '"':
    case '\'':
        return c;
    default:
        return std::nullopt;
    }
}

class Lexer {
  public:
    Lexer(std::string_view inside, std::size_t begin) : text_(inside), begin_(begin) {}

    Result<std::vector<Token>> lex() {
        for (;;) {
            const bool glued = !skip_blanks();
            Token token;
            token.at = begin_ + at_;
            token.glued = glued;
            if (at_ < text_.size())
                if (auto read = read_token(token); !read) return fail(read);
            tokens_.push_back(token);
            if (token.kind == Token::Kind::end) return std::move(tokens_);
        }
    }

  private:
    bool skip_blanks() {
        const std::size_t before = at_;
        while (at_ < text_.size() && is_blank(text_[at_]))
            ++at_;
        return at_ > before;
    }

    std::string take_word() {
        const std::size_t from = at_;
        while (at_ < text_.size() && is_word_byte(text_[at_]))
            ++at_;
        return std::string(text_.substr(from, at_ - from));
    }

    Status read_token(Token& token) {
        const char c = text_[at_];
        const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        if (c == '"' || c == '`') return read_string(token, c);
        if (std::isdigit(static_cast<unsigned char>(c)) != 0 ||
            ((c == '-' || c == '+') && std::isdigit(static_cast<unsigned char>(next)) != 0))
            return read_number(token);
        if (c == '.' || c == '$') {
            ++at_;
            token.text = take_word();
            token.kind = c == '$'             ? Token::Kind::variable
                         : token.text.empty() ? Token::Kind::dot
                                              : Token::Kind::field;
            return {};
        }
        if (is_word_byte(c)) {
            token.kind = Token::Kind::word;
            token.text = take_word();
            return {};
        }
        return read_mark(token, c, next);
    }

    Status read_mark(Token& token, char c, char next) {
        token.kind = Token::Kind::mark;
        if (c == ':' && next == '=') {
            token.text = ":=";
        } else if (std::string_view("|(),=").find(c) != std::string_view::npos) {
            token.text = c;
        } else {
            return template_error(token.at, std::string("unexpected '") + c + "'");
        }
        at_ += token.text.size();
        return {};
    }

    Status read_string(Token& token, char quote) {
        token.kind = Token::Kind::string;
        for (++at_; at_ < text_.size(); ++at_) {
            char c = text_[at_];
            if (c == quote) {
                ++at_;
                return {};
            }
            if (c == '\\' && quote == '"' && at_ + 1 < text_.size()) {
                const auto meant = escaped(text_[++at_]);
                if (!meant)
                    return template_error(begin_ + at_ - 1,
                                          std::string("unknown escape '\\") + text_[at_] + "'");
                c = *meant;
            }
            token.text += c;
        }
        return template_error(token.at, "a string that does not end");
    }

    Status read_number(Token& token) {
        token.kind = Token::Kind::number;
        token.text = text_[at_++];
        while (at_ < text_.size() && (is_word_byte(text_[at_]) || text_[at_] == '.'))
            token.text += text_[at_++];
        return {};
    }

    std::string_view text_;
    std::size_t begin_;
    std::size_t at_ = 0;
    std::vector<Token> tokens_;
};

} // namespace

Result<std::vector<TemplateToken>> lex_action(std::string_view inside, std::size_t begin) {
    return Lexer(inside, begin).lex();
}

} // namespace mydocker::cli
