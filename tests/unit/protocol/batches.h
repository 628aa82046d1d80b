/** Batches for tests: built from records, wrapped around any bytes, and compared record by record. */
#ifndef BATCHES_H
#define BATCHES_H

#include "lf_record_batch.h"

/** Numbers that look random and are the same every time; *seed not 0. */
uint64_t random_next(uint64_t *seed);
void random_fill(uint8_t *bytes, size_t size, uint64_t seed);

/** Four records: plain; null key and 0-byte value with headers; null value; an old timestamp. Static storage. */
#define SAMPLE_RECORDS 4
const struct lf_record *sample_records(void);

/** A batch of these records without limits that matter (caller unrefs). */
struct lf_buf *batch_of(enum lf_codec codec, const struct lf_record *records, int32_t count);

/** A batch with a header that is right (CRC included) around `records` as they are (caller unrefs). */
struct lf_buf *batch_around(uint16_t attributes, int32_t count, struct lf_bytes records);
/** Make the CRC right again after the bytes were changed. */
void batch_sum_up(struct lf_buf *batch);

/** Bytes on the heap of exactly this size, so that ASan sees a read beyond (caller frees). */
uint8_t *exact_copy(struct lf_bytes bytes);

/** Reads all records; the status that ended it (LF_END when all is well). *count, if given: those read. */
enum lf_status read_all(struct lf_bytes batch, const struct lf_batch_limits *limits, int32_t *count);

/** Checks that a batch holds exactly these records, offsets going up from `base_offset`. */
void assert_holds(struct lf_bytes batch, int64_t base_offset, const struct lf_record *records, int32_t count);

/** A growing place to write records by hand. */
struct writer {
    uint8_t bytes[512];
    size_t size;
};
void write_byte(struct writer *writer, uint8_t byte);
/** Zigzag varint, the shortest form. */
void write_varint(struct writer *writer, int64_t value);
void write_text(struct writer *writer, const char *text);
/** Length and bytes of `body` as one record. */
void write_record(struct writer *writer, const struct writer *body);

#endif
