// Blobs on their way into the content store. Each load has a directory of its own, held by a lock, in
// which blobs are spooled and checked; they join the store in one locked step with the index entry
// that uses them. So an unused blob in the store is always garbage, and so is a directory whose lock
// is free.
//
//   <content>/ingest/<random>/{lock, spool.N, <hex>}
#pragma once

#include "image/digest.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mydocker::image {

// A blob that is complete.
struct Blob {
    Digest digest;
    std::uint64_t size = 0;
};

// One blob being written; gone without finish().
class BlobWriter {
  public:
    BlobWriter(BlobWriter&& other) noexcept = default;
    BlobWriter& operator=(BlobWriter&&) = delete;
    BlobWriter(const BlobWriter&) = delete;
    BlobWriter& operator=(const BlobWriter&) = delete;
    ~BlobWriter();

    [[nodiscard]] Status write(std::string_view bytes);
    // Names it by its digest. Again: not allowed.
    [[nodiscard]] Result<Blob> finish();
    // The same, when its name is known before. Errors: corrupt when it is another one.
    [[nodiscard]] Status finish_as(const Digest& expected);
    [[nodiscard]] std::uint64_t size() const { return size_; }

  private:
    friend class Ingest;
    BlobWriter(int session, UniqueFd fd, std::string name)
        : session_(session),
          fd_(std::move(fd)),
          name_(std::move(name)) {}

    int session_; // borrowed from the Ingest
    UniqueFd fd_;
    std::string name_;
    Hasher hasher_;
    std::uint64_t size_ = 0;
    std::uint64_t written_back_ = 0;
};

class Ingest {
  public:
    // `content`: the store's directory; borrowed. The store's lock must be held.
    [[nodiscard]] static Result<Ingest> begin(int content);
    // Whether there is any directory, whoever has it. Needs no lock.
    [[nodiscard]] static Result<bool> has_any(int content);
    // The directories whose owner is gone: changes of the store that were cut off. The store's lock must be
    // held.
    [[nodiscard]] static Result<std::vector<std::string>> list_abandoned(int content);
    // Removes those. The store's lock must be held, and have been since they were listed.
    [[nodiscard]] static Status remove_abandoned(int content, const std::vector<std::string>& names);

    Ingest(Ingest&&) noexcept = default;
    Ingest& operator=(Ingest&&) = delete;
    Ingest(const Ingest&) = delete;
    Ingest& operator=(const Ingest&) = delete;
    ~Ingest();

    [[nodiscard]] Result<BlobWriter> create_blob();
    // A small blob in one call.
    [[nodiscard]] Result<Blob> add(std::string_view bytes);
    [[nodiscard]] bool has(const Digest& digest) const;
    // Errors: not_found: "blob sha256:… is missing".
    [[nodiscard]] Result<UniqueFd> open(const Digest& digest) const;
    [[nodiscard]] Result<std::string> read(const Digest& digest, std::uint64_t limit) const;

    // Makes a blob durable. Absent: succeeds.
    [[nodiscard]] Status sync(const Digest& digest) const;
    // Moves a blob into the directory of the store's blobs. The store's lock must be held.
    // Absent: succeeds if the store has it.
    [[nodiscard]] Status publish(const Digest& digest, int blobs) const;
    // Its directory stays, as if this process had been killed: the next command on images cleans up.
    void leave_behind() { name_.clear(); }

  private:
    Ingest(int content, std::string name, UniqueFd directory, UniqueFd lock)
        : content_(content),
          name_(std::move(name)),
          directory_(std::move(directory)),
          lock_(std::move(lock)) {}

    int content_;
    std::string name_; // below ingest/
    UniqueFd directory_;
    UniqueFd lock_;
    std::uint64_t count_ = 0;
};

// Holds the store's lock as long as the descriptor lives. Waits.
[[nodiscard]] Result<UniqueFd> lock_content(int content);

} // namespace mydocker::image
