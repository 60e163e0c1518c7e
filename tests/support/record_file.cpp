#include "support/record_file.hpp"

#include "support/support.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace mydocker::test {
namespace {

// Adler-32. Source: RFC 1950, section 8.2.
std::uint32_t checksum(const std::string& bytes) {
    std::uint32_t low = 1;
    std::uint32_t high = 0;
    for (const char byte : bytes) {
        low = (low + static_cast<unsigned char>(byte)) % 65521;
        high = (high + low) % 65521;
    }
    return high << 16U | low;
}

std::string hex(std::uint32_t value) {
    std::array<char, 9> digits{};
    (void)std::snprintf(digits.data(), digits.size(), "%08x", value);
    return digits.data();
}

// Where the value begins that follows `key`, which is spelled with its punctuation.
std::size_t behind(const std::string& text, const std::string& key) {
    const auto at = text.find(key);
    if (at == std::string::npos) throw std::runtime_error("no " + key + " in " + text);
    return at + key.size();
}

} // namespace

RecordFile::RecordFile(const std::string& root, std::string id)
    : id_(std::move(id)),
      path_(root + "/state/json-file/records/" + id_) {}

std::string RecordFile::bytes() const {
    return content_of(path_);
}

std::string RecordFile::document() const {
    const std::string all = bytes();
    return all.substr(all.find('\n') + 1);
}

void RecordFile::set_bytes(const std::string& bytes) const {
    write_text(path_, bytes);
}

void RecordFile::set_document(const std::string& document, const std::string& name) const {
    std::string head = bytes();
    head.resize(head.find(",\"size\":"));
    if (!name.empty()) {
        const std::size_t begin = behind(head, "\"name\":\"");
        head.replace(begin, head.find('"', begin) - begin, name);
    }
    head += ",\"size\":" + std::to_string(document.size());
    const std::string sum = hex(checksum(head + document));
    set_bytes(head + ",\"sum\":\"" + sum + "\"}\n" + document);
}

void RecordFile::replace(const std::string& piece, const std::string& by) const {
    std::string text = document();
    const std::size_t end = behind(text, piece);
    set_document(text.replace(end - piece.size(), piece.size(), by));
}

void RecordFile::set_member(const std::string& key, const std::string& json) const {
    std::string text = document();
    const std::size_t begin = behind(text, "\"" + key + "\":");
    const std::size_t end =
        text[begin] == '"' ? text.find('"', begin + 1) + 1 : text.find_first_of(",}", begin);
    set_document(text.replace(begin, end - begin, json));
}

} // namespace mydocker::test
