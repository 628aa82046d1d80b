/** A damaged segment is made anew from the leader's entries; everything else of the store is sound, and goes on.
 *
 *  The store found it, by itself or since somebody read. Then:
 *   1. a leader hands its leadership over, so that nobody is led by who lacks history
 *   2. the descriptors of an image are asked for, until the segment is among them (images.h): equal on all replicas
 *   3. its entries are pulled, piece by piece, and staged
 *   4. one write puts what was staged in its own place; the damaged file is dropped unread
 *  Or the leader has rewritten it, which cannot be done here: then 3. brings what came of that, as the log says
 * (REWRITTEN), and 4. takes it as this replica's own result. Meanwhile what is read of it fails: readers are sent
 * elsewhere, and it is given to nobody.
 *
 *  Invariants:
 *   D1  a group that is alone has nobody to ask: its store is lost as a whole
 *   D2  nothing changes but the file: the log, its indexes and the state are as they were
 *   D3  what the log drops or rewrites meanwhile is not repaired any more. What the leader has neither as it was, nor
 *       as the rewrite that is due here comes out (it was rewritten twice), nobody can give: after a while that store
 * is lost as a whole D4  one at a time per group, and none beside an image that is fetched or a rewrite: each of them
 * stages. An image goes first, and brings the damaged segments with it */
#include "segment_pull.h"

#include <stdlib.h>

/** Damaged segments of a group that are remembered; more is a disk that is lost. */
#define REPAIR_SEGMENTS_MAX 256
#define REPAIR_HAND_OVER_MS 100
/** D3. */
#define REPAIR_ABSENT_MS 30000

struct repair {
    struct log_segment damaged[REPAIR_SEGMENTS_MAX]; /**< the first is being repaired */
    size_t damaged_count;
    bool pulls;     /**< 2. or 3. is under way */
    bool replacing; /**< 4. */
    struct segment_pull pull;
    struct log_segment *theirs; /**< descriptors of the leader's image, as far as its pages came */
    size_t their_count, their_capacity;
    size_t made, made_end; /**< of `theirs`: what came of the rewrite that is due; the first is pulled. Or none */
    uint32_t page;
    uint64_t retry_ms, handed_ms;
    uint64_t absent_ms; /**< since when the leader does not have it; 0: it has, or is not known to lack it */
};

void repairs_drop(struct group *group) {
    if (group->repair)
        free(group->repair->theirs);
    free(group->repair);
    group->repair = NULL;
}

bool repairs_stage(const struct group *group) {
    return group->repair && (group->repair->pulls || group->repair->replacing);
}

void repairs_give_way(struct group *group) {
    if (group->repair)
        group->repair->pulls = false;
}

/** Else the segment, which is held though it is damaged, would be put in its own place, and count as repaired. */
void repairs_unstaged(struct node *node, struct group *group) {
    if (!repairs_stage(group) || group->repair->replacing)
        return;
    group->repair->pulls = false;
    node_wake_by(node, node->now_ms);
}

bool repairs_damaged(const struct group *group, const struct log_segment *segment) {
    const struct repair *repair = group->repair;
    for (size_t i = 0; repair && i < repair->damaged_count; i++)
        if (log_segment_equal(&repair->damaged[i], segment))
            return true;
    return false;
}

static bool is_alone(const struct group *group) {
    const struct raft_configuration *now = raft_configuration(group->raft);
    return now->voter_count <= 1 && now->outgoing_count == 0;
}

bool repairs_found(struct node *node, struct group *group, const struct log_segment *segment,
                   const struct lf_error *error) {
    struct repair *repair = group->repair;
    if (segment->first_index == 0 || !group->partition || group->state != GROUP_RUNNING || is_alone(group)) /* D1 */
        return false;
    for (size_t i = 0; repair && i < repair->damaged_count; i++)
        if (repair->damaged[i].first_index == segment->first_index)
            return true;
    if (repair && repair->damaged_count == REPAIR_SEGMENTS_MAX)
        return false;
    if (!repair)
        group->repair = repair = node_alloc(1, sizeof *repair);
    repair->damaged[repair->damaged_count++] = *segment;
    node->metrics.segments_damaged++;
    node_tracef(node, "group=%llu segment %llu-%llu is damaged: %.200s", (unsigned long long)group->id,
                (unsigned long long)segment->first_index, (unsigned long long)segment->last_index, error->text);
    node_wake_by(node, node->now_ms);
    return true;
}

/** The first is done with; the next one is begun. */
static void next(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    repair->damaged_count--;
    if (repair->damaged_count == 0) {
        repairs_drop(group);
        return;
    }
    memmove(repair->damaged, repair->damaged + 1, repair->damaged_count * sizeof *repair->damaged);
    repair->pulls = repair->replacing = false;
    repair->absent_ms = 0;
    repair->retry_ms = node->now_ms;
    node_wake_by(node, node->now_ms);
}

