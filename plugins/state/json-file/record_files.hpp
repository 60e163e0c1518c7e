// The records as files below the store's directory: read, write, remove, walk. Each call is atomic for
// readers; that only one process changes things at a time is the store's business (store_lock).
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/state_store.hpp"
#include "mydocker/support/files.hpp"

#include "record.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace mydocker::json_state {

enum class Missing { report, create };
enum class Placement { create, replace };

// Which file a path named when it was looked at, and which content. Comparing two is safe as long as one
// of them is kept open: its inode number cannot be given to another file meanwhile. On a full disk a file
// comes back with another content; its time tells.
struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    timespec modified{};

    bool operator==(const FileIdentity& other) const {
        return device == other.device && inode == other.inode && modified.tv_sec == other.modified.tv_sec &&
               modified.tv_nsec == other.modified.tv_nsec;
    }
};

// A record's file as it was written, still open.
struct WrittenFile {
    UniqueFd file;
    FileIdentity identity;
};

class RecordFiles {
  public:
    // path: the store's directory. sync: whether a change is on disk before it returns.
    RecordFiles(std::string path, files::Sync sync)
        : path_(std::move(path)),
          sync_(sync),
          user_(::geteuid()) {}

    // Opens the store's directory, if it is not open yet. Missing::create also makes it, and the
    // directories in it. Errors: not_found (Missing::report).
    [[nodiscard]] Status open(Missing missing);
    // Makes the next open look again.
    void close() { directory_.reset(); }

    // Needs open; so do all that follow.
    [[nodiscard]] int directory() const { return directory_.get(); }
    [[nodiscard]] files::Sync sync() const { return sync_; }
    // For messages: the path of something in the store's directory.
    [[nodiscard]] std::string path_of(std::string_view name) const {
        return "'" + path_ + "/" + std::string(name) + "'";
    }

    // Errors: not_found; corrupt when it is damaged or no regular file of this user; unsupported.
    [[nodiscard]] Result<Record> read(const ContainerId& id) const;

    // Errors: not_found.
    [[nodiscard]] Result<FileIdentity> identity(const ContainerId& id) const;

    // Errors: exists (Placement::create); no_space, when replacing only for a record larger than the spare
    // file. On failure the record is as it was.
    [[nodiscard]] Result<WrittenFile> write(const Record& record, std::string_view document,
                                            Placement placement) const;

    // Whatever is there under the id, no record too. Absent: succeeds.
    [[nodiscard]] Status remove(const ContainerId& id) const;

    // The names in records/ but for our own pending file; in no order, each once.
    [[nodiscard]] Result<std::vector<files::DirectoryEntry>> entries() const;

    // The highest sequence number of all readable records, 0 without any.
    [[nodiscard]] Result<std::uint64_t> highest_sequence() const;

    // Every record that can be read.
    [[nodiscard]] Status for_each_readable(const std::function<Status(const Record&)>& visit) const;

    // Puts a directory's entries on disk, if changes are to be durable.
    [[nodiscard]] Status sync_directory(const char* name) const;

  private:
    [[nodiscard]] Result<Record> read_open(int fd, const ContainerId& id, const std::string& name) const;
    [[nodiscard]] Result<UniqueFd> create_pending() const;
    [[nodiscard]] Result<WrittenFile> write_pending(std::string_view text) const;
    [[nodiscard]] Result<WrittenFile> finish_file(UniqueFd fd) const;
    [[nodiscard]] Status keep_spare() const;
    [[nodiscard]] Result<WrittenFile> write_spare(const ContainerId& id, std::string_view text) const;
    [[nodiscard]] Result<WrittenFile> overwrite_pending(std::string_view text) const;
    [[nodiscard]] Status place_pending(const ContainerId& id, Placement placement) const;
    // Give the pending file its name; 0 or the errno value.
    [[nodiscard]] int place_new(const std::string& name) const;
    [[nodiscard]] int place_over(const std::string& name) const;

    std::string path_;
    files::Sync sync_;
    uid_t user_; // whose files we trust
    UniqueFd directory_;
};

} // namespace mydocker::json_state
