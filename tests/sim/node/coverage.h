/** Which decisions of the shipped code a run has seen, told from the decision lines: a quiet gap shows.
 *
 *  X(name, what it means, what the line says first, what else is in it, how many nodes it needs)
 *  nodes 0: rare, its absence fails nothing; SIM_NEVER_SEEN: its presence does. */
#ifndef SIM_COVERAGE_H
#define SIM_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_NEVER_SEEN 255

#define SIM_DECISIONS(X)                                                                                               \
    X(pre_vote_asked, "follower to pre-candidate", "ask for pre-votes", "", 2)                                         \
    X(pre_vote_granted, "pre-vote granted", "grant pre-vote", "", 2)                                                   \
    X(pre_vote_behind, "pre-vote refused: log behind", "refuse pre-vote", "(log behind)", 3)                           \
    X(pre_vote_term, "pre-vote refused: term not above", "refuse pre-vote", "(term not above)", 3)                     \
    X(pre_vote_leader, "pre-vote refused: leader alive", "refuse pre-vote", "(leader alive)", 3)                       \
    X(campaign, "pre-candidate to candidate", "campaign (log", "", 2)                                                  \
    X(campaign_asked, "candidate because the leader asked", "campaign as asked", "", 2)                                \
    X(vote_granted, "vote granted", "grant vote", "", 2)                                                               \
    X(vote_behind, "vote refused: log behind", "refuse vote", "(log behind", 0)                                        \
    X(vote_given, "vote refused: given to another", "refuse vote", "(voted for another", 3)                            \
    X(vote_has_leader, "vote refused: has a leader in that term", "refuse vote", "(has a leader", 0)                   \
    X(vote_old_term, "vote refused: old term", "refuse vote", "(old term", 0)                                          \
    X(vote_ignored, "vote request ignored: leader alive", "ignore vote request", "", 3)                                \
    X(lead, "candidate to leader", "lead from", "", 1)                                                                 \
    X(leader_deposed, "leader to follower", "follow leader=", "(was leader)", 2)                                       \
    X(candidate_lost, "candidate to follower", "follow leader=", "(was candidate)", 3)                                 \
    X(pre_candidate_lost, "pre-candidate to follower", "follow leader=", "(was pre-candidate)", 2)                     \
    X(follower_term, "follower enters a term", "follow leader=", "(was follower)", 2)                                  \
    X(no_majority, "leader steps down: no majority", "step down: no majority", "", 2)                                  \
    X(disk_stalls, "leader steps down: own disk stalls", "step down: own disk stalls", "", 0)                          \
    X(append_refused, "append refused: its predecessor is missing", "refuse append", "", 2)                            \
    X(truncated, "log truncated", "truncate from", "", 3)                                                              \
    X(settled, "append dropped: it would replace what is settled", "drop append", "", SIM_NEVER_SEEN)                  \
    X(malformed, "append dropped: malformed", "drop malformed", "", SIM_NEVER_SEEN)                                    \
    X(second_leader, "a second leader in one term", "drop a second leader", "", SIM_NEVER_SEEN)                        \
    X(impossible, "an acknowledgement beyond what was sent", "drop impossible", "", SIM_NEVER_SEEN)                    \
    X(lost_log, "a peer lost what it acknowledged", "is damaged: log end", "", SIM_NEVER_SEEN)                         \
    X(probing, "peer probed", "probe peer", "", 2)                                                                     \
    X(replicating, "peer replicated to", "replicate to peer", "", 2)                                                   \
    X(hand_over, "leadership handed over", "hand over to", "", 2)                                                      \
    X(hand_over_late, "hand-over given up: took too long", "stop handing over", "(took too long)", 2)                  \
    X(not_flushed, "hand-over refused: log end not what was promised", "do not take over", "", 0)                      \
    X(replica_runs, "replica loaded", "runs: term", "", 1)                                                             \
    X(replica_gone, "replica destroyed with its topic", "destroyed: its topic was deleted", "", 1)                     \
    X(group_stopped, "a group stopped: replicas disagree", "stopped:", "", SIM_NEVER_SEEN)                             \
    X(client_again, "a client's reader goes on elsewhere", "again:", "", 1)                                            \
    X(client_unknown, "a client renumbers after an unknown outcome", "raise to", "", 0)                                \
    X(client_gone, "a client's connection ends", "gone", "", 1)

enum {
#define SIM_DECISION_(name, words, first, more, nodes) SIM_DECISION_##name,
    SIM_DECISIONS(SIM_DECISION_)
#undef SIM_DECISION_
        SIM_DECISION_COUNT
};

struct sim_coverage {
    uint64_t worlds; /**< looked at */
    uint64_t seen[SIM_DECISION_COUNT];
};

/** One decision line, of whoever. */
void sim_coverage_line(struct sim_coverage *coverage, const char *line);
void sim_coverage_add(struct sim_coverage *sum, const struct sim_coverage *more);
/** Prints when `print`; returns false, in words, when a decision that must be seen was not, or the other way round. */
bool sim_coverage_report(const struct sim_coverage *coverage, uint32_t nodes, bool strict, bool print);

#endif
