#include "image/unpack.hpp"

#include "image/entry_path.hpp"
#include "image/entry_writer.hpp"
#include "image/layer_tree.hpp"
#include "image/prefetch.hpp"
#include "image/tar_reader.hpp"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace mydocker::image {

namespace {

constexpr std::string_view kMarker = ".wh.";
constexpr std::string_view kMetaMarker = ".wh..wh.";
constexpr std::string_view kOpaqueMarker = ".wh..wh..opq";

enum class Role : std::uint32_t { plain, whiteout, opaque, metadata };

// What an entry means, by its name. Source: OCI image-spec, layer.md, "Whiteouts".
struct Meaning {
    Role role = Role::plain;
    std::string path; // the entry; the name that is gone; the directory that is opaque
};

// aufs keeps its own files at the root of a branch under names of two markers.
bool is_metadata(std::string_view path) {
    const std::string_view first = path.substr(0, path.find('/'));
    return first.starts_with(kMetaMarker) && first != kOpaqueMarker;
}

Result<Meaning> meaning_of(std::string path) {
    if (path.find(kMarker) == std::string::npos) return Meaning{Role::plain, std::move(path)};
    if (is_metadata(path)) return Meaning{Role::metadata, std::move(path)};
    const PathParts parts = split_path(path);
    if (parts.parent.starts_with(kMarker) || parts.parent.find("/.wh.") != std::string_view::npos)
        return fail(Code::invalid, "entry " + shown(path) + " lies below a whiteout");
    if (!parts.name.starts_with(kMarker)) return Meaning{Role::plain, std::move(path)};
    if (parts.name == kOpaqueMarker) return Meaning{Role::opaque, std::string(parts.parent)};
    const std::string_view gone = parts.name.substr(kMarker.size());
    if (gone.empty() || gone == "." || gone == "..")
        return fail(Code::invalid, "whiteout " + shown(path) + " names nothing");
    if (gone.starts_with(kMarker)) return fail(Code::invalid, "whiteout " + shown(path) + " of a whiteout");
    std::string target(parts.parent);
    if (!target.empty()) target += '/';
    target += gone;
    return Meaning{Role::whiteout, std::move(target)};
}

// Below this size of a blob a thread costs more than it gains.
constexpr std::uint64_t kWorthAThread = std::uint64_t{4} << 20U;

// The stream of one layer: the blob from its beginning, decompressed and hashed.
class LayerStream {
  public:
    LayerStream(int blob_fd, std::uint64_t size, const GrowthLimits& limits)
        : file_(blob_fd, "layer"),
          plain_(file_, limits),
          hashed_(plain_,
                  [this](std::string_view bytes) {
                      hasher_.update(bytes);
                      return Status{};
                  }),
          ahead_(hashed_),
          use_thread_(size >= kWorthAThread) {}
    [[nodiscard]] ByteSource& source() {
        if (use_thread_) return ahead_;
        return hashed_;
    }
    // Reads to the end; what is behind the trailer counts for the digest.
    [[nodiscard]] Result<Digest> finish() {
        if (auto drained = drain(source()); !drained) return fail(drained);
        return hasher_.finish();
    }

