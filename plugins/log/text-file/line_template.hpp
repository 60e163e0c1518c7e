// The template of a line in a text-file log: parsed once, rendered around each message. Pure.
//
//   {time}     2006-01-02T15:04:05.000000000Z        {message}  the record's bytes, as they are
//   {stream}   stdout, stderr or diagnostic          {level}    info; error for stderr
//   {id}       the container's id, 12 digits         {full_id}  all 64
//   {name}     its name                              {image}    its image, as the user named it
//   {{ and }}  a brace
#pragma once

#include "mydocker/log_sink.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::text_file {

class LineTemplate {
  public:
    // Errors: invalid, naming the placeholder or what else is wrong: control characters, a brace that
    // does not match, {message} missing or there twice.
    [[nodiscard]] static Result<LineTemplate> parse(std::string_view text);

    // The same template with what the stream says about the container filled in.
    [[nodiscard]] LineTemplate bound_to(const StreamInfo& info) const;

    // What stands before and behind the message of a record.
    void append_before(std::string& out, const LogRecord& record) const { append(out, before_, record); }
    void append_behind(std::string& out, const LogRecord& record) const { append(out, behind_, record); }

  private:
    enum class Field : std::uint32_t { text, time, stream, level, id, full_id, name, image, message };

    struct Part {
        Field field = Field::text;
        std::string text;
    };

    struct Known {
        std::string_view name;
        Field field;
    };
    static const std::vector<Known>& known();

    [[nodiscard]] Status add_field(std::string_view name);
    [[nodiscard]] std::vector<Part>& current() { return has_message_ ? behind_ : before_; }
    void add_text(char c);
    static void append(std::string& out, const std::vector<Part>& parts, const LogRecord& record);

    std::vector<Part> before_;
    std::vector<Part> behind_;
    bool has_message_ = false;
};

// "2006-01-02T15:04:05.000000000Z"
[[nodiscard]] std::string time_to_text(std::int64_t time_ns);

} // namespace mydocker::text_file
