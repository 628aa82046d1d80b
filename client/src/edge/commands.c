/** Handing over to the I/O thread, and waiting for it. */
#include "edge.h"

#define PUSH_LOOK_MS 10

void lf_command_push(struct lf_client *client, struct lf_command *command) {
    if (lf_ring_push(client->ring, command))
        return;
    atomic_fetch_add(&client->waiting, 1);
    pthread_mutex_lock(&client->mutex);
    while (!lf_ring_push(client->ring, command)) {
        struct timespec at = lf_clock_deadline(PUSH_LOOK_MS);
        pthread_cond_timedwait(&client->changed, &client->mutex, &at);
    }
    pthread_mutex_unlock(&client->mutex);
    atomic_fetch_sub(&client->waiting, 1);
}

void lf_command_start(struct lf_client *client, struct lf_waited_command *command) {
    command->command.type = LF_COMMAND_WAITED;
    command->done = false;
    lf_command_push(client, &command->command);
}

void lf_command_finish(struct lf_client *client, struct lf_waited_command *command) {
    pthread_mutex_lock(&client->mutex);
    while (!command->done)
        pthread_cond_wait(&client->changed, &client->mutex);
    pthread_mutex_unlock(&client->mutex);
}

void lf_command_wait(struct lf_client *client, struct lf_waited_command *command) {
    lf_command_start(client, command);
    lf_command_finish(client, command);
}

void lf_command_done(struct lf_client *client, struct lf_waited_command *command) {
    pthread_mutex_lock(&client->mutex);
    command->done = true; /* from here on it may be gone */
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
}

static void waited_run(struct lf_client *client, struct lf_waited_command *command) {
    struct lf_subscription *subscription = command->subscription;
    enum lf_core_event_type type = command->event.type;
    if (type == LF_CORE_SUBSCRIBE && !lf_map_put(&client->by_id, subscription->id, subscription)) {
        command->status = lf_error_set(&command->error, LF_NO_MEMORY, "out of memory");
        lf_command_done(client, command);
        return;
    }
    struct lf_core_event event = command->event; /* an answer within the step ends the command */
    struct lf_error error = {0};
    enum lf_status status = lf_io_step(client, &event, &error);
    if ((type == LF_CORE_SUBSCRIBE && status != LF_OK) || type == LF_CORE_UNSUBSCRIBE)
        lf_map_remove(&client->by_id, subscription->id);
    if (type == LF_CORE_CALL && status == LF_OK)
        return; /* the answer ends it */
    command->status = status;
    command->error = error;
    lf_command_done(client, command);
}

void lf_command_run(struct lf_client *client, struct lf_command *command) {
    switch (command->type) {
    case LF_COMMAND_PUBLISH:
        lf_publish_run(client, (struct lf_publish_command *)command);
        break;
    case LF_COMMAND_CONSUMED:
        lf_subscription_consumed_run(client, (struct lf_subscription *)command);
        break;
    case LF_COMMAND_FLUSH:
        lf_flush_run(client, (struct lf_flush *)command);
        break;
    case LF_COMMAND_WAITED:
        waited_run(client, (struct lf_waited_command *)command);
        break;
    case LF_COMMAND_CLOSE: {
        client->close_deadline_ms = ((struct lf_close_command *)command)->deadline_ms;
        struct lf_core_event event = {.type = LF_CORE_FLUSH};
        lf_io_step(client, &event, NULL);
        break;
    }
    }
}
