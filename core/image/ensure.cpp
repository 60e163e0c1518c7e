#include "image/ensure.hpp"

#include <span>

namespace mydocker::image {

namespace {

Status fill_layer(const Store& store, const ImageLayer& layer, const UnpackRequest& form,
                  const DiagnosticFn& warn) {
    auto blob = store.open_blob(layer.digest);
    if (!blob) return fail(blob);
    UnpackRequest request = form;
    request.blob_fd = blob->get();
    request.diff_id = layer.diff_id;
    auto unpacked = unpack_layer(request, warn);
    if (!unpacked) return fail(unpacked);
    return {};
}

} // namespace

Status ensure_layers(const Store& store, const Image& image, StorageDriver& driver,
                     const StorageTraits& traits, const EnsureOptions& options) {
    if (traits.max_layers != 0 && image.layers.size() > traits.max_layers)
        return fail(Code::unsupported, "the image has " + std::to_string(image.layers.size()) +
                                           " layers, the storage driver stacks up to " +
                                           std::to_string(traits.max_layers));
    const std::span<const LayerId> chain(image.chain);
    for (std::size_t i = 0; i < image.layers.size(); ++i) {
        auto staging = driver.create_layer(chain[i], chain.first(i));
        if (!staging && staging.error().code == Code::exists) continue;
        const std::string clause = "layer " + image.layers[i].digest.str();
        if (!staging) return fail(staging, clause);
        const UnpackRequest form{.blob_fd = -1,
                                 .staging = *staging,
                                 .form = traits.whiteouts,
                                 .diff_id = {},
                                 .limits = options.limits};
        auto filled = fill_layer(store, image.layers[i], form, options.warn);
        if (!filled) {
            Error error = filled.error();
            if (auto removed = driver.remove_layer(chain[i]); !removed)
                error.text += "; and its remains stay: " + describe(removed.error());
            return fail(std::move(error), clause);
        }
        if (auto sealed = driver.seal_layer(chain[i]); !sealed) return fail(sealed, clause);
    }
    return {};
}

} // namespace mydocker::image
