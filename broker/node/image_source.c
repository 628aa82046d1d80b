/** A leader's images: made when somebody asks, given out in pages and pieces.
 *
 *   O1  one image per partition; it is of what was applied when it was made, by this leader in this term
 *   O2  it is made when somebody asks for one; when its tail would be too long the open segment is rolled first
 *   O3  images_max of them on a node, since their rows are in memory; one that nobody pulls from gives way, and who
 * asks while all are pulled from asks again O4  pieces are read from the store: within the puller's credit, and all
 * together at image_bytes_per_s_max O5  while somebody pulls, nothing is dropped or rewritten, within image_hold_ms_max
 * and image_hold_bytes_max */
#include "images.h"

#include <stdlib.h>

struct page_range {
    size_t first_segment, segment_count, first_row, row_count;
};

/** One segment on its way to one replica. */
struct stream {
    uint64_t replica; /**< 0: free */
    uint64_t session, first_index, last_index, next_index;
    uint64_t sent_bytes, credit_bytes, sequence;
    uint64_t request; /**< read under way; 0: none */
    bool done;
    uint64_t pulled_ms;
};

struct image_source {
    uint64_t index, term, base_index, base_term, leader_term;
    uint64_t configuration_index;
    uint8_t configuration[IMAGE_CONFIGURATION_BYTES_MAX];
    uint32_t configuration_bytes;
    struct log_segment *segments;
    size_t segment_count;
    struct log_store_write *rows;
    struct page_range *pages;
    uint32_t page_count;
    uint64_t made_ms, pulled_ms;
    uint64_t appended_bytes, history_changes; /**< of the group when it was made */
    struct stream streams[IMAGE_STREAMS_MAX];
};

static void source_free(struct node *node, struct image_source *source) {
    node->image_sources--;
    log_store_write_destroy(&source->rows);
    free(source->segments);
    free(source->pages);
    free(source);
}

void image_source_drop(struct node *node, struct group *group) {
    if (group->image_source)
        source_free(node, group->image_source);
    group->image_source = NULL;
}

/* ---- making one -------------------------------------------------------------------------------------------------- */

static size_t row_bytes(const struct log_store_row *row) { return row->key.size + row->value.size; }

/** False: a row cannot travel, or they are too many. */
static bool cut_into_pages(struct image_source *source) {
    const struct log_store_write *rows = source->rows;
    size_t segment = 0, row = 0, sum = 0;
    source->pages =
        node_alloc(source->segment_count / IMAGE_PAGE_SEGMENTS + rows->row_count + 2, sizeof *source->pages);
    do {
        struct page_range *page = &source->pages[source->page_count++];
        size_t bytes = 0;
        page->first_segment = segment;
        page->segment_count = source->segment_count - segment;
        if (page->segment_count > IMAGE_PAGE_SEGMENTS)
            page->segment_count = IMAGE_PAGE_SEGMENTS;
        segment += page->segment_count;
        page->first_row = row;
        for (; segment == source->segment_count && row < rows->row_count; row++) {
            size_t more = row_bytes(&rows->rows[row]);
            if (more > IMAGE_ROW_BYTES_MAX)
                return false;
            if (page->row_count > 0 &&
                (bytes + more > IMAGE_PAGE_BYTES_MAX / 2 || page->row_count == IMAGE_PAGE_ROWS_MAX / 4))
                break;
            bytes += more;
            page->row_count++;
        }
        sum += bytes;
    } while (segment < source->segment_count || row < rows->row_count);
    return sum <= IMAGE_ROWS_BYTES_MAX;
}

/** The membership in force at what is applied. */
static void note_configuration(const struct group *group, struct image_source *source) {
    uint8_t bytes[GROUP_CONFIGURATION_BYTES_MAX];
    struct lf_bytes payload;
    if (!partition_configuration(group->partition, &source->configuration_index, &payload)) {
        source->configuration_index = 0;
        payload = group_configuration_encode(&group->initial, bytes);
    }
    lf_check(payload.size <= sizeof source->configuration);
    memcpy(source->configuration, payload.data, payload.size);
    source->configuration_bytes = (uint32_t)payload.size;
}

