/** Batches pushed by a broker: checked, consecutive, each once (C5). */
#include "core_state.h"

#include "lf_entry.h"

#include <stdio.h>
#include <stdlib.h>

#define OFFSET_MAX (INT64_MAX / 2)

static bool piece_add(struct lf_subscription_state *subscription, uint32_t reader, uint64_t bytes) {
    if (subscription->piece_count > 0) {
        size_t last = (subscription->piece_first + subscription->piece_count - 1) % subscription->piece_capacity;
        if (subscription->pieces[last].reader == reader) {
            subscription->pieces[last].bytes += bytes;
            return true;
        }
    }
    if (subscription->piece_count == subscription->piece_capacity) {
        size_t capacity = subscription->piece_capacity ? subscription->piece_capacity * 2 : 16;
        struct lf_delivered_piece *pieces = calloc(capacity, sizeof *pieces);
        if (!pieces)
            return false;
        for (size_t i = 0; i < subscription->piece_count; i++)
            pieces[i] = subscription->pieces[(subscription->piece_first + i) % subscription->piece_capacity];
        free(subscription->pieces);
        subscription->pieces = pieces;
        subscription->piece_first = 0;
        subscription->piece_capacity = capacity;
    }
    size_t place = (subscription->piece_first + subscription->piece_count++) % subscription->piece_capacity;
    subscription->pieces[place] = (struct lf_delivered_piece){.reader = reader, .bytes = bytes};
    return true;
}

/* This replica's bytes are wrong: go on elsewhere, and give up when they are wrong everywhere. */
static void distrust(struct lf_core *core, struct lf_reader *reader, enum lf_status status, const char *text) {
    size_t replicas = reader->subscription->topic->partitions[reader->partition].replica_count;
    lf_reader_detach(core, reader);
    lf_reader_failed(core, reader, status, text);
    reader->final = ++reader->damage > 2 * (replicas + 1);
}

static enum lf_status verify(const struct lf_frame *frame, struct lf_batch_header *header, struct lf_error *error) {
    struct lf_batch_limits limits = lf_batch_limits_default();
    limits.batch_bytes_max = LF_ENTRY_PAYLOAD_BYTES_HARD;
    enum lf_status status =
        lf_batch_verify_kept(lf_bytes(frame->buf->data + frame->offset, frame->size), &limits, header, error);
    if (status == LF_OK && (header->base_offset < 0 || header->base_offset > OFFSET_MAX))
        status = lf_error_set(error, LF_MALFORMED, "a batch at offset %lld", (long long)header->base_offset);
    return status;
}

static bool batch_pass_on(struct lf_core *core, struct lf_reader *reader, const struct lf_frame *frame) {
    struct lf_subscription_state *subscription = reader->subscription;
    if (!lf_effects_reserve(core->effects, 1) ||
        !piece_add(subscription, (uint32_t)(reader - subscription->readers), frame->size))
        return false;
    struct lf_core_effect *effect = lf_effect_add(core, LF_CORE_BATCH);
    effect->subscription = subscription->id;
    effect->partition = (int32_t)reader->partition;
    effect->batch = lf_buf_ref(frame->buf);
    effect->batch_offset = frame->offset;
    effect->batch_size = frame->size;
    effect->skip_below = reader->next;
    reader->unconsumed += frame->size;
    return true;
}

/* False: the stream ends here (end reached, or the reader was detached). */
static bool batch_heard(struct lf_core *core, struct lf_reader *reader, const struct lf_frame *frame) {
    struct lf_batch_header header;
    struct lf_error error = {0};
    reader->wire_received += frame->size;
    enum lf_status status = verify(frame, &header, &error);
    if (status != LF_OK) {
        distrust(core, reader, status, error.text);
        return false;
    }
    int64_t last = header.base_offset + header.last_offset_delta;
    if (header.base_offset > reader->next) {
        char text[128];
        snprintf(text, sizeof text, "offset %lld expected, a batch at %lld came", (long long)reader->next,
                 (long long)header.base_offset);
        distrust(core, reader, LF_CORRUPT, text);
        return false;
    }
    if (last < reader->next)
        return true; /* all of it was read before */
    if (!batch_pass_on(core, reader, frame)) {
        lf_reader_detach(core, reader);
        lf_reader_failed(core, reader, LF_NO_MEMORY, NULL);
        return false;
    }
    reader->next = last + 1;
    reader->leader_epoch = header.leader_epoch;
    reader->tries = reader->damage = 0;
    return !lf_reader_at_end(core, reader);
}

/* Compaction took what is below and did not come. */
static void gone(struct lf_reader *reader, int64_t below) {
    if (below > reader->next && below <= OFFSET_MAX)
        reader->next = below;
}

bool lf_deliver(struct lf_core *core, struct lf_broker *broker, const Lf__Deliver *deliver, struct lf_frame *frames,
                size_t count) {
    if (count != (size_t)deliver->batch_count + 1 || (deliver->n_gone_below != 0 && deliver->n_gone_below != count))
        return false;
    struct lf_reader *reader = deliver->subscription ? lf_map_get(&core->wires, deliver->subscription) : NULL;
    if (!reader || reader->broker != broker || reader->state != LF_READER_STREAMING)
        return true; /* of a subscription that we ended meanwhile */
    reader->heard_ms = core->now_ms;
    if (deliver->high_watermark > reader->high_watermark)
        reader->high_watermark = deliver->high_watermark;
    for (size_t i = 1; i < count; i++) {
        if (deliver->n_gone_below > 0)
            gone(reader, deliver->gone_below[i - 1]);
        if (!batch_heard(core, reader, &frames[i]))
            return true;
    }
    if (deliver->n_gone_below > 0) {
        gone(reader, deliver->gone_below[count - 1]);
        if (lf_reader_at_end(core, reader))
            return true;
    }
    lf_reader_grant(core, reader);
    lf_timer_set(&core->timers, &reader->timer, core->now_ms + LF_CORE_READER_STALLED);
    return true;
}

void lf_deliver_end(struct lf_core *core, struct lf_broker *broker, const Lf__ClientReply *reply) {
    uint64_t wire_id = reply->subscription_end->subscription;
    struct lf_reader *reader = wire_id ? lf_map_get(&core->wires, wire_id) : NULL;
    if (!reader || reader->broker != broker)
        return;
    lf_reader_detach(core, reader);
    lf_reader_refused(core, reader, broker, reply, reply->subscription_end->resume);
}
