// `import`: a root filesystem's tar becomes an image of one layer, as it is; it is read through once,
// so that damage and hostile names are found now and not at the first run.
#include "base/diag_text.hpp"
#include "base/sys.hpp"
#include "image/entry_path.hpp"
#include "image/load.hpp"
#include "image/manifest.hpp"
#include "image/tar_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace mydocker::image {

namespace {

struct RootfsLayer {
    Blob blob;
    Digest diff_id;
    Compression compression = Compression::none;
};

Status check_entries(ByteSource& archive) {
    TarReader reader(archive, Trailer::required);
    std::uint64_t entries = 0;
    for (;;) {
        auto entry = reader.next();
        if (!entry) return fail(entry);
        if (*entry == nullptr) break;
        ++entries;
        auto path = normalise_entry_path((*entry)->path);
        if (!path) return fail(path.error().code, "entry " + shown((*entry)->path) + " " + path.error().text);
    }
    if (entries == 0) return fail(Code::invalid, "holds no files");
    return drain(archive);
}

Result<RootfsLayer> spool_rootfs(int fd, Ingest& ingest, const GrowthLimits& limits) {
    auto writer = ingest.create_blob();
    if (!writer) return fail(writer);
    FdSource file(fd, "archive");
    ObservedSource spooled(file, [&](std::string_view bytes) { return writer->write(bytes); });
    Decompressor plain(spooled, limits);
    Hasher hasher;
    ObservedSource hashed(plain, [&](std::string_view bytes) {
        hasher.update(bytes);
        return Status{};
    });
    if (auto checked = check_entries(hashed); !checked) return fail(checked);
    RootfsLayer layer;
    auto diff_id = hasher.finish();
    if (!diff_id) return fail(diff_id);
    auto blob = writer->finish();
    if (!blob) return fail(blob);
    layer.blob = std::move(*blob);
    layer.diff_id = std::move(*diff_id);
    layer.compression = plain.compression();
    return layer;
}

struct Documents {
    Digest manifest;
    Digest config;
};

Result<Documents> write_documents(Ingest& ingest, const ImportRequest& request, const RootfsLayer& layer) {
    ImageConfig config = request.config;
    if (config.architecture.empty()) config.architecture = host_architecture();
    config.os = "linux";
    config.created = diag::timestamp(sys::realtime_ns());
    config.history.push_back({config.created, "", "imported", false});
    auto config_blob = ingest.add(to_json(config, {layer.diff_id}));
    if (!config_blob) return fail(config_blob);
    Manifest manifest;
    manifest.config.media_type = media::kConfig;
    manifest.config.digest = config_blob->digest;
    manifest.config.size = config_blob->size;
    Descriptor& entry = manifest.layers.emplace_back();
    entry.media_type = layer.compression == Compression::gzip   ? media::kLayerGzip
                       : layer.compression == Compression::zstd ? media::kLayerZstd
                                                                : media::kLayer;
    entry.digest = layer.blob.digest;
    entry.size = layer.blob.size;
    auto blob = ingest.add(to_json(manifest));
    if (!blob) return fail(blob);
    return Documents{blob->digest, config_blob->digest};
}

Result<RootfsLayer> spool_source(const ImportRequest& request, Ingest& ingest) {
    if (request.source == "-") return spool_rootfs(STDIN_FILENO, ingest, request.limits);
    auto fd = files::open(request.source, O_RDONLY);
    if (!fd) return fail(fd);
    return spool_rootfs(fd->get(), ingest, request.limits);
}

} // namespace

Result<LoadReport> import_rootfs(Store& store, const ImportRequest& request) {
    NewImage image;
    LoadReport report;
    if (!request.name.empty()) {
        auto reference = parse_reference(request.name);
        if (!reference) return fail(reference);
        if (!reference->digest.empty())
            return fail(Code::invalid, shown(request.name) + " has a digest: an image cannot be named so");
        image.references.push_back(reference->key());
    }
    auto ingest = store.begin_ingest();
    if (!ingest) return fail(ingest);
    auto layer = spool_source(request, *ingest);
    if (!layer) return fail(layer, request.source == "-" ? "standard input" : shown(request.source));
    auto documents = write_documents(*ingest, request, *layer);
    if (!documents) return fail(documents);
    image.manifest = documents->manifest;
    auto lost = store.commit(*ingest, {image});
    if (!lost) return fail(lost);
    report.notes = std::move(*lost);
    report.loaded.push_back(image.references.empty() ? documents->config.str()
                                                     : familiar_name(image.references.front()));
    return report;
}

} // namespace mydocker::image
