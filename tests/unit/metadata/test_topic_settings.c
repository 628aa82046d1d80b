/** The table of topic settings and its values as text. */
#include "topic_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t parsed(const char *name, const char *text) {
    int64_t value = -99;
    struct lf_error error;
    int row = topic_setting_named(name);
    assert_true(row >= 0);
    if (topic_setting_parse(row, text, &value, &error) != LF_OK)
        fail_msg("%s", error.text);
    return value;
}

static void expect_refused(const char *name, const char *text, const char *words) {
    int64_t value;
    struct lf_error error = {0};
    assert_int_equal(LF_INVALID, topic_setting_parse(topic_setting_named(name), text, &value, &error));
    assert_string_equal(words, error.text);
}

static void the_defaults_are_those_of_the_table(void **state) {
    (void)state;
    for (int row = 0; row < TOPIC_SETTINGS_COUNT; row++) {
        assert_int_equal(topic_setting_rows[row].value, topic_setting_get(&topic_settings_default, row));
        assert_true(topic_setting_fits(row, topic_setting_rows[row].value));
    }
}

static void names_and_numbers_are_found_and_different(void **state) {
    (void)state;
    for (int row = 0; row < TOPIC_SETTINGS_COUNT; row++) {
        assert_int_equal(row, topic_setting_named(topic_setting_rows[row].name));
        assert_int_equal(row, topic_setting_numbered(topic_setting_rows[row].number));
        assert_true(topic_setting_rows[row].number > 0);
    }
    assert_int_equal(-1, topic_setting_named("retention"));
    assert_int_equal(-1, topic_setting_numbered(0));
}

static void every_value_survives_being_printed(void **state) {
    (void)state;
    for (int row = 0; row < TOPIC_SETTINGS_COUNT; row++) {
        const int64_t values[] = {topic_setting_rows[row].min, topic_setting_rows[row].max,
                                  topic_setting_rows[row].value, topic_setting_rows[row].max - 1};
        for (size_t i = 0; i < 4; i++) {
            char text[TOPIC_SETTING_TEXT_BYTES];
            topic_setting_plain(row, values[i], text, sizeof text);
            assert_int_equal(values[i], parsed(topic_setting_rows[row].name, text));
            topic_setting_pretty(row, values[i], text, sizeof text);
            assert_int_equal(values[i], parsed(topic_setting_rows[row].name, text));
        }
    }
}

static void units_are_understood(void **state) {
    (void)state;
    assert_int_equal(100, parsed("retention.bytes", "100"));
    assert_int_equal(3ll << 30, parsed("retention.bytes", "3GiB"));
    assert_int_equal(1ll << 40, parsed("retention.bytes", "1 TiB"));
    assert_int_equal(-1, parsed("retention.bytes", "unlimited"));
    assert_int_equal(-1, parsed("retention.ms", "-1"));
    assert_int_equal(90000, parsed("retention.ms", "90s"));
    assert_int_equal(90 * 60000, parsed("retention.ms", "90 min"));
    assert_int_equal(7ll * 86400 * 1000, parsed("segment.ms", "7d"));
    assert_int_equal(12 * 3600 * 1000, parsed("segment.ms", "12h"));
    assert_int_equal(1500, parsed("segment.ms", "1500ms"));
    assert_int_equal(TOPIC_CLEANUP_COMPACT, parsed("cleanup.policy", "compact"));
    assert_int_equal(TOPIC_CLEANUP_COMPACT | TOPIC_CLEANUP_DELETE, parsed("cleanup.policy", "delete,compact"));
}

