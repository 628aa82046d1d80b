/** A replica pulls an image: pages, then the segments it lacks, piece by piece into the store, then the tail into
 * memory; then it is installed.
 *
 *   F1  one fetch per partition, image_fetches_max on a node; who is offered one beyond that is offered it again
 *   F2  every pull has a session, and what is of another one does not count; pieces are numbered within theirs, so one
 *       that was lost or overtaken stops the session, and a new one goes on behind what was handed to the store
 *   F3  what may be under way (credit) follows what is staged, so a slow disk slows its sender
 *   F4  a segment that is held or staged, with an equal descriptor, is not pulled
 *   F5  another leader makes another image; what was staged for the one before counts for it (F4)
 *   F6  nothing of the replica changes before all is there
 *   F7  with little room on the disk nothing is fetched; what was staged is kept unless room is very short */
#include "images.h"

#include <stdlib.h>

#define STAGES_MAX 64

enum phase { PHASE_PAGES = 1, PHASE_SEGMENTS, PHASE_TAIL };

struct image_fetch {
    uint64_t source; /**< replica: the leader that offered */
    uint64_t at_least;
    uint64_t offered_ms, asked_ms, retry_ms;
    enum phase phase;
    uint32_t page;
    uint64_t row_bytes;
    struct image_fetched fetched;
    /* The segment under way. */
    size_t at;         /**< of the tail: all segments */
    uint64_t session;  /**< node-wide numbers */
    uint64_t sequence; /**< of the last piece taken */
    uint64_t next_index;
    uint64_t tail_term;                /**< of the tail's newest entry */
    uint64_t staged_bytes, told_bytes; /**< in this session (of the tail: received); credit said last */
    bool begun, whole;                 /**< pieces of it were handed over; all of them */
    bool unstaged;                     /**< what was handed over is not in the store any more */
    /* Pieces handed to the store, oldest first. */
    struct {
        uint64_t request;
        uint32_t bytes;
        bool last;
    } stages[STAGES_MAX];
    size_t stage_first, stage_count;
};

struct image_fetched *image_fetch_fetched(struct group *group) {
    return group->image_fetch ? &group->image_fetch->fetched : NULL;
}

static void fetched_clear(struct image_fetched *fetched) {
    free(fetched->segments);
    log_store_write_destroy(&fetched->rows);
    *fetched = (struct image_fetched){0};
}