/* ---- pulling ----------------------------------------------------------------------------------------------------- */

/** 2. */
static void pull_page(struct node *node, struct group *group) {
    segment_pull_page(node, group, &group->repair->pull, group->repair->page, 0);
}

static void begin(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    repair->pulls = true;
    repair->page = 0;
    repair->their_count = repair->made = repair->made_end = 0;
    segment_pull_forget(&repair->pull);
    repair->pull.source = raft_leader(group->raft);
    repair->pull.image = 0; /* whichever it has */
    pull_page(node, group);
}

static void again(struct node *node, struct group *group) {
    group->repair->pulls = false;
    group->repair->retry_ms = node->now_ms + IMAGE_FAILED_MS;
    node_wake_by(node, group->repair->retry_ms);
}

static void note_segments(struct repair *repair, const struct image_message *page) {
    size_t count = repair->their_count + page->page.segment_count;
    if (count > repair->their_capacity) {
        struct log_segment *grown = realloc(repair->theirs, count * sizeof *grown);
        lf_check(grown != NULL);
        repair->theirs = grown;
        repair->their_capacity = count;
    }
    if (page->page.segment_count > 0)
        memcpy(repair->theirs + repair->their_count, page->page.segments,
               page->page.segment_count * sizeof *repair->theirs);
    repair->their_count = count;
}

static bool is_here(const struct group *group, const struct log_segment *segment) {
    return image_staged_has(group, segment) ||
           (partition_holds(group->partition, segment) && !repairs_damaged(group, segment));
}

/** 4. Damaged ones in the range are no more. */
static void take_result(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    size_t at = 0, count;
    group_flush_applied(node, group); /* what it drops comes first, and may take the rewrite with it */
    count = repair->pulls ? partition_rewrite_result(group->partition, repair->theirs, repair->their_count, &at) : 0;
    for (size_t i = at; count > 0 && i < at + count; i++)
        if (!is_here(group, &repair->theirs[i]))
            count = 0;
    if (count == 0) {
        again(node, group);
        return;
    }
    struct log_segment *made = node_alloc(count, sizeof *made);
    memcpy(made, repair->theirs + at, count * sizeof *made);
    for (size_t i = 0; i < repair->damaged_count; i++)
        node->metrics.segments_repaired += repair->damaged[i].first_index >= made[0].first_index &&
                                           repair->damaged[i].last_index <= made[count - 1].last_index;
    node_tracef(node, "group=%llu segments %llu-%llu come rewritten from replica=%llu", (unsigned long long)group->id,
                (unsigned long long)made[0].first_index, (unsigned long long)made[count - 1].last_index,
                (unsigned long long)repair->pull.source);
    repair->pulls = false;
    repair->retry_ms = node->now_ms;
    group_segments_take_result(node, group, made, count);
    free(made);
}

/** 3. What came of the rewrite, one after the other. */
static void pull_made(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    while (repair->made < repair->made_end && is_here(group, &repair->theirs[repair->made]))
        repair->made++;
    if (repair->made == repair->made_end) {
        take_result(node, group);
        return;
    }
    const struct log_segment *segment = &repair->theirs[repair->made];
    segment_pull_range(node, group, &repair->pull, segment->first_index, segment->last_index);
}

/** Has the leader what came of the rewrite that is due here, and is the damaged one among what it replaces? */
static bool find_result(const struct group *group, struct repair *repair) {
    size_t at = 0, count = partition_rewrite_result(group->partition, repair->theirs, repair->their_count, &at);
    if (count == 0 || repair->theirs[at].first_index > repair->damaged[0].first_index ||
        repair->theirs[at + count - 1].last_index < repair->damaged[0].last_index)
        return false;
    repair->made = at;
    repair->made_end = at + count;
    return true;
}

/** What is being pulled. */
static const struct log_segment *wanted(const struct repair *repair) {
    return repair->made < repair->made_end ? &repair->theirs[repair->made] : &repair->damaged[0];
}

static void on_page(struct node *node, struct group *group, const struct image_message *page) {
    struct repair *repair = group->repair;
    if (repair->pull.next_index != 0 || page->page.page != repair->page)
        return;
    repair->pull.image = page->image;
    note_segments(repair, page);
    for (size_t i = 0; i < page->page.segment_count; i++)
        if (log_segment_equal(&page->page.segments[i], &repair->damaged[0])) {
            repair->absent_ms = 0;
            segment_pull_range(node, group, &repair->pull, repair->damaged[0].first_index,
                               repair->damaged[0].last_index); /* 3. */
            return;
        }
    if (++repair->page < page->page.page_count && page->page.segment_count > 0) {
        pull_page(node, group);
        return;
    }
    if (find_result(group, repair)) {
        repair->absent_ms = 0;
        pull_made(node, group);
        return;
    }
    repair->absent_ms = repair->absent_ms ? repair->absent_ms : node->now_ms;
    if (node->now_ms - repair->absent_ms >= REPAIR_ABSENT_MS)
        node_fail(node, LF_DAMAGED,
                  "group %llu: segment %llu-%llu is damaged, and the leader does not have it any more",
                  (unsigned long long)group->id, (unsigned long long)repair->damaged[0].first_index,
                  (unsigned long long)repair->damaged[0].last_index);
    again(node, group);
}

