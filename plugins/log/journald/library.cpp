#include "library.hpp"

#include <bit>
#include <dlfcn.h>

namespace mydocker::journal {
namespace {

template <class Function>
[[nodiscard]] bool find(void* library, const char* name, Function& function) {
    void* const symbol = ::dlsym(library, name);
    function = std::bit_cast<Function>(symbol);
    return symbol != nullptr;
}

} // namespace

Result<Library> Library::load() {
    void* const library = ::dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL); // It stays until the end.
    if (library == nullptr) return fail(Code::unsupported, "load 'libsystemd.so.0', which reads journals");
    Library found;
    const bool is_whole = find(library, "sd_journal_open", found.open) &&
                          find(library, "sd_journal_open_directory", found.open_directory) &&
                          find(library, "sd_journal_close", found.close) &&
                          find(library, "sd_journal_add_match", found.add_match) &&
                          find(library, "sd_journal_set_data_threshold", found.set_data_threshold) &&
                          find(library, "sd_journal_seek_head", found.seek_head) &&
                          find(library, "sd_journal_seek_tail", found.seek_tail) &&
                          find(library, "sd_journal_seek_cursor", found.seek_cursor) &&
                          find(library, "sd_journal_test_cursor", found.test_cursor) &&
                          find(library, "sd_journal_get_cursor", found.get_cursor) &&
                          find(library, "sd_journal_next", found.next) &&
                          find(library, "sd_journal_previous", found.previous) &&
                          find(library, "sd_journal_get_data", found.get_data) &&
                          find(library, "sd_journal_get_realtime_usec", found.get_realtime_usec);
    if (!is_whole) return fail(Code::unsupported, "use 'libsystemd.so.0', which lacks what reads journals");
    return found;
}

} // namespace mydocker::journal