/** Where its segments end, also when all of them are gone. The term is 0 when nothing was ever before it. */
static void base_of(const struct group *group, uint64_t *index, uint64_t *term) {
    size_t count;
    const struct log_segment *segments = partition_segments(group->partition, &count);
    *index = partition_open_segment(group->partition)->first_index - 1;
    if (count > 0)
        *term = segments[count - 1].last_term;
    else if (*index == group->image_base_index) /* the core does not know what is before an image */
        *term = group->image_base_term;
    else
        *term = raft_entry_term(group->raft, *index);
}

/** Is all of what is applied in the store, is nothing about segments under way, and the tail not too long? */
static bool may_make(const struct group *group) {
    uint64_t base_index, base_term;
    base_of(group, &base_index, &base_term);
    return group_leads(group) && group->applied > 0 && group_readable(group) == group->applied &&
           group->applied >= raft_previous_index(group->raft) && base_term > 0 &&
           partition_open_segment(group->partition)->bytes <= IMAGE_TAIL_BYTES_MAX &&
           partition_decisions_waiting(group->partition) == 0;
}

/** O3. Its own is about to be replaced. */
static bool make_room(struct node *node, const struct group *wanting) {
    struct group *group, *idlest = NULL;
    size_t cursor = 0;
    if (wanting->image_source || node->image_sources < node->limits.images_max)
        return true;
    while ((group = lf_map_next(&node->groups, &cursor)))
        if (group->image_source && node->now_ms - group->image_source->pulled_ms >= IMAGE_UNUSED_MS &&
            (!idlest || group->image_source->pulled_ms < idlest->image_source->pulled_ms))
            idlest = group;
    if (idlest)
        image_source_drop(node, idlest);
    return idlest != NULL;
}

static void make(struct node *node, struct group *group) {
    size_t count;
    const struct log_segment *segments = partition_segments(group->partition, &count);
    struct image_source *source = node_alloc(1, sizeof *source);
    source->index = group->applied;
    source->term = raft_entry_term(group->raft, group->applied);
    base_of(group, &source->base_index, &source->base_term);
    source->leader_term = raft_term(group->raft);
    source->made_ms = source->pulled_ms = node->now_ms;
    source->appended_bytes = group->appended_bytes;
    source->history_changes = group->history_changes;
    source->segment_count = count;
    source->segments = node_alloc(count, sizeof *segments);
    memcpy(source->segments, segments, count * sizeof *segments);
    source->rows = node_new_write(node, group, 0);
    lf_check(partition_save(group->partition, source->rows) == LF_OK);
    note_configuration(group, source);
    image_source_drop(node, group);
    group->image_wanted = false;
    node->image_sources++;
    node->metrics.images_made++;
    group->image_source = source;
    if (source->term == 0 || !cut_into_pages(source)) {
        node_tracef(node, "group=%llu has no image: its state cannot travel (%u rows)", (unsigned long long)group->id,
                    source->rows->row_count);
        image_source_drop(node, group);
        return;
    }
    node_tracef(node, "group=%llu image of %llu^%llu: %zu segments up to %llu, %u rows, %u pages",
                (unsigned long long)group->id, (unsigned long long)source->index, (unsigned long long)source->term,
                source->segment_count, (unsigned long long)source->base_index, source->rows->row_count,
                source->page_count);
}

static bool is_pulled(const struct node *node, const struct image_source *source, uint64_t except) {
    for (size_t i = 0; i < IMAGE_STREAMS_MAX; i++)
        if (source->streams[i].replica != 0 && source->streams[i].replica != except &&
            node->now_ms - source->streams[i].pulled_ms < IMAGE_HOLD_MS)
            return true;
    return false;
}

/** Would it bring `replica` to where the log, and what it was offered, begins? Not when some of its history is gone:
 *  whoever begins pulls from the oldest segment on. */
static bool is_good(const struct node *node, const struct group *group, uint64_t replica, uint64_t at_least) {
    const struct image_source *source = group->image_source;
    return source && source->leader_term == raft_term(group->raft) && source->index >= at_least &&
           source->index >= raft_previous_index(group->raft) && source->history_changes == group->history_changes &&
           (node->now_ms - source->made_ms < IMAGE_FRESH_MS || is_pulled(node, source, replica));
}

