#include "current_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_START "MANIFEST-"
#define DIGITS_MAX 19

bool current_file_decode(struct lf_bytes text, uint64_t *manifest_number) {
    char again[64];
    size_t start = strlen(NAME_START);
    if (text.size < start + 2 || text.size > start + DIGITS_MAX + 1 || memcmp(text.data, NAME_START, start) != 0)
        return false;
    *manifest_number = 0;
    for (size_t i = start; i + 1 < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *manifest_number = *manifest_number * 10 + (text.data[i] - (uint64_t)'0');
    }
    int length = snprintf(again, sizeof again, NAME_START "%06" PRIu64 "\n", *manifest_number);
    return (size_t)length == text.size && memcmp(again, text.data, text.size) == 0;
}
