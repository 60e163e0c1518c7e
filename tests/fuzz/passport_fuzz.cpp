// Any bytes as a plugin file: the passport reader must come back with an answer. Seeds: the fixture
// plugins and real ones.
#include "plugin/passport.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace {

// The reader wants a path, and no symbolic link as /proc/self/fd has them: one file, written anew.
class Input {
  public:
    Input() : path_("/dev/shm/passport_fuzz." + std::to_string(::getpid())) {}
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;
    ~Input() { (void)::unlink(path_.c_str()); }

    void set(const std::uint8_t* data, std::size_t size) const {
        const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
        ::close(fd);
    }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Input input;
    input.set(data, size);
    const auto passport = mydocker::plugin::read_passport(input.path());
    if (!passport) return passport.error().text.empty() ? (std::abort(), 0) : 0;
    // What it believes must be readable: the options point into the note.
    std::size_t bytes = 0;
    for (const mydocker::OptionSpec& option : passport->options)
        bytes += std::string(option.key).size() + std::string(option.default_value).size() +
                 std::string(option.help).size();
    if (bytes > size) std::abort();
    return 0;
}
