#include "compaction.h"

/** K3: dirty bytes against all. */
#define DIRTY_NUMERATOR 1
#define DIRTY_DENOMINATOR 2

static bool has_passed(uint64_t now_ms, uint64_t since_ms, int64_t time_ms) {
    return time_ms <= 0 || (now_ms >= since_ms && now_ms - since_ms >= (uint64_t)time_ms);
}

/** K1, K2. */
static size_t count_old_enough(const struct compaction_view *view) {
    size_t count = 0;
    while (count < view->segment_count &&
           has_passed(view->now_ms, view->segments[count].last_log_time_ms, view->min_compaction_lag_ms))
        count++;
    return count;
}

static struct compaction_figures figures_of(const struct compaction_view *view, size_t count) {
    struct compaction_figures figures = {0};
    for (size_t i = 0; i < count; i++)
        *(view->segments[i].last_index <= view->clean_index ? &figures.clean_bytes : &figures.dirty_bytes) +=
            view->segments[i].bytes;
    return figures;
}

void compaction_figures(const struct compaction_view *view, struct compaction_figures *figures) {
    *figures = figures_of(view, count_old_enough(view));
}

/** K3. */
static bool is_dirty(const struct compaction_view *view, size_t count) {
    struct compaction_figures figures = figures_of(view, count);
    uint64_t all = figures.clean_bytes + figures.dirty_bytes;
    return figures.dirty_bytes > 0 && figures.dirty_bytes * DIRTY_DENOMINATOR >= all * DIRTY_NUMERATOR;
}

/** K5. */
static size_t count_clean(const struct compaction_view *view) {
    size_t count = 0;
    while (count < view->segment_count && view->segments[count].last_index <= view->clean_index)
        count++;
    return count > 0 && view->segments[count - 1].last_index == view->clean_index ? count : 0;
}

static bool is_taken(const struct compaction_view *view) {
    return view->taken_index == view->clean_index && view->taken_before_ms == view->clean_before_ms;
}

bool compaction_choose(const struct compaction_view *view, struct log_store_rewrite *rewrite,
                       uint64_t *clean_before_ms) {
    size_t count = count_old_enough(view);
    bool tombstones =
        view->clean_since_ms > 0 && has_passed(view->now_ms, view->clean_since_ms, view->delete_retention_ms); /* K4 */
    if (!is_dirty(view, count))
        count = tombstones && !is_taken(view) ? count_clean(view) : 0;
    if (count == 0)
        return false;
    *rewrite = (struct log_store_rewrite){.first_index = view->segments[0].first_index,
                                          .last_index = view->segments[count - 1].last_index,
                                          .segment_bytes = (uint64_t)view->segment_bytes,
                                          .drop_commands = true,
                                          .compact = true,
                                          .tombstones_before_ms = tombstones ? view->clean_before_ms : 0};
    *clean_before_ms = view->segments[count - 1].last_log_time_ms;
    return true;
}
