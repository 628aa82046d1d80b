#include "bench_load.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_cluster.h"

enum { POOL_BYTES = 1 << 20, ANSWER_MS = 600000 };

/** Bytes that no codec makes smaller, to be cut anywhere. */
static uint8_t *random_pool(size_t record_bytes) {
    size_t size = POOL_BYTES + record_bytes;
    uint8_t *pool = malloc(size);
    FILE *in = fopen("/dev/urandom", "r");
    if (!pool || !in || fread(pool, 1, size, in) != size)
        bench_die("no random bytes");
    fclose(in);
    return pool;
}

/** A value in `scratch`. */
static void make_value(uint8_t *scratch, const uint8_t *pool, size_t size, uint64_t number) {
    memcpy(scratch, pool + number * 61 % POOL_BYTES, size);
    memcpy(scratch, &number, size < sizeof number ? size : sizeof number);
}

static bool is_done(const struct lf_delivery *delivery) {
    return delivery->status == LF_OK || delivery->status == LF_DUPLICATE;
}

/* ---- as fast as it goes ---- */

struct bench_stream {
    lf_client *client;
    const char *topic;
    uint32_t partitions, run_records, in_flight;
    size_t record_bytes;
    uint8_t *pool, *scratch;
    uint64_t published[BENCH_PARTITIONS_MAX];
    uint32_t partition; /* whose turn it is */
    atomic_ulong acknowledged, failed;
    sem_t room; /* runs that may be begun */
};

static void on_message(const struct lf_delivery *delivery) {
    struct bench_stream *stream = delivery->context;
    if (is_done(delivery))
        atomic_fetch_add(&stream->acknowledged, 1);
    else if (atomic_fetch_add(&stream->failed, 1) == 0)
        fprintf(stderr, "%s/%d: first failure: %s\n", delivery->topic, delivery->partition, delivery->error_text);
}

static void on_run(const struct lf_delivery *delivery) {
    struct bench_stream *stream = delivery->context;
    on_message(delivery);
    sem_post(&stream->room);
}

struct bench_stream *bench_stream_new(lf_client *client, const char *topic, uint32_t partitions, size_t record_bytes,
                                      uint32_t run_records, uint32_t in_flight) {
    struct bench_stream *stream = calloc(1, sizeof *stream);
    if (!stream || partitions > BENCH_PARTITIONS_MAX || record_bytes < sizeof(uint64_t) || run_records == 0)
        bench_die("a stream of %zu-byte messages to %u partitions cannot be", record_bytes, partitions);
    stream->client = client;
    stream->topic = topic;
    stream->partitions = partitions;
    stream->run_records = run_records;
    stream->in_flight = in_flight;
    stream->record_bytes = record_bytes;
    stream->pool = random_pool(record_bytes);
    stream->scratch = malloc(record_bytes);
    if (!stream->scratch)
        bench_die("no memory");
    sem_init(&stream->room, 0, in_flight);
    return stream;
}

void bench_stream_destroy(struct bench_stream **stream) {
    if (!*stream)
        return;
    sem_destroy(&(*stream)->room);
    free((*stream)->pool);
    free((*stream)->scratch);
    free(*stream);
    *stream = NULL;
}

lf_client *bench_stream_client(const char *brokers, size_t run_bytes) {
    struct lf_client_options options;
    struct lf_error error;
    lf_client *client;
    lf_client_options_init(&options);
    options.brokers = brokers;
    options.batch_bytes = (uint32_t)(run_bytes < 512 * 1024 ? 2 * run_bytes : 1024 * 1024);
    options.linger_ms = 1000; /* a run is sent when it is complete: publish_run says so */
    if (lf_client_new(&options, &client, &error) != LF_OK)
        bench_die("client: %s", error.text);
    return client;
}

static void publish_run(struct bench_stream *stream) {
    uint32_t partition = stream->partition;
    struct lf_error error = {0};
    if (stream->in_flight > 0)
        while (sem_wait(&stream->room) != 0)
            ;
    for (uint32_t i = 0; i < stream->run_records; i++) {
        bool last = stream->in_flight > 0 && i + 1 == stream->run_records;
        make_value(stream->scratch, stream->pool, stream->record_bytes, stream->published[partition]);
        struct lf_message message = {.topic = stream->topic,
                                     .partition = (int32_t)partition,
                                     .value = stream->scratch,
                                     .value_size = stream->record_bytes};
        if (lf_publish(stream->client, &message, last ? on_run : on_message, stream, 60000, &error) != LF_OK)
            bench_die("publish to %s/%u: %s", stream->topic, partition, error.text);
        stream->published[partition]++;
    }
    if (stream->in_flight > 0)
        (void)lf_flush(stream->client, 0); /* sends, and does not wait */
    stream->partition = (partition + 1) % stream->partitions;
}

