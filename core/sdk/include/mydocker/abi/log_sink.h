/* The C wire of log sinks: keep the output of containers, and read it back if they can. Splitting into
 * records, buffering and rates are the engine's. Conventions: base.h. The same contract in C++:
 * mydocker/log_sink.hpp. */
#ifndef MYDOCKER_ABI_LOG_SINK_H
#define MYDOCKER_ABI_LOG_SINK_H

#include "mydocker/abi/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum md_log_source {
    MD_SOURCE_OUT = 1,       /* the container's standard output, or its terminal */
    MD_SOURCE_ERR = 2,       /* its standard error */
    MD_SOURCE_DIAGNOSTIC = 3 /* a message of the engine itself */
} md_log_source;

/* A line without its end, or a piece of a line too long for one record. */
typedef struct md_log_record {
    uint32_t size;
    uint32_t source; /* md_log_source */
    int64_t time_ns; /* since 1970-01-01 UTC */
    int32_t partial; /* more of the line follows in the next record of this source */
    uint32_t reserved;
    md_str bytes;
} md_log_record;

typedef struct md_label {
    uint32_t size;
    uint32_t reserved;
    md_str key;
    md_str value;
} md_label;

/* Whose output a stream holds. */
typedef struct md_stream_info {
    uint32_t size;
    uint32_t reserved;
    md_str id;        /* container id, 64 hex digits */
    md_str name;      /* container name */
    md_str image;     /* as the user named it */
    md_str directory; /* absolute: where files of this container's log belong; exists, 0700 */
    md_list labels;   /* of md_label */
} md_stream_info;

typedef struct md_log_traits {
    uint32_t size;
    int32_t readable;    /* read works */
    int32_t diagnostics; /* fit for [diagnostics] driver */
} md_log_traits;

enum { MD_QUERY_SINCE = 1 << 0, MD_QUERY_UNTIL = 1 << 1, MD_QUERY_TAIL = 1 << 2 }; /* of md_log_query.set */

typedef struct md_log_query {
    uint32_t size;
    uint32_t set;     /* MD_QUERY_… */
    int64_t since_ns; /* inclusive */
    int64_t until_ns; /* inclusive */
    uint64_t tail;    /* only the last so many lines; first read only */
} md_log_query;

/* What to read. */
typedef struct md_log_read {
    uint32_t size;
    uint32_t reserved;
    const md_stream_info* info;
    const md_log_query* query;
    md_str from; /* cursor; empty: the beginning */
} md_log_read;

/* Where a read ended. */
typedef struct md_log_page {
    uint32_t size;
    int32_t at_end;   /* nothing more is there now */
    uint64_t damaged; /* records skipped because they cannot be read */
    md_str next;      /* cursor: where to go on */
} md_log_page;

typedef struct md_log_traits_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_log_traits* traits);
} md_log_traits_sink;

typedef struct md_log_record_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_log_record* record);
} md_log_record_sink;

typedef struct md_log_page_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_log_page* page);
} md_log_page_sink;

typedef struct md_log_table {
    uint32_t size;
    uint32_t reserved;

    /* [one-thread] [pure] One item. MD_UNSUPPORTED with the reason when it cannot work here. */
    uint32_t (*probe)(void* self, const md_log_traits_sink* out, md_error* error);

    /* [one-thread] Opens for writing, continuing what is there; *stream is the plugin's, until close.
     * Whether it can be written is found out here. */
    uint32_t (*open)(void* self, const md_stream_info* info, void** stream, md_error* error);

    /* [one-thread] Takes a batch of md_log_record, in order. On error none may be assumed kept or
     * lost. */
    uint32_t (*write)(void* self, void* stream, md_list records, md_error* error);

    /* [one-thread] Hands what is buffered to the kernel or the remote end, without waiting for it.
     * MD_BUSY while something waits that the remote end does not take yet; it is called again. */
    uint32_t (*flush)(void* self, void* stream, md_error* error);

    /* [one-thread] Flushes and ends; the stream is gone in any case. */
    uint32_t (*close)(void* self, void* stream, md_error* error);

    /* [one-thread] [pure] [optional] Reads on from a cursor, oldest first, at most some megabytes a
     * call; a damaged record is skipped and counted. One item to `out`. Absent: an empty page. */
    uint32_t (*read)(void* self, const md_log_read* what, const md_log_record_sink* visit,
                     const md_log_page_sink* out, md_error* error);

    /* [one-thread] Deletes what the sink keeps of this container. Absent: succeeds. */
    uint32_t (*remove)(void* self, const md_stream_info* info, md_error* error);
} md_log_table;

#ifdef __cplusplus
}
#endif

#endif
