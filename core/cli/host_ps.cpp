#include "cli/host_ps.hpp"

#include "base/process.hpp"
#include "base/sys.hpp"
#include "cli/table.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <unistd.h>

namespace mydocker::cli {
namespace {

// The system's own: what it does is done as root, whatever the caller's PATH says.
Result<std::string> find_program(const std::string& name) {
    for (const char* directory : {"/usr/bin/", "/bin/"})
        if (std::string candidate = directory + name; ::access(candidate.c_str(), X_OK) == 0)
            return candidate;
    return fail(Code::not_found, fmt::format("the host has no '{}'; it comes with the package procps", name));
}

struct Output {
    std::string out;
    std::string err;
    bool succeeded = false;
};

Status drain_both(const UniqueFd& out, const UniqueFd& err, Output& to) {
    std::array<pollfd, 2> fds{pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0}};
    const std::array<std::string*, 2> texts{&to.out, &to.err};
    std::array<char, 16384> buffer{};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (auto ready = sys::poll(fds, -1); !ready) return fail(ready);
        for (std::size_t i = 0; i < fds.size(); ++i) {
            if (fds[i].fd < 0 || fds[i].revents == 0) continue;
            auto count = sys::read(fds[i].fd, buffer);
            if (!count) return fail(count);
            if (*count == 0) fds[i].fd = -1;
            texts[i]->append(buffer.data(), *count);
        }
    }
    return {};
}

Result<Output> capture(const std::string& program, std::vector<std::string> argv) {
    auto out = sys::pipe();
    if (!out) return fail(out);
    auto err = sys::pipe();
    if (!err) return fail(err);
    process::SpawnRequest request;
    request.executable = program;
    request.argv = std::move(argv);
    // Its columns must not depend on the caller's language.
    request.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
    request.fds = {-1, out->write.get(), err->write.get()};
    auto child = process::spawn(request);
    if (!child) return fail(child, "run '" + program + "'");
    out->write.reset();
    err->write.reset();
    Output output;
    auto read = drain_both(out->read, err->read, output);
    auto status = process::reap(child->pidfd.get());
    if (!read) return fail(read);
    if (!status) return fail(status);
    output.succeeded = status->shell_code() == 0;
    return output;
}

std::vector<std::string_view> fields(std::string_view line) {
    std::vector<std::string_view> words;
    for (;;) {
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
        if (line.empty()) return words;
        words.push_back(line.substr(0, line.find(' ')));
        line.remove_prefix(words.back().size());
    }
}

bool is_one_of(std::string_view word, const std::vector<pid_t>& pids) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), pid);
    return error == std::errc() && end == word.data() + word.size() && std::ranges::binary_search(pids, pid);
}

} // namespace

Result<std::string> select_lines(std::string_view listing, const std::vector<pid_t>& pids) {
    std::string selected;
    std::size_t column = 0;
    bool is_heading = true;
    bool follows = false; // the lines of its threads have "-" for a pid
    while (!listing.empty()) {
        const std::string_view line = listing.substr(0, listing.find('\n'));
        listing.remove_prefix(std::min(line.size() + 1, listing.size()));
        const auto words = fields(line);
        if (is_heading) {
            const auto found = std::ranges::find(words, "PID");
            if (found == words.end()) return fail(Code::invalid, "ps shows no column PID; ask for it, too");
            column = static_cast<std::size_t>(found - words.begin());
        } else if (words.size() <= column) {
            continue;
        } else if (words[column] != "-") {
            follows = is_one_of(words[column], pids);
        }
        if (is_heading || follows) selected += printable(line) + "\n";
        is_heading = false;
    }
    return selected;
}

Result<std::string> host_ps(const std::vector<std::string>& words, const std::vector<pid_t>& pids) {
    auto program = find_program("ps");
    if (!program) return fail(program);
    std::vector<std::string> argv{"ps"};
    argv.insert(argv.end(), words.begin(), words.end());
    std::vector<std::string> quick = argv;
    quick.push_back(fmt::format("-q{}", fmt::join(pids, ",")));
    auto output = capture(*program, std::move(quick));
    // Some options do not go with -q, and not every ps has it: then all are listed.
    if (output && !output->succeeded) output = capture(*program, std::move(argv));
    if (!output) return fail(output);
    if (!output->succeeded)
        return fail(Code::invalid,
                    fmt::format("ps: {}", printable(output->err.substr(0, output->err.find('\n')))));
    return select_lines(output->out, pids);
}

} // namespace mydocker::cli
