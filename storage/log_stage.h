/** Is a segment that comes from elsewhere, piece by piece, what its descriptor says? Keeps no entries; shared by the
 *  stores, which keep them their own way. */
#ifndef LOG_STAGE_H
#define LOG_STAGE_H

#include "log_store.h"

struct log_stage {
    struct log_segment wanted;
    struct log_segment seen; /**< the descriptor of what came so far */
    uint64_t group;
    uint64_t term; /**< of the last entry that came; 0: none */
};

/** LF_INVALID: the descriptor contradicts itself. */
enum lf_status log_stage_begin(struct log_stage *stage, uint64_t group, const struct log_segment *segment,
                               struct lf_error *error);
/** The next entry; *index is its own when it belongs there. LF_DAMAGED: it is damaged, or does not belong there. */
enum lf_status log_stage_add(struct log_stage *stage, struct lf_bytes entry, uint64_t *index, struct lf_error *error);
/** All came. LF_DAMAGED: not what the descriptor says. */
enum lf_status log_stage_end(const struct log_stage *stage, struct lf_error *error);

#endif
