/** Text that grows while it is written, up to a bound. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

/** Most bytes one text may have; the largest page, a status of 100,000 groups, stays below it. */
#define TEXT_BYTES_MAX ((size_t)256 * 1024 * 1024)

/** Zeroed is empty. */
struct text {
    char *data; /**< not terminated */
    size_t size, capacity;
    bool failed; /**< no memory, or the bound: the text is not whole */
};

void text_deinit(struct text *text);
void text_add(struct text *text, const void *data, size_t size);
void text_put(struct text *text, const char *words);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
