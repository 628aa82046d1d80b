/** Images and history of partitions, from leaders to replicas that need them (broker/node only).
 *
 *  An *image* is a partition's applied state at some index S. Its *history* is all that the log holds up to S: sealed
 *  segments, and behind them the entries that are in no segment yet, the *tail*. Whoever needs it pulls: pages
 *  (descriptors, then rows), then segment after segment those that it has not, by descriptor, then the tail. What was
 *  staged stays over breaks, restarts and changes of the leader, since descriptors are equal on all replicas.
 *
 *  No entry is needed to make one, so that a leader can serve a replica whose acknowledgement it needs to commit
 *  anything at all: the third of three is gone, and the second needs an image.
 *
 *    follower                                       leader
 *      core: offered an image (>= I)  <--------------  core: what it needs is gone, or IMAGE_BACKLOG_BYTES
 *      pull page 0 (>= I)             -------------->  image of S, what is applied
 *      pages 0 ... n-1                <------------->  one at a time
 *      pull a segment, credit         -------------->  reads it from the store, paced (image_bytes_per_s_max)
 *      pieces -> store stages them    <--------------  within the credit, which follows what is staged
 *      ... then the tail, into memory; all is there: one write installs rows, history and tail
 */
#ifndef IMAGES_H
#define IMAGES_H

#include "node_internal.h"

/** A replica that lacks so many bytes of sealed segments gets an image although the log would do: it is faster. */
#define IMAGE_BACKLOG_BYTES (64u * 1024 * 1024)
/** Bytes of one piece, and of what a puller lets be under way: sent and not yet staged. */
#define IMAGE_PIECE_BYTES (512u * 1024)
#define IMAGE_CREDIT_BYTES (2u * 1024 * 1024)
#define IMAGE_PIECE_ENTRIES_MAX 4096u
/** Replicas that pull from one image at a time. */
#define IMAGE_STREAMS_MAX 8
/** Descriptors on a page; the rest of its bytes is for rows. */
#define IMAGE_PAGE_SEGMENTS 1024u
/** Of a tail; above it a leader rolls first. */
#define IMAGE_TAIL_BYTES_MAX (32u * 1024 * 1024)
/** Of all rows of an image; more is refused. */
#define IMAGE_ROWS_BYTES_MAX (256u * 1024 * 1024)
/** Silence after which a puller asks again. */
#define IMAGE_PULL_RETRY_MS 300
/** How often a leader looks who is far behind, besides when a refusal says so. */
#define IMAGE_LOOK_MS 1000
/** An image that nobody pulls from is forgotten; sooner when another is wanted and there are images_max. */
#define IMAGE_IDLE_MS 10000
#define IMAGE_UNUSED_MS 1000
/** An older one is made anew for who begins. */
#define IMAGE_FRESH_MS 10000
/** Nothing is dropped or rewritten so long after a pull, at most image_hold_ms_max after the image was made. */
#define IMAGE_HOLD_MS 5000
/** Without an offer for so long a puller gives up; what it staged is kept for as long as below. */
#define IMAGE_OFFER_SILENCE_MS 5000
#define IMAGE_STAGED_KEEP_MS 60000
/** A puller that failed (damage on the way, no space) waits so long. */
#define IMAGE_FAILED_MS 1000
/** Pace is kept in steps of this long. */
#define IMAGE_PACE_MS 5

struct image_source;
struct image_fetch;

/* images.c */
void images_on_message(struct node *node, struct group *group, struct peer_message *message);
void images_group_tick(struct node *node, struct group *group);
/** More history may be sent as time goes on. */
void images_refill(struct node *node);

/* image_source.c: of a leader */
void image_source_on_pull(struct node *node, struct group *group, const struct peer_message *message);
void image_source_on_read(struct node *node, struct group *group, uint64_t request,
                          struct log_store_completion *completion);
/** Somebody waits for an image, and what stood in its way may be over. */
void image_source_retry(struct node *node, struct group *group);
/** Who lacks much gets an image though the log would do. */
void image_source_look(struct node *node, struct group *group);
void image_source_tick(struct node *node, struct group *group);
void image_source_drop(struct node *node, struct group *group);

/* image_fetch.c: of a replica that needs one */
void image_fetch_offered(struct node *node, struct group *group, uint64_t by, uint64_t index);
void image_fetch_on_message(struct node *node, struct group *group, struct peer_message *message);
void image_fetch_on_stage(struct node *node, struct group *group, const struct log_store_completion *completion);
/** What is staged for the group is being given up in the store. */
void image_fetch_unstaged(struct node *node, struct group *group);
void image_fetch_tick(struct node *node, struct group *group);
void image_fetch_drop(struct node *node, struct group *group);

/* image_staged.c: segments that are staged here */
void image_staged_add(struct node *node, struct group *group, const struct log_segment *segment);
bool image_staged_has(const struct group *group, const struct log_segment *segment);
/** They are gone from the store: installed, replaced or given up. */
void image_staged_forget(struct group *group);
/** Gives up what is staged and nobody goes on with. */
/** A write is handed to the store: what of the staged goes with it does not count any more. */
void image_staged_written(struct node *node, struct group *group, const struct log_store_write *write);
void image_staged_tick(struct node *node, struct group *group);
void image_staged_give_up(struct node *node, struct group *group);

/* image_install.c */
/** The core's write that installs: made of what was fetched; the state machine becomes the image at once. */
void image_install_carry_out(struct node *node, struct group *group, const struct raft_persist *persist);
/** The write is done: what waited for it goes on. */
void image_install_written(struct node *node, struct group *group, uint64_t commit);
/** All is staged: put it in the place of the log. LF_OK; LF_EXISTS: not needed any more; LF_DAMAGED in words. */
enum lf_status image_install(struct node *node, struct group *group, struct lf_error *error);

/** What image_install needs of a fetch. */
struct image_fetched {
    uint64_t index, entry_term, base_index, base_term, leader_term;
    struct raft_configuration_at configuration;
    struct log_segment *segments;
    size_t segment_count, segment_capacity;
    struct log_store_write *rows; /**< and the tail, as its entries */
};
/** NULL: nothing is being fetched. */
struct image_fetched *image_fetch_fetched(struct group *group);

#endif
