/** Random histories: two machines, one of which is destroyed and loaded again at random points from what a store would
 *  hold (also from an older applied index), and a slow model that knows every entry and nothing clever.
 *
 *  After each step:
 *   1. both machines and the model judge a random batch and a random raise alike
 *   2. the verdict is the same at every end of the log from `rests_on_index` on
 *   3. applied states at the same index are equal, by comparison and by checksum
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "entries.h"
#include "row_image.h"

#define SEQUENCES ((int64_t)1 << 31)
#define PRODUCERS 6
#define PRODUCERS_MAX 4
#define RETENTION 400
#define STEPS 400
#define SEEDS 150

static const struct partition_limits limits = {.producers_max = PRODUCERS_MAX, .producer_retention_ms = RETENTION};

struct world {
    uint32_t random;
    uint64_t now;
    struct entry log[STEPS + 1]; /**< [i] is entry i + 1 */
    uint64_t log_end;
    struct partition *steady, *reloaded;
    struct log_store_write *write; /**< of the reloaded one, not flushed */
    struct row_image image;        /**< flushed */
    uint64_t verdicts[64], reloads, truncations, late_rests;
};

static uint32_t below(struct world *w, uint32_t bound) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return (uint32_t)(((uint64_t)w->random * bound) >> 32);
}

/* ---- the model: one producer's whole history, found by walking the log ---- */

struct history {
    bool known;
    int epoch;
    int64_t next; /**< records accepted under the epoch, never cut to 31 bits */
    uint64_t last_use;
    struct {
        int64_t first, count, base_offset;
        int32_t leader_epoch;
    } batches[STEPS + 1];
    size_t batch_count;
    int64_t lower_sequence, lower_offset, lower_epoch;
};

static void history_raise(struct history *h, int epoch) {
    if (epoch == h->epoch)
        return;
    if (h->batch_count > 0) {
        h->lower_epoch = h->epoch;
        h->lower_sequence = (h->next - 1) % SEQUENCES;
        h->lower_offset = h->batches[h->batch_count - 1].base_offset + h->batches[h->batch_count - 1].count - 1;
    }
    h->epoch = epoch;
    h->next = 0;
    h->batch_count = 0;
}

static void history_forget(struct history *h) {
    *h = (struct history){.lower_sequence = -1, .lower_offset = -1, .lower_epoch = -1};
}

/** What producer `id` looks like after the first `entries` entries, at log time `now`. */
static void history_of(const struct world *w, int64_t id, uint64_t entries, uint64_t now, struct history *h) {
    history_forget(h);
    for (uint64_t i = 0; i < entries; i++) {
        const struct entry *entry = &w->log[i];
        if (h->known && entry->header.log_time_ms > h->last_use + RETENTION)
            history_forget(h);
        int64_t entry_id = -1;
        int epoch = 0;
        struct lf_batch_header batch;
        if (entry->header.type == LF_ENTRY_BATCH) {
            assert_int_equal(lf_batch_header_decode(entry_payload(entry), &batch), LF_OK);
            entry_id = batch.producer_id;
            epoch = batch.producer_epoch;
        } else if (entry->header.type == LF_ENTRY_PRODUCER) {
            Lf__ProducerEntry *raise = lf__producer_entry__unpack(NULL, entry->payload_bytes, entry->payload);
            entry_id = raise->producer_id;
            epoch = raise->producer_epoch;
            lf__producer_entry__free_unpacked(raise, NULL);
        }
        if (entry_id != id || (h->known && epoch < h->epoch))
            continue;
        if (!h->known)
            h->epoch = epoch;
        h->known = true;
        h->last_use = entry->header.log_time_ms;
        history_raise(h, epoch);
        if (entry->header.type != LF_ENTRY_BATCH)
            continue;
        h->batches[h->batch_count].first = h->next;
        h->batches[h->batch_count].count = (int64_t)batch.last_offset_delta + 1;
        h->batches[h->batch_count].base_offset = batch.base_offset;
        h->batches[h->batch_count++].leader_epoch = batch.leader_epoch;
        h->next += (int64_t)batch.last_offset_delta + 1;
    }
    if (h->known && now > h->last_use + RETENTION)
        history_forget(h);
}

static struct partition_verdict verdict(enum lf_status status, int64_t base_offset, int32_t leader_epoch) {
    return (struct partition_verdict){.status = status, .base_offset = base_offset, .leader_epoch = leader_epoch};
}

static size_t model_count(const struct world *w, uint64_t entries, uint64_t now) {
    size_t count = 0;
    static struct history h;
    for (int64_t id = 0; id < PRODUCERS; id++) {
        history_of(w, id, entries, now, &h);
        count += h.known;
    }
    return count;
}

