/** How fast is the log store on this disk? Entries of 16 KB, each its own synced write, with 1 to 8 in flight.
 *
 *  bench_store [--dir D] [--mb N] [--groups G] [--entry BYTES] [--in-flight N] [--rate MB] [--segment KB]
 *              [--memtable MB] [--drop 1]
 *
 *  First the disk alone: append and fdatasync of one entry's bytes, one after another. Then per number in flight: MB/s,
 *  commits/s, the write's latency (p50, p99, p99.9, longest), bytes written to the device per byte appended
 *  (/proc/self/io), processor time, stalls that RocksDB counted, and one read of everything. --rate paces the writes
 *  and measures latency from when each was due. Groups take turns, as partitions of one broker do. --segment seals a
 *  group's open segment whenever it holds so much; --drop then drops the older half of every group's segments and tells
 *  how long that takes and what it frees, and how long the store takes to open.
 */
#include "lf_entry.h"
#include "rocks_store.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GROUPS_MAX 1024u
#define IN_FLIGHT_MAX 256u

struct bench {
    const char *directory;
    uint64_t bytes_total;
    uint32_t groups;
    uint32_t entry_bytes;
    uint32_t in_flight;
    uint64_t rate_bytes;    /* per second; 0: as fast as it goes */
    uint64_t segment_bytes; /* 0: nothing is sealed */
    uint32_t memtable_bytes;
    bool drops;
    struct log_store *store;
    uint64_t last_index[GROUPS_MAX];
    struct log_segment open[GROUPS_MAX];
    uint64_t *borders[GROUPS_MAX]; /* last index of each segment */
    uint32_t segment_count[GROUPS_MAX];
    uint64_t due_us[IN_FLIGHT_MAX];
    uint32_t *latencies_us;
    uint64_t submitted, completed;
    uint8_t *payload;
};

static uint64_t clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void die(const char *doing, const char *words) {
    fprintf(stderr, "bench_store: %s: %s\n", doing, words);
    exit(1);
}

static uint64_t device_bytes_written(void) {
    char line[64];
    uint64_t bytes = 0;
    FILE *in = fopen("/proc/self/io", "r");
    while (in && fgets(line, sizeof line, in))
        sscanf(line, "write_bytes: %" SCNu64, &bytes);
    if (in)
        fclose(in);
    return bytes;
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

static void bench_raw(const struct bench *bench) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s.raw", bench->directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        die("raw", path);
    uint64_t started_us = clock_us(), count = 0;
    for (; clock_us() - started_us < 1000000; count++)
        if (write(fd, bench->payload, bench->entry_bytes) < 0 || fdatasync(fd) != 0)
            die("raw", "write");
    double seconds = (double)(clock_us() - started_us) / 1e6;
    close(fd);
    unlink(path);
    printf("disk alone: %.0f fdatasync/s of %u bytes each, %.1f MB/s\n", (double)count / seconds, bench->entry_bytes,
           (double)count * bench->entry_bytes / seconds / 1e6);
}

static void submit(struct bench *bench, struct log_store_write *write) {
    write->sync = true;
    if (log_store_submit(bench->store, &write) != LF_OK)
        die("submit", "refused");
    bench->submitted++;
}

/* Applied as it is appended: the newest entry that a segment may hold. */
static void seal_when_full(struct bench *bench, struct log_store_write *write, uint64_t group, struct lf_buf *entry) {
    struct log_segment *open = &bench->open[group];
    uint64_t index = bench->last_index[group];
    if (bench->segment_bytes == 0)
        return;
    write->applied_index = index;
    if (open->first_index == 0)
        log_segment_begin(open, index, index - 1, 0);
    log_segment_add(open, lf_buf_bytes(entry));
    uint64_t bytes_max = bench->segment_bytes;
    if (bench->segment_count[group] == 0) /* groups do not fill their segments at the same moment */
        bytes_max = bytes_max * (group + 1) / bench->groups;
    if (open->bytes < bytes_max)
        return;
    uint32_t count = ++bench->segment_count[group];
    bench->borders[group] = realloc(bench->borders[group], count * sizeof bench->borders[group][0]);
    if (!bench->borders[group] || log_store_write_add_seal(write, open) != LF_OK)
        die("seal", "no memory");
    bench->borders[group][count - 1] = index;
    log_segment_begin(open, index + 1, index, 0);
}

