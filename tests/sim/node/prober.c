#include "prober.h"

#include "client.pb-c.h"
#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>

typedef unsigned long long ull;

#define PARTITIONS_MAX 64
#define CREDIT (1ull << 40)
/** Sessions last at least two seconds without a word. */
#define PING_MS 500
#define PING_REQUEST 2

enum stage { PROBER_HELLO, PROBER_ASKED, PROBER_DONE };

/** One partition read from one node. The request that asks for its end has the number of its place plus END_REQUESTS.
 */
struct partition_read {
    struct sim_topic *topic;
    uint32_t partition;
    uint64_t group;
    int64_t next, end;         /**< end -1: not known yet */
    int64_t last_of[SIM_KEYS]; /**< the last offset at which a key was read; -1: none */
    bool begun;                /**< the first record has come */
    bool elsewhere;            /**< it was not read to its end here */
};
#define SUBSCRIBE_REQUESTS 1000u
#define END_REQUESTS 2000u

struct sim_prober {
    struct sim_host *host;
    struct sim_connection *connection; /**< NULL: over */
    bool read_back;
    enum stage stage;
    int64_t floor; /**< of the end asked for */
    struct partition_read reads[PARTITIONS_MAX];
    size_t read_count;
    uint64_t pinged_at;
};

static struct sim_prober *begin(struct sim_host *host, bool read_back);

static void send_request(struct sim_prober *prober, Lf__ClientRequest *request, uint64_t id) {
    request->protocol_version = 1;
    request->request_id = id;
    struct lf_buf *bytes = lf_buf_new(lf__client_request__get_packed_size(request));
    if (!bytes)
        sim_fail(prober->host->world, "out of memory");
    lf__client_request__pack(request, bytes->data);
    struct node_frame frame = {.buf = bytes, .size = bytes->size};
    sim_connection_from_client(prober->connection, &frame, 1);
    lf_buf_unref(&bytes);
}

static struct sim_prober *begin(struct sim_host *host, bool read_back) {
    struct sim_world *world = host->world;
    struct sim_prober *prober = sim_alloc(1, sizeof *prober);
    world->probers =
        sim_grown(world->probers, &world->prober_capacity, world->prober_count + 1, sizeof *world->probers);
    world->probers[world->prober_count++] = prober;
    *prober = (struct sim_prober){.host = host, .read_back = read_back};
    char address[16];
    snprintf(address, sizeof address, "node%u", host->id);
    prober->connection = sim_connect(world, 0, address, world->prober_count);
    prober->connection->prober = prober;
    Lf__Hello hello = LF__HELLO__INIT;
    hello.version_min = hello.version_max = 1;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_HELLO;
    request.hello = &hello;
    send_request(prober, &request, 1);
    return prober;
}

static void finish(struct sim_prober *prober) {
    struct sim_connection *connection = prober->connection;
    prober->connection = NULL;
    prober->stage = PROBER_DONE;
    if (connection)
        sim_connection_drop(connection);
}

static void ask_end(struct sim_prober *prober, const struct partition_read *read, uint64_t id) {
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    topic.name = read->topic->name;
    Lf__OffsetsLookup lookup = LF__OFFSETS_LOOKUP__INIT;
    lookup.topic = &topic;
    lookup.partition = read->partition;
    lookup.kind = LF__LOOKUP_KIND__LOOKUP_END;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_OFFSETS_LOOKUP;
    request.offsets_lookup = &lookup;
    send_request(prober, &request, id);
}

/* ---- in the storm: an end
 * -------------------------------------------------------------------------------------------- */

void sim_probe(struct sim_world *world) {
    if (world->phase != SIM_STORM)
        return;
    sim_at(world, world->now + sim_between(world, 100, 700) * SIM_MS, SIM_PROBE, 0, 0, NULL);
    struct sim_host *host = &world->hosts[sim_between(world, 0, world->node_count - 1)];
    if (sim_host_up(host) && world->topic_count >= 2)
        begin(host, false);
}

