#include "log_identity.h"

#include "lf_crc32c.h"

#include <inttypes.h>

_Static_assert(LOG_IDENTITY_BYTES == 16 + 3 * LOG_STORE_ID_BYTES, "the byte table in log_identity.h");

void log_identity_encode(const struct log_store_identity *identity, uint8_t out[LOG_IDENTITY_BYTES]) {
    lf_put_le32(out + 4, LOG_IDENTITY_FORMAT);
    lf_put_le64(out + 8, identity->node_id);
    memcpy(out + 16, identity->store_uuid, LOG_STORE_ID_BYTES);
    memcpy(out + 32, identity->cluster_id, LOG_STORE_ID_BYTES);
    memcpy(out + 48, identity->founding_hash, LOG_STORE_ID_BYTES);
    lf_put_le32(out, lf_crc32c(0, out + 4, LOG_IDENTITY_BYTES - 4));
}

enum lf_status log_identity_decode(struct lf_bytes row, struct log_store_identity *identity, struct lf_error *error) {
    if (row.size != LOG_IDENTITY_BYTES)
        return lf_error_set(error, LF_DAMAGED, "identity row of %zu bytes, not %d", row.size, LOG_IDENTITY_BYTES);
    if (lf_get_le32(row.data) != lf_crc32c(0, row.data + 4, LOG_IDENTITY_BYTES - 4))
        return lf_error_set(error, LF_DAMAGED, "identity row: checksum mismatch");
    uint32_t format = lf_get_le32(row.data + 4);
    if (format != LOG_IDENTITY_FORMAT)
        return lf_error_set(error, LF_UNSUPPORTED, "store format %" PRIu32 ", this program reads %u", format,
                            LOG_IDENTITY_FORMAT);
    identity->node_id = lf_get_le64(row.data + 8);
    memcpy(identity->store_uuid, row.data + 16, LOG_STORE_ID_BYTES);
    memcpy(identity->cluster_id, row.data + 32, LOG_STORE_ID_BYTES);
    memcpy(identity->founding_hash, row.data + 48, LOG_STORE_ID_BYTES);
    return LF_OK;
}

static bool is_zero(const uint8_t id[LOG_STORE_ID_BYTES]) {
    static const uint8_t zeroes[LOG_STORE_ID_BYTES];
    return memcmp(id, zeroes, LOG_STORE_ID_BYTES) == 0;
}

enum lf_status log_identity_check(const struct log_store_identity *stored, const struct log_store_identity *given,
                                  struct lf_error *error) {
    if (stored->node_id != given->node_id)
        return lf_error_set(error, LF_WRONG_STORE, "the store belongs to node %" PRIu64 ", not to node %" PRIu64,
                            stored->node_id, given->node_id);
    bool both = !is_zero(stored->cluster_id) && !is_zero(given->cluster_id);
    if (both && memcmp(stored->cluster_id, given->cluster_id, LOG_STORE_ID_BYTES) != 0)
        return lf_error_set(error, LF_WRONG_STORE, "the store belongs to another cluster");
    return LF_OK;
}

enum lf_status log_identity_pin(struct log_store_identity *identity, const uint8_t cluster_id[LOG_STORE_ID_BYTES],
                                struct lf_error *error) {
    if (memcmp(identity->cluster_id, cluster_id, LOG_STORE_ID_BYTES) == 0)
        return LF_OK; /* not written again: another thread may be reading it */
    if (!is_zero(identity->cluster_id))
        return lf_error_set(error, LF_WRONG_STORE, "another cluster id is pinned in this store");
    memcpy(identity->cluster_id, cluster_id, LOG_STORE_ID_BYTES);
    return LF_OK;
}
