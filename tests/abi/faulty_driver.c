/* A storage driver that breaks the contract on demand: the option "fault" says how. For the tests of
 * what the engine makes of it; in C, so that nothing softens the blow.
 *
 *   DRIVER_NAME           its name
 *   FAULT_NO_PASSPORT     the file has no passport
 *   FAULT_OTHER_VERSION   descriptor and passport differ
 *   FAULT_EMPTY_SLOT      a required slot is null
 *   FAULT_UNDEFINED       it needs a function that nobody has
 *   FAULT_LIBRARY         it needs a library that is not installed
 *   FAULT_CONSTRUCTOR     it crashes as soon as it is loaded */
#define _GNU_SOURCE
#include "mydocker/abi/storage_driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifndef DRIVER_NAME
#define DRIVER_NAME "faulty"
#endif

typedef struct driver {
    char fault[64];
} driver;

/* Volatile: the compiler must not see what is wrong with them. */
__attribute__((unused)) static int* volatile kNowhere = NULL;
static volatile size_t kTooFar = MD_ERROR_TEXT + 8;

static int has(const void* self, const char* fault) {
    return strcmp(((const driver*)self)->fault, fault) == 0;
}

static uint32_t say(md_error* error, uint32_t code, int32_t sys_errno, const char* text) {
    error->code = code;
    error->sys_errno = sys_errno;
    error->text_size = (uint32_t)strlen(text);
    memcpy(error->text, text, strlen(text));
    return code;
}

static md_str str(const char* text) {
    const md_str made = {text, strlen(text)};
    return made;
}

static uint32_t open_driver(const md_host* host, void** self, md_error* error) {
    driver* made = calloc(1, sizeof *made);
    const unsigned char* at = host->options.data;
    if (made == NULL) return say(error, MD_NO_SPACE, ENOMEM, "open");
    for (size_t i = 0; i < host->options.count; ++i, at += host->options.stride) {
        const md_option* option = (const md_option*)(const void*)at;
        if (option->string.size > 0 && option->string.size < sizeof made->fault)
            memcpy(made->fault, option->string.data, option->string.size);
    }
    *self = made;
    if (!has(made, "open")) return MD_OK;
    free(made);
    return say(error, MD_UNSUPPORTED, ENODEV, "find the 'faulty' filesystem");
}

static void close_driver(void* self) {
    free(self);
}

static uint32_t probe(void* self, const md_storage_traits_sink* out, md_error* error) {
    md_storage_traits traits = {.size = sizeof traits, .whiteouts = MD_WHITEOUTS_APPLIED};
    (void)error;
    if (has(self, "traits")) traits.whiteouts = 9;
    if (!has(self, "no-result")) out->item(out->ctx, &traits);
    if (has(self, "two-results")) out->item(out->ctx, &traits);
    return MD_OK;
}

static uint32_t create_layer(void* self, md_str id, md_list below, const md_str_sink* out, md_error* error) {
    md_str path = str("/var/staging");
    (void)id;
    (void)below;
    (void)error;
    if (has(self, "relative")) path = str("staging");
    if (has(self, "dotdot")) path = str("/var/../etc");
    if (has(self, "nul")) path.data = "/var/stag\0ng";
    if (has(self, "null-text")) path.data = NULL;
    if (!has(self, "no-result")) out->item(out->ctx, path);
    return MD_OK;
}

static uint32_t seal_layer(void* self, md_str id, const md_usage_sink* out, md_error* error) {
    const md_usage usage = {.size = sizeof usage, .bytes = 1, .inodes = 2};
    (void)self;
    (void)id;
    (void)error;
    out->item(out->ctx, &usage);
    return MD_OK;
}

/* The errors and the ends. */
__attribute__((unused)) static uint32_t remove_layer(void* self, md_str id, md_error* error) {
    (void)id;
    if (has(self, "code")) return say(error, 77, 0, "surprise");
    if (has(self, "silent")) return MD_IO;
    if (has(self, "errno")) return say(error, MD_NO_SPACE, ENOSPC, "mkdir '/x'");
    if (has(self, "prefixed")) return say(error, MD_IO, 0, "storage faulty: said it already");
    if (has(self, "terminal")) return say(error, MD_IO, 0, "red \033[31m\nline");
    if (has(self, "text-size")) {
        error->text_size = 100000;
        return MD_IO;
    }
    if (has(self, "overrun")) {
        memset(error->text, 'x', kTooFar);
        return MD_IO;
    }
    if (has(self, "abort")) abort();
    if (has(self, "exit")) exit(0);
    if (has(self, "crash")) *kNowhere = 1;
    return MD_OK;
}

__attribute__((unused)) static uint32_t create_rw(void* self, md_str id, md_list below,
                                                  const md_rw_options* options, md_error* error) {
    (void)self;
    (void)id;
    (void)below;
    (void)options;
    (void)error;
    return MD_OK;
}