void image_fetch_drop(struct node *node, struct group *group) {
    struct image_fetch *fetch = group->image_fetch;
    group->image_fetch = NULL;
    if (!fetch)
        return;
    node->image_fetches--;
    group->staged_ms = node->now_ms;
    fetched_clear(&fetch->fetched);
    free(fetch);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static void send_pull(struct node *node, struct group *group, const struct image_message *pull) {
    struct image_fetch *fetch = group->image_fetch;
    struct peer_message message = {.group = group->id,
                                   .raft = {.from = group->self, .to = fetch->source, .term = raft_term(group->raft)},
                                   .image = peer_image_new(IMAGE_PULL)};
    lf_check(message.image != NULL);
    *message.image = *pull;
    fetch->asked_ms = node->now_ms;
    node_wake_by(node, node->now_ms + IMAGE_PULL_RETRY_MS);
    peers_send(node, group, &message);
}

static void pull_page(struct node *node, struct group *group) {
    struct image_fetch *fetch = group->image_fetch;
    fetch->session = ++node->next_request;
    send_pull(node, group,
              &(struct image_message){.kind = IMAGE_PULL,
                                      .image = fetch->fetched.index,
                                      .session = fetch->session,
                                      .pull = {.page = fetch->page, .from_index = fetch->at_least}});
}

/** What is being pulled: a segment, or the tail. */
static void range_of(const struct image_fetch *fetch, uint64_t *first_index, uint64_t *last_index) {
    const struct image_fetched *fetched = &fetch->fetched;
    bool tail = fetch->phase == PHASE_TAIL;
    *first_index = tail ? fetched->base_index + 1 : fetched->segments[fetch->at].first_index;
    *last_index = tail ? fetched->index : fetched->segments[fetch->at].last_index;
}

static void pull_segment(struct node *node, struct group *group) {
    struct image_fetch *fetch = group->image_fetch;
    uint64_t first_index, last_index;
    range_of(fetch, &first_index, &last_index);
    fetch->told_bytes = fetch->staged_bytes + IMAGE_CREDIT_BYTES;
    send_pull(node, group,
              &(struct image_message){.kind = IMAGE_PULL,
                                      .image = fetch->fetched.index,
                                      .session = fetch->session,
                                      .pull = {.first_index = first_index,
                                               .last_index = last_index,
                                               .from_index = fetch->next_index,
                                               .credit_bytes = fetch->told_bytes}});
}

/** F2: goes on behind what the store has of the segment under way. */
static void begin_session(struct node *node, struct group *group) {
    struct image_fetch *fetch = group->image_fetch;
    fetch->session = ++node->next_request;
    fetch->sequence = fetch->staged_bytes = 0;
    pull_segment(node, group);
}

/** From the first page on, with what is staged. */
static void begin_anew(struct node *node, struct group *group, uint64_t after_ms) {
    struct image_fetch *fetch = group->image_fetch;
    fetched_clear(&fetch->fetched);
    fetch->phase = PHASE_PAGES;
    fetch->page = 0;
    fetch->row_bytes = 0;
    fetch->at = 0;
    fetch->begun = fetch->whole = fetch->unstaged = false;
    fetch->stage_count = 0; /* completions of what was handed over find nobody */
    fetch->session = 0;
    fetch->retry_ms = node->now_ms + after_ms;
    node_wake_by(node, fetch->retry_ms);
    if (after_ms == 0)
        pull_page(node, group);
}

static void failed(struct node *node, struct group *group, const char *why) {
    node_tracef(node, "group=%llu image of %llu: %s: begins anew", (unsigned long long)group->id,
                (unsigned long long)group->image_fetch->fetched.index, why);
    begin_anew(node, group, IMAGE_FAILED_MS);
}

void image_fetch_offered(struct node *node, struct group *group, uint64_t by, uint64_t index) {
    struct image_fetch *fetch = group->image_fetch;
    if (!group->partition || group->state != GROUP_RUNNING || node->space_level != NODE_SPACE_ENOUGH)
        return;
    if (fetch) {
        fetch->offered_ms = node->now_ms;
        bool another = fetch->source != by;
        fetch->source = by;
        fetch->at_least = index;
        if (another || (fetch->fetched.index != 0 && fetch->fetched.index < index))
            begin_anew(node, group, 0); /* F5 */
        return;
    }
    if (node->image_fetches >= node->limits.image_fetches_max || group->rewrite_request != 0)
        return; /* F1; a rewrite stages, too */
    repairs_give_way(group);
    node->image_fetches++;
    group->image_fetch = fetch = node_alloc(1, sizeof *fetch);
    fetch->source = by;
    fetch->at_least = index;
    fetch->offered_ms = node->now_ms;
    node_tracef(node, "group=%llu pulls an image of %llu or later from replica=%llu (%zu segments are staged)",
                (unsigned long long)group->id, (unsigned long long)index, (unsigned long long)by, group->staged_count);
    begin_anew(node, group, 0);
}

/* ---- pages ------------------------------------------------------------------------------------------------------- */

static bool take_head(const struct peer_message *message, struct image_fetched *fetched) {
    const struct image_message *page = message->image;
    fetched->index = page->image;
    fetched->entry_term = page->page.entry_term;
    fetched->base_index = page->page.base_index;
    fetched->base_term = page->page.base_term;
    fetched->leader_term = message->raft.term;
    fetched->configuration.index = page->page.configuration_index;
    return group_configuration_decode(lf_bytes(page->page.configuration, page->page.configuration_bytes),
                                      &fetched->configuration.configuration) == LF_OK;
}

static bool is_of_it(const struct peer_message *message, const struct image_fetched *fetched) {
    return message->image->image == fetched->index && message->image->page.entry_term == fetched->entry_term &&
           message->raft.term == fetched->leader_term;
}

static void take_segments(struct image_fetched *fetched, const struct image_message *page) {
    size_t count = fetched->segment_count + page->page.segment_count;
    if (count > fetched->segment_capacity) {
        size_t capacity = count * 2;
        struct log_segment *grown = node_alloc(capacity, sizeof *grown);
        if (fetched->segment_count > 0)
            memcpy(grown, fetched->segments, fetched->segment_count * sizeof *grown);
        free(fetched->segments);
        fetched->segments = grown;
        fetched->segment_capacity = capacity;
    }
    if (page->page.segment_count > 0)
        memcpy(fetched->segments + fetched->segment_count, page->page.segments,
               page->page.segment_count * sizeof *fetched->segments);
    fetched->segment_count = count;
}

static bool take_rows(struct image_fetch *fetch, const struct image_message *page) {
    for (size_t i = 0; i < page->page.row_count; i++) {
        const struct log_store_row *row = &page->page.rows[i];
        fetch->row_bytes += row->key.size + row->value.size;
        if (fetch->row_bytes > IMAGE_ROWS_BYTES_MAX ||
            log_store_write_add_row(fetch->fetched.rows, row->key, row->value) != LF_OK)
            return false;
    }
    return true;
}

/** Do the segments touch, and end where the tail begins? */
static bool history_is_whole(const struct image_fetched *fetched) {
    for (size_t i = 1; i < fetched->segment_count; i++)
        if (!log_segment_follows(&fetched->segments[i], &fetched->segments[i - 1]))
            return false;
    const struct log_segment *last = fetched->segment_count > 0 ? &fetched->segments[fetched->segment_count - 1] : NULL;
    return fetched->base_index > 0 && fetched->base_term > 0 && fetched->base_term <= fetched->entry_term &&
           (!last || (last->last_index == fetched->base_index && last->last_term == fetched->base_term)) &&
           (fetched->base_index < fetched->index || fetched->base_term == fetched->entry_term);
}

static void next_segment(struct node *node, struct group *group);

static void on_page(struct node *node, struct group *group, const struct peer_message *message) {
    struct image_fetch *fetch = group->image_fetch;
    const struct image_message *page = message->image;
    struct image_fetched *fetched = &fetch->fetched;
    if (fetch->phase != PHASE_PAGES || page->session != fetch->session || page->page.page != fetch->page)
        return;
    bool good = page->page.page == 0 ? take_head(message, fetched) : is_of_it(message, fetched);
    if (good && page->page.page == 0)
        fetched->rows = node_new_write(node, group, 0);
    if (good)
        take_segments(fetched, page);
    if (!good || fetched->index < fetch->at_least || !take_rows(fetch, page)) {
        failed(node, group, "its pages make no sense");
        return;
    }
    fetch->page++;
    if (fetch->page < page->page.page_count) {
        pull_page(node, group);
        return;
    }
    if (!history_is_whole(fetched)) {
        failed(node, group, "its history is not whole");
        return;
    }
    fetch->phase = PHASE_SEGMENTS;
    next_segment(node, group);
}

/* ---- segments ---------------------------------------------------------------------------------------------------- */

static bool is_held(const struct group *group, const struct log_segment *segment) {
    return partition_holds(group->partition, segment) && !repairs_damaged(group, segment);
}

/** Decisions that were applied meanwhile may have taken away what was found here, held or staged. */
static bool is_all_here(const struct group *group) {
    const struct image_fetched *fetched = &group->image_fetch->fetched;
    for (size_t i = 0; i < fetched->segment_count; i++)
        if (!is_held(group, &fetched->segments[i]) && !image_staged_has(group, &fetched->segments[i]))
            return false;
    return true;
}

static void finish(struct node *node, struct group *group) {
    struct lf_error error = {0};
    uint64_t index = group->image_fetch->fetched.index;
    group_flush_applied(node, group); /* what it drops, or gives up, is not here */
    if (group->image_fetch->unstaged || !is_all_here(group)) {
        failed(node, group, "a segment that was here went");
        return;
    }
    if (node->space_level == NODE_SPACE_HARD) {
        image_fetch_drop(node, group); /* F7 */
        return;
    }
    enum lf_status status = image_install(node, group, &error);
    if (status == LF_DAMAGED) {
        node_tracef(node, "group=%llu image of %llu: %s", (unsigned long long)group->id, (unsigned long long)index,
                    error.text);
        failed(node, group, "its rows make no sense");
        return;
    }
    if (status == LF_EXISTS)
        image_staged_give_up(node, group);
    else
        node->metrics.images_installed++;
    node_tracef(node, "group=%llu image of %llu: %s", (unsigned long long)group->id, (unsigned long long)index,
                status == LF_OK ? "installed" : "not needed any more");
    image_fetch_drop(node, group);
}

/** F4. */
static void next_segment(struct node *node, struct group *group) {
    struct image_fetch *fetch = group->image_fetch;
    const struct image_fetched *fetched = &fetch->fetched;
    while (fetch->at < fetched->segment_count &&
           (is_held(group, &fetched->segments[fetch->at]) || image_staged_has(group, &fetched->segments[fetch->at])))
        fetch->at++;
    if (fetch->at == fetched->segment_count && fetched->base_index == fetched->index) {
        finish(node, group);
        return;
    }
    uint64_t last_index;
    if (fetch->at == fetched->segment_count) {
        fetch->phase = PHASE_TAIL;
        fetch->tail_term = fetched->base_term;
    }
    fetch->begun = fetch->whole = false;
    range_of(fetch, &fetch->next_index, &last_index);
    begin_session(node, group);
}

static bool next_index_after(const struct peer_message *message, uint64_t *next_index) {
    for (uint32_t i = 0; i < message->image->piece.count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        if (lf_entry_decode(lf_buf_bytes(message->entries[i]), &header, &payload) != LF_OK ||
            header.index < *next_index || header.index > message->image->piece.last_index)
            return false;
        *next_index = header.index + 1;
    }
    return true;
}

static uint32_t bytes_of(const struct peer_message *message) {
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < message->image->piece.count; i++)
        bytes += message->entries[i]->size;
    return bytes;
}

