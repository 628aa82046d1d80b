/** A buffer in front of stdout, for programs that print much data. */
#ifndef LF_OUTPUT_H
#define LF_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Zero-initialised is empty; lf_output_deinit frees. */
struct lf_output {
    char *bytes;
    size_t size, capacity;
    bool closed; /**< nobody reads any more */
    int failed;  /**< an errno: what was printed last is lost */
};
void lf_output_deinit(struct lf_output *output);
void lf_output_flush(struct lf_output *output);
void lf_output_bytes(struct lf_output *output, const void *bytes, size_t size);
void lf_output_text(struct lf_output *output, const char *text);
void lf_output_number(struct lf_output *output, int64_t number);

#endif