  private:
    Hasher hasher_;
    FdSource file_;
    Decompressor plain_;
    ObservedSource hashed_;
    PrefetchSource ahead_; // last: it is gone before what it reads from
    bool use_thread_;
};

using EntryVisitor = std::function<Status(TarReader&, const TarEntry&, const Meaning&)>;

// Walks the entries of the blob; returns the digest of the uncompressed stream.
Result<Digest> walk_layer(const UnpackRequest& request, std::uint64_t& entries, const EntryVisitor& visit) {
    if (::lseek(request.blob_fd, 0, SEEK_SET) < 0) return fail_errno(errno, "rewind the layer");
    struct stat status{};
    if (::fstat(request.blob_fd, &status) != 0) return fail_errno(errno, "look at the layer");
    LayerStream stream(request.blob_fd, static_cast<std::uint64_t>(status.st_size), request.limits.growth);
    // Layers without a trailer exist; the diff id proves that they are whole.
    TarReader reader(stream.source(), request.diff_id.empty() ? Trailer::required : Trailer::optional);
    entries = 0;
    for (;;) {
        auto entry = reader.next();
        if (!entry) return fail(entry);
        if (*entry == nullptr) return stream.finish();
        if (++entries > request.limits.entries)
            return fail(Code::invalid, "has more than " + std::to_string(request.limits.entries) +
                                           " entries; raise [images] max_entries");
        if ((*entry)->size > request.limits.growth.bytes)
            return fail(Code::invalid, "entry " + shown((*entry)->path) + " of " +
                                           std::to_string((*entry)->size) +
                                           " bytes is over the limit; raise [images] max_layer_size");
        auto path = normalise_entry_path((*entry)->path);
        if (!path) return fail(path.error().code, "entry " + shown((*entry)->path) + " " + path.error().text);
        auto meaning = meaning_of(std::move(*path));
        if (!meaning) return fail(meaning);
        if (auto seen = visit(reader, **entry, *meaning); !seen) return fail(seen);
    }
}

// In the form `applied` the tree holds what is below, so whiteouts must act before anything of this
// layer comes: a pass of its own costs one more decompression and no memory, whatever the layer holds.
Status apply_whiteouts(const UnpackRequest& request, LayerTree& tree) {
    auto empty = tree.is_empty();
    if (!empty) return fail(empty);
    if (*empty) return {};
    std::uint64_t entries = 0;
    const auto visit = [&](TarReader&, const TarEntry&, const Meaning& meaning) -> Status {
        if (meaning.role == Role::whiteout) return tree.remove(meaning.path);
        if (meaning.role == Role::opaque) return tree.remove_children(meaning.path);
        return {};
    };
    auto walked = walk_layer(request, entries, visit);
    if (!walked) return fail(walked);
    return {};
}

Status record_whiteout(LayerTree& tree, const Meaning& meaning) {
    if (tree.form() == Whiteouts::applied) return {}; // done in the first pass
    if (meaning.role == Role::opaque) return tree.opaque(meaning.path);
    auto place = tree.place(meaning.path, Missing::create);
    if (!place) return fail(place);
    return tree.whiteout(*place);
}

} // namespace

Result<UnpackStats> unpack_layer(const UnpackRequest& request, const DiagnosticFn& warn) {
    auto tree = LayerTree::open(request.staging, request.form);
    if (!tree) return fail(tree);
    if (request.form == Whiteouts::applied)
        if (auto applied = apply_whiteouts(request, *tree); !applied) return fail(applied);
    Warnings warnings(warn);
    EntryWriter writer(*tree, warnings);
    UnpackStats stats;
    const auto visit = [&](TarReader& reader, const TarEntry& entry, const Meaning& meaning) -> Status {
        if (meaning.role == Role::plain) return writer.write(reader, entry, meaning.path);
        if (meaning.role != Role::metadata) return record_whiteout(*tree, meaning);
        warnings.add("ignored: " + shown(meaning.path) + ", which is aufs' own");
        return {};
    };
    auto diff_id = walk_layer(request, stats.entries, visit);
    if (!diff_id) return fail(diff_id);
    if (!request.diff_id.empty() && *diff_id != request.diff_id)
        return fail(Code::corrupt, "the content has digest " + diff_id->str() + ", not " +
                                       request.diff_id.str() + " as the image says");
    if (auto finished = writer.finish(); !finished) return fail(finished);
    warnings.finish();
    stats.bytes = writer.bytes();
    stats.ignored = warnings.count();
    stats.implicit_directories = tree->implicit_directories();
    stats.diff_id = std::move(*diff_id);
    return stats;
}

} // namespace mydocker::image
