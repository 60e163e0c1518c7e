// What a mount with the option "volatile" leaves of itself, and whether the next one may pass over it.
//
// The kernel leaves a mark in the work directory and refuses every further mount: had the host crashed since,
// what was written last would be lost. It has not, as long as it is the same boot. Which one that is stands
// in the target of a link beside the mark, by the kernel's own id of it: a time of day would not tell, since
// clocks are set. The link is made when there is no mark, before the mount that may leave one; so where it
// names the present boot, the mark is of this boot, too. Source: Linux,
// Documentation/filesystems/overlayfs.rst, "Volatile mount".
#pragma once

#include "mydocker/result.hpp"

namespace mydocker::overlayfs {

// Below rw/ID.
inline constexpr const char* kVolatileMark = "work/work/incompat/volatile";
inline constexpr const char* kVolatileFile = "work/work/incompat/volatile/dirty";
inline constexpr const char* kBootLink = "boot";

// Before a volatile mount of what lies in the directory `rw`. A mark of this boot goes, once all that was
// written is on the disk; one of another boot stays, and the kernel refuses the mount. Where there is no
// mark, the present boot is noted.
[[nodiscard]] Status prepare_volatile(int rw);

} // namespace mydocker::overlayfs
