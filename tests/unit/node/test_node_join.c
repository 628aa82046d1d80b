/** Nodes that join, come back and leave, one fact each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node_world.h"
#include "raft_configuration.h"

#define assert_status(got, wanted) assert_string_equal(lf_status_name(got), lf_status_name(wanted))

static int tear_down(void **state) {
    struct world *world = *state;
    if (world) {
        world_deinit(world);
        free(world);
    }
    return 0;
}

static struct world *begin(void **state, size_t founders) {
    struct world *world = calloc(1, sizeof *world);
    *state = world;
    world_init(world, founders);
    assert_true(world_wait_leader(world, 0, 5000) >= 0);
    world->verbose = getenv("VERBOSE") != NULL;
    return world;
}

/** Of group 0, as its leader has it in force; NULL: no leader now. */
static const struct raft_configuration *members(const struct world *world) {
    int leader = world_leader(world, 0);
    return leader < 0 ? NULL : raft_configuration(node_group_raft(world->nodes[leader], 0));
}

struct counts {
    uint32_t voters, learners;
};
static bool has_counts(struct world *world, void *context) {
    const struct counts *wanted = context;
    const struct raft_configuration *now = members(world);
    return now && now->outgoing_count == 0 && now->voter_count == wanted->voters &&
           now->learner_count == wanted->learners;
}
static void wait_members(struct world *world, uint32_t voters, uint32_t learners) {
    struct counts wanted = {voters, learners};
    if (!world_until(world, has_counts, &wanted, 10000)) {
        const struct raft_configuration *now = members(world);
        fail_msg("voters %u learners %u outgoing %u, not %u and %u", now ? now->voter_count : 0,
                 now ? now->learner_count : 0, now ? now->outgoing_count : 0, voters, learners);
    }
}

static bool has_failed(struct world *world, void *context) { return world->fatal[*(size_t *)context] != LF_OK; }

static void added_node_joins_is_filled_and_votes(void **state) {
    struct world *world = begin(state, 3);
    world_topic(world, "before", 2, 3);
    assert_status(world_add(world, 4), LF_OK);
    wait_members(world, 3, 0); /* it was never seen: it counts for nothing yet */
    size_t joiner = world_join(world);
    assert_int_equal(joiner, 3);
    wait_members(world, 4, 0);
    assert_int_not_equal(node_find_group(world->nodes[joiner], "before", 1), 0);
    world_run(world, 200);
    assert_int_equal(node_group_applied_checksum(world->nodes[joiner], 0),
                     node_group_applied_checksum(world->nodes[0], 0));
}

static void node_may_be_started_before_it_is_added(void **state) {
    struct world *world = begin(state, 3);
    size_t joiner = world_join(world);
    world_run(world, 3000);
    uint64_t group;
    assert_int_equal(node_groups(world->nodes[joiner], &group, 1), 0); /* messages make no replica */
    assert_status(world->fatal[joiner], LF_OK);
    assert_true(node_counts(world->nodes[0]).peer_dropped_stranger > 0);
    assert_status(world_add(world, 4), LF_OK);
    wait_members(world, 4, 0);
}

static void cluster_of_one_grows_to_five_voters_and_learners(void **state) {
    struct world *world = begin(state, 1);
    for (uint64_t id = 2; id <= 7; id++) {
        assert_status(world_add(world, id), LF_OK);
        world_join(world);
        wait_members(world, id <= 5 ? (uint32_t)id : 5, id <= 5 ? 0 : (uint32_t)id - 5);
    }
    world_crash(world, 0, MEM_DISK_KILL); /* the founder: the others do without */
    assert_true(world_wait_leader(world, 0, 5000) > 0);
    world_topic(world, "after", 1, 3);
}

static void seven_founders_have_five_voters(void **state) {
    struct world *world = begin(state, 7);
    wait_members(world, 5, 2);
    world_run(world, 1000);
    wait_members(world, 5, 2);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(node_group_applied_checksum(world->nodes[i], 0),
                         node_group_applied_checksum(world->nodes[0], 0));
}

