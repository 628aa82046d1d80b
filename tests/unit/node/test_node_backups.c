/** Backups: what the node asks of its owner, what it refuses, and what it answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "node_story.h"

static struct world world;
static struct node_effects effects;
static uint64_t next_request;

static int begin(void **state) {
    (void)state;
    world_init(&world, 1);
    world_topic(&world, "t", 1, 1);
    world_hello(&world, 0, 7);
    effects = (struct node_effects){0};
    next_request = 10;
    return 0;
}

static int end(void **state) {
    (void)state;
    node_effects_deinit(&effects);
    world_deinit(&world);
    return 0;
}

/** One step, its effects to look at. */
static void step(struct node_event *event) {
    node_effects_clear(&effects);
    event->now_ms = world.now_ms;
    event->wall_ms = (int64_t)world.now_ms;
    node_step(world.nodes[0], event, &effects);
}

static uint64_t ask(Lf__BackupAction action, const char *name) {
    Lf__Backup body = LF__BACKUP__INIT;
    body.action = action;
    body.name = (char *)(uintptr_t)name;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = next_request++;
    request.body_case = LF__CLIENT_REQUEST__BODY_BACKUP;
    request.backup = &body;
    struct lf_buf *packed = lf_buf_new(lf__client_request__get_packed_size(&request));
    lf__client_request__pack(&request, packed->data);
    struct node_frame frame = {.buf = packed, .size = packed->size};
    struct node_event event = {.type = NODE_EVENT_CLIENT, .client = {.session = 7, .frames = &frame, .count = 1}};
    step(&event);
    lf_buf_unref(&packed);
    return request.request_id;
}

/** The one answer of the last step. Caller frees. */
static Lf__ClientReply *answer(void) {
    assert_int_equal(effects.send_count, 1);
    const struct node_frame *frame = &effects.sends[0].frames[0];
    Lf__ClientReply *reply = lf__client_reply__unpack(NULL, frame->size, frame->buf->data + frame->offset);
    assert_non_null(reply);
    return reply;
}

static void assert_refused(enum lf_status status) {
    assert_int_equal(effects.backup_count, 0);
    Lf__ClientReply *reply = answer();
    assert_status((enum lf_status)reply->status, status);
    lf__client_reply__free_unpacked(reply, NULL);
}

static void done(const struct node_backup_wish *wish, enum lf_status status, const char *text,
                 const struct node_backup *backups, size_t count) {
    struct node_backup_done told = {.wish = *wish, .status = status, .text = text, .backups = backups, .count = count};
    struct node_event event = {.type = NODE_EVENT_BACKUP, .backup = &told};
    step(&event);
}

static void the_owner_is_asked_and_the_client_answered_when_it_is_done(void **state) {
    (void)state;
    uint64_t request = ask(LF__BACKUP_ACTION__BACKUP_CREATE, "monday");
    assert_int_equal(effects.send_count, 0);
    assert_int_equal(effects.backup_count, 1);
    struct node_backup_wish wish = effects.backups[0];
    assert_int_equal(wish.action, NODE_BACKUP_CREATE);
    assert_string_equal(wish.name, "monday");
    struct node_backup made = {.name = "monday", .made_ms = 1764150000000, .files = 9, .bytes = 12345};
    done(&wish, LF_OK, "", &made, 1);
    Lf__ClientReply *reply = answer();
    assert_int_equal(reply->request_id, request);
    assert_status((enum lf_status)reply->status, LF_OK);
    assert_int_equal(reply->backup->node_id, 1);
    assert_int_equal(reply->backup->n_backups, 1);
    assert_string_equal(reply->backup->backups[0]->name, "monday");
    assert_int_equal(reply->backup->backups[0]->bytes, 12345);
    lf__client_reply__free_unpacked(reply, NULL);
}

/* A client's library repeats by itself what may be retried. */
static void a_failure_is_told_as_one_that_no_retry_helps(void **state) {
    (void)state;
    ask(LF__BACKUP_ACTION__BACKUP_CREATE, "monday");
    struct node_backup_wish wish = effects.backups[0];
    done(&wish, LF_NO_SPACE, "no room", NULL, 0);
    assert_refused(LF_INVALID);
    ask(LF__BACKUP_ACTION__BACKUP_DELETE, "monday");
    wish = effects.backups[0];
    assert_int_equal(wish.action, NODE_BACKUP_DELETE);
    done(&wish, LF_NOT_FOUND, "", NULL, 0);
    assert_refused(LF_NOT_FOUND);
}

static void no_more_than_so_many_are_under_way(void **state) {
    (void)state;
    struct node_backup_wish wishes[NODE_BACKUPS_MAX];
    for (unsigned i = 0; i < NODE_BACKUPS_MAX; i++) {
        ask(LF__BACKUP_ACTION__BACKUP_LIST, "");
        assert_int_equal(effects.backup_count, 1);
        wishes[i] = effects.backups[0];
    }
    ask(LF__BACKUP_ACTION__BACKUP_LIST, "");
    assert_refused(LF_OVERLOADED);
    done(&wishes[0], LF_OK, "", NULL, 0);
    ask(LF__BACKUP_ACTION__BACKUP_LIST, "");
    assert_int_equal(effects.backup_count, 1);
}

static void none_is_made_while_the_disk_has_little_room(void **state) {
    (void)state;
    struct node_event event = {.type = NODE_EVENT_SPACE, .space = {.room_bytes = 9, .soft_bytes = 10, .hard_bytes = 5}};
    step(&event);
    ask(LF__BACKUP_ACTION__BACKUP_CREATE, "monday");
    assert_refused(LF_INVALID);
    ask(LF__BACKUP_ACTION__BACKUP_DELETE, "monday"); /* which makes room */
    assert_int_equal(effects.backup_count, 1);
}

static void what_makes_no_sense_is_refused(void **state) {
    (void)state;
    char name[100];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    ask(LF__BACKUP_ACTION__BACKUP_CREATE, name);
    assert_refused(LF_INVALID);
    ask((Lf__BackupAction)17, "monday");
    assert_refused(LF_UNSUPPORTED);
}

static void nobody_is_answered_whose_session_is_over(void **state) {
    (void)state;
    ask(LF__BACKUP_ACTION__BACKUP_CREATE, "monday");
    struct node_backup_wish wish = effects.backups[0];
    struct node_event gone = {.type = NODE_EVENT_CLIENT_GONE, .session = 7};
    step(&gone);
    done(&wish, LF_OK, "", NULL, 0);
    assert_int_equal(effects.send_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_owner_is_asked_and_the_client_answered_when_it_is_done, begin, end),
        cmocka_unit_test_setup_teardown(a_failure_is_told_as_one_that_no_retry_helps, begin, end),
        cmocka_unit_test_setup_teardown(no_more_than_so_many_are_under_way, begin, end),
        cmocka_unit_test_setup_teardown(none_is_made_while_the_disk_has_little_room, begin, end),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(nobody_is_answered_whose_session_is_over, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