static void wait_for_it(struct group *group, const struct peer_message *pull) {
    const uint32_t room = sizeof group->image_waits / sizeof *group->image_waits;
    struct image_wait wait = {pull->raft.from, pull->image->session, pull->image->pull.from_index};
    for (uint32_t i = 0; i < group->image_wait_count; i++)
        if (group->image_waits[i].replica == wait.replica) {
            group->image_waits[i] = wait;
            return;
        }
    group->image_waits[group->image_wait_count < room ? group->image_wait_count++ : 0] = wait;
}

/** O2. False: not yet. */
static bool provide(struct node *node, struct group *group, const struct peer_message *pull) {
    uint64_t replica = pull->raft.from, at_least = pull->image->pull.from_index;
    if (is_good(node, group, replica, at_least))
        return true;
    group->image_wanted = true;
    wait_for_it(group, pull);
    if (may_make(group) && make_room(node, group))
        make(node, group);
    else if (partition_open_segment(group->partition)->bytes > IMAGE_TAIL_BYTES_MAX)
        group->roll_wanted = node->rolls_due = true;
    node_wake_by(node, node->now_ms);
    return is_good(node, group, replica, at_least);
}

/* ---- giving it out ----------------------------------------------------------------------------------------------- */

static struct peer_message answer_to(const struct group *group, const struct peer_message *pull, enum image_kind kind) {
    struct peer_message answer = {.group = group->id,
                                  .raft = {.from = group->self, .to = pull->raft.from, .term = raft_term(group->raft)},
                                  .image = peer_image_new(kind)};
    lf_check(answer.image != NULL);
    answer.image->session = pull->image->session;
    answer.image->image = pull->image->image;
    return answer;
}

static void send_gone(struct node *node, struct group *group, const struct peer_message *pull) {
    struct peer_message answer = answer_to(group, pull, IMAGE_PIECE);
    answer.image->piece.gone = true;
    peers_send(node, group, &answer);
}

static void send_page(struct node *node, struct group *group, const struct peer_message *pull) {
    const struct image_source *source = group->image_source;
    const struct page_range *range = &source->pages[pull->image->pull.page];
    struct peer_message answer = answer_to(group, pull, IMAGE_PAGE);
    struct image_message *page = answer.image;
    page->image = source->index;
    page->page.entry_term = source->term;
    page->page.base_index = source->base_index;
    page->page.base_term = source->base_term;
    page->page.configuration_index = source->configuration_index;
    page->page.configuration_bytes = source->configuration_bytes;
    memcpy(page->page.configuration, source->configuration, source->configuration_bytes);
    page->page.page = pull->image->pull.page;
    page->page.page_count = source->page_count;
    lf_check(peer_image_fill_page(page, source->segments + range->first_segment, range->segment_count,
                                  source->rows->rows + range->first_row, range->row_count) == LF_OK);
    peers_send(node, group, &answer);
}

/** O5. */
static void hold_history(struct node *node, struct group *group) {
    const struct image_source *source = group->image_source;
    uint64_t until = node->now_ms + IMAGE_HOLD_MS, most = source->made_ms + node->limits.image_hold_ms_max;
    if (group->appended_bytes - source->appended_bytes > node->limits.image_hold_bytes_max)
        return;
    until = until < most ? until : most;
    if (until > group->history_held_until_ms)
        group->history_held_until_ms = until;
}

static void pump(struct node *node, struct group *group, struct stream *stream) {
    if (stream->replica == 0 || stream->request != 0 || stream->done || stream->sent_bytes >= stream->credit_bytes ||
        node->image_tokens <= 0 || node->reads.count >= node->limits.reads_max)
        return;
    struct pending_read *pending = node_alloc(1, sizeof *pending);
    *pending = (struct pending_read){.kind = READ_IMAGE, .group = group->id};
    stream->request = ++node->next_request;
    struct log_store_read read = {.group = group->id,
                                  .request = stream->request,
                                  .from = LOG_STORE_READ_INDEX,
                                  .value = stream->next_index,
                                  .last_index = stream->last_index,
                                  .bytes_max = IMAGE_PIECE_BYTES,
                                  .entries_max = IMAGE_PIECE_ENTRIES_MAX};
    lf_check(lf_map_put(&node->reads, stream->request, pending));
    node->image_tokens -= IMAGE_PIECE_BYTES; /* what it did not take is given back */
    node_add_read(node, &read);
}