static void submit_entry(struct bench *bench, uint64_t due_us) {
    uint64_t group = bench->submitted % bench->groups, index = ++bench->last_index[group];
    uint32_t payload_bytes = bench->entry_bytes - LF_ENTRY_HEADER_BYTES;
    struct lf_buf *entry = lf_buf_new(bench->entry_bytes);
    struct log_store_write *write = log_store_write_new(group, bench->submitted);
    if (!entry || !write)
        die("entry", "no memory");
    struct lf_bytes payload = lf_bytes(bench->payload, payload_bytes);
    struct lf_entry_header header = {.type = LF_ENTRY_METADATA,
                                     .payload_bytes = payload_bytes,
                                     .index = index,
                                     .term = 1,
                                     .end_offset = index,
                                     .replica_id = 1};
    lf_entry_encode(&header, group, payload, entry->data);
    memcpy(entry->data + LF_ENTRY_HEADER_BYTES, bench->payload, payload_bytes);
    bench->due_us[bench->submitted % IN_FLIGHT_MAX] = due_us;
    seal_when_full(bench, write, group, entry);
    if (log_store_write_add_entry(write, index, entry) != LF_OK)
        die("entry", "no memory");
    submit(bench, write);
}

static bool take_completion(struct bench *bench) {
    struct log_store_completion *completion = log_store_poll(bench->store);
    if (!completion)
        return false;
    if (completion->status != LF_OK)
        die("write", completion->error.text);
    uint64_t took_us = clock_us() - bench->due_us[completion->id % IN_FLIGHT_MAX];
    bench->latencies_us[completion->id] = (uint32_t)took_us;
    bench->completed++;
    log_store_completion_destroy(&completion);
    return true;
}

static void create_groups(struct bench *bench) {
    for (uint64_t group = 0; group < bench->groups; group++) {
        struct log_store_write *write = log_store_write_new(group, bench->submitted);
        if (!write)
            die("group", "no memory");
        write->create = true;
        write->has_hard_state = true;
        write->term = 1;
        bench->due_us[bench->submitted % IN_FLIGHT_MAX] = clock_us();
        submit(bench, write);
        while (bench->completed < bench->submitted)
            take_completion(bench);
    }
}

static void wait_until(struct bench *bench, uint64_t at_us) {
    struct pollfd waited = {.fd = log_store_fd(bench->store), .events = POLLIN};
    uint64_t now_us = clock_us();
    struct timespec left = {0};
    if (at_us > now_us) {
        left.tv_sec = (time_t)((at_us - now_us) / 1000000);
        left.tv_nsec = (long)((at_us - now_us) % 1000000 * 1000);
    }
    ppoll(&waited, 1, &left, NULL);
}

static void append_all(struct bench *bench, uint64_t count) {
    uint64_t first = bench->submitted, started_us = clock_us();
    while (bench->completed < first + count) {
        uint64_t number = bench->submitted - first, now_us = clock_us();
        uint64_t due_us =
            bench->rate_bytes ? started_us + number * bench->entry_bytes * 1000000 / bench->rate_bytes : now_us;
        bool room = number < count && bench->submitted - bench->completed < bench->in_flight;
        if (room && due_us <= now_us)
            submit_entry(bench, due_us);
        else if (!take_completion(bench))
            wait_until(bench, room ? due_us : now_us + 100000);
    }
}

