/** Backups of this node's store. Whoever owns the node makes them (node_effects.backups), in its own time; the node
 *  bounds how many are asked for, and answers. */
#include "node_internal.h"

#include "reply_arena.h"

#include <stdio.h>
#include <string.h>

void backups_on_request(struct node *node, struct session *session, const Lf__ClientRequest *request) {
    const Lf__Backup *backup = request->backup;
    struct node_backup_wish wish = {.session = session->id, .request_id = request->request_id};
    switch (backup->action) {
    case LF__BACKUP_ACTION__BACKUP_LIST:
        wish.action = NODE_BACKUP_LIST;
        break;
    case LF__BACKUP_ACTION__BACKUP_CREATE:
        wish.action = NODE_BACKUP_CREATE;
        break;
    case LF__BACKUP_ACTION__BACKUP_DELETE:
        wish.action = NODE_BACKUP_DELETE;
        break;
    default:
        reply_error(node, session->id, request->request_id, LF_UNSUPPORTED,
                    "this broker does not know how to do that with a backup: upgrade it");
        return;
    }
    if ((size_t)snprintf(wish.name, sizeof wish.name, "%s", backup->name) >= sizeof wish.name) {
        reply_error(node, session->id, request->request_id, LF_INVALID, "a backup's name has at most %zu bytes",
                    sizeof wish.name - 1);
        return;
    }
    if (wish.action == NODE_BACKUP_CREATE && node->space_level != NODE_SPACE_ENOUGH) {
        reply_error(node, session->id, request->request_id, LF_INVALID,
                    "no backup while the disk has too little room (%llu bytes): it keeps what the store drops",
                    (unsigned long long)node->space.room_bytes);
        return;
    }
    if (node->backups_waiting == NODE_BACKUPS_MAX) {
        reply_error(node, session->id, request->request_id, LF_OVERLOADED, "%u backups are under way",
                    NODE_BACKUPS_MAX);
        return;
    }
    node->backups_waiting++;
    node_add_backup(node, &wish);
}

static void fill(struct reply_arena *arena, Lf__BackupReply *body, const struct node_backup_done *done) {
    body->backups = reply_arena_take(arena, done->count + 1, sizeof body->backups[0]);
    for (; body->n_backups < done->count; body->n_backups++) {
        const struct node_backup *backup = &done->backups[body->n_backups];
        Lf__BackupDescription *one = reply_arena_take(arena, 1, sizeof *one);
        lf__backup_description__init(one);
        one->name = (char *)(uintptr_t)backup->name; /* packed, never written */
        one->made_ms = backup->made_ms;
        one->files = backup->files;
        one->bytes = backup->bytes;
        body->backups[body->n_backups] = one;
    }
}

void backups_on_done(struct node *node, const struct node_backup_done *done) {
    lf_check(node->backups_waiting > 0);
    node->backups_waiting--;
    if (done->status != LF_OK) {
        /* Not to be tried again by itself: it is said to whoever asked. */
        enum lf_status status = lf_status_action(done->status) == LF_ACTION_GIVE_UP ? done->status : LF_INVALID;
        reply_error(node, done->wish.session, done->wish.request_id, status, "%s",
                    done->text[0] ? done->text : lf_status_text(done->status));
        return;
    }
    Lf__ClientReply reply;
    Lf__BackupReply body = LF__BACKUP_REPLY__INIT;
    struct reply_arena arena = {0};
    body.node_id = node->id;
    fill(&arena, &body, done);
    reply_init(node, &reply, done->wish.request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_BACKUP;
    reply.backup = &body;
    reply_send(node, done->wish.session, &reply, NULL, 0);
    reply_arena_free(&arena);
}