static void what_is_wrong_is_said_with_what_is_right(void **state) {
    (void)state;
    expect_refused("retention.bytes", "-2",
                   "retention.bytes=-2 is not right; right is bytes from 0 to 1048576 TiB, or unlimited (-1)");
    expect_refused("retention.ms", "7 weeks",
                   "retention.ms=7 weeks is not right; right is a time from 0 ms to 36525 d, or unlimited (-1)");
    expect_refused("segment.bytes", "unlimited",
                   "segment.bytes=unlimited is not right; right is bytes from 64 KiB to 1 GiB");
    expect_refused("segment.bytes", "2GiB", "segment.bytes=2GiB is not right; right is bytes from 64 KiB to 1 GiB");
    expect_refused("segment.ms", "", "segment.ms= is not right; right is a time from 1 s to 36525 d");
    expect_refused("segment.ms", "99999999999999999999",
                   "segment.ms=99999999999999999999 is not right; right is a time from 1 s to 36525 d");
    const char *policies[] = {"", "none", "delete,", ",delete", "delete,delete", "delete compact", "compact,deletes"};
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        int64_t value;
        assert_int_equal(LF_INVALID,
                         topic_setting_parse(topic_setting_named("cleanup.policy"), policies[i], &value, NULL));
    }
}

static void an_unknown_name_gets_a_suggestion(void **state) {
    (void)state;
    struct lf_error error;
    assert_int_equal(LF_INVALID, topic_setting_unknown("retention.mb", &error));
    assert_string_equal("topics have no setting retention.mb: did you mean retention.ms?", error.text);
    assert_int_equal(LF_INVALID, topic_setting_unknown("colour", &error));
    assert_non_null(strstr(error.text, "`logflume topic settings` lists them"));
}

static const char head[] =
    "# Topic settings\n\n"
    "<!-- Written by `test_topic_settings --page` from broker/metadata/topic_settings.c; that test compares. -->\n\n"
    "Settings are given when a topic is created, changed while it is in use, and kept with the topic:\n\n"
    "```sh\n"
    "logflume topic create orders --partitions 6 --config retention.ms=30d --config segment.bytes=64MiB\n"
    "logflume topic alter orders retention.ms=7d retention.bytes=20GiB --reset segment.bytes\n"
    "logflume topic describe orders        # what is set; -v: everything\n"
    "logflume topic settings               # this list, as the cluster's version knows it\n"
    "```\n\n"
    "A value is a whole number, which a unit may follow: `KiB`, `MiB`, `GiB`, `TiB`; `ms`, `s`, `min`, `h`, `d`. "
    "Without a\n"
    "unit it is bytes or milliseconds. A change is committed in the cluster's metadata; the leaders of the topic's "
    "partitions\n"
    "act on it within a second. A name or value that is not right changes nothing. What the settings do together is "
    "told in\n"
    "[operations.md](operations.md).\n\n"
    "| Name | Value | Default | Meaning |\n| --- | --- | --- | --- |\n";

static void print_page(FILE *stream) {
    char value[TOPIC_SETTING_TEXT_BYTES], range[TOPIC_SETTING_TEXT_BYTES];
    fputs(head, stream);
    for (int row = 0; row < TOPIC_SETTINGS_COUNT; row++) {
        topic_setting_range(row, range, sizeof range);
        topic_setting_pretty(row, topic_setting_rows[row].value, value, sizeof value);
        fprintf(stream, "| `%s` | %s | %s | %s |\n", topic_setting_rows[row].name, range, value,
                topic_setting_rows[row].help);
    }
}

static void the_page_is_current(void **state) {
    (void)state;
    char *expected = NULL;
    size_t expected_size = 0;
    FILE *memory = open_memstream(&expected, &expected_size);
    print_page(memory);
    fclose(memory);
    char *text = calloc(1, expected_size + 2);
    FILE *page = fopen(TOPIC_SETTINGS_PAGE, "r");
    size_t size = page ? fread(text, 1, expected_size + 1, page) : 0;
    if (page)
        fclose(page);
    if (size != expected_size || memcmp(text, expected, size) != 0)
        fail_msg("%s is not what the table says; write it anew: test_topic_settings --page "
                 ">docs/topic-settings.md",
                 TOPIC_SETTINGS_PAGE);
    free(text);
    free(expected);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--page") == 0) {
        print_page(stdout);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_the_table),
        cmocka_unit_test(names_and_numbers_are_found_and_different),
        cmocka_unit_test(every_value_survives_being_printed),
        cmocka_unit_test(units_are_understood),
        cmocka_unit_test(what_is_wrong_is_said_with_what_is_right),
        cmocka_unit_test(an_unknown_name_gets_a_suggestion),
        cmocka_unit_test(the_page_is_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