/** Entries of the tail come one by one, and nobody else looks at them before they are installed. */
static bool take_tail(struct group *group, const struct peer_message *message) {
    struct image_fetch *fetch = group->image_fetch;
    for (uint32_t i = 0; i < message->image->piece.count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        if (lf_entry_check(lf_buf_bytes(message->entries[i]), group->id, &header, &payload, NULL) != LF_OK ||
            header.index != fetch->next_index || header.term < fetch->tail_term ||
            header.term > fetch->fetched.entry_term || fetch->row_bytes > IMAGE_ROWS_BYTES_MAX ||
            log_store_write_add_entry(fetch->fetched.rows, header.index, lf_buf_ref(message->entries[i])) != LF_OK)
            return false;
        fetch->tail_term = header.term;
        fetch->next_index++;
        fetch->row_bytes += message->entries[i]->size;
    }
    return true;
}

/** F3 */
static void say_credit(struct node *node, struct group *group) {
    const struct image_fetch *fetch = group->image_fetch;
    if (!fetch->whole && fetch->staged_bytes + IMAGE_CREDIT_BYTES >= fetch->told_bytes + IMAGE_PIECE_BYTES)
        pull_segment(node, group);
}

static void on_tail_piece(struct node *node, struct group *group, const struct peer_message *message) {
    struct image_fetch *fetch = group->image_fetch;
    if (!take_tail(group, message)) {
        failed(node, group, "its tail makes no sense");
        return;
    }
    fetch->sequence++;
    fetch->staged_bytes += bytes_of(message);
    fetch->asked_ms = node->now_ms;
    fetch->whole = fetch->next_index > fetch->fetched.index;
    if (fetch->whole && fetch->tail_term != fetch->fetched.entry_term)
        failed(node, group, "its tail does not end in the image's term");
    else if (fetch->whole)
        finish(node, group);
    else if (message->image->piece.last)
        failed(node, group, "its tail is not whole");
    else
        say_credit(node, group);
}

