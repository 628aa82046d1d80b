#include "log_row.h"

#include "lf_check.h"

#include <stdlib.h>

enum lf_status log_row_init(struct log_store_row *row, struct lf_bytes key, struct lf_bytes value) {
    uint8_t *copy = malloc(key.size + value.size + 1); /* +1: an empty value still has an address, NULL means none */
    if (!copy)
        return LF_NO_MEMORY;
    if (key.size > 0)
        memcpy(copy, key.data, key.size);
    if (value.size > 0)
        memcpy(copy + key.size, value.data, value.size);
    row->key = lf_bytes(copy, key.size);
    row->value = lf_bytes(value.data ? copy + key.size : NULL, value.size);
    return LF_OK;
}

void log_row_overwrite(struct log_store_row *row, struct lf_bytes value) {
    lf_check(row->value.data != NULL && row->value.size == value.size);
    memcpy((void *)(uintptr_t)row->value.data, value.data, value.size);
}

void log_row_deinit(struct log_store_row *row) {
    free((void *)(uintptr_t)row->key.data);
    *row = (struct log_store_row){0};
}

int log_row_compare(struct lf_bytes a, struct lf_bytes b) {
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

enum lf_status log_array_reserve(void *items, size_t *capacity, size_t count, size_t item_bytes) {
    if (count < *capacity)
        return LF_OK;
    size_t wanted = *capacity ? *capacity * 2 : 8;
    void **array = items;
    void *grown = realloc(*array, wanted * item_bytes);
    if (!grown)
        return LF_NO_MEMORY;
    *array = grown;
    *capacity = wanted;
    return LF_OK;
}
