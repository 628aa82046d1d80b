/** Life of the machine, its log end, and looking at it. Applying is in partition_apply.c, loading in partition_load.c.
 */
#include "partition_internal.h"

#include "lf_check.h"
#include "lf_crc32c.h"

#include <stdlib.h>

#define KEPT_MIN 64u

struct partition *partition_new(const struct partition_limits *limits) {
    struct partition *partition = calloc(1, sizeof *partition);
    if (!partition)
        return NULL;
    if (limits)
        partition->limits = *limits;
    if (partition->limits.producers_max == 0)
        partition->limits.producers_max = PARTITION_PRODUCERS_MAX_DEFAULT;
    if (partition->limits.producers_max > PRODUCER_TABLE_ROWS_HARD / 2)
        partition->limits.producers_max = PRODUCER_TABLE_ROWS_HARD / 2;
    if (partition->limits.producer_retention_ms == 0)
        partition->limits.producer_retention_ms = PARTITION_PRODUCER_RETENTION_MS_DEFAULT;
    partition_state_init(&partition->applied);
    partition_state_init(&partition->log_end);
    partition->max_timestamp_ms = -1;
    partition_segments_begin(&partition->segments, 0, 0, 0);
    return partition;
}

void partition_destroy(struct partition **where) {
    struct partition *partition = *where;
    *where = NULL;
    if (!partition)
        return;
    partition_state_deinit(&partition->applied);
    partition_state_deinit(&partition->log_end);
    partition_segments_deinit(&partition->segments);
    free(partition->configuration);
    free(partition->kept);
    free(partition);
}

/** What is applied needs no waiting for. */
static struct partition_verdict settle(const struct partition *partition, struct partition_verdict verdict) {
    if (verdict.rests_on_index <= partition->applied.index)
        verdict.rests_on_index = 0;
    return verdict;
}

static struct partition_rules rules_at_the_door(const struct partition *partition) {
    return (struct partition_rules){.retention_ms = partition->limits.producer_retention_ms,
                                    .producers_max = partition->limits.producers_max};
}

struct partition_verdict partition_judge(const struct partition *partition, const struct lf_batch_header *batch,
                                         uint64_t log_time_ms) {
    struct partition_entry entry;
    partition_entry_from_batch(&entry, batch);
    struct partition_rules rules = rules_at_the_door(partition);
    return settle(partition, partition_state_judge(&partition->log_end, &entry, log_time_ms, &rules));
}

struct partition_verdict partition_judge_epoch(const struct partition *partition, int64_t producer_id,
                                               int16_t producer_epoch) {
    const struct partition_state *state = &partition->log_end;
    struct partition_rules rules = rules_at_the_door(partition);
    return settle(partition,
                  partition_state_judge_epoch(state, producer_id, producer_epoch, state->log_time_ms, &rules));
}

struct partition_verdict partition_judge_log_start(const struct partition *partition, int64_t offset) {
    return settle(partition,
                  partition_state_judge_log_start(&partition->log_end, offset, partition->applied.end_offset));
}

enum lf_status partition_kept_reserve(struct partition *partition, struct lf_error *error) {
    if (partition->kept_count >= PARTITION_UNAPPLIED_MAX)
        return lf_error_set(error, LF_FULL, "%u entries wait to be applied: the limit", partition->kept_count);
    if (partition->kept_count < partition->kept_capacity)
        return LF_OK;
    uint32_t capacity = partition->kept_capacity ? partition->kept_capacity * 2 : KEPT_MIN;
    struct partition_entry *kept = malloc(capacity * sizeof *kept);
    if (!kept)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for %u entries that wait to be applied", capacity);
    for (uint32_t i = 0; i < partition->kept_count; i++)
        kept[i] = *partition_kept_at(partition, i);
    free(partition->kept);
    partition->kept = kept;
    partition->kept_capacity = capacity;
    partition->kept_first = 0;
    return LF_OK;
}