static void on_piece(struct node *node, struct group *group, const struct peer_message *message) {
    struct repair *repair = group->repair;
    enum segment_pull_piece piece = segment_pull_judge(node, group, &repair->pull, message->image);
    if (piece == SEGMENT_PULL_GONE ||
        (piece == SEGMENT_PULL_NEXT && !segment_pull_stage(node, group, &repair->pull, wanted(repair), message)))
        again(node, group);
}

bool repairs_on_message(struct node *node, struct group *group, struct peer_message *message) {
    const struct repair *repair = group->repair;
    if (!repair || !repair->pulls || message->raft.from != repair->pull.source ||
        message->image->session != repair->pull.session)
        return false;
    if (message->image->kind == IMAGE_PAGE)
        on_page(node, group, message->image);
    else
        on_piece(node, group, message);
    return true;
}

/* ---- staged ------------------------------------------------------------------------------------------------------ */

/** 4. */
static void replace(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    group_flush_applied(node, group); /* what it drops or rewrites comes first */
    if (!repair->pulls)
        return; /* it gave up what was staged */
    if (!partition_holds(group->partition, &repair->damaged[0])) {
        image_staged_add(node, group, &repair->damaged[0]); /* nobody needs it: it is given up in time */
        next(node, group);
        return;
    }
    struct log_store_write *write = node_new_write(node, group, NODE_REPAIR_TOKEN);
    lf_check(log_store_write_set_replacements(write, &repair->damaged[0], 1) == LF_OK);
    write->sync = true;
    repair->pulls = false;
    repair->replacing = true;
    node_add_write(node, write);
}

bool repairs_on_stage(struct node *node, struct group *group, const struct log_store_completion *completion) {
    struct repair *repair = group->repair;
    bool last;
    if (!repair || !repair->pulls || !segment_pull_staged(node, &repair->pull, completion, &last))
        return false;
    if (completion->status != LF_OK) {
        node_tracef(node, "group=%llu repair: %.200s: begins anew", (unsigned long long)group->id,
                    completion->error.text);
        again(node, group);
    } else if (last && repair->made < repair->made_end) {
        image_staged_add(node, group, &repair->theirs[repair->made]);
        pull_made(node, group);
    } else if (last) {
        replace(node, group);
    } else {
        segment_pull_say_credit(node, group, &repair->pull);
    }
    return true;
}

void repairs_on_wrote(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    if (!repair || !repair->replacing)
        return;
    node->metrics.segments_repaired++;
    node_tracef(node, "group=%llu segment %llu-%llu repaired from replica=%llu", (unsigned long long)group->id,
                (unsigned long long)repair->damaged[0].first_index, (unsigned long long)repair->damaged[0].last_index,
                (unsigned long long)repair->pull.source);
    next(node, group);
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

/** 1. */
static void hand_over(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    repair->pulls = false;
    if (node->now_ms - repair->handed_ms >= REPAIR_HAND_OVER_MS) {
        repair->handed_ms = node->now_ms;
        struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .now_ms = node->now_ms};
        group_step(node, group, &event);
    }
    node_wake_by(node, node->now_ms + REPAIR_HAND_OVER_MS);
}

void repairs_tick(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    if (!repair || group->state != GROUP_RUNNING || repair->replacing || node->fatal != LF_OK)
        return;
    if (!partition_holds(group->partition, &repair->damaged[0])) { /* D3 */
        next(node, group);
        return;
    }
    node_wake_by(node, node->now_ms + IMAGE_PULL_RETRY_MS / 2);
    if (group_leads(group)) {
        if (!node->stopping)
            hand_over(node, group);
        return;
    }
    uint64_t leader = raft_leader(group->raft);
    if (group->image_fetch || group->rewrite_request != 0 || leader == 0 || node->now_ms < repair->retry_ms)
        return; /* D4 */
    bool silent = segment_pull_is_silent(node, &repair->pull);
    if (!repair->pulls || repair->pull.source != leader)
        begin(node, group);
    else if (silent && repair->pull.next_index == 0)
        pull_page(node, group);
    else if (silent)
        segment_pull_rest(node, group, &repair->pull);
}
