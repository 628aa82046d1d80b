/** backup.json: what was written is read; what makes no sense is refused. */
#include "backup_about.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct backup_file files[] = {{.name = "000012.sst", .bytes = 5000000000},
                                     {.name = "CURRENT", .bytes = 16, .has_sum = true, .crc32c = 0xfedcba98},
                                     {.name = "MANIFEST-000005", .bytes = 0, .has_sum = true, .crc32c = 0}};

static struct backup_about about(void) {
    struct backup_about about = {.name = "monday",
                                 .made_ms = 1764150000123,
                                 .cluster_name = "orders of the \"west\"",
                                 .node_id = 3,
                                 .files = files,
                                 .file_count = sizeof files / sizeof *files};
    for (uint8_t i = 0; i < LOG_STORE_ID_BYTES; i++) {
        about.cluster_id[i] = (uint8_t)(17 * i);
        about.store_uuid[i] = (uint8_t)(255 - i);
    }
    return about;
}

static enum lf_status decode(const char *text, struct lf_error *error) {
    struct backup_about read;
    enum lf_status status = backup_about_decode(lf_bytes_text(text), &read, error);
    backup_about_deinit(&read);
    return status;
}

static void what_was_written_is_read(void **state) {
    (void)state;
    struct backup_about written = about(), read;
    char *text = backup_about_encode(&written);
    assert_non_null(text);
    assert_int_equal(backup_about_decode(lf_bytes_text(text), &read, NULL), LF_OK);
    assert_string_equal(read.name, written.name);
    assert_string_equal(read.cluster_name, written.cluster_name);
    assert_int_equal(read.made_ms, written.made_ms);
    assert_int_equal(read.node_id, 3);
    assert_memory_equal(read.cluster_id, written.cluster_id, LOG_STORE_ID_BYTES);
    assert_memory_equal(read.store_uuid, written.store_uuid, LOG_STORE_ID_BYTES);
    assert_int_equal(read.file_count, written.file_count);
    assert_int_equal(backup_about_bytes(&read), 5000000016);
    for (size_t i = 0; i < read.file_count; i++) {
        assert_string_equal(read.files[i].name, files[i].name);
        assert_int_equal(read.files[i].bytes, files[i].bytes);
        assert_int_equal(read.files[i].has_sum, files[i].has_sum);
        assert_int_equal(read.files[i].crc32c, files[i].crc32c);
    }
    backup_about_deinit(&read);
    free(text);
}

static void every_beginning_of_it_is_refused(void **state) {
    (void)state;
    struct backup_about written = about();
    char *text = backup_about_encode(&written);
    size_t size = strlen(text);
    for (size_t keep = 0; keep < size; keep++) {
        struct backup_about read;
        assert_int_equal(backup_about_decode(lf_bytes(text, keep), &read, NULL), LF_MALFORMED);
        backup_about_deinit(&read);
    }
    free(text);
}

static void a_file_that_leads_elsewhere_is_refused(void **state) {
    (void)state;
    static const char *const names[] = {"../CURRENT", "/etc/passwd", "..", ".", "", "a/b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct backup_file file = {.bytes = 1};
        struct backup_about written = about();
        strcpy(file.name, names[i]);
        written.files = &file;
        written.file_count = 1;
        char *text = backup_about_encode(&written);
        assert_int_equal(decode(text, NULL), LF_MALFORMED);
        free(text);
    }
}

static void files_are_found_by_name_and_listed_once(void **state) {
    (void)state;
    struct backup_file mixed[] = {{.name = "b"}, {.name = "c", .bytes = 7}, {.name = "a"}};
    struct backup_about written = about(), read;
    written.files = mixed;
    written.file_count = 3;
    char *text = backup_about_encode(&written);
    assert_int_equal(backup_about_decode(lf_bytes_text(text), &read, NULL), LF_OK);
    free(text);
    assert_int_equal(backup_about_find(&read, "c")->bytes, 7);
    assert_non_null(backup_about_find(&read, "a"));
    assert_non_null(backup_about_find(&read, "b"));
    assert_null(backup_about_find(&read, "d"));
    assert_null(backup_about_find(&read, ""));
    backup_about_deinit(&read);
    strcpy(mixed[2].name, "b");
    text = backup_about_encode(&written);
    assert_int_equal(decode(text, NULL), LF_MALFORMED);
    free(text);
}

static void another_format_is_refused_in_words(void **state) {
    (void)state;
    struct lf_error error = {0};
    assert_int_equal(decode("{\"format\": 2}", &error), LF_UNSUPPORTED);
    assert_non_null(strstr(error.text, "format 2"));
    assert_int_equal(decode("{\"format\": 1}", &error), LF_MALFORMED);
    assert_int_equal(decode("{\"format\": \"1\"}", &error), LF_MALFORMED);
    assert_int_equal(decode("[]", &error), LF_MALFORMED);
}

static void names_are_names_of_files_and_nothing_else(void **state) {
    (void)state;
    char longest[BACKUP_NAME_BYTES_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[BACKUP_NAME_BYTES_MAX + 1] = '\0';
    assert_false(backup_name_good(longest));
    longest[BACKUP_NAME_BYTES_MAX] = '\0';
    assert_true(backup_name_good(longest));
    static const char *const good[] = {"a", "monday", "2026-11-26_03.00", "-", "_"};
    static const char *const bad[] = {"", ".", "..", ".hidden", "../x", "a/b", "a b", "a\n", "\xc3\xa4", "a\\b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(backup_name_good(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(backup_name_good(bad[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(every_beginning_of_it_is_refused),
        cmocka_unit_test(a_file_that_leads_elsewhere_is_refused),
        cmocka_unit_test(files_are_found_by_name_and_listed_once),
        cmocka_unit_test(another_format_is_refused_in_words),
        cmocka_unit_test(names_are_names_of_files_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
