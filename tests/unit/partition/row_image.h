/** What a store would hold of one group's applied state: rows by key, written by writes, given back in key order. */
#ifndef ROW_IMAGE_H
#define ROW_IMAGE_H

#include "log_row.h"
#include "log_store.h"

#include <stdlib.h>

struct row_image {
    struct log_store_row *rows;
    size_t count, capacity;
    uint64_t applied_index;
};

static inline void row_image_remove_at(struct row_image *image, size_t at) {
    log_row_deinit(&image->rows[at]);
    memmove(&image->rows[at], &image->rows[at + 1], (image->count - at - 1) * sizeof *image->rows);
    image->count--;
}

static inline void row_image_put(struct row_image *image, const struct log_store_row *row) {
    size_t low = 0, high = image->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log_row_compare(image->rows[middle].key, row->key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < image->count && log_row_compare(image->rows[low].key, row->key) == 0)
        row_image_remove_at(image, low);
    if (!row->value.data)
        return;
    if (log_array_reserve(&image->rows, &image->capacity, image->count, sizeof *image->rows) != LF_OK)
        abort();
    memmove(&image->rows[low + 1], &image->rows[low], (image->count - low) * sizeof *image->rows);
    if (log_row_init(&image->rows[low], row->key, row->value) != LF_OK)
        abort();
    image->count++;
}

/** Carry out a write's rows, as of applied_index. */
static inline void row_image_write(struct row_image *image, const struct log_store_write *write,
                                   uint64_t applied_index) {
    for (uint32_t i = 0; i < write->row_count; i++)
        row_image_put(image, &write->rows[i]);
    image->applied_index = applied_index;
}

static inline void row_image_deinit(struct row_image *image) {
    while (image->count > 0)
        row_image_remove_at(image, image->count - 1);
    free(image->rows);
    *image = (struct row_image){0};
}

#endif
