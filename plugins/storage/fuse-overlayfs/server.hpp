// A mount of which a process of its own makes the files: fuse-overlayfs, on a connection that we have opened.
//
//   we                                         fuse-overlayfs
//   fsopen; open /dev/fuse                     │
//   fsmount: a detached mount                  │
//   posix_spawn ─── the connection as fd 3 ──→ opens its directories
//   wait for its end ←──────── exit 0 ──────── leaves a child, a daemon
//   ask the mount for its root ──────────────→ answers, and whatever else is asked of it from then on
//
// Nobody owns the daemon but the filesystem: when the last mount of that is gone, in whichever namespace, the
// kernel ends the connection, and the daemon with it. So nothing of it has to be remembered, found again or
// stopped, whoever is killed. When the daemon is killed, what is in the mount fails with ENOTCONN; the files
// of the writable layer stay, and the next mount has a new one. Source: fuse(4); Linux,
// Documentation/filesystems/fuse.rst, "Aborting a filesystem connection".
#pragma once

#include "mydocker/host.hpp"
#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"

#include <string>

namespace mydocker::fuse_overlayfs {

struct Service {
    const std::string& program; // absolute
    int directory = -1;         // open: where relative names in `options` start from
    std::string options;        // for -o
    int token = -1;             // open: the daemon keeps it as long as it lives; -1: nothing
};

// Returns the mount, in no namespace, whose filesystem answers. The daemon has no other descriptors, an empty
// environment, a session of its own, and no signal blocked or ignored.
// Errors: not_found, when there is no such program; unsupported, when this host has no FUSE; invalid, with
// the program's own words, when it gives up; timeout; cancelled. Nothing is left of it then.
[[nodiscard]] Result<UniqueFd> serve(const Service& service, const Host& host);

// Whether the kernel has FUSE (loading its module, if there is one), and /dev/fuse can be opened.
// Errors: unsupported, with the reason and what to do.
[[nodiscard]] Status probe_kernel();

} // namespace mydocker::fuse_overlayfs
