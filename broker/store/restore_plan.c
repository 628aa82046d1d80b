/** Which backup each group comes from.
 *
 *  Of two replicas of a group, the one whose last entry has the higher (term, index) has everything that was committed
 *  in the other one: so the best one is taken whole, and nothing is put together out of two. Group 0's best copy makes
 *  its backup the base; of equal copies the base's is taken, since it is there already. Backups are open one at a time:
 *  what is kept of each is a few bytes per replica. */
#include "backup_tool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- choosing --------------------------------------------------------------------------------------------------- */

/** < 0: a is the better copy. */
static int compare_copies(const struct restore_part *a, const struct restore_part *b) {
    if (a->last_term != b->last_term)
        return a->last_term > b->last_term ? -1 : 1;
    return a->last_index == b->last_index ? 0 : a->last_index > b->last_index ? -1 : 1;
}

static int compare_parts(const void *left, const void *right) {
    const struct restore_part *a = left, *b = right;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    int copies = compare_copies(a, b);
    return copies != 0 ? copies : a->source < b->source ? -1 : a->source > b->source;
}

/** Of equal ones, that with the most in it: the less is to be copied. */
static bool choose_base(struct restore_plan *plan) {
    const struct restore_part *best = NULL;
    for (size_t i = 0; i < plan->count && plan->parts[i].group == 0; i++) {
        const struct restore_part *part = &plan->parts[i];
        int copies = best ? compare_copies(part, best) : -1;
        if (copies < 0 || (copies == 0 && plan->held_bytes[part->source] > plan->held_bytes[best->source]))
            best = part;
    }
    if (best)
        plan->base = best->source;
    return best != NULL;
}

bool restore_plan_choose(struct restore_plan *plan) {
    size_t kept = 0;
    if (plan->count > 0)
        qsort(plan->parts, plan->count, sizeof *plan->parts, compare_parts);
    bool chosen = choose_base(plan);
    for (size_t i = 0; i < plan->count; i++) {
        const struct restore_part *part = &plan->parts[i];
        struct restore_part *best = kept > 0 ? &plan->parts[kept - 1] : NULL;
        if (!best || best->group != part->group)
            plan->parts[kept++] = *part;
        else if (part->source == plan->base && compare_copies(part, best) == 0)
            *best = *part;
    }
    plan->count = kept;
    return chosen;
}

const struct restore_part *restore_plan_find(const struct restore_plan *plan, uint64_t group) {
    size_t low = 0, high = plan->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (plan->parts[middle].group < group)
            low = middle + 1;
        else
            high = middle;
    }
    return low < plan->count && plan->parts[low].group == group ? &plan->parts[low] : NULL;
}

size_t restore_plan_keep_known(struct restore_plan *plan, const struct metadata *metadata) {
    size_t kept = 0, unknown = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct restore_part *part = &plan->parts[i];
        const struct metadata_partition *partition = metadata_partition_by_group(metadata, part->group);
        bool deleted = partition && metadata_topic_by_id(metadata, partition->topic_id)->deleted;
        unknown += part->group != 0 && !partition;
        if (part->group == 0 || (partition && !deleted))
            plan->parts[kept++] = *part;
    }
    plan->count = kept;
    return unknown;
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

static enum lf_status add_parts(struct restore_plan *plan, struct backup_source *source, uint32_t number,
                                struct lf_error *error) {
    const struct log_store *store = source->tool.store;
    struct restore_part *grown = realloc(plan->parts, (plan->count + store->group_count + 1) * sizeof *grown);
    if (!grown)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for what is in the backups");
    plan->parts = grown;
    for (size_t i = 0; i < store->group_count; i++) {
        struct recover_group look;
        enum lf_status status = recover_group_look(&source->tool, store->groups[i], &look, error);
        if (status == LF_INVALID && store->groups[i] != 0) /* nobody knows it any more */
            continue;
        if (status != LF_OK)
            return status;
        if (backup_part_of(source->metadata, source->about.node_id, &look) != BACKUP_PART_WHOLE)
            continue;
        grown[plan->count++] = (struct restore_part){.group = look.group,
                                                     .last_term = look.last_term,
                                                     .last_index = look.last_index,
                                                     .bytes = look.bytes,
                                                     .source = number};
        plan->held_bytes[number] += look.bytes;
    }
    return LF_OK;
}

static int look_at(struct restore_plan *plan, struct backup_wish *wish, uint32_t number, struct backup_cluster *cluster,
                   struct lf_output *output) {
    struct backup_source *source = calloc(1, sizeof *source);
    struct lf_error error = {0};
    const char *directory = wish->sources[number];
    if (!source)
        return STORE_EXIT_FAILED;
    int code = backup_source_examine(source, wish, directory, output);
    if (code != STORE_EXIT_OK)
        store_say(&source->tool, "nothing was restored: %s is not whole", directory);
    if (code == STORE_EXIT_OK)
        code = backup_source_of_cluster(source, directory, cluster);
    if (code == STORE_EXIT_OK && add_parts(plan, source, number, &error) != LF_OK)
        code = store_tool_failed(&source->tool, error.code, error.text);
    plan->node_ids[number] = source->about.node_id;
    backup_source_close(source);
    free(source);
    return code;
}

int restore_plan_make(struct restore_plan *plan, struct backup_wish *wish, struct lf_output *output) {
    struct backup_cluster cluster = {0};
    const struct store_tool tool = {.wish = &wish->store};
    int code = STORE_EXIT_OK;
    for (uint32_t i = 0; i < wish->source_count && code == STORE_EXIT_OK; i++)
        code = look_at(plan, wish, i, &cluster, output);
    if (code != STORE_EXIT_OK || restore_plan_choose(plan))
        return code;
    store_say(&tool, wish->source_count == 1
                         ? "nothing was restored: this node was no voter of the metadata; take another's"
                         : "nothing was restored: none of these nodes was a voter of the metadata; take another's too");
    return STORE_EXIT_FAILED;
}

void restore_plan_deinit(struct restore_plan *plan) {
    free(plan->parts);
    plan->parts = NULL;
    plan->count = 0;
}
