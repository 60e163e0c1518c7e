// Byte streams: from a descriptor, through gzip or zstd, past an observer. Pull, one chunk at a time,
// nothing copied twice, bounded memory whatever comes in. Not for seeking.
#pragma once

#include "mydocker/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::image {

class ByteSource {
  public:
    ByteSource() = default;
    ByteSource(const ByteSource&) = delete;
    ByteSource& operator=(const ByteSource&) = delete;
    virtual ~ByteSource() = default;

    // The next bytes, borrowed until the next call; empty: the end, and so from then on.
    [[nodiscard]] virtual Result<std::string_view> next() = 0;
};

// What a descriptor gives from where it stands. Does not own the descriptor.
class FdSource final : public ByteSource {
  public:
    FdSource(int fd, std::string name);
    [[nodiscard]] Result<std::string_view> next() override;
    // Bytes read so far.
    [[nodiscard]] std::uint64_t position() const { return position_; }

  private:
    int fd_;
    std::string name_;
    std::uint64_t position_ = 0;
    std::vector<char> buffer_;
};

// Shows every chunk to a visitor on the way; its error ends the stream.
class ObservedSource final : public ByteSource {
  public:
    using Visitor = std::function<Status(std::string_view)>;
    ObservedSource(ByteSource& inner, Visitor visit) : inner_(inner), visit_(std::move(visit)) {}
    [[nodiscard]] Result<std::string_view> next() override;

  private:
    ByteSource& inner_;
    Visitor visit_;
};

enum class Compression : std::uint32_t { none = 0, gzip = 1, zstd = 2 };

// What the first bytes say. Errors: unsupported, naming a compression that is known but not read.
[[nodiscard]] Result<Compression> sniff_compression(std::string_view first);

// What a stream may grow to when it is decompressed.
struct GrowthLimits {
    std::uint64_t bytes = std::uint64_t{64} << 30U;
    std::uint64_t ratio = 1000;                         // output : input …
    std::uint64_t ratio_from = std::uint64_t{1} << 30U; // … once so many bytes came out
};

// Decompresses as the first bytes say, or hands plain bytes on. `input` must outlive it.
// Errors of next(): corrupt for damaged or truncated data, with the byte position in the input;
// invalid over a limit.
class Decompressor final : public ByteSource {
  public:
    Decompressor(ByteSource& input, GrowthLimits limits);
    ~Decompressor() override;
    [[nodiscard]] Result<std::string_view> next() override;
    // Known after the first next().
    [[nodiscard]] Compression compression() const { return compression_; }

    // One compression's own state: turns input into output until one of them is used up.
    class Codec;

  private:
    [[nodiscard]] Status start();
    [[nodiscard]] Result<bool> refill(); // false: the input is at its end
    [[nodiscard]] Result<std::string_view> next_plain();
    [[nodiscard]] Status check_growth();

    ByteSource& input_;
    GrowthLimits limits_;
    Compression compression_ = Compression::none;
    std::unique_ptr<Codec> codec_;
    std::string_view pending_;
    std::uint64_t consumed_ = 0;
    std::uint64_t produced_ = 0;
    std::vector<char> buffer_;
    bool started_ = false;
    bool ended_ = false;
};

// Reads to the end, keeping nothing.
[[nodiscard]] Status drain(ByteSource& source);

} // namespace mydocker::image
