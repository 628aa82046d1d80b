/** From the sources to the node, a bounded amount at a time. */
#include "loop_internal.h"

/** A turn's share of one source. */
struct share {
    size_t left;
    uint64_t until_ms;
};

static struct share share_of(const struct loop *loop, bool catch_up) {
    return (struct share){.left = catch_up ? LOOP_CATCH_UP_MESSAGES_MAX : LOOP_MESSAGES_MAX,
                          .until_ms = loop->now_ms + (catch_up ? LOOP_CATCH_UP_MS_MAX : LOOP_SOURCE_MS_MAX)};
}

static bool is_left(const struct loop *loop, struct share *share) {
    if (share->left == 0 || loop->now_ms > share->until_ms || loop->failed != LF_OK)
        return false;
    share->left--;
    return true;
}

static void on_peer_frames(struct loop *loop, struct peer_frames *frames) {
    struct peer_envelope *envelope = NULL;
    struct lf_error error = {0};
    enum lf_status status = peer_codec_decode(frames->frames, frames->count, &envelope, &error);
    if (status == LF_OK) {
        struct node_event event = {.type = NODE_EVENT_PEER, .envelope = envelope};
        loop_feed(loop, &event);
    } else if (loop->malformed++ == 0) {
        log_line(loop->options.log, LOG_WARN, "dropped from a peer: %s", error.text);
    }
    peer_envelope_destroy(&envelope);
}

bool loop_take_peers(struct loop *loop, bool catch_up) {
    struct share share = share_of(loop, catch_up);
    while (is_left(loop, &share)) {
        struct peer_frames frames = {0};
        enum lf_status status = transport_receive_peer(loop->options.transport, &frames);
        if (status == LF_AGAIN)
            return false;
        if (status == LF_OK)
            on_peer_frames(loop, &frames);
        peer_frames_deinit(&frames);
    }
    return true;
}

bool loop_take_store(struct loop *loop, bool catch_up) {
    struct share share = share_of(loop, catch_up);
    bool some = false;
    loop->store_waits = true;
    while (is_left(loop, &share)) {
        struct log_store_completion *completion = log_store_poll(loop->options.store);
        if (!completion) {
            loop->store_waits = false;
            break;
        }
        struct node_event event = {.type = NODE_EVENT_STORE, .completion = completion};
        if (completion->kind == LOG_STORE_DONE_WRITE && completion->status == LF_NO_SPACE)
            loop_spoil(loop, completion->error.text);
        else
            loop_feed(loop, &event);
        log_store_completion_destroy(&completion);
        some = true;
    }
    struct lf_error error = {0};
    if (some && !store_queue_is_empty(&loop->queue) && store_queue_retry(&loop->queue, &error) != LF_OK)
        loop_fail(loop, error.code, error.text);
    return loop->store_waits;
}

/** Sessions for which the node holds something back. */
void loop_tell_room(struct loop *loop) {
    for (size_t i = loop->watch_count; i-- > 0 && loop->failed == LF_OK;) {
        struct node_watch watch = loop->watches[i];
        struct transport_unsent unsent;
        bool there = transport_unsent(loop->options.transport, watch.session, &unsent);
        if (there && unsent.session_bytes > watch.bytes)
            continue;
        loop->watches[i] = loop->watches[--loop->watch_count];
        struct node_event event = {.type = NODE_EVENT_CLIENT_ROOM,
                                   .client = {.session = watch.session,
                                              .unsent_bytes = unsent.session_bytes,
                                              .unsent_total_bytes = unsent.total_bytes}};
        if (there)
            loop_feed(loop, &event); /* may watch again, at the end */
    }
}

bool loop_take_clients(struct loop *loop) {
    struct share share = share_of(loop, false);
    while (is_left(loop, &share)) {
        struct transport_client_message message;
        enum lf_status status = transport_receive_client(loop->options.transport, &message);
        if (status == LF_AGAIN)
            return false;
        if (status != LF_OK)
            continue;
        struct node_event event = {
            .type = NODE_EVENT_CLIENT,
            .client = {.session = message.session, .frames = message.frames, .count = message.count}};
        struct transport_unsent unsent;
        transport_unsent(loop->options.transport, message.session, &unsent);
        event.client.unsent_bytes = unsent.session_bytes;
        event.client.unsent_total_bytes = unsent.total_bytes;
        loop_feed(loop, &event);
        transport_client_message_deinit(&message);
    }
    return true;
}
