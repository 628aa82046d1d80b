/** Lines as JSON, to the letter. */
#include "log_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char out[4096];

/** Without what is the same in all. */
static const char *json(const char *line, size_t size) {
    static const char head[] = "{\"time\":\"T\",\"level\":\"info\"";
    size_t used = log_json(out, size, "T", "info", line);
    assert_true(used <= size);
    assert_memory_equal(out, head, sizeof head - 1);
    assert_int_equal(out[used - 1], '\n');
    out[used - 1] = '\0';
    return out + sizeof head - 1;
}
#define JSON(line) json(line, sizeof out)

static void fields_are_members_and_words_the_message(void **state) {
    (void)state;
    assert_string_equal(
        JSON("node=2 group=5 term=7 grant vote to=3 (log equal 41^6)"),
        ",\"node\":2,\"group\":5,\"term\":7,\"message\":\"grant vote to=3 (log equal 41^6)\",\"to\":3}");
    assert_string_equal(JSON("node=2 peer=3"), ",\"node\":2,\"peer\":3}");
    assert_string_equal(JSON("stopping: handing leadership over"),
                        ",\"message\":\"stopping: handing leadership over\"}");
    assert_string_equal(JSON(""), "}");
}

static void a_name_counts_once_and_ours_are_not_taken(void **state) {
    (void)state;
    assert_string_equal(JSON("node=2 x node=3 time=4 level=5 message=6"),
                        ",\"node\":2,\"message\":\"x node=3 time=4 level=5 message=6\"}");
}

static void numbers_are_whole_and_short_enough_for_every_reader(void **state) {
    (void)state;
    assert_string_equal(JSON("a=0 b=-5 c=007 d=1.5 e=123456789012345 f=1234567890123456 g= h=- i=1e5"),
                        ",\"a\":0,\"b\":-5,\"c\":\"007\",\"d\":\"1.5\",\"e\":123456789012345,"
                        "\"f\":\"1234567890123456\",\"g\":\"\",\"h\":\"-\",\"i\":\"1e5\"}");
}

static void punctuation_around_a_field_is_not_its_value(void **state) {
    (void)state;
    assert_string_equal(JSON("drop (to=3, from=4) x=5:"),
                        ",\"message\":\"drop (to=3, from=4) x=5:\",\"to\":3,\"from\":4,\"x\":5}");
}

static void strange_bytes_are_escaped_or_replaced(void **state) {
    (void)state;
    assert_string_equal(JSON("say \"a\\b\" \x01 gr\xc3\xbc\xc3\x9f"
                             "e \xff \xc3 \xed\xa0\x80 \xc0\x80"),
                        ",\"message\":\"say \\\"a\\\\b\\\" ? gr\xc3\xbc\xc3\x9f"
                        "e ? ? ??? ??\"}");
    assert_string_equal(JSON("data=\"x\""), ",\"data\":\"\\\"x\\\"\"}");
    assert_string_equal(JSON("1x=2 =3 a-b=4"), ",\"message\":\"1x=2 =3 a-b=4\"}");
}

static void what_does_not_fit_is_left_out(void **state) {
    (void)state;
    char line[1024];
    memset(line, '"', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    const char *cut = json(line, 256);
    size_t size = strlen(cut);
    assert_string_equal(cut + size - 2, "\"}");
    assert_int_equal(cut[size - 3], '"'); /* an escape is never cut in two */
    assert_int_equal(cut[size - 4], '\\');
    memcpy(line, "a=1 value=", 10);
    assert_string_equal(json(line, 256), ",\"a\":1}"); /* a field is whole or not there */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_members_and_words_the_message),
        cmocka_unit_test(a_name_counts_once_and_ours_are_not_taken),
        cmocka_unit_test(numbers_are_whole_and_short_enough_for_every_reader),
        cmocka_unit_test(punctuation_around_a_field_is_not_its_value),
        cmocka_unit_test(strange_bytes_are_escaped_or_replaced),
        cmocka_unit_test(what_does_not_fit_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
