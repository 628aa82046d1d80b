/** The whole page: every sample has a head, nothing twice, groups within their bound. */
#include "metrics.h"
#include "snapshots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct text text;
static struct admin_snapshot *snapshot;
static struct append_rate rate;

static int clear(void **state) {
    (void)state;
    text_deinit(&text);
    admin_snapshot_destroy(&snapshot);
    rate = (struct append_rate){0};
    return 0;
}

static const char *page(size_t groups, uint32_t groups_max) {
    const struct log_store_engine_stats engine = {.background_errors = 4, .stall_us = 1500000};
    const struct metrics_process process = {.resident_bytes = 4096, .cpu_us = 1239999};
    admin_snapshot_destroy(&snapshot);
    text_deinit(&text);
    snapshot = snapshot_of(groups);
    append_rate_see(&rate, snapshot);
    const struct metrics_page of = {.snapshot = snapshot,
                                    .engine = &engine,
                                    .rate = &rate,
                                    .process = &process,
                                    .version = "1.2",
                                    .groups_max = groups_max};
    metrics_write(&text, &of);
    assert_false(text.failed);
    return text_of(&text);
}

static size_t count_of(const char *all, const char *words) {
    size_t count = 0;
    for (; (all = strstr(all, words)); all += strlen(words))
        count++;
    return count;
}

#define HAS(all, line) assert_int_equal(count_of(all, line "\n"), 1)

static void what_is_asked_for_is_there(void **state) {
    (void)state;
    const char *all = page(3, 200);
    HAS(all, "logflume_build_info{version=\"1.2\"} 1");
    HAS(all, "logflume_node_info{node=\"2\",incarnation=\"77\",cluster=\"c\",cluster_id="
             "\"abababababababababababababababab\"} 1");
    HAS(all, "process_cpu_seconds_total 1.23");
    HAS(all, "logflume_groups{state=\"running\"} 3");
    HAS(all, "logflume_groups_led 2");
    HAS(all, "logflume_group_term{group=\"0\",topic=\"\",partition=\"\"} 7");
    HAS(all, "logflume_group_role{group=\"2\",topic=\"t\",partition=\"1\"} 3");
    HAS(all, "logflume_group_role{group=\"1\",topic=\"t\",partition=\"0\"} 0");
    HAS(all, "logflume_group_last_index{group=\"1\",topic=\"t\",partition=\"0\"} 100");
    HAS(all, "logflume_group_commit_index{group=\"1\",topic=\"t\",partition=\"0\"} 98");
    HAS(all, "logflume_group_applied_index{group=\"1\",topic=\"t\",partition=\"0\"} 97");
    HAS(all, "logflume_partition_high_watermark{group=\"1\",topic=\"t\",partition=\"0\"} 50");
    HAS(all, "logflume_partition_log_start_offset{group=\"1\",topic=\"t\",partition=\"0\"} 0");
    HAS(all, "logflume_partition_segments{group=\"1\",topic=\"t\",partition=\"0\"} 3");
    HAS(all, "logflume_partition_bytes{group=\"1\",topic=\"t\",partition=\"0\"} 4096");
    assert_int_equal(count_of(all, "logflume_partition_high_watermark{group=\"0\""), 0);
    HAS(all, "logflume_replica_match_index{group=\"2\",topic=\"t\",partition=\"1\",peer=\"3\",replica=\"21\"} 90");
    HAS(all, "logflume_replica_state{group=\"2\",topic=\"t\",partition=\"1\",peer=\"3\",replica=\"21\"} 2");
    HAS(all, "logflume_replica_state{group=\"2\",topic=\"t\",partition=\"1\",peer=\"1\",replica=\"20\"} 3");
    HAS(all, "logflume_replica_voter{group=\"2\",topic=\"t\",partition=\"1\",peer=\"3\",replica=\"21\"} 0");
    HAS(all, "logflume_replica_inflight_bytes{group=\"2\",topic=\"t\",partition=\"1\",peer=\"3\",replica=\"21\"} 500");
    HAS(all, "logflume_group_voters{group=\"2\",topic=\"t\",partition=\"1\"} 3");
    HAS(all, "logflume_group_joint{group=\"2\",topic=\"t\",partition=\"1\"} 0");
    HAS(all, "logflume_peer_inflight_bytes{peer=\"3\"} 1000");
    HAS(all, "logflume_peer_up{peer=\"1\"} 1");
    HAS(all, "logflume_peer_silence_seconds{peer=\"3\"} 0.04");
    HAS(all, "logflume_peer_inflight_messages{peer=\"3\"} 2");
    HAS(all, "logflume_peer_unacknowledged_entries{peer=\"1\"} 20");
    HAS(all, "logflume_lane_ready{peer=\"3\",lane=\"bulk\"} 0");
    HAS(all, "logflume_queue_items{queue=\"sessions\"} 3");
    HAS(all, "logflume_queue_items_limit{queue=\"sessions\"} 1000");
    HAS(all, "logflume_queue_bytes_limit{queue=\"uncommitted\"} 65536");
    HAS(all, "logflume_store_background_errors_total 4");
    HAS(all, "logflume_store_stall_seconds_total 1.5");
    HAS(all, "logflume_store_oldest_write_seconds 0");
    HAS(all, "logflume_dropped_total{reason=\"peer_other_store\"} 0");
    HAS(all, "logflume_answers_total{status=\"NOT_LEADER\"} 0");
    HAS(all, "logflume_election_seconds_count 0");
    HAS(all, "logflume_commit_seconds_count 0");
    HAS(all, "logflume_apply_seconds_count 0");
    HAS(all, "logflume_store_sync_seconds_count 0");
    HAS(all, "logflume_loop_pause_seconds_count 0");
}

