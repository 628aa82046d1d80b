/** What a store would hold of one group's applied state: rows by key, written by writes, given back in key order, and
 *  the descriptors of its segments. */
#ifndef ROW_IMAGE_H
#define ROW_IMAGE_H

#include "lf_check.h"
#include "log_row.h"
#include "log_store.h"

#include <stdlib.h>

struct row_image {
    struct log_store_row *rows;
    size_t count, capacity;
    uint64_t applied_index;
    struct log_segment *segments;
    size_t segment_count, segment_capacity;
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

/** The seals, the drop and the replacements of a write, as a store would. Aborts where the contract is broken. */
static inline void row_image_segments(struct row_image *image, const struct log_store_write *write) {
    for (uint32_t i = 0; i < write->seal_count; i++) {
        if (log_array_reserve(&image->segments, &image->segment_capacity, image->segment_count,
                              sizeof *image->segments) != LF_OK)
            abort();
        lf_check(image->segment_count == 0 ||
                 image->segments[image->segment_count - 1].last_index + 1 == write->seals[i].first_index);
        image->segments[image->segment_count++] = write->seals[i];
    }
    size_t gone = 0;
    while (gone < image->segment_count && image->segments[gone].last_index < write->drop_before)
        gone++;
    lf_check(write->drop_before == 0 || gone == image->segment_count ||
             image->segments[gone].first_index == write->drop_before);
    image->segment_count -= gone;
    if (gone > 0)
        memmove(image->segments, image->segments + gone, image->segment_count * sizeof *image->segments);
    if (write->replacement_count == 0)
        return;
    size_t at = 0, end, made = write->replacement_count;
    while (image->segments[at].first_index < write->replacements[0].first_index)
        at++;
    for (end = at;
         end < image->segment_count && image->segments[end].last_index < write->replacements[made - 1].last_index;)
        end++;
    end++;
    lf_check(image->segments[at].first_index == write->replacements[0].first_index);
    lf_check(image->segments[end - 1].last_index == write->replacements[made - 1].last_index);
    memmove(image->segments + at + made, image->segments + end, (image->segment_count - end) * sizeof *image->segments);
    memcpy(image->segments + at, write->replacements, made * sizeof *image->segments);
    image->segment_count += made - (end - at);
}

/** Carry out a write's rows and segments, as of applied_index. */
static inline void row_image_write(struct row_image *image, const struct log_store_write *write,
                                   uint64_t applied_index) {
    for (uint32_t i = 0; i < write->row_count; i++)
        row_image_put(image, &write->rows[i]);
    row_image_segments(image, write);
    image->applied_index = applied_index;
}

static inline void row_image_deinit(struct row_image *image) {
    while (image->count > 0)
        row_image_remove_at(image, image->count - 1);
    free(image->rows);
    free(image->segments);
    *image = (struct row_image){0};
}

#endif