static void joined_node_just_goes_on_after_a_restart(void **state) {
    struct world *world = begin(state, 3);
    assert_status(world_add(world, 4), LF_OK);
    size_t joiner = world_join(world);
    wait_members(world, 4, 0);
    world_crash(world, joiner, MEM_DISK_POWER);
    world_run(world, 500);
    world_start(world, joiner);
    world_topic(world, "t", 4, 3);
    world_run(world, 1000);
    assert_int_equal(node_group_applied_checksum(world->nodes[joiner], 0),
                     node_group_applied_checksum(world->nodes[0], 0));
}

/** Whatever the moment of the crash, the next start goes on. */
static void joiner_may_crash_at_any_time(void **state) {
    for (uint64_t at = 1; at < 700; at += 7) {
        struct world *world = begin(state, 3);
        assert_status(world_add(world, 4), LF_OK);
        size_t joiner = world_join(world);
        world_run(world, at);
        world_crash(world, joiner, at % 2 ? MEM_DISK_KILL : MEM_DISK_POWER);
        world_run(world, at % 3 * 300);
        world_start(world, joiner);
        wait_members(world, 4, 0);
        assert_status(world->fatal[joiner], LF_OK);
        tear_down(state);
        *state = NULL;
    }
}

static void joining_survives_lost_messages_and_lost_controllers(void **state) {
    struct world *world = begin(state, 3);
    assert_status(world_add(world, 4), LF_OK);
    world->lose_permille = 300;
    size_t joiner = world_join(world);
    for (int i = 0; i < 3; i++) {
        world_run(world, 150);
        int leader = world_leader(world, 0);
        if (leader < 0 || leader > 2)
            continue;
        world_crash(world, (size_t)leader, MEM_DISK_KILL);
        world_run(world, 700);
        world_start(world, (size_t)leader);
    }
    world->lose_permille = 0;
    wait_members(world, 4, 0);
    assert_status(world->fatal[joiner], LF_OK);
}

static void another_cluster_name_ends_a_joiner_in_words(void **state) {
    struct world *world = begin(state, 3);
    assert_status(world_add(world, 4), LF_OK);
    world->cluster_names[3] = "other";
    size_t joiner = world_join(world);
    assert_true(world_until(world, has_failed, &joiner, 5000));
    assert_status(world->fatal[joiner], LF_WRONG_CLUSTER);
    assert_non_null(strstr(world->fatal_text[joiner], "cluster.name"));
    wait_members(world, 3, 0);
}

static void wiped_disk_under_an_old_identity_counts_for_nothing(void **state) {
    struct world *world = begin(state, 3);
    world_topic(world, "t", 1, 3);
    world_run(world, 500);
    size_t wiped = 2;
    world_crash(world, wiped, MEM_DISK_KILL);
    world_wipe(world, wiped);
    world_start(world, wiped);
    assert_true(world_until(world, has_failed, &wiped, 5000));
    assert_status(world->fatal[wiped], LF_WRONG_STORE);
    assert_non_null(strstr(world->fatal_text[wiped], "--replace-store"));
    assert_true(node_counts(world->nodes[0]).peer_dropped_store + node_counts(world->nodes[1]).peer_dropped_store > 0);
    wait_members(world, 3, 0);
}

