#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 4096

void text_deinit(struct text *text) {
    free(text->data);
    *text = (struct text){0};
}

static bool reserve(struct text *text, size_t more) {
    size_t capacity = text->capacity ? text->capacity : FIRST_BYTES;
    if (text->failed || more > TEXT_BYTES_MAX || text->size + more > TEXT_BYTES_MAX) {
        text->failed = true;
        return false;
    }
    while (capacity < text->size + more)
        capacity *= 2;
    if (capacity == text->capacity)
        return true;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_add(struct text *text, const void *data, size_t size) {
    if (!reserve(text, size))
        return;
    memcpy(text->data + text->size, data, size);
    text->size += size;
}

void text_put(struct text *text, const char *words) { text_add(text, words, strlen(words)); }

void text_printf(struct text *text, const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof line)
        text->failed = true;
    else
        text_add(text, line, (size_t)size);
}
