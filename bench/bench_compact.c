/** How fast is key compaction, and in how much memory?
 *
 *  bench_compact [--records N] [--keys N] [--value BYTES] [--batch RECORDS] [--codec none|lz4|zstd] [--memory-mb N]
 *
 *  The rewriting alone, on one core, entries in memory: what both stores do with a range of segments, without a disk.
 * It makes the log (16 MiB segments, keys at random), compacts it, and checks the result: of each key exactly its last
 *  record, at its own offset and with its own value. Prints records/s, windows, the bytes of the map of keys and the
 *  growth of resident memory.
 */
#include "log_rewrite.h"

#include "lf_entry.h"
#include "lf_record_batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define SEGMENT_BYTES (16u << 20)
#define STEP_BYTES (1u << 20)

struct bench {
    uint64_t records, keys;
    size_t value_bytes, memory_bytes;
    int32_t batch_records;
    enum lf_codec codec;
    struct lf_buf **entries;
    size_t entry_count;
    struct log_segment *segments;
    size_t segment_count;
    uint64_t *last_offset; /* of each key; UINT64_MAX: never written, or found in the result */
    uint64_t kept_entries, kept_bytes, kept_records;
};

static void die(const char *words) {
    fprintf(stderr, "bench_compact: %s\n", words);
    exit(1);
}

