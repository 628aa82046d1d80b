/** The identity row: who a store belongs to, and the version of its format.
 *
 *  Little-endian, byte table (offset size field):
 *     0  4  crc32c of the bytes after it
 *     4  4  format version (LOG_IDENTITY_FORMAT)
 *     8  8  node id
 *    16 16  store uuid
 *    32 16  cluster id, zeroes until group 0 gave it
 *    48 16  founding hash, zeroes when not a founder
 */
#ifndef LOG_IDENTITY_H
#define LOG_IDENTITY_H

#include "log_store.h"

#define LOG_IDENTITY_BYTES 64
#define LOG_IDENTITY_FORMAT 1u

void log_identity_encode(const struct log_store_identity *identity, uint8_t out[LOG_IDENTITY_BYTES]);
/** LF_OK, LF_DAMAGED (size, checksum), LF_UNSUPPORTED (another format version). */
enum lf_status log_identity_decode(struct lf_bytes row, struct log_store_identity *identity, struct lf_error *error);
/** May a store with identity `stored` be opened as `given`? LF_OK or LF_WRONG_STORE with words. */
enum lf_status log_identity_check(const struct log_store_identity *stored, const struct log_store_identity *given,
                                  struct lf_error *error);
/** Pin the cluster id: LF_OK, also when the same one is pinned; LF_WRONG_STORE when another is. */
enum lf_status log_identity_pin(struct log_store_identity *identity, const uint8_t cluster_id[LOG_STORE_ID_BYTES],
                                struct lf_error *error);

#endif
