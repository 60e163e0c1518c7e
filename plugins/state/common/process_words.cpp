#include "process_words.hpp"

#include "mydocker/support/files.hpp"

#include <algorithm>

namespace mydocker::state {

std::string describe_process(const std::string& pid) {
    constexpr std::size_t kLongest = 100;
    auto words = files::read_file("/proc/" + pid + "/cmdline", 1U << 21U);
    std::string command = words ? *words : "";
    while (!command.empty() && command.back() == '\0')
        command.pop_back();
    std::ranges::replace(command, '\0', ' ');
    std::ranges::replace_if(command, [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
    if (command.size() > kLongest) command = command.substr(0, kLongest) + "…";
    const auto stat = files::read_file("/proc/" + pid + "/stat", 1U << 12U);
    // pid (comm) state …; comm may contain anything, ')' too.
    const auto close = stat ? stat->rfind(')') : std::string::npos;
    const char state = close != std::string::npos && close + 2 < stat->size() ? (*stat)[close + 2] : '?';
    const bool stopped = state == 'T' || state == 't';
    return (command.empty() ? "command unknown" : command) + (stopped ? ", stopped" : "");
}

} // namespace mydocker::state