/** Whoever it is configured to ask says who is who, so that the controller's word reaches it. */
static void wiped_disk_hears_of_a_controller_it_was_not_told_of(void **state) {
    struct world *world = begin(state, 3);
    assert_status(world_add(world, 4), LF_OK);
    size_t joined = world_join(world), wiped = 2;
    wait_members(world, 4, 0);
    for (int tries = 0; world_leader(world, 0) != (int)joined; tries++) {
        int leader = world_leader(world, 0);
        assert_true(tries < 100);
        if (leader >= 0) {
            world_crash(world, (size_t)leader, MEM_DISK_KILL);
            world_run(world, 1000);
            world_start(world, (size_t)leader);
        }
        world_run(world, 1000);
    }
    world_crash(world, wiped, MEM_DISK_KILL);
    world_wipe(world, wiped);
    world_start(world, wiped);
    assert_true(world_until(world, has_failed, &wiped, 5000));
    assert_int_equal(world_leader(world, 0), joined);
    assert_status(world->fatal[wiped], LF_WRONG_STORE);
    assert_non_null(strstr(world->fatal_text[wiped], "--replace-store"));
}

static void wiped_disk_comes_back_when_removed_and_added_again(void **state) {
    struct world *world = begin(state, 3);
    world_run(world, 500);
    world_crash(world, 2, MEM_DISK_KILL);
    world_wipe(world, 2);
    assert_status(world_remove(world, 3), LF_OK);
    wait_members(world, 2, 0);
    assert_status(world_add(world, 3), LF_OK);
    world_start(world, 2);
    wait_members(world, 3, 0);
    world_topic(world, "t", 1, 3);
    assert_status(world->fatal[2], LF_OK);
}

/** Whoever is told that the removal is done may stop the node at once; down to the last. */
static void removed_node_may_be_stopped_once_the_removal_is_answered(void **state) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = begin(state, 3);
        world_run(world, seed * 13);
        for (size_t gone = 2; gone >= 1; gone--) {
            assert_status(world_remove(world, gone + 1), LF_OK);
            world_crash(world, gone, MEM_DISK_KILL);
            world_run(world, seed);
        }
        world_crash(world, 0, MEM_DISK_POWER);
        world_start(world, 0);
        assert_true(world_wait_leader(world, 0, 5000) == 0);
        world_topic(world, "t", 1, 1);
        tear_down(state);
        *state = NULL;
    }
}

/** `--bootstrap` in place of `--join`: its store is not taken for that of the node that was added. */
static void founder_added_again_that_founds_once_more_is_told_to_join(void **state) {
    struct world *world = begin(state, 3);
    world_run(world, 500);
    size_t again = 2;
    world_crash(world, again, MEM_DISK_KILL);
    world_wipe(world, again);
    assert_status(world_remove(world, 3), LF_OK);
    wait_members(world, 2, 0);
    assert_status(world_add(world, 3), LF_OK);
    world->found_again = true;
    world_start(world, again);
    assert_true(world_until(world, has_failed, &again, 5000));
    assert_status(world->fatal[again], LF_WRONG_STORE);
    assert_non_null(strstr(world->fatal_text[again], "--join"));
    world_crash(world, again, MEM_DISK_KILL);
    world_wipe(world, again);
    world->found_again = false;
    world_start(world, again);
    wait_members(world, 3, 0);
}

static void machine_with_an_older_clock_replaces_a_node(void **state) {
    struct world *world = begin(state, 3);
    world_run(world, 500);
    world->incarnation = 1000;
    world_crash(world, 2, MEM_DISK_KILL);
    world_start(world, 2);
    world_run(world, 500);
    world_crash(world, 2, MEM_DISK_KILL);
    world_wipe(world, 2);
    assert_status(world_remove(world, 3), LF_OK);
    assert_status(world_add(world, 3), LF_OK);
    world->incarnation = 500;
    world_start(world, 2);
    wait_members(world, 3, 0);
    world_run(world, 5000);
    assert_status(world->fatal[2], LF_OK);
}

/** What a process sees whose store was copied, and the copy started: the others speak to the later one only. */
static void process_that_a_later_one_of_its_store_replaced_ends_in_words(void **state) {
    struct world *world = begin(state, 3);
    world_run(world, 500);
    size_t old = 2;
    world->incarnation = 1000;
    world_crash(world, old, MEM_DISK_KILL);
    world_start(world, old);
    world_run(world, 500);
    world_crash(world, old, MEM_DISK_KILL);
    world->incarnation = 900;
    world_start(world, old);
    assert_true(world_until(world, has_failed, &old, 10000));
    assert_status(world->fatal[old], LF_WRONG_STORE);
    assert_non_null(strstr(world->fatal_text[old], "copy of the data directory"));
}

