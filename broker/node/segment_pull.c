#include "segment_pull.h"

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static void ask(struct node *node, struct group *group, struct segment_pull *pull, struct image_message question) {
    struct peer_message message = {.group = group->id,
                                   .raft = {.from = group->self, .to = pull->source, .term = raft_term(group->raft)},
                                   .image = peer_image_new(IMAGE_PULL)};
    lf_check(message.image != NULL);
    question.kind = IMAGE_PULL;
    question.image = pull->image;
    question.session = pull->session;
    *message.image = question;
    pull->asked_ms = node->now_ms;
    node_wake_by(node, node->now_ms + IMAGE_PULL_RETRY_MS);
    peers_send(node, group, &message);
}

void segment_pull_page(struct node *node, struct group *group, struct segment_pull *pull, uint32_t page,
                       uint64_t at_least) {
    pull->session = ++node->next_request;
    pull->next_index = 0;
    ask(node, group, pull, (struct image_message){.pull = {.page = page, .from_index = at_least}});
}

static void ask_for_pieces(struct node *node, struct group *group, struct segment_pull *pull) {
    pull->told_bytes = pull->staged_bytes + IMAGE_CREDIT_BYTES;
    ask(node, group, pull,
        (struct image_message){.pull = {.first_index = pull->first_index,
                                        .last_index = pull->last_index,
                                        .from_index = pull->next_index,
                                        .credit_bytes = pull->told_bytes}});
}

void segment_pull_rest(struct node *node, struct group *group, struct segment_pull *pull) {
    pull->session = ++node->next_request;
    pull->sequence = pull->staged_bytes = 0;
    ask_for_pieces(node, group, pull);
}

void segment_pull_range(struct node *node, struct group *group, struct segment_pull *pull, uint64_t first_index,
                        uint64_t last_index) {
    pull->first_index = pull->next_index = first_index;
    pull->last_index = last_index;
    pull->begun = pull->whole = false;
    segment_pull_rest(node, group, pull);
}

void segment_pull_forget(struct segment_pull *pull) {
    pull->session = pull->next_index = 0;
    pull->begun = pull->whole = false;
    pull->stage_count = 0;
}

void segment_pull_say_credit(struct node *node, struct group *group, struct segment_pull *pull) {
    if (!pull->whole && pull->staged_bytes + IMAGE_CREDIT_BYTES >= pull->told_bytes + IMAGE_PIECE_BYTES)
        ask_for_pieces(node, group, pull);
}

bool segment_pull_is_silent(const struct node *node, const struct segment_pull *pull) {
    return node->now_ms - pull->asked_ms >= IMAGE_PULL_RETRY_MS && pull->stage_count == 0;
}

/* ---- pieces ------------------------------------------------------------------------------------------------------ */

enum segment_pull_piece segment_pull_judge(struct node *node, struct group *group, struct segment_pull *pull,
                                           const struct image_message *piece) {
    if (piece->session != pull->session)
        return SEGMENT_PULL_NONE; /* L1 */
    if (piece->piece.gone)
        return SEGMENT_PULL_GONE;
    if (pull->next_index == 0 || pull->whole || piece->piece.sequence <= pull->sequence ||
        piece->piece.first_index != pull->first_index || piece->piece.last_index != pull->last_index ||
        pull->stage_count == SEGMENT_PULL_STAGES_MAX)
        return SEGMENT_PULL_NONE; /* of the last kind: it is asked for again */
    if (piece->piece.sequence == pull->sequence + 1)
        return SEGMENT_PULL_NEXT;
    segment_pull_rest(node, group, pull);
    return SEGMENT_PULL_NONE;
}

uint32_t segment_pull_bytes(const struct peer_message *message) {
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < message->image->piece.count; i++)
        bytes += message->entries[i]->size;
    return bytes;
}

/** Do its entries go on where the one before ended, within the range? */
static bool follows(const struct segment_pull *pull, const struct peer_message *message, uint64_t *next_index) {
    for (uint32_t i = 0; i < message->image->piece.count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        if (lf_entry_decode(lf_buf_bytes(message->entries[i]), &header, &payload) != LF_OK ||
            header.index < *next_index || header.index > pull->last_index)
            return false;
        *next_index = header.index + 1;
    }
    return true;
}

static void count_piece(struct node *node, struct segment_pull *pull, bool whole) {
    pull->sequence++;
    pull->begun = true;
    pull->whole = whole;
    pull->asked_ms = node->now_ms;
}

bool segment_pull_stage(struct node *node, struct group *group, struct segment_pull *pull,
                        const struct log_segment *segment, const struct peer_message *message) {
    uint64_t next_index = pull->next_index;
    if (!follows(pull, message, &next_index))
        return false;
    struct log_store_stage stage = {.group = group->id,
                                    .request = ++node->next_request,
                                    .segment = segment,
                                    .first = !pull->begun,
                                    .last = message->image->piece.last,
                                    .entries = message->entries,
                                    .entry_count = message->image->piece.count};
    size_t place = (pull->stage_first + pull->stage_count++) % SEGMENT_PULL_STAGES_MAX;
    pull->stages[place].request = stage.request;
    pull->stages[place].bytes = segment_pull_bytes(message);
    pull->stages[place].last = stage.last;
    pull->next_index = next_index;
    count_piece(node, pull, stage.last);
    node_add_stage(node, &stage);
    return true;
}

void segment_pull_took(struct node *node, struct segment_pull *pull, const struct peer_message *message, bool whole) {
    pull->staged_bytes += segment_pull_bytes(message);
    count_piece(node, pull, whole);
}

bool segment_pull_staged(struct node *node, struct segment_pull *pull, const struct log_store_completion *completion,
                         bool *last) {
    if (pull->stage_count == 0 || pull->stages[pull->stage_first].request != completion->id)
        return false; /* of one that was given up */
    *last = pull->stages[pull->stage_first].last;
    pull->staged_bytes += pull->stages[pull->stage_first].bytes;
    pull->stage_first = (pull->stage_first + 1) % SEGMENT_PULL_STAGES_MAX;
    pull->stage_count--;
    pull->asked_ms = node->now_ms;
    return true;
}
