/** The core from inside. Every file of this folder and its tests may include it; nobody else.
 *
 *  One step: an on_*.c (or tick, propose, read, transfer, writes) changes the state and puts messages into the effects;
 *  then raft.c settles: what waited for the disk is released, the leader's commit and reads are looked at again, and
 *  the step's one write is numbered. So "after which write may this leave" is answered in one place, held.c, from the
 *  state of that moment.
 */
#ifndef RAFT_INTERNAL_H
#define RAFT_INTERNAL_H

#include "lf_check.h"
#include "raft.h"
#include "raft_log.h"

/** Bytes that a leader's no-op takes: an entry header alone. */
#define RAFT_NOOP_BYTES 64
/** Writes told apart while under way; beyond it the newest two count as one (it is durable when both are). */
#define RAFT_WRITES_MAX 32
/** Rounds of heartbeats that reads may have under way at once; later reads share the next. */
#define RAFT_READ_ROUNDS_MAX 2

/** A leader's view of one peer.
 *
 *  probing: one append at a time, `next` is a guess. replicating: `next` runs ahead of the answers, up to the window.
 *  Needing an image (offer.c): what is at `next` is not in the log any more, or was offered as an image: no appends.
 *  A network that reorders makes most of a window useless, since a follower takes appends in order only; then few
 *  larger appends bring more than many small ones. Appends are numbered per peer; inflight = sequence - answered,
 *  whatever was lost. */
struct raft_peer {
    uint64_t replica;
    uint64_t match;    /**< equal and durable there up to here */
    uint64_t received; /**< equal there up to here, maybe only in memory; at least match */
    uint64_t next;
    uint64_t sequence;       /**< of the last append sent */
    uint64_t answered;       /**< appends up to this one were answered, or are given up */
    uint64_t session;        /**< refusals of appends up to this one are from before the last change of state */
    uint64_t match_sequence; /**< last append sent when match was raised: later ones were sent knowing it (rule 11) */
    uint64_t append_round;   /**< round_sent when the last append left */
    uint64_t image_index;    /**< the owner wants it to get an image up to here, at least; 0: only when it must */
    uint64_t round_acked;
    uint64_t heard_ms;
    uint32_t window; /**< appends in flight while replicating: halved by a refusal, one more with each that arrives */
    bool replicating;
    bool damaged;
};

/** Handing over to the preferred replica (prefer.c). */
struct raft_preference {
    uint64_t replica;  /**< 0: nobody */
    uint64_t ready_ms; /**< since when it could take over; UINT64_MAX: it cannot */
    uint64_t wait_ms;  /**< so long has it to be ready; 0: prefer_after_ms */
    uint64_t tried_ms; /**< when leadership was handed to it last; UINT64_MAX: never */
};

/** Persists under way that complete together: tokens first_token ... last_token. */
struct raft_write {
    uint64_t first_token;
    uint64_t last_token;
    uint32_t finished;   /**< how many of them */
    uint64_t last_index; /**< durable log end when it is finished; falls when a later truncation overtakes it (B14) */
    uint64_t term;
    uint64_t vote;
    uint64_t issued_ms;
};

struct raft_writes {
    struct raft_write ring[RAFT_WRITES_MAX];
    uint32_t head;
    uint32_t count;
    uint64_t next_token;
    uint64_t durable_index;
    uint64_t durable_term;
    uint64_t durable_vote;
};

/** An unanswered read. Of a leader: own or a peer's, in order of arrival. Of a follower: forwarded to the leader. */
struct raft_read {
    uint64_t id;
    uint64_t asker;    /**< replica that asked; self for own */
    uint64_t round;    /**< leader: answered when a majority acked this round; 0: no own-term commit yet */
    uint64_t index;    /**< leader: commit when it began */
    uint64_t question; /**< follower: our own number for it, never used twice (F2) */
    uint64_t asked_ms;
};

struct raft {
    uint64_t self;
    uint64_t random;
    struct raft_limits limits;
    bool vote_disabled;
    bool failed;