static void ask_some_end(struct sim_prober *prober) {
    struct sim_world *world = prober->host->world;
    struct sim_topic *topic = world->topics[sim_between(world, 0, 1)];
    if (topic->state != SIM_TOPIC_LIVE) {
        finish(prober);
        return;
    }
    prober->reads[0].topic = topic;
    prober->reads[0].partition = (uint32_t)sim_between(world, 0, topic->partition_count - 1);
    prober->floor = topic->partitions[prober->reads[0].partition].acked_end;
    ask_end(prober, &prober->reads[0], END_REQUESTS);
}

static void on_some_end(struct sim_prober *prober, const Lf__ClientReply *reply) {
    struct sim_world *world = prober->host->world;
    const struct partition_read *read = &prober->reads[0];
    if (reply->status == LF_OK) {
        int64_t end = reply->offsets_lookup->position->offset;
        if (end < prober->floor)
            sim_fail(world, "LIN: node %u says %s-%u ends at %lld; acknowledged before the question: %lld",
                     prober->host->id, read->topic->name, read->partition, (long long)end, (long long)prober->floor);
        world->totals.ends_checked_anywhere++;
    }
    finish(prober);
}

/* ---- at the end: everything
 * ------------------------------------------------------------------------------------------- */

void sim_read_back_start(struct sim_host *host) { begin(host, true); }

static void subscribe(struct sim_prober *prober, const struct partition_read *read, uint64_t place) {
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    topic.name = read->topic->name;
    Lf__Subscribe body = LF__SUBSCRIBE__INIT;
    body.subscription = place + 1;
    body.topic = &topic;
    body.partition = read->partition;
    body.from = LF__START_FROM__START_EARLIEST;
    body.credit_total = CREDIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    send_request(prober, &request, SUBSCRIBE_REQUESTS + place);
}

/** Has a damaged disk taken what the group needs to answer for itself? */
static bool lost(struct sim_world *world, const struct sim_topic *topic, uint64_t group) {
    return sim_lossy(world) && (topic->replicas < 3 || !sim_group_can_lead(world, group));
}

static void read_all(struct sim_prober *prober) {
    struct sim_world *world = prober->host->world;
    for (size_t i = 0; i < world->topic_count; i++)
        for (uint32_t k = 0; k < world->topics[i]->partition_count; k++) {
            uint64_t group = node_find_group(prober->host->node, world->topics[i]->name, k);
            if (group == 0 || !node_group_raft(prober->host->node, group) || prober->read_count == PARTITIONS_MAX ||
                lost(world, world->topics[i], group))
                continue;
            size_t place = prober->read_count++;
            prober->reads[place] =
                (struct partition_read){.topic = world->topics[i], .partition = k, .group = group, .end = -1};
            subscribe(prober, &prober->reads[place], place);
            ask_end(prober, &prober->reads[place], END_REQUESTS + place);
        }
}

static void read_batch(struct sim_prober *prober, struct partition_read *read, const struct node_frame *frame) {
    struct sim_world *world = prober->host->world;
    struct lf_batch_reader *reader = NULL;
    struct lf_error error = {0};
    struct lf_bytes bytes = lf_bytes(frame->buf->data + frame->offset, frame->size);
    if (lf_batch_reader_new(bytes, NULL, &reader, &error) != LF_OK)
        sim_fail(world, "node %u delivers a bad batch: %s", prober->host->id, error.text);
    struct lf_record record;
    char name[32];
    snprintf(name, sizeof name, "the reader at node %u", prober->host->id);
    while (lf_batch_reader_next(reader, &record) == LF_OK) {
        if (!read->begun && record.offset < read->next)
            continue; /* the log start stands inside the first batch */
        read->begun = true;
        if (read->topic->compacts ? record.offset < read->next : record.offset != read->next)
            sim_fail(world, "%s gets %s-%u offset %lld, expected %lld", name, read->topic->name, read->partition,
                     (long long)record.offset, (long long)read->next);
        const struct sim_record *known = sim_ledger_read(world, read->topic, (int32_t)read->partition, &record, name);
        if (known->keyed)
            read->last_of[sim_record_key_number(known)] = record.offset;
        read->next = record.offset + 1;
        world->totals.records_read_back++;
    }
    const struct lf_batch_header *header = lf_batch_reader_header(reader);
    if (read->topic->compacts && header->base_offset + header->last_offset_delta + 1 > read->next)
        read->next = header->base_offset + header->last_offset_delta + 1; /* its last ones were superseded */
    lf_batch_reader_destroy(&reader);
    world->read_back_at = world->now;
}

