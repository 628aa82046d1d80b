/** A damaged segment is made anew from the leader's entries; everything else of the store is sound, and goes on.
 *
 *  The store found it, by itself or since somebody read. Then:
 *   1. a leader hands its leadership over, so that nobody is led by who lacks history
 *   2. the descriptors of an image are asked for, until the segment is among them (images.h): equal on all replicas
 *   3. its entries are pulled, piece by piece, and staged
 *   4. one write puts what was staged in its own place; the damaged file is dropped unread
 *  Meanwhile what is read of it fails: readers are sent elsewhere, and it is given to nobody.
 *
 *  Invariants:
 *   D1  a group that is alone has nobody to ask: its store is lost as a whole
 *   D2  nothing changes but the file: the log, its indexes and the state are as they were
 *   D3  what the log drops or rewrites meanwhile is not repaired any more. What only the leader has rewritten, nobody
 *       can give, and it could not be rewritten here: after a while that store is lost as a whole
 *   D4  one at a time per group, and none beside an image that is fetched or a rewrite: each of them stages. An image
 *       goes first, and brings the damaged segments with it */
#include "images.h"

#include <stdlib.h>

/** Damaged segments of a group that are remembered; more is a disk that is lost. */
#define REPAIR_SEGMENTS_MAX 256
#define REPAIR_STAGES_MAX 64
#define REPAIR_HAND_OVER_MS 100
/** D3. */
#define REPAIR_ABSENT_MS 30000

struct repair {
    struct log_segment damaged[REPAIR_SEGMENTS_MAX]; /**< the first is being repaired */
    size_t damaged_count;
    bool pulls;      /**< 2. or 3. is under way */
    bool replacing;  /**< 4. */
    uint64_t source; /**< replica that is asked */
    uint64_t image;  /**< 0: no page of it came yet */
    uint32_t page;
    uint64_t session, sequence, next_index; /**< next_index 0: pages are asked for */
    uint64_t staged_bytes, told_bytes;
    bool begun, whole;
    uint64_t asked_ms, retry_ms, handed_ms;
    uint64_t absent_ms; /**< since when the leader does not have it; 0: it has, or is not known to lack it */
    struct {
        uint64_t request;
        uint32_t bytes;
        bool last;
    } stages[REPAIR_STAGES_MAX];
    size_t stage_first, stage_count;
};