/** Which of the batch's records are among those accepted? */
static struct partition_verdict model_judge_known(const struct history *h, const struct batch *batch, int64_t end) {
    if (batch->epoch < h->epoch)
        return verdict(LF_PRODUCER_FENCED, -1, -1);
    if (batch->epoch > h->epoch)
        return batch->sequence == 0 ? verdict(LF_OK, end, -1) : verdict(LF_SEQUENCE_GAP, -1, -1);
    int64_t first = h->next - ((h->next - batch->sequence) % SEQUENCES + SEQUENCES) % SEQUENCES; /* at or before next */
    if (first == h->next)
        return verdict(LF_OK, end, -1);
    if (first < 0 || h->next - first > SEQUENCES / 2)
        return verdict(LF_SEQUENCE_GAP, -1, -1);
    size_t oldest = h->batch_count > 5 ? h->batch_count - 5 : 0;
    for (size_t i = oldest; i < h->batch_count; i++)
        if (h->batches[i].first == first && h->batches[i].count == batch->count)
            return verdict(LF_DUPLICATE, h->batches[i].base_offset, h->batches[i].leader_epoch);
    if (first + batch->count <= h->batches[oldest].first)
        return verdict(LF_DUPLICATE, -1, -1);
    return verdict(LF_MALFORMED, -1, -1);
}

static struct partition_verdict model_judge(const struct world *w, const struct batch *batch) {
    static struct history h;
    int64_t end = w->log_end > 0 ? (int64_t)w->log[w->log_end - 1].header.end_offset : 0;
    if (batch->producer < 0)
        return verdict(LF_OK, end, -1);
    history_of(w, batch->producer, w->log_end, w->now, &h);
    if (h.known)
        return model_judge_known(&h, batch, end);
    if (batch->sequence != 0)
        return verdict(LF_PRODUCER_FORGOTTEN, -1, -1);
    bool room = model_count(w, w->log_end, w->now) < PRODUCERS_MAX;
    return room ? verdict(LF_OK, end, -1) : verdict(LF_OVERLOADED, -1, -1);
}

/* ---- the steps ---- */

static void append_to(const struct world *w, struct partition *partition, uint64_t index) {
    const struct entry *entry = &w->log[index - 1];
    struct lf_error error = {0};
    if (partition_append(partition, &entry->header, entry_payload(entry), &error) != LF_OK)
        fail_msg("append: %s", error.text);
}

static void append(struct world *w, const struct entry *entry) {
    w->log[w->log_end++] = *entry;
    append_to(w, w->steady, w->log_end);
    append_to(w, w->reloaded, w->log_end);
}

static bool same(struct partition_verdict a, struct partition_verdict b) {
    return a.status == b.status && a.base_offset == b.base_offset && a.leader_epoch == b.leader_epoch;
}

/** Returns (caller destroys) a machine loaded from the image, its log end at `end`. */
static struct partition *load(const struct world *w, uint64_t end) {
    struct partition *partition = partition_new(&limits);
    struct lf_error error = {0};
    if (partition_load(partition, w->image.applied_index, w->image.rows, w->image.count, w->image.segments,
                       w->image.segment_count, &error) != LF_OK)
        fail_msg("load: %s", error.text);
    for (uint64_t index = w->image.applied_index + 1; index <= end; index++)
        append_to(w, partition, index);
    return partition;
}

/** 2. What a refusal rests on is all that it rests on. A repeat and a fence stay true when, without later entries, the
 *  producer would have expired by now: the batch, or the raise, is in the log all the same. */
static void check_rest(struct world *w, const struct lf_batch_header *header, struct partition_verdict answer) {
    uint64_t applied = partition_applied_index(w->steady), from = answer.rests_on_index;
    assert_true(from == 0 || (from > applied && from <= w->log_end));
    w->late_rests += from > 0;
    if (from < applied)
        from = applied;
    if (from < w->image.applied_index)
        from = w->image.applied_index;
    for (uint64_t end = from; end < w->log_end; end++) {
        struct partition *shorter = load(w, end);
        struct partition_verdict then = partition_judge(shorter, header, w->now);
        static struct history h;
        history_of(w, header->producer_id, end, w->now, &h);
        bool fact = answer.status == LF_DUPLICATE || answer.status == LF_PRODUCER_FENCED;
        if (!same(then, answer) && !(fact && !h.known))
            fail_msg("%s rests on %llu, but with the log ending at %llu it is %s", lf_status_name(answer.status),
                     (unsigned long long)answer.rests_on_index, (unsigned long long)end, lf_status_name(then.status));
        partition_destroy(&shorter);
    }
}

