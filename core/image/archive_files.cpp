#include "image/archive_files.hpp"

#include "image/entry_path.hpp"
#include "image/tar_reader.hpp"

namespace mydocker::image {

namespace {

constexpr int kMaxHops = 8;
constexpr std::size_t kMaxNameBytes = std::size_t{8} << 20U; // of all paths and links of an archive
constexpr std::string_view kBlobPrefix = "blobs/sha256/";

} // namespace

Status ArchiveFiles::count(std::size_t bytes) {
    bytes_ += bytes + 64;
    if (bytes_ <= kMaxNameBytes) return {};
    return fail(Code::invalid, "holds too many files for an image archive (a root filesystem is taken by "
                               "`import`)");
}

Status ArchiveFiles::add_file(const std::string& path, Blob blob) {
    if (auto counted = count(path.size()); !counted) return counted;
    links_.erase(path);
    files_.insert_or_assign(path, std::move(blob));
    return {};
}

Status ArchiveFiles::add_link(const std::string& path, std::string target) {
    if (auto counted = count(path.size() + target.size()); !counted) return counted;
    files_.erase(path);
    links_.insert_or_assign(path, std::move(target));
    return {};
}

Result<Blob> ArchiveFiles::find(std::string_view path) const {
    auto at = normalise_entry_path(path);
    for (int hop = 0; at && hop < kMaxHops; ++hop) {
        if (const auto file = files_.find(*at); file != files_.end()) return file->second;
        const auto link = links_.find(*at);
        if (link == links_.end())
            return fail(Code::not_found, "file " + shown(path) + " is missing in the archive");
        at = normalise_entry_path(link->second);
    }
    if (!at) return fail(at.error().code, "file " + shown(path) + " " + at.error().text);
    return fail(Code::invalid, "file " + shown(path) + " is a link to a link to a link, and so on");
}

namespace {

Result<Blob> spool_file(TarReader& reader, Ingest& ingest, const std::string& path) {
    auto blob = ingest.create_blob();
    if (!blob) return fail(blob);
    for (;;) {
        auto chunk = reader.data();
        if (!chunk) return fail(chunk);
        if (chunk->bytes.empty()) break;
        if (auto written = blob->write(chunk->bytes); !written) return fail(written);
    }
    if (!path.starts_with(kBlobPrefix)) return blob->finish();
    auto expected = Digest::from_hex(std::string_view(path).substr(kBlobPrefix.size()));
    if (!expected) return fail(expected);
    const std::uint64_t size = blob->size();
    if (auto right = blob->finish_as(*expected); !right) return fail(right);
    return Blob{*expected, size};
}

Status spool_entry(TarReader& reader, const TarEntry& entry, Ingest& ingest, ArchiveFiles& files) {
    auto path = normalise_entry_path(entry.path);
    if (!path) return fail(path.error().code, "entry " + shown(entry.path) + " " + path.error().text);
    if (entry.type == EntryType::directory) return {};
    if (entry.type == EntryType::file) {
        if (entry.extents)
            return fail(Code::unsupported, "entry " + shown(*path) +
                                               " is a sparse file; in an image archive "
                                               "that is not known");
        auto blob = spool_file(reader, ingest, *path);
        if (!blob) return fail(blob);
        return files.add_file(*path, std::move(*blob));
    }
    if (entry.type == EntryType::hard_link) return files.add_link(*path, entry.link);
    if (entry.type != EntryType::symlink)
        return fail(Code::invalid, "entry " + shown(*path) +
                                       " is no file: this is no image archive (a root "
                                       "filesystem is taken by `import`)");
    // docker writes layers that two images share as links: relative to where the link is.
    const bool absolute = entry.link.starts_with('/');
    return files.add_link(*path,
                          absolute ? entry.link : std::string(split_path(*path).parent) + "/" + entry.link);
}

} // namespace

Result<ArchiveFiles> spool_archive(ByteSource& archive, Ingest& ingest) {
    TarReader reader(archive, Trailer::required);
    ArchiveFiles files;
    for (;;) {
        auto entry = reader.next();
        if (!entry) return fail(entry);
        if (*entry == nullptr) break;
        if (auto spooled = spool_entry(reader, **entry, ingest, files); !spooled) return fail(spooled);
    }
    // An endless stream of zeros is an archive without files, too.
    if (files.empty()) return fail(Code::invalid, "holds no files");
    // To the very end: a compressed archive proves itself whole only there.
    if (auto drained = drain(archive); !drained) return fail(drained);
    return files;
}

} // namespace mydocker::image