enum lf_status partition_append(struct partition *partition, const struct lf_entry_header *header,
                                struct lf_bytes payload, struct lf_error *error) {
    struct partition_entry entry;
    uint64_t retention_ms = partition->limits.producer_retention_ms;
    enum lf_status status = partition_entry_decode(&entry, header, payload, error);
    if (status == LF_OK)
        status = partition_state_check(&partition->log_end, &entry, header->index, retention_ms, error);
    if (status == LF_OK)
        status = partition_kept_reserve(partition, error);
    if (status != LF_OK)
        return status;
    if (!producer_table_reserve(&partition->log_end.producers))
        return lf_error_set(error, LF_NO_MEMORY, "no memory for one more producer");
    partition_state_advance(&partition->log_end, &entry, retention_ms, NULL);
    partition->kept_count++;
    partition->kept_structure += partition_is_structure(entry.type);
    *partition_kept_at(partition, partition->kept_count - 1) = entry;
    return LF_OK;
}

void partition_truncate(struct partition *partition, uint64_t index) {
    lf_check(index > partition->applied.index);
    if (index > partition->log_end.index)
        return;
    partition->kept_count = (uint32_t)(index - 1 - partition->applied.index);
    partition->kept_structure = 0;
    bool copied = partition_state_copy(&partition->log_end, &partition->applied);
    lf_check(copied); /* the log end had at least this room before */
    for (uint32_t i = 0; i < partition->kept_count; i++) {
        partition->kept_structure += partition_is_structure(partition_kept_at(partition, i)->type);
        bool room = producer_table_reserve(&partition->log_end.producers);
        lf_check(room);
        partition_state_advance(&partition->log_end, partition_kept_at(partition, i),
                                partition->limits.producer_retention_ms, NULL);
    }
    lf_check(partition->log_end.index == index - 1);
}

struct partition_meta partition_meta(const struct partition *partition) {
    return (struct partition_meta){.end_offset = partition->applied.end_offset,
                                   .log_start_offset = partition->applied.log_start_offset,
                                   .log_time_ms = partition->applied.log_time_ms,
                                   .max_timestamp_ms = partition->max_timestamp_ms,
                                   .hint_entries = partition->hint_entries,
                                   .hint_bytes = partition->hint_bytes,
                                   .rewrite_index = partition->applied.rewrite_index,
                                   .rewrite_open = partition->applied.rewrite_open,
                                   .seals_checksum = partition->segments.seals_checksum,
                                   .rewrite_expected = partition->segments.expected,
                                   .rewrite_own = partition->segments.own};
}

uint64_t partition_applied_index(const struct partition *partition) { return partition->applied.index; }
uint64_t partition_log_end_index(const struct partition *partition) { return partition->log_end.index; }
int64_t partition_high_watermark(const struct partition *partition) { return partition->applied.end_offset; }
int64_t partition_log_end_offset(const struct partition *partition) { return partition->log_end.end_offset; }
int64_t partition_log_start_offset(const struct partition *partition) {
    int64_t applied = partition->applied.log_start_offset, heard = partition->segments.heard_start;
    return heard > applied ? heard : applied;
}
uint64_t partition_log_time_ms(const struct partition *partition) { return partition->log_end.log_time_ms; }
int64_t partition_max_timestamp_ms(const struct partition *partition) { return partition->max_timestamp_ms; }
size_t partition_producer_count(const struct partition *partition) { return partition->applied.producers.count; }

bool partition_configuration(const struct partition *partition, uint64_t *index, struct lf_bytes *payload) {
    if (partition->configuration_index == 0)
        return false;
    *index = partition->configuration_index;
    *payload =
        lf_bytes(partition->configuration + PARTITION_CONFIGURATION_ROW_FIXED_BYTES, partition->configuration_bytes);
    return true;
}

static struct lf_bytes configuration_row(const struct partition *partition) {
    return lf_bytes(partition->configuration,
                    partition->configuration ? PARTITION_CONFIGURATION_ROW_FIXED_BYTES + partition->configuration_bytes
                                             : 0);
}

