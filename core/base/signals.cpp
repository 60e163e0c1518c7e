// Names of signals, by the C library's own table.
#include "base/signals.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstring>

namespace mydocker::signals {
namespace {

bool parse_number(std::string_view text, int& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// "RTMIN", "RTMIN+3", "RTMAX-1"; 0 when it is none.
int real_time(std::string_view name) {
    int offset = 0;
    if (name.starts_with("RTMIN")) {
        name.remove_prefix(5);
        if (name.empty()) return SIGRTMIN;
        return name.front() == '+' && parse_number(name.substr(1), offset) ? SIGRTMIN + offset : 0;
    }
    if (!name.starts_with("RTMAX")) return 0;
    name.remove_prefix(5);
    if (name.empty()) return SIGRTMAX;
    return name.front() == '-' && parse_number(name.substr(1), offset) ? SIGRTMAX - offset : 0;
}

} // namespace

Result<int> parse(std::string_view text) {
    int number = 0;
    if (parse_number(text, number)) {
        if (number >= 1 && number <= SIGRTMAX) return number;
        return fail(Code::invalid, "signal " + std::string(text) + " does not exist (1-" +
                                       std::to_string(SIGRTMAX) + " do)");
    }
    std::string name(text);
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const std::string_view bare =
        name.starts_with("SIG") ? std::string_view(name).substr(3) : std::string_view(name);
    for (int signal = 1; signal < SIGRTMIN; ++signal) {
        const char* known = ::sigabbrev_np(signal);
        if (known != nullptr && bare == known) return signal;
    }
    const int signal = real_time(bare);
    if (signal >= SIGRTMIN && signal <= SIGRTMAX) return signal;
    return fail(Code::invalid, "'" + std::string(text) + "' is no signal");
}

std::string name_of(int signal) {
    const char* name = ::sigabbrev_np(signal);
    if (name != nullptr) return std::string("SIG") + name;
    return signal >= SIGRTMIN ? "SIGRTMIN+" + std::to_string(signal - SIGRTMIN) : std::to_string(signal);
}

} // namespace mydocker::signals
