/** Backups: from the node to the thread that makes them, and back. */
#include "loop_internal.h"

#include <inttypes.h>

void loop_ask_for_backups(struct loop *loop) {
    const struct node_effects *effects = &loop->effects;
    for (size_t i = 0; i < effects->backup_count; i++)
        backup_thread_ask(loop->options.backups, &effects->backups[i]);
}

static void say(const struct loop *loop, const struct backup_answer *answer) {
    const struct node_backup_done *done = &answer->done;
    if (done->status != LF_OK)
        log_line(loop->options.log, LOG_WARN, "backup \"%.64s\" failed: %s", done->wish.name,
                 done->text[0] ? done->text : lf_status_text(done->status));
    else if (done->wish.action == NODE_BACKUP_CREATE && done->count > 0)
        log_line(loop->options.log, LOG_INFO, "backup %s made in %" PRIu64 " ms: %" PRIu64 " files, %" PRIu64 " bytes",
                 done->wish.name, answer->took_ms, done->backups[0].files, done->backups[0].bytes);
    else if (done->wish.action == NODE_BACKUP_DELETE)
        log_line(loop->options.log, LOG_INFO, "backup %s deleted", done->wish.name);
}

void loop_take_backups(struct loop *loop) {
    struct backup_answer *answer;
    while (loop->failed == LF_OK && (answer = backup_thread_poll(loop->options.backups)) != NULL) {
        struct node_event event = {.type = NODE_EVENT_BACKUP, .backup = &answer->done};
        say(loop, answer);
        loop_feed(loop, &event);
        backup_answer_destroy(&answer);
    }
}
