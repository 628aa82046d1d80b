/** The defaults of the table are those the node and the core give themselves. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#ifdef HAVE_NODE
static void the_table_says_what_the_node_assumes(void **state) {
    (void)state;
    struct config config;
    config_init(&config);
    struct node_limits limits = {0};
    node_limits_default(&limits);
#define SAME(field) assert_int_equal(config.limits.field, limits.field)
    SAME(raft.election_timeout_ms_min), SAME(raft.election_timeout_ms_max), SAME(raft.heartbeat_ms);
    SAME(raft.inflight_messages_max), SAME(raft.append_entries_max), SAME(raft.append_bytes_max);
    SAME(raft.uncommitted_bytes_max), SAME(sessions_max), SAME(session_timeout_ms);
    SAME(subscriptions_per_session_max), SAME(subscriptions_max), SAME(publish_credit_bytes), SAME(batch_bytes_max);
    SAME(records_per_batch_max), SAME(uncommitted_bytes_max), SAME(tail_cache_bytes_max), SAME(reads_max);
    SAME(delivery_bytes_max), SAME(parked_answers_max), SAME(groups_max), SAME(topics_max);
    SAME(partitions_per_topic_max), SAME(producers_per_partition_max);
    SAME(request_timeout_ms), SAME(handover_timeout_ms);
}
#else
static void the_table_says_what_the_node_assumes(void **state) {
    (void)state;
    skip();
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_table_says_what_the_node_assumes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
