#include "support/image_support.hpp"

#include "image/digest.hpp"
#include "support/tar_writer.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

namespace mydocker::test {

namespace fs = std::filesystem;

std::string gzip(std::string_view bytes) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string zstd(std::string_view bytes) {
    std::string out(ZSTD_compressBound(bytes.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1));
    return out;
}

std::string zstd_zeros(std::uint64_t count, int window_log) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    if (window_log != 0) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1);
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    }
    const std::vector<char> zeros(std::size_t{1} << 20U);
    std::vector<char> buffer(std::size_t{1} << 20U);
    std::string out;
    while (true) {
        const std::uint64_t part = std::min<std::uint64_t>(count, zeros.size());
        count -= part;
        ZSTD_inBuffer in{zeros.data(), static_cast<std::size_t>(part), 0};
        std::size_t left = 0;
        do {
            ZSTD_outBuffer to{buffer.data(), buffer.size(), 0};
            left = ZSTD_compressStream2(context, &to, &in, count == 0 ? ZSTD_e_end : ZSTD_e_continue);
            out.append(buffer.data(), to.pos);
        } while (count == 0 ? left != 0 : in.pos != in.size);
        if (count == 0) break;
    }
    ZSTD_freeCCtx(context);
    return out;
}

namespace {

std::string mode_text(mode_t mode) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "%04o", mode & 07777U);
    return text.data();
}

std::string line_of(const fs::path& path, const std::string& name) {
    struct stat status{};
    ::lstat(path.c_str(), &status);
    std::array<char, 8> value{};
    if (S_ISDIR(status.st_mode)) {
        const bool opaque =
            ::lgetxattr(path.c_str(), "trusted.overlay.opaque", value.data(), value.size()) == 1;
        return "d " + mode_text(status.st_mode) + " " + name + (opaque ? " opaque" : "");
    }
    if (S_ISLNK(status.st_mode)) return "l " + name + " -> " + fs::read_symlink(path).string();
    if (S_ISFIFO(status.st_mode)) return "p " + mode_text(status.st_mode) + " " + name;
    if (S_ISREG(status.st_mode))
        return "f " + mode_text(status.st_mode) + " " + name + " '" +
               (status.st_size < 100 ? content_of(path) : std::to_string(status.st_size)) + "'";
    return std::string(S_ISCHR(status.st_mode) ? "c " : "b ") + std::to_string(major(status.st_rdev)) + ":" +
           std::to_string(minor(status.st_rdev)) + " " + name;
}

} // namespace

std::string tree(const std::string& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(directory))
        names.push_back(entry.path().lexically_relative(directory).string());
    std::ranges::sort(names);
    std::string text;
    for (const std::string& name : names)
        text += line_of(fs::path(directory) / name, name) + "\n";
    return text;
}

long resident_kib(const std::function<bool()>& work) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work() ? 0 : 1);
    int status = 0;
    struct rusage usage{};
    ::wait4(child, &status, 0, &usage);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? usage.ru_maxrss : -1;
}

std::string sha256_hex(std::string_view bytes) {
    return image::digest_of(bytes)->hex();
}

std::string config_document(const ArchiveOptions& options) {
    std::string ids;
    for (const std::string& layer : options.layers)
        ids += (ids.empty() ? "" : ",") + std::string("\"sha256:") + sha256_hex(layer) + "\"";
    return R"({"architecture":"amd64","os":"linux","config":)" +
           (options.config.empty() ? R"({"Cmd":["sh"]})" : options.config) +
           R"(,"rootfs":{"type":"layers","diff_ids":[)" + ids + "]}" + options.config_suffix + "}";
}

namespace {

std::string descriptor(std::string_view type, std::string_view bytes) {
    return R"({"mediaType":")" + std::string(type) + R"(","digest":"sha256:)" + sha256_hex(bytes) +
           R"(","size":)" + std::to_string(bytes.size());
}

} // namespace

std::string oci_archive(const ArchiveOptions& options) {
    const std::string config = config_document(options);
    TarMaker tar;
    tar.file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})").directory("blobs").directory("blobs/sha256");
    std::string layers;
    for (const std::string& layer : options.layers) {
        tar.file("blobs/sha256/" + sha256_hex(layer), layer);
        layers +=
            (layers.empty() ? "" : ",") + descriptor("application/vnd.oci.image.layer.v1.tar", layer) + "}";
    }
    const std::string manifest = R"({"schemaVersion":2,"config":)" +
                                 descriptor("application/vnd.oci.image.config.v1+json", config) +
                                 R"(},"layers":[)" + layers + "]}";
    tar.file("blobs/sha256/" + sha256_hex(config), config);
    tar.file("blobs/sha256/" + sha256_hex(manifest), manifest);
    tar.file("index.json", R"({"schemaVersion":2,"manifests":[)" +
                               descriptor("application/vnd.oci.image.manifest.v1+json", manifest) +
                               R"(,"annotations":{"org.opencontainers.image.ref.name":")" +
                               options.reference + R"("}}]})");
    return tar.finish();
}

std::string docker_archive(const ArchiveOptions& options) {
    const std::string config = config_document(options);
    TarMaker tar;
    std::string layers;
    for (const std::string& layer : options.layers) {
        const std::string path = sha256_hex(layer) + "/layer.tar";
        tar.directory(sha256_hex(layer) + "/").file(path, layer);
        layers += (layers.empty() ? "\"" : ",\"") + path + "\"";
    }
    const std::string name = sha256_hex(config) + ".json";
    tar.file(name, config);
    tar.file("manifest.json", R"([{"Config":")" + name + R"(","RepoTags":[")" + options.reference +
                                  R"("],"Layers":[)" + layers + "]}]");
    return tar.finish();
}

} // namespace mydocker::test
