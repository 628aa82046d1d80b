/** The real store as a backend of the contract's tests, in a scratch directory. */
#ifndef ROCKS_BACKEND_H
#define ROCKS_BACKEND_H

#include "contract.h"

extern const struct contract_backend rocks_backend;

/** What contract.disk points to. */
struct rocks_disk {
    char *directory;
    uint64_t scrub_bytes_per_s; /**< 0: none */
};

/** Waits until every sealed segment has its table and every dropped one's is gone; fails the test otherwise. */
void rocks_backend_settle(struct log_store *store);

#endif
