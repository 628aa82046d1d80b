/** What brokers say of the cluster's health, put together. Pure. */
#ifndef LF_HEALTH_H
#define LF_HEALTH_H

#include "client.pb-c.h"
#include "logflume.h"

/** One broker's answer. */
struct lf_health_answer {
    uint64_t node;
    const Lf__ClusterCheckReply *reply; /**< NULL: it did not answer */
    const char *error;                  /**< why not */
};

/** Borrows all. `nodes` is what group 0 knows of the cluster, `answers` has one for each of its nodes. LF_OK with
 * *health (lf_health_free ends it), LF_NO_MEMORY. */
enum lf_status lf_health_merge(const Lf__ClusterStatusReply *nodes, const struct lf_health_answer *answers,
                               size_t answer_count, uint64_t without_node, struct lf_health **health);

#endif