static void on_segment_piece(struct node *node, struct group *group, struct peer_message *message) {
    struct image_fetch *fetch = group->image_fetch;
    const struct image_message *piece = message->image;
    if (fetch->stage_count == STAGES_MAX)
        return; /* it is asked for again */
    if (!next_index_after(message, &fetch->next_index)) {
        failed(node, group, "a piece makes no sense");
        return;
    }
    struct log_store_stage stage = {.group = group->id,
                                    .request = ++node->next_request,
                                    .segment = &fetch->fetched.segments[fetch->at],
                                    .first = !fetch->begun,
                                    .last = piece->piece.last,
                                    .entries = message->entries,
                                    .entry_count = piece->piece.count};
    size_t place = (fetch->stage_first + fetch->stage_count++) % STAGES_MAX;
    fetch->stages[place].request = stage.request;
    fetch->stages[place].bytes = bytes_of(message);
    fetch->stages[place].last = stage.last;
    fetch->sequence++;
    fetch->begun = true;
    fetch->whole = stage.last;
    fetch->asked_ms = node->now_ms;
    node_add_stage(node, &stage);
}

static void on_piece(struct node *node, struct group *group, struct peer_message *message) {
    struct image_fetch *fetch = group->image_fetch;
    const struct image_message *piece = message->image;
    uint64_t first_index, last_index;
    if (piece->session != fetch->session)
        return;
    if (piece->piece.gone) {
        begin_anew(node, group, IMAGE_PULL_RETRY_MS);
        return;
    }
    if (fetch->phase == PHASE_PAGES || fetch->whole || piece->piece.sequence <= fetch->sequence)
        return;
    range_of(fetch, &first_index, &last_index);
    if (piece->piece.first_index != first_index || piece->piece.last_index != last_index)
        return;
    if (piece->piece.sequence != fetch->sequence + 1) {
        begin_session(node, group); /* one was lost */
        return;
    }
    node->metrics.image_bytes_fetched += bytes_of(message);
    if (fetch->phase == PHASE_TAIL)
        on_tail_piece(node, group, message);
    else
        on_segment_piece(node, group, message);
}

