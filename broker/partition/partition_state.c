#include "partition_state.h"

#include "lf_check.h"

#include <inttypes.h>

void partition_state_init(struct partition_state *state) {
    *state = (struct partition_state){0};
    producer_table_init(&state->producers);
}

void partition_state_deinit(struct partition_state *state) {
    producer_table_deinit(&state->producers);
    *state = (struct partition_state){0};
}

bool partition_state_copy(struct partition_state *state, const struct partition_state *source) {
    if (!producer_table_copy(&state->producers, &source->producers))
        return false;
    struct producer_table producers = state->producers;
    *state = *source;
    state->producers = producers;
    return true;
}

static struct partition_verdict verdict(enum lf_status status, uint64_t rests_on_index) {
    return (struct partition_verdict){
        .status = status, .base_offset = -1, .leader_epoch = -1, .rests_on_index = rests_on_index};
}

/** Is there room for one more producer at this log time? There may be more than fit: the log is not held against them.
 */
static bool has_room(const struct partition_state *state, uint64_t log_time_ms, const struct partition_rules *rules) {
    uint32_t count = state->producers.count;
    const struct producer *oldest = NULL;
    while (count >= rules->producers_max) {
        oldest = producer_table_next(&state->producers, oldest);
        if (!oldest || !partition_expired(oldest, log_time_ms, rules->retention_ms))
            return false;
        count--;
    }
    return true;
}

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

/** That a producer is unknown rests on the last expiry; that there is no room, also on the last use of any other. */
static struct partition_verdict judge_unknown(const struct partition_state *state, bool at_beginning,
                                              uint64_t log_time_ms, const struct partition_rules *rules) {
    if (!at_beginning)
        return verdict(LF_PRODUCER_FORGOTTEN, state->expired_index);
    if (!has_room(state, log_time_ms, rules))
        return verdict(LF_OVERLOADED, later(state->used_index, state->expired_index));
    return verdict(LF_OK, 0);
}

static bool fields_agree(const struct partition_entry *batch) {
    if (batch->last_offset_delta < 0)
        return false;
    if (batch->producer_id == -1)
        return batch->producer_epoch == -1 && batch->base_sequence == -1;
    return batch->producer_id >= 0 && batch->producer_epoch >= 0 && batch->base_sequence >= 0;
}

struct partition_verdict partition_state_judge(const struct partition_state *state, const struct partition_entry *batch,
                                               uint64_t log_time_ms, const struct partition_rules *rules) {
    struct partition_verdict answer = verdict(LF_OK, 0);
    if (!fields_agree(batch))
        return verdict(LF_MALFORMED, 0);
    if (batch->producer_id >= 0) {
        const struct producer *producer = producer_table_find(&state->producers, batch->producer_id);
        bool expired = producer && partition_expired(producer, log_time_ms, rules->retention_ms);
        if (producer && !expired)
            answer = producer_judge(producer, batch);
        else
            answer = judge_unknown(state, batch->base_sequence == 0, log_time_ms, rules);
        if (expired && answer.status != LF_OK)
            answer.rests_on_index = later(answer.rests_on_index, producer->last_index);
    }
    if (answer.status == LF_OK)
        answer.base_offset = state->end_offset;
    return answer;
}

struct partition_verdict partition_state_judge_epoch(const struct partition_state *state, int64_t producer_id,
                                                     int16_t producer_epoch, uint64_t log_time_ms,
                                                     const struct partition_rules *rules) {
    if (producer_id < 0 || producer_epoch < 0)
        return verdict(LF_MALFORMED, 0);
    const struct producer *producer = producer_table_find(&state->producers, producer_id);
    if (!producer || partition_expired(producer, log_time_ms, rules->retention_ms))
        return judge_unknown(state, true, log_time_ms, rules);
    if (producer_epoch < producer->epoch)
        return verdict(LF_PRODUCER_FENCED, producer->epoch_index);
    return verdict(LF_OK, 0);
}

struct partition_verdict partition_state_judge_log_start(const struct partition_state *state, int64_t offset,
                                                         int64_t committed_end) {
    if (offset < 0 || offset > committed_end)
        return verdict(LF_INVALID, 0);
    if (offset > state->log_start_offset)
        return verdict(LF_OK, 0);
    struct partition_verdict answer = verdict(LF_DUPLICATE, state->start_index);
    answer.base_offset = state->log_start_offset;
    return answer;
}

/** Entries about segments, as far as the log alone tells. */
static enum lf_status check_structure(const struct partition_state *state, const struct partition_entry *entry,
                                      uint64_t index, struct lf_error *error) {
    if (entry->type == LF_ENTRY_LOG_START &&
        (entry->value < state->log_start_offset || entry->value > state->end_offset))
        return lf_error_set(error, LF_INTERNAL,
                            "entry %" PRIu64 ": log start %" PRId64 ", but there are records from %" PRId64
                            " up to %" PRId64,
                            index, entry->value, state->log_start_offset, state->end_offset);
    if (entry->type == LF_ENTRY_REWRITE && state->rewrite_open)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": a rewrite while %" PRIu64 " is not done", index,
                            state->rewrite_index);
    if (entry->type == LF_ENTRY_REWRITTEN && (!state->rewrite_open || (uint64_t)entry->value != state->rewrite_index))
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": the rewrite %" PRIu64 " is not under way", index,
                            (uint64_t)entry->value);
    return LF_OK;
}

