/** Where messages and time come to the parts that deal with images. */
#include "images.h"

void images_on_message(struct node *node, struct group *group, struct peer_message *message) {
    if (group->state != GROUP_RUNNING || !group->partition || node->fatal != LF_OK)
        return;
    if (message->image->kind == IMAGE_PULL)
        image_source_on_pull(node, group, message);
    else if (!repairs_on_message(node, group, message))
        image_fetch_on_message(node, group, message);
}

void images_group_tick(struct node *node, struct group *group) {
    if (group->state != GROUP_RUNNING || !group->partition || node->fatal != LF_OK)
        return;
    image_source_tick(node, group);
    image_fetch_tick(node, group);
    image_staged_tick(node, group);
}

/** What was not used in a step of IMAGE_PACE_MS is not saved up for longer than one piece takes. */
void images_refill(struct node *node) {
    uint64_t passed_ms = node->now_ms - node->image_tokens_ms;
    uint64_t bytes = node->limits.image_bytes_per_s_max / 1000 * (passed_ms < 1000 ? passed_ms : 1000);
    int64_t most = (int64_t)(node->limits.image_bytes_per_s_max / 1000 * 2 * IMAGE_PACE_MS) + IMAGE_PIECE_BYTES;
    node->image_tokens_ms = node->now_ms;
    node->image_tokens += (int64_t)bytes;
    if (node->image_tokens > most)
        node->image_tokens = most;
}