double bench_stream_publish(struct bench_stream *stream, uint64_t bytes, double seconds) {
    int64_t began = bench_now_us();
    uint64_t run_bytes = (uint64_t)stream->run_records * stream->record_bytes, sent = 0;
    for (; sent < bytes; sent += run_bytes) {
        if (seconds > 0 && (double)(bench_now_us() - began) / 1e6 >= seconds)
            break;
        publish_run(stream);
    }
    if (lf_flush(stream->client, ANSWER_MS) != LF_OK)
        bench_die("%s: not all answered after %d s", stream->topic, ANSWER_MS / 1000);
    if (atomic_load(&stream->failed) > 0)
        bench_die("%s: %lu messages were not accepted", stream->topic, atomic_load(&stream->failed));
    return (double)sent * 1e6 / (double)(bench_now_us() - began);
}

void bench_stream_use(struct bench_stream *stream, lf_client *client) {
    stream->client = client;
    stream->run_records = 1;
}

uint64_t bench_stream_count(const struct bench_stream *stream, uint32_t partition) {
    return stream->published[partition];
}

/* ---- at a steady rate ---- */

struct bench_steady {
    lf_client *client;
    const char *topic;
    uint32_t partitions;
    long rate;
    pthread_t thread;
    uint8_t *pool;
    uint64_t published[BENCH_PARTITIONS_MAX];
    int64_t *latencies_us;
    size_t room;
    atomic_size_t answered;
    atomic_long failed;
    atomic_bool stop;
};

/** A message's context: whose it is, and when it was to be sent. */
struct steady_message {
    struct bench_steady *steady;
    int64_t intended_us;
};

static void on_steady(const struct lf_delivery *delivery) {
    struct steady_message *message = delivery->context;
    struct bench_steady *steady = message->steady;
    int64_t took_us = bench_now_us() - message->intended_us;
    free(message);
    size_t at = atomic_load(&steady->answered); /* only the client's thread adds */
    if (!is_done(delivery)) {
        atomic_fetch_add(&steady->failed, 1);
    } else if (at < steady->room) {
        steady->latencies_us[at] = took_us;
        atomic_store(&steady->answered, at + 1);
    }
}

static void publish_one(struct bench_steady *steady, uint32_t partition, int64_t intended_us) {
    uint8_t value[BENCH_MESSAGE_BYTES];
    struct lf_error error = {0};
    struct steady_message *context = malloc(sizeof *context);
    if (!context)
        bench_die("no memory");
    *context = (struct steady_message){steady, intended_us};
    make_value(value, steady->pool, sizeof value, steady->published[partition]);
    struct lf_message message = {
        .topic = steady->topic, .partition = (int32_t)partition, .value = value, .value_size = sizeof value};
    if (lf_publish(steady->client, &message, on_steady, context, 60000, &error) != LF_OK)
        bench_die("publish to %s/%u: %s", steady->topic, partition, error.text);
    steady->published[partition]++;
}

static void *run_steady(void *context) {
    struct bench_steady *steady = context;
    int64_t begin = bench_now_us();
    for (long i = 0; !atomic_load(&steady->stop); i++) {
        int64_t intended = begin + (int64_t)((double)i * 1e6 / (double)steady->rate);
        if (intended > bench_now_us() + 200)
            bench_wait_us(intended); /* the sleep's own lateness counts: it is from the intended time */
        publish_one(steady, (uint32_t)(i % steady->partitions), intended);
    }
    return NULL;
}

