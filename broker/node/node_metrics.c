/** Counting elections; the other counters rise where things happen. */
#include "node_internal.h"

const struct node_metrics *node_metrics(const struct node *node) { return &node->metrics; }

void metrics_on_role(struct node *node, struct group *group) {
    enum raft_role role = raft_role(group->raft);
    bool campaigns = role == RAFT_PRE_CANDIDATE || role == RAFT_CANDIDATE;
    bool leads_newly = role == RAFT_LEADER && (!group->was_leader || raft_term(group->raft) != group->led_term);
    if (!group->campaigns && (campaigns || leads_newly)) {
        group->campaigns = true;
        group->campaigns_since_us = node->now_us;
        node->metrics.elections_started++;
    }
    if (!group->campaigns || campaigns)
        return;
    group->campaigns = false;
    lf_histogram_observe(&node->metrics.election_us, node->now_us - group->campaigns_since_us);
    if (role == RAFT_LEADER)
        node->metrics.elections_won++;
    else
        node->metrics.elections_lost++;
}