static void removed_node_leaves_in_words(void **state) {
    struct world *world = begin(state, 4);
    world_run(world, 500);
    for (size_t gone = 3; gone >= 1; gone--) { /* down to one, whoever leads */
        assert_status(world_remove(world, gone + 1), LF_OK);
        wait_members(world, (uint32_t)gone, 0);
        assert_true(world_until(world, has_failed, &gone, 60000));
        assert_status(world->fatal[gone], LF_WRONG_STORE);
        assert_non_null(strstr(world->fatal_text[gone], "was removed"));
        world_crash(world, gone, MEM_DISK_KILL);
    }
    world_topic(world, "t", 1, 1);
    assert_status(world_remove(world, 1), LF_INVALID);
}

static void node_that_was_away_is_told_that_it_was_removed(void **state) {
    struct world *world = begin(state, 3);
    world_run(world, 500);
    size_t away = 0;
    world_crash(world, away, MEM_DISK_KILL);
    assert_status(world_remove(world, 1), LF_OK);
    wait_members(world, 2, 0);
    world_start(world, away);
    assert_true(world_until(world, has_failed, &away, 5000));
    assert_status(world->fatal[away], LF_WRONG_STORE);
    world_crash(world, away, MEM_DISK_KILL);
    assert_status(world_add(world, 1), LF_OK); /* its old store counts for nothing under the same name */
    world_start(world, away);
    assert_true(world_until(world, has_failed, &away, 5000));
    wait_members(world, 2, 0);
}

/** All that it knew are gone or were replaced, but for one. */
/** A controller that was paused, and leads no more, answers the greeting of a joiner by what it knew before. */
static void joined_node_does_not_believe_a_refusal_older_than_what_it_knows(void **state) {
    struct world *world = begin(state, 3);
    world_run(world, 500);
    world_crash(world, 2, MEM_DISK_KILL);
    world_wipe(world, 2);
    assert_status(world_remove(world, 3), LF_OK);
    wait_members(world, 2, 0);
    assert_status(world_add(world, 3), LF_OK);
    world_start(world, 2);
    wait_members(world, 3, 0);
    struct peer_envelope late = {.protocol_version = 1,
                                 .from_node = 1,
                                 .to_node = 3,
                                 .from_incarnation = 1,
                                 .to_incarnation = world->incarnation,
                                 .lane = PEER_LANE_CONTROL};
    struct peer_greeting refusal = {
        .cluster_name = "unit", .self = {.node_id = 1}, .refusal = PEER_REFUSAL_REMOVED, .from_controller = true};
    for (uint64_t known = 1; known <= 2; known++) {
        struct peer_envelope *envelope = peer_envelope_new();
        struct peer_greeting *greeting = calloc(1, sizeof *greeting);
        assert_non_null(envelope);
        assert_non_null(greeting);
        *greeting = refusal;
        greeting->metadata_index = known == 1 ? 1 : UINT64_MAX;
        *envelope = late;
        memcpy(envelope->cluster_id, world->stores[0]->identity.cluster_id, LOG_STORE_ID_BYTES);
        memcpy(envelope->store_uuid, world->stores[0]->identity.store_uuid, LOG_STORE_ID_BYTES);
        envelope->greeting = greeting;
        struct node_event event = {.type = NODE_EVENT_PEER, .envelope = envelope};
        world_event(world, 2, &event);
        peer_envelope_destroy(&envelope);
        assert_status(world->fatal[2], known == 1 ? LF_OK : LF_WRONG_STORE);
    }
}

