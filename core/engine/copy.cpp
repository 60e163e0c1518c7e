// cp: between the host and a container, or a tar stream and a container. For a running container by way of
// its own root directory, for another one by way of its layers. Nothing is run in it, nothing mounted in
// any namespace; what the container does to names meanwhile stays inside.
#include "engine/contents.hpp"

#include "base/sys.hpp"
#include "engine/copy_place.hpp"
#include "engine/root_view.hpp"
#include "image/stream.hpp"
#include "image/tar_reader.hpp"
#include "image/tree_reader.hpp"
#include "image/tree_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace mydocker::engine {
namespace {

constexpr mode_t kIdBits = 06000; // setuid and setgid

// The container's side of a copy.
struct Opened {
    Hold hold;
    Side side;
};

Result<Opened> open_container(Engine& engine, const std::string& container, Access access) {
    auto hold = Hold::take(engine, container, Stillness::as_it_runs);
    if (!hold) return fail(hold);
    const ContainerRecord& record = hold->record();
    auto root = record.is_live() ? open_process_root(record) : open_layers(engine, record, access);
    if (!root) return fail(root);
    return Opened{std::move(*hold), Side::container(std::move(*root))};
}

Status close_container(Opened opened) {
    opened.side = Side::host(); // The mount goes before the baton.
    return opened.hold.release();
}

image::DiagnosticFn warnings(Engine& engine) {
    return [&engine](std::string_view text) { engine.diagnostics().warning(text); };
}

// Gives a source to the visitor, under the name that it gets.
Status read_source(const CopySource& source, const std::string& name, image::EntryVisitor visit,
                   image::DiagnosticFn warn) {
    image::TreeReader reader(source.fd.get(), std::move(visit), std::move(warn));
    if (auto added = reader.add_open(source.fd.get(), source.status, name.empty() ? "./" : name); !added)
        return added;
    if (!source.is_directory()) return {};
    auto directory = files::open_at(source.fd.get(), ".", O_RDONLY | O_DIRECTORY);
    if (!directory) return fail(directory);
    return reader.add_below(directory->get(), name.empty() ? "" : name + "/");
}

// Whose a copy becomes. Outside, what a container made must not act with the caller's rights.
enum class Direction { in, out };
bool set_owner(image::TarEntry& entry, Ownership ownership, Direction direction) {
    if (ownership == Ownership::kept) return true;
    const bool out = direction == Direction::out;
    entry.uid = out ? ::geteuid() : 0;
    entry.gid = out ? ::getegid() : 0;
    if (!out) return true;
    if (entry.type != image::EntryType::directory) entry.mode &= ~kIdBits;
    std::erase_if(entry.xattrs, [](const auto& xattr) { return !xattr.first.starts_with("user."); });
    return entry.type != image::EntryType::char_device && entry.type != image::EntryType::block_device;
}

// What becomes of a tree read on one side: the same on the other.
Status copy_tree(Engine& engine, const CopySource& source, CopyTarget target, Ownership ownership,
                 Direction direction) {
    auto directory = files::open_at(target.directory.get(), ".", O_RDONLY | O_DIRECTORY);
    if (!directory) return fail(directory);
    const image::DiagnosticFn warn = warnings(engine);
    image::TreeWriter writer(std::move(*directory), warn);
    const auto visit = [&](const image::TarEntry& read, image::EntryData& data) -> Status {
        image::TarEntry entry = read;
        if (set_owner(entry, ownership, direction)) return writer.write(data, entry);
        warn("left out: device '" + entry.path + "'; -a copies it");
        return {};
    };
    if (auto copied = read_source(source, target.name, visit, warn); !copied) return copied;
    return writer.finish();
}

LastLink last_link(const CopyRequest& request) {
    return request.link == SourceLink::followed ? LastLink::follow : LastLink::keep;
}

} // namespace

Status copy_out(Engine& engine, const CopyRequest& request) {
    auto opened = open_container(engine, request.container, Access::read_only);
    if (!opened) return fail(opened);
    auto source = find_source(opened->side, request.inside, last_link(request));
    if (!source) return fail(source, "container '" + request.container + "'");
    auto target = find_target(Side::host(), request.outside, *source);
    if (!target) return fail(target);
    if (auto done = copy_tree(engine, *source, std::move(*target), request.ownership, Direction::out); !done)
        return done;
    source->fd.reset();
    return close_container(std::move(*opened));
}

Status copy_in(Engine& engine, const CopyRequest& request) {
    auto opened = open_container(engine, request.container, Access::read_write);
    if (!opened) return fail(opened);
    auto source = find_source(Side::host(), request.outside, last_link(request));
    if (!source) return fail(source);
    auto target = find_target(opened->side, request.inside, *source);
    if (!target) return fail(target, "container '" + request.container + "'");
    if (auto done = copy_tree(engine, *source, std::move(*target), request.ownership, Direction::in); !done)
        return fail(done, "container '" + request.container + "'");
    return close_container(std::move(*opened));
}

Status copy_out_stream(Engine& engine, const CopyRequest& request, const image::ByteSink& sink) {
    auto opened = open_container(engine, request.container, Access::read_only);
    if (!opened) return fail(opened);
    auto source = find_source(opened->side, request.inside, last_link(request));
    if (!source) return fail(source, "container '" + request.container + "'");
    image::TarWriter tar(sink);
    const std::string name = source->contents ? "" : source->name;
    if (auto read = read_source(*source, name, image::archive_into(tar), warnings(engine)); !read)
        return read;
    if (auto finished = tar.finish(); !finished) return finished;
    source->fd.reset();
    return close_container(std::move(*opened));
}

Status copy_in_stream(Engine& engine, const CopyRequest& request, int input) {
    auto opened = open_container(engine, request.container, Access::read_write);
    if (!opened) return fail(opened);
    auto target = find_directory(opened->side, request.inside);
    if (!target) return fail(target, "container '" + request.container + "'");
    auto directory = files::open_at(target->get(), ".", O_RDONLY | O_DIRECTORY);
    if (!directory) return fail(directory);
    target->reset();
    image::FdSource file(input, "standard input");
    image::Decompressor plain(file, {});
    image::TarReader reader(plain, image::Trailer::required);
    {
        image::TreeWriter writer(std::move(*directory), warnings(engine));
        for (;;) {
            auto next = reader.next();
            if (!next) return fail(next, "standard input");
            if (*next == nullptr) break;
            image::TarEntry entry = **next;
            (void)set_owner(entry, request.ownership, Direction::in); // Inside there is nothing to leave out.
            if (auto written = writer.write(reader, entry); !written) return written;
        }
        if (auto finished = writer.finish(); !finished) return finished;
    }
    if (auto drained = image::drain(plain); !drained) return drained;
    return close_container(std::move(*opened));
}

} // namespace mydocker::engine
