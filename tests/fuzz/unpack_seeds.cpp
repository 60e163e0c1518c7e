// Writes the seeds of unpack_fuzz into a directory: one archive for each feature of the reader.
// usage: unpack_seeds DIRECTORY
#include "support/image_support.hpp"
#include "support/tar_writer.hpp"

#include <string>
#include <vector>

int main(int count, char** words) {
    using mydocker::test::TarMaker;
    if (count != 2) return 125;
    const std::string ordinary =
        TarMaker().directory("d").file("d/f", "content").symlink("l", "d").hard_link("h", "d/f").finish();
    const std::vector<std::string> seeds = {
        ordinary,
        mydocker::test::gzip(ordinary),
        mydocker::test::zstd(ordinary),
        TarMaker().directory("d").file("d/.wh.x", "").file("d/.wh..wh..opq", "").finish(),
        TarMaker().file(".wh.a", "").directory("a").file("a/b", "").finish(),
        TarMaker()
            .add({.path = "x", .pax = {{"path", "y"}, {"mtime", "1.5"}, {"SCHILY.xattr.user.k", "v"}}})
            .finish(),
        TarMaker().add({.path = "L", .type = 'L', .content = "long"}).file("x", "").finish(),
        TarMaker()
            .add({.path = "s", .content = "ab", .pax = {{"GNU.sparse.size", "9"}, {"GNU.sparse.map", "4,2"}}})
            .finish(),
        TarMaker()
            .add({.path = "s",
                  .content = "1\n4\n2\n" + std::string(506, '\0') + "ab",
                  .pax = {{"GNU.sparse.major", "1"}, {"GNU.sparse.name", "s"}, {"GNU.sparse.realsize", "9"}}})
            .finish(),
        TarMaker().add({.path = "s", .type = 'S'}).finish(),
        TarMaker()
            .add({.path = "n", .type = '3', .device_major = 1, .device_minor = 3})
            .add({.path = "p", .type = '6'})
            .finish(),
    };
    for (std::size_t i = 0; i < seeds.size(); ++i)
        mydocker::test::write_text(std::string(words[1]) + "/seed" + std::to_string(i),
                                   std::string(1, static_cast<char>(i % 3)) + seeds[i]);
    return 0;
}
