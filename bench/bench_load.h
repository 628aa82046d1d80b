/** What the programs in bench/ publish, and how they read it back.
 *
 *  Each value begins with its number within its partition, from 0 (8 bytes, as in memory), and goes on with bytes that
 *  do not compress; nothing else is published to the partition. So its number is its offset, and what is lost, doubled,
 *  reordered or exchanged shows.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "logflume.h"

enum { BENCH_PARTITIONS_MAX = 1024, BENCH_MESSAGE_BYTES = 256 };

/** Publishes to the partitions of a topic in turn, `run_records` messages at a time. */
struct bench_stream;
/** in_flight 0: as much as the client allows, in batches as it makes them. Else every run is one batch (the client is
 * made for it: see bench_stream_client), and no more than so many are not answered. Dies without memory. */
struct bench_stream *bench_stream_new(lf_client *client, const char *topic, uint32_t partitions, size_t record_bytes,
                                      uint32_t run_records, uint32_t in_flight);
void bench_stream_destroy(struct bench_stream **stream);
/** A client that keeps a run of so many bytes together. */
lf_client *bench_stream_client(const char *brokers, size_t run_bytes);
/** Publishes so many bytes of values (the last run is whole), or for so many seconds if that is over sooner (0: no
 * limit), and waits until all are answered; dies if one fails. Returns values' bytes per second. */
double bench_stream_publish(struct bench_stream *stream, uint64_t bytes, double seconds);
/** From now on one message at a time, by this client (all are answered). */
void bench_stream_use(struct bench_stream *stream, lf_client *client);
/** Published to the partition, all acknowledged. */
uint64_t bench_stream_count(const struct bench_stream *stream, uint32_t partition);

/** Publishes messages at a steady rate, to the partitions of a topic in turn, in a thread of its own, and notes how
 * long each took from the moment it was meant to be sent. */
struct bench_steady;
/** Starts. `first`: numbers go on where this stream ended; NULL: from 0. After seconds_max no more is noted. */
struct bench_steady *bench_steady_start(lf_client *client, const char *topic, uint32_t partitions,
                                        const struct bench_stream *first, long messages_per_s, double seconds_max);
/** Acknowledged so far: two of these name a window. */
size_t bench_steady_mark(const struct bench_steady *steady);
/** Messages are neither made nor sent any more, and all are answered. */
void bench_steady_stop(struct bench_steady *steady);
long bench_steady_failed(const struct bench_steady *steady);
/** Once stopped, in ms of the messages acknowledged in the window, at a fraction 0..1 of them; 0 if there are none.
 * The windows asked about do not overlap, or are equal. */
double bench_steady_ms(struct bench_steady *steady, size_t from, size_t to, double fraction);
/** A line with p50, p99, p99.9, longest. */
void bench_steady_print(struct bench_steady *steady, const char *name, size_t from, size_t to);
void bench_steady_destroy(struct bench_steady **steady);

struct bench_numbers {
    uint64_t first, count; /**< read */
    uint64_t bytes;        /**< of the values */
};
/** Reads a partition from its beginning up to what is its end, or count_max messages: numbers rise by one, and are the
 * offsets. Dies otherwise. */
struct bench_numbers bench_read(const char *brokers, const char *topic, int32_t partition, uint64_t count_max);

#endif
