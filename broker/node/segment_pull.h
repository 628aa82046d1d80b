/** One range of a leader's image on its way here, piece by piece (broker/node only): a segment, which goes into the
 *  store, or the tail, which its owner keeps. Used by who needs an image (image_fetch.c) and by who has a damaged
 *  segment (repairs.c); both see to it that only one of them stages at a time.
 *
 *   L1  every question has a session, and what answers another one does not count
 *   L2  pieces are numbered within their session; one that was lost or overtaken ends it, and a new one goes on behind
 *       what was handed on
 *   L3  what may be under way (credit) follows what is staged, so a slow disk slows its sender
 */
#ifndef SEGMENT_PULL_H
#define SEGMENT_PULL_H

#include "images.h"

#define SEGMENT_PULL_STAGES_MAX 64

struct segment_pull {
    uint64_t source;  /**< replica that is asked */
    uint64_t image;   /**< of which index; 0: whatever it has */
    uint64_t session; /**< node-wide numbers; 0: nothing is asked for */
    uint64_t asked_ms;
    /* The range under way. */
    uint64_t first_index, last_index;
    uint64_t next_index;               /**< behind what was handed on; 0: pages are asked for */
    uint64_t sequence;                 /**< of the last piece taken */
    uint64_t staged_bytes, told_bytes; /**< in this session: handed on and done; credit said last */
    bool begun, whole;                 /**< pieces of it were handed on; all of them */
    /* Pieces handed to the store, oldest first. */
    struct {
        uint64_t request;
        uint32_t bytes;
        bool last;
    } stages[SEGMENT_PULL_STAGES_MAX];
    size_t stage_first, stage_count;
};

enum segment_pull_piece {
    SEGMENT_PULL_NONE, /**< it does not count; if one was lost, a new session has begun (L2) */
    SEGMENT_PULL_GONE, /**< the leader does not have the range any more */
    SEGMENT_PULL_NEXT, /**< the next one: to be handed on, by segment_pull_stage or segment_pull_took */
};

/** Ask for a page, of an image of `at_least` or later when it is the first. */
void segment_pull_page(struct node *node, struct group *group, struct segment_pull *pull, uint32_t page,
                       uint64_t at_least);
/** Ask for a range, from its first piece on. */
void segment_pull_range(struct node *node, struct group *group, struct segment_pull *pull, uint64_t first_index,
                        uint64_t last_index);
/** L2: ask for the rest of the range. */
void segment_pull_rest(struct node *node, struct group *group, struct segment_pull *pull);
/** No range is under way any more; completions of what was handed to the store find nobody. */
void segment_pull_forget(struct segment_pull *pull);

/** `piece` is of kind IMAGE_PIECE. */
enum segment_pull_piece segment_pull_judge(struct node *node, struct group *group, struct segment_pull *pull,
                                           const struct image_message *piece);
/** Hand the piece on to the store; `segment` is the range's. False, and nothing is handed on: it makes no sense. */
bool segment_pull_stage(struct node *node, struct group *group, struct segment_pull *pull,
                        const struct log_segment *segment, const struct peer_message *message);
/** The owner kept the piece itself; next_index is where it goes on, `whole` whether that was the last. */
void segment_pull_took(struct node *node, struct segment_pull *pull, const struct peer_message *message, bool whole);
/** Was the completion of kind STAGE this pull's? `last`: with it the segment is staged, if its status says so. */
bool segment_pull_staged(struct node *node, struct segment_pull *pull, const struct log_store_completion *completion,
                         bool *last);
/** L3 */
void segment_pull_say_credit(struct node *node, struct group *group, struct segment_pull *pull);
/** Nothing came for IMAGE_PULL_RETRY_MS, and the store owes nothing: it is time to ask again. */
bool segment_pull_is_silent(const struct node *node, const struct segment_pull *pull);

/** Of the entries of a piece. */
uint32_t segment_pull_bytes(const struct peer_message *message);

#endif
