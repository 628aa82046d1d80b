/** The Kafka v2 record batch (magic 2): encode, verify, decode.
 *
 *  Big-endian, byte table (offset size field):
 *     0  8  base_offset            outside the CRC: given by the leader
 *     8  4  batch_length           bytes after this field
 *    12  4  partition_leader_epoch outside the CRC: given by the leader
 *    16  1  magic                  2
 *    17  4  crc32c                 over all that follows
 *    21  2  attributes             bits 0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon
 *    23  4  last_offset_delta
 *    27  8  base_timestamp
 *    35  8  max_timestamp
 *    43  8  producer_id            -1: none
 *    51  2  producer_epoch         -1: none
 *    53  4  base_sequence          -1: none
 *    57  4  record count
 *    61     records, compressed as one when a codec is set
 *
 *  A record: varint length, int8 attributes, varlong timestamp delta, varint offset delta, varint key length (-1 null),
 *  key, varint value length (-1 null), value, varint header count, headers (varint key length, key, varint value length
 *  (-1 null), value). Varints are zigzag.
 *  Source: the public Kafka message format documentation, "Record Batch".
 */
#ifndef LF_RECORD_BATCH_H
#define LF_RECORD_BATCH_H

#include "lf_buf.h"
#include "lf_status.h"

#define LF_BATCH_HEADER_BYTES 61
#define LF_BATCH_MAGIC 2

/** As in the attributes' bits 0-2. gzip (1) and snappy (2) are recognised and refused. */
enum lf_codec { LF_CODEC_NONE = 0, LF_CODEC_LZ4 = 3, LF_CODEC_ZSTD = 4 };

struct lf_batch_header {
    int64_t base_offset;
    int32_t batch_length; /**< bytes after that field; the whole batch is batch_length + 12 */
    int32_t leader_epoch;
    uint32_t crc;
    uint16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp_ms;
    int64_t max_timestamp_ms;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t record_count;
};

/** What a broker or a reader is ready to take. A member that is 0 means its default. */
struct lf_batch_limits {
    size_t batch_bytes_max; /**< whole batch, as on the wire */
    int32_t records_max;    /**< per batch */
    size_t key_bytes_max;
    size_t value_bytes_max;
    int32_t headers_max;           /**< per record */
    size_t uncompressed_bytes_max; /**< what decompression may produce */
};
struct lf_batch_limits lf_batch_limits_default(void);
/** `limits` with its zeroes replaced; NULL: all defaults. */
struct lf_batch_limits lf_batch_limits_resolve(const struct lf_batch_limits *limits);

/** Judge what is at the door: length, magic, codec, CRC, counts (last_offset_delta + 1 == count, count within limits
 * and within what the bytes can hold); never decompresses. The view must be exactly one batch. Returns LF_OK,
 * LF_MALFORMED, LF_CORRUPT, LF_TOO_LARGE, LF_UNSUPPORTED. `error` may be NULL. */
enum lf_status lf_batch_verify(struct lf_bytes batch, const struct lf_batch_limits *limits,
                               struct lf_batch_header *header, struct lf_error *error);

/** The same for what comes out of a log: key compaction may have taken records, so there may be fewer of them than
 *  last_offset_delta + 1, though never more, and never none. */
enum lf_status lf_batch_verify_kept(struct lf_bytes batch, const struct lf_batch_limits *limits,
                                    struct lf_batch_header *header, struct lf_error *error);

/** Only read the 61 bytes; no judgement but the size. LF_MALFORMED when shorter than a header. */
enum lf_status lf_batch_header_decode(struct lf_bytes batch, struct lf_batch_header *header);

/** Stamp what the leader gives, outside the CRC. The buffer must not be shared yet. */
void lf_batch_stamp(uint8_t *batch, int64_t base_offset, int32_t leader_epoch);

struct lf_record_header {
    struct lf_bytes key;
    struct lf_bytes value; /**< data == NULL: null */
};

/** One record. Views borrow from the batch (or the reader's scratch when compressed). data == NULL means null. */
struct lf_record {
    int64_t offset;
    int64_t timestamp_ms;
    struct lf_bytes key;
    struct lf_bytes value;
    const struct lf_record_header *headers;
    int32_t header_count;
};

