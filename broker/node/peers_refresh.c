/** Who is to be sent to: worked out anew when group 0, its configuration, or a greeting changed something. */
#include "node_internal.h"

#include <stdlib.h>

/** Strangers at one time, and how long one is remembered after its last greeting. */
#define GUESTS_MAX 4
#define GUEST_MS 10000

struct wanted_peers {
    struct node_address addresses[NODE_PEERS_MAX];
    bool guests[NODE_PEERS_MAX];
    size_t count;
};

/** The first that names a node wins. */
static void want(const struct node *node, struct wanted_peers *wanted, const struct node_address *address, bool guest) {
    for (size_t i = 0; i < wanted->count; i++)
        if (wanted->addresses[i].node_id == address->node_id)
            return;
    if (address->node_id == node->id || wanted->count == NODE_PEERS_MAX)
        return;
    wanted->guests[wanted->count] = guest;
    wanted->addresses[wanted->count++] = *address;
}

static struct node_address make_address(uint64_t node_id, const char *host, uint32_t client_port, uint32_t peer_port) {
    struct node_address address = {.node_id = node_id, .client_port = client_port, .peer_port = peer_port};
    memcpy(address.host, host, strlen(host) + 1);
    return address;
}

static void collect(const struct node *node, struct wanted_peers *wanted) {
    const struct metadata_node *nodes;
    size_t count = metadata_nodes(node->metadata, &nodes);
    for (uint32_t i = 0; node->welcome && i < node->welcome->member_count; i++) {
        const struct peer_member *member = &node->welcome->members[i];
        struct node_address address =
            make_address(member->node_id, member->host, member->client_port, member->peer_port);
        want(node, wanted, &address, false);
    }
    for (size_t i = 0; i < count; i++) {
        struct node_address address =
            make_address(nodes[i].node_id, nodes[i].host, nodes[i].client_port, nodes[i].peer_port);
        if (!nodes[i].removed || join_in_group_zero(node, nodes[i].replica_id))
            want(node, wanted, &address, false);
    }
    for (size_t i = 0; count == 0 && i < node->founding_count; i++)
        want(node, wanted, &node->founding[i], false);
    for (size_t i = 0; i < node->peer_count; i++)
        if (node->peers[i].guest && node->now_ms - node->peers[i].heard_ms <= GUEST_MS)
            want(node, wanted, &node->peers[i].address, true);
}

static void forget(struct node *node, size_t at) {
    struct peer *peer = &node->peers[at];
    for (int lane = 0; lane < PEER_LANE_COUNT; lane++)
        peer_envelope_destroy(&peer->out[lane]);
    node_add_forgotten(node, peer->address.node_id);
    node_tracef(node, "peer=%llu forgotten", (unsigned long long)peer->address.node_id);
    *peer = node->peers[--node->peer_count];
}

static bool same_address(const struct node_address *a, const struct node_address *b) {
    return a->peer_port == b->peer_port && strcmp(a->host, b->host) == 0;
}

void peers_refresh(struct node *node) {
    struct wanted_peers wanted = {.count = 0};
    node->peers_stale = false;
    collect(node, &wanted);
    for (size_t at = node->peer_count; at-- > 0;) {
        bool stays = false;
        for (size_t i = 0; i < wanted.count; i++)
            stays |= wanted.addresses[i].node_id == node->peers[at].address.node_id;
        if (!stays)
            forget(node, at);
    }
    for (size_t i = 0; i < wanted.count; i++) {
        const struct node_address *address = &wanted.addresses[i];
        struct peer *peer = node_peer(node, address->node_id);
        if (peer && same_address(&peer->address, address)) {
            peer->address = *address;
            peer->guest = wanted.guests[i];
            continue;
        }
        if (!peer) {
            peer = &node->peers[node->peer_count++];
            *peer = (struct peer){.guest = wanted.guests[i]};
        }
        peer->address = *address;
        peer->guest = wanted.guests[i];
        node_add_connect(node, address);
        node_tracef(node, "peer=%llu at %s:%u", (unsigned long long)address->node_id, address->host,
                    address->peer_port);
    }
}

struct peer *peers_add_guest(struct node *node, const struct peer_member *member) {
    size_t guests = 0;
    for (size_t i = 0; i < node->peer_count; i++)
        guests += node->peers[i].guest;
    if (guests == GUESTS_MAX || node->peer_count == NODE_PEERS_MAX || member->node_id == node->id)
        return NULL;
    struct peer *peer = &node->peers[node->peer_count++];
    *peer = (struct peer){
        .address = make_address(member->node_id, member->host, member->client_port, member->peer_port), .guest = true};
    node_add_connect(node, &peer->address);
    return peer;
}
