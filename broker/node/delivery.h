/** One delivery to a consumer: the batches of entries that follow each other, and which offsets key compaction took
 *  between them. Pure. */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "node.h"

#define DELIVERY_BATCHES_MAX 256

struct delivery {
    struct node_frame frames[DELIVERY_BATCHES_MAX]; /**< borrowed: no references of their own */
    int64_t gone_below[DELIVERY_BATCHES_MAX + 1];   /**< before each batch and after the last: what is below and was
                                                       not delivered is gone; 0: nothing new is */
    size_t count;
    bool has_gone;       /**< one of these is not 0 */
    uint64_t bytes;      /**< of the batches */
    int64_t next_offset; /**< all before it is in here, was delivered before, or is gone */
};

void delivery_init(struct delivery *delivery, int64_t next_offset);
/** The log's next entry that is there. False: full (DELIVERY_BATCHES_MAX, or bytes_max unless it is the first batch),
 *  and nothing changed. */
bool delivery_add(struct delivery *delivery, uint64_t bytes_max, struct lf_buf *entry);

#endif
