/** Shared by the files of broker/node only. One idea per file; each part's functions stand under its file's name. */
#ifndef NODE_INTERNAL_H
#define NODE_INTERNAL_H

#include "client.pb-c.h"
#include "lf_check.h"
#include "lf_entry.h"
#include "lf_map.h"
#include "lf_record_batch.h"
#include "metadata.h"
#include "node.h"
#include "node_metrics.h"
#include "partition.h"

/** Group 0 is metadata; its key in maps is shifted, since ids there are not 0. */
#define NODE_GROUP_METADATA 0u
#define NODE_MAP_KEY(group) ((group) + 1)

/** Client frames: header bytes at most, frames of one request at most. */
#define NODE_REQUEST_HEADER_BYTES_MAX (256u * 1024)
/** Applied rows waiting for the next append are written alone after this long (lazily, unsynced). */
#define NODE_APPLIED_LAZY_MS 500
#define NODE_APPLIED_ROWS_MAX 512
/** Bytes of one store read at start, and of one read for a lagging peer. */
#define NODE_LOAD_READ_BYTES (4u * 1024 * 1024)
#define NODE_COLD_READ_BYTES (1024u * 1024)
/** A read round that was not answered is asked again after this long. */
#define NODE_LOOKUP_RETRY_MS 100
#define NODE_GREETING_MS 50
#define NODE_PEER_ALIVE_MS 1000
/** A peer to which nothing was sent for this long gets a greeting, so that it knows we are there. */
#define NODE_PEER_QUIET_MS 250
/** Envelopes of unknown members make a node ask its peers who is who, this often at most. */
#define NODE_ASK_MEMBERS_MS 1000
/** Voters of group 0; the other nodes are its learners. */
#define NODE_METADATA_VOTERS_MAX 5
/** Tokens of destructions: the core's never reach it. */
#define NODE_DESTROY_TOKEN (1ull << 63)
/** Of the write that puts a repaired segment in its place. */
#define NODE_REPAIR_TOKEN (NODE_DESTROY_TOKEN | 1)
/** Removals of nodes that are not answered yet. */
#define NODE_REMOVALS_MAX 16
/** Requested transfers of leadership under way. */
#define NODE_TRANSFERS_MAX 64
/** Log time stays this close to the cluster's median clock. */
#define NODE_CLOCK_SLACK_MS 10000
/** Groups whose tails are looked at for entries to drop, per entry that comes in while the cache is full. */
#define NODE_TAIL_VISITS_MAX 4
#define NODE_HANDOVER_RETRY_MS 100

/* ---- tail.c: the newest entries of a group, in memory ------------------------------------------------------------ */

struct tail {
    struct lf_buf **slots; /**< ring; capacity is a power of two */
    size_t capacity;
    uint64_t first_index; /**< of the oldest kept; first_index + count is the next to come */
    size_t count;
    uint64_t bytes;
};
void tail_init(struct tail *tail, uint64_t next_index);
void tail_deinit(struct tail *tail);
/** Takes the reference. False without memory (reference dropped). */
bool tail_push(struct tail *tail, struct lf_buf *entry);
/** NULL when not kept. Borrowed. */
struct lf_buf *tail_get(const struct tail *tail, uint64_t index);
/** Drop entries at or above index. */
void tail_truncate(struct tail *tail, uint64_t index);
/** Drop oldest entries, all below `keep_from`, until bytes <= bytes_max. */
void tail_evict(struct tail *tail, uint64_t keep_from, uint64_t bytes_max);
/** Index of the first kept batch that holds `offset`, when the tail surely has it; 0: ask the store. */
uint64_t tail_find_offset(const struct tail *tail, uint64_t last_index, int64_t offset);
/** The first kept batch from index `from` to last_index whose largest timestamp, capped as the store caps it, reaches
 *  the time; NULL: none. Borrowed. */
struct lf_buf *tail_find_time(const struct tail *tail, uint64_t from, uint64_t last_index, int64_t timestamp_ms);

struct node;
struct group;
/* tail_cache.c: the tails of all groups together stay within tail_cache_bytes_max */
/** Takes the reference. Drops older entries, here and elsewhere, when the cache is full. */
void tail_cache_push(struct node *node, struct group *group, struct lf_buf *entry);
/** Entries up to index are not the log's any more as they were: readers get what the store has instead. */
void tail_cache_forget(struct node *node, struct group *group, uint64_t index);
void tail_cache_truncate(struct node *node, struct group *group, uint64_t index);
void tail_cache_drop(struct node *node, struct group *group); /**< all of the group's, for good */

/* ---- parked answers ------------------------------------------------------------------------------------------------
 */

