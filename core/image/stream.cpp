#include "image/stream.hpp"

#include <algorithm>
#include <cerrno>
#include <span>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

namespace mydocker::image {

namespace {

// Large enough that a call costs nothing beside its bytes, small enough to stay in the L2 cache.
constexpr std::size_t kChunk = std::size_t{128} << 10U;
constexpr int kMaxWindowLog = 27; // 128 MiB; what `zstd --long` asks for

std::string at_byte(std::uint64_t position) {
    return " at byte " + std::to_string(position);
}

} // namespace

// What one step did.
struct Progress {
    std::size_t taken = 0;
    std::size_t made = 0;
    bool at_boundary = false; // between members or frames: the input may end here
};

class Decompressor::Codec {
  public:
    Codec() = default;
    Codec(const Codec&) = delete;
    Codec& operator=(const Codec&) = delete;
    virtual ~Codec() = default;
    [[nodiscard]] virtual Result<Progress> step(std::string_view input, std::span<char> output) = 0;
};

namespace {

class GzipCodec final : public Decompressor::Codec {
  public:
    GzipCodec() { ready_ = inflateInit2(&stream_, 15 + 16) == Z_OK; } // 16: gzip framing only
    GzipCodec(const GzipCodec&) = delete;
    GzipCodec& operator=(const GzipCodec&) = delete;
    ~GzipCodec() override { inflateEnd(&stream_); }

    [[nodiscard]] Result<Progress> step(std::string_view input, std::span<char> output) override {
        if (!ready_) return fail(Code::no_space, "set up gzip", ENOMEM);
        if (boundary_ && !input.empty()) {
            if (const auto padding = skip_padding(input); padding > 0) return Progress{padding, 0, true};
            if (padded_) return fail(Code::corrupt, "unexpected bytes after the gzip data");
            if (inflateReset(&stream_) != Z_OK) return fail(Code::internal, "reset gzip");
            boundary_ = false;
        }
        // zlib's interface is not const-correct and counts in unsigned.
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
        stream_.avail_in = static_cast<uInt>(input.size());
        stream_.next_out = reinterpret_cast<Bytef*>(output.data());
        stream_.avail_out = static_cast<uInt>(output.size());
        const int result = inflate(&stream_, Z_NO_FLUSH);
        if (result == Z_STREAM_END) {
            boundary_ = true;
            first_ = false;
        } else if (result != Z_OK && result != Z_BUF_ERROR) {
            return fail(Code::corrupt, std::string("damaged gzip data (") +
                                           (stream_.msg != nullptr ? stream_.msg : "zlib gives no reason") +
                                           ")");
        }
        return Progress{input.size() - stream_.avail_in, output.size() - stream_.avail_out, boundary_};
    }

  private:
    // Zeros may follow the last member (tapes); gzip(1) takes them too.
    [[nodiscard]] std::size_t skip_padding(std::string_view input) {
        if (first_) return 0;
        const auto size = std::min(input.find_first_not_of('\0'), input.size());
        if (size > 0) padded_ = true;
        return size;
    }

    z_stream stream_{};
    bool ready_ = false;
    bool first_ = true; // inside the first member
    bool boundary_ = false;
    bool padded_ = false;
};

class ZstdCodec final : public Decompressor::Codec {
  public:
    ZstdCodec() : stream_(ZSTD_createDStream()) {
        if (stream_ != nullptr) ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
    }

    [[nodiscard]] Result<Progress> step(std::string_view input, std::span<char> output) override {
        if (stream_ == nullptr) return fail(Code::no_space, "set up zstd", ENOMEM);
        // Asked without input, zstd would begin a frame that nobody wrote.
        if (boundary_ && input.empty()) return Progress{0, 0, true};
        ZSTD_inBuffer in{input.data(), input.size(), 0};
        ZSTD_outBuffer out{output.data(), output.size(), 0};
        const std::size_t result = ZSTD_decompressStream(stream_.get(), &out, &in);
        if (ZSTD_isError(result) != 0)
            return fail(Code::corrupt, std::string("damaged zstd data (") + ZSTD_getErrorName(result) + ")");
        boundary_ = result == 0;
        return Progress{in.pos, out.pos, boundary_};
    }

