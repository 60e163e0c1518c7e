// A flat encoding for values that pass between our own programs of one build: length-prefixed,
// bounded, nothing to parse. Not for anything stored or public.
#pragma once

#include "mydocker/result.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mydocker::codec {

class Writer {
  public:
    template <class T>
        requires(std::is_arithmetic_v<T> || std::is_enum_v<T>)
    void put(T value) {
        const auto raw = std::bit_cast<std::array<char, sizeof(T)>>(value);
        bytes_.append(raw.data(), raw.size());
    }
    void put(std::string_view text) {
        put(static_cast<std::uint64_t>(text.size()));
        bytes_.append(text);
    }
    void put(const std::string& text) { put(std::string_view(text)); }
    void put(const std::vector<std::string>& list) {
        put(static_cast<std::uint64_t>(list.size()));
        for (const std::string& item : list)
            put(item);
    }
    [[nodiscard]] std::string take() { return std::move(bytes_); }

  private:
    std::string bytes_;
};

// Reads what Writer wrote, in the same order. After the first short or impossible read everything
// reads as empty and ok() is false: check it once, at the end.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}

    template <class T>
        requires(std::is_arithmetic_v<T> || std::is_enum_v<T>)
    void get(T& value) {
        value = T{};
        if (!take(sizeof value)) return;
        std::memcpy(&value, bytes_.data() + at_ - sizeof value, sizeof value);
    }
    void get(std::string& text) {
        std::uint64_t size = 0;
        get(size);
        text.clear();
        if (take(size)) text.assign(bytes_.substr(at_ - size, size));
    }
    void get(std::vector<std::string>& list) {
        std::uint64_t count = 0;
        get(count);
        list.clear();
        // Each element takes at least its length: a count beyond that is a lie.
        if (count > (bytes_.size() - at_) / sizeof(std::uint64_t)) ok_ = false;
        for (std::uint64_t i = 0; ok_ && i < count; ++i)
            get(list.emplace_back());
    }
    // Everything was there, and nothing is left.
    [[nodiscard]] bool complete() const { return ok_ && at_ == bytes_.size(); }
    [[nodiscard]] bool ok() const { return ok_; }

  private:
    [[nodiscard]] bool take(std::uint64_t size) {
        if (!ok_ || size > bytes_.size() - at_) {
            ok_ = false;
            return false;
        }
        at_ += size;
        return true;
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

} // namespace mydocker::codec
