#include "lf_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_BYTES (256u * 1024)

void lf_output_flush(struct lf_output *output) {
    for (size_t done = 0; done < output->size && !output->closed && !output->failed;) {
        ssize_t written = write(STDOUT_FILENO, output->bytes + done, output->size - done);
        if (written > 0)
            done += (size_t)written;
        else if (errno == EPIPE)
            output->closed = true; /* the reader has seen enough: not an error */
        else if (errno != EINTR)
            output->failed = errno;
    }
    output->size = 0;
}

void lf_output_bytes(struct lf_output *output, const void *bytes, size_t size) {
    if (!output->bytes) {
        output->bytes = malloc(OUTPUT_BYTES);
        if (!output->bytes) {
            output->failed = ENOMEM;
            return;
        }
        output->capacity = OUTPUT_BYTES;
    }
    for (const char *from = bytes; size > 0;) {
        if (output->size == output->capacity)
            lf_output_flush(output);
        size_t part = output->capacity - output->size < size ? output->capacity - output->size : size;
        memcpy(output->bytes + output->size, from, part);
        output->size += part;
        from += part;
        size -= part;
    }
}

void lf_output_text(struct lf_output *output, const char *text) { lf_output_bytes(output, text, strlen(text)); }

void lf_output_number(struct lf_output *output, int64_t number) {
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--at = '-';
    lf_output_bytes(output, at, (size_t)(digits + sizeof digits - at));
}

void lf_output_deinit(struct lf_output *output) {
    free(output->bytes);
    *output = (struct lf_output){0};
}
