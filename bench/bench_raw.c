#include "bench_raw.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_cluster.h"
#include "lf_entry.h"
#include "rocks_store.h"

enum { STORES = 3, MESSAGE_BYTES = 256 };
enum { HISTORY = 1, PUBLISHED = 2 }; /* groups */
/** As brokers have it: pieces of a history, pieces under way, a segment of a partition alone, a client's batch. */
enum {
    PIECE_BYTES = 512 * 1024,
    PIECE_ENTRIES = 4096,
    PIECES_MAX = 4,
    SEGMENT_BYTES = 8 << 20,
    HISTORY_ENTRY_BYTES = 64 * 1024,
    BATCH_MESSAGES = 61,
    RECORD_BYTES = MESSAGE_BYTES + 10,
    BATCH_BYTES = 61, /* without records */
};
#define SCRUB_BYTES_PER_S (8u << 20)

/** A log that one store is given; sealed as it grows. */
struct log {
    uint64_t last_index;
    struct log_segment open;
    struct log_segment *sealed; /* kept for HISTORY */
    size_t sealed_count;
};

/** A batch that is not committed yet. */
struct batch {
    size_t first, count; /* messages */
    int done;            /* stores that have it */
};

struct bench_raw {
    struct log_store *stores[STORES];
    struct log logs[STORES];
    struct log history;
    uint64_t waiting; /* writes under way beside batches */
    uint8_t *payload;
    /* of the run under way: */
    const struct bench_raw_load *load;
    int writers;
    int64_t began_us;
    size_t messages_max, taken, committed; /* messages: in a batch; their latencies are noted */
    int64_t *latencies_us;
    struct batch *batches; /* by token - first_token */
    size_t batch_count;
    uint64_t first_token;
    size_t segment;      /* of the history, being sent */
    uint64_t next_index; /* in it */
    bool reading, begun; /* a read is under way; a piece of this segment was staged */
    int staging;         /* pieces handed over */
    double sent, staged; /* bytes */
    int64_t history_end_us;
};

static _Noreturn void die(const char *doing, const char *words) { bench_die("raw stores: %s: %s", doing, words); }

/* ---- writing ---- */

static struct lf_buf *make_entry(struct bench_raw *raw, uint64_t group, uint64_t index, uint32_t payload_bytes) {
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload_bytes);
    if (!entry)
        die("entry", "no memory");
    struct lf_entry_header header = {.type = LF_ENTRY_METADATA, /* checked whole: no batch within */
                                     .payload_bytes = payload_bytes,
                                     .index = index,
                                     .term = 1,
                                     .end_offset = index,
                                     .replica_id = 1};
    uint8_t *payload = entry->data + LF_ENTRY_HEADER_BYTES;
    memcpy(payload, raw->payload, payload_bytes);
    memcpy(payload, &index, sizeof index);
    lf_entry_encode(&header, group, lf_bytes(payload, payload_bytes), entry->data);
    return entry;
}

static void submit(struct bench_raw *raw, int store, struct log_store_write *write) {
    write->sync = true;
    enum lf_status status;
    while ((status = log_store_submit(raw->stores[store], &write)) == LF_FULL)
        bench_wait_us(bench_now_us() + 200);
    if (status != LF_OK)
        die("write", lf_status_name(status));
}

/** Applied as it is appended: the newest entry that a segment may hold. */
static void seal_when_full(struct log *log, struct log_store_write *write, struct lf_buf *entry, bool keep) {
    write->applied_index = log->last_index;
    if (log->open.first_index == 0)
        log_segment_begin(&log->open, log->last_index, log->last_index - 1, 0);
    log_segment_add(&log->open, lf_buf_bytes(entry));
    if (log->open.bytes < SEGMENT_BYTES)
        return;
    if (log_store_write_add_seal(write, &log->open) != LF_OK)
        die("seal", "no memory");
    if (keep) {
        log->sealed = realloc(log->sealed, (log->sealed_count + 1) * sizeof *log->sealed);
        if (!log->sealed)
            die("seal", "no memory");
        log->sealed[log->sealed_count++] = log->open;
    }
    log_segment_begin(&log->open, log->last_index + 1, log->last_index, 0);
}

