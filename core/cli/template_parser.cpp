// Text to a tree. The text is cut into pieces of text and actions first; actions that open and close
// blocks then make the tree.
#include "cli/template_functions.hpp"
#include "cli/template_lexer.hpp"
#include "cli/template_tree.hpp"

#include <algorithm>
#include <charconv>
#include <span>

namespace mydocker::cli {
namespace {

using Token = TemplateToken;

// Deep enough for anybody; the parser recurses.
constexpr int kMaxNesting = 64;

struct Piece {
    bool is_action = false;
    std::string text;          // of a text
    std::vector<Token> tokens; // of an action
    std::size_t at = 0;
};

// `\t` and `\n` as docker reads them.
std::string unescape(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        if (text[i] == '\\' && (next == 't' || next == 'n')) {
            plain += next == 't' ? '\t' : '\n';
            ++i;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

void trim_end(std::string& text) {
    while (!text.empty() && is_blank(text.back()))
        text.pop_back();
}

// Where the action that begins at `from` has its "}}"; strings are passed over.
std::size_t find_close(std::string_view text, std::size_t from) {
    char quote = '\0';
    for (std::size_t i = from; i < text.size(); ++i) {
        const char c = text[i];
        if (quote != '\0') {
            if (c == '\\' && quote == '"') ++i;
            if (c == quote) quote = '\0';
        } else if (c == '"' || c == '`') {
            quote = c;
        } else if (text.substr(i).starts_with("}}")) {
            return i;
        }
    }
    return std::string_view::npos;
}

class Cutter {
  public:
    explicit Cutter(std::string_view text) : text_(text) {}

    Result<std::vector<Piece>> cut() {
        while (at_ < text_.size()) {
            const std::size_t open = std::min(text_.find("{{", at_), text_.size());
            add_text(text_.substr(at_, open - at_));
            at_ = open;
            if (open == text_.size()) break;
            if (auto cut = cut_action(); !cut) return fail(cut);
        }
        return std::move(pieces_);
    }

  private:
    void add_text(std::string_view text) {
        if (trims_next_)
            while (!text.empty() && is_blank(text.front()))
                text.remove_prefix(1);
        trims_next_ = false;
        if (!text.empty()) pieces_.push_back({false, unescape(text), {}, at_});
    }

    Status cut_action() {
        const std::size_t open = at_;
        std::size_t begin = open + 2;
        const bool trims = begin + 1 < text_.size() && text_[begin] == '-' && is_blank(text_[begin + 1]);
        if (trims) {
            ++begin;
            if (!pieces_.empty() && !pieces_.back().is_action) trim_end(pieces_.back().text);
        }
        std::size_t word = begin;
        while (word < text_.size() && is_blank(text_[word]))
            ++word;
        if (text_.substr(word).starts_with("/*")) return skip_comment(open, word);
        const std::size_t close = find_close(text_, begin);
        if (close == std::string_view::npos) return template_error(open, "an action '{{' without its '}}'");
        const std::size_t end = end_of_inside(begin, close);
        auto tokens = lex_action(text_.substr(begin, end - begin), begin);
        if (!tokens) return fail(tokens);
        pieces_.push_back({true, {}, std::move(*tokens), open});
        at_ = close + 2;
        return {};
    }

    // Without the mark that trims what follows.
    std::size_t end_of_inside(std::size_t begin, std::size_t close) {
        trims_next_ = close >= begin + 2 && text_[close - 1] == '-' && is_blank(text_[close - 2]);
        return trims_next_ ? close - 1 : close;
    }

    Status skip_comment(std::size_t open, std::size_t begin) {
        const std::size_t end = text_.find("*/", begin + 2);
        const std::size_t close = end == std::string_view::npos ? end : text_.find("}}", end);
        if (close == std::string_view::npos) return template_error(open, "a comment that does not end");
        (void)end_of_inside(end, close);
        at_ = close + 2;
        return {};
    }

    std::string_view text_;
    std::size_t at_ = 0;
    bool trims_next_ = false;
    std::vector<Piece> pieces_;
};

// The tokens of one action, as a pipeline.
class PipelineParser {
  public:
    explicit PipelineParser(std::span<const Token> tokens) : tokens_(tokens) {}

    Result<tree::Pipeline> parse() {
        auto pipeline = parse_pipeline(0);
        if (!pipeline) return pipeline;
        if (next().kind != Token::Kind::end) return unexpected(next());
        return pipeline;
    }

  private:
    const Token& next(std::size_t ahead = 0) const {
        return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
    }
    bool is_mark(std::string_view mark, std::size_t ahead = 0) const {
        return next(ahead).kind == Token::Kind::mark && next(ahead).text == mark;
    }
    static std::unexpected<Error> unexpected(const Token& token) {
        if (token.kind == Token::Kind::end) return template_error(token.at, "something is missing");
        return template_error(token.at, "unexpected '" + token.text + "'");
    }

    Result<tree::Pipeline> parse_pipeline(int depth) {
        tree::Pipeline pipeline;
        pipeline.at = next().at;
        if (depth > kMaxNesting) return template_error(pipeline.at, "nested too deeply");
        take_variables(pipeline);
        for (;;) {
            tree::Command command;
            while (begins_operand()) {
                auto operand = parse_operand(depth);
                if (!operand) return fail(operand);
                command.words.push_back(std::move(*operand));
            }
            if (command.words.empty()) return unexpected(next());
            pipeline.commands.push_back(std::move(command));
            if (!is_mark("|")) return pipeline;
            ++at_;
        }
    }

    void take_variables(tree::Pipeline& pipeline) {
        if (next().kind != Token::Kind::variable || next().text.empty()) return;
        std::size_t count = 1;
        if (is_mark(",", 1) && next(2).kind == Token::Kind::variable) count = 3;
        const bool declares = is_mark(":=", count);
        if (!declares && !is_mark("=", count)) return;
        for (std::size_t i = 0; i < count; i += 2)
            pipeline.variables.push_back(next(i).text);
        pipeline.declares = declares;
        at_ += count + 1;
    }

    bool begins_operand() const {
        return next().kind != Token::Kind::end && (next().kind != Token::Kind::mark || is_mark("("));
    }

    Result<tree::Operand> parse_operand(int depth) {
        tree::Operand operand;
        const Token token = next();
        operand.at = token.at;
        ++at_;
        switch (token.kind) {
        case Token::Kind::string:
            operand.kind = tree::Operand::Kind::literal;
            operand.literal = token.text;
            return operand;
        case Token::Kind::number:
            return parse_number(token);
        case Token::Kind::word:
            return parse_word(token);
        case Token::Kind::dot:
            return operand;
        case Token::Kind::field:
            operand.fields.push_back(token.text);
            break;
        case Token::Kind::variable:
            operand.kind = tree::Operand::Kind::variable;
            operand.name = token.text;
            break;
        default: { // "("
            auto group = parse_pipeline(depth + 1);
            if (!group) return fail(group);
            if (!is_mark(")")) return template_error(token.at, "a '(' without its ')'");
            ++at_;
            operand.kind = tree::Operand::Kind::group;
            operand.group = std::move(*group);
        }
        }
        for (; next().kind == Token::Kind::field && next().glued; ++at_)
            operand.fields.push_back(next().text);
        return operand;
    }

    static Result<tree::Operand> parse_number(const Token& token) {
        tree::Operand operand;
        operand.kind = tree::Operand::Kind::literal;
        operand.at = token.at;
        const char* first = token.text.data() + (token.text.front() == '+' ? 1 : 0);
        const char* last = token.text.data() + token.text.size();
        std::int64_t whole = 0;
        double broken = 0;
        if (auto [end, error] = std::from_chars(first, last, whole); error == std::errc() && end == last)
            operand.literal = whole;
        else if (auto [end2, error2] = std::from_chars(first, last, broken);
                 error2 == std::errc() && end2 == last)
            operand.literal = broken;
        else
            return template_error(token.at, "'" + token.text + "' is no number");
        return operand;
    }

    static Result<tree::Operand> parse_word(const Token& token) {
        tree::Operand operand;
        operand.at = token.at;
        operand.kind = tree::Operand::Kind::literal;
        if (token.text == "true" || token.text == "false") {
            operand.literal = token.text == "true";
        } else if (token.text != "nil") {
            operand.kind = tree::Operand::Kind::function;
            operand.name = token.text;
            if (!is_function(token.text)) {
                auto unknown = call_function(token.text, {});
                return template_error(token.at, unknown.error().text);
            }
        }
        return operand;
    }

    std::span<const Token> tokens_;
    std::size_t at_ = 0;
};

// Pieces to nodes, block by block.
class TreeParser {
  public:
    explicit TreeParser(std::span<const Piece> pieces) : pieces_(pieces) {}

    Result<std::vector<tree::Node>> parse() {
        auto nodes = parse_list(0);
        if (!nodes) return nodes;
        if (at_ < pieces_.size())
            return template_error(pieces_[at_].at, "unexpected {{" + keyword(pieces_[at_]) + "}}");
        return nodes;
    }

  private:
    static std::string keyword(const Piece& piece) {
        if (!piece.is_action || piece.tokens.front().kind != Token::Kind::word) return {};
        return piece.tokens.front().text;
    }
    static Result<tree::Pipeline> pipeline_of(const Piece& piece, std::size_t skip) {
        return PipelineParser(std::span(piece.tokens).subspan(skip)).parse();
    }

    // Up to `end` or `else` of the block around it, or to the end of the template.
    Result<std::vector<tree::Node>> parse_list(int depth) {
        std::vector<tree::Node> nodes;
        for (; at_ < pieces_.size(); ++at_) {
            const Piece& piece = pieces_[at_];
            const std::string word = keyword(piece);
            if (word == "end" || word == "else") break;
            auto node = parse_node(piece, word, depth);
            if (!node) return fail(node);
            nodes.push_back(std::move(*node));
        }
        return nodes;
    }

    Result<tree::Node> parse_node(const Piece& piece, const std::string& word, int depth) {
        tree::Node node;
        node.text = piece.text;
        if (!piece.is_action) return node;
        if (word == "if") return parse_block(tree::Node::Kind::choice, 1, depth);
        if (word == "range") return parse_block(tree::Node::Kind::range, 1, depth);
        if (word == "with") return parse_block(tree::Node::Kind::with, 1, depth);
        for (const std::string_view unknown : {"define", "template", "block", "break", "continue"})
            if (word == unknown) return template_error(piece.at, "{{" + word + "}} is not supported");
        node.kind = tree::Node::Kind::output;
        auto pipeline = pipeline_of(piece, 0);
        if (!pipeline) return fail(pipeline);
        node.pipeline = std::move(*pipeline);
        return node;
    }

    // `skip`: how many words stand before the pipeline: 1 for "if", 2 for "else if".
    Result<tree::Node> parse_block(tree::Node::Kind kind, std::size_t skip, int depth) {
        const Piece& opening = pieces_[at_];
        if (depth > kMaxNesting) return template_error(opening.at, "nested too deeply");
        tree::Node node;
        node.kind = kind;
        auto pipeline = pipeline_of(opening, skip);
        if (!pipeline) return fail(pipeline);
        node.pipeline = std::move(*pipeline);
        ++at_;
        auto body = parse_list(depth + 1);
        if (!body) return fail(body);
        node.body = std::move(*body);
        if (auto closed = parse_else(node, opening, depth); !closed) return fail(closed);
        return node;
    }

    Status parse_else(tree::Node& node, const Piece& opening, int depth) {
        if (at_ >= pieces_.size())
            return template_error(opening.at, "{{" + keyword(opening) + "}} without its {{end}}");
        const Piece& piece = pieces_[at_];
        if (keyword(piece) == "end") return {};
        if (piece.tokens.size() > 2 && piece.tokens[1].kind == Token::Kind::word &&
            piece.tokens[1].text == "if") {
            // Its own `end` is the end of all.
            auto nested = parse_block(tree::Node::Kind::choice, 2, depth + 1);
            if (!nested) return fail(nested);
            node.otherwise.push_back(std::move(*nested));
            return {};
        }
        ++at_;
        auto otherwise = parse_list(depth + 1);
        if (!otherwise) return fail(otherwise);
        node.otherwise = std::move(*otherwise);
        if (at_ >= pieces_.size() || keyword(pieces_[at_]) != "end")
            return template_error(opening.at, "{{" + keyword(opening) + "}} without its {{end}}");
        return {};
    }

    std::span<const Piece> pieces_;
    std::size_t at_ = 0;
};

} // namespace

std::unexpected<Error> template_error(std::size_t at, const std::string& text) {
    return fail(Code::invalid, "character " + std::to_string(at + 1) + ": " + text);
}

Result<std::vector<tree::Node>> parse_template(std::string_view text) {
    auto pieces = Cutter(text).cut();
    if (!pieces) return fail(pieces);
    return TreeParser(*pieces).parse();
}

} // namespace mydocker::cli
