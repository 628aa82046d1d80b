/** A replica pulls an image: pages, then the segments it lacks, piece by piece into the store, then the tail into
 * memory; then it is installed.
 *
 *   F1  one fetch per partition, image_fetches_max on a node; who is offered one beyond that is offered it again
 *   F2  segments, and the tail, come one after the other (segment_pull.h)
 *   F3  a segment that is held or staged, with an equal descriptor, is not pulled
 *   F4  another leader makes another image; what was staged for the one before counts for it (F3)
 *   F5  nothing of the replica changes before all is there
 *   F6  with little room on the disk nothing is fetched; what was staged is kept unless room is very short */
#include "segment_pull.h"

#include <stdlib.h>

enum phase { PHASE_PAGES = 1, PHASE_SEGMENTS, PHASE_TAIL };

struct image_fetch {
    struct segment_pull pull; /**< from the leader that offered */
    uint64_t at_least;
    uint64_t offered_ms, retry_ms;
    enum phase phase;
    uint32_t page;
    uint64_t row_bytes;
    struct image_fetched fetched;
    size_t at;          /**< of the segment under way; of the tail: all segments */
    uint64_t tail_term; /**< of the tail's newest entry */
    bool unstaged;      /**< what was handed over is not in the store any more */
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

static void pull_page(struct node *node, struct group *group) {
    struct image_fetch *fetch = group->image_fetch;
    fetch->pull.image = fetch->fetched.index;
    segment_pull_page(node, group, &fetch->pull, fetch->page, fetch->at_least);
}

/** From the first page on, with what is staged. */
static void begin_anew(struct node *node, struct group *group, uint64_t after_ms) {
    struct image_fetch *fetch = group->image_fetch;
    fetched_clear(&fetch->fetched);
    fetch->phase = PHASE_PAGES;
    fetch->page = 0;
    fetch->row_bytes = 0;
    fetch->at = 0;
    fetch->unstaged = false;
    segment_pull_forget(&fetch->pull);
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
        bool another = fetch->pull.source != by;
        fetch->pull.source = by;
        fetch->at_least = index;
        if (another || (fetch->fetched.index != 0 && fetch->fetched.index < index))
            begin_anew(node, group, 0); /* F4 */
        return;
    }
    if (node->image_fetches >= node->limits.image_fetches_max || group->rewrite_request != 0)
        return; /* F1; a rewrite stages, too */
    repairs_give_way(group);
    node->image_fetches++;
    group->image_fetch = fetch = node_alloc(1, sizeof *fetch);
    fetch->pull.source = by;
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
    if (fetch->phase != PHASE_PAGES || page->session != fetch->pull.session || page->page.page != fetch->page)
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
        image_fetch_drop(node, group); /* F6 */
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
    else if (status != LF_CANCELLED)
        node->metrics.images_installed++;
    node_tracef(node, "group=%llu image of %llu: %s", (unsigned long long)group->id, (unsigned long long)index,
                status == LF_OK ? "installed" : "not needed any more");
    image_fetch_drop(node, group);
}

/** F3. */
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
    fetch->pull.image = fetched->index;
    if (fetch->at < fetched->segment_count) {
        const struct log_segment *segment = &fetched->segments[fetch->at];
        segment_pull_range(node, group, &fetch->pull, segment->first_index, segment->last_index);
        return;
    }
    fetch->phase = PHASE_TAIL;
    fetch->tail_term = fetched->base_term;
    segment_pull_range(node, group, &fetch->pull, fetched->base_index + 1, fetched->index);
}

/** Entries of the tail come one by one, and nobody else looks at them before they are installed. */
static bool take_tail(struct group *group, const struct peer_message *message) {
    struct image_fetch *fetch = group->image_fetch;
    for (uint32_t i = 0; i < message->image->piece.count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        if (lf_entry_check(lf_buf_bytes(message->entries[i]), group->id, &header, &payload, NULL) != LF_OK ||
            header.index != fetch->pull.next_index || header.term < fetch->tail_term ||
            header.term > fetch->fetched.entry_term || fetch->row_bytes > IMAGE_ROWS_BYTES_MAX ||
            log_store_write_add_entry(fetch->fetched.rows, header.index, lf_buf_ref(message->entries[i])) != LF_OK)
            return false;
        fetch->tail_term = header.term;
        fetch->pull.next_index++;
        fetch->row_bytes += message->entries[i]->size;
    }
    return true;
}

static void on_tail_piece(struct node *node, struct group *group, const struct peer_message *message) {
    struct image_fetch *fetch = group->image_fetch;
    if (!take_tail(group, message)) {
        failed(node, group, "its tail makes no sense");
        return;
    }
    segment_pull_took(node, &fetch->pull, message, fetch->pull.next_index > fetch->fetched.index);
    if (fetch->pull.whole && fetch->tail_term != fetch->fetched.entry_term)
        failed(node, group, "its tail does not end in the image's term");
    else if (fetch->pull.whole)
        finish(node, group);
    else if (message->image->piece.last)
        failed(node, group, "its tail is not whole");
    else
        segment_pull_say_credit(node, group, &fetch->pull);
}

static void on_piece(struct node *node, struct group *group, struct peer_message *message) {
    struct image_fetch *fetch = group->image_fetch;
    enum segment_pull_piece piece = segment_pull_judge(node, group, &fetch->pull, message->image);
    if (piece == SEGMENT_PULL_GONE)
        begin_anew(node, group, IMAGE_PULL_RETRY_MS);
    if (piece != SEGMENT_PULL_NEXT)
        return;
    node->metrics.image_bytes_fetched += segment_pull_bytes(message);
    if (fetch->phase == PHASE_TAIL)
        on_tail_piece(node, group, message);
    else if (!segment_pull_stage(node, group, &fetch->pull, &fetch->fetched.segments[fetch->at], message))
        failed(node, group, "a piece makes no sense");
}

void image_fetch_on_message(struct node *node, struct group *group, struct peer_message *message) {
    struct image_fetch *fetch = group->image_fetch;
    if (!fetch || message->raft.from != fetch->pull.source || node->space_level != NODE_SPACE_ENOUGH)
        return;
    if (message->image->kind == IMAGE_PAGE)
        on_page(node, group, message);
    else if (message->image->kind == IMAGE_PIECE)
        on_piece(node, group, message);
}

void image_fetch_on_stage(struct node *node, struct group *group, const struct log_store_completion *completion) {
    struct image_fetch *fetch = group->image_fetch;
    bool last;
    if (!fetch || !segment_pull_staged(node, &fetch->pull, completion, &last))
        return;
    if (completion->status != LF_OK) {
        failed(node, group, completion->error.text);
        return;
    }
    if (last) {
        image_staged_add(node, group, &fetch->fetched.segments[fetch->at]);
        next_segment(node, group);
    } else {
        segment_pull_say_credit(node, group, &fetch->pull);
    }
}

void image_fetch_unstaged(struct node *node, struct group *group) {
    if (!group->image_fetch)
        return;
    group->image_fetch->unstaged = true;
    group->image_fetch->pull.stage_count = 0; /* what the store did before it gave all up does not count */
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
    if (node->now_ms >= fetch->retry_ms && segment_pull_is_silent(node, &fetch->pull)) {
        if (fetch->phase == PHASE_PAGES)
            pull_page(node, group);
        else
            segment_pull_rest(node, group, &fetch->pull);
    }
    node_wake_by(node, node->now_ms + IMAGE_PULL_RETRY_MS / 2);
}