static void append(struct bench_raw *raw, int store, struct log *log, uint64_t group, uint32_t payload_bytes,
                   uint64_t token) {
    struct log_store_write *write = log_store_write_new(group, token);
    struct lf_buf *entry = make_entry(raw, group, ++log->last_index, payload_bytes);
    if (!write)
        die("write", "no memory");
    seal_when_full(log, write, entry, group == HISTORY);
    if (log_store_write_add_entry(write, log->last_index, entry) != LF_OK)
        die("write", "no memory");
    submit(raw, store, write);
}

/* ---- completions ---- */

static void note_batch(struct bench_raw *raw, struct batch *batch, int64_t now_us) {
    if (++batch->done != 2)
        return;
    for (size_t i = batch->first; i < batch->first + batch->count; i++) {
        int64_t due_us = raw->began_us + (int64_t)((double)i * 1e6 / (double)raw->load->messages_per_s);
        raw->latencies_us[raw->committed++] = now_us - due_us;
    }
}

static void stage_piece(struct bench_raw *raw, struct log_store_completion *piece) {
    const struct log_segment *segment = &raw->history.sealed[raw->segment];
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < piece->entry_count; i++)
        bytes += piece->entries[i]->size;
    uint64_t last_index = piece->first_index + piece->entry_count - 1;
    bool last = last_index >= segment->last_index;
    struct log_store_stage stage = {.group = HISTORY,
                                    .segment = segment,
                                    .first = !raw->begun,
                                    .last = last,
                                    .entries = piece->entries,
                                    .entry_count = piece->entry_count};
    enum lf_status status;
    while ((status = log_store_stage(raw->stores[2], &stage)) == LF_FULL)
        bench_wait_us(bench_now_us() + 200);
    if (status != LF_OK)
        die("stage", lf_status_name(status));
    raw->staging++;
    raw->sent += (double)bytes;
    raw->begun = !last;
    raw->next_index = last_index + 1;
    raw->segment += last;
}

static void on_completion(struct bench_raw *raw, struct log_store_completion *completion) {
    if (completion->status != LF_OK)
        die("completion", completion->error.text);
    switch (completion->kind) {
    case LOG_STORE_DONE_WRITE:
        if (completion->id >= raw->first_token && completion->id - raw->first_token < raw->batch_count)
            note_batch(raw, &raw->batches[completion->id - raw->first_token], bench_now_us());
        else
            raw->waiting--;
        break;
    case LOG_STORE_DONE_READ:
        raw->reading = false;
        if (completion->entry_count == 0)
            die("history", "an entry is not there");
        stage_piece(raw, completion);
        break;
    case LOG_STORE_DONE_STAGE:
        raw->staging--;
        raw->staged = raw->sent;
        raw->history_end_us = bench_now_us();
        break;
    default:
        die("completion", "nobody asked");
    }
}

/** Waits for one until then. */
static void take_completions(struct bench_raw *raw, int64_t until_us) {
    struct pollfd fds[STORES];
    bool any = false;
    for (int i = 0; i < STORES; i++) {
        struct log_store_completion *completion;
        while ((completion = log_store_poll(raw->stores[i]))) {
            on_completion(raw, completion);
            log_store_completion_destroy(&completion);
            any = true;
        }
        fds[i] = (struct pollfd){.fd = log_store_fd(raw->stores[i]), .events = POLLIN};
    }
    int64_t left_us = until_us - bench_now_us();
    if (any || left_us <= 0)
        return;
    struct timespec left = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
    ppoll(fds, STORES, &left, NULL);
}

/* ---- opening and filling ---- */