void image_fetch_on_message(struct node *node, struct group *group, struct peer_message *message) {
    struct image_fetch *fetch = group->image_fetch;
    if (!fetch || message->raft.from != fetch->source || node->space_level != NODE_SPACE_ENOUGH)
        return;
    if (message->image->kind == IMAGE_PAGE)
        on_page(node, group, message);
    else if (message->image->kind == IMAGE_PIECE)
        on_piece(node, group, message);
}

void image_fetch_on_stage(struct node *node, struct group *group, const struct log_store_completion *completion) {
    struct image_fetch *fetch = group->image_fetch;
    if (!fetch || fetch->stage_count == 0 || fetch->stages[fetch->stage_first].request != completion->id)
        return; /* of one that was given up */
    uint32_t bytes = fetch->stages[fetch->stage_first].bytes;
    bool last = fetch->stages[fetch->stage_first].last;
    fetch->stage_first = (fetch->stage_first + 1) % STAGES_MAX;
    fetch->stage_count--;
    if (completion->status != LF_OK) {
        failed(node, group, completion->error.text);
        return;
    }
    fetch->staged_bytes += bytes;
    fetch->asked_ms = node->now_ms;
    if (last) {
        image_staged_add(node, group, &fetch->fetched.segments[fetch->at]);
        next_segment(node, group);
    } else {
        say_credit(node, group);
    }
}

void image_fetch_unstaged(struct node *node, struct group *group) {
    if (!group->image_fetch)
        return;
    group->image_fetch->unstaged = true;
    group->image_fetch->stage_count = 0; /* what the store did before it gave all up does not count */
    node_wake_by(node, node->now_ms);
}

void image_fetch_tick(struct node *node, struct group *group) {
    struct image_fetch *fetch = group->image_fetch;
    if (!fetch)
        return;
    if (fetch->unstaged)
        failed(node, group, "what was staged was given up");
    if (node->now_ms - fetch->offered_ms >= IMAGE_OFFER_SILENCE_MS || node->space_level != NODE_SPACE_ENOUGH ||
        (fetch->fetched.index != 0 && fetch->fetched.index <= raft_commit(group->raft))) {
        node_tracef(node, "group=%llu pulls no image any more", (unsigned long long)group->id);
        image_fetch_drop(node, group);
        return;
    }
    bool silent = node->now_ms - fetch->asked_ms >= IMAGE_PULL_RETRY_MS && fetch->stage_count == 0;
    if (node->now_ms >= fetch->retry_ms && silent) {
        if (fetch->phase == PHASE_PAGES)
            pull_page(node, group);
        else
            begin_session(node, group);
    }
    node_wake_by(node, node->now_ms + IMAGE_PULL_RETRY_MS / 2);
}
