#include "unsent.h"

#include <stdlib.h>

struct unsent {
    atomic_size_t bytes;
    atomic_uint refs; /**< the owner's, one per message under way, and of a sum: one per account */
    struct unsent *sum;
};

struct unsent *unsent_new(struct unsent *sum) {
    struct unsent *unsent = malloc(sizeof *unsent);
    if (!unsent)
        return NULL;
    atomic_init(&unsent->bytes, 0);
    atomic_init(&unsent->refs, 1);
    unsent->sum = sum;
    if (sum)
        atomic_fetch_add_explicit(&sum->refs, 1, memory_order_relaxed);
    return unsent;
}

static void unref(struct unsent *unsent) {
    while (unsent && atomic_fetch_sub_explicit(&unsent->refs, 1, memory_order_acq_rel) == 1) {
        struct unsent *sum = unsent->sum;
        free(unsent);
        unsent = sum;
    }
}

void unsent_drop(struct unsent **where) {
    unref(*where);
    *where = NULL;
}

void unsent_add(struct unsent *unsent, size_t bytes) {
    atomic_fetch_add_explicit(&unsent->refs, 1, memory_order_relaxed);
    for (struct unsent *each = unsent; each; each = each->sum)
        atomic_fetch_add_explicit(&each->bytes, bytes, memory_order_relaxed);
}

void unsent_release(struct unsent *unsent, size_t bytes) {
    for (struct unsent *each = unsent; each; each = each->sum)
        atomic_fetch_sub_explicit(&each->bytes, bytes, memory_order_relaxed);
    unref(unsent);
}

size_t unsent_bytes(const struct unsent *unsent) { return atomic_load_explicit(&unsent->bytes, memory_order_relaxed); }
