/** Durations counted in fixed buckets: a plain struct, so that it can be copied, compared and shown.
 *
 *  Buckets are in microseconds, finer where a disk's sync lives (0.1 to 2 ms). A duration belongs to the first bucket
 *  whose bound it does not exceed; the last bucket has no bound.
 */
#ifndef LF_HISTOGRAM_H
#define LF_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define LF_HISTOGRAM_BOUNDS 22

/** Rising; in microseconds. */
extern const uint64_t lf_histogram_bounds_us[LF_HISTOGRAM_BOUNDS];

struct lf_histogram {
    uint64_t counts[LF_HISTOGRAM_BOUNDS + 1]; /**< of each bucket by itself */
    uint64_t sum_us;
};

/** 0 ... LF_HISTOGRAM_BOUNDS */
size_t lf_histogram_bucket(uint64_t us);
void lf_histogram_observe(struct lf_histogram *histogram, uint64_t us);
/** All of them. */
uint64_t lf_histogram_count(const struct lf_histogram *histogram);

#endif
