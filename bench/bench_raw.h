/** What three log stores alone can do, without brokers, network and Raft: one receives a history while messages are
 *  published, as when a replica is filled. A yardstick for bench_history.
 *
 *  Messages of 256 bytes are due at a steady rate. They wait for the batch that a client would make of them (for its
 *  linger, or until it is full); then every store that writes gets the batch as one entry of a group, synced, and its
 *  messages are committed when two stores have it durably. The history is a log of 64 KB entries in another group of
 *  the first store: it is read there piece by piece, and staged in the third store at a steady rate.
 */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_raw;
struct bench_raw_load {
    long messages_per_s;
    uint32_t linger_ms;
    /** false: the first two stores write, as the two replicas do that have the log; both must have it. true: all three
     * do, and two of them are enough. */
    bool three_write;
    double history_bytes_per_s; /**< 0: no history */
    double seconds;             /**< ends earlier when the history is staged */
};
struct bench_raw_result {
    size_t messages;
    double p50_ms, p99_ms, p999_ms, longest_ms;
    double history_bytes, history_seconds; /**< staged, and in what time */
};

/** Opens three stores below `directory`, and fills the first with so many bytes of history. Dies in words. */
struct bench_raw *bench_raw_open(const char *directory, uint64_t history_bytes);
struct bench_raw_result bench_raw_run(struct bench_raw *raw, const struct bench_raw_load *load);
void bench_raw_close(struct bench_raw **raw);

#endif
