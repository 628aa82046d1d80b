#include "ready.h"

#include <inttypes.h>

const char *ready_why_not(const struct node_group_view *group) {
    if (group->removed)
        return NULL;
    if (group->state == NODE_GROUP_LOADING)
        return "is loading from the store";
    if (group->state == NODE_GROUP_STOPPED)
        return "stopped; the log says why";
    if (group->apply_blocked)
        return "met an entry that only a newer version knows: upgrade this node";
    if (group->leader_node == 0)
        return "has no leader known here";
    return NULL;
}

static void name_group(struct text *text, const struct node_group_view *group) {
    if (group->group == 0)
        text_put(text, "group 0 (metadata)");
    else if (group->topic[0])
        text_printf(text, "group %" PRIu64 " (%s/%" PRIu32 ")", group->group, group->topic, group->partition);
    else
        text_printf(text, "group %" PRIu64, group->group);
}

static size_t count_not_ready(const struct node_view *view) {
    size_t count = 0;
    for (size_t i = 0; i < view->group_count; i++)
        count += ready_why_not(&view->groups[i]) != NULL;
    return count;
}

static void list(const struct node_view *view, size_t count, struct text *text) {
    size_t listed = 0;
    for (size_t i = 0; i < view->group_count && listed < READY_LINES_MAX; i++) {
        const char *why = ready_why_not(&view->groups[i]);
        if (!why)
            continue;
        listed++;
        name_group(text, &view->groups[i]);
        text_printf(text, " %s\n", why);
    }
    if (listed < count)
        text_printf(text, "and %zu more\n", count - listed);
}

bool ready_judge(const struct node_view *view, struct text *text) {
    size_t count = count_not_ready(view);
    const char *general = view->stopping          ? "this node is stopping and hands leadership over"
                          : !view->metadata_ready ? "the cluster's metadata is loading"
                          : !view->cluster_known ? "the cluster is not founded yet: a majority of its founders must run"
                          : view->space_level == NODE_SPACE_HARD
                              ? "its disk is full: no batches are taken, consumers are served"
                              : NULL;
    if (!general && count == 0) {
        text_printf(text, "ready: %zu groups%s\n", view->group_count,
                    view->space_level == NODE_SPACE_SOFT ? "; its disk is nearly full: no publishes are taken" : "");
        return true;
    }
    text_put(text, "not ready:");
    if (general)
        text_printf(text, " %s%s", general, count > 0 ? ";" : "");
    if (count > 0)
        text_printf(text, " %zu of %zu groups do not serve", count, view->group_count);
    text_put(text, "\n");
    list(view, count, text);
    return false;
}