static int compare(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static double read_all(struct bench *bench) {
    uint64_t started_us = clock_us(), bytes = 0;
    for (uint64_t group = 0; group < bench->groups; group++)
        for (uint64_t next = 1; next <= bench->last_index[group];) {
            struct log_store_read read = {
                .group = group, .value = next, .last_index = UINT64_MAX, .bytes_max = 1u << 20, .entries_max = 10000};
            struct log_store_completion *completion = NULL;
            if (log_store_read(bench->store, &read) != LF_OK)
                die("read", "refused");
            while (!(completion = log_store_poll(bench->store)))
                wait_until(bench, clock_us() + 100000);
            if (completion->status != LF_OK || completion->entry_count == 0)
                die("read", completion->error.text);
            next += completion->entry_count;
            for (uint32_t i = 0; i < completion->entry_count; i++)
                bytes += completion->entries[i]->size;
            log_store_completion_destroy(&completion);
        }
    return (double)bytes / (double)(clock_us() - started_us);
}

static void settle(struct bench *bench) {
    for (struct log_store_engine_stats stats = {.segments_waiting = 1};
         stats.segments_waiting + stats.segment_drops_waiting + stats.flushes_running + stats.compactions_running >
         0;) {
        wait_until(bench, clock_us() + 2000);
        log_store_engine_stats(bench->store, &stats);
    }
}

static uint64_t directory_bytes;
static int add_bytes(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)path;
    (void)where;
    if (kind == FTW_F)
        directory_bytes += (uint64_t)about->st_blocks * 512;
    return 0;
}

static uint64_t measure_directory(const struct bench *bench) {
    directory_bytes = 0;
    nftw(bench->directory, add_bytes, 16, FTW_PHYS);
    return directory_bytes;
}

static void open_again(struct bench *bench) {
    struct rocks_store_options options = {.directory = bench->directory, .memtable_bytes = bench->memtable_bytes};
    struct log_store_identity identity = {.node_id = 1};
    struct lf_error error = {0};
    log_store_close(&bench->store);
    uint64_t started_us = clock_us();
    if (rocks_store_open(&options, &identity, &bench->store, &error) != LF_OK)
        die("open", error.text);
    printf("               opened again in %.1f ms\n", (double)(clock_us() - started_us) / 1e3);
}

static void drop_half(struct bench *bench) {
    struct log_store_engine_stats before, after;
    log_store_engine_stats(bench->store, &before);
    uint64_t bytes = measure_directory(bench), started_us = clock_us();
    for (uint64_t group = 0; group < bench->groups; group++) {
        uint32_t half = bench->segment_count[group] / 2;
        struct log_store_write *write = log_store_write_new(group, bench->submitted);
        if (!write)
            die("drop", "no memory");
        write->drop_before = half > 0 ? bench->borders[group][half - 1] + 1 : 0;
        bench->due_us[bench->submitted % IN_FLIGHT_MAX] = clock_us();
        submit(bench, write);
        while (bench->completed < bench->submitted)
            take_completion(bench);
    }
    double written_ms = (double)(clock_us() - started_us) / 1e3;
    settle(bench);
    log_store_engine_stats(bench->store, &after);
    printf("               dropped %" PRIu64 " of %" PRIu64 " segments: %.1f of %.1f MB freed in %.1f ms (%.1f ms of "
           "writes)\n",
           before.segment_tables - after.segment_tables, before.segment_tables,
           (double)(bytes - measure_directory(bench)) / 1e6, (double)bytes / 1e6,
           (double)(clock_us() - started_us) / 1e3, written_ms);
}