/** A client request that waits. One struct for all kinds: few fields, one life cycle (parked.c). */
enum parked_kind {
    PARKED_PUBLISH = 1, /**< appended at index: answer when applied; unknown when leadership goes */
    PARKED_REFUSAL,     /**< an answer that rests on index: send `verdict` when applied */
    PARKED_EPOCH,       /**< RaiseProducerEpoch appended at index */
    PARKED_COMMAND,     /**< metadata command appended at index */
    PARKED_TRIM,        /**< LOG_START appended at index */
    PARKED_LOOKUP,      /**< waits for a read round, then for apply */
};
enum lookup_kind {
    LOOKUP_OFFSET_END = 1,
    LOOKUP_OFFSET_TIME,
    LOOKUP_SUBSCRIBE, /**< latest, tail */
    LOOKUP_METADATA,
    LOOKUP_DESCRIBE,
    LOOKUP_LIST,
    LOOKUP_SETTINGS,
    LOOKUP_STATUS,
};
/** What a trim does. */
struct trim_figures {
    int64_t old_start, new_start;
    uint64_t bytes;
    uint32_t segments;
};
struct parked {
    struct parked *next, *previous; /**< in the group's list, ordered by index (lookups: unordered, own list) */
    enum parked_kind kind;
    uint64_t group;
    uint64_t index; /**< wait until applied */
    uint64_t session, request_id;
    uint32_t bytes; /**< publish: credit to give back */
    int64_t producer_id;
    struct partition_verdict verdict; /**< REFUSAL */
    int command;                      /**< COMMAND: the request's body case */
    uint64_t node_id;                 /**< COMMAND: of a removal */
    struct trim_figures trim;         /**< TRIM */
    enum lookup_kind lookup;
    uint64_t read_id; /**< raft read under way; 0: none */
    bool read_done;   /**< index is the read index */
    uint64_t retry_ms, deadline_ms;
    uint64_t since_us;          /**< for figures */
    Lf__ClientRequest *request; /**< lookups: kept, freed with it */
};
struct parked_list {
    struct parked *head, *tail;
};

/* ---- groups --------------------------------------------------------------------------------------------------------
 */

enum group_state { GROUP_LOADING = 1, GROUP_RUNNING, GROUP_STOPPED };

/** An append to a lagging peer whose entries are being read from the store. */
struct cold_send {
    struct cold_send *next;
    struct raft_message message;
    uint64_t request; /**< 0: waits only for its turn behind another */
    struct lf_buf **entries;
    uint32_t count;
    bool ready, failed;
};

struct group {
    uint64_t id;
    uint64_t self; /**< replica id */
    enum group_state state;
    struct raft_configuration initial;         /**< before its log says anything */
    const struct metadata_partition *assigned; /**< what group 0 says of it; NULL for group 0 itself */
    bool awaits_members;                       /**< group 0, loaded, on a node that has not heard who its members are */
    uint64_t topic_id;
    uint32_t partition_number;
    struct raft *raft;
    struct partition *partition; /**< NULL for group 0 */
    struct tail tail;
    uint64_t applied;
    struct log_store_write *applied_write; /**< rows applied since the last write; NULL: none */
    uint64_t applied_write_since_ms;
    uint64_t deadline_ms;
    uint64_t load_request;
    struct log_store_loaded *loaded; /**< while LOADING */
    struct parked_list parked;
    struct cold_send *cold;
    size_t cold_count;
    struct subscription *subscriptions;
    uint64_t preferred;   /**< replica id that should lead, as the core was told; 0: nobody special */
    uint64_t filled_ms;   /**< since when all learners have caught up; 0: they have not */
    uint64_t reported_ms; /**< when the controller was last told that the wanted members are reached */
    bool was_leader;
    bool configuration_proposed;
    bool apply_blocked; /**< met an entry of a newer version */
    struct trace_link *trace_link;
    /* segments */
    uint64_t open_bytes;            /**< its share in node->open_bytes */
    uint64_t compacted_index;       /**< the core knows that the log begins after it */
    bool segments_changed;          /**< the core is to hear where the log begins now */
    uint64_t history_changes;       /**< how often drops or rewrites took entries out of it */
    bool roll_wanted;               /**< leader: end the open segment at the next chance, whatever its size */
    uint64_t history_held_until_ms; /**< leader: no drops or rewrites until then */
    uint64_t hold_since_ms;         /**< since when replicas lack what is to go; 0: they do not */
    uint64_t rewrite_request;       /**< under way in the store; 0: none */
    uint64_t rewrite_index;         /**< of the entry that decided it */
    uint64_t tombstones_index, tombstones_before_ms; /**< compaction_view.taken_*, of this leader */
    uint64_t rewrite_since_us;                       /**< when it was asked for */
    uint64_t rewrite_retry_ms;
    /* images (images.h) */
    struct image_source *image_source; /**< leader: NULL: none */
    struct image_fetch *image_fetch;   /**< NULL: none is being pulled */
    bool image_unwritten;              /**< installed, and its write is not done */
    struct repair *repair;             /**< NULL: no segment is damaged */
    struct partition *image_machine;   /**< about to take the place of `partition`, for the length of a step */
    bool image_wanted;                 /**< leader: one is to be made at the next roll */
    struct image_wait {
        uint64_t replica, session, at_least; /**< its pull of page 0 */
    } image_waits[4]; /**< leader: who gets the first page when it is made; newest in place of oldest */
    uint32_t image_wait_count;
    uint64_t image_look_ms;                     /**< leader: when to look next for who is far behind */
    uint64_t image_base_index, image_base_term; /**< where the history of the image installed last ended; 0: none was */
    struct log_segment *staged;                 /**< in the store, for an image */
    size_t staged_count, staged_capacity;
    uint64_t staged_ms; /**< when something was last done with them */
    uint64_t led_term;
    uint64_t uncommitted_bytes; /**< its share in node->uncommitted_bytes */
    /* for figures: */
    uint64_t appended_bytes;
    bool campaigns;
    uint64_t campaigns_since_us;
};

