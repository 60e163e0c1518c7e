/* A log sink in plain C11, against the wire alone: proves that no C++ is needed, and shows how a
 * passport is written by hand. It keeps "<source> <partial> <bytes>" lines in one file and cannot read
 * them back: `read` is an optional slot, and empty.
 *
 * Compiled again with other macros it stands for plugins of other times:
 *   DRIVER_NAME    its name, a string literal
 *   DRIVER_NEWER   built with a later ABI minor: every struct and table of it is longer, its arrays
 *                  have a longer stride, and what was appended is full of ones
 *   DRIVER_SHORT   its table ends before the last required slot */
#define _GNU_SOURCE
#include "mydocker/abi/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef DRIVER_NAME
#define DRIVER_NAME "c-lines"
#endif
#ifdef DRIVER_NEWER
enum { kMinor = MD_ABI_MINOR + 1, kAppended = 16 };
#else
enum { kMinor = MD_ABI_MINOR, kAppended = 0 };
#endif

typedef struct sink {
    md_host host;
    char prefix[64]; /* option "prefix": before every line */
    uint64_t limit;  /* option "limit": bytes of a record that are kept */
    int32_t shout;   /* option "shout" */
} sink;

typedef struct stream {
    int fd;
    char path[4096];
} stream;

static uint32_t fail(md_error* error, uint32_t code, int32_t sys_errno, const char* format, ...) {
    va_list arguments;
    int length = 0;
    error->code = code;
    error->sys_errno = sys_errno;
    va_start(arguments, format);
    length = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (length < 0) length = 0;
    if (length >= MD_ERROR_TEXT) length = MD_ERROR_TEXT - 1;
    error->text_size = (uint32_t)length;
    return code;
}

static void copy_in(void* to, uint32_t to_size, const void* from) {
    uint32_t size = 0;
    memset(to, 0, to_size);
    memcpy(&size, from, sizeof size);
    memcpy(to, from, size < to_size ? size : to_size);
}

static void copy_text(char* to, size_t to_size, md_str from) {
    const size_t size = from.size < to_size ? from.size : to_size - 1;
    if (size > 0) memcpy(to, from.data, size);
    to[size] = '\0';
}