static void only_the_busiest_groups_have_series_and_the_rest_is_one_sum(void **state) {
    (void)state;
    const char *all = page(1000, 200);
    assert_int_equal(count_of(all, "\nlogflume_group_term{"), 201);
    assert_int_equal(count_of(all, "\nlogflume_group_role{"), 200);
    assert_int_equal(count_of(all, "\nlogflume_partition_high_watermark{"), 200); /* group 0 has none */
    HAS(all, "logflume_group_replicas{group=\"other\",topic=\"\",partition=\"\"} 800");
    HAS(all, "logflume_group_last_index{group=\"other\",topic=\"\",partition=\"\"} 80000");
    HAS(all, "logflume_group_leader{group=\"other\",topic=\"\",partition=\"\"} 400");
    HAS(all, "logflume_group_term{group=\"other\",topic=\"\",partition=\"\"} 807"); /* the largest */
    HAS(all, "logflume_group_term{group=\"801\",topic=\"t\",partition=\"800\"} 808");
    HAS(all, "logflume_group_term{group=\"0\",topic=\"\",partition=\"\"} 7"); /* always */
    assert_int_equal(count_of(all, "group=\"800\""), 0);
    HAS(all, "logflume_group_appended_bytes_total{group=\"999\",topic=\"t\",partition=\"998\"} 999000");
    HAS(all, "logflume_groups{state=\"running\"} 1000");
}

static void without_series_all_groups_are_one_sum(void **state) {
    (void)state;
    const char *all = page(10, 0);
    assert_int_equal(count_of(all, "\nlogflume_group_term{"), 1);
    HAS(all, "logflume_group_replicas{group=\"other\",topic=\"\",partition=\"\"} 10");
}

/** The metric a line's sample belongs to: its name without what a histogram adds. */
static size_t base_size(const char *line) {
    static const char *const parts[] = {"_bucket", "_sum", "_count"};
    size_t size = strcspn(line, "{ ");
    for (size_t i = 0; i < 3; i++)
        if (size > strlen(parts[i]) && memcmp(line + size - strlen(parts[i]), parts[i], strlen(parts[i])) == 0)
            return size - strlen(parts[i]);
    return size;
}

