// Kinds of members, checked.
#include "runtime/spec_reader.hpp"

namespace mydocker::runtime {
namespace {

// Keys come from the document: bounded in messages.
std::string member_name(const std::string& parent, std::string_view key) {
    constexpr std::size_t kLongest = 128;
    const std::string shown =
        key.size() <= kLongest ? std::string(key) : std::string(key.substr(0, kLongest)) + "…";
    return parent.empty() ? shown : parent + "." + shown;
}

} // namespace

const Member& Member::required() const {
    if (!present()) complain("is missing");
    return *this;
}

Member Member::at(std::string_view key) const {
    const json::Value* found = present() ? value_->find(key) : nullptr;
    if (present() && value_->if_object() == nullptr) complain("is no object");
    return {found, member_name(name_, key), *complaint_};
}

std::vector<Member> Member::elements() const {
    std::vector<Member> result;
    if (!present()) return result;
    const json::Array* array = value_->if_array();
    if (array == nullptr) complain("is no list");
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i)
        result.emplace_back(&(*array)[i], name_ + "[" + std::to_string(i) + "]", *complaint_);
    return result;
}

std::vector<std::pair<std::string, Member>> Member::members() const {
    std::vector<std::pair<std::string, Member>> result;
    if (!present()) return result;
    const json::Object* object = value_->if_object();
    if (object == nullptr) {
        complain("is no object");
        return result;
    }
    for (const auto& [key, value] : *object)
        result.emplace_back(key, Member(&value, member_name(name_, key), *complaint_));
    return result;
}

std::string Member::text() const {
    if (!present()) return {};
    const std::string* string = value_->if_string();
    if (string == nullptr) {
        complain("is no text");
        return {};
    }
    if (string->find('\0') != std::string::npos) complain("holds a NUL byte");
    return *string;
}

std::vector<std::string> Member::texts() const {
    std::vector<std::string> result;
    for (const Member& element : elements())
        result.push_back(element.required().text());
    return result;
}

std::map<std::string, std::string> Member::text_map() const {
    std::map<std::string, std::string> result;
    for (const auto& [key, member] : members()) {
        if (key.find('\0') != std::string::npos) complain("holds a name with a NUL byte");
        result.emplace(key, member.required().text());
    }
    return result;
}

bool Member::flag() const {
    if (!present()) return false;
    const bool* flag = value_->if_bool();
    if (flag == nullptr) complain("is neither true nor false");
    return flag != nullptr && *flag;
}

void Member::refuse_if_asked() const {
    if (!present()) return;
    const bool empty_list = value_->if_array() != nullptr && value_->if_array()->empty();
    const bool empty_object = value_->if_object() != nullptr && value_->if_object()->empty();
    const bool empty_text = value_->if_string() != nullptr && value_->if_string()->empty();
    const bool is_false = value_->if_bool() != nullptr && !*value_->if_bool();
    const bool is_zero = value_->if_int() != nullptr && *value_->if_int() == 0;
    if (empty_list || empty_object || empty_text || is_false || is_zero) return;
    complain("is not supported by this version", Code::unsupported);
}

} // namespace mydocker::runtime