/* ---- sessions and subscriptions ------------------------------------------------------------------------------------
 */

struct subscription {
    struct subscription *next_in_group, *previous_in_group;
    struct subscription *next_in_session, *previous_in_session;
    uint64_t session, id, group;
    uint64_t key; /**< node-wide, for reads under way */
    int64_t next_offset;
    int32_t leader_epoch; /**< of the record before it, as the reader said; -1: not known, or read here */
    uint64_t credit_total, delivered_total;
    bool reading;
};

struct session {
    uint64_t id;
    bool hello;
    uint32_t version;
    uint64_t heard_ms;
    uint64_t publish_received, publish_answered, publish_granted; /**< bytes, cumulative */
    struct subscription *subscriptions;
    uint32_t subscription_count;
    uint64_t turn;          /**< key of the subscription that is served first when there is room again; 0: any */
    uint64_t unsent_bytes;  /**< sent and not taken: as told last, and what was sent since (room.c) */
    uint64_t reading_bytes; /**< at most, of what the store is reading for it */
    bool awaits_room;       /**< the owner was asked to say when there is room */
};

/* ---- peers ---------------------------------------------------------------------------------------------------------
 */

struct peer {
    struct node_address address;
    uint64_t incarnation;                          /**< 0: not known */
    uint8_t incarnation_store[LOG_STORE_ID_BYTES]; /**< each store counts its own starts */
    uint64_t heard_ms;                             /**< 0: never */
    uint64_t greeted_ms;
    uint64_t sent_ms;        /**< anything */
    int64_t clock_offset_ms; /**< its wall clock minus ours when last heard */
    uint8_t store_uuid[LOG_STORE_ID_BYTES];
    bool store_seen;
    bool address_said;         /**< that it greets from elsewhere than where it was added */
    bool guest;                /**< not of this cluster, as far as we know: is told so, and not heard */
    enum peer_refusal refused; /**< the last word to it */
    uint64_t answered_ms;      /**< its greeting, with more than a greeting */
    uint64_t pin_due_ms;       /**< the controller proposes to pin its store no earlier */
    struct replacement {       /**< replacements.c: it asks for another store to be pinned in place of its lost one */
        uint8_t store_uuid[LOG_STORE_ID_BYTES];
        uint64_t asked_ms, judged_ms;
        struct lf_error verdict;
    } replacement;
    enum node_space_level space_level;                                     /**< as it says */
    uint64_t appended_entries, appended_bytes, envelopes[PEER_LANE_COUNT]; /**< for figures */
    struct peer_envelope *out[PEER_LANE_COUNT];                            /**< being filled in this step */
};

enum pending_read_kind { READ_SUBSCRIPTION = 1, READ_COLD, READ_LOAD, READ_TIME, READ_IMAGE };
struct pending_read {
    enum pending_read_kind kind;
    uint64_t group, subscription_key;
    uint64_t last_index;   /**< READ_SUBSCRIPTION: asked up to here */
    struct parked *parked; /**< READ_TIME: owned */
};

/** A transfer of leadership that somebody waits for (transfers.c). */
struct pending_transfer {
    uint64_t session, request_id, group;
    uint64_t to; /**< replica id; 0: whoever has most */
    uint64_t retry_ms, deadline_ms;
};

/** A removal that somebody waits for (removals.c). */
struct pending_removal {
    uint64_t session, request_id, node_id;
    uint64_t deadline_ms;
};