static enum lf_status check_batch(const struct partition_state *state, const struct partition_entry *entry,
                                  uint64_t index, uint64_t retention_ms, struct lf_error *error) {
    if (partition_entry_base_offset(entry) != state->end_offset)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": base offset %" PRId64 " after end offset %" PRId64,
                            index, partition_entry_base_offset(entry), state->end_offset);
    struct partition_rules rules = {.retention_ms = retention_ms, .producers_max = UINT32_MAX};
    struct partition_verdict answer = partition_state_judge(state, entry, entry->log_time_ms, &rules);
    if (answer.status != LF_OK)
        return lf_error_set(
            error, LF_INTERNAL,
            "entry %" PRIu64 ": a batch of producer %" PRId64 " epoch %d sequence %" PRId32 " is in the log, judged %s",
            index, entry->producer_id, entry->producer_epoch, entry->base_sequence, lf_status_name(answer.status));
    return LF_OK;
}

/** How far it goes was looked at when it was decoded. */
static enum lf_status check_jump(const struct partition_state *state, const struct partition_entry *entry,
                                 uint64_t index, struct lf_error *error) {
    if (entry->value != state->end_offset)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": offsets jump from %" PRId64 " after %" PRId64,
                            index, entry->value, state->end_offset);
    return LF_OK;
}

enum lf_status partition_state_check(const struct partition_state *state, const struct partition_entry *entry,
                                     uint64_t index, uint64_t retention_ms, struct lf_error *error) {
    if (index != state->index + 1)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 " after entry %" PRIu64, index, state->index);
    if (entry->log_time_ms < state->log_time_ms)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": log time %" PRIu64 " after %" PRIu64, index,
                            entry->log_time_ms, state->log_time_ms);
    if (entry->type == LF_ENTRY_BATCH)
        return check_batch(state, entry, index, retention_ms, error);
    if (entry->type == LF_ENTRY_OFFSET_JUMP)
        return check_jump(state, entry, index, error);
    bool may_move = entry->type > LF_ENTRY_TYPE_MAX_KNOWN && entry->must_understand; /* a newer version may know how */
    if (entry->end_offset != state->end_offset && !(may_move && entry->end_offset > state->end_offset))
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 " of type %u: end offset %" PRId64 " after %" PRId64,
                            index, entry->type, entry->end_offset, state->end_offset);
    return check_structure(state, entry, index, error);
}

static void expire(struct partition_state *state, uint64_t log_time_ms, uint64_t retention_ms) {
    for (;;) {
        const struct producer *oldest = producer_table_next(&state->producers, NULL);
        if (!oldest || !partition_expired(oldest, log_time_ms, retention_ms))
            return;
        producer_table_remove_oldest(&state->producers);
        state->expired_index = state->index;
    }
}

/** The row of the entry's producer, made if need be. */
static struct producer *row_of(struct partition_state *state, const struct partition_entry *entry) {
    struct producer *producer = producer_table_find(&state->producers, entry->producer_id);
    if (producer)
        return producer;
    producer = producer_table_insert(&state->producers, entry->producer_id);
    producer->epoch = entry->producer_epoch;
    producer->epoch_index = state->index;
    return producer;
}

static const struct producer *raise(struct partition_state *state, const struct partition_entry *entry,
                                    struct partition_applied *outcome) {
    struct producer *producer = row_of(state, entry);
    if (entry->producer_epoch < producer->epoch) {
        outcome->status = LF_PRODUCER_FENCED;
        return NULL;
    }
    producer_raise(producer, entry->producer_epoch, state->index);
    producer_table_touch(&state->producers, producer, entry->log_time_ms);
    outcome->last_sequence = producer->lower_sequence;
    outcome->last_offset = producer->lower_offset;
    outcome->last_epoch = producer->lower_epoch;
    return producer;
}

static const struct producer *accept(struct partition_state *state, const struct partition_entry *entry) {
    if (entry->producer_id < 0)
        return NULL;
    struct producer *producer = row_of(state, entry);
    producer_accept(producer, entry, state->index);
    producer_table_touch(&state->producers, producer, entry->log_time_ms);
    return producer;
}

const struct producer *partition_state_advance(struct partition_state *state, const struct partition_entry *entry,
                                               uint64_t retention_ms, struct partition_applied *outcome) {
    struct partition_applied done = {
        .base_offset = -1, .end_offset = entry->end_offset, .last_sequence = -1, .last_offset = -1, .last_epoch = -1};
    const struct producer *changed = NULL;
    state->index++;
    expire(state, entry->log_time_ms, retention_ms);
    if (entry->type == LF_ENTRY_BATCH) {
        done.base_offset = partition_entry_base_offset(entry);
        changed = accept(state, entry);
    } else if (entry->type == LF_ENTRY_PRODUCER) {
        changed = raise(state, entry, &done);
    } else if (entry->type == LF_ENTRY_LOG_START && entry->value > state->log_start_offset) {
        state->log_start_offset = entry->value;
        state->start_index = state->index;
    } else if (entry->type == LF_ENTRY_REWRITE) {
        state->rewrite_index = state->index;
        state->rewrite_open = true;
    } else if (entry->type == LF_ENTRY_REWRITTEN) {
        state->rewrite_open = false;
    }
    if (changed)
        state->used_index = state->index;
    lf_check(entry->end_offset >= state->end_offset);
    lf_check(entry->log_time_ms >= state->log_time_ms);
    state->end_offset = entry->end_offset;
    state->log_time_ms = entry->log_time_ms;
    if (outcome)
        *outcome = done;
    return changed;
}