  private:
    struct Free {
        void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
    };
    std::unique_ptr<ZSTD_DStream, Free> stream_;
    bool boundary_ = false;
};

} // namespace

FdSource::FdSource(int fd, std::string name) : fd_(fd), name_(std::move(name)), buffer_(kChunk) {}

Result<std::string_view> FdSource::next() {
    std::size_t used = 0;
    // A pipe gives little at a time: wait for a whole chunk.
    while (used < buffer_.size()) {
        const ssize_t count = ::read(fd_, buffer_.data() + used, buffer_.size() - used);
        if (count < 0) {
            const int error = errno;
            if (error == EINTR) continue;
            return fail_errno(error, "read '" + name_ + "'");
        }
        if (count == 0) break;
        used += static_cast<std::size_t>(count);
    }
    position_ += used;
    return std::string_view(buffer_.data(), used);
}

Result<std::string_view> ObservedSource::next() {
    auto chunk = inner_.next();
    if (!chunk || chunk->empty()) return chunk;
    if (auto seen = visit_(*chunk); !seen) return fail(seen);
    return chunk;
}

Result<Compression> sniff_compression(std::string_view first) {
    using namespace std::string_view_literals;
    if (first.starts_with("\x1f\x8b"sv)) return Compression::gzip;
    if (first.starts_with("\x28\xb5\x2f\xfd"sv)) return Compression::zstd;
    // A skippable zstd frame: 0x184d2a50 to …5f, little-endian.
    if (first.size() >= 4 && (static_cast<unsigned char>(first[0]) & 0xf0U) == 0x50 &&
        first.substr(1, 3) == "\x2a\x4d\x18"sv)
        return Compression::zstd;
    const auto refused = [](std::string_view name) {
        return fail(Code::unsupported, "compressed with " + std::string(name) +
                                           ", which is not read; decompress it first, or use gzip or zstd");
    };
    if (first.starts_with("\xfd"
                          "7zXZ\0"sv))
        return refused("xz");
    if (first.starts_with("BZh"sv)) return refused("bzip2");
    if (first.starts_with("\x04\x22\x4d\x18"sv)) return refused("lz4");
    if (first.starts_with("\x1f\x9d"sv)) return refused("compress");
    if (first.starts_with("PK\x03\x04"sv)) return refused("zip");
    return Compression::none;
}

Decompressor::Decompressor(ByteSource& input, GrowthLimits limits) : input_(input), limits_(limits) {}

Decompressor::~Decompressor() = default;

Status Decompressor::start() {
    started_ = true;
    if (auto more = refill(); !more) return fail(more);
    auto found = sniff_compression(pending_);
    if (!found) return fail(found);
    compression_ = *found;
    if (compression_ == Compression::gzip) codec_ = std::make_unique<GzipCodec>();
    if (compression_ == Compression::zstd) codec_ = std::make_unique<ZstdCodec>();
    if (codec_) buffer_.resize(kChunk);
    return {};
}

Result<bool> Decompressor::refill() {
    auto chunk = input_.next();
    if (!chunk) return fail(chunk);
    pending_ = *chunk;
    consumed_ += pending_.size();
    return !pending_.empty();
}

Status Decompressor::check_growth() {
    if (produced_ > limits_.bytes)
        return fail(Code::invalid, "grows to more than " + std::to_string(limits_.bytes) +
                                       " bytes; raise [images] max_layer_size");
    const std::uint64_t taken = std::max<std::uint64_t>(consumed_, 1);
    if (codec_ && produced_ > limits_.ratio_from && produced_ / taken > limits_.ratio)
        return fail(Code::invalid, "grows to more than " + std::to_string(limits_.ratio) +
                                       " times its size (" + std::to_string(produced_) + " bytes so far)");
    return {};
}

Result<std::string_view> Decompressor::next_plain() {
    const std::string_view chunk = std::exchange(pending_, {});
    produced_ += chunk.size();
    if (auto grown = check_growth(); !grown) return fail(grown);
    if (!chunk.empty()) return chunk;
    if (auto more = refill(); !more) return fail(more);
    if (pending_.empty()) return pending_;
    return next_plain();
}

Result<std::string_view> Decompressor::next() {
    if (!started_)
        if (auto begun = start(); !begun) return fail(begun);
    if (!codec_) return next_plain();
    std::size_t filled = 0;
    bool may_end = false;
    bool input_ended = false;
    while (!ended_ && filled < buffer_.size()) {
        if (pending_.empty() && !input_ended) {
            auto more = refill();
            if (!more) return fail(more);
            input_ended = !*more;
        }
        auto step = codec_->step(pending_, std::span(buffer_).subspan(filled));
        if (!step) return fail(step.error(), "decompress" + at_byte(consumed_ - pending_.size()));
        pending_.remove_prefix(step->taken);
        filled += step->made;
        may_end = step->at_boundary;
        if (!input_ended || step->made > 0) continue;
        if (!may_end) return fail(Code::corrupt, "unexpected end of archive" + at_byte(consumed_));
        ended_ = true;
    }
    produced_ += filled;
    if (auto grown = check_growth(); !grown) return fail(grown);
    return std::string_view(buffer_.data(), filled);
}

Status drain(ByteSource& source) {
    for (;;) {
        auto chunk = source.next();
        if (!chunk) return fail(chunk);
        if (chunk->empty()) return {};
    }
}

} // namespace mydocker::image
