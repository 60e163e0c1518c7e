/* The C wire of state stores: keep one document for each container, under an id and a unique name,
 * without looking into it. Conventions: base.h. The same contract in C++: mydocker/state_store.hpp. */
#ifndef MYDOCKER_ABI_STATE_STORE_H
#define MYDOCKER_ABI_STATE_STORE_H

#include "mydocker/abi/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MD_ANY_REVISION = 0 };
enum { MD_DOCUMENT_LIMIT = 1048576 };

typedef struct md_state_traits {
    uint32_t size;
    int32_t durable; /* a change that returned success survives a power loss */
} md_state_traits;

typedef struct md_stored_record {
    uint32_t size;
    uint32_t reserved;
    md_str id;         /* 64 lower-case hex digits */
    md_str name;       /* container name */
    uint64_t revision; /* grows by every change; never 0 */
    md_str document;   /* bytes, at most MD_DOCUMENT_LIMIT */
} md_stored_record;

/* Exactly one of record and error is not null. */
typedef struct md_listed_record {
    uint32_t size;
    uint32_t reserved;
    md_str id; /* as far as known */
    const md_stored_record* record;
    const md_error* error; /* why the record cannot be read */
} md_listed_record;

typedef struct md_state_traits_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_state_traits* traits);
} md_state_traits_sink;

typedef struct md_stored_record_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_stored_record* record);
} md_stored_record_sink;

typedef struct md_listed_record_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_listed_record* record);
} md_listed_record_sink;

/* Every change is atomic: readers and crashes see the old or the new record. Several processes may use
 * the same store at once. */
typedef struct md_state_table {
    uint32_t size;
    uint32_t reserved;

    /* [one-thread] [pure] One item. MD_UNSUPPORTED with the reason when it cannot work here. */
    uint32_t (*probe)(void* self, const md_state_traits_sink* out, md_error* error);

    /* [one-thread] Makes a record, claiming id and name together. MD_EXISTS, naming who has the name. */
    uint32_t (*reserve)(void* self, md_str id, md_str name, md_str document, uint64_t* revision,
                        md_error* error);

    /* [one-thread] [pure] One item. MD_NOT_FOUND, MD_CORRUPT (saying where), MD_UNSUPPORTED (newer). */
    uint32_t (*load)(void* self, md_str id, const md_stored_record_sink* out, md_error* error);

    /* [one-thread] [pure] The id for a full id, a name, or a unique prefix of an id; one item.
     * MD_CONFLICT, naming them, when several fit. */
    uint32_t (*resolve)(void* self, md_str name_or_prefix, const md_str_sink* out, md_error* error);

    /* [one-thread] Replaces the document if the revision is still `expected` (MD_ANY_REVISION: in any
     * case). MD_NOT_FOUND, MD_CONFLICT. */
    uint32_t (*save)(void* self, md_str id, md_str document, uint64_t expected, uint64_t* revision,
                     md_error* error);

    /* [one-thread] MD_NOT_FOUND, MD_EXISTS. */
    uint32_t (*rename)(void* self, md_str id, md_str name, uint64_t* revision, md_error* error);

    /* [one-thread] MD_CONFLICT. Absent: succeeds. */
    uint32_t (*remove)(void* self, md_str id, uint64_t expected, md_error* error);

    /* [one-thread] [pure] Walks all records in the order they were reserved; damaged ones are reported
     * and the walk goes on. */
    uint32_t (*list)(void* self, const md_listed_record_sink* visit, md_error* error);
} md_state_table;

#ifdef __cplusplus
}
#endif

#endif
