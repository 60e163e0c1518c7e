// Names the plugin and the call when a plugin crashes the process, which then dies by the signal as it
// would have. Not for recovery: that is the next process's.
#pragma once

namespace mydocker::plugin {

// Says, while it lives, which call of which plugin this thread is in. Costs two stores. Marks nest.
class CallMark {
  public:
    // Borrowed for the mark's life: "storage overlayfs", "create_rw".
    CallMark(const char* plugin, const char* call) noexcept;
    CallMark(const CallMark&) = delete;
    CallMark& operator=(const CallMark&) = delete;
    ~CallMark();

  private:
    const char* plugin_;
    const char* call_;
};

// Installs, for the rest of the process, handlers of SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT and
// SIGSYS that write "mydocker: storage overlayfs crashed in create_rw (SIGSEGV)" to standard error if
// the thread is in a plugin call, and then let the signal kill the process; and says so, too, when a
// plugin calls exit(). Runs on a stack of its own on the calling thread. `program`: a literal.
// Again: nothing changes.
void install_crash_reporter(const char* program = "mydocker");

} // namespace mydocker::plugin
