// What the suites of the log sinks share: an instance over a fresh directory, records as values, and
// reading whole logs. Speaks the face alone.
#pragma once

#include "conformance/conformance.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mydocker::conformance {

// A record that outlives the visit.
struct Kept {
    std::int64_t time_ns = 0;
    LogSource source = LogSource::out;
    bool partial = false;
    std::string bytes = {};

    bool operator==(const Kept&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Kept& kept);

// Borrows from `kept`.
[[nodiscard]] std::vector<LogRecord> as_records(const std::vector<Kept>& kept);

// What a reader got, page after page, until nothing more was there.
struct ReadBack {
    std::vector<Kept> records;
    LogCursor next;
    std::uint64_t damaged = 0;
    std::optional<Error> error;
};
[[nodiscard]] ReadBack read_from(LogSink& sink, const StreamInfo& info, const LogQuery& query = {},
                                 const LogCursor& from = {});

class LogSinkCase : public ::testing::TestWithParam<Subject<LogSink>> {
  protected:
    void SetUp() override;

    // Another instance over the same directories: another process, as far as a sink can tell.
    [[nodiscard]] std::unique_ptr<LogSink> instance() const;
    // One that rotates early and keeps many files, if the sink has the customary options for it.
    [[nodiscard]] std::unique_ptr<LogSink> rotating_instance() const;
    [[nodiscard]] bool is_readable() const { return traits_.readable; }
    // Whether a record that was written is in the container's directory; if not, its disk is none of the
    // sink's.
    [[nodiscard]] bool keeps_files() const;

    [[nodiscard]] Status keep(LogSink& sink, const std::vector<Kept>& records) const;
    [[nodiscard]] ReadBack read_all(const LogQuery& query = {}) const;

    test::TempDir root_;
    StreamInfo info_;
    LogTraits traits_;
    std::unique_ptr<LogSink> sink_;

  private:
    [[nodiscard]] Setting setting() const;
};

// Runs `work` on a thread with mounts of its own, a small tmpfs over `directory` being one of them.
// Returns why not, when mounting is not allowed here.
[[nodiscard]] std::optional<std::string> on_small_filesystem(const std::string& directory,
                                                             const std::string& options,
                                                             const std::function<void()>& work);

inline constexpr const char* kKeepsNoFiles = "this sink keeps nothing in the container's directory";
inline constexpr const char* kCannotRead = "this sink declares that it cannot read back";

} // namespace mydocker::conformance