static void pump_all(struct node *node, struct group *group) {
    for (size_t i = 0; i < IMAGE_STREAMS_MAX; i++)
        pump(node, group, &group->image_source->streams[i]);
}

static struct stream *stream_of(struct image_source *source, uint64_t replica) {
    struct stream *oldest = &source->streams[0];
    for (size_t i = 0; i < IMAGE_STREAMS_MAX; i++) {
        struct stream *stream = &source->streams[i];
        if (stream->replica == replica)
            return stream;
        if (stream->replica == 0 || (oldest->replica != 0 && stream->pulled_ms < oldest->pulled_ms))
            oldest = stream;
    }
    *oldest = (struct stream){.replica = replica};
    return oldest;
}

static bool has_segment(const struct image_source *source, uint64_t first_index, uint64_t last_index) {
    if (first_index == source->base_index + 1)
        return last_index == source->index; /* the tail */
    for (size_t i = 0; i < source->segment_count; i++)
        if (source->segments[i].first_index == first_index)
            return source->segments[i].last_index == last_index;
    return false;
}

void image_source_retry(struct node *node, struct group *group) {
    if (!group->image_wanted || !may_make(group) || !make_room(node, group))
        return;
    make(node, group);
    uint32_t count = group->image_wait_count;
    group->image_wait_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct image_wait *wait = &group->image_waits[i];
        struct image_message pull = {.kind = IMAGE_PULL, .session = wait->session};
        struct peer_message message = {.group = group->id, .raft = {.from = wait->replica}, .image = &pull};
        if (is_good(node, group, wait->replica, wait->at_least))
            send_page(node, group, &message);
    }
}

static void pull_segment(struct node *node, struct group *group, const struct peer_message *message) {
    const struct image_message *pull = message->image;
    struct image_source *source = group->image_source;
    struct stream *stream = stream_of(source, message->raft.from);
    if (stream->session != pull->session || stream->first_index != pull->pull.first_index)
        *stream = (struct stream){.replica = message->raft.from,
                                  .session = pull->session,
                                  .first_index = pull->pull.first_index,
                                  .last_index = pull->pull.last_index,
                                  .next_index = pull->pull.from_index};
    stream->pulled_ms = source->pulled_ms = node->now_ms;
    if (pull->pull.credit_bytes > stream->credit_bytes)
        stream->credit_bytes = pull->pull.credit_bytes;
    pump(node, group, stream);
}

void image_source_on_pull(struct node *node, struct group *group, const struct peer_message *message) {
    const struct image_message *pull = message->image;
    if (!group_leads(group)) {
        send_gone(node, group, message);
        return;
    }
    if (pull->image == 0) {
        if (!provide(node, group, message))
            return; /* it comes when it is made, or is asked for again */
    } else if (!group->image_source || group->image_source->index != pull->image ||
               group->image_source->leader_term != raft_term(group->raft)) {
        send_gone(node, group, message);
        return;
    }
    struct image_source *source = group->image_source;
    source->pulled_ms = node->now_ms;
    hold_history(node, group);
    if (pull->pull.first_index == 0) {
        if (pull->pull.page < source->page_count) {
            stream_of(source, message->raft.from)->pulled_ms = node->now_ms;
            send_page(node, group, message);
        }
    } else if (has_segment(source, pull->pull.first_index, pull->pull.last_index)) {
        pull_segment(node, group, message);
    } else {
        send_gone(node, group, message);
    }
}