static uint32_t mounts(void* self, md_str id, uint32_t access, const md_mount_sink* out, md_error* error) {
    const md_str options[2] = {str("ro"), str("lower=/a")};
    md_mount mount = {.size = sizeof mount,
                      .type = str("overlay"),
                      .source = str("overlay"),
                      .target = str("/"),
                      .options = {options, 2, sizeof(md_str)}};
    (void)id;
    (void)access;
    (void)error;
    if (has(self, "no-mount")) return MD_OK;
    if (has(self, "no-root")) mount.target = str("/etc");
    if (has(self, "relative")) mount.target = str("etc");
    if (has(self, "no-type")) mount.type = str("");
    if (has(self, "bind")) mount.type = str("bind");
    if (has(self, "propagation")) mount.propagation = 17;
    if (has(self, "count")) mount.options.count = (size_t)1 << 32;
    if (has(self, "stride")) mount.options.stride = 0;
    if (has(self, "null-list")) mount.options.data = NULL;
    if (has(self, "endless"))
        while (out->item(out->ctx, &mount) == 0)
            ;
    out->item(out->ctx, &mount);
    return MD_OK;
}

static uint32_t remove_rw(void* self, md_str id, md_error* error) {
    (void)self;
    (void)id;
    (void)error;
    return MD_OK;
}

/* Visits three objects, whatever the visitor says: "deaf" even calls it a success. */
static uint32_t list(void* self, const md_storage_object_sink* visit, md_error* error) {
    const md_storage_object object = {
        .size = sizeof object, .kind = has(self, "object") ? 8 : MD_OBJECT_LAYER, .id = str("0123")};
    int32_t stopped = 0;
    for (int i = 0; i < 3; ++i)
        stopped |= visit->item(visit->ctx, &object);
    if (stopped == 0 || has(self, "deaf")) return MD_OK;
    return say(error, MD_CANCELLED, 0, "stopped");
}

static uint32_t sweep(void* self, uint64_t* bytes, md_error* error) {
    (void)self;
    (void)error;
    *bytes = 4096;
    return MD_OK;
}

#ifdef FAULT_UNDEFINED
extern uint32_t foo_v2(void* self, md_str id, md_error* error);
#define REMOVE_LAYER foo_v2
#else
#define REMOVE_LAYER remove_layer
#endif

#ifdef FAULT_LIBRARY
extern int mydocker_absent(void);
__attribute__((used)) static int use_library(void) {
    return mydocker_absent();
}
#endif

#ifdef FAULT_CONSTRUCTOR
__attribute__((constructor)) static void crash_at_once(void) {
    *kNowhere = 1;
}
#endif

static const md_storage_table kTable = {
    .size = sizeof(md_storage_table),
    .probe = probe,
    .create_layer = create_layer,
    .seal_layer = seal_layer,
    .remove_layer = REMOVE_LAYER,
#ifndef FAULT_EMPTY_SLOT
    .create_rw = create_rw,
#endif
    .mounts = mounts,
    .remove_rw = remove_rw,
    .list = list,
    .sweep = sweep,
};

#define TEXT(literal) {literal, sizeof(literal) - 1}

static const md_option_spec kSpecs[] = {{.size = sizeof(md_option_spec),
                                         .type = MD_OPTION_STRING,
                                         .key = TEXT("fault"),
                                         .default_value = TEXT(""),
                                         .help = TEXT("what to do wrong")}};

#ifndef FAULT_NO_PASSPORT
#define PASSPORT_TEXTS                                                                                       \
    DRIVER_NAME "\0"                                                                                         \
                "1.0.0\0"                                                                                    \
                "\0"                                                                                         \
                "breaks the contract\0"                                                                      \
                "\0"                                                                                         \
                "4\0"                                                                                        \
                "fault\0"                                                                                    \
                "\0"                                                                                         \
                "what to do wrong"
static const struct {
    md_note note;
    md_passport passport;
    char texts[sizeof(PASSPORT_TEXTS)];
} kPassport __attribute__((section(".note.mydocker"), used, aligned(4))) = {
    {9, sizeof(md_passport) + sizeof(PASSPORT_TEXTS), MD_NOTE_PASSPORT, "mydocker"},
    {sizeof(md_passport), MD_ABI_MAJOR, MD_ABI_MINOR, MD_KIND_STORAGE, 0, 5, 1, 4},
    PASSPORT_TEXTS,
};
#endif

const md_plugin mydocker_plugin = {
    .size = sizeof(md_plugin),
    .abi_major = MD_ABI_MAJOR,
    .abi_minor = MD_ABI_MINOR,
    .kind = MD_KIND_STORAGE,
    .name = TEXT(DRIVER_NAME),
#ifdef FAULT_OTHER_VERSION
    .version = TEXT("9.9.9"),
#else
    .version = TEXT("1.0.0"),
#endif
    .summary = TEXT("breaks the contract"),
    .option_specs = {kSpecs, 1, sizeof(md_option_spec)},
    .open = open_driver,
    .close = close_driver,
    .table = &kTable,
};