static double clock_s(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t random_next(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/** Where in the value the offset stands, so that a wrong value is found. */
static void fill_value(uint8_t *value, size_t size, uint64_t offset) {
    for (size_t i = 0; i < size; i++)
        value[i] = i < 8 ? (uint8_t)(offset >> (8 * i)) : (uint8_t)("compaction "[(i + offset) % 11]);
}

static struct lf_buf *make_entry(uint64_t index, uint64_t end_offset, struct lf_buf *batch) {
    struct lf_entry_header header = {.type = LF_ENTRY_BATCH,
                                     .payload_bytes = batch->size,
                                     .index = index,
                                     .term = 1,
                                     .log_time_ms = index,
                                     .end_offset = end_offset,
                                     .replica_id = 1};
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + batch->size);
    if (!entry)
        die("no memory");
    lf_entry_encode(&header, 1, lf_buf_bytes(batch), entry->data);
    memcpy(entry->data + LF_ENTRY_HEADER_BYTES, batch->data, batch->size);
    return entry;
}

static void add_segment(struct bench *bench, const struct log_segment *segment) {
    bench->segments = realloc(bench->segments, (bench->segment_count + 1) * sizeof *segment);
    if (!bench->segments)
        die("no memory");
    bench->segments[bench->segment_count++] = *segment;
}

static void make_log(struct bench *bench) {
    struct lf_batch_builder *builder = lf_batch_builder_new(bench->codec, NULL);
    uint8_t *value = malloc(bench->value_bytes + 1);
    uint64_t seed = 88172645463325252u, offset = 0;
    size_t count = (size_t)((bench->records + (uint64_t)bench->batch_records - 1) / (uint64_t)bench->batch_records);
    bench->entries = calloc(count, sizeof bench->entries[0]);
    bench->last_offset = malloc(bench->keys * sizeof bench->last_offset[0]);
    if (!builder || !value || !bench->entries || !bench->last_offset)
        die("no memory");
    memset(bench->last_offset, 0xff, bench->keys * sizeof bench->last_offset[0]);
    struct log_segment segment;
    log_segment_begin(&segment, 1, 0, 0);
    while (offset < bench->records) {
        struct lf_buf *batch;
        uint64_t base = offset;
        for (int32_t i = 0; i < bench->batch_records && offset < bench->records; i++, offset++) {
            uint64_t key = random_next(&seed) % bench->keys;
            fill_value(value, bench->value_bytes, offset);
            struct lf_record record = {.timestamp_ms = (int64_t)offset,
                                       .key = lf_bytes(&key, sizeof key),
                                       .value = lf_bytes(value, bench->value_bytes)};
            if (lf_batch_builder_add(builder, &record) != LF_OK)
                die("the batch is too large");
            bench->last_offset[key] = offset;
        }
        if (lf_batch_builder_finish(builder, &batch) != LF_OK)
            die("no memory");
        lf_batch_stamp(batch->data, (int64_t)base, 1);
        struct lf_buf *entry = make_entry(bench->entry_count + 1, offset, batch);
        lf_buf_unref(&batch);
        bench->entries[bench->entry_count++] = entry;
        log_segment_add(&segment, lf_buf_bytes(entry));
        if (segment.bytes >= SEGMENT_BYTES || offset >= bench->records) {
            add_segment(bench, &segment);
            log_segment_begin(&segment, bench->entry_count + 1, offset, segment.last_log_time_ms);
        }
    }
    lf_batch_builder_destroy(&builder);
    free(value);
}

static enum lf_status read_entry(void *context, uint64_t index, uint64_t last_index, struct lf_bytes *entry,
                                 struct lf_error *error) {
    const struct bench *bench = context;
    (void)error;
    if (index > last_index || index > bench->entry_count)
        return LF_END;
    *entry = lf_buf_bytes(bench->entries[index - 1]);
    return LF_OK;
}

/** Every record of the result is the last of its key, and there only once. */
static enum lf_status check_entry(void *context, uint64_t index, struct lf_bytes entry, struct lf_error *error) {
    struct bench *bench = context;
    (void)index;
    (void)error;
    bench->kept_entries++;
    bench->kept_bytes += entry.size;
    struct lf_batch_reader *reader;
    struct lf_record record;
    uint8_t value[4096];
    if (lf_batch_reader_new(lf_bytes(entry.data + LF_ENTRY_HEADER_BYTES, entry.size - LF_ENTRY_HEADER_BYTES), NULL,
                            &reader, NULL) != LF_OK)
        die("a batch of the result cannot be read");
    while (lf_batch_reader_next(reader, &record) == LF_OK) {
        uint64_t key;
        memcpy(&key, record.key.data, sizeof key);
        fill_value(value, bench->value_bytes, (uint64_t)record.offset);
        if (bench->last_offset[key] != (uint64_t)record.offset ||
            !lf_bytes_equal(record.value, lf_bytes(value, bench->value_bytes)))
            die("the result holds a record that is not the last of its key");
        bench->last_offset[key] = UINT64_MAX;
        bench->kept_records++;
    }
    lf_batch_reader_destroy(&reader);
    return LF_OK;
}

static enum lf_status take_segment(void *context, const struct log_segment *segment, struct lf_error *error) {
    (void)context;
    (void)segment;
    (void)error;
    return LF_OK;
}

static void run(struct bench *bench) {
    struct log_store_rewrite request = {.group = 1,
                                        .first_index = 1,
                                        .last_index = bench->entry_count,
                                        .segment_bytes = SEGMENT_BYTES,
                                        .compact = true};
    struct log_rewrite_io io = {.context = bench, .read = read_entry, .put = check_entry, .segment = take_segment};
    struct log_rewrite *rewrite;
    struct lf_error error = {0};
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    double began = clock_s(CLOCK_MONOTONIC), cpu_began = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    if (log_rewrite_new(&request, bench->segments, bench->segment_count, bench->memory_bytes, &io, &rewrite, &error) !=
        LF_OK)
        die(error.text);
    enum lf_status status;
    while ((status = log_rewrite_step(rewrite, STEP_BYTES, &error)) == LF_AGAIN)
        ;
    if (status != LF_OK)
        die(error.text);
    double took = clock_s(CLOCK_MONOTONIC) - began, cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_began;
    getrusage(RUSAGE_SELF, &after);
    struct log_rewrite_figures figures;
    log_rewrite_figures(rewrite, &figures);
    log_rewrite_destroy(&rewrite);
    for (uint64_t key = 0; key < bench->keys; key++)
        if (bench->last_offset[key] != UINT64_MAX)
            die("a key is missing in the result");
    printf("compacted in %.2f s (%.2f s of processor): %.0f records/s; %u windows, read %.0f MB in all\n", took, cpu,
           (double)bench->records / took, figures.windows, (double)figures.bytes_read / 1e6);
    printf("left: %" PRIu64 " records of %" PRIu64 " in %" PRIu64 " batches, %.1f MB: exactly the last of each key\n",
           bench->kept_records, bench->records, bench->kept_entries, (double)bench->kept_bytes / 1e6);
    printf("memory: map of keys %.1f MB, resident grew by %.1f MB\n", (double)figures.memory_bytes_max / 1e6,
           (double)(after.ru_maxrss - before.ru_maxrss) / 1e3);
}

static enum lf_codec codec_named(const char *name) {
    if (strcmp(name, "lz4") == 0)
        return LF_CODEC_LZ4;
    if (strcmp(name, "zstd") == 0)
        return LF_CODEC_ZSTD;
    return LF_CODEC_NONE;
}

int main(int argc, char **argv) {
    struct bench bench = {.records = 10000000, .keys = 100000, .value_bytes = 64, .batch_records = 200};
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t number = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--records") == 0)
            bench.records = number;
        else if (strcmp(argv[i], "--keys") == 0)
            bench.keys = number;
        else if (strcmp(argv[i], "--value") == 0)
            bench.value_bytes = number < 4096 ? number : 4096;
        else if (strcmp(argv[i], "--batch") == 0)
            bench.batch_records = (int32_t)number;
        else if (strcmp(argv[i], "--codec") == 0)
            bench.codec = codec_named(argv[i + 1]);
        else if (strcmp(argv[i], "--memory-mb") == 0)
            bench.memory_bytes = number << 20;
        else
            die("see the head of bench/bench_compact.c for the options");
    }
    if (bench.records == 0 || bench.keys == 0 || bench.batch_records <= 0)
        die("records, keys and batch must be above 0");
    make_log(&bench);
    uint64_t bytes = 0;
    for (size_t i = 0; i < bench.segment_count; i++)
        bytes += bench.segments[i].bytes;
    printf("%" PRIu64 " records over %" PRIu64 " keys in %zu batches, %zu segments, %.1f MB\n", bench.records,
           bench.keys, bench.entry_count, bench.segment_count, (double)bytes / 1e6);
    run(&bench);
    for (size_t i = 0; i < bench.entry_count; i++)
        lf_buf_unref(&bench.entries[i]);
    free(bench.entries);
    free(bench.segments);
    free(bench.last_offset);
    return 0;
}