struct bench_steady *bench_steady_start(lf_client *client, const char *topic, uint32_t partitions,
                                        const struct bench_stream *first, long messages_per_s, double seconds_max) {
    struct bench_steady *steady = calloc(1, sizeof *steady);
    if (!steady || messages_per_s <= 0 || partitions > BENCH_PARTITIONS_MAX)
        bench_die("a steady load of %ld messages per second cannot be", messages_per_s);
    steady->client = client;
    steady->topic = topic;
    steady->partitions = partitions;
    steady->rate = messages_per_s;
    steady->pool = random_pool(BENCH_MESSAGE_BYTES);
    steady->room = (size_t)((double)messages_per_s * seconds_max) + 1;
    steady->latencies_us = calloc(steady->room, sizeof *steady->latencies_us);
    if (first)
        memcpy(steady->published, first->published, sizeof steady->published);
    if (!steady->latencies_us || pthread_create(&steady->thread, NULL, run_steady, steady) != 0)
        bench_die("no memory");
    return steady;
}

size_t bench_steady_mark(const struct bench_steady *steady) { return atomic_load(&steady->answered); }

void bench_steady_stop(struct bench_steady *steady) {
    atomic_store(&steady->stop, true);
    pthread_join(steady->thread, NULL);
    if (lf_flush(steady->client, ANSWER_MS) != LF_OK)
        bench_die("%s: not all answered after %d s", steady->topic, ANSWER_MS / 1000);
}

long bench_steady_failed(const struct bench_steady *steady) { return atomic_load(&steady->failed); }

double bench_steady_ms(struct bench_steady *steady, size_t from, size_t to, double fraction) {
    if (to <= from)
        return 0;
    qsort(steady->latencies_us + from, to - from, sizeof *steady->latencies_us, bench_compare);
    return (double)bench_percentile(steady->latencies_us + from, to - from, fraction) / 1e3;
}

void bench_steady_print(struct bench_steady *steady, const char *name, size_t from, size_t to) {
    printf("%-20s p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, longest %.2f ms (%zu messages)\n", name,
           bench_steady_ms(steady, from, to, 0.5), bench_steady_ms(steady, from, to, 0.99),
           bench_steady_ms(steady, from, to, 0.999), bench_steady_ms(steady, from, to, 1), to > from ? to - from : 0);
}

void bench_steady_destroy(struct bench_steady **steady) {
    if (!*steady)
        return;
    free((*steady)->pool);
    free((*steady)->latencies_us);
    free(*steady);
    *steady = NULL;
}

/* ---- reading back ---- */

static lf_subscription *read_from_start(lf_client *client, const char *topic, int32_t partition) {
    struct lf_subscribe_options options;
    struct lf_error error;
    lf_subscription *subscription;
    lf_subscribe_options_init(&options);
    options.topic = topic;
    options.partition = partition;
    options.start = LF_START_EARLIEST;
    options.exit_at_end = true;
    if (lf_subscribe(client, &options, &subscription, &error) != LF_OK)
        bench_die("subscribe: %s", error.text);
    return subscription;
}

static void take_record(struct bench_numbers *numbers, const struct lf_record_view *record) {
    uint64_t number = UINT64_MAX;
    if (record->value_size >= sizeof number)
        memcpy(&number, record->value, sizeof number);
    if (numbers->count == 0)
        numbers->first = number;
    if (number != (uint64_t)record->offset || number != numbers->first + numbers->count)
        bench_die("partition %d: message %llu at offset %lld, where %llu was expected", record->partition,
                  (unsigned long long)number, (long long)record->offset,
                  (unsigned long long)(numbers->first + numbers->count));
    numbers->count++;
    numbers->bytes += record->value_size;
}

struct bench_numbers bench_read(const char *brokers, const char *topic, int32_t partition, uint64_t count_max) {
    lf_client *client = bench_client(brokers);
    lf_subscription *subscription = read_from_start(client, topic, partition);
    struct bench_numbers numbers = {0};
    struct lf_error error = {0};
    while (numbers.count < count_max) {
        struct lf_records records;
        enum lf_status status = lf_poll(subscription, 30000, &records, &error);
        if (status == LF_END)
            break;
        if (status != LF_OK)
            bench_die("%s/%d: reading back: %s", topic, partition,
                      status == LF_AGAIN ? "nothing for 30 s" : error.text);
        for (size_t i = 0; i < records.count && numbers.count < count_max; i++)
            take_record(&numbers, &records.records[i]);
    }
    lf_unsubscribe(&subscription);
    lf_client_close(&client, 1000);
    return numbers;
}