/** What is equal everywhere, as rows. */
struct equal_rows {
    uint8_t meta[PARTITION_META_ROW_BYTES], open[LOG_SEGMENT_BYTES], compaction[PARTITION_COMPACTION_ROW_BYTES];
};

static struct equal_rows equal_rows(const struct partition *partition) {
    struct equal_rows rows;
    struct partition_meta meta = partition_meta(partition);
    meta.rewrite_own = 0;
    partition_meta_encode(&meta, rows.meta);
    partition_open_encode(&partition->segments.open, rows.open);
    partition_compaction_encode(&partition->compaction, rows.compaction);
    return rows;
}

static size_t jumps_row(const struct partition *partition, uint8_t row[PARTITION_JUMPS_ROW_BYTES_MAX]) {
    return partition->jumps.count > 0 ? partition_jumps_encode(&partition->jumps, row) : 0;
}

static bool same_jumps(const struct partition *a, const struct partition *b) {
    uint8_t left[PARTITION_JUMPS_ROW_BYTES_MAX], right[PARTITION_JUMPS_ROW_BYTES_MAX];
    size_t size = jumps_row(a, left);
    return size == jumps_row(b, right) && memcmp(left, right, size) == 0;
}

bool partition_applied_equal(const struct partition *a, const struct partition *b) {
    struct equal_rows x = equal_rows(a), y = equal_rows(b);
    if (a->applied.index != b->applied.index || memcmp(&x, &y, sizeof x) != 0 ||
        !lf_bytes_equal(configuration_row(a), configuration_row(b)) ||
        a->applied.producers.count != b->applied.producers.count || !same_jumps(a, b))
        return false;
    const struct producer *producer = NULL;
    while ((producer = producer_table_next(&a->applied.producers, producer))) {
        const struct producer *other = producer_table_find(&b->applied.producers, producer->id);
        if (!other || !producer_equal(producer, other))
            return false;
    }
    return true;
}

/** Producers with equal last use may stand in any order: their sums are added up. */
uint32_t partition_applied_checksum(const struct partition *partition) {
    uint8_t row[PARTITION_PRODUCER_KEY_BYTES + PARTITION_PRODUCER_ROW_BYTES_MAX];
    uint32_t producers = 0;
    const struct producer *producer = NULL;
    while ((producer = producer_table_next(&partition->applied.producers, producer))) {
        partition_producer_key(producer->id, row);
        size_t bytes = partition_producer_encode(producer, row + PARTITION_PRODUCER_KEY_BYTES);
        producers += lf_crc32c(0, row, PARTITION_PRODUCER_KEY_BYTES + bytes);
    }
    uint8_t rest[8 + 4];
    lf_put_le64(rest, partition->applied.index);
    lf_put_le32(rest + 8, producers);
    struct equal_rows rows = equal_rows(partition);
    struct lf_bytes configuration = configuration_row(partition);
    uint8_t jumps[PARTITION_JUMPS_ROW_BYTES_MAX];
    uint32_t sum = lf_crc32c(lf_crc32c(0, rest, sizeof rest), &rows, sizeof rows);
    sum = lf_crc32c(sum, configuration.data, configuration.size);
    return lf_crc32c(sum, jumps, jumps_row(partition, jumps));
}

/* ---- segments ---- */

const struct log_segment *partition_segments(const struct partition *partition, size_t *count) {
    *count = partition->segments.count;
    return partition->segments.sealed;
}

bool partition_holds(const struct partition *partition, const struct log_segment *segment) {
    size_t at;
    return partition_segments_find(&partition->segments, segment->first_index, segment->last_index, &at) == 1 &&
           log_segment_equal(&partition->segments.sealed[at], segment);
}

const struct log_segment *partition_open_segment(const struct partition *partition) {
    return &partition->segments.open;
}

struct partition_bytes partition_bytes(const struct partition *partition) {
    const struct partition_segments *segments = &partition->segments;
    return (struct partition_bytes){.sealed = segments->bytes,
                                    .sealed_commands = segments->command_bytes,
                                    .open = segments->open.bytes,
                                    .open_commands = segments->open.command_bytes};
}