    uint64_t term;
    uint64_t vote;
    enum raft_role role;
    uint64_t leader;
    uint64_t commit;
    uint64_t peers_configuration; /**< index of the configuration that peers and vote bits are counted by */
    struct raft_log log;
    struct raft_writes writes;

    /* Not leader. */
    uint64_t leader_heard_ms;
    uint64_t election_deadline_ms;
    uint64_t equal_index;   /**< this term's leader's log and ours are equal up to here */
    uint64_t acked_durable; /**< newest durable position said to this term's leader */
    uint64_t owed_vote;     /**< candidate whose vote leaves when it is durable; 0: none */

    struct raft_preference preferred;

    /* Candidate and pre-candidate: a bit per position among the members of the configuration. */
    uint32_t granted;
    bool vote_requested; /**< own vote and log end are durable, the requests have left */
    bool campaign_by_transfer;
    uint64_t campaign_ms; /**< when the candidacy began, and with it the write of the own vote */

    /* Leader. */
    struct raft_peer peers[RAFT_MEMBERS_MAX];
    uint32_t peer_count;
    uint64_t sequence_floor; /**< appends to a peer that is new, or back again, are numbered from here on (B8) */
    bool resigning;          /**< it is no voter any more and told the others of the commit that made it so */
    uint64_t noop_index;     /**< first entry of its own term */
    uint64_t round_sent;
    uint64_t next_beat_ms;
    uint64_t uncommitted_bytes;
    uint64_t transfer_to;
    uint64_t transfer_deadline_ms;
    bool transfer_said; /**< TIMEOUT_NOW went out since the last beat */

    struct raft_read *reads;
    size_t read_count;
    size_t read_capacity;
    uint64_t next_question;

    /* For the length of a step. */
    uint64_t now_ms;
    struct raft_effects *effects;

    raft_trace *trace;
    void *trace_context;
};