static void send_piece(struct node *node, struct group *group, struct stream *stream,
                       struct log_store_completion *completion) {
    struct peer_message piece = {.group = group->id,
                                 .raft = {.from = group->self, .to = stream->replica, .term = raft_term(group->raft)},
                                 .image = peer_image_new(IMAGE_PIECE)};
    lf_check(piece.image != NULL);
    piece.image->image = group->image_source->index;
    piece.image->session = stream->session;
    piece.image->piece.sequence = ++stream->sequence;
    piece.image->piece.first_index = stream->first_index;
    piece.image->piece.last_index = stream->last_index;
    piece.image->piece.count = completion->entry_count;
    piece.image->piece.last = stream->done;
    piece.entries = completion->entries;
    completion->entries = NULL;
    completion->entry_count = 0;
    peers_send(node, group, &piece);
}

void image_source_on_read(struct node *node, struct group *group, uint64_t request,
                          struct log_store_completion *completion) {
    struct stream *stream = NULL;
    struct lf_entry_header header = {0};
    struct lf_bytes payload;
    uint64_t bytes = 0;
    for (size_t i = 0; group->image_source && i < IMAGE_STREAMS_MAX; i++)
        if (group->image_source->streams[i].request == request)
            stream = &group->image_source->streams[i];
    if (!stream)
        return;
    stream->request = 0;
    if (completion->status != LF_OK || !group_leads(group))
        return; /* the puller asks again */
    for (uint32_t i = 0; i < completion->entry_count; i++)
        bytes += completion->entries[i]->size;
    if (completion->entry_count > 0)
        lf_entry_decode(lf_buf_bytes(completion->entries[completion->entry_count - 1]), &header, &payload);
    node->image_tokens -= (int64_t)bytes;
    stream->sent_bytes += bytes;
    node->metrics.image_bytes_sent += bytes;
    stream->done = completion->entry_count == 0 || header.index >= stream->last_index;
    stream->next_index = header.index + 1;
    send_piece(node, group, stream, completion);
    pump(node, group, stream);
}

/* ---- the beat ---------------------------------------------------------------------------------------------------- */

/** Bytes of sealed segments that begin after `index`. */
static uint64_t sealed_after(const struct group *group, uint64_t index) {
    size_t count;
    uint64_t bytes = 0;
    const struct log_segment *segments = partition_segments(group->partition, &count);
    for (size_t i = count; i > 0 && segments[i - 1].first_index > index; i--)
        bytes += segments[i - 1].bytes;
    return bytes;
}

/** Up to where its log is known to be equal; of one that has not answered yet nothing is known, and nothing is missing.
 */
static uint64_t reached(const struct raft_peer_view *peer) {
    return peer->replicating ? peer->received : peer->next - 1;
}

void image_source_look(struct node *node, struct group *group) {
    if (!group->partition || !group_leads(group) || !raft_leads_fully(group->raft))
        return;
    struct raft_peer_view peers[RAFT_MEMBERS_MAX];
    size_t segment_count, count = raft_peers(group->raft, peers, RAFT_MEMBERS_MAX);
    const struct log_segment *segments = partition_segments(group->partition, &segment_count);
    for (size_t i = 0; i < count; i++) {
        if (peers[i].needs_image || peers[i].damaged || !peers[i].active ||
            sealed_after(group, reached(&peers[i])) <= node->limits.image_backlog_bytes)
            continue;
        struct raft_event event = {
            .type = RAFT_EVENT_OFFER,
            .now_ms = node->now_ms,
            .offer = {.replica = peers[i].replica, .index = segments[segment_count - 1].last_index}};
        group_step(node, group, &event);
    }
}

void image_source_tick(struct node *node, struct group *group) {
    if (!group_leads(group)) {
        image_source_drop(node, group);
        group->image_wanted = false;
        group->image_wait_count = 0;
        return;
    }
    if (node->now_ms >= group->image_look_ms) {
        group->image_look_ms = node->now_ms + IMAGE_LOOK_MS;
        image_source_look(node, group);
    }
    image_source_retry(node, group);
    if (!group->image_source)
        return;
    if (node->now_ms - group->image_source->pulled_ms >= IMAGE_IDLE_MS) {
        image_source_drop(node, group);
        return;
    }
    node_wake_by(node, node->now_ms + IMAGE_PACE_MS);
    pump_all(node, group);
}