void repairs_drop(struct group *group) {
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

static void send_pull(struct node *node, struct group *group, const struct image_message *pull) {
    struct repair *repair = group->repair;
    struct peer_message message = {.group = group->id,
                                   .raft = {.from = group->self, .to = repair->source, .term = raft_term(group->raft)},
                                   .image = peer_image_new(IMAGE_PULL)};
    lf_check(message.image != NULL);
    *message.image = *pull;
    repair->asked_ms = node->now_ms;
    peers_send(node, group, &message);
}

/** 2. */
static void pull_page(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    repair->session = ++node->next_request;
    send_pull(
        node, group,
        &(struct image_message){
            .kind = IMAGE_PULL, .image = repair->image, .session = repair->session, .pull = {.page = repair->page}});
}

/** 3. */
static void pull_pieces(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    repair->told_bytes = repair->staged_bytes + IMAGE_CREDIT_BYTES;
    send_pull(node, group,
              &(struct image_message){.kind = IMAGE_PULL,
                                      .image = repair->image,
                                      .session = repair->session,
                                      .pull = {.first_index = repair->damaged[0].first_index,
                                               .last_index = repair->damaged[0].last_index,
                                               .from_index = repair->next_index,
                                               .credit_bytes = repair->told_bytes}});
}

static void begin_session(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    repair->session = ++node->next_request;
    repair->sequence = repair->staged_bytes = 0;
    pull_pieces(node, group);
}

static void begin(struct node *node, struct group *group) {
    struct repair *repair = group->repair;
    repair->source = raft_leader(group->raft);
    repair->pulls = true;
    repair->image = repair->next_index = 0;
    repair->page = 0;
    repair->begun = repair->whole = false;
    repair->stage_count = 0; /* completions of what was handed over find nobody */
    pull_page(node, group);
}

static void again(struct node *node, struct group *group) {
    group->repair->pulls = false;
    group->repair->retry_ms = node->now_ms + IMAGE_FAILED_MS;
    node_wake_by(node, group->repair->retry_ms);
}

static void on_page(struct node *node, struct group *group, const struct image_message *page) {
    struct repair *repair = group->repair;
    if (repair->next_index != 0 || page->page.page != repair->page)
        return;
    repair->image = page->image;
    for (size_t i = 0; i < page->page.segment_count; i++)
        if (log_segment_equal(&page->page.segments[i], &repair->damaged[0])) {
            repair->absent_ms = 0;
            repair->next_index = repair->damaged[0].first_index;
            begin_session(node, group);
            return;
        }
    if (++repair->page < page->page.page_count && page->page.segment_count > 0) {
        pull_page(node, group);
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

static bool follows(const struct repair *repair, const struct peer_message *message, uint64_t *next_index,
                    uint32_t *bytes) {
    for (uint32_t i = 0; i < message->image->piece.count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        if (lf_entry_decode(lf_buf_bytes(message->entries[i]), &header, &payload) != LF_OK ||
            header.index < *next_index || header.index > repair->damaged[0].last_index)
            return false;
        *next_index = header.index + 1;
        *bytes += message->entries[i]->size;
    }
    return true;
}

static void on_piece(struct node *node, struct group *group, const struct peer_message *message) {
    struct repair *repair = group->repair;
    const struct image_message *piece = message->image;
    uint64_t next_index = repair->next_index;
    uint32_t bytes = 0;
    if (piece->piece.gone) {
        again(node, group);
        return;
    }
    if (repair->next_index == 0 || repair->whole || piece->piece.sequence <= repair->sequence ||
        piece->piece.first_index != repair->damaged[0].first_index || repair->stage_count == REPAIR_STAGES_MAX)
        return;
    if (piece->piece.sequence != repair->sequence + 1) {
        begin_session(node, group); /* one was lost */
        return;
    }
    if (!follows(repair, message, &next_index, &bytes)) {
        again(node, group);
        return;
    }
    struct log_store_stage stage = {.group = group->id,
                                    .request = ++node->next_request,
                                    .segment = &repair->damaged[0],
                                    .first = !repair->begun,
                                    .last = piece->piece.last,
                                    .entries = message->entries,
                                    .entry_count = piece->piece.count};
    size_t place = (repair->stage_first + repair->stage_count++) % REPAIR_STAGES_MAX;
    repair->stages[place].request = stage.request;
    repair->stages[place].bytes = bytes;
    repair->stages[place].last = stage.last;
    repair->next_index = next_index;
    repair->sequence++;
    repair->begun = true;
    repair->whole = stage.last;
    repair->asked_ms = node->now_ms;
    node_add_stage(node, &stage);
}

bool repairs_on_message(struct node *node, struct group *group, struct peer_message *message) {
    const struct repair *repair = group->repair;
    if (!repair || !repair->pulls || message->raft.from != repair->source || message->image->session != repair->session)
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
    if (!repair || !repair->pulls || repair->stage_count == 0 ||
        repair->stages[repair->stage_first].request != completion->id)
        return false;
    uint32_t bytes = repair->stages[repair->stage_first].bytes;
    bool last = repair->stages[repair->stage_first].last;
    repair->stage_first = (repair->stage_first + 1) % REPAIR_STAGES_MAX;
    repair->stage_count--;
    repair->asked_ms = node->now_ms;
    repair->staged_bytes += bytes;
    if (completion->status != LF_OK) {
        node_tracef(node, "group=%llu repair: %.200s: begins anew", (unsigned long long)group->id,
                    completion->error.text);
        again(node, group);
    } else if (last) {
        replace(node, group);
    } else if (!repair->whole && repair->staged_bytes + IMAGE_CREDIT_BYTES >= repair->told_bytes + IMAGE_PIECE_BYTES) {
        pull_pieces(node, group);
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
                (unsigned long long)repair->source);
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
    bool silent = node->now_ms - repair->asked_ms >= IMAGE_PULL_RETRY_MS && repair->stage_count == 0;
    if (!repair->pulls || repair->source != leader)
        begin(node, group);
    else if (silent && repair->next_index == 0)
        pull_page(node, group);
    else if (silent)
        begin_session(node, group);
}
