#include "rocks_keys.h"

#include "lf_check.h"

struct rocks_key rocks_key_identity(void) {
    return (struct rocks_key){.bytes = {'I'}, .size = 1};
}

struct rocks_key rocks_key_next_slot(void) {
    return (struct rocks_key){.bytes = {'N'}, .size = 1};
}

struct rocks_key rocks_key_group(uint64_t group, enum rocks_kind kind) {
    struct rocks_key key = {.bytes = {'G'}, .size = 10};
    lf_put_be64(key.bytes + 1, group);
    key.bytes[9] = (uint8_t)kind;
    return key;
}

struct rocks_key rocks_key_at(uint64_t group, enum rocks_kind kind, uint64_t index) {
    struct rocks_key key = rocks_key_group(group, kind);
    lf_put_be64(key.bytes + key.size, index);
    key.size += 8;
    return key;
}

struct rocks_key rocks_key_row(uint64_t group, struct lf_bytes row) {
    struct rocks_key key = rocks_key_group(group, ROCKS_KIND_ROW);
    lf_check(row.size <= LOG_STORE_ROW_KEY_BYTES_MAX);
    if (row.size > 0)
        memcpy(key.bytes + key.size, row.data, row.size);
    key.size += row.size;
    return key;
}

struct rocks_key rocks_key_entry(uint64_t slot, uint64_t index) {
    struct rocks_key key = {.size = ROCKS_ENTRY_KEY_BYTES};
    lf_put_be64(key.bytes, slot);
    lf_put_be64(key.bytes + 8, index);
    return key;
}

bool rocks_key_parse(struct lf_bytes key, uint64_t *group, uint8_t *kind, struct lf_bytes *rest) {
    if (key.size < 10 || key.data[0] != 'G')
        return false;
    *group = lf_get_be64(key.data + 1);
    *kind = key.data[9];
    *rest = lf_bytes(key.data + 10, key.size - 10);
    return true;
}

bool rocks_key_parse_entry(struct lf_bytes key, uint64_t *slot, uint64_t *index) {
    if (key.size != ROCKS_ENTRY_KEY_BYTES)
        return false;
    *slot = lf_get_be64(key.data);
    *index = lf_get_be64(key.data + 8);
    return true;
}