static void open_store(struct bench *bench) {
    struct rocks_store_options options = {
        .directory = bench->directory, .create = true, .memtable_bytes = bench->memtable_bytes};
    struct log_store_identity identity = {.node_id = 1};
    struct lf_error error = {0};
    nftw(bench->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (rocks_store_open(&options, &identity, &bench->store, &error) != LF_OK)
        die("open", error.text);
    memset(bench->last_index, 0, sizeof bench->last_index);
    memset(bench->open, 0, sizeof bench->open);
    memset(bench->segment_count, 0, sizeof bench->segment_count);
    bench->submitted = bench->completed = 0;
}

static void report(struct bench *bench, uint64_t count, double seconds, double cpu, uint64_t device_bytes) {
    struct rocks_store_statistics statistics;
    uint32_t *sorted = bench->latencies_us + bench->groups;
    rocks_store_statistics(bench->store, &statistics);
    qsort(sorted, count, sizeof sorted[0], compare);
    double bytes = (double)count * bench->entry_bytes;
    printf("in flight %3u: %6.1f MB/s %6.0f commits/s  p50 %.2f p99 %.2f p99.9 %.2f max %.1f ms  device %.2f x  "
           "cpu %.0f %%  stalls %.0f ms  read %.0f MB/s\n",
           bench->in_flight, bytes / seconds / 1e6, (double)statistics.commits / seconds, sorted[count / 2] / 1e3,
           sorted[count * 99 / 100] / 1e3, sorted[count * 999 / 1000] / 1e3, sorted[count - 1] / 1e3,
           (double)device_bytes / bytes, cpu / seconds * 100, (double)statistics.stall_us / 1e3, read_all(bench));
    fflush(stdout);
}

static void bench_one(struct bench *bench) {
    uint64_t count = bench->bytes_total / bench->entry_bytes;
    open_store(bench);
    bench->latencies_us = calloc(count + 2 * (size_t)bench->groups + 1, sizeof bench->latencies_us[0]);
    if (!bench->latencies_us)
        die("latencies", "no memory");
    create_groups(bench);
    double cpu = cpu_seconds();
    uint64_t device_bytes = device_bytes_written(), started_us = clock_us();
    append_all(bench, count);
    double seconds = (double)(clock_us() - started_us) / 1e6;
    if (bench->segment_bytes > 0)
        settle(bench);
    report(bench, count, seconds, cpu_seconds() - cpu, device_bytes_written() - device_bytes);
    if (bench->drops) {
        open_again(bench);
        drop_half(bench);
    }
    log_store_close(&bench->store);
    nftw(bench->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(bench->latencies_us);
}

static void parse(struct bench *bench, int count, char **arguments) {
    for (int i = 1; i + 1 < count; i += 2) {
        uint64_t number = strtoull(arguments[i + 1], NULL, 10);
        if (strcmp(arguments[i], "--dir") == 0)
            bench->directory = arguments[i + 1];
        else if (strcmp(arguments[i], "--mb") == 0)
            bench->bytes_total = number * 1000000;
        else if (strcmp(arguments[i], "--groups") == 0 && number >= 1 && number <= GROUPS_MAX)
            bench->groups = (uint32_t)number;
        else if (strcmp(arguments[i], "--entry") == 0 && number > LF_ENTRY_HEADER_BYTES && number <= 4 << 20)
            bench->entry_bytes = (uint32_t)number;
        else if (strcmp(arguments[i], "--in-flight") == 0 && number >= 1 && number <= IN_FLIGHT_MAX)
            bench->in_flight = (uint32_t)number;
        else if (strcmp(arguments[i], "--rate") == 0)
            bench->rate_bytes = number * 1000000;
        else if (strcmp(arguments[i], "--segment") == 0)
            bench->segment_bytes = number * 1024;
        else if (strcmp(arguments[i], "--memtable") == 0)
            bench->memtable_bytes = (uint32_t)number << 20;
        else if (strcmp(arguments[i], "--drop") == 0)
            bench->drops = number != 0;
        else
            die("usage", "[--dir D] [--mb N] [--groups G] [--entry BYTES] [--in-flight N] [--rate MB] [--segment KB] "
                         "[--memtable MB] [--drop 1]");
    }
}

int main(int count, char **arguments) {
    static struct bench bench;
    bench = (struct bench){
        .directory = "bench-store-data", .bytes_total = 200 * 1000000ull, .groups = 1, .entry_bytes = 16384};
    parse(&bench, count, arguments);
    bench.payload = malloc(bench.entry_bytes);
    if (!bench.payload)
        die("payload", "no memory");
    for (uint32_t i = 0; i < bench.entry_bytes; i++)
        bench.payload[i] = (uint8_t)((i * 2654435761u) >> 13);
    bench_raw(&bench);
    uint32_t first = bench.in_flight ? bench.in_flight : 1, last = bench.in_flight ? bench.in_flight : 8;
    for (bench.in_flight = first; bench.in_flight <= last; bench.in_flight *= 2)
        bench_one(&bench);
    free(bench.payload);
    return 0;
}
