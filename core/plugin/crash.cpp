#include "plugin/crash.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <unistd.h>

namespace mydocker::plugin {
namespace {

struct Current {
    const char* plugin;
    const char* call;
};

// Trivial types: the handler reads them without any initialisation taking place.
thread_local constinit Current current{nullptr, nullptr};
constinit const char* reporting_program = nullptr;
constinit std::array<std::byte, 32768> handler_stack{};

constexpr std::array<int, 6> kCrashes = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};

// One line of text, built without allocation: usable in a signal handler.
class Line {
  public:
    Line& operator<<(std::string_view text) {
        const std::size_t count = std::min(text.size(), bytes_.size() - size_);
        std::copy_n(text.begin(), count, bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
        size_ += count;
        return *this;
    }
    void write_to_stderr() const {
        if (::write(STDERR_FILENO, bytes_.data(), size_) < 0) return; // Nobody is left to tell.
    }

  private:
    std::array<char, 512> bytes_;
    std::size_t size_ = 0;
};

void report_crash(int signal) {
    if (current.plugin != nullptr) {
        const char* name = ::sigabbrev_np(signal);
        Line line;
        line << reporting_program << ": " << current.plugin << " crashed in " << current.call << " (SIG"
             << (name != nullptr ? name : "?") << ")\n";
        line.write_to_stderr();
    }
    // SA_RESETHAND has restored the default action: this ends the process, with the core dump and
    // status of the signal itself.
    (void)::raise(signal);
}

void report_exit() {
    if (current.plugin == nullptr) return;
    Line line;
    line << reporting_program << ": " << current.plugin << " ended the process in " << current.call << "\n";
    line.write_to_stderr();
}

} // namespace

CallMark::CallMark(const char* plugin, const char* call) noexcept
    : plugin_(current.plugin),
      call_(current.call) {
    current = {plugin, call};
}

CallMark::~CallMark() {
    current = {plugin_, call_};
}

void install_crash_reporter(const char* program) {
    if (reporting_program != nullptr) return;
    reporting_program = program;
    stack_t stack{};
    stack.ss_sp = handler_stack.data();
    stack.ss_size = handler_stack.size();
    const bool own_stack = ::sigaltstack(&stack, nullptr) == 0; // Without it only a stack overflow is mute.
    struct sigaction action{};
    action.sa_handler = &report_crash;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER) | (own_stack ? SA_ONSTACK : 0);
    for (const int signal : kCrashes)
        (void)::sigaction(signal, &action, nullptr); // Cannot fail for these signals.
    (void)std::atexit(&report_exit); // Without room for it a plugin's exit() merely stays unexplained.
}

} // namespace mydocker::plugin
