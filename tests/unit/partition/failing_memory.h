/** The n-th allocation fails. Link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc; include in one file only. */
#ifndef FAILING_MEMORY_H
#define FAILING_MEMORY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static long allocations_left = LONG_MAX; /**< before the one that fails; only that one does */

static bool allocation_fails(void) { return allocations_left != LONG_MAX && allocations_left-- == 0; }

void *__wrap_malloc(size_t size) { return allocation_fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return allocation_fails() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return allocation_fails() ? NULL : __real_realloc(old, size); }

/** Did the one that was to fail come? From now on none fails. */
static bool allocation_failed(void) {
    bool came = allocations_left < 0;
    allocations_left = LONG_MAX;
    return came;
}

#endif
