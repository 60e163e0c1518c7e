// Strict reading of a JSON document: every complaint names the member ("linux.resources.memory.limit"), and
// the first one stands. For spec*.cpp alone.
#pragma once

#include "base/json.hpp"
#include "mydocker/result.hpp"

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::runtime {

// The first thing that was wrong with a document.
class Complaint {
  public:
    void say(Code code, const std::string& member, const std::string& what) {
        if (!error_) error_ = Error{code, 0, member + ": " + what};
    }
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  private:
    std::optional<Error> error_;
};

// A place in the document, whether there is something or not. JSON's null counts as nothing. Reading what
// is not there, or is of another kind, yields an empty value; the latter is a complaint.
class Member {
  public:
    Member(const json::Value* value, std::string name, Complaint& complaint)
        : value_(value != nullptr && value->is_null() ? nullptr : value),
          name_(std::move(name)),
          complaint_(&complaint) {}

    [[nodiscard]] bool present() const { return value_ != nullptr; }
    [[nodiscard]] const std::string& name() const { return name_; }
    void complain(const std::string& what, Code code = Code::invalid) const {
        complaint_->say(code, name_, what);
    }
    // Complains when nothing is there.
    [[nodiscard]] const Member& required() const;

    [[nodiscard]] Member at(std::string_view key) const;
    // The elements of a list.
    [[nodiscard]] std::vector<Member> elements() const;
    // The members of an object, by key.
    [[nodiscard]] std::vector<std::pair<std::string, Member>> members() const;

    // Text without NUL bytes: all of it may end up in a system call.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::vector<std::string> texts() const;
    [[nodiscard]] std::map<std::string, std::string> text_map() const;
    [[nodiscard]] bool flag() const;
    // A whole number from `low` to `high`; `low` when nothing is there.
    template <std::integral T>
    [[nodiscard]] T number(T low = std::numeric_limits<T>::min(),
                           T high = std::numeric_limits<T>::max()) const {
        if (!present()) return low;
        if (const auto* integer = value_->if_int(); integer != nullptr &&
                                                    std::cmp_greater_equal(*integer, low) &&
                                                    std::cmp_less_equal(*integer, high))
            return static_cast<T>(*integer);
        if (const auto* natural = value_->if_uint(); natural != nullptr &&
                                                     std::cmp_greater_equal(*natural, low) &&
                                                     std::cmp_less_equal(*natural, high))
            return static_cast<T>(*natural);
        complain("is no whole number from " + std::to_string(low) + " to " + std::to_string(high));
        return low;
    }
    // The same where absence means something of its own.
    template <std::integral T>
    [[nodiscard]] std::optional<T> optional_number(T low = std::numeric_limits<T>::min(),
                                                   T high = std::numeric_limits<T>::max()) const {
        if (!present()) return std::nullopt;
        return number(low, high);
    }

    // Complains when something is asked for here; what is empty, false or 0 asks for nothing.
    void refuse_if_asked() const;

  private:
    const json::Value* value_;
    std::string name_; // "" for the document
    Complaint* complaint_;
};

} // namespace mydocker::runtime
