// What a look-up found, kept in one small flat file for each text that was looked up: `run busybox`
// then reads that instead of three JSON documents. A file holds only as long as index.json is the very
// file it was made from; it may vanish at any time. Not a source of truth.
//
//   <content>/cache/<escaped text>
#pragma once

#include "image/image.hpp"
#include "mydocker/result.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <sys/stat.h>

namespace mydocker::image {

// Tells one index.json from every other: each change is a new file.
using IndexStamp = std::array<std::int64_t, 6>;
[[nodiscard]] IndexStamp stamp_of(const struct stat& status);

class ImageCache {
  public:
    // `content`: the store's directory, borrowed.
    explicit ImageCache(int content) : content_(content) {}

    [[nodiscard]] std::optional<Image> load(std::string_view text) const;
    // A cache that cannot be written is no error: the next look-up is slower.
    void save(std::string_view text, const IndexStamp& stamp, const Image& image) const;
    // After index.json changed: nothing in it is of use any more.
    void clear() const;

  private:
    int content_;
};

} // namespace mydocker::image
