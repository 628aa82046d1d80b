#include "log_rewrite_batch.h"
#include "log_rewrite.h"

#include "lf_record_batch.h"

#include <stdlib.h>

static const struct lf_batch_limits limits = {.batch_bytes_max = LF_ENTRY_PAYLOAD_BYTES_HARD,
                                              .records_max = LOG_REWRITE_RECORDS_MAX,
                                              .headers_max = LOG_REWRITE_HEADERS_MAX,
                                              .uncompressed_bytes_max = LOG_REWRITE_UNCOMPRESSED_BYTES_MAX};

/** Open a batch if it is sound. LF_OK with *reader, NULL when it is not; LF_NO_MEMORY. */
static enum lf_status open_sound(struct lf_bytes batch, struct lf_batch_reader **reader) {
    struct lf_record record;
    *reader = NULL;
    enum lf_status status = lf_batch_reader_new(batch, &limits, reader, NULL);
    if (status == LF_OK && lf_batch_reader_header(*reader)->base_offset < 0)
        status = LF_MALFORMED;
    while (status == LF_OK)
        status = lf_batch_reader_next(*reader, &record);
    if (status == LF_END) {
        lf_batch_reader_rewind(*reader);
        return LF_OK;
    }
    lf_batch_reader_destroy(reader);
    return status == LF_NO_MEMORY ? LF_NO_MEMORY : LF_OK;
}

enum lf_status batch_keys_note(struct key_map *map, struct lf_bytes batch, bool new, bool force) {
    struct lf_batch_reader *reader;
    struct lf_record record;
    enum lf_status status = open_sound(batch, &reader);
    if (!reader)
        return status;
    while (status == LF_OK && (status = lf_batch_reader_next(reader, &record)) == LF_OK) {
        if (!record.key.data)
            continue;
        struct key_hash hash = key_hash_of(record.key);
        if (new)
            status = key_map_put(map, hash, (uint64_t)record.offset, force);
        else
            key_map_raise(map, hash, (uint64_t)record.offset);
    }
    lf_batch_reader_destroy(&reader);
    return status == LF_END ? LF_OK : status;
}

void batch_survivors_deinit(struct batch_survivors *survivors) {
    free(survivors->records_bytes);
    free(survivors->entry_bytes);
    *survivors = (struct batch_survivors){0};
}

static bool reserve(uint8_t **bytes, size_t *capacity, size_t wanted) {
    if (wanted <= *capacity)
        return true;
    uint8_t *grown = malloc(wanted);
    if (!grown)
        return false;
    free(*bytes);
    *bytes = grown;
    *capacity = wanted;
    return true;
}

static bool survives(const struct batch_survivors *survivors, const struct key_map *map, uint64_t log_time_ms,
                     const struct lf_record *record) {
    uint64_t newest;
    if (!record->key.data || !key_map_get(map, key_hash_of(record->key), &newest))
        return true;
    if (newest > (uint64_t)record->offset)
        return false;
    return record->value.data || log_time_ms >= survivors->tombstones_before_ms;
}

/** Those that survive, one after the other, in records_bytes. */
static enum lf_status gather(struct batch_survivors *survivors, const struct key_map *map, uint64_t log_time_ms,
                             struct lf_batch_reader *reader, size_t *size) {
    struct lf_record record;
    enum lf_status status;
    while ((status = lf_batch_reader_next(reader, &record)) == LF_OK) {
        survivors->records++;
        if (!survives(survivors, map, log_time_ms, &record))
            continue;
        struct lf_bytes raw = lf_batch_reader_raw(reader);
        memcpy(survivors->records_bytes + *size, raw.data, raw.size);
        *size += raw.size;
        survivors->records_kept++;
    }
    return status == LF_END ? LF_OK : status;
}

/** The entry around the batch that is left. False: it would be larger than an entry may be. */
static bool make_entry(struct batch_survivors *survivors, uint64_t group, struct lf_entry_header header,
                       struct lf_bytes batch, size_t records_size) {
    uint8_t *payload = survivors->entry_bytes + LF_ENTRY_HEADER_BYTES;
    size_t size = lf_batch_thin(batch, lf_bytes(survivors->records_bytes, records_size),
                                (int32_t)survivors->records_kept, payload);
    if (size > LF_ENTRY_PAYLOAD_BYTES_HARD)
        return false;
    header.payload_bytes = (uint32_t)size;
    lf_entry_encode(&header, group, lf_bytes(payload, size), survivors->entry_bytes);
    survivors->entry = lf_bytes(survivors->entry_bytes, LF_ENTRY_HEADER_BYTES + size);
    return true;
}

enum lf_status batch_survivors_of(struct batch_survivors *survivors, const struct key_map *map, uint64_t group,
                                  const struct lf_entry_header *header, struct lf_bytes batch, enum batch_fate *fate) {
    struct lf_batch_reader *reader;
    size_t size = 0;
    survivors->records = survivors->records_kept = 0;
    *fate = BATCH_UNSOUND;
    enum lf_status status = open_sound(batch, &reader);
    if (!reader)
        return status;
    size_t all = lf_batch_reader_bytes(reader);
    if (!reserve(&survivors->records_bytes, &survivors->records_capacity, all) ||
        !reserve(&survivors->entry_bytes, &survivors->entry_capacity,
                 LF_ENTRY_HEADER_BYTES + LF_BATCH_HEADER_BYTES + all))
        status = LF_NO_MEMORY;
    if (status == LF_OK)
        status = gather(survivors, map, header->log_time_ms, reader, &size);
    lf_batch_reader_destroy(&reader);
    if (status != LF_OK)
        return status;
    if (survivors->records_kept == survivors->records)
        *fate = BATCH_STAYS;
    else if (survivors->records_kept == 0)
        *fate = BATCH_GOES;
    else if (make_entry(survivors, group, *header, batch, size))
        *fate = BATCH_THINNED;
    else
        survivors->records_kept = survivors->records;
    return LF_OK;
}
