/** The directory of backups: whole ones or none, under names that stay inside it. The store is a fake one that copies
 *  two files. */
#include "backup_directory.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    struct log_store store; /* first */
    char root[64], directory[128], store_path[128];
    struct backup_place place;
    enum lf_status fails;
};

static void write_file(const char *directory, const char *name, const char *text) {
    char path[PATH_MAX];
    assert_true((size_t)snprintf(path, sizeof path, "%s/%s", directory, name) < sizeof path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static enum lf_status copy(struct log_store *store, const char *directory, struct lf_error *error) {
    const struct place *place = (const struct place *)store;
    if (mkdir(directory, 0750) != 0)
        return lf_error_set(error, LF_IO, "mkdir");
    write_file(directory, "CURRENT", "123456789");
    write_file(directory, "000001.sst", "a table");
    return place->fails == LF_OK ? LF_OK : lf_error_set(error, place->fails, "no more");
}

static const struct log_store_ops ops = {.checkpoint = copy};
static const struct log_store_ops ops_without = {0};

static int setup(void **state) {
    struct place *place = calloc(1, sizeof *place);
    strcpy(place->root, "backups-XXXXXX");
    assert_non_null(mkdtemp(place->root));
    snprintf(place->directory, sizeof place->directory, "%s/backups", place->root);
    snprintf(place->store_path, sizeof place->store_path, "%s/store", place->root);
    assert_int_equal(mkdir(place->store_path, 0750), 0);
    place->store.ops = &ops;
    place->place = (struct backup_place){.directory = place->directory, .store = place->store_path, .backups_max = 3};
    *state = place;
    return 0;
}

static int teardown(void **state) {
    struct place *place = *state;
    for (char name[2] = "a"; name[0] <= 'e'; name[0]++)
        backup_delete(&place->place, name, NULL);
    backup_clean(&place->place, NULL);
    assert_int_equal(backup_remove_tree(place->root, NULL), LF_OK);
    free(place);
    return 0;
}

static enum lf_status make(struct place *place, const char *name, struct lf_error *error) {
    struct backup_about about = {.made_ms = 5, .node_id = 3, .cluster_name = "test"};
    snprintf(about.name, sizeof about.name, "%s", name);
    enum lf_status status = backup_make(&place->place, &place->store, &about, error);
    backup_about_deinit(&about);
    return status;
}

static bool is_there(const struct place *place, const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", place->directory, name);
    return access(path, F_OK) == 0;
}

static void a_backup_says_what_is_in_it(void **state) {
    struct place *place = *state;
    struct backup_about *list;
    size_t count;
    assert_int_equal(make(place, "b", NULL), LF_OK);
    assert_int_equal(make(place, "a", NULL), LF_OK);
    assert_int_equal(backup_list(&place->place, &list, &count, NULL), LF_OK);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "a");
    assert_string_equal(list[1].name, "b");
    assert_int_equal(list[0].file_count, 2);
    assert_string_equal(list[0].files[0].name, "000001.sst");
    assert_false(list[0].files[0].has_sum);
    assert_int_equal(list[0].files[0].bytes, 7);
    assert_true(list[0].files[1].has_sum);
    assert_int_equal(list[0].files[1].crc32c, 0xe3069283); /* CRC-32C of the digits 1 to 9 */
    backup_list_free(list, count);
}

static void names_that_lead_elsewhere_are_refused(void **state) {
    struct place *place = *state;
    static const char *const names[] = {"", "..", "../store", ".x", "a/b", "/tmp/x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(make(place, names[i], NULL), LF_INVALID);
        assert_int_equal(backup_delete(&place->place, names[i], NULL), LF_INVALID);
    }
    assert_int_equal(access(place->store_path, F_OK), 0);
}

static void a_name_that_is_taken_is_refused(void **state) {
    struct place *place = *state;
    assert_int_equal(make(place, "a", NULL), LF_OK);
    assert_int_equal(make(place, "a", NULL), LF_EXISTS);
}

static void there_are_no_more_than_allowed(void **state) {
    struct place *place = *state;
    struct lf_error error = {0};
    assert_int_equal(make(place, "a", NULL), LF_OK);
    assert_int_equal(make(place, "b", NULL), LF_OK);
    assert_int_equal(make(place, "c", NULL), LF_OK);
    assert_int_equal(make(place, "d", &error), LF_INVALID);
    assert_non_null(strstr(error.text, "backups_max"));
    assert_int_equal(backup_delete(&place->place, "b", NULL), LF_OK);
    assert_false(is_there(place, "b"));
    assert_int_equal(make(place, "d", NULL), LF_OK);
}

static void what_failed_leaves_nothing(void **state) {
    struct place *place = *state;
    struct lf_error error = {0};
    place->fails = LF_NO_SPACE;
    assert_int_equal(make(place, "a", &error), LF_NO_SPACE);
    assert_false(is_there(place, "a"));
    assert_false(is_there(place, ".a.making"));
    place->store.ops = &ops_without;
    assert_int_equal(make(place, "a", &error), LF_UNSUPPORTED);
    place->store.ops = &ops;
    place->fails = LF_OK;
    assert_int_equal(make(place, "a", NULL), LF_OK);
}

static void what_a_crash_left_is_removed_and_what_is_whole_stays(void **state) {
    struct place *place = *state;
    char path[PATH_MAX];
    assert_int_equal(make(place, "a", NULL), LF_OK);
    static const char *const left[] = {".b.making", ".b.making/store", ".b.making/store.tmp", ".c.deleting",
                                       ".c.deleting/store"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        snprintf(path, sizeof path, "%s/%s", place->directory, left[i]);
        assert_int_equal(mkdir(path, 0750), 0);
        write_file(path, "000007.sst", "half");
    }
    write_file(place->directory, ".mine", "somebody's");
    assert_int_equal(backup_clean(&place->place, NULL), LF_OK);
    assert_true(is_there(place, "a"));
    assert_false(is_there(place, ".b.making"));
    assert_false(is_there(place, ".c.deleting"));
    assert_true(is_there(place, ".mine"));
    snprintf(path, sizeof path, "%s/.mine", place->directory);
    unlink(path);
}

static void one_that_is_not_there_cannot_be_deleted(void **state) {
    struct place *place = *state;
    struct backup_about *list;
    size_t count;
    assert_int_equal(backup_delete(&place->place, "a", NULL), LF_NOT_FOUND);
    assert_int_equal(backup_list(&place->place, &list, &count, NULL), LF_OK);
    assert_int_equal(count, 0);
    backup_list_free(list, count);
    assert_int_equal(backup_clean(&place->place, NULL), LF_OK);
}

static void path_in(const struct place *place, const char *name, char path[PATH_MAX]) {
    snprintf(path, PATH_MAX, "%s/%s", place->directory, name);
}

static void what_is_no_backup_is_not_deleted(void **state) {
    struct place *place = *state;
    struct lf_error error = {0};
    char path[PATH_MAX];
    assert_int_equal(make(place, "a", NULL), LF_OK);
    path_in(place, "b", path);
    assert_int_equal(mkdir(path, 0750), 0);
    write_file(path, "CURRENT", "somebody's");
    assert_int_equal(backup_delete(&place->place, "b", &error), LF_INVALID);
    assert_non_null(strstr(error.text, "is no backup"));
    assert_true(is_there(place, "b/CURRENT"));
    path_in(place, "b/" BACKUP_ABOUT_FILE, path);
    assert_int_equal(symlink("../a/" BACKUP_ABOUT_FILE, path), 0);
    assert_int_equal(backup_delete(&place->place, "b", NULL), LF_INVALID);
    assert_true(is_there(place, "b/CURRENT"));
    path_in(place, "c", path); /* a link to a backup */
    assert_int_equal(symlink("a", path), 0);
    assert_int_equal(backup_delete(&place->place, "c", NULL), LF_INVALID);
    assert_true(is_there(place, "a/store/CURRENT"));
    assert_true(is_there(place, "c"));
    path_in(place, "d", path);
    write_file(place->directory, "d", "a file");
    assert_int_equal(backup_delete(&place->place, "d", NULL), LF_INVALID);
    assert_true(is_there(place, "d"));
    path_in(place, "b", path);
    assert_int_equal(backup_remove_tree(path, NULL), LF_OK);
}

static void what_counts_is_what_is_listed(void **state) {
    struct place *place = *state;
    struct backup_about *list;
    size_t count;
    char path[PATH_MAX];
    assert_int_equal(make(place, "b", NULL), LF_OK);
    path_in(place, "b", path);
    write_file(path, BACKUP_ABOUT_FILE, "nothing of the kind");
    path_in(place, "c", path); /* somebody's */
    assert_int_equal(mkdir(path, 0750), 0);
    write_file(place->directory, "d", "somebody's as well");
    assert_int_equal(make(place, "a", NULL), LF_OK);
    assert_int_equal(backup_list(&place->place, &list, &count, NULL), LF_OK);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "a");
    assert_int_equal(list[0].file_count, 2);
    assert_string_equal(list[1].name, "b");
    assert_int_equal(list[1].file_count, 0);
    backup_list_free(list, count);
    assert_int_equal(make(place, "e", NULL), LF_OK);
    assert_int_equal(make(place, "f", NULL), LF_INVALID); /* backups_max */
    assert_int_equal(make(place, "c", NULL), LF_EXISTS);
    assert_int_equal(backup_delete(&place->place, "b", NULL), LF_OK);
    assert_false(is_there(place, "b"));
}

