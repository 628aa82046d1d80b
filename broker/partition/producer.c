#include "producer.h"

void producer_init(struct producer *producer, int64_t id) {
    *producer = (struct producer){.id = id, .lower_offset = -1, .lower_sequence = -1, .lower_epoch = -1};
}

static struct partition_verdict verdict(enum lf_status status, uint64_t rests_on_index) {
    return (struct partition_verdict){
        .status = status, .base_offset = -1, .leader_epoch = -1, .rests_on_index = rests_on_index};
}

/** Same epoch, and the batch begins `behind` records before the next sequence. */
static struct partition_verdict judge_repeat(const struct producer *producer, const struct partition_entry *batch,
                                             uint32_t behind) {
    uint64_t first = producer->accepted - behind;
    uint32_t count = partition_entry_count(batch);
    for (int i = 0; i < producer->batch_count; i++) {
        const struct producer_batch *known = &producer->batches[i];
        if (known->first != first || known->count != count)
            continue;
        struct partition_verdict repeat = verdict(LF_DUPLICATE, known->index);
        repeat.base_offset = known->base_offset;
        repeat.leader_epoch = known->leader_epoch;
        return repeat;
    }
    bool before_all = first + count <= producer->batches[0].first;
    return verdict(before_all ? LF_DUPLICATE : LF_MALFORMED, producer->last_index);
}

struct partition_verdict producer_judge(const struct producer *producer, const struct partition_entry *batch) {
    if (batch->producer_epoch < producer->epoch)
        return verdict(LF_PRODUCER_FENCED, producer->epoch_index);
    if (batch->producer_epoch > producer->epoch)
        return batch->base_sequence == 0 ? verdict(LF_OK, 0) : verdict(LF_SEQUENCE_GAP, producer->last_index);
    uint32_t behind = ((uint32_t)producer->accepted - (uint32_t)batch->base_sequence) & PRODUCER_SEQUENCE_MASK;
    if (behind == 0)
        return verdict(LF_OK, 0);
    if (behind > PRODUCER_BEHIND_MAX || behind > producer->accepted)
        return verdict(LF_SEQUENCE_GAP, producer->last_index);
    return judge_repeat(producer, batch, behind);
}

void producer_raise(struct producer *producer, int16_t epoch, uint64_t index) {
    producer->last_index = index;
    if (epoch == producer->epoch)
        return;
    if (producer->batch_count > 0) {
        const struct producer_batch *last = &producer->batches[producer->batch_count - 1];
        producer->lower_epoch = producer->epoch;
        producer->lower_sequence = (int32_t)((producer->accepted - 1) & PRODUCER_SEQUENCE_MASK);
        producer->lower_offset = last->base_offset + (int64_t)last->count - 1;
    }
    producer->epoch = epoch;
    producer->epoch_index = index;
    producer->accepted = 0;
    producer->batch_count = 0;
}

void producer_accept(struct producer *producer, const struct partition_entry *batch, uint64_t index) {
    producer_raise(producer, batch->producer_epoch, index);
    if (producer->batch_count == PARTITION_PRODUCER_BATCHES) {
        memmove(&producer->batches[0], &producer->batches[1],
                (PARTITION_PRODUCER_BATCHES - 1) * sizeof producer->batches[0]);
        producer->batch_count--;
    }
    producer->batches[producer->batch_count++] =
        (struct producer_batch){.first = producer->accepted,
                                .count = partition_entry_count(batch),
                                .leader_epoch = batch->leader_epoch,
                                .base_offset = partition_entry_base_offset(batch),
                                .index = index};
    producer->accepted += partition_entry_count(batch);
}

bool producer_equal(const struct producer *a, const struct producer *b) {
    if (a->id != b->id || a->epoch != b->epoch || a->accepted != b->accepted || a->last_use_ms != b->last_use_ms ||
        a->lower_offset != b->lower_offset || a->lower_sequence != b->lower_sequence ||
        a->lower_epoch != b->lower_epoch || a->batch_count != b->batch_count)
        return false;
    for (int i = 0; i < a->batch_count; i++) {
        const struct producer_batch *x = &a->batches[i], *y = &b->batches[i];
        if (x->first != y->first || x->count != y->count || x->leader_epoch != y->leader_epoch ||
            x->base_offset != y->base_offset)
            return false;
    }
    return true;
}