/* trace.c */
void raft_tracef(const struct raft *raft, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define RAFT_TRACE(raft, ...)                                                                                          \
    do {                                                                                                               \
        if ((raft)->trace)                                                                                             \
            raft_tracef((raft), __VA_ARGS__);                                                                          \
    } while (0)
/** For %llu. */
static inline unsigned long long raft_u(uint64_t value) { return value; }

/* send.c */
/** A message in the effects, zeroed but for type, from, to and the current term. */
struct raft_message *raft_send(struct raft *raft, enum raft_message_type type, uint64_t to);
void raft_answer_read(struct raft *raft, uint64_t id, uint64_t index, enum lf_status status);
size_t raft_messages_max(const struct raft_limits *limits);

/* limits.c */
struct raft_limits raft_limits_with_defaults(const struct raft_limits *limits);
bool raft_limits_are_valid(const struct raft_limits *limits);

/* random.c */
uint64_t raft_random(struct raft *raft);
uint64_t raft_election_timeout(struct raft *raft);

/* quorum.c */
/** The largest value that a majority of the `count` (1 ... RAFT_VOTERS_MAX) values reaches. */
uint64_t raft_quorum_of(const uint64_t *values, uint32_t count);
/** What one voter brings. */
typedef uint64_t raft_value_of(const void *context, uint64_t replica);
/** The largest value that the configuration's voters reach: a majority of them, and of the outgoing ones if it is
 * joint. The one place where majorities are counted (C3, C4, F7). */
uint64_t raft_quorum(const struct raft_configuration *configuration, raft_value_of *value_of, const void *context);

/* writes.c: which part of the state is durable */
/** This step's write, begun when first asked for. */
struct raft_persist *raft_persist(struct raft *raft);
/** Entries at and above first are gone from the log: writes under way no longer make them durable. */
void raft_writes_truncated(struct raft *raft, uint64_t first);
/** End of step: remember what its write will make durable. */
void raft_writes_seal(struct raft *raft);
void raft_on_wrote(struct raft *raft, uint64_t token, enum lf_status status);
/** When the oldest write under way was issued; UINT64_MAX when none is. */
uint64_t raft_writes_oldest_ms(const struct raft *raft);
/** Durable up to here, and equal to this term's leader's log. 0 while the term itself is not durable (A5). */
uint64_t raft_acknowledgeable(const struct raft *raft);

/* held.c: messages that wait for the disk */
void raft_release_held(struct raft *raft);

/* role.c: the only place where term, role and leader change */
/** Follow `leader` (0: unknown) in `term`, which is not below the current one. */
void raft_become_follower(struct raft *raft, uint64_t term, uint64_t leader);
void raft_become_pre_candidate(struct raft *raft);
void raft_become_candidate(struct raft *raft, bool by_transfer);
void raft_become_leader(struct raft *raft);
/** Take part in nothing any more. */
void raft_fail(struct raft *raft, const char *why);
void raft_reset_election_timer(struct raft *raft);

/* election.c */
bool raft_may_campaign(const struct raft *raft);
/** Has it heard of a living leader so recently that it helps nobody to replace it? */
bool raft_sticks_to_leader(const struct raft *raft);
void raft_start_campaign(struct raft *raft);
/** Count a (pre-)vote of `voter`; returns whether it makes a majority. */
bool raft_count_vote(struct raft *raft, uint64_t voter);
void raft_send_vote_requests(struct raft *raft, enum raft_message_type type);

/* follow.c */
/** A message of this term's leader, or of a newer one: follow it. False when it has to be dropped. */
bool raft_hear_leader(struct raft *raft, const struct raft_message *message);
/** Commit up to `index`, known equal to the leader's log. */
void raft_follow_commit(struct raft *raft, uint64_t index);
/** Is the leader's entry, of this term at `index`, another one than what is committed here? No majority that knew of
 * ours can have chosen that leader. Before the log's begin only terms that are too high tell. */
bool raft_contradicts(const struct raft *raft, uint64_t index, uint64_t term);
/** The message says so: nothing is taken of it, and the owner is told. */
void raft_contradicted(struct raft *raft, const struct raft_message *message, uint64_t index);

/* progress.c */
struct raft_peer *raft_peer(struct raft *raft, uint64_t replica);
const struct raft_peer *raft_known_peer(const struct raft *raft, uint64_t replica);
/** Nothing is known of anybody's log; the first entry to send is `next`. */
void raft_peers_reset(struct raft *raft, uint64_t next);
/** After the configuration in force changed: members that stay keep their progress. */
void raft_peers_follow_configuration(struct raft *raft);
/** Bytes of the entries sent to it and not known to have arrived: from the log, so that nothing can leak (H7). */
uint64_t raft_peer_inflight_bytes(const struct raft *raft, const struct raft_peer *peer);
static inline uint64_t raft_peer_inflight(const struct raft_peer *peer) { return peer->sequence - peer->answered; }
void raft_peer_probe(struct raft *raft, struct raft_peer *peer, uint64_t next);
/** Equal up to `received`, durable up to `durable`. */
void raft_peer_acked(struct raft *raft, struct raft_peer *peer, uint64_t durable, uint64_t received);
void raft_peer_is_damaged(struct raft *raft, struct raft_peer *peer, uint64_t last_index);
/** Smallest match of the peers that count. */
uint64_t raft_peers_lowest_match(const struct raft *raft);

/* replicate.c */
/** Send what the peer lacks, as far as its state and window allow. Returns whether anything left. */
bool raft_replicate(struct raft *raft, struct raft_peer *peer);
void raft_replicate_all(struct raft *raft);
/** An append without entries at the end of what was sent: its answer tells what got lost. */
void raft_replicate_empty(struct raft *raft, struct raft_peer *peer);
/** A new round of heartbeats. */
void raft_beat(struct raft *raft);

/* offer.c */
/** What it needs next cannot or shall not come by appends. */
bool raft_peer_needs_image(const struct raft *raft, const struct raft_peer *peer);
/** It begins to need one, from `next` on: says so to it. */
void raft_peer_offer(struct raft *raft, struct raft_peer *peer, uint64_t next);
/** Once more to all that need one, at the pace of heartbeats. */
void raft_offers_repeat(struct raft *raft);
enum lf_status raft_offer(struct raft *raft, uint64_t replica, uint64_t index);

/* install.c: the log's begin moves */
enum lf_status raft_compacted(struct raft *raft, uint64_t index);
enum lf_status raft_install(struct raft *raft, const struct raft_event *event);

/* commit.c */
void raft_advance_commit(struct raft *raft);
void raft_set_commit(struct raft *raft, uint64_t index);
static inline bool raft_committed_own_term(const struct raft *raft) {
    return raft->role == RAFT_LEADER && raft->commit >= raft->noop_index;
}

/* propose.c */
enum lf_status raft_propose(struct raft *raft, const struct raft_entry *entries, uint32_t count);
/** Would `count` more entries keep the bytes of all own uncommitted ones remembered? */
bool raft_has_room(const struct raft *raft, uint32_t count);

/* own_entry.c: what a leader appends by itself */
/** The no-op (configuration NULL) or a configuration. False without memory or room, or when the step writes entries
 *  already: nothing happened. */
bool raft_append_own(struct raft *raft, const struct raft_configuration *configuration);

/* change.c: members */
enum lf_status raft_change(struct raft *raft, const struct raft_configuration *target);
/** Leader: leave a joint configuration that is committed; hand over when it is no voter any more. */
void raft_change_advance(struct raft *raft);
/** The configuration in force may have changed with the log: peers, votes and a transfer follow it. */
void raft_follow_configuration(struct raft *raft);

/* prefer.c: who should lead */
void raft_prefer(struct raft *raft, uint64_t replica);
/** Leader, at a tick: hand over when the preferred replica is ready for it. */
void raft_prefer_advance(struct raft *raft);

/* read.c */
enum lf_status raft_read(struct raft *raft, uint64_t id);
/** Leader: queue a read. LF_FULL. */
enum lf_status raft_read_begin(struct raft *raft, uint64_t id, uint64_t asker);
/** Leader: answer what is confirmed, start the next round if reads need one. */
void raft_reads_advance(struct raft *raft);
/** Answer all with a failure: own ones with `status`, peers' with LF_NOT_LEADER. */
void raft_reads_fail(struct raft *raft, enum lf_status status);
/** Follower: give up on questions that were not answered in time. */
void raft_reads_expire(struct raft *raft);
uint64_t raft_reads_deadline(const struct raft *raft);

/* transfer.c */
enum lf_status raft_transfer(struct raft *raft, uint64_t to);
/** Tell the target to campaign once it holds the whole log durably. */
void raft_transfer_advance(struct raft *raft);
void raft_transfer_stop(struct raft *raft, const char *why);

/* tick.c */
void raft_tick(struct raft *raft, uint64_t absent_ms);
uint64_t raft_deadline(const struct raft *raft);

/* on_*.c: one per message */
void raft_on_pre_vote_request(struct raft *raft, const struct raft_message *message);
void raft_on_pre_vote_reply(struct raft *raft, const struct raft_message *message);
void raft_on_vote_request(struct raft *raft, const struct raft_message *message);
void raft_on_vote_reply(struct raft *raft, const struct raft_message *message);
void raft_on_append_request(struct raft *raft, const struct raft_message *message);
void raft_on_append_reply(struct raft *raft, const struct raft_message *message);
void raft_on_heartbeat_request(struct raft *raft, const struct raft_message *message);
void raft_on_heartbeat_reply(struct raft *raft, const struct raft_message *message);
void raft_on_timeout_now(struct raft *raft, const struct raft_message *message);
void raft_on_read_request(struct raft *raft, const struct raft_message *message);
void raft_on_read_reply(struct raft *raft, const struct raft_message *message);
void raft_on_image_offer(struct raft *raft, const struct raft_message *message);

#endif
