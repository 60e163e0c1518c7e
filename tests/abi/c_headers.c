/* Compiled, not run: every wire header is strict C11, and no struct has a hole in it. */
#include "mydocker/abi/base.h"
#include "mydocker/abi/cgroup_backend.h"
#include "mydocker/abi/log_sink.h"
#include "mydocker/abi/state_store.h"
#include "mydocker/abi/storage_driver.h"

int mydocker_c_headers(void);
int mydocker_c_headers(void) {
    return MD_ABI_MAJOR;
}
