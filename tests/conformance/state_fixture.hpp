// What the suites of state stores share: one store in a temporary directory, records to put into it,
// and processes that use it at the same time or are killed while they do.
#pragma once

#include "conformance/conformance.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace mydocker::conformance {

// The n-th id of a test: 64 hex digits; the first eight differ from number to number.
inline ContainerId test_id(unsigned number) {
    char head[9];
    std::snprintf(head, sizeof head, "%08x", number * 2654435761U);
    char tail[57];
    std::snprintf(tail, sizeof tail, "%056x", number);
    return ContainerId(std::string(head) + tail);
}

class StateSuite : public testing::TestWithParam<Subject<StateStore>> {
  public:
    // Another instance over the same directories, as another process has it.
    [[nodiscard]] std::unique_ptr<StateStore> open() const {
        auto opened = GetParam().open(setting());
        if (opened) return std::move(*opened);
        ADD_FAILURE() << "open: " << describe(opened.error());
        return nullptr;
    }

    [[nodiscard]] std::string data_dir() const { return directory_ / "data"; }

  protected:
    void SetUp() override {
        store_ = open();
        ASSERT_NE(store_, nullptr);
    }

    [[nodiscard]] StateStore& store() { return *store_; }

    // A record that is there; its revision.
    Revision given(const ContainerId& id, const std::string& name, std::string_view document = "{}") {
        const auto revision = store_->reserve(id, ContainerName(name), document);
        EXPECT_TRUE(revision) << describe(revision.error());
        return revision ? *revision : 0;
    }

    // Names and ids in the order of list(); a damaged record is "damaged <id>".
    [[nodiscard]] std::vector<std::string> listed_names(StateStore& store) const {
        std::vector<std::string> names;
        const auto walked = store.list([&](const ListedRecord& listed) -> Status {
            names.push_back(listed.record ? listed.record->name.str() : "damaged " + listed.id.str());
            return {};
        });
        EXPECT_TRUE(walked) << describe(walked.error());
        return names;
    }

  private:
    [[nodiscard]] Setting setting() const {
        return {.data_dir = data_dir(), .run_dir = directory_ / "run", .options = {}};
    }

    test::TempDir directory_;
    std::unique_ptr<StateStore> store_;
};

template <class T>
[[nodiscard]] Code code_of(const Result<T>& result) {
    return result ? Code::ok : result.error().code;
}

// A record that must be there; an empty one, and a failure, when it is not.
[[nodiscard]] inline StoredRecord loaded(StateStore& store, const ContainerId& id) {
    auto record = store.load(id);
    if (record) return std::move(*record);
    ADD_FAILURE() << "load: " << describe(record.error());
    return {};
}

// Runs the work in a child process; it succeeds by returning true. The pid of the child.
[[nodiscard]] pid_t start_process(const std::function<bool()>& work);
// Waits for a child of start_process, a minute at most, and kills it then; whether it succeeded.
[[nodiscard]] bool finish_process(pid_t pid);
// kill -9, and waits.
void kill_process(pid_t pid);

// How run_until_call ended.
enum class Ended { killed, finished, cannot_trace };
// Runs the work in a child, and kills it (SIGKILL) as it reaches its n-th entry into or return from a
// system call, counted from 1.
[[nodiscard]] Ended run_until_call(const std::function<bool()>& work, unsigned stop);

} // namespace mydocker::conformance
