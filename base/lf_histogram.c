#include "lf_histogram.h"

const uint64_t lf_histogram_bounds_us[LF_HISTOGRAM_BOUNDS] = {
    50,   100,   150,   200,   300,    500,    750,    1000,    1500,    2000,    3000,
    5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000};

size_t lf_histogram_bucket(uint64_t us) {
    size_t low = 0, high = LF_HISTOGRAM_BOUNDS;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (us > lf_histogram_bounds_us[middle])
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void lf_histogram_observe(struct lf_histogram *histogram, uint64_t us) {
    histogram->counts[lf_histogram_bucket(us)]++;
    histogram->sum_us += us;
}

uint64_t lf_histogram_count(const struct lf_histogram *histogram) {
    uint64_t count = 0;
    for (size_t i = 0; i <= LF_HISTOGRAM_BOUNDS; i++)
        count += histogram->counts[i];
    return count;
}
