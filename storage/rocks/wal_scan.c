#include "wal_scan.h"

#define BATCH_HEADER_BYTES 12u
#define TAG_LOG_DATA 0x03
/* From a fragment's start to its marker: fragment header, batch header, tag, length. */
#define MARKER_DISTANCE (WAL_HEADER_BYTES + BATCH_HEADER_BYTES + 2)

struct batch {
    uint64_t sequence;
    uint32_t count;
    bool marked;
    struct wal_marker marker;
};

static bool batch_decode(struct lf_bytes payload, struct batch *batch) {
    if (payload.size < BATCH_HEADER_BYTES)
        return false;
    batch->sequence = lf_get_le64(payload.data);
    batch->count = lf_get_le32(payload.data + 8);
    const uint8_t *operation = payload.data + BATCH_HEADER_BYTES;
    bool fits = payload.size >= BATCH_HEADER_BYTES + 2 + WAL_MARKER_BYTES;
    batch->marked = fits && operation[0] == TAG_LOG_DATA && operation[1] == WAL_MARKER_BYTES &&
                    wal_marker_decode(lf_bytes(operation + 2, WAL_MARKER_BYTES), &batch->marker);
    return true;
}

static bool is_of_this_store(const struct wal_stream *stream, const struct batch *batch) {
    return batch->marked &&
           (!stream->uuid_known || memcmp(stream->store_uuid, batch->marker.store_uuid, LOG_STORE_ID_BYTES) == 0);
}

/* Does a readable batch behind the broken place show that what should be there was synced?
 *
 * With its sequence known: the marker says so. Not known (the first batch of all logs is the bad one): a batch that
 * began with all before it synced shows it; so do two markers that differ, since a sync between them covered it. */
static bool proves(struct wal_stream *stream, const struct batch *batch) {
    if (!is_of_this_store(stream, batch))
        return false;
    uint64_t synced = batch->marker.synced_sequence;
    if (stream->sequence_known)
        return synced >= stream->sequence_next;
    bool differs = stream->marker_seen && stream->marker != synced;
    stream->marker_seen = true;
    stream->marker = synced;
    return differs || synced + 1 >= batch->sequence;
}

static bool marked_batch_at(struct lf_bytes bytes, size_t at, struct batch *batch) {
    enum wal_fragment_type type;
    struct lf_bytes payload;
    if (!wal_fragment_at(bytes, at, &type, &payload) || (type != WAL_FULL && type != WAL_FIRST))
        return false;
    return batch_decode(payload, batch) && batch->marked;
}

/* Looks for readable batches at any place from `from` on, by their markers: lengths in what is broken say nothing. */
static bool find_proof(struct wal_stream *stream, struct lf_bytes bytes, size_t from, size_t *proof) {
    uint8_t magic[4];
    lf_put_le32(magic, WAL_MARKER_MAGIC);
    size_t at = from;
    while (at < bytes.size) {
        const uint8_t *hit = memmem(bytes.data + at, bytes.size - at, magic, sizeof magic);
        if (!hit)
            return false;
        size_t place = (size_t)(hit - bytes.data);
        struct batch batch;
        if (place >= from + MARKER_DISTANCE && marked_batch_at(bytes, place - MARKER_DISTANCE, &batch) &&
            proves(stream, &batch)) {
            *proof = place - MARKER_DISTANCE;
            return true;
        }
        at = place + 1;
    }
    return false;
}

/* The first fragment of a batch that ends too early still tells its sequence. */
static void learn_sequence(struct wal_stream *stream, struct lf_bytes bytes, size_t at) {
    struct batch batch;
    if (!stream->sequence_known && marked_batch_at(bytes, at, &batch)) {
        stream->sequence_known = true;
        stream->sequence_next = batch.sequence;
    }
}

static struct wal_judgement judge_broken(struct wal_stream *stream, struct lf_bytes bytes, size_t whole, size_t bad) {
    struct wal_judgement judgement = {.verdict = WAL_TORN, .whole_bytes = whole, .bad_offset = bad};
    stream->broken = true;
    if (bad > whole)
        learn_sequence(stream, bytes, whole);
    if (find_proof(stream, bytes, whole, &judgement.proof_offset))
        judgement.verdict = WAL_DAMAGED;
    return judgement;
}

/* Takes a whole record into the stream. False: it does not follow what came before. */
static bool follow(struct wal_stream *stream, const struct batch *batch) {
    if (batch->count == 0)
        return true;
    if (stream->sequence_known && batch->sequence != stream->sequence_next)
        return false;
    if (stream->records++ == 0)
        stream->sequence_first = batch->sequence;
    stream->sequence_known = true;
    stream->sequence_next = batch->sequence + batch->count;
    if (batch->marked && !stream->uuid_known) {
        memcpy(stream->store_uuid, batch->marker.store_uuid, LOG_STORE_ID_BYTES);
        stream->uuid_known = true;
    }
    return true;
}

struct wal_judgement wal_scan(struct wal_stream *stream, struct lf_bytes bytes) {
    struct wal_log log = {.bytes = bytes};
    struct wal_judgement judgement = {.verdict = WAL_WHOLE, .whole_bytes = bytes.size};
    if (stream->broken && bytes.size > 0)
        return judge_broken(stream, bytes, 0, 0);
    for (;;) {
        struct wal_record record;
        struct batch batch = {0};
        enum wal_next next = wal_log_next(&log, &record);
        if (next == WAL_NEXT_END)
            break;
        if (next == WAL_NEXT_NO_MEMORY) {
            judgement.verdict = WAL_NO_MEMORY;
            break;
        }
        if (next == WAL_NEXT_BAD || !batch_decode(record.payload, &batch) || !follow(stream, &batch)) {
            size_t bad = next == WAL_NEXT_BAD ? record.end : record.offset;
            judgement = judge_broken(stream, bytes, record.offset, bad);
            break;
        }
    }
    wal_log_deinit(&log);
    return judgement;
}
