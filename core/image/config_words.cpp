#include "image/config_words.hpp"

#include "base/environment.hpp"
#include "base/json.hpp"

#include <cctype>

namespace mydocker::image {

namespace {

constexpr int kMaxDepth = 16; // of ${A:-${B:-…}}

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Of a variable that is not set: nothing.
std::string_view value_of(const std::vector<std::string>& variables, std::string_view name) {
    return environment::find(variables, name).value_or(std::string_view());
}

// Reads one text from its front.
class Reader {
  public:
    Reader(std::string_view text, const std::vector<std::string>& environment, int depth)
        : text_(text),
          environment_(environment),
          depth_(depth) {}

    void skip_blanks() {
        while (!text_.empty() && is_blank(text_.front()))
            text_.remove_prefix(1);
    }
    [[nodiscard]] bool at_end() const { return text_.empty(); }

    enum class Until { blank, end };

    // A word; what parts it from the next one stays.
    [[nodiscard]] Result<std::string> word(Until until) {
        std::string word;
        while (!text_.empty() && !(until == Until::blank && is_blank(text_.front()))) {
            const char c = take();
            Status done;
            if (c == '\'') {
                done = take_single(word);
            } else if (c == '"') {
                done = take_double(word);
            } else if (c == '\\' && !text_.empty()) {
                word += take();
            } else if (c == '$') {
                done = take_variable(word);
            } else {
                word += c;
            }
            if (!done) return fail(done);
        }
        return word;
    }

  private:
    char take() {
        const char c = text_.front();
        text_.remove_prefix(1);
        return c;
    }

    Status take_single(std::string& to) {
        const auto end = text_.find('\'');
        if (end == std::string_view::npos) return fail(Code::invalid, "a quote is not closed");
        to += text_.substr(0, end);
        text_.remove_prefix(end + 1);
        return {};
    }

    Status take_double(std::string& to) {
        while (!text_.empty()) {
            const char c = take();
            if (c == '"') return {};
            if (c == '\\' && !text_.empty() &&
                std::string_view("\"$\\").find(text_.front()) != std::string_view::npos) {
                to += take();
            } else if (c == '$') {
                if (auto done = take_variable(to); !done) return done;
            } else {
                to += c;
            }
        }
        return fail(Code::invalid, "a quote is not closed");
    }

    std::string_view take_name() {
        std::size_t size = 0;
        while (size < text_.size() && is_name(text_[size]))
            ++size;
        const std::string_view name = text_.substr(0, size);
        text_.remove_prefix(size);
        return name;
    }

    Status take_variable(std::string& to) {
        if (text_.empty() || (text_.front() != '{' && !is_name(text_.front()))) {
            to += '$';
            return {};
        }
        if (text_.front() != '{') {
            to += value_of(environment_, take_name());
            return {};
        }
        take();
        return take_braced(to);
    }

    // "NAME}", "NAME:-word}", "NAME:+word}".
    Status take_braced(std::string& to) {
        const std::string_view name = take_name();
        const std::string_view value = value_of(environment_, name);
        const auto end = closing_brace();
        if (name.empty() || end == std::string_view::npos)
            return fail(Code::invalid, "a ${ has no name, or is not closed");
        const std::string_view modifier = text_.substr(0, end);
        text_.remove_prefix(end + 1);
        if (modifier.empty()) {
            to += value;
            return {};
        }
        const bool otherwise = modifier.starts_with(":-");
        if (!otherwise && !modifier.starts_with(":+"))
            return fail(Code::invalid, "${" + std::string(name) + std::string(modifier) +
                                           "} is not known; there are ${NAME:-word} and ${NAME:+word}");
        if (depth_ == kMaxDepth) return fail(Code::invalid, "variables stand in one another too deeply");
        if (otherwise && !value.empty()) to += value;
        if (otherwise != value.empty()) return {};
        auto word = Reader(modifier.substr(2), environment_, depth_ + 1).word(Until::end);
        if (!word) return fail(word);
        to += *word;
        return {};
    }

    [[nodiscard]] std::size_t closing_brace() const {
        int open = 1;
        for (std::size_t i = 0; i < text_.size(); ++i) {
            if (text_[i] == '{') ++open;
            if (text_[i] == '}' && --open == 0) return i;
        }
        return std::string_view::npos;
    }

    std::string_view text_;
    const std::vector<std::string>& environment_;
    int depth_;
};

} // namespace

Result<std::vector<std::string>> split_words(std::string_view text,
                                             const std::vector<std::string>& environment) {
    Reader reader(text, environment, 0);
    std::vector<std::string> words;
    for (reader.skip_blanks(); !reader.at_end(); reader.skip_blanks()) {
        auto word = reader.word(Reader::Until::blank);
        if (!word) return fail(word);
        words.push_back(std::move(*word));
    }
    return words;
}

Result<std::string> expand_word(std::string_view text, const std::vector<std::string>& environment) {
    return Reader(text, environment, 0).word(Reader::Until::end);
}

std::optional<std::vector<std::string>> exec_form(std::string_view text) {
    if (!text.starts_with('[')) return std::nullopt;
    const auto value = json::parse(text);
    const json::Array* list = value ? value->if_array() : nullptr;
    if (list == nullptr) return std::nullopt;
    std::vector<std::string> words;
    for (const json::Value& item : *list) {
        const std::string* word = item.if_string();
        if (word == nullptr) return std::nullopt;
        words.push_back(*word);
    }
    return words;
}

} // namespace mydocker::image