/** A batch that is often right, often a repeat, and sometimes anything. */
static struct batch random_batch(struct world *w) {
    static struct history h;
    struct batch batch = {.producer = (int64_t)below(w, PRODUCERS + 1) - 1,
                          .timestamp = (int64_t)(w->now + below(w, 9))};
    if (batch.producer < 0) {
        batch.epoch = -1;
        batch.sequence = -1;
        batch.count = 1 + below(w, 5);
        return batch;
    }
    history_of(w, batch.producer, w->log_end, w->now, &h);
    batch.epoch = h.known ? h.epoch : (int)below(w, 3);
    batch.sequence = h.known ? h.next % SEQUENCES : 0;
    batch.count = below(w, 12) == 0 ? (uint32_t)(SEQUENCES / 2 - 3 + below(w, 6)) : 1 + below(w, 3);
    uint32_t how = below(w, 10);
    if (how < 3 && h.batch_count > 0) { /* a repeat */
        size_t at = h.batch_count - 1 - below(w, (uint32_t)(h.batch_count < 8 ? h.batch_count : 8));
        batch.sequence = h.batches[at].first % SEQUENCES;
        batch.count = (uint32_t)h.batches[at].count;
    } else if (how == 3) {
        batch.sequence = (batch.sequence + SEQUENCES + below(w, 21) - 10) % SEQUENCES;
    } else if (how == 4) {
        batch.epoch += (int)below(w, 3) - 1;
        batch.sequence = below(w, 2) ? 0 : batch.sequence;
        if (batch.epoch < 0)
            batch.epoch = 0;
    } else if (how == 5) {
        batch.sequence = below(w, 0x7fffffff);
    }
    return batch;
}

static void publish(struct world *w) {
    struct batch batch = random_batch(w);
    struct lf_batch_header header = batch_header(&batch);
    struct partition_verdict steady = partition_judge(w->steady, &header, w->now);
    struct partition_verdict reloaded = partition_judge(w->reloaded, &header, w->now);
    struct partition_verdict model = model_judge(w, &batch);
    if (!same(steady, model) || !same(reloaded, model))
        fail_msg("producer %lld epoch %d sequence %lld count %u: %s, after loading %s, the model says %s",
                 (long long)batch.producer, batch.epoch, (long long)batch.sequence, batch.count,
                 lf_status_name(steady.status), lf_status_name(reloaded.status), lf_status_name(model.status)); /* 1 */
    w->verdicts[steady.status]++;
    if (steady.status == LF_OK) {
        assert_int_equal(steady.rests_on_index, 0);
        struct entry entry = entry_batch(&batch, w->log_end + 1, w->now, steady.base_offset);
        append(w, &entry);
    } else {
        check_rest(w, &header, steady);
    }
}

static void raise_epoch(struct world *w) {
    static struct history h;
    int64_t id = below(w, PRODUCERS);
    history_of(w, id, w->log_end, w->now, &h);
    int epoch = h.known ? h.epoch + (int)below(w, 3) - 1 : 0;
    epoch = epoch < 0 ? 0 : epoch;
    struct entry entry = entry_raise(id, epoch, w->log_end + 1, w->now, partition_log_end_offset(w->steady));
    if (h.known) { /* an unknown one needs room, which is judged at the time of the log end */
        struct partition_verdict steady = partition_judge_epoch(w->steady, id, (int16_t)epoch);
        assert_true(same(steady, partition_judge_epoch(w->reloaded, id, (int16_t)epoch)));
        assert_int_equal(steady.status, epoch < h.epoch ? LF_PRODUCER_FENCED : LF_OK);
    }
    append(w, &entry); /* also one that is overtaken: it changes nothing */
}

static void append_command(struct world *w) {
    int64_t end = partition_log_end_offset(w->steady);
    char words[16];
    snprintf(words, sizeof words, "members %u", below(w, 1000));
    struct entry entry = below(w, 2) ? entry_plain(LF_ENTRY_NOOP, w->log_end + 1, w->now, end)
                                     : entry_configuration(words, w->log_end + 1, w->now, end);
    append(w, &entry);
}

static struct partition_applied apply_to(const struct world *w, struct partition *partition,
                                         struct log_store_write *write) {
    const struct entry *entry = &w->log[partition_applied_index(partition)];
    struct partition_applied applied;
    struct lf_error error = {0};
    if (partition_apply(partition, entry_bytes(entry), write, &applied, &error) != LF_OK)
        fail_msg("apply: %s", error.text);
    return applied;
}