struct node {
    uint64_t id, incarnation, seed;
    char cluster_name[METADATA_CLUSTER_NAME_BYTES_MAX + 1];
    uint8_t cluster_id[LOG_STORE_ID_BYTES];
    bool cluster_known;
    uint8_t new_cluster_id[LOG_STORE_ID_BYTES];
    struct log_store_identity identity;
    bool founder;
    struct node_limits limits;
    struct node_address founding[NODE_NODES_MAX]; /**< the configured nodes, by rising id */
    size_t founding_count;
    struct peer peers[NODE_PEERS_MAX];
    size_t peer_count;
    bool peers_stale;              /**< who they are may have changed in this step */
    struct peer_greeting *welcome; /**< a membership newer than what is applied here; NULL: none */
    bool replaces;                 /**< this store was made in place of a lost one */
    bool joining;                  /**< no founder, and group 0 does not run here yet */
    uint64_t join_words_ms;        /**< when to say next what it waits for */
    uint64_t superseded_ms;        /**< since when peers speak to a later process of this store; 0: they do not */
    uint32_t address_said;         /**< the peer port under which the cluster knows this node, if that was said */
    uint64_t removed_ms;           /**< since when this node knows that it was removed; 0: it was not */
    uint64_t asked_members_ms;     /**< when strangers last made us ask who is who */
    struct metadata *metadata;
    bool metadata_ready;      /**< group 0 is loaded */
    struct lf_map groups;     /**< NODE_MAP_KEY(id) -> struct group */
    struct lf_map destroying; /**< ids the store is destroying -> (void *)1 */
    struct lf_map chores;     /**< ids -> const struct metadata_partition: what takes time to come true (chores.c) */
    uint64_t chores_ms, reports_ms, membership_ms, drain_ms, lead_away_ms;
    uint64_t drain_index; /**< of the last move asked for to drain a node */
    struct pending_transfer transfers[NODE_TRANSFERS_MAX];
    size_t transfer_count;
    struct pending_removal removals[NODE_REMOVALS_MAX];
    size_t removal_count;
    struct lf_map stored_groups; /**< ids found in the store and not claimed yet -> (void *)1 */
    struct lf_map sessions;
    struct lf_map subscriptions; /**< key -> struct subscription */
    struct lf_map reads;         /**< request -> struct pending_read */
    struct lf_map raft_reads;    /**< read id -> struct parked (in lookups) */
    struct parked_list lookups;  /**< waiting for a read round or retry */
    size_t parked_count;
    uint64_t next_request, next_key;
    uint32_t backups_waiting; /**< asked of the owner, not done yet */
    struct node_space space;
    enum node_space_level space_level;
    uint64_t uncommitted_bytes;
    uint64_t unsent_bytes; /**< to all sessions, as session.unsent_bytes */
    uint64_t tail_bytes;   /**< of all groups' tails */
    size_t tail_cursor;    /**< in `groups`: whose tail is looked at next when the cache is full */
    uint64_t last_index_hint;
    uint32_t image_sources, image_fetches;
    int64_t image_tokens; /**< bytes of history that may be read now */
    uint64_t image_tokens_ms;
    uint64_t open_bytes; /**< applied and not sealed, over all partitions */
    uint64_t retention_due_ms, relieve_ms;
    bool rolls_due; /**< look at open segments in the next tick */
    uint64_t session_check_ms;
    uint64_t founding_proposed_term;
    uint64_t pin_due_ms; /**< as controller it proposes to pin its own store no earlier */
    bool started, stopping, stopped;
    uint64_t stop_deadline_ms, handover_retry_ms;
    enum lf_status fatal;
    uint64_t started_ms, now_us; /**< for figures */
    uint64_t now_ms;
    int64_t wall_ms;
    uint64_t deadline_ms; /**< no later than any group's */
    struct raft_effects raft_effects;
    struct raft_entry *scratch_entries;                /**< PEER_ENVELOPE_ENTRIES_MAX */
    struct raft_configuration *scratch_configurations; /**< of one message */
    uint32_t scratch_configuration_capacity;
    struct node_effects *effects; /**< of the step under way */
    struct node_counts counts;
    struct node_metrics metrics;
    void (*trace)(void *context, const char *line);
    void *trace_context;
};

