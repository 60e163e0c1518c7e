// A recording double of the whole of base/sys.hpp: linked in place of sys.cpp, it does nothing, writes
// down every call as a line of text, and can fail the n-th call or a named one. For tests of what is
// called in which order, and of what happens when any of it fails.
//
// Descriptors are numbers beyond any real one, so that closing them is harmless.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace mydocker::test {

struct FakeFile {
    std::string bytes = {};
    mode_t mode = S_IFREG | 0644;
    dev_t device = 0;
    std::optional<std::uint64_t> size = {}; // when it is not that of `bytes`
    long filesystem = 0;                    // fstatfs type
};

struct FakePacket {
    std::string bytes; // empty: the other end is closed
    std::size_t fds = 0;
};

class FakeSys {
  public:
    // Lines so far, "name argument…"; descriptors as what they were opened as, in brackets.
    std::vector<std::string> calls;

    // What there is to see; a path as the caller writes it. Others are directories.
    std::map<std::string, FakeFile> files;
    std::set<std::string> missing; // ENOENT
    std::map<std::string, std::string> links;
    std::map<std::string, std::vector<std::string>> names; // of directories
    std::deque<FakePacket> packets;                        // for receive_with_fds
    std::vector<std::pair<std::string, std::vector<int>>> sent;
    std::string cwd = "/";
    int execve_error = 2; // ENOENT

    // The call with this index fails; -1: none.
    int fail_at = -1;
    // Calls whose line begins so fail.
    std::map<std::string, int> fail_named;
    int error = 5; // EIO, of fail_at

    // Describes a descriptor that the test itself hands out: 0–2, inherited ones.
    void set_descriptor(int fd, std::string name, FakeFile file);

    [[nodiscard]] int index_of(std::string_view beginning) const; // of the first line that begins so; -1
    [[nodiscard]] int count_of(std::string_view beginning) const;

    // For fake_sys.cpp.
    [[nodiscard]] int record(std::string line); // 0 or the errno to fail with
    [[nodiscard]] int open(const std::string& name);
    [[nodiscard]] std::string name_of(int fd) const;
    [[nodiscard]] const FakeFile* file_of(int fd) const;
    [[nodiscard]] std::size_t& offset_of(int fd) { return offsets_[fd]; }

  private:
    static constexpr int kFirstFd = 1'000'000;
    int next_fd_ = kFirstFd;
    std::map<int, std::string> names_of_fds_;
    std::map<int, FakeFile> given_;
    std::map<int, std::size_t> offsets_;
};

// The one that the calls go to: the seam is a set of functions, so there is one for the process. A test
// begins with a fresh one.
[[nodiscard]] FakeSys& fake_sys();
[[nodiscard]] FakeSys& fresh_fake_sys();

} // namespace mydocker::test
