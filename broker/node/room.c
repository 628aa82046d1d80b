/** What was sent to clients and waits to be taken: bounded in bytes, per session and over all.
 *
 *  What can be held back is held back (deliveries) or becomes a short refusal (long answers) while a session's part is
 *  used up; a session that goes on asking beyond it is closed, in words. A session's part is a quarter of what is left
 *  of the whole, so those who do not read never take all of it, and it shrinks as they are more.
 *
 *  The owner says how much waits at each message of the session (node_event.client); what is sent after that is added
 *  here. So the node's figure is never too small, and when it bars deliveries the owner is asked to say when there is
 *  room. */
#include "node_internal.h"

/** Short answers may go beyond the part by this much before the session is closed, in bytes. */
#define SLACK_BYTES (256u * 1024)

static uint64_t part(const struct node *node) {
    uint64_t used = node->unsent_bytes, whole = node->limits.unsent_bytes_max;
    uint64_t left = used < whole ? (whole - used) / 4 : 0;
    return left < node->limits.session_unsent_bytes_max ? left : node->limits.session_unsent_bytes_max;
}

/** What nothing waits for may take one message of any legal size. */
bool room_left(const struct node *node, const struct session *session) {
    uint64_t used = session->unsent_bytes + session->reading_bytes;
    return used == 0 ? node->unsent_bytes < node->limits.unsent_bytes_max : used < part(node);
}

void room_use(struct node *node, struct session *session, const struct node_client_send *send) {
    uint64_t bytes = node_client_send_bytes(send);
    session->unsent_bytes += bytes;
    node->unsent_bytes += bytes;
}

void room_await(struct node *node, struct session *session) {
    if (session->awaits_room)
        return;
    session->awaits_room = true;
    node_add_watch(node, session->id, part(node) / 2);
}

void room_on_told(struct node *node, struct session *session, const struct node_event *event) {
    if (session)
        session->unsent_bytes = event->client.unsent_bytes;
    node->unsent_bytes = event->client.unsent_total_bytes;
}

void room_on_event(struct node *node, const struct node_event *event) {
    struct session *session = node_session(node, event->client.session);
    room_on_told(node, session, event);
    if (!session)
        return;
    session->awaits_room = false;
    subscriptions_pump_session(node, session);
}

/** True: it was closed. */
bool room_closes(struct node *node, struct session *session, uint64_t request_id) {
    if (session->unsent_bytes <= part(node) + SLACK_BYTES)
        return false;
    node_tracef(node, "close session=%llu: %llu bytes wait for it to read them", (unsigned long long)session->id,
                (unsigned long long)session->unsent_bytes);
    node->counts.unread++;
    reply_error(node, session->id, request_id, LF_OVERLOADED,
                "this session is closed: %llu bytes of answers wait for its client to read them",
                (unsigned long long)session->unsent_bytes);
    node_add_closed(node, session->id);
    session_close(node, session);
    return true;
}
