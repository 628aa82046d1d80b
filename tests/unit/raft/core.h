/** One core on the bench: a test plays its disk, its clock and its peers, and looks at what each step wants done.
 *
 *  After every step the invariants are checked, also against the state before. Numbers of replicas are small: the core
 *  is replica 1 unless the start says otherwise; voters are 1 ... n.
 */
#ifndef CORE_H
#define CORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lf_bytes.h"
#include "raft.h"

struct core {
    struct raft *raft;
    struct raft *before;
    struct raft_effects effects;
    struct raft_limits limits;
    uint64_t now;
    enum lf_status status; /**< of the last step */
    char trace[4096];      /**< decision lines of the last step */
};

/** Terms of entries 1 ... count of a start; {0} for an empty log. */
struct log_of {
    uint64_t terms[64];
};

/** Voters 1 ... count. */
struct raft_configuration voters(uint32_t count);

/** A core with durable `term`, `vote` and log, commit 0. limits may be NULL. */
void core_start(struct core *core, uint64_t self, uint32_t voter_count, uint64_t term, uint64_t vote,
                const struct log_of *log, const struct raft_limits *limits);
void core_start_from(struct core *core, const struct raft_start *start, const struct raft_limits *limits);
void core_stop(struct core *core);
/** Stop and start again from what is durable. */
void core_restart(struct core *core, uint32_t voter_count, uint64_t term, uint64_t vote, const struct log_of *log);

void core_step(struct core *core, const struct raft_event *event);
void core_tick(struct core *core, uint64_t by_ms);
/** Tick until the role is not the one it is now; fails the test after a minute. */
void core_tick_until_role(struct core *core, enum raft_role role);
void core_message(struct core *core, const struct raft_message *message);
void core_wrote(struct core *core, uint64_t token);
/** Completes the write of the last step, if it had one. */
void core_wrote_last(struct core *core);
void core_wrote_failed(struct core *core, uint64_t token);
enum lf_status core_propose(struct core *core, uint32_t count, uint32_t bytes);
enum lf_status core_change(struct core *core, const struct raft_configuration *target);
enum lf_status core_read(struct core *core, uint64_t id);
enum lf_status core_transfer(struct core *core, uint64_t to);

/** Makes the core leader of the next term with all votes; its no-op is durable only if `durable`. Returns the no-op's
 *  index. The last step's effects are those of that last completion or vote. */
uint64_t core_lead(struct core *core, bool durable);

/** The n-th (from 0) message of the last step of this type to this replica (0: any), or NULL. */
const struct raft_message *core_sent(const struct core *core, enum raft_message_type type, uint64_t to);
const struct raft_message *core_sent_nth(const struct core *core, enum raft_message_type type, uint64_t to, size_t n);
size_t core_sent_count(const struct core *core, enum raft_message_type type);
struct raft_peer_view core_peer(const struct core *core, uint64_t replica);

/* Messages of peers, to the core. */
struct raft_message vote_request(const struct core *core, uint64_t from, uint64_t term, uint64_t last_index,
                                 uint64_t last_term);
struct raft_message pre_vote_request(const struct core *core, uint64_t from, uint64_t term, uint64_t last_index,
                                     uint64_t last_term);
struct raft_message vote_reply(const struct core *core, uint64_t from, uint64_t term, bool granted);
struct raft_message pre_vote_reply(const struct core *core, uint64_t from, uint64_t term, uint64_t campaign_term,
                                   bool granted);
/** entries: borrowed. */
struct raft_message append(const struct core *core, uint64_t from, uint64_t term, uint64_t prev_index,
                           uint64_t prev_term, const struct raft_entry *entries, uint32_t count, uint64_t commit);
struct raft_message append_ok(const struct core *core, uint64_t from, uint64_t sequence, uint64_t durable,
                              uint64_t received);
struct raft_message append_refused(const struct core *core, uint64_t from, uint64_t sequence, uint64_t prev_index,
                                   uint64_t last_index, uint64_t hint_index, uint64_t hint_term);
struct raft_message heartbeat(const struct core *core, uint64_t from, uint64_t term, uint64_t commit,
                              uint64_t sequence);
struct raft_message heartbeat_ok(const struct core *core, uint64_t from, uint64_t sequence, uint64_t durable);

#endif