static int is(md_str text, const char* word) {
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

static uint32_t sink_open(const md_host* host, void** self, md_error* error) {
    sink* made = calloc(1, sizeof *made);
    const unsigned char* at = NULL;
    if (made == NULL) return fail(error, MD_NO_SPACE, ENOMEM, "open");
    copy_in(&made->host, sizeof made->host, host);
    at = made->host.options.data;
    for (size_t i = 0; i < made->host.options.count; ++i, at += made->host.options.stride) {
        md_option option;
        copy_in(&option, sizeof option, at);
        if (is(option.key, "prefix")) copy_text(made->prefix, sizeof made->prefix, option.string);
        if (is(option.key, "limit")) made->limit = option.bytes;
        if (is(option.key, "shout")) made->shout = (int32_t)option.integer;
    }
    made->host.log(made->host.ctx, MD_LOG_DEBUG, (md_str){"opened", 6});
    *self = made;
    return MD_OK;
}

static void sink_close(void* self) {
    free(self);
}

static uint32_t probe(void* self, const md_log_traits_sink* out, md_error* error) {
    const md_log_traits traits = {.size = sizeof traits, .readable = 0, .diagnostics = 1};
    (void)self;
    if (out->item(out->ctx, &traits) != 0) return fail(error, MD_CANCELLED, 0, "stopped");
    return MD_OK;
}

static void path_of(const md_stream_info* info, char* path, size_t size) {
    md_stream_info given;
    copy_in(&given, sizeof given, info);
    (void)snprintf(path, size, "%.*s/c-lines.log", (int)given.directory.size, given.directory.data);
}

static uint32_t open_stream(void* self, const md_stream_info* info, void** out, md_error* error) {
    stream* made = calloc(1, sizeof *made);
    (void)self;
    if (made == NULL) return fail(error, MD_NO_SPACE, ENOMEM, "open a stream");
    path_of(info, made->path, sizeof made->path);
    made->fd = open(made->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (made->fd < 0) {
        const int saved = errno;
        const uint32_t code =
            fail(error, saved == ENOENT ? MD_NOT_FOUND : MD_IO, saved, "open '%s'", made->path);
        free(made);
        return code;
    }
    *out = made;
    return MD_OK;
}

static uint32_t write_records(void* self, void* to, md_list records, md_error* error) {
    const sink* sink_self = self;
    const stream* file = to;
    const unsigned char* at = records.data;
    for (size_t i = 0; i < records.count; ++i, at += records.stride) {
        md_log_record record;
        size_t size = 0;
        copy_in(&record, sizeof record, at);
        size = record.bytes.size;
        if (sink_self->limit != 0 && size > sink_self->limit) size = sink_self->limit;
        if (dprintf(file->fd, "%s%u %d %.*s%s\n", sink_self->prefix, record.source, record.partial, (int)size,
                    record.bytes.data, sink_self->shout ? "!" : "") < 0)
            return fail(error, MD_IO, errno, "write '%s'", file->path);
    }
    return MD_OK;
}

static uint32_t flush(void* self, void* to, md_error* error) {
    (void)self;
    (void)to;
    (void)error;
    return MD_OK;
}

static uint32_t close_stream(void* self, void* to, md_error* error) {
    stream* file = to;
    (void)self;
    (void)error;
    close(file->fd);
    free(file);
    return MD_OK;
}

#ifndef DRIVER_SHORT
static uint32_t remove_log(void* self, const md_stream_info* info, md_error* error) {
    char path[4096];
    (void)self;
    path_of(info, path, sizeof path);
    if (unlink(path) == 0 || errno == ENOENT) return MD_OK;
    return fail(error, MD_IO, errno, "remove '%s'", path);
}
#endif

/* What this version says of itself, with room for what a later one appends. */
typedef struct table {
    md_log_table known;
    unsigned char appended[kAppended + 8];
} table;

typedef struct spec {
    md_option_spec known;
    unsigned char appended[kAppended + 8];
} spec;

#define ONES {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
#define TEXT(literal) {literal, sizeof(literal) - 1}

static const table kTable = {
    .known =
        {
#ifdef DRIVER_SHORT
            .size = offsetof(md_log_table, remove),
#else
            .size = sizeof(md_log_table) + kAppended,
            .remove = remove_log,
#endif
            .probe = probe,
            .open = open_stream,
            .write = write_records,
            .flush = flush,
            .close = close_stream,
        },
    .appended = ONES,
};

static const spec kSpecs[] = {
    {{sizeof(md_option_spec) + kAppended, MD_OPTION_STRING, TEXT("prefix"), TEXT(""), TEXT("before lines")},
     ONES},
    {{sizeof(md_option_spec) + kAppended, MD_OPTION_SIZE, TEXT("limit"), TEXT("1m"), TEXT("kept of each")},
     ONES},
    {{sizeof(md_option_spec) + kAppended, MD_OPTION_BOOLEAN, TEXT("shout"), TEXT("false"), TEXT("louder")},
     ONES},
};

/* The texts of the passport, in the order that base.h gives. */
#define PASSPORT_TEXTS                                                                                       \
    DRIVER_NAME "\0"                                                                                         \
                "1.2.3\0"                                                                                    \
                "the tests\0"                                                                                \
                "a log sink in C\0"                                                                          \
                "https://example.org\0"                                                                      \
                "4\0prefix\0\0before lines\0"                                                                \
                "6\0limit\0"                                                                                 \
                "1m\0kept of each\0"                                                                         \
                "1\0shout\0false\0louder"

static const struct {
    md_note note;
    md_passport passport;
    char texts[sizeof(PASSPORT_TEXTS)];
} kPassport __attribute__((section(".note.mydocker"), used, aligned(4))) = {
    {9, sizeof(md_passport) + sizeof(PASSPORT_TEXTS), MD_NOTE_PASSPORT, "mydocker"},
    {sizeof(md_passport), MD_ABI_MAJOR, kMinor, MD_KIND_LOG, 0, 5, 3, 4},
    PASSPORT_TEXTS,
};

const md_plugin mydocker_plugin = {
    .size = sizeof(md_plugin),
    .abi_major = MD_ABI_MAJOR,
    .abi_minor = kMinor,
    .kind = MD_KIND_LOG,
    .name = TEXT(DRIVER_NAME),
    .version = TEXT("1.2.3"),
    .vendor = TEXT("the tests"),
    .summary = TEXT("a log sink in C"),
    .url = TEXT("https://example.org"),
    .option_specs = {kSpecs, 3, sizeof(spec)},
    .open = sink_open,
    .close = sink_close,
    .table = &kTable,
};
