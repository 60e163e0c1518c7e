// libsystemd's reader of journals, loaded when somebody reads: a monitor only writes, and stays small.
#pragma once

#include "mydocker/result.hpp"

#include <systemd/sd-journal.h>

namespace mydocker::journal {

// The functions that we use, by their names without "sd_journal_".
struct Library {
    decltype(&::sd_journal_open) open = nullptr;
    decltype(&::sd_journal_open_directory) open_directory = nullptr;
    decltype(&::sd_journal_close) close = nullptr;
    decltype(&::sd_journal_add_match) add_match = nullptr;
    decltype(&::sd_journal_set_data_threshold) set_data_threshold = nullptr;
    decltype(&::sd_journal_seek_head) seek_head = nullptr;
    decltype(&::sd_journal_seek_tail) seek_tail = nullptr;
    decltype(&::sd_journal_seek_cursor) seek_cursor = nullptr;
    decltype(&::sd_journal_test_cursor) test_cursor = nullptr;
    decltype(&::sd_journal_get_cursor) get_cursor = nullptr;
    decltype(&::sd_journal_next) next = nullptr;
    decltype(&::sd_journal_previous) previous = nullptr;
    decltype(&::sd_journal_get_data) get_data = nullptr;
    decltype(&::sd_journal_get_realtime_usec) get_realtime_usec = nullptr;

    // Errors: unsupported where libsystemd is missing.
    [[nodiscard]] static Result<Library> load();
};

} // namespace mydocker::journal
