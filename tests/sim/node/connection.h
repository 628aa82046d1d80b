/** Connections of clients to nodes: reliable streams. A connection delivers in order or breaks, and then both ends hear
 *  of it sooner or later. What a node hears comes from a session; a session that the node ended is followed by a new
 *  one on the same connection, as the broker's transport has it. */
#ifndef SIM_CONNECTION_H
#define SIM_CONNECTION_H

#include "host.h"

struct sim_connection {
    uint64_t id;             /**< place in world->connections plus 1 */
    struct sim_actor *actor; /**< NULL when a prober holds it, or when its client is gone */
    struct sim_prober *prober;
    uint32_t client; /**< whose links it uses: actor number */
    uint64_t number; /**< the client's for it */
    struct sim_host *host;
    uint64_t generation; /**< of the node's process; 0: nobody listened */
    uint64_t session;    /**< 0: none yet */
    bool client_open, node_open;
    bool lost_to_node, lost_to_client;     /**< nothing more arrives there */
    uint64_t last_to_node, last_to_client; /**< arrivals so far */
};

/** Frames on their way. */
struct sim_message;

/** A client connects (client: its actor number). NULL: no such host. */
struct sim_connection *sim_connect(struct sim_world *world, uint32_t client, const char *address, uint64_t number);
/** The client sends; borrows the frames. */
void sim_connection_from_client(struct sim_connection *connection, const struct node_frame *frames, size_t count);
/** The client is done with it. */
void sim_connection_drop(struct sim_connection *connection);
void sim_connection_from_node(struct sim_host *host, const struct node_client_send *send);
void sim_connection_session_closed(struct sim_host *host, uint64_t session);
/** Breaks it in the middle. */
void sim_connection_break(struct sim_connection *connection);
void sim_connections_host_ended(struct sim_host *host, enum sim_end how);

void sim_frames_arrive(struct sim_world *world, struct sim_event *event);
/** True when they are for a node that does not run now: kept for later. */
bool sim_frames_wait(struct sim_world *world, const struct sim_event *event);
void sim_message_destroy(struct sim_message *message);
void sim_session_gone(struct sim_world *world, struct sim_event *event);
/** The node waits until the client has read, which takes a moment. */
void sim_connection_watched(struct sim_host *host, uint64_t session);
void sim_client_room(struct sim_world *world, const struct sim_event *event);
void sim_client_gone(struct sim_world *world, uint64_t id);
void sim_connections_deinit(struct sim_world *world);

#endif
