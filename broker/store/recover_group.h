/** A group is made to go on with one replica alone, on the directory of a stopped node: after its majority was lost, or
 *  in a store that was restored.
 *
 *  One atomic write does it: a higher term without a vote, a configuration whose only voter is the replica, and, if
 *  wanted, an OFFSET_JUMP: of offsets in a partition, of replica and producer ids in group 0. Nothing that is in the
 * log is taken out. What was not known to be committed becomes so once the node leads. The assignment epoch stays, so
 * that whoever leads goes on to the members that group 0 wants (broker/node/moves.c). It is for one replica of each
 * group only: two that go on alone are two histories.
 */
#ifndef RECOVER_GROUP_H
#define RECOVER_GROUP_H

#include "store_tool.h"

/** By how much the term rises at least, so that no replica of the lost majority can have come near, in terms. What is
 *  added to it, less than it again, is made of the replica's id: for ids at most 100 apart, and the same term before,
 *  terms at least 5000 apart. A node that leads alone raises its term by one with each start: two that were wrongly
 *  recovered would need as many to meet in one term. It is no permission: where the terms before differed that is
 *  likely only, and once they talk to each other they take up each other's terms. */
#define RECOVER_TERM_STEP (1u << 20)
/** Voters and learners that are looked at, together. */
#define RECOVER_MEMBERS_MAX 64

/** What a look at the group tells. */
struct recover_group {
    uint64_t group, replica_id;
    uint64_t term; /**< the highest it knows */
    uint64_t last_index, last_term, applied_index;
    uint64_t log_time_ms;                                   /**< of the last entry */
    int64_t log_start_offset, committed_offset, end_offset; /**< 0 in group 0. committed: as known here */
    uint64_t bytes;                                         /**< of its entries that are left, roughly; 0 for group 0 */
    uint64_t epoch;
    uint64_t members[RECOVER_MEMBERS_MAX]; /**< voters (outgoing ones too) first, then learners */
    uint32_t voter_count, member_count;
    bool votes;  /**< the replica is among the voters */
    bool learns; /**< it is a learner */
    bool alone;  /**< it is the only voter: there is nothing to do */
};

/** Reads the group from the tool's store, its entries after the applied one too. LF_OK; LF_NOT_FOUND; LF_DAMAGED, or
 *  LF_INVALID when it cannot be told who its members are; in words. */
enum lf_status recover_group_look(struct store_tool *tool, uint64_t group, struct recover_group *out,
                                  struct lf_error *error);
/** Has another replica gone on alone, or one that was with it, and this one heard of its term, without having an entry
 *  of it? Then what is here is another history, and going on with it would give offsets that the other has given. No
 *  row of elections comes so far. */
bool recover_group_left_behind(const struct recover_group *group);
/** The term in which it goes on. */
uint64_t recover_group_term(const struct recover_group *group);
/** Where its offsets go on after a jump. */
int64_t recover_group_next_offset(const struct recover_group *group);
/** Makes the write, to be submitted to the store that was looked at, with nothing written between. LF_OK with *write
 *  (caller's); LF_INVALID in words: terms or offsets are used up; LF_NO_MEMORY. */
enum lf_status recover_group_write(const struct recover_group *group, bool jump, uint64_t token,
                                   struct log_store_write **write, struct lf_error *error);
/** One command more in such a write of group 0, after all that is in it. LF_OK, LF_NO_MEMORY. */
enum lf_status recover_group_add_command(const struct recover_group *group, struct log_store_write *write,
                                         struct lf_bytes command);

#endif
