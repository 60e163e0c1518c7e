// A record of the state store "json-file" as a file: what a bad disk, another version or somebody with a
// text editor would do to it. The layout is drawn in plugins/state/json-file/record.hpp.
#pragma once

#include <string>

namespace mydocker::test {

class RecordFile {
  public:
    RecordFile(const std::string& root, std::string id);

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string bytes() const;
    [[nodiscard]] std::string document() const;
    void set_bytes(const std::string& bytes) const;

    // Writes a file that is sound as a file: length and sum fit, whatever the document says. Empty: the
    // name stays.
    void set_document(const std::string& document, const std::string& name = {}) const;
    // Exchanges one piece of the document. Throws std::runtime_error when it is not there.
    void replace(const std::string& piece, const std::string& by) const;
    // Exchanges the value of a member, wherever in the document its name comes first.
    void set_member(const std::string& key, const std::string& json) const;

  private:
    std::string id_;
    std::string path_;
};

} // namespace mydocker::test
