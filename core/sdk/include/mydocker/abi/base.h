/* The C wire between the engine and its plugins: what every kind of plugin shares. Not for authors in
 * C++, who derive from the classes in mydocker/<kind>.hpp and use mydocker/export_<kind>.hpp.
 *
 * Eleven conventions hold for everything in mydocker/abi/:
 *
 *  1. A string is md_str: pointer and length, any bytes, not terminated, borrowed until the call that
 *     it was passed in returns. Empty: length 0, the pointer then means nothing.
 *  2. An array is md_list. A reader steps by `stride`, never by its own sizeof: the writer's structs
 *     may be longer (or shorter) than the reader's.
 *  3. Every other struct and every table begins with its own size in bytes. Fields and slots are only
 *     ever appended, never moved, retyped or used anew. No struct ends in padding, since an appended
 *     field would lie in it and be read as garbage; `reserved` fields are zero.
 *  4. A receiver copies a struct or table into a zeroed one of its own, at most min(size, sizeof) bytes
 *     of it, and reads only the copy. From then on absent is null or zero, and nobody asks about size
 *     again. Where a zero field would be a value, a bit in the field `set` says whether it is there; a
 *     bit in `set` that the receiver does not know is answered with MD_UNSUPPORTED, not ignored.
 *  5. Nobody frees the other's memory. A plain number is written through its `out` pointer; anything
 *     else leaves through the receiver's sink {ctx, item}: the callee calls item(ctx, …), and what it
 *     passes is borrowed until that returns. A non-zero return of item means stop: call no more, give
 *     back what you hold, return MD_CANCELLED. `out` is touched on success only.
 *  6. A slot returns 0 or a code of md_code; with a code it fills the caller's md_error. The text says
 *     what was attempted, on what, never what strerror says: errno crosses as a number and is worded
 *     last, by the engine. A text that is too long loses its middle, for the cause stands at the end.
 *  7. When an item function asked to stop, the caller keeps its own reason, and that wins over the
 *     MD_CANCELLED (or whatever else) that the callee then returns.
 *  8. No exception, C++ type, FILE*, locale, working directory, umask or signal mask crosses.
 *  9. Booleans are int32_t (0 or 1), enumerations uint32_t with the values given here; sizes are in
 *     bytes, times in nanoseconds.
 * 10. File descriptors passed in are the caller's (borrowed); those handed out are the receiver's as
 *     soon as item was called or `out` written, whatever is returned. All are close-on-exec.
 * 11. Every slot has a tag. [one-thread]: the engine makes one call at a time on an instance.
 *     [any-thread]: from any thread at any time. [pure]: may read, changes nothing. [optional]: may be
 *     null, which says MD_UNSUPPORTED; slots without this tag are required.
 *
 * A process that opened an instance is the only one that calls it. Libraries are never unloaded, so
 * the descriptor, its strings and its table live for ever. From `open` until `close` a plugin may have
 * threads of its own, with all signals blocked, joined in `close`.
 */
#ifndef MYDOCKER_ABI_BASE_H
#define MYDOCKER_ABI_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of everything in mydocker/abi/. Another major number: refused. A minor number tells what
 * was appended; engine and plugin of one major work together whichever is the newer. */
enum { MD_ABI_MAJOR = 1, MD_ABI_MINOR = 0 };

typedef enum md_code {
    MD_OK = 0,
    MD_INVALID = 1,       /* the caller's input is wrong */
    MD_NOT_FOUND = 2,     /* the named thing is not there */
    MD_EXISTS = 3,        /* the named thing is there already */
    MD_CONFLICT = 4,      /* changed by somebody else since it was read */
    MD_BUSY = 5,          /* in use; try again later */
    MD_UNSUPPORTED = 6,   /* this host, kernel or driver cannot do it */
    MD_DENIED = 7,        /* no permission */
    MD_NO_SPACE = 8,      /* disk, quota or a kernel table is full */
    MD_IO = 9,            /* the medium or the kernel failed */
    MD_CORRUPT = 10,      /* stored data is damaged */
    MD_TIMEOUT = 11,      /* a deadline passed */
    MD_CANCELLED = 12,    /* the caller asked to stop */
    MD_PLUGIN_FAULT = 13, /* the plugin broke its contract */
    MD_INTERNAL = 14      /* a defect of the side that reports it */
} md_code;

typedef enum md_kind {
    MD_KIND_STORAGE = 1,
    MD_KIND_CGROUP = 2,
    MD_KIND_LOG = 3,
    MD_KIND_STATE = 4,
    MD_KIND_NETWORK = 5, /* 5 to 7: the number is taken, the table is to come */
    MD_KIND_VOLUME = 6,
    MD_KIND_IMAGE = 7
} md_kind;

typedef enum md_log_level {
    MD_LOG_DEBUG = 0,
    MD_LOG_INFO = 1,
    MD_LOG_WARNING = 2,
    MD_LOG_ERROR = 3,
    MD_LOG_HOST_MISBEHAVED = 4,  /* the engine broke the contract */
    MD_LOG_PLUGIN_MISBEHAVED = 5 /* the plugin did */
} md_log_level;

