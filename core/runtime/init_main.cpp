// mydocker-init: PID 1 of a container until the user's command takes its place. Static, small, started by
// mydocker-monitor with its orders on descriptor 3; not for use by hand.
#include "base/sys.hpp"
#include "runtime/init.hpp"

#include <cstdlib>
#include <new>
#include <string_view>
#include <unistd.h>

namespace {

void say(std::string_view text) {
    (void)!::write(STDERR_FILENO, text.data(), text.size());
}

[[noreturn]] void out_of_memory() {
    say("mydocker-init: out of memory\n");
    ::_exit(125);
}

} // namespace

// The library's would bring exceptions, and with them the unwinder and locales, into this program.
void* operator new(std::size_t size) {
    void* memory = std::malloc(size != 0 ? size : 1); // NOLINT: this is where memory comes from.
    if (memory == nullptr) out_of_memory();
    return memory;
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace std {
void __throw_length_error(const char*) {
    out_of_memory();
}
void __throw_logic_error(const char*) {
    std::abort();
}
void __throw_out_of_range_fmt(const char*, ...) {
    std::abort();
}
void __throw_bad_alloc() {
    out_of_memory();
}
void __throw_bad_array_new_length() {
    out_of_memory();
}
} // namespace std

int main() {
    namespace init = mydocker::runtime::init;
    namespace protocol = mydocker::runtime::protocol;
    init::Init state;
    auto taken = init::take_orders(state);
    if (!taken && taken.error().code == mydocker::Code::not_found) {
        say("mydocker-init: an internal program of mydocker, started by `mydocker run`; not for use by "
            "hand\n");
        return 1;
    }
    const mydocker::runtime::InitFailure failure =
        taken ? init::run(state)
              : mydocker::runtime::InitFailure{"read the orders",
                                               mydocker::fail(taken, "read the orders").error(), 125};
    // By write(2): the container's filter may be in force. If nobody listens, nobody needs to know.
    (void)mydocker::sys::write(protocol::kChannelFd, protocol::encode(failure));
    ::_exit(failure.exit_code);
}
