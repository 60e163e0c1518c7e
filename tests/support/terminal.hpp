// A program on a real terminal: a pty whose other end the test types into and reads from.
#pragma once

#include <cstddef>
#include <string>
#include <sys/types.h>
#include <vector>

namespace mydocker::test {

class Terminal {
  public:
    // Starts the program in a session of its own with the pty as its controlling terminal.
    explicit Terminal(const std::vector<std::string>& words, unsigned short rows = 24,
                      unsigned short columns = 80);
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;
    ~Terminal();

    void type(const std::string& text) const;
    void resize(unsigned short rows, unsigned short columns) const;
    // Closes the window; nothing more can be typed or read.
    void hang_up();
    // Reads until `text` has appeared since the last call; false after the limit. What was read is in
    // output().
    [[nodiscard]] bool expect(const std::string& text, int limit_ms = 10000);
    // Waits for the end: its exit code, 128 + n by a signal; -1 after the limit.
    [[nodiscard]] int wait(int limit_ms = 10000);

    [[nodiscard]] const std::string& output() const { return output_; }
    // Where in it the text ends that was expected last: what comes now is behind that.
    [[nodiscard]] std::size_t seen() const { return seen_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    // Whether the terminal echoes: the settings are as a shell has them.
    [[nodiscard]] bool is_cooked() const;

  private:
    void read_some(int limit_ms);

    int master_ = -1;
    pid_t pid_ = -1;
    bool reaped_ = false;
    std::string output_;
    std::size_t seen_ = 0;
};

} // namespace mydocker::test