const struct partition_compaction *partition_compaction(const struct partition *partition) {
    return &partition->compaction;
}

const struct partition_jumps *partition_jumps(const struct partition *partition) { return &partition->jumps; }

uint64_t partition_first_index(const struct partition *partition) {
    const struct partition_segments *segments = &partition->segments;
    return segments->count > 0 ? segments->sealed[0].first_index : segments->open.first_index;
}

uint64_t partition_previous_index(const struct partition *partition) {
    const struct partition_segments *segments = &partition->segments;
    for (size_t i = segments->count; i > 0; i--)
        if (!log_segment_whole(&segments->sealed[i - 1]))
            return segments->sealed[i - 1].last_index;
    return partition_first_index(partition) - 1;
}

uint32_t partition_structure_unapplied(const struct partition *partition) { return partition->kept_structure; }
size_t partition_decisions_waiting(const struct partition *partition) { return partition->segments.decision_count; }

bool partition_rewrite_open(const struct partition *partition, uint64_t *index, uint32_t *checksum) {
    *index = partition->applied.rewrite_index;
    *checksum = partition->segments.own;
    return partition->applied.rewrite_open;
}

bool partition_rewrite_due(const struct partition *partition, uint64_t *index, struct log_store_rewrite *rewrite) {
    const struct partition_segments *segments = &partition->segments;
    if (segments->decision_count == 0 || segments->decisions[0].type != LF_ENTRY_REWRITE)
        return false;
    *index = segments->decisions[0].index;
    *rewrite = segments->decisions[0].rewrite;
    return true;
}

size_t partition_rewrite_result(const struct partition *partition, const struct log_segment *segments, size_t count,
                                size_t *at) {
    uint64_t index;
    struct log_store_rewrite rewrite;
    size_t first = 0, end;
    if (!partition_rewrite_due(partition, &index, &rewrite) || partition->segments.decisions[0].expected == 0)
        return 0;
    while (first < count && segments[first].first_index < rewrite.first_index)
        first++;
    for (end = first; end < count && segments[end].last_index <= rewrite.last_index;)
        end++;
    *at = first;
    bool is_it =
        end > first && segments[first].first_index == rewrite.first_index &&
        segments[end - 1].last_index == rewrite.last_index &&
        partition_segments_checksum(segments + first, end - first) == partition->segments.decisions[0].expected;
    return is_it ? end - first : 0;
}

void partition_check_invariants(const struct partition *partition) {
    const struct partition_segments *segments = &partition->segments;
    uint64_t bytes = 0, next = partition_first_index(partition);
    for (size_t i = 0; i < segments->count; i++) {
        lf_check(segments->sealed[i].first_index == next);
        lf_check(i == 0 || segments->sealed[i].base_offset == segments->sealed[i - 1].end_offset);
        bytes += segments->sealed[i].bytes;
        next = segments->sealed[i].last_index + 1;
    }
    lf_check(segments->open.first_index == next);
    lf_check(segments->open.last_index == partition->applied.index);
    lf_check(segments->open.end_offset == (uint64_t)partition->applied.end_offset);
    lf_check(segments->bytes == bytes);
    lf_check(partition->applied.log_start_offset <= partition->applied.end_offset);
    for (uint32_t i = 0; i < partition->jumps.count; i++) {
        int64_t next_from =
            i + 1 < partition->jumps.count ? partition->jumps.items[i + 1].from : partition->applied.end_offset;
        lf_check(partition_jump_to(&partition->jumps.items[i]) <= next_from);
    }
    lf_check(partition_segments_base_offset(segments) <= (uint64_t)partition_log_start_offset(partition));
    for (size_t i = 1; i < segments->decision_count; i++)
        lf_check(segments->decisions[i].index > segments->decisions[i - 1].index);
    lf_check(segments->decision_count <= PARTITION_DECISIONS_MAX);
}
