// commit: the changes of a container's writable layer become one layer more over its image.
//
// The layer is an uncompressed tar. `run` of the new image reads it once, and there is nothing to inflate;
// its digest is its diff id, so it is hashed once; docker, podman and containerd load it like any other.
// Why not gzip or zstd: ADR 0013.
#include "engine/contents.hpp"

#include "base/diag_text.hpp"
#include "base/sys.hpp"
#include "engine/commit_config.hpp"
#include "engine/lifecycle.hpp"
#include "engine/root_view.hpp"
#include "engine/steps.hpp"
#include "image/config_change.hpp"
#include "image/derive.hpp"
#include "image/entry_path.hpp"
#include "image/tree_reader.hpp"

namespace mydocker::engine {
namespace {

constexpr std::string_view kMarker = ".wh.";

// "/a/b" and "c" → "a/b/.wh.c". Source: OCI image-spec, layer.md, "Whiteouts".
std::string whiteout_of(const std::string& path) {
    const auto parts = image::split_path(std::string_view(path).substr(1));
    std::string name(parts.parent);
    if (!name.empty()) name += '/';
    name += kMarker;
    return name += parts.name;
}

// An empty file that stands for something.
image::TarEntry marker(std::string path, std::int64_t now_ns) {
    image::TarEntry entry;
    entry.path = std::move(path);
    entry.mtime.tv_sec = now_ns / 1'000'000'000;
    return entry;
}

// Writes a container's differences as the entries of a layer.
class LayerWriter {
  public:
    LayerWriter(int root, const image::ByteSink& sink, const image::DiagnosticFn& warn)
        : tar_(sink),
          reader_(root, image::archive_into(tar_), warn) {}

    Status write(const std::vector<Difference>& differences) {
        if (auto added = reader_.add("", "./"); !added) return added;
        for (const Difference& difference : differences)
            if (auto written = write_one(difference); !written) return written;
        return tar_.finish();
    }

  private:
    Status write_one(const Difference& difference) {
        const std::string path = difference.path.substr(1);
        if (image::split_path(path).name.starts_with(kMarker))
            return fail(Code::invalid, "'" + difference.path +
                                           "' cannot be kept in an image: names that begin with .wh. stand "
                                           "for removed files there; rename or remove it");
        if (difference.kind == ChangeKind::removed)
            return tar_.begin(marker(whiteout_of(difference.path), now_ns_));
        if (auto added = reader_.add(path, path); !added) return added;
        if (!difference.opaque) return {};
        return tar_.begin(marker(path + "/.wh..wh..opq", now_ns_));
    }

    image::TarWriter tar_;
    image::TreeReader reader_;
    std::int64_t now_ns_ = sys::realtime_ns();
};

Result<image::Image> base_image(image::Store& store, const ContainerRecord& record) {
    auto base = store.find("sha256:" + record.image_id);
    if (!base && base.error().code == Code::not_found)
        return fail(Code::not_found, "the image of container '" + record.name.str() +
                                         "' was removed; `export` still gives its files");
    return base;
}

Result<image::Derivation> derivation_of(Engine& engine, const CommitRequest& request,
                                        const ContainerRecord& record, const image::Image& base) {
    auto spec = read_spec(engine, record.id);
    if (!spec) return fail(spec);
    image::Derivation derivation;
    derivation.edit.config = container_config(base.config, record, *spec);
    for (const std::string& change : request.changes)
        if (auto applied = image::apply_change(derivation.edit, change); !applied) return fail(applied);
    derivation.author = request.author;
    derivation.comment = request.message;
    derivation.created = diag::timestamp(sys::realtime_ns());
    derivation.created_by = command_words(spec->process.args);
    return derivation;
}

Result<image::Blob> spool_layer(Engine& engine, const ContainerRecord& record, image::Ingest& ingest) {
    auto root = open_layers(engine, record, Access::read_only);
    if (!root) return fail(root);
    auto differences = diff(engine, record);
    if (!differences) return fail(differences);
    auto blob = ingest.create_blob();
    if (!blob) return fail(blob);
    const image::ByteSink sink = [&](std::string_view bytes) { return blob->write(bytes); };
    LayerWriter writer(root->get(), sink, [&](std::string_view text) { engine.diagnostics().warning(text); });
    if (auto written = writer.write(*differences); !written) return fail(written);
    return blob->finish();
}

} // namespace

Result<CommitReport> commit(Engine& engine, const CommitRequest& request) {
    auto store = engine.images();
    if (!store) return fail(store);
    auto found = find_settled(engine, request.container);
    if (!found) return fail(found);
    // All that can be refused is refused before anything is frozen.
    auto base = base_image(**store, found->record);
    if (!base) return fail(base);
    auto derivation = derivation_of(engine, request, found->record, *base);
    if (!derivation) return fail(derivation);
    auto ingest = (*store)->begin_ingest();
    if (!ingest) return fail(ingest);

    auto hold = Hold::take(engine, found->record.id.str(), request.stillness);
    if (!hold) return fail(hold);
    auto layer = spool_layer(engine, hold->record(), *ingest);
    if (!layer) return fail(layer, "container '" + hold->record().name.str() + "'");
    if (auto released = hold->release(); !released) return fail(released);

    std::vector<std::string> references;
    if (!request.reference.empty()) references.push_back(request.reference);
    auto derived = image::derive_image(**store, *ingest, *base, *layer, *derivation, std::move(references));
    if (!derived) return fail(derived);
    engine.note(hold->record(), "commit",
                {{"comment", request.message},
                 {"imageID", "sha256:" + derived->id},
                 {"imageRef", request.reference}});
    return CommitReport{std::move(derived->id), std::move(derived->notes)};
}

} // namespace mydocker::engine