static void create(struct bench_raw *raw, int store, uint64_t group) {
    struct log_store_write *write = log_store_write_new(group, 0);
    if (!write)
        die("create", "no memory");
    write->create = true;
    write->has_hard_state = true;
    write->term = 1;
    write->replica_id = 1;
    raw->waiting++;
    submit(raw, store, write);
}

static void settle(struct bench_raw *raw) {
    while (raw->waiting > 0)
        take_completions(raw, bench_now_us() + 100000);
    for (int i = 0; i < STORES; i++)
        for (struct log_store_engine_stats stats = {.segments_waiting = 1};
             stats.segments_waiting + stats.flushes_running + stats.compactions_running > 0;) {
            take_completions(raw, bench_now_us() + 2000);
            log_store_engine_stats(raw->stores[i], &stats);
        }
}

struct bench_raw *bench_raw_open(const char *directory, uint64_t history_bytes) {
    struct bench_raw *raw = calloc(1, sizeof *raw);
    if (!raw || !(raw->payload = malloc(HISTORY_ENTRY_BYTES)))
        die("open", "no memory");
    uint64_t random = 1;
    for (size_t i = 0; i < HISTORY_ENTRY_BYTES; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        raw->payload[i] = (uint8_t)(random >> 56);
    }
    raw->first_token = 1; /* 0: no batch */
    for (int i = 0; i < STORES; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/raw%d", directory, i + 1);
        struct rocks_store_options options = {
            .directory = path, .create = true, .scrub_bytes_per_s = SCRUB_BYTES_PER_S};
        struct log_store_identity identity = {.node_id = (uint64_t)i + 1, .store_uuid = {(uint8_t)(i + 1)}};
        struct lf_error error = {0};
        if (rocks_store_open(&options, &identity, &raw->stores[i], &error) != LF_OK)
            die("open", error.text);
        create(raw, i, HISTORY);
        create(raw, i, PUBLISHED);
    }
    settle(raw);
    for (uint64_t bytes = 0; bytes < history_bytes || raw->history.open.bytes > 0; bytes += HISTORY_ENTRY_BYTES) {
        while (raw->waiting >= 4)
            take_completions(raw, bench_now_us() + 100000);
        raw->waiting++;
        append(raw, 0, &raw->history, HISTORY, HISTORY_ENTRY_BYTES, 0);
    }
    settle(raw);
    return raw;
}

void bench_raw_close(struct bench_raw **raw) {
    for (int i = 0; i < STORES; i++)
        log_store_close(&(*raw)->stores[i]);
    free((*raw)->history.sealed);
    free((*raw)->payload);
    free(*raw);
    *raw = NULL;
}

/* ---- a run ---- */

/** When the batch that begins with the next message is sent: full, or its linger is over. */
static int64_t batch_due_us(const struct bench_raw *raw) {
    double message_us = 1e6 / (double)raw->load->messages_per_s;
    double first_us = (double)raw->taken * message_us, full_us = first_us + (BATCH_MESSAGES - 1) * message_us;
    double linger_us = first_us + raw->load->linger_ms * 1e3;
    return raw->began_us + (int64_t)(full_us < linger_us ? full_us : linger_us);
}

static void send_batch(struct bench_raw *raw, int64_t due_us) {
    double behind = (double)(due_us - raw->began_us) * (double)raw->load->messages_per_s / 1e6;
    size_t end = (size_t)behind + 1, count = end > raw->taken ? end - raw->taken : 1;
    if (count > BATCH_MESSAGES)
        count = BATCH_MESSAGES;
    uint64_t token = raw->first_token + raw->batch_count;
    raw->batches[raw->batch_count++] = (struct batch){raw->taken, count, 0};
    raw->taken += count;
    for (int i = 0; i < raw->writers; i++)
        append(raw, i, &raw->logs[i], PUBLISHED, BATCH_BYTES + (uint32_t)count * RECORD_BYTES, token);
}

