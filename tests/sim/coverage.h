/** Which decisions of the shipped code a run has seen, told from the decision lines, so that a quiet gap shows. Used by
 *  both simulators; each has its list. */
#ifndef SIM_COVERAGE_H
#define SIM_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Its presence fails a run. */
#define SIM_NEVER_SEEN 255

struct sim_decision {
    const char *words; /**< what it means */
    const char *first; /**< what the line says first, after words that are key=value */
    const char *more;  /**< what else is in it, or "" */
    uint32_t nodes;    /**< its absence fails a large run with so many nodes; 0: it is rare; or SIM_NEVER_SEEN */
};

#define SIM_DECISIONS_MAX 96

struct sim_coverage {
    uint64_t worlds; /**< looked at */
    uint64_t seen[SIM_DECISIONS_MAX];
};

/** The program's own list. */
extern const struct sim_decision sim_decisions[];
extern const size_t sim_decision_count;

/** One decision line, of whoever. Returns what it means when it must never be seen, else NULL. */
const char *sim_coverage_line(struct sim_coverage *coverage, const char *line);
void sim_coverage_add(struct sim_coverage *sum, const struct sim_coverage *more);
/** Prints when `print`; returns false, in words, when a decision that must be seen was not (and `strict`), or the other
 *  way round. */
bool sim_coverage_report(const struct sim_coverage *coverage, uint32_t nodes, bool strict, bool print);

/* What the consensus core says; both lists have it. */
#define SIM_CORE_DECISIONS                                                                                             \
    {"follower to pre-candidate", "ask for pre-votes", "", 2}, {"pre-vote granted", "grant pre-vote", "", 2},          \
        {"pre-vote refused: log behind", "refuse pre-vote", "(log behind)", 3},                                        \
        {"pre-vote refused: term not above", "refuse pre-vote", "(term not above)", 3},                                \
        {"pre-vote refused: leader alive", "refuse pre-vote", "(leader alive)", 3},                                    \
        {"pre-vote refused: damaged", "refuse pre-vote", "(may not vote)", 0},                                         \
        {"pre-candidate to candidate", "campaign (log", "", 2},                                                        \
        {"candidate because the leader asked", "campaign as asked", "", 2}, {"vote granted", "grant vote", "", 2},     \
        {"vote refused: log behind", "refuse vote", "(log behind", 0},                                                 \
        {"vote refused: given to another", "refuse vote", "(voted for another", 3},                                    \
        {"vote refused: has a leader in that term", "refuse vote", "(has a leader", 0},                                \
        {"vote refused: old term", "refuse vote", "(old term", 0},                                                     \
        {"vote refused: damaged", "refuse vote", "(may not vote", 0},                                                  \
        {"vote request ignored: leader alive", "ignore vote request", "", 3}, {"vote counted", "vote from=", "", 2},   \
        {"candidate to leader", "lead from", "", 1}, {"leader to follower", "follow leader=", "(was leader)", 2},      \
        {"candidate to follower", "follow leader=", "(was candidate)", 3},                                             \
        {"pre-candidate to follower", "follow leader=", "(was pre-candidate)", 2},                                     \
        {"follower enters a term", "follow leader=", "(was follower)", 2},                                             \
        {"leader steps down: no majority", "step down: no majority", "", 2},                                           \
        {"leader steps down: own disk stalls", "step down: own disk stalls", "", 0},                                   \
        {"leader removed itself and stepped down", "step down: no voter", "", 0},                                      \
        {"append refused: its predecessor is missing", "refuse append", "", 2},                                        \
        {"log truncated", "truncate from", "", 3},                                                                     \
        {"append dropped: it would replace what is settled", "drop append", "", SIM_NEVER_SEEN},                       \
        {"append dropped: malformed", "drop malformed", "", SIM_NEVER_SEEN},                                           \
        {"a second leader in one term", "drop a second leader", "", SIM_NEVER_SEEN},                                   \
        {"an acknowledgement beyond what was sent", "drop impossible", "", SIM_NEVER_SEEN},                            \
        {"a peer lost what it acknowledged", "is damaged: log end", "", SIM_NEVER_SEEN},                               \
        {"entry committed", "commit ", "", 1}, {"peer probed", "probe peer", "", 2},                                   \
        {"peer replicated to", "replicate to peer", "", 2}, {"leadership handed over", "hand over to", "", 2},         \
        {"hand-over given up: took too long", "stop handing over", "(took too long)", 2},                              \
        {"hand-over given up: target is no voter", "stop handing over", "(target is no voter", 0},                     \
        {"hand-over refused: log end not what was promised", "do not take over", "", 0}, {                             \
        "replica stopped", "stop:", "", 0                                                                              \
    }

#endif
