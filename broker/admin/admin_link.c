#include "admin_link.h"

enum lf_status admin_link_init(struct admin_link *link) {
    link->questions = lf_ring_new(ADMIN_LINK_QUESTIONS_MAX);
    link->answers = lf_ring_new(ADMIN_LINK_QUESTIONS_MAX);
    atomic_init(&link->turned_ms, 0);
    return link->questions && link->answers ? LF_OK : LF_NO_MEMORY;
}

static void drain(struct lf_ring **ring) {
    struct admin_snapshot *snapshot;
    while (*ring && (snapshot = lf_ring_pop(*ring)))
        admin_snapshot_destroy(&snapshot);
    lf_ring_destroy(ring);
}

void admin_link_deinit(struct admin_link *link) {
    drain(&link->questions);
    drain(&link->answers);
}