static bool history_is_sent(const struct bench_raw *raw) {
    return raw->load->history_bytes_per_s <= 0 || raw->segment == raw->history.sealed_count;
}

/** Asks for the next piece when it is due. Returns when to look again. */
static int64_t pull_history(struct bench_raw *raw) {
    int64_t later_us = bench_now_us() + 100000;
    if (history_is_sent(raw) || raw->reading || raw->staging >= PIECES_MAX)
        return later_us; /* a completion comes */
    int64_t due_us = raw->began_us + (int64_t)(raw->sent * 1e6 / raw->load->history_bytes_per_s);
    if (due_us > bench_now_us())
        return due_us;
    const struct log_segment *segment = &raw->history.sealed[raw->segment];
    struct log_store_read read = {.group = HISTORY,
                                  .value = raw->begun ? raw->next_index : segment->first_index,
                                  .last_index = segment->last_index,
                                  .bytes_max = PIECE_BYTES,
                                  .entries_max = PIECE_ENTRIES};
    if (log_store_read(raw->stores[0], &read) != LF_OK)
        die("read", "refused");
    raw->reading = true;
    return later_us;
}

static void run_until_over(struct bench_raw *raw) {
    int64_t end_us = raw->began_us + (int64_t)(raw->load->seconds * 1e6);
    bool history = raw->load->history_bytes_per_s > 0;
    for (;;) {
        int64_t now_us = bench_now_us(), look_us = pull_history(raw), due_us = batch_due_us(raw);
        bool over = now_us >= end_us || (history && history_is_sent(raw) && raw->staging == 0 && !raw->reading);
        if (over || raw->taken + BATCH_MESSAGES > raw->messages_max)
            break;
        if (due_us <= now_us)
            send_batch(raw, due_us);
        else
            take_completions(raw, due_us < look_us ? due_us : look_us);
    }
    while (raw->committed < raw->taken || raw->reading || raw->staging > 0)
        take_completions(raw, bench_now_us() + 100000);
}

struct bench_raw_result bench_raw_run(struct bench_raw *raw, const struct bench_raw_load *load) {
    raw->load = load;
    raw->writers = load->three_write ? 3 : 2;
    raw->messages_max = (size_t)((double)load->messages_per_s * (load->seconds + 1)) + BATCH_MESSAGES;
    raw->latencies_us = calloc(raw->messages_max, sizeof *raw->latencies_us);
    raw->batches = calloc(raw->messages_max, sizeof *raw->batches);
    if (!raw->latencies_us || !raw->batches)
        die("run", "no memory");
    raw->taken = raw->committed = raw->segment = 0;
    raw->begun = false;
    raw->sent = raw->staged = 0;
    raw->began_us = bench_now_us();
    run_until_over(raw);
    qsort(raw->latencies_us, raw->committed, sizeof *raw->latencies_us, bench_compare);
    struct bench_raw_result result = {
        .messages = raw->committed,
        .p50_ms = (double)bench_percentile(raw->latencies_us, raw->committed, 0.5) / 1e3,
        .p99_ms = (double)bench_percentile(raw->latencies_us, raw->committed, 0.99) / 1e3,
        .p999_ms = (double)bench_percentile(raw->latencies_us, raw->committed, 0.999) / 1e3,
        .longest_ms = (double)bench_percentile(raw->latencies_us, raw->committed, 1) / 1e3,
        .history_bytes = raw->staged,
        .history_seconds = raw->staged > 0 ? (double)(raw->history_end_us - raw->began_us) / 1e6 : 0};
    /* The third store may still owe a completion of a batch that two have. */
    settle(raw);
    for (size_t i = 0; i < raw->batch_count; i++)
        while (raw->batches[i].done < raw->writers)
            take_completions(raw, bench_now_us() + 100000);
    raw->first_token += raw->batch_count;
    raw->batch_count = 0;
    free(raw->latencies_us);
    free(raw->batches);
    return result;
}