/** What the broker says is gone before the batch with this number. */
static void pass_over(struct sim_prober *prober, struct partition_read *read, const Lf__Deliver *deliver,
                      size_t number) {
    if (deliver->n_gone_below == 0)
        return;
    if (!read->topic->compacts || deliver->n_gone_below != (size_t)deliver->batch_count + 1)
        sim_fail(prober->host->world, "node %u says that %s-%u lacks what is before %lld", prober->host->id,
                 read->topic->name, read->partition, (long long)deliver->gone_below[number]);
    if (deliver->gone_below[number] > read->next)
        read->next = deliver->gone_below[number];
}

static void ping(struct sim_prober *prober) {
    uint64_t now = prober->host->world->now;
    if (now < prober->pinged_at + PING_MS * SIM_MS)
        return;
    prober->pinged_at = now;
    Lf__Ping body = LF__PING__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_PING;
    request.ping = &body;
    send_request(prober, &request, PING_REQUEST);
}

/** While the reader was at it: others have it. */
static void moved_away(struct partition_read *read) {
    read->next = read->end = 0;
    read->elsewhere = true;
}

static void begins_at(struct sim_prober *prober, struct partition_read *read, const Lf__SubscribeReply *said) {
    int64_t known = read->topic->partitions[read->partition].log_start;
    if (said->start_offset > known && read->topic->main)
        sim_fail(prober->host->world, "node %u begins %s-%u at offset %lld, no log start was above %lld",
                 prober->host->id, read->topic->name, read->partition, (long long)said->start_offset, (long long)known);
    read->next = said->start_offset;
    read->begun = false;
    for (int i = 0; i < SIM_KEYS; i++)
        read->last_of[i] = -1;
}

static void on_read_back(struct sim_prober *prober, const Lf__ClientReply *reply, const struct node_frame *frames,
                         size_t count) {
    struct sim_world *world = prober->host->world;
    if (reply->request_id == 0 && reply->body_case == LF__CLIENT_REPLY__BODY_DELIVER) {
        uint64_t place = reply->deliver->subscription - 1;
        if (place >= prober->read_count || reply->deliver->batch_count != count - 1)
            sim_fail(world, "node %u delivers for a subscription nobody made", prober->host->id);
        for (size_t i = 1; i < count; i++) {
            pass_over(prober, &prober->reads[place], reply->deliver, i - 1);
            read_batch(prober, &prober->reads[place], &frames[i]);
        }
        pass_over(prober, &prober->reads[place], reply->deliver, count - 1);
        ping(prober);
    } else if (reply->status == LF_OK && reply->body_case == LF__CLIENT_REPLY__BODY_SUBSCRIBE) {
        begins_at(prober, &prober->reads[reply->request_id - SUBSCRIBE_REQUESTS], reply->subscribe);
    } else if (reply->status == LF_OFFSET_BELOW_START &&
               reply->body_case == LF__CLIENT_REPLY__BODY_SUBSCRIPTION_END) { /* retention goes on */
        uint64_t place = reply->subscription_end->subscription - 1;
        subscribe(prober, &prober->reads[place], place);
    } else if (reply->status == LF_NOT_LEADER && reply->body_case == LF__CLIENT_REPLY__BODY_SUBSCRIPTION_END) {
        moved_away(&prober->reads[reply->subscription_end->subscription - 1]);
    } else if (reply->status == LF_NOT_LEADER && reply->request_id >= SUBSCRIBE_REQUESTS) {
        moved_away(&prober->reads[reply->request_id % SUBSCRIBE_REQUESTS]);
    } else if (reply->status != LF_OK) {
        sim_fail(world, "node %u refuses to be read: %s (%s)", prober->host->id,
                 lf_status_name((enum lf_status)reply->status), reply->error);
    } else if (reply->request_id >= END_REQUESTS) {
        struct partition_read *read = &prober->reads[reply->request_id - END_REQUESTS];
        if (read->end < 0)
            read->end = reply->offsets_lookup->position->offset;
    }
}

