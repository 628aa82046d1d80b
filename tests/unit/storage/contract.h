/** The contract of log_store as tests: every store passes the same ones. Test names are the facts of log_store.h. */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "log_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/** How a store is made, ended and waited for. `disk` is what outlives a store. */
struct contract_backend {
    const char *name;
    void *(*disk_new)(void);
    void (*disk_destroy)(void *disk);
    enum lf_status (*open)(void *disk, const struct log_store_identity *identity, struct log_store **store,
                           struct lf_error *error);
    /** The process ends without close; what it handed to the disk stays. */
    void (*kill)(void *disk, struct log_store **store);
    /** The next completion; NULL when nothing comes within the store's own bound on waiting. */
    struct log_store_completion *(*wait)(struct log_store *store);
};

/** Runs all of it; the number of failed tests. */
int contract_run(const struct contract_backend *backend);

/* What the tests are written with (contract_support.c). A failed expectation fails the test. */

struct contract {
    const struct contract_backend *backend;
    void *disk;
    struct log_store *store;
};

extern const struct log_store_identity contract_identity;

int contract_setup(void **state);
int contract_teardown(void **state);

void contract_open(struct contract *contract);
void contract_reopen(struct contract *contract);
void contract_kill_and_reopen(struct contract *contract);

/** An entry with checksum, a command of `payload_bytes` bytes that depend on (group, index, term). */
struct lf_buf *contract_entry(uint64_t group, uint64_t index, uint64_t term, uint64_t end_offset, size_t payload_bytes);
/** An entry that carries a batch of one record with this timestamp. */
struct lf_buf *contract_batch_entry(uint64_t group, uint64_t index, uint64_t offset, int64_t timestamp_ms,
                                    uint64_t log_time_ms);

struct log_store_write *contract_write(uint64_t group, uint64_t token);
/** A write that creates the group, with term 1. */
struct log_store_write *contract_create(uint64_t group, uint64_t token);
/** Adds `count` entries of 100 bytes, one offset each: the entry at index i ends at offset i. */
void contract_add(struct log_store_write *write, uint64_t first_index, uint32_t count, uint64_t term);
/** The true descriptor of entries as contract_add makes them. */
struct log_segment contract_segment(uint64_t group, uint64_t first_index, uint64_t last_index, uint64_t term);
void contract_row(struct log_store_write *write, const char *key, const char *value);

void contract_submit(struct contract *contract, struct log_store_write *write);
/** Submits and waits; the completion's status. */
enum lf_status contract_do(struct contract *contract, struct log_store_write *write);
struct log_store_completion *contract_wait(struct contract *contract);
struct log_store_completion *contract_read(struct contract *contract, struct log_store_read read);
struct log_store_completion *contract_load(struct contract *contract, uint64_t group);
/** A read from `from`: the first index found, 0 when none; checks that indexes rise. */
uint64_t contract_find(struct contract *contract, uint64_t group, enum log_store_read_from from, uint64_t value,
                       uint64_t last_index);
/** The group's log is exactly `count` entries as contract_add made them, of this term from first_index on. */
void contract_expect_entries(struct contract *contract, uint64_t group, uint64_t first_index, uint32_t count,
                             uint64_t term);
/** The row's value as text; "-" when absent. Valid until the next call. */
const char *contract_row_of(struct contract *contract, uint64_t group, const char *key);

/** A segment and what is in it, all of it or some. */
#define CONTRACT_PILE_MAX 64
struct contract_pile {
    struct log_segment segment;
    struct lf_buf *entries[CONTRACT_PILE_MAX];
    uint32_t count;
};
/** Entries as contract_add makes them; of every `keep_each` indexes only the one that it divides is in it, and then it
 *  counts as rewritten once. */
void contract_pile_make(struct contract_pile *pile, uint64_t group, uint64_t first_index, uint64_t last_index,
                        uint64_t term, uint64_t keep_each);
void contract_pile_free(struct contract_pile *pile);
/** Hands the pile over in pieces of `piece` entries and waits for all; the first status that is not LF_OK. */
enum lf_status contract_stage(struct contract *contract, uint64_t group, const struct contract_pile *pile,
                              uint32_t piece);

extern const struct CMUnitTest contract_log_tests[];
extern const size_t contract_log_test_count;
extern const struct CMUnitTest contract_applied_tests[];
extern const size_t contract_applied_test_count;
extern const struct CMUnitTest contract_read_tests[];
extern const size_t contract_read_test_count;
extern const struct CMUnitTest contract_segment_tests[];
extern const size_t contract_segment_test_count;
extern const struct CMUnitTest contract_stage_tests[];
extern const size_t contract_stage_test_count;
extern const struct CMUnitTest contract_rewrite_tests[];
extern const size_t contract_rewrite_test_count;
extern const struct CMUnitTest contract_random_tests[];
extern const size_t contract_random_test_count;

#define CONTRACT_TEST(f) cmocka_unit_test_setup_teardown(f, contract_setup, contract_teardown)

#endif