/** 3. The steady machine may have applied more; both go to the same index. */
static void apply(struct world *w) {
    uint64_t applied = partition_applied_index(w->steady);
    uint64_t to = applied + below(w, (uint32_t)(w->log_end - applied) + 1);
    while (partition_applied_index(w->reloaded) < applied)
        apply_to(w, w->reloaded, w->write);
    while (partition_applied_index(w->steady) < to) {
        static struct history h;
        struct partition_applied a = apply_to(w, w->steady, NULL), b = apply_to(w, w->reloaded, w->write);
        assert_memory_equal(&a, &b, sizeof a);
        const struct entry *entry = &w->log[partition_applied_index(w->steady) - 1];
        if (entry->header.type != LF_ENTRY_PRODUCER || a.status != LF_OK)
            continue;
        Lf__ProducerEntry *raise = lf__producer_entry__unpack(NULL, entry->payload_bytes, entry->payload);
        history_of(w, raise->producer_id, entry->header.index, entry->header.log_time_ms, &h);
        lf__producer_entry__free_unpacked(raise, NULL);
        assert_int_equal(a.last_sequence, h.lower_sequence);
        assert_int_equal(a.last_offset, h.lower_offset);
        assert_int_equal(a.last_epoch, h.lower_epoch);
    }
    assert_true(partition_applied_equal(w->steady, w->reloaded));
    assert_int_equal(partition_applied_checksum(w->steady), partition_applied_checksum(w->reloaded));
    uint64_t log_time = to > 0 ? w->log[to - 1].header.log_time_ms : 0;
    assert_int_equal(partition_producer_count(w->steady), model_count(w, to, log_time));
    assert_int_equal(partition_high_watermark(w->steady), to > 0 ? w->log[to - 1].header.end_offset : 0);
}

static void new_write(struct world *w) {
    log_store_write_destroy(&w->write);
    w->write = log_store_write_new(1, 1);
}

static void flush(struct world *w) {
    row_image_write(&w->image, w->write, partition_applied_index(w->reloaded));
    new_write(w);
}

static void reload(struct world *w) {
    w->reloads++;
    partition_destroy(&w->reloaded);
    new_write(w); /* what was not flushed is lost */
    w->reloaded = load(w, w->log_end);
}

static void truncate_log(struct world *w) {
    uint64_t applied = partition_applied_index(w->steady);
    if (w->log_end == applied)
        return;
    w->truncations++;
    uint64_t index = applied + 1 + below(w, (uint32_t)(w->log_end - applied));
    partition_truncate(w->steady, index);
    partition_truncate(w->reloaded, index);
    w->log_end = index - 1;
    w->now = w->log_end > 0 ? w->log[w->log_end - 1].header.log_time_ms : 0; /* the next leader's clock may be behind */
    w->now += below(w, 50);
    assert_int_equal(partition_log_end_index(w->steady), w->log_end);
    assert_int_equal(partition_log_time_ms(w->steady), partition_log_time_ms(w->reloaded));
}

static void step(struct world *w) {
    uint32_t what = below(w, 100);
    w->now += below(w, 60) == 0 ? below(w, 2 * RETENTION) : below(w, 8);
    if (what < 70)
        publish(w);
    else if (what < 77)
        raise_epoch(w);
    else if (what < 80)
        append_command(w);
    else if (what < 90)
        apply(w);
    else if (what < 94)
        flush(w);
    else if (what < 96)
        reload(w);
    else
        truncate_log(w);
    assert_int_equal(partition_log_end_index(w->steady), w->log_end);
    assert_int_equal(partition_log_end_index(w->reloaded), w->log_end);
    assert_int_equal(partition_log_end_offset(w->steady), partition_log_end_offset(w->reloaded));
}

static void random_histories_agree_with_the_model(void **state) {
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        w->random = seed * 2654435761u;
        w->now = 1000;
        w->log_end = 0;
        w->steady = partition_new(&limits);
        w->reloaded = partition_new(&limits);
        new_write(w);
        for (int i = 0; i < STEPS; i++)
            step(w);
        partition_destroy(&w->steady);
        partition_destroy(&w->reloaded);
        log_store_write_destroy(&w->write);
        row_image_deinit(&w->image);
    }
    static const enum lf_status wanted[] = {LF_OK,        LF_DUPLICATE,          LF_SEQUENCE_GAP, LF_PRODUCER_FENCED,
                                            LF_MALFORMED, LF_PRODUCER_FORGOTTEN, LF_OVERLOADED};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        print_message("%s %llu\n", lf_status_name(wanted[i]), (unsigned long long)w->verdicts[wanted[i]]);
        assert_true(w->verdicts[wanted[i]] > 50);
    }
    print_message("reloads %llu, truncations %llu, refusals that wait %llu\n", (unsigned long long)w->reloads,
                  (unsigned long long)w->truncations, (unsigned long long)w->late_rests);
    assert_true(w->reloads > 100 && w->truncations > 100 && w->late_rests > 100);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_histories_agree_with_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