static void node_that_was_away_finds_members_it_never_heard_of(void **state) {
    struct world *world = begin(state, 3);
    world_run(world, 500);
    world_crash(world, 2, MEM_DISK_KILL);
    for (uint64_t id = 4; id <= 6; id++) {
        assert_status(world_add(world, id), LF_OK);
        world_join(world);
        wait_members(world, (uint32_t)(id < 5 ? id : 5), id == 6);
    }
    assert_status(world_remove(world, 1), LF_OK);
    wait_members(world, 5, 0);
    world_topic(world, "t", 1, 3);
    world_start(world, 2);
    world_run(world, 3000);
    assert_int_equal(node_group_applied_checksum(world->nodes[2], 0), node_group_applied_checksum(world->nodes[1], 0));
}

/** Its disk is lost; it comes back under its name with another. */
static void replace(struct world *world, size_t at) {
    world_crash(world, at, MEM_DISK_KILL);
    world_wipe(world, at);
    assert_status(world_remove(world, at + 1), LF_OK);
    wait_members(world, 2, 0);
    assert_status(world_add(world, at + 1), LF_OK);
    world_start(world, at);
    wait_members(world, 3, 0);
}

/** What it has of group 0's history names stores that are no more, also the leader's. */
static void node_that_is_behind_hears_those_that_were_replaced_since(void **state) {
    struct world *world = calloc(1, sizeof *world);
    const struct node_limits limits = {.raft = {.append_entries_max = 2, .inflight_messages_max = 1}};
    *state = world;
    world_init_limited(world, 3, &limits);
    assert_true(world_wait_leader(world, 0, 5000) >= 0);
    for (size_t at = 0; at < 3; at++)
        replace(world, at);
    world_crash(world, 2, MEM_DISK_KILL); /* whoever it is, all that it knows from the beginning are gone */
    assert_true(world_wait_leader(world, 0, 5000) >= 0);
    world_start(world, 2);
    world_topic(world, "t", 1, 3);
    world_run(world, 1000);
    assert_int_equal(node_group_applied_checksum(world->nodes[2], 0), node_group_applied_checksum(world->nodes[1], 0));
}

/** More of them in one append than a node has place for. */
static void joiner_takes_any_number_of_changes(void **state) {
    struct world *world = begin(state, 3);
    for (int round = 0; round < 3; round++)
        for (size_t at = 0; at < 3; at++)
            replace(world, at);
    assert_status(world_add(world, 4), LF_OK);
    world_join(world);
    wait_members(world, 4, 0);
}

int main(void) {
#define FACT(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        FACT(added_node_joins_is_filled_and_votes),
        FACT(node_may_be_started_before_it_is_added),
        FACT(cluster_of_one_grows_to_five_voters_and_learners),
        FACT(seven_founders_have_five_voters),
        FACT(joined_node_just_goes_on_after_a_restart),
        FACT(joiner_may_crash_at_any_time),
        FACT(joining_survives_lost_messages_and_lost_controllers),
        FACT(another_cluster_name_ends_a_joiner_in_words),
        FACT(wiped_disk_under_an_old_identity_counts_for_nothing),
        FACT(wiped_disk_hears_of_a_controller_it_was_not_told_of),
        FACT(wiped_disk_comes_back_when_removed_and_added_again),
        FACT(removed_node_may_be_stopped_once_the_removal_is_answered),
        FACT(founder_added_again_that_founds_once_more_is_told_to_join),
        FACT(machine_with_an_older_clock_replaces_a_node),
        FACT(process_that_a_later_one_of_its_store_replaced_ends_in_words),
        FACT(removed_node_leaves_in_words),
        FACT(node_that_was_away_is_told_that_it_was_removed),
        FACT(joined_node_does_not_believe_a_refusal_older_than_what_it_knows),
        FACT(node_that_was_away_finds_members_it_never_heard_of),
        FACT(node_that_is_behind_hears_those_that_were_replaced_since),
        FACT(joiner_takes_any_number_of_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
