#include "image/image_cache.hpp"

#include "base/codec.hpp"
#include "mydocker/support/files.hpp"

#include <fcntl.h>

namespace mydocker::image {

namespace {

// Changed with every change of the encoding below, or of what is derived from the documents.
constexpr std::string_view kFormat = "mydocker image cache 1";
constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxBytes = std::size_t{1} << 20U;

// A file name for any text; empty when it would be too long.
std::string file_name(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string name;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '_' || c == '-' || (c == '.' && !name.empty());
        if (plain) {
            name += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        name += '%';
        name += kDigits[byte >> 4U];
        name += kDigits[byte & 0xfU];
    }
    return name.size() <= kMaxName ? name : std::string();
}

template <class Coder, class Config>
void code_config(Coder code, Config& config) {
    code(config.architecture);
    code(config.os);
    code(config.variant);
    code(config.created);
    code(config.env);
    code(config.entrypoint);
    code(config.cmd);
    code(config.user);
    code(config.working_dir);
    code(config.stop_signal);
    code(config.volumes);
    code(config.exposed_ports);
    code(config.healthcheck);
}

std::string encode(const IndexStamp& stamp, const Image& image) {
    codec::Writer writer;
    writer.put(kFormat);
    for (const std::int64_t part : stamp)
        writer.put(part);
    writer.put(image.id);
    writer.put(image.manifest.hex());
    writer.put(image.references);
    writer.put(static_cast<std::uint64_t>(image.layers.size()));
    for (std::size_t i = 0; i < image.layers.size(); ++i) {
        writer.put(image.layers[i].digest.hex());
        writer.put(image.layers[i].diff_id.hex());
        writer.put(image.layers[i].media_type);
        writer.put(image.layers[i].size);
        writer.put(image.chain[i].str());
    }
    code_config([&](const auto& value) { writer.put(value); }, image.config);
    std::vector<std::string> labels;
    for (const auto& [key, value] : image.config.labels) {
        labels.push_back(key);
        labels.push_back(value);
    }
    writer.put(labels);
    std::vector<std::string> history;
    for (const HistoryEntry& entry : image.config.history) {
        history.insert(history.end(), {entry.created, entry.created_by, entry.comment});
        history.emplace_back(entry.empty_layer ? "1" : "0");
    }
    writer.put(history);
    return writer.take();
}

Digest get_digest(codec::Reader& reader) {
    std::string hex;
    reader.get(hex);
    return Digest::from_hex(hex).value_or(Digest());
}

void decode_pairs(codec::Reader& reader, ImageConfig& config) {
    std::vector<std::string> labels;
    reader.get(labels);
    for (std::size_t i = 0; i + 1 < labels.size(); i += 2)
        config.labels.emplace_back(std::move(labels[i]), std::move(labels[i + 1]));
    std::vector<std::string> history;
    reader.get(history);
    for (std::size_t i = 0; i + 3 < history.size(); i += 4)
        config.history.push_back({std::move(history[i]), std::move(history[i + 1]), std::move(history[i + 2]),
                                  history[i + 3] == "1"});
}

std::optional<Image> decode(std::string_view bytes, const IndexStamp& wanted) {
    codec::Reader reader(bytes);
    std::string format;
    reader.get(format);
    if (format != kFormat) return std::nullopt;
    IndexStamp stamp{};
    for (std::int64_t& part : stamp)
        reader.get(part);
    if (stamp != wanted) return std::nullopt;
    Image image;
    reader.get(image.id);
    image.manifest = get_digest(reader);
    reader.get(image.references);
    std::uint64_t layers = 0;
    reader.get(layers);
    for (std::uint64_t i = 0; reader.ok() && i < layers; ++i) {
        ImageLayer& layer = image.layers.emplace_back();
        layer.digest = get_digest(reader);
        layer.diff_id = get_digest(reader);
        reader.get(layer.media_type);
        reader.get(layer.size);
        std::string chain;
        reader.get(chain);
        image.chain.emplace_back(std::move(chain));
    }
    code_config([&](auto& value) { reader.get(value); }, image.config);
    decode_pairs(reader, image.config);
    if (!reader.complete()) return std::nullopt;
    return image;
}

} // namespace

IndexStamp stamp_of(const struct stat& status) {
    return {static_cast<std::int64_t>(status.st_ino),
            status.st_size,
            status.st_mtim.tv_sec,
            status.st_mtim.tv_nsec,
            status.st_ctim.tv_sec,
            status.st_ctim.tv_nsec};
}

std::optional<Image> ImageCache::load(std::string_view text) const {
    const std::string name = file_name(text);
    if (name.empty()) return std::nullopt;
    struct stat status{};
    if (::fstatat(content_, "index.json", &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
    auto bytes = files::read_file_at(content_, "cache/" + name, kMaxBytes);
    if (!bytes) return std::nullopt;
    return decode(*bytes, stamp_of(status));
}

void ImageCache::save(std::string_view text, const IndexStamp& stamp, const Image& image) const {
    const std::string name = file_name(text);
    if (name.empty()) return;
    if (::mkdirat(content_, "cache", 0700) != 0 && errno != EEXIST) return;
    const std::string bytes = encode(stamp, image);
    if (bytes.size() > kMaxBytes) return;
    (void)files::write_atomically(content_, "cache/" + name, bytes); // See the contract: only speed is lost.
}

void ImageCache::clear() const {
    (void)files::remove_tree(content_, "cache"); // A file that stays has the wrong stamp.
}

} // namespace mydocker::image
