#include "image/load.hpp"

#include "base/sys.hpp"
#include "image/archive_files.hpp"
#include "image/blob_supply.hpp"
#include "image/entry_path.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>

namespace mydocker::image {

namespace {

// Blobs of an archive: all that it holds was spooled already.
class ArchiveSupply final : public BlobSupply {
  public:
    ArchiveSupply(const ArchiveFiles& files, const Ingest& ingest) : files_(files), ingest_(ingest) {}
    [[nodiscard]] Status require(const Digest& digest) override {
        const bool there = files_.has("blobs/sha256/" + digest.hex()) && ingest_.has(digest);
        return there ? Status{} : fail(Code::not_found, "blob " + digest.str() + " is missing");
    }

  private:
    const ArchiveFiles& files_;
    const Ingest& ingest_;
};

// Blobs of a layout directory: copied when they are needed.
class DirectorySupply final : public BlobSupply {
  public:
    DirectorySupply(int directory, Ingest& ingest) : directory_(directory), ingest_(ingest) {}
    [[nodiscard]] Status require(const Digest& digest) override {
        if (ingest_.has(digest)) return {};
        auto fd = sys::openat2(directory_, "blobs/sha256/" + digest.hex(), O_RDONLY | O_NONBLOCK | O_CLOEXEC,
                               RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
        if (!fd && fd.error().code == Code::not_found)
            return fail(Code::not_found, "blob " + digest.str() + " is missing");
        if (!fd) return fail(fd);
        auto status = sys::fstat(fd->get());
        if (!status) return fail(status);
        if (!S_ISREG(status->st_mode))
            return fail(Code::corrupt, "blob " + digest.str() + " is no regular file");
        auto blob = ingest_.create_blob();
        if (!blob) return fail(blob);
        FdSource source(fd->get(), "blob " + digest.str());
        for (;;) {
            auto chunk = source.next();
            if (!chunk) return fail(chunk);
            if (chunk->empty()) return blob->finish_as(digest);
            if (auto written = blob->write(*chunk); !written) return written;
        }
    }

  private:
    int directory_;
    Ingest& ingest_;
};

Result<TakenIndex> take_directory(int directory, Ingest& ingest) {
    auto fd = sys::openat2(directory, "index.json", O_RDONLY | O_NONBLOCK | O_CLOEXEC,
                           RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
    if (!fd && fd.error().code == Code::not_found)
        return fail(Code::invalid, "is no OCI layout: it has no index.json");
    if (!fd) return fail(fd);
    auto text = files::read_all(fd->get(), "index.json", static_cast<std::size_t>(kMaxManifestBytes));
    if (!text) return fail(text);
    DirectorySupply supply(directory, ingest);
    return take_index(supply, ingest, *text);
}

Result<TakenIndex> take_archive(int fd, Ingest& ingest, const GrowthLimits& limits) {
    FdSource file(fd, "archive");
    Decompressor plain(file, limits);
    auto files = spool_archive(plain, ingest);
    if (!files) return fail(files);
    if (files->has("index.json")) {
        auto blob = files->find("index.json");
        if (!blob) return fail(blob);
        auto text = ingest.read(blob->digest, kMaxManifestBytes);
        if (!text) return fail(text, "index.json");
        // docker writes both documents; where the index has tags only, whole names are in the other.
        const bool has_names = text->find(kContainerdAnnotation) != std::string::npos;
        ArchiveSupply supply(*files, ingest);
        if (has_names || !files->has("manifest.json")) return take_index(supply, ingest, *text);
    }
    if (files->has("manifest.json")) return take_docker_archive(*files, ingest);
    if (files->has("repositories"))
        return fail(Code::unsupported,
                    "is a docker archive of before version 1.10, which is not read; load it "
                    "with a current docker or podman and save it anew");
    return fail(Code::invalid, "is no image archive: it has neither index.json nor manifest.json (a root "
                               "filesystem is taken by `import`)");
}

Result<TakenIndex> take_source(const std::string& source, Ingest& ingest, const GrowthLimits& limits) {
    if (source == "-") return take_archive(STDIN_FILENO, ingest, limits);
    auto fd = files::open(source, O_RDONLY);
    if (!fd) return fail(fd);
    auto status = sys::fstat(fd->get());
    if (!status) return fail(status);
    if (S_ISDIR(status->st_mode)) return take_directory(fd->get(), ingest);
    return take_archive(fd->get(), ingest, limits);
}

} // namespace

Result<LoadReport> load(Store& store, const std::string& source, const GrowthLimits& limits) {
    auto ingest = store.begin_ingest();
    if (!ingest) return fail(ingest);
    auto taken = take_source(source, *ingest, limits);
    if (!taken) return fail(taken, source == "-" ? "standard input" : shown(source));
    auto lost = store.commit(*ingest, taken->images);
    if (!lost) return fail(lost);
    LoadReport report{std::move(taken->loaded), std::move(taken->notes)};
    report.notes.insert(report.notes.end(), lost->begin(), lost->end());
    return report;
}

} // namespace mydocker::image
