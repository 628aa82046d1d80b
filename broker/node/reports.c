/** Reports to the controller: repeated by whoever has something to say until group 0 shows it. Losing one, or telling
 *  somebody who leads no more, costs only time. The controller judges each by what is applied; applying judges again.
 */
#include "node_internal.h"

#include <stdlib.h>

static void on_report(struct node *node, uint64_t from_node, const struct peer_report *report) {
    if (report->kind == PEER_REPORT_LOG_START) {
        group_segments_on_log_start(node, report->group, report->value);
        return;
    }
    const struct metadata_partition *partition = metadata_partition_by_group(node->metadata, report->group);
    if (!cluster_leads(node) || !partition || metadata_topic_by_id(node->metadata, partition->topic_id)->deleted)
        return;
    if (report->kind == PEER_REPORT_DESTROYED) {
        if (metadata_is_retired(partition, report->value) &&
            metadata_node_of_replica(partition, report->value) == from_node)
            cluster_propose(node, metadata_command_forget(report->group, report->value));
    } else if (partition->wanted.epoch == report->value && partition->current.epoch < report->value) {
        node_tracef(node, "group=%llu epoch=%llu reached, says node=%llu", (unsigned long long)report->group,
                    (unsigned long long)report->value, (unsigned long long)from_node);
        cluster_propose(node, metadata_command_report(report->group, report->value));
    }
}

void reports_on_envelope(struct node *node, const struct peer_envelope *envelope) {
    for (size_t i = 0; i < envelope->report_count && node->fatal == LF_OK; i++)
        on_report(node, envelope->from_node, &envelope->reports[i]);
}

void reports_send(struct node *node, const struct peer_report *report) {
    const struct group *metadata = node_group(node, NODE_GROUP_METADATA);
    if (!metadata || metadata->state != GROUP_RUNNING)
        return;
    if (cluster_leads(node))
        on_report(node, node->id, report);
    else
        peers_send_report(node, group_leader_node(node, metadata), report);
}