/* effects.c. Without memory they stop the process in words: a broker that cannot note what it must do cannot go on. */
struct log_store_write *node_new_write(struct node *node, const struct group *group, uint64_t token);
void node_add_write(struct node *node, struct log_store_write *write);
void node_add_read(struct node *node, const struct log_store_read *read);
void node_add_rewrite(struct node *node, const struct log_store_rewrite *rewrite);
/** Copies the segment, takes references of its own of the entries. */
void node_add_stage(struct node *node, const struct log_store_stage *stage);
void node_add_load(struct node *node, uint64_t group, uint64_t request);
void node_add_envelope(struct node *node, struct peer_envelope *envelope);
void node_add_connect(struct node *node, const struct node_address *address);
void node_add_forgotten(struct node *node, uint64_t node_id);
/** Takes frames' references and copies the array. */
void node_add_send(struct node *node, uint64_t session, const struct node_frame *frames, size_t count);
void node_add_closed(struct node *node, uint64_t session);
void node_add_backup(struct node *node, const struct node_backup_wish *wish);
void node_add_watch(struct node *node, uint64_t session, uint64_t bytes);
void node_fail(struct node *node, enum lf_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
void node_tracef(struct node *node, const char *format, ...) __attribute__((format(printf, 2, 3)));
void node_wake_by(struct node *node, uint64_t deadline_ms);
void *node_alloc(size_t count, size_t size); /**< zeroed; stops without memory */

/* group.c: life of a group */
struct group *node_group(const struct node *node, uint64_t id);
struct group *group_create(struct node *node, uint64_t id, uint64_t self, const struct raft_configuration *initial);
/** self 0: as the store says. `initial` may still be filled in until it starts. */
void group_load(struct node *node, uint64_t id, uint64_t self, const struct raft_configuration *initial);
/** A loaded group 0 that awaited its members (now in group->initial) starts. */
void group_start_loaded(struct node *node, struct group *group);
void group_on_load(struct node *node, struct log_store_completion *completion);
void group_on_load_read(struct node *node, struct group *group, struct log_store_completion *completion);
/** Everything of the group goes, in the store too; `why` is what those are told who wait for it. */
void group_destroy(struct node *node, struct group *group, enum lf_status why);
/** The same for one that does not run here: in the store. */
void group_destroy_stored(struct node *node, uint64_t id);
void group_free(struct node *node, struct group *group);
/** Something of ours is wrong: the group takes part in nothing any more, visibly; the process goes on. */
void group_stop(struct node *node, struct group *group, const struct lf_error *error);
/** What others have in place of the entry `index`, which is committed here, is another history: the group stops, with
 *  words for the operator. */
void group_contradicted(struct node *node, struct group *group, uint64_t index);
uint64_t group_leader_node(const struct node *node, const struct group *group); /**< 0: none known */
bool group_leads(const struct group *group);
/** Up to here the store holds what was applied. An entry is applied once a majority holds it durably, and that may be
 *  before our own write of it is done: until then the store may show what stood there before a truncation. */
uint64_t group_readable(const struct group *group);
/** An image is applied, and not on the disk yet: nothing can be read, and what comes after it is not applied. */
bool group_image_is_written(const struct group *group);

/* group_step.c: feed the core, carry out what it says */
enum lf_status group_step(struct node *node, struct group *group, const struct raft_event *event);
/** Received append entries, for group_step to take from. */
void group_on_message(struct node *node, struct group *group, struct peer_message *message);
/** Append one entry as leader. LF_OK with *index; LF_NOT_LEADER, LF_FULL, LF_OVERLOADED. `batch`: stamped with the base
 *  offset; takes nothing. */
enum lf_status group_propose(struct node *node, struct group *group, uint8_t type, uint16_t flags,
                             struct lf_bytes payload, uint32_t batch_records, uint64_t *index);
void group_tick(struct node *node, struct group *group, uint64_t absent_ms);
void group_flush_applied(struct node *node, struct group *group);
uint64_t group_log_time(const struct node *node, const struct group *group); /**< for the next entry */

/* group_apply.c */
void group_apply(struct node *node, struct group *group, uint64_t commit);
enum lf_status group_configuration_decode(struct lf_bytes payload, struct raft_configuration *configuration);
#define GROUP_CONFIGURATION_BYTES_MAX (RAFT_CONFIGURATION_BYTES_MAX - LF_ENTRY_HEADER_BYTES)
/** The payload of a configuration entry, written to `bytes`. */
struct lf_bytes group_configuration_encode(const struct raft_configuration *configuration,
                                           uint8_t bytes[GROUP_CONFIGURATION_BYTES_MAX]);

/* group_segments.c: what the machine decided about segments, carried out by the store */
void group_segments_count(struct node *node, struct group *group); /**< what is open has changed */
void group_segments_forget(struct node *node, struct group *group);
void group_segments_applied(struct node *node, struct group *group); /**< entries were */
void group_segments_tick(struct node *node, struct group *group);
/** Another node says where this group's log starts, committed: makes room if there is none. */
void group_segments_on_log_start(struct node *node, uint64_t id, uint64_t offset);
/** An image took the place of all segments, and the core knows. */
void group_segments_replaced(struct node *node, struct group *group, uint64_t previous_index);
void group_on_rewrite(struct node *node, struct group *group, const struct log_store_completion *completion);
/** The rewrite that is due, and not under way, came out as these segments, each held here or staged: they take the old
 *  ones' place. They are what the group has agreed on (partition_rewrite_result). */
void group_segments_take_result(struct node *node, struct group *group, const struct log_segment *segments,
                                size_t count);

/* retention.c, rewrites.c: what a leader decides about segments */
void segments_tick(struct node *node);
void segments_on_applied(struct node *node, const struct group *group);
const struct topic_settings *segments_settings(const struct node *node, const struct group *group);
/** Does it lead, and is nothing about segments in its log that is not applied? */
bool segments_may_decide(const struct node *node, const struct group *group);
/** Propose to end the open segment. False: not now. */
bool segments_roll(struct node *node, struct group *group);
/* active.c */
bool active_is_too_much(const struct node *node);
void active_relieve(struct node *node);
/** Propose an entry about segments. False: not now. */
bool segments_propose(struct node *node, struct group *group, uint8_t type, struct lf_bytes payload);
/** Have all replicas that are there the entries up to index, or were they waited for long enough? */
bool segments_held_by_members(const struct node *node, struct group *group, uint64_t index);
/** Move the log start, as somebody asked. LF_OK with *index: done once that is applied; LF_DUPLICATE: it is there or
 *  beyond, in *verdict; LF_INVALID: beyond what is committed; LF_NOT_LEADER, LF_OVERLOADED. */
enum lf_status segments_trim(struct node *node, struct group *group, int64_t offset, uint64_t *index,
                             struct partition_verdict *verdict);
void rewrites_tick(struct node *node, struct group *group);
/** May a rewrite of what ends with last_index be proposed now, if segments_may_decide? */
bool rewrites_may_begin(const struct node *node, struct group *group, uint64_t last_index);
/** clean_before_ms: as in partition_compaction_begin; 0 when it does not compact. */
bool rewrites_propose(struct node *node, struct group *group, const struct log_store_rewrite *wanted,
                      uint64_t clean_before_ms);

/* node_metrics.c */
void metrics_on_role(struct node *node, struct group *group);

/* cold.c: appends whose entries are read from the store */
void cold_send_start(struct node *node, struct group *group, const struct raft_message *message);
bool cold_must_queue(const struct group *group, uint64_t to);
void cold_on_read(struct node *node, struct group *group, uint64_t request, struct log_store_completion *completion);
void cold_drop_all(struct node *node, struct group *group);

/* peers.c */
struct peer *node_peer(struct node *node, uint64_t node_id);
void peers_on_envelope(struct node *node, struct peer_envelope *envelope);
/** Takes message->entries. Dropped when the peer is not known well enough. */
void peers_send(struct node *node, const struct group *group, struct peer_message *message);
void peers_greet(struct node *node);
/** Says who we are, now. With `answer`: instead of an ordinary greeting (taken); to_incarnation: whom it is for. */
void peers_send_greeting(struct node *node, struct peer *peer, struct peer_greeting *answer, uint64_t to_incarnation);
/** Who is to be sent to follows from group 0, the configuration and the greetings: makes it so. */
void peers_refresh(struct node *node);
/** A place for a stranger, to be told why it is one. NULL: too many. */
struct peer *peers_add_guest(struct node *node, const struct peer_member *address);
void peers_flush(struct node *node);
int64_t peers_median_clock(const struct node *node);

/* join.c: greetings: strangers, nodes that join, nodes that are behind */
/** True: nothing else is to be made of the envelope. */
bool join_on_greeting(struct node *node, const struct peer_envelope *envelope);
void join_tick(struct node *node);
/** May its envelopes count, by what group 0 says of its store? */
bool join_store_counts(const struct node *node, const struct peer_envelope *envelope);
/** The membership that a greeting brought is applied by now: forget it. */
void join_drop_welcome(struct node *node);
/** Which node is behind a replica of the group; 0: not known. */
uint64_t group_member_node(const struct node *node, const struct group *group, uint64_t replica);
/** Is this replica in the configuration of group 0 that runs here? */
bool join_in_group_zero(const struct node *node, uint64_t replica);

/** Has the node had this store before, and lost it or was removed with it? */
bool join_had_store(const struct metadata_node *known, const uint8_t *store_uuid);
/** Sends an answer with the membership, and the receiver's replica if its store is the pinned one. */
void join_answer_membership(struct node *node, struct peer *peer, const struct peer_envelope *envelope);
/** Says in a greeting why it does not count. `words` may be NULL. */
void join_answer_refusal(struct node *node, struct peer *peer, const struct peer_envelope *envelope,
                         enum peer_refusal why, const char *words);

/* replacements.c: nodes that lost their store come back with a new one */
/** Is it the greeting of one that this node may help? */
bool replacements_asked(const struct node *node, const struct peer_envelope *envelope);
void replacements_on_greeting(struct node *node, struct peer *peer, const struct peer_envelope *envelope);
void replacements_tick(struct node *node);

/* repairs.c: damaged segments, made anew from the leader's entries */
/** True: it will be repaired. False: it cannot be, the store is lost as a whole. */
bool repairs_found(struct node *node, struct group *group, const struct log_segment *segment,
                   const struct lf_error *error);
/** True: it was for a repair. */
bool repairs_on_message(struct node *node, struct group *group, struct peer_message *message);
bool repairs_on_stage(struct node *node, struct group *group, const struct log_store_completion *completion);
void repairs_on_wrote(struct node *node, struct group *group);
void repairs_tick(struct node *node, struct group *group);
void repairs_drop(struct group *group);
/** The store was told to give up what is staged: what was handed to it before does not count. */
void repairs_unstaged(struct node *node, struct group *group);
/** Does it hand pieces to the store now? */
bool repairs_stage(const struct group *group);
/** Something more important stages: begins anew later. */
void repairs_give_way(struct group *group);
bool repairs_damaged(const struct group *group, const struct log_segment *segment);

/* cluster.c: group 0 and what follows from it */
/** Pin the cluster's id in the store. */
void cluster_write_id(struct node *node, const struct group *group);
bool cluster_leads(const struct node *node);       /**< this node is the controller, and can commit */
uint64_t cluster_applied(const struct node *node); /**< of group 0; 0: does not run here */
void cluster_start(struct node *node);
void cluster_found_if_leader(struct node *node);
void cluster_pin_stores(struct node *node);
void cluster_on_metadata_loaded(struct node *node, struct group *group);
void cluster_on_applied(struct node *node, struct group *group, uint8_t entry_type,
                        const struct metadata_applied *applied);
/** Propose a command as the controller (takes it; cluster_leads must hold). */
enum lf_status cluster_propose(struct node *node, struct lf_buf *command);

/* reconcile.c: which replicas this node holds */
void cluster_reconcile(struct node *node);
void reconcile_topic(struct node *node, const struct metadata_topic *topic);
void reconcile_partition(struct node *node, const struct metadata_partition *partition);
/** The store has destroyed the replica that was here: R6. */
void reconcile_destroyed(struct node *node, uint64_t group);
/** The store said which replica it holds. False: the group is gone. */
bool reconcile_loaded(struct node *node, struct group *group, uint64_t replica);
/** Nodes were added, removed or drained. */
void reconcile_nodes(struct node *node);

/* chores.c, moves.c, reports.c, membership.c */
void chores_look_at(struct node *node, const struct metadata_partition *partition);
/** Leadership of the group begins here. */
void chores_on_lead(struct node *node, const struct group *group);
void chores_tick(struct node *node);
void chores_on_configuration(struct node *node, struct group *group); /**< one was applied */
void moves_lead(struct node *node, struct group *group, const struct metadata_partition *partition);
bool group_caught_up(const struct group *group, uint64_t replica); /**< asked of the leader */
void reports_send(struct node *node, const struct peer_report *report);
void reports_on_envelope(struct node *node, const struct peer_envelope *envelope);
void peers_send_report(struct node *node, uint64_t to_node, const struct peer_report *report);
void membership_tick(struct node *node);

/* drain.c, transfers.c, removals.c, check.c */
void drain_tick(struct node *node);
void transfers_on_request(struct node *node, struct session *session, const Lf__ClientRequest *request);
void transfers_tick(struct node *node);
void removals_wait(struct node *node, const struct parked *parked);
void removals_tick(struct node *node);
/* backups.c */
void backups_on_request(struct node *node, struct session *session, const Lf__ClientRequest *request);
void backups_on_done(struct node *node, const struct node_backup_done *done);

void check_on_request(struct node *node, struct session *session, const Lf__ClientRequest *request);

/* sessions.c */
struct session *node_session(const struct node *node, uint64_t id);
void sessions_on_frames(struct node *node, const struct node_event *event);
void session_close(struct node *node, struct session *session);
void sessions_tick(struct node *node);

/* space.c: room on the disk */
void space_on_event(struct node *node, const struct node_space *space);
void space_on_peer(struct node *node, struct peer *peer, uint32_t said);
enum node_space_level space_of(const struct node *node, uint64_t node_id);
/** As leader: may nothing be published into the group? Then in words. */
bool space_refuses(const struct node *node, const struct group *group, struct lf_error *error);
/** One sentence about too little room; false: there is enough. */
bool space_words(const struct node *node, char words[LF_ERROR_TEXT_BYTES]);
/** An append with entries is not sent to a node that would not take them. */
bool space_holds_back(const struct node *node, const struct group *group, const struct raft_message *message);
/** As follower: cuts a received append before its first batch while the disk is full. False: drop all of it. */
bool space_takes(struct node *node, struct peer_message *message);

/* room.c: what waits for clients to read it */
bool room_left(const struct node *node, const struct session *session);
void room_use(struct node *node, struct session *session, const struct node_client_send *send);
/** subscriptions_pump_session is called when there is room. */
void room_await(struct node *node, struct session *session);
/** The owner's figures of an event; session NULL: none. */
void room_on_told(struct node *node, struct session *session, const struct node_event *event);
void room_on_event(struct node *node, const struct node_event *event);
/** A session that asks on and on and reads nothing. True: it was closed, in words. */
bool room_closes(struct node *node, struct session *session, uint64_t request_id);

/* replies.c */
void reply_init(struct node *node, Lf__ClientReply *reply, uint64_t request_id);
/** Packs and sends with `count` frames (references taken). */
void reply_send(struct node *node, uint64_t session, Lf__ClientReply *reply, const struct node_frame *frames,
                size_t count);
void reply_error(struct node *node, uint64_t session, uint64_t request_id, enum lf_status status, const char *format,
                 ...) __attribute__((format(printf, 5, 6)));
/** NOT_LEADER (or NO_QUORUM / NOT_READY when no leader is known) with the leader's address. */
void reply_not_leader(struct node *node, uint64_t session, uint64_t request_id, const struct group *group);

/* publish.c */
void publish_on_request(struct node *node, struct session *session, const Lf__ClientRequest *request,
                        struct node_frame *batch);
void publish_on_raise_epoch(struct node *node, struct session *session, const Lf__ClientRequest *request);
void publish_answer(struct node *node, const struct parked *parked, const struct partition_applied *applied,
                    int32_t leader_epoch);
void publish_refuse(struct node *node, uint64_t session, uint64_t request_id, uint32_t bytes,
                    const struct partition_verdict *verdict);
void publish_fail(struct node *node, const struct parked *parked, enum lf_status status, const struct group *group);

/* commands.c: what changes group 0: topics, producers, nodes, moves */
void commands_on_request(struct node *node, struct session *session, const Lf__ClientRequest *request);
void commands_answer(struct node *node, const struct parked *parked, const struct metadata_applied *applied);

/* segment_requests.c: trim, list */
void segments_on_trim(struct node *node, struct session *session, const Lf__ClientRequest *request);
void segments_answer_trim(struct node *node, const struct parked *parked);
void segments_on_list(struct node *node, struct session *session, const Lf__ClientRequest *request);

/* settings_view.c: what can be set of a topic, and what is */
void settings_reply(struct node *node, uint64_t session, const Lf__ClientRequest *request);

/* topics.c: list, describe, metadata, status (views) */
void topics_on_metadata(struct node *node, struct session *session, Lf__ClientRequest **request);
void topics_answer_lookup(struct node *node, const struct parked *parked);
/** Takes *where if it waits. */
void topics_on_status(struct node *node, struct session *session, Lf__ClientRequest **where);
/** Finds the partition; LF_OK, TOPIC_UNKNOWN, TOPIC_DELETED, TOPIC_RECREATED, PARTITION_UNKNOWN, NOT_READY. */
enum lf_status topics_find(const struct node *node, const Lf__TopicRef *ref, const struct metadata_topic **topic);
enum lf_status topics_find_partition(const struct node *node, const Lf__TopicRef *ref, uint32_t partition,
                                     const struct metadata_partition **found);
/** Fills in where clients reach a node (borrows); false: not known. */
bool topics_broker(const struct node *node, uint64_t node_id, Lf__Broker *broker);

/* subscriptions.c */
void subscriptions_on_subscribe(struct node *node, struct session *session, Lf__ClientRequest **request);
void subscriptions_on_unsubscribe(struct node *node, struct session *session, const Lf__ClientRequest *request);
void subscriptions_on_credit(struct node *node, struct session *session, const Lf__Credit *credit);
void subscriptions_answer_lookup(struct node *node, struct parked *parked);
void subscriptions_pump_group(struct node *node, struct group *group);
void subscriptions_pump_session(struct node *node, struct session *session);
/** What the subscription `key` asked for came; last_index: up to where it had asked. */
void subscriptions_on_read(struct node *node, uint64_t key, uint64_t last_index,
                           struct log_store_completion *completion);
void subscriptions_on_time(struct node *node, struct parked *parked, struct log_store_completion *completion);
void subscriptions_end_group(struct node *node, struct group *group, enum lf_status status, const char *text);
void subscription_free(struct node *node, struct subscription *subscription);

/* lookups.c: offsets lookups and every other read that must see what was acknowledged before it */
void lookups_on_offsets(struct node *node, struct session *session, Lf__ClientRequest **request);
/** Start a read round on the group for *request (taken). */
void lookups_start(struct node *node, struct session *session, struct group *group, enum lookup_kind kind,
                   Lf__ClientRequest **request);
void lookups_on_answer(struct node *node, struct group *group, const struct raft_read_answer *answer);
void lookups_tick(struct node *node);
void lookups_answer(struct node *node, struct parked *parked);
void lookups_reply_position(struct node *node, uint64_t session, uint64_t request_id, int64_t offset,
                            int64_t timestamp_ms);
void lookups_fail_group(struct node *node, uint64_t group, enum lf_status status);

/* parked.c */
struct parked *parked_new(struct node *node, enum parked_kind kind, uint64_t group, uint64_t session,
                          uint64_t request_id); /**< NULL: parked_answers_max reached */
void parked_free(struct node *node, struct parked *parked);
void parked_insert(struct parked_list *list, struct parked *parked); /**< keeps the order by index */
void parked_remove(struct parked_list *list, struct parked *parked);
/** Answers everything waiting at or below `index`; called after each applied entry. */
void parked_resolve(struct node *node, struct group *group, uint64_t index, const struct partition_applied *partition,
                    const struct metadata_applied *metadata, uint64_t term);
/** Leadership is gone, or the group is: what was appended is unknown, what was not is not done. */
void parked_fail(struct node *node, struct group *group, enum lf_status status);

#endif
