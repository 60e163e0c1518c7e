/* The C wire of storage drivers: keep unpacked image layers and writable layers, and describe the
 * mounts that make a root filesystem of them. Conventions: base.h. The same contract in C++, with all
 * that Errors, Again, Absent and Crash promise: mydocker/storage_driver.hpp. */
#ifndef MYDOCKER_ABI_STORAGE_DRIVER_H
#define MYDOCKER_ABI_STORAGE_DRIVER_H

#include "mydocker/abi/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum md_whiteouts {
    MD_WHITEOUTS_OVERLAY = 1, /* character device 0:0; directory xattr trusted.overlay.opaque=y */
    MD_WHITEOUTS_AUFS = 2,    /* empty file .wh.NAME; .wh..wh..opq */
    MD_WHITEOUTS_APPLIED = 3  /* staging holds a full copy of what is below: delete the name there */
} md_whiteouts;

typedef enum md_access { MD_READ_ONLY = 0, MD_READ_WRITE = 1 } md_access;

typedef enum md_propagation {
    MD_PROPAGATION_INHERIT = 0,
    MD_PROPAGATION_ISOLATED = 1,
    MD_PROPAGATION_FOLLOWER = 2,
    MD_PROPAGATION_SHARED = 3
} md_propagation;

typedef enum md_lifetime { MD_LIFETIME_KEPT = 0, MD_LIFETIME_EPHEMERAL = 1 } md_lifetime;

typedef enum md_change_kind { MD_ADDED = 1, MD_MODIFIED = 2, MD_REMOVED = 3 } md_change_kind;

typedef enum md_storage_object_kind {
    MD_OBJECT_LAYER = 1,
    MD_OBJECT_STAGING = 2,
    MD_OBJECT_RW = 3
} md_storage_object_kind;

typedef struct md_storage_traits {
    uint32_t size;
    uint32_t whiteouts;  /* md_whiteouts */
    uint32_t max_layers; /* longest chain that can be mounted writable; 0: no limit */
    int32_t id_map;      /* mounts can be id-mapped */
    int32_t quota;       /* size_limit is enforced */
    int32_t userns_mountable;
} md_storage_traits;

typedef struct md_usage {
    uint32_t size;
    uint32_t reserved;
    uint64_t bytes;
    uint64_t inodes;
} md_usage;

/* One mount, as mount(2) and mount_setattr(2) know it. */
typedef struct md_mount {
    uint32_t size;
    uint32_t propagation; /* md_propagation */
    uint64_t flags;       /* MS_… */
    md_str type;          /* filesystem type, or "bind" */
    md_str source;        /* absolute for "bind", else the type's own idea of a source */
    md_str target;        /* absolute inside the root filesystem; "/" is the root itself */
    md_list options;      /* of md_str; one option an element, never joined */
    md_str directory;     /* where relative names in options start from; empty: there are none */
    md_list remounts;     /* of md_str; each the data of one mount(2) with MS_REMOUNT, after the mount */
} md_mount;

enum { MD_RW_SIZE_LIMIT = 1 }; /* bits of md_rw_options.set */

typedef struct md_rw_options {
    uint32_t size;
    uint32_t set;       /* MD_RW_… */
    uint32_t owner_uid; /* of the root directory */
    uint32_t owner_gid;
    uint64_t size_limit; /* bytes */
    uint32_t lifetime;   /* md_lifetime */
    uint32_t reserved;
} md_rw_options;

typedef struct md_change {
    uint32_t size;
    uint32_t kind;  /* md_change_kind */
    int32_t opaque; /* a directory that hides all that is below it */
    uint32_t reserved;
    md_str path;    /* absolute inside the root filesystem */
    md_str content; /* absolute path of the new entry on the host; empty if removed */
} md_change;

typedef struct md_storage_object {
    uint32_t size;
    uint32_t kind; /* md_storage_object_kind */
    md_str id;
} md_storage_object;

typedef struct md_storage_traits_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_storage_traits* traits);
} md_storage_traits_sink;

typedef struct md_usage_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_usage* usage);
} md_usage_sink;

typedef struct md_mount_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_mount* mount);
} md_mount_sink;

typedef struct md_change_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_change* change);
} md_change_sink;

typedef struct md_storage_object_sink {
    void* ctx;
    int32_t (*item)(void* ctx, const md_storage_object* object);
} md_storage_object_sink;

/* `self` is what `open` gave. Ids are 64 hex digits, chosen by the engine before the effect. A chain
 * is a list of md_str, lowest (base) layer first. */
typedef struct md_storage_table {
    uint32_t size;
    uint32_t reserved;

    /* [one-thread] [pure] What the driver can do on this host; one item. MD_UNSUPPORTED with the
     * reason when it cannot work here. */
    uint32_t (*probe)(void* self, const md_storage_traits_sink* out, md_error* error);

    /* [one-thread] Makes an empty staging directory to unpack a layer into; one item, its absolute
     * path. MD_EXISTS when the layer is sealed, MD_NOT_FOUND when one of `below` is not. Again: the
     * same directory, emptied. */
    uint32_t (*create_layer)(void* self, md_str id, md_list below, const md_str_sink* out, md_error* error);

    /* [one-thread] Makes what was staged a layer: durable first, then one rename; one item. Again:
     * succeeds. */
    uint32_t (*seal_layer)(void* self, md_str id, const md_usage_sink* out, md_error* error);

    /* [one-thread] Removes a layer, sealed or staged. MD_BUSY while it is used. Absent: succeeds. */
    uint32_t (*remove_layer)(void* self, md_str id, md_error* error);

    /* [one-thread] Makes a writable layer over a chain. MD_EXISTS when it is there over another.
     * Again: succeeds. */
    uint32_t (*create_rw)(void* self, md_str id, md_list below, const md_rw_options* options,
                          md_error* error);

    /* [one-thread] [pure] Describes the mounts that make the root filesystem, an item each, in order;
     * the first has target "/". `access` is md_access. They can be made as long as the driver is open and is
     * not asked again; what it starts to serve one ends by itself when nothing is mounted any more. */
    uint32_t (*mounts)(void* self, md_str id, uint32_t access, const md_mount_sink* out, md_error* error);

    /* [one-thread] [pure] [optional] Walks the differences to the layers below: parents before
     * children, siblings in byte order. */
    uint32_t (*changes)(void* self, md_str id, const md_change_sink* visit, md_error* error);

    /* [one-thread] [pure] [optional] What the writable layer itself takes up; one item. */
    uint32_t (*usage)(void* self, md_str id, const md_usage_sink* out, md_error* error);

    /* [one-thread] Removes a writable layer, a half-made one too. MD_BUSY, naming the place, when
     * something is mounted below it. Absent: succeeds. */
    uint32_t (*remove_rw)(void* self, md_str id, md_error* error);

    /* [one-thread] [pure] Walks all that the driver keeps, in no order. */
    uint32_t (*list)(void* self, const md_storage_object_sink* visit, md_error* error);

    /* [one-thread] Deletes what killed processes left; *bytes: freed. */
    uint32_t (*sweep)(void* self, uint64_t* bytes, md_error* error);
} md_storage_table;

#ifdef __cplusplus
}
#endif

#endif