static void the_live_store_is_not_deleted_by_its_name(void **state) {
    struct place *place = *state;
    write_file(place->store_path, "CURRENT", "live");
    place->place.directory = place->root;
    assert_int_equal(backup_delete(&place->place, "store", NULL), LF_INVALID);
    place->place.directory = place->directory;
    assert_int_equal(access(place->store_path, F_OK), 0);
}

static void removing_follows_no_links(void **state) {
    struct place *place = *state;
    char path[PATH_MAX];
    static const char *const links[] = {"a/linked", "a/store/linked", ".b.making"};
    write_file(place->store_path, "CURRENT", "live");
    assert_int_equal(make(place, "a", NULL), LF_OK);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        path_in(place, links[i], path);
        assert_int_equal(symlink(i == 2 ? "../store" : i == 1 ? "../../../store" : "../../store", path), 0);
        assert_int_equal(access(path, F_OK), 0);
    }
    assert_int_equal(backup_clean(&place->place, NULL), LF_OK);
    assert_int_equal(backup_delete(&place->place, "a", NULL), LF_OK);
    assert_false(is_there(place, "a"));
    assert_int_equal(readlink(path, (char[8]){0}, 8), -1); /* the link itself is gone */
    snprintf(path, sizeof path, "%s/CURRENT", place->store_path);
    assert_int_equal(access(path, F_OK), 0);
}