/** Iterates over a batch's records; survives a batch that lies about its insides. Their offsets rise, from base_offset
 *  at the earliest to base_offset + last_offset_delta at the latest. */
struct lf_batch_reader;

/** Verify (as lf_batch_verify_kept) and open; borrows `batch` until lf_batch_reader_destroy. Of the limits per record
 * only headers_max is applied: a reader takes keys and values as large as the batch holds. Returns LF_OK with *reader
 * (caller destroys), else a status of lf_batch_verify, LF_NO_MEMORY, LF_CORRUPT when the records do not decompress,
 * LF_TOO_LARGE when they would become more than uncompressed_bytes_max. */
enum lf_status lf_batch_reader_new(struct lf_bytes batch, const struct lf_batch_limits *limits,
                                   struct lf_batch_reader **reader, struct lf_error *error);
/** LF_OK with *record valid until the next call; LF_END after the last (trailing bytes are LF_MALFORMED); LF_MALFORMED
 *  sticks. */
enum lf_status lf_batch_reader_next(struct lf_batch_reader *reader, struct lf_record *record);
/** The bytes of the record that was read last, its own length included. Borrowed as the record is. */
struct lf_bytes lf_batch_reader_raw(const struct lf_batch_reader *reader);
/** Bytes of all records, uncompressed. */
size_t lf_batch_reader_bytes(const struct lf_batch_reader *reader);
/** Back to before the first record. */
void lf_batch_reader_rewind(struct lf_batch_reader *reader);
const struct lf_batch_header *lf_batch_reader_header(const struct lf_batch_reader *reader);
void lf_batch_reader_destroy(struct lf_batch_reader **reader);

/** Write to `out` what `batch` (verified) becomes when only `count` >= 1 of its records stay. `records` are theirs as
 *  lf_batch_reader_raw gave them, one after the other. All else stays: base offset, last_offset_delta, timestamps,
 *  producer, leader epoch; the CRC is made anew. A batch that was compressed is again where that makes it smaller, as
 *  lz4 and by our own hand, so that the bytes are the same whatever libraries a node has.
 *  out has room for LF_BATCH_HEADER_BYTES + records.size; returns the bytes written. Pure. */
size_t lf_batch_thin(struct lf_bytes batch, struct lf_bytes records, int32_t count, uint8_t *out);

/** Builds one batch. Grows up to limits.batch_bytes_max, measured before compression. */
struct lf_batch_builder;

/** Returns (caller destroys) a builder, or NULL without memory. limits are copied; NULL: defaults. */
struct lf_batch_builder *lf_batch_builder_new(enum lf_codec codec, const struct lf_batch_limits *limits);
/** Copies the record in. record->offset is ignored: offsets are 0, 1, ... in order of adding.
 *  Returns LF_OK; LF_FULL (would exceed batch bytes or records, and the batch is not empty: finish it first);
 *  LF_TOO_LARGE (this record alone exceeds a limit); LF_INVALID (a header without a key); LF_NO_MEMORY. */
enum lf_status lf_batch_builder_add(struct lf_batch_builder *builder, const struct lf_record *record);
int32_t lf_batch_builder_count(const struct lf_batch_builder *builder);
/** Bytes the batch would have uncompressed, header included. */
size_t lf_batch_builder_bytes(const struct lf_batch_builder *builder);
/** -1, -1, -1 for a batch without a producer. */
void lf_batch_builder_set_producer(struct lf_batch_builder *builder, int64_t producer_id, int16_t producer_epoch,
                                   int32_t base_sequence);
/** Compress, sum up and hand over the batch as *batch (caller unrefs); the builder is empty again and reusable.
 *  Base offset 0 and leader epoch -1 until stamped. LF_INVALID when empty, LF_NO_MEMORY. */
enum lf_status lf_batch_builder_finish(struct lf_batch_builder *builder, struct lf_buf **batch);
void lf_batch_builder_destroy(struct lf_batch_builder **builder);

/** Give an encoded batch (sole owner) another producer id, epoch and first sequence and a fresh CRC: used when a
 *  producer renumbers what was not accepted. */
void lf_batch_set_producer(struct lf_buf *batch, int64_t producer_id, int16_t producer_epoch, int32_t base_sequence);

#endif
