/** Effects: to the store, to peers, to clients. */
#include "loop_internal.h"

#include "lf_check.h"

#include <stdlib.h>

/** Whom to send to: before anything is sent. */
static void follow_peers(struct loop *loop) {
    const struct node_effects *effects = &loop->effects;
    struct lf_error error;
    for (size_t i = 0; i < effects->forgotten_count; i++)
        transport_forget_peer(loop->options.transport, effects->forgotten[i]);
    for (size_t i = 0; i < effects->connect_count; i++)
        if (transport_connect_peer(loop->options.transport, &effects->connects[i], &error) != LF_OK)
            log_line(loop->options.log, LOG_WARN, "peer %llu cannot be reached: %s",
                     (unsigned long long)effects->connects[i].node_id, error.text);
}

static void send_to_peers(struct loop *loop) {
    const struct node_effects *effects = &loop->effects;
    follow_peers(loop);
    for (size_t i = 0; i < effects->envelope_count; i++) {
        const struct peer_envelope *envelope = effects->envelopes[i];
        struct peer_frames frames = {0};
        if (peer_codec_encode(envelope, &frames) == LF_OK) /* dropping one is allowed */
            transport_send_peer(loop->options.transport, envelope->to_node, envelope->lane, &frames, loop->now_ms);
    }
}

/** As many as there are sessions, at most. */
static void watch(struct loop *loop, struct node_watch watch) {
    if (loop->watch_count == loop->watch_capacity) {
        loop->watch_capacity = loop->watch_capacity ? 2 * loop->watch_capacity : 16;
        loop->watches = realloc(loop->watches, loop->watch_capacity * sizeof watch);
        lf_checkf(loop->watches != NULL, "no memory for %zu sessions that do not read", loop->watch_capacity);
    }
    loop->watches[loop->watch_count++] = watch;
}

static void send_to_clients(struct loop *loop) {
    const struct node_effects *effects = &loop->effects;
    for (size_t i = 0; i < effects->send_count; i++) {
        const struct node_client_send *send = &effects->sends[i];
        if (transport_send_client(loop->options.transport, send) == LF_NOT_FOUND && loop->gone_count < LOOP_GONE_MAX)
            loop->gone[loop->gone_count++] = send->session;
    }
    for (size_t i = 0; i < effects->watch_count; i++)
        watch(loop, effects->watches[i]);
    for (size_t i = 0; i < effects->closed_count; i++)
        transport_close_session(loop->options.transport, effects->closed_sessions[i]);
}

void loop_carry_out(struct loop *loop) {
    struct node_effects *effects = &loop->effects;
    struct lf_error error = {0};
    if (effects->fatal != LF_OK) {
        loop_fail(loop, effects->fatal, effects->fatal_text); /* and nothing further is sent */
    } else if (store_queue_add(&loop->queue, effects, &error) != LF_OK) {
        loop_fail(loop, error.code, error.text);
    } else {
        send_to_peers(loop);
        send_to_clients(loop);
        loop_ask_for_backups(loop);
    }
    loop->deadline_ms = effects->deadline_ms;
    loop->stopped |= effects->stopped;
    node_effects_clear(effects);
}