/** It may be the reading that finds the damage, after which nobody leads any more. */
static bool read_done(const struct sim_prober *prober, const struct partition_read *read) {
    return (read->end >= 0 && read->next == read->end) || lost(prober->host->world, read->topic, read->group);
}

bool sim_read_back_done(const struct sim_world *world) {
    for (size_t i = 0; i < world->prober_count; i++) {
        const struct sim_prober *prober = world->probers[i];
        if (!prober->read_back || prober->host->given_up)
            continue;
        if (prober->stage != PROBER_ASKED)
            return false;
        for (size_t k = 0; k < prober->read_count; k++)
            if (!read_done(prober, &prober->reads[k]))
                return false;
    }
    return true;
}

/** The last record of a key, unless that was a tombstone; never one before it. */
static void check_key(const struct sim_prober *prober, const struct partition_read *read, int number,
                      const struct sim_key *key) {
    struct sim_world *world = prober->host->world;
    int64_t last = key->seen > key->acked ? key->seen : key->acked, got = read->last_of[number];
    bool may_be_gone = last < read->topic->partitions[read->partition].log_start || key->seen < last ||
                       key->seen_tombstone || key->unknown_tombstone;
    world->totals.keys_checked += got >= 0 && got == last;
    if (got != last && !(got == -1 && may_be_gone))
        sim_fail(world, "node %u gives for key %d in %s-%u last offset %lld; the last one is %lld", prober->host->id,
                 number, read->topic->name, read->partition, (long long)got, (long long)last);
}

void sim_read_back_check_keys(struct sim_world *world) {
    for (size_t i = 0; i < world->prober_count; i++) {
        const struct sim_prober *prober = world->probers[i];
        for (size_t k = 0; prober->read_back && !prober->host->given_up && k < prober->read_count; k++) {
            const struct partition_read *read = &prober->reads[k];
            struct sim_key keys[SIM_KEYS];
            if (!read->topic->compacts || read->elsewhere || lost(world, read->topic, read->group))
                continue;
            sim_ledger_keys(world, read->topic, read->partition, keys);
            for (int key = 0; key < SIM_KEYS; key++)
                check_key(prober, read, key, &keys[key]);
        }
    }
}

void sim_read_back_explain(const struct sim_world *world, char *text, size_t size) {
    snprintf(text, size, "nothing is missing");
    for (size_t i = 0; i < world->prober_count; i++) {
        const struct sim_prober *prober = world->probers[i];
        if (prober->read_back && prober->stage != PROBER_ASKED)
            snprintf(text, size, "the reader at node %u has no session", prober->host->id);
        for (size_t k = 0; prober->read_back && k < prober->read_count; k++)
            if (!read_done(prober, &prober->reads[k]))
                snprintf(text, size, "node %u delivered %s-%u up to %lld of %lld", prober->host->id,
                         prober->reads[k].topic->name, prober->reads[k].partition, (long long)prober->reads[k].next,
                         (long long)prober->reads[k].end);
    }
}

/* ---- both
 * ------------------------------------------------------------------------------------------------------------- */

void sim_prober_frames(struct sim_prober *prober, const struct node_frame *frames, size_t count) {
    struct sim_world *world = prober->host->world;
    Lf__ClientReply *reply = lf__client_reply__unpack(NULL, frames[0].size, frames[0].buf->data + frames[0].offset);
    if (!reply)
        sim_fail(world, "node %u sends what is no reply", prober->host->id);
    if (prober->stage == PROBER_HELLO) {
        prober->stage = PROBER_ASKED;
        if (reply->status != LF_OK || reply->request_id != 1)
            finish(prober);
        else if (prober->read_back)
            read_all(prober);
        else
            ask_some_end(prober);
    } else if (prober->read_back) {
        on_read_back(prober, reply, frames, count);
    } else {
        on_some_end(prober, reply);
    }
    lf__client_reply__free_unpacked(reply, NULL);
}

void sim_prober_gone(struct sim_prober *prober) {
    if (prober->read_back && !prober->host->given_up)
        sim_fail(prober->host->world, "node %u ends the session of a reader", prober->host->id);
    finish(prober);
}

void sim_probers_deinit(struct sim_world *world) {
    for (size_t i = 0; i < world->prober_count; i++)
        free(world->probers[i]);
    free(world->probers);
}