static void every_sample_follows_its_head_and_no_head_comes_twice(void **state) {
    (void)state;
    char *all = strdup(page(20, 5)), *rest = all, *line, head[128] = "", type[256];
    assert_non_null(all);
    size_t samples = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            snprintf(head, sizeof head, "%.*s", (int)strcspn(line + 7, " "), line + 7);
            snprintf(type, sizeof type, "\n# HELP %s ", head);
            assert_true(count_of(text_of(&text), type) <= 1);
            line = strsep(&rest, "\n");
            snprintf(type, sizeof type, "# TYPE %s ", head);
            assert_memory_equal(line, type, strlen(type));
            continue;
        }
        size_t whole = strcspn(line, "{ ");
        bool own = whole == strlen(head) && memcmp(line, head, whole) == 0;
        assert_true(own || (base_size(line) == strlen(head) && memcmp(line, head, strlen(head)) == 0));
        samples++;
    }
    assert_true(samples > 300);
    free(all);
}

static void no_series_comes_twice(void **state) {
    (void)state;
    char *all = strdup(page(20, 5)), *rest = all, *line;
    assert_non_null(all);
    while ((line = strsep(&rest, "\n")) && *line) {
        char series[512];
        if (*line == '#')
            continue;
        char *space = strrchr(line, ' ');
        snprintf(series, sizeof series, "\n%.*s ", (int)(space - line), line);
        assert_int_equal(count_of(text_of(&text), series), 1);
    }
    free(all);
}

static void every_metric_is_in_the_operators_page(void **state) {
    (void)state;
    char *all = strdup(page(20, 5)), *rest = all, *line, *docs = calloc(1, 1 << 20);
    FILE *file = fopen(OPERATIONS_PAGE, "r");
    assert_non_null(file);
    assert_true(all && docs && fread(docs, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    while ((line = strsep(&rest, "\n")) && *line) {
        char name[256], reason[64];
        if (sscanf(line, "# HELP %200s", name + 1) == 1) {
            name[0] = '`';
            strcat(name, "`");
            if (!strstr(docs, name))
                fail_msg("docs/operations.md does not explain %s", name);
        }
        if (sscanf(line, "logflume_dropped_total{reason=\"%60[a-z_]", reason) == 1 && !strstr(docs, reason))
            fail_msg("docs/operations.md does not name the reason %s", reason);
    }
    free(all);
    free(docs);
}

static void a_rate_is_of_the_time_between_two_pages(void **state) {
    (void)state;
    snapshot = snapshot_of(1);
    append_rate_see(&rate, snapshot);
    assert_int_equal(append_rate_of(&rate, 1), 0);
    snapshot->now_ms += 2000;
    snapshot->node.peers[0].appended_bytes = 5000;
    append_rate_see(&rate, snapshot);
    assert_int_equal(append_rate_of(&rate, 1), 2500);
    assert_int_equal(append_rate_of(&rate, 3), 0);
    snapshot->now_ms += APPEND_RATE_MS_MIN - 1; /* a second scraper right behind the first does not spoil it */
    snapshot->node.peers[0].appended_bytes = 5001;
    append_rate_see(&rate, snapshot);
    assert_int_equal(append_rate_of(&rate, 1), 2500);
    snapshot->now_ms += 1;
    append_rate_see(&rate, snapshot);
    assert_int_equal(append_rate_of(&rate, 1), 1);
    assert_int_equal(append_rate_of(&rate, 9), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, clear, clear)
    const struct CMUnitTest tests[] = {
        TEST(what_is_asked_for_is_there),
        TEST(only_the_busiest_groups_have_series_and_the_rest_is_one_sum),
        TEST(without_series_all_groups_are_one_sum),
        TEST(every_sample_follows_its_head_and_no_head_comes_twice),
        TEST(no_series_comes_twice),
        TEST(every_metric_is_in_the_operators_page),
        TEST(a_rate_is_of_the_time_between_two_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