typedef enum md_option_type {
    MD_OPTION_BOOLEAN = 1,
    MD_OPTION_INTEGER = 2,
    MD_OPTION_FLOATING = 3,
    MD_OPTION_STRING = 4,
    MD_OPTION_LIST = 5,    /* of strings */
    MD_OPTION_SIZE = 6,    /* bytes; written as "10m" */
    MD_OPTION_DURATION = 7 /* nanoseconds; written as "1m30s" */
} md_option_type;

/* These two never change and carry no size of their own. */
typedef struct md_str {
    const char* data;
    size_t size;
} md_str;

typedef struct md_list {
    const void* data; /* the first element */
    size_t count;
    size_t stride; /* bytes from one element to the next */
} md_list;

/* Where a string leaves through. */
typedef struct md_str_sink {
    void* ctx;
    int32_t (*item)(void* ctx, md_str text);
} md_str_sink;

enum { MD_ERROR_TEXT = 1024 };

/* The caller's; `size` is set by it. The text is not terminated. */
typedef struct md_error {
    uint32_t size;
    uint32_t code;      /* md_code, the same as returned */
    int32_t sys_errno;  /* 0: none */
    uint32_t text_size; /* bytes used of text */
    char text[MD_ERROR_TEXT];
} md_error;

/* One option, typed by the engine; complete: defaults are filled in. */
typedef struct md_option {
    uint32_t size;
    uint32_t type; /* md_option_type; says which of the fields below holds the value */
    md_str key;
    int64_t integer; /* boolean (0, 1), integer, duration */
    uint64_t bytes;  /* size */
    double floating;
    md_str string;
    md_list list; /* of md_str */
} md_option;

/* One option as a plugin declares it. */
typedef struct md_option_spec {
    uint32_t size;
    uint32_t type; /* md_option_type */
    md_str key;
    md_str default_value; /* as in mydocker.toml, without quotes; a list's elements joined by commas */
    md_str help;
} md_option_spec;

/* What the engine offers one instance. Unlike other arguments it is valid until `close` returns. */
typedef struct md_host {
    uint32_t size;
    uint32_t abi_major;
    uint32_t abi_minor;
    uint32_t reserved;
    void* ctx; /* first argument of the functions below */
    /* [any-thread] A message about the plugin itself; `level` is md_log_level. */
    void (*log)(void* ctx, uint32_t level, md_str text);
    /* [any-thread] [pure] Whether a long operation should end early with MD_CANCELLED. */
    int32_t (*cancelled)(void* ctx);
    md_str data_dir; /* absolute; the plugin's own, on disk; made by it when first needed, mode 0700 */
    md_str run_dir;  /* the same for what dies with the boot */
    md_list options; /* of md_option, sorted by key */
    /* [any-thread] [pure] A table of the engine's by id ("name/1"); null: it has none such. */
    const void* (*service)(void* ctx, md_str id);
} md_host;

/* The one symbol that a plugin exports: `const md_plugin mydocker_plugin`. */
typedef struct md_plugin {
    uint32_t size;
    uint32_t abi_major;
    uint32_t abi_minor;
    uint32_t kind;  /* md_kind; with `name` it makes the file name: <kind>-<name>.so */
    uint32_t flags; /* none defined yet: zero */
    uint32_t reserved;
    md_str name;          /* of a-z 0-9 '-' '_', at most 64 bytes */
    md_str version;       /* the plugin's own */
    md_str vendor;        /* may be empty */
    md_str summary;       /* one line */
    md_str url;           /* may be empty */
    md_list option_specs; /* of md_option_spec */
    /* [one-thread] Makes an instance; *self is what every slot gets back. It may look at the host but
     * makes nothing that lasts: that is for the first call that needs it. Several instances may be
     * open at a time, in this process and in others. */
    uint32_t (*open)(const md_host* host, void** self, md_error* error);
    /* [one-thread] Ends an instance, after its last call. */
    void (*close)(void* self);
    const void* table; /* the kind's: md_storage_table, md_cgroup_table, md_log_table, md_state_table */
    /* [any-thread] [pure] [optional] A table of the plugin's beyond `table`, by id; null: none such. */
    const void* (*extension)(md_str id);
} md_plugin;

extern const md_plugin mydocker_plugin __attribute__((visibility("default")));

/* The passport: an ELF note in the allocated section .note.mydocker. The engine reads it from the file
 * before any code of the plugin runs (dlopen runs constructors), also for `plugin info`. Layout:
 *
 *   md_note | md_passport | texts, each ended by a NUL byte:
 *       name version vendor summary url             (plugin_texts of them)
 *       then for each option: type key default help (option_texts of them; type is a decimal number)
 *
 * It must say the same as the descriptor. Texts appended by later versions are skipped by the counts. */
enum { MD_NOTE_PASSPORT = 1 };

typedef struct md_note {
    uint32_t owner_size;      /* 9: "mydocker" and its NUL */
    uint32_t descriptor_size; /* bytes of md_passport and texts */
    uint32_t type;            /* MD_NOTE_PASSPORT */
    char owner[12];           /* "mydocker", padded with NUL */
} md_note;

typedef struct md_passport {
    uint32_t size; /* of this struct: where the texts begin */
    uint32_t abi_major;
    uint32_t abi_minor;
    uint32_t kind;
    uint32_t flags;
    uint32_t plugin_texts; /* 5 */
    uint32_t option_count;
    uint32_t option_texts; /* 4 */
} md_passport;

#ifdef __cplusplus
}
#endif

#endif