static enum lf_status judge(const struct place *place, const char *directory, char *own, struct lf_error *error) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", place->root, directory);
    return backup_place_judge(path, place->root, own, 16, error);
}

static void a_place_is_neither_the_data_nor_the_store_nor_around_them(void **state) {
    struct place *place = *state;
    struct lf_error error = {0};
    char own[16], path[PATH_MAX];
    static const char *const bad[] = {
        "", ".", "..", "backups/..", "store", "store/below/it", "store/", "not/../store/.", "link"};
    snprintf(path, sizeof path, "%s/link", place->root);
    assert_int_equal(symlink("store", path), 0);
    snprintf(path, sizeof path, "%s/not", place->root);
    assert_int_equal(mkdir(path, 0750), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (judge(place, bad[i], own, &error) != LF_INVALID)
            fail_msg("\"%s\" passes", bad[i]);
    assert_int_equal(judge(place, "", own, &error), LF_INVALID);
    assert_non_null(strstr(error.text, "is node.data"));
    assert_int_equal(judge(place, "backups", own, NULL), LF_OK);
    assert_string_equal(own, "backups");
    assert_int_equal(judge(place, "mine/deep", own, NULL), LF_OK);
    assert_string_equal(own, "mine");
    assert_int_equal(judge(place, "stores", own, NULL), LF_OK);
    assert_string_equal(own, "stores");
    assert_int_equal(judge(place, "../beside", own, NULL), LF_OK);
    assert_string_equal(own, "");
    assert_int_equal(backup_place_judge("not-there/backups", "not-there", own, sizeof own, NULL), LF_OK);
    assert_string_equal(own, "backups");
    assert_int_equal(backup_place_judge("not-there", "not-there/data", own, sizeof own, NULL), LF_INVALID);
    assert_int_equal(backup_place_judge("/", "not-there", own, sizeof own, NULL), LF_INVALID);
    assert_int_equal(backup_place_judge("/not-there/it", "/not-there", own, sizeof own, NULL), LF_OK);
    assert_string_equal(own, "it");
}

static void what_is_in_a_backup_is_found_at_any_depth(void **state) {
    struct place *place = *state;
    char path[PATH_MAX];
    struct lf_error error = {0};
    static const char *const in[] = {"a", "a/", "a/new", "a/store", "a/store/deep/er", "link/new"};
    static const char *const out[] = {"", "new", "aa", "a/..", "../store"};
    assert_int_equal(make(place, "a", NULL), LF_OK);
    path_in(place, "link", path);
    assert_int_equal(symlink("a/store", path), 0);
    for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
        path_in(place, in[i], path);
        assert_int_equal(backup_place_outside(path, &error), LF_INVALID);
        assert_non_null(strstr(error.text, "is in a backup"));
    }
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        path_in(place, out[i], path);
        assert_int_equal(backup_place_outside(path, NULL), LF_OK);
    }
    assert_int_equal(backup_place_outside("/", NULL), LF_OK);
}

static void another_filesystem_is_refused_in_words(void **state) {
    struct place *place = *state;
    struct lf_error error = {0};
    struct stat here, there;
    if (stat("/dev/shm", &there) != 0 || stat(place->root, &here) != 0 || here.st_dev == there.st_dev)
        skip();
    place->place.directory = "/dev/shm";
    assert_int_equal(make(place, "logflume-a", &error), LF_INVALID);
    assert_non_null(strstr(error.text, "another filesystem"));
    place->place.directory = place->directory;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_backup_says_what_is_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_lead_elsewhere_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_taken_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(there_are_no_more_than_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_failed_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_crash_left_is_removed_and_what_is_whole_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_not_there_cannot_be_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_backup_is_not_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_counts_is_what_is_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_live_store_is_not_deleted_by_its_name, setup, teardown),
        cmocka_unit_test_setup_teardown(removing_follows_no_links, setup, teardown),
        cmocka_unit_test_setup_teardown(a_place_is_neither_the_data_nor_the_store_nor_around_them, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_in_a_backup_is_found_at_any_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(another_filesystem_is_refused_in_words, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
