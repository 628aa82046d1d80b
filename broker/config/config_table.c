/** The one table of everything that can be configured. A new knob is one row here. */
#include "config_table.h"

#include "lf_entry.h"

#define KIB (1024ull)
#define MIB (1024ull * 1024)
#define GIB (1024ull * 1024 * 1024)

#define FIELD(field) .offset = offsetof(struct config, field), .size = sizeof(((struct config *)0)->field)
#define NUMBER(name_, field, min_, max_, unit_, default_, help_)                                                       \
    {                                                                                                                  \
        .name = name_, .kind = CONFIG_NUMBER, FIELD(field), .min = min_, .max = max_, .unit = unit_,                   \
        .number = default_, .help = help_                                                                              \
    }
#define BYTES(name_, field, min_, max_, default_, help_)                                                               \
    {                                                                                                                  \
        .name = name_, .kind = CONFIG_BYTES, FIELD(field), .min = min_, .max = max_, .unit = "bytes",                  \
        .number = default_, .help = help_                                                                              \
    }

const struct config_row config_rows[] = {
    /* Who this node is, and with whom. */
    {.name = "node.id",
     .kind = CONFIG_NUMBER,
     FIELD(node_id),
     .min = 1,
     .max = 1000000000,
     .unit = "",
     .required = true,
     .help = "This node's id; one of cluster.nodes. It belongs to the data directory for ever."},
    {.name = "node.data",
     .kind = CONFIG_TEXT,
     FIELD(node_data),
     .min = 1,
     .max = PATH_MAX - 64,
     .unit = "path",
     .required = true,
     .help = "The data directory. The flag --data is short for it."},
    {.name = "node.bind",
     .kind = CONFIG_TEXT,
     FIELD(node_bind),
     .min = 0,
     .max = NODE_HOST_BYTES_MAX - 1,
     .unit = "address",
     .letters = ".:*",
     .text = "the node's host if that is a numeric address, else all interfaces",
     .help = "Numeric address to listen on; * is all IPv4 interfaces."},
    {.name = "cluster.name",
     .kind = CONFIG_TEXT,
     FIELD(cluster_name),
     .min = 1,
     .max = CONFIG_CLUSTER_NAME_BYTES_MAX,
     .unit = "text",
     .required = true,
     .letters = "._-",
     .help = "Name of the cluster; the same on every node."},
    {.name = "cluster.nodes",
     .kind = CONFIG_NODES,
     .max = NODE_NODES_MAX,
     .unit = "",
     .required = true,
     .help = "The founding nodes, the same list on every one of them; for a node that joins: itself and some members. "
             "A list "
             "of maps with the keys below. Once a node knows its cluster, the cluster's own list of nodes counts."},

    /* Raft. */
    NUMBER("raft.election_timeout_ms_min", limits.raft.election_timeout_ms_min, 10, 600000, "ms", 150,
           "A follower that hears no leader for a random time from this ..."),
    NUMBER("raft.election_timeout_ms_max", limits.raft.election_timeout_ms_max, 20, 600000, "ms", 300,
           "... to this starts an election. Must be larger than the minimum."),
    NUMBER("raft.heartbeat_ms", limits.raft.heartbeat_ms, 5, 60000, "ms", 50,
           "Leaders beat this often. At most half of raft.election_timeout_ms_min."),
    NUMBER("raft.inflight_messages_max", limits.raft.inflight_messages_max, 1, 1024, "", 64,
           "Unanswered append messages per follower and group."),
    NUMBER("raft.append_entries_max", limits.raft.append_entries_max, 1, 4096, "", 256,
           "Entries in one append message."),
    BYTES("raft.append_bytes_max", limits.raft.append_bytes_max, 64 * KIB, 16 * MIB, 1 * MIB,
          "Bytes in one append message; one larger entry goes alone."),
    BYTES("raft.uncommitted_bytes_max", limits.raft.uncommitted_bytes_max, 64 * KIB, 1 * GIB, 16 * MIB,
          "Accepted and not yet committed, per group; beyond it publishes are refused as not done."),

    /* What clients may do. */
    NUMBER("client.sessions_max", limits.sessions_max, 1, 100000, "", 1000, "Client sessions at a time."),
    NUMBER("client.session_timeout_ms", limits.session_timeout_ms, 1000, 3600000, "ms", 30000,
           "Silence that ends a session."),
    NUMBER("client.subscriptions_max", limits.subscriptions_max, 1, 1000000, "", 10000,
           "Subscriptions over all sessions."),
    NUMBER("client.subscriptions_per_session_max", limits.subscriptions_per_session_max, 1, 100000, "", 1000,
           "Subscriptions of one session."),
    BYTES("client.publish_credit_bytes", limits.publish_credit_bytes, 64 * KIB, 1 * GIB, 8 * MIB,
          "Unanswered publish bytes per session; the credit granted in hello."),
    BYTES("client.delivery_bytes_max", limits.delivery_bytes_max, 4 * KIB, 16 * MIB, 512 * KIB,
          "Batches in one delivery message; one larger batch goes alone."),
    BYTES(
        "client.unsent_bytes_max", limits.session_unsent_bytes_max, 64 * KIB, 16 * GIB, 16 * MIB,
        "Answers and deliveries of one session that its client has not read: beyond it deliveries pause, long answers "
        "are refused, and a client that goes on asking loses its session."),
    NUMBER("client.request_timeout_ms", limits.request_timeout_ms, 100, 600000, "ms", 10000,
           "Metadata and read requests are answered by then."),
    NUMBER("client.parked_answers_max", limits.parked_answers_max, 16, 10000000, "", 65536,
           "Requests that wait for a commit, an apply or a read round."),

    /* Batches, topics, producers. */
    BYTES("batch.bytes_max", limits.batch_bytes_max, 1 * KIB, LF_ENTRY_PAYLOAD_BYTES_HARD, 1152 * KIB,
          "Largest record batch. 4 MiB is the hard limit."),
    NUMBER("batch.records_max", limits.records_per_batch_max, 1, 10000000, "", 100000, "Records in one batch."),
    NUMBER("topic.count_max", limits.topics_max, 1, 1000000, "", 10000, "Topics in the cluster."),
    NUMBER("topic.partitions_max", limits.partitions_per_topic_max, 1, 100000, "", 10000, "Partitions of one topic."),
    NUMBER("producer.per_partition_max", limits.producers_per_partition_max, 1, 1000000, "", 10000,
           "Producers a partition remembers; when full, new ones are refused."),

    /* The node. */
    NUMBER("node.groups_max", limits.groups_max, 1, 100000, "", 4096, "Partition replicas on this node."),
    BYTES("node.uncommitted_bytes_max", limits.uncommitted_bytes_max, 1 * MIB, 64 * GIB, 256 * MIB,
          "Accepted and not yet committed, over all groups."),
    BYTES("node.tail_cache_bytes_max", limits.tail_cache_bytes_max, 1 * MIB, 64 * GIB, 128 * MIB,
          "Newest entries kept in memory for followers and readers, over all groups."),
    BYTES("node.active_bytes_max", limits.active_bytes_max, 1 * MIB, 64 * GIB, 8 * MIB,
          "What is not sealed yet, over all partitions: above it leaders end segments sooner than segment.bytes. A "
          "quarter of what the store's memtables hold keeps the bytes written per byte low."),
    BYTES("node.unsent_bytes_max", limits.unsent_bytes_max, 1 * MIB, 64 * GIB, 256 * MIB,
          "Answers and deliveries that clients have not read, over all sessions; one session has at most a quarter of "
          "what is left of it."),
    NUMBER("node.reads_max", limits.reads_max, 1, 65536, "", 512, "Reads from the store under way."),
    NUMBER("node.handover_timeout_ms", limits.handover_timeout_ms, 1, 600000, "ms", 5000,
           "At a stop, leadership is handed over for at most this long."),

    NUMBER("cluster.drain_moves_max", limits.drain_moves_max, 1, 10000, "", 2,
           "Partitions on the move at one time while nodes are drained: filling more at once can stall busy disks."),

    /* Replicas filled by images. */
    NUMBER("image.sources_max", limits.images_max, 1, 1000, "", 4,
           "Partitions whose state this node keeps in memory at one time, to give it to replicas that need it."),
    NUMBER("image.fetches_max", limits.image_fetches_max, 1, 1000, "", 2,
           "Partitions of this node that are filled by images at one time."),
    BYTES("image.bytes_per_s_max", limits.image_bytes_per_s_max, 1 * MIB, 64 * GIB, 128 * MIB,
          "History that this node sends, to all replicas together: lower leaves more of disk and network to clients."),
    BYTES("image.backlog_bytes", limits.image_backlog_bytes, 1 * MIB, 64 * GIB, 64 * MIB,
          "A replica that lacks more than this gets whole segments instead of the log entry by entry."),
    NUMBER("image.hold_ms_max", limits.image_hold_ms_max, 1, 86400000, "ms", 600000,
           "Retention waits for a replica that is being filled, for so long at most ..."),
    BYTES("image.hold_bytes_max", limits.image_hold_bytes_max, 1 * MIB, 64 * GIB, 1 * GIB,
          "... and while no more than this is appended."),

    /* The store. */
    BYTES("store.memtable_bytes", store.memtable_bytes, 1 * MIB, 1 * GIB, 32 * MIB,
          "Memory for writes before they are flushed. What is sealed before that is never flushed."),
    BYTES("store.wal_bytes_max", store.wal_bytes_max, 8 * MIB, 3 * GIB, 96 * MIB,
          "Write-ahead log kept; bounds the time to start again."),
    BYTES("store.commit_bytes_max", store.commit_bytes_max, 64 * KIB, 64 * MIB, 1 * MIB,
          "Bytes merged into one synced commit; one larger write goes alone."),
    BYTES("store.submit_bytes_max", store.submit_bytes_max, 8 * MIB, 3 * GIB, 64 * MIB,
          "Bytes handed to the writer and not yet durable."),
    NUMBER("store.reads_max", store.reads_max, 1, 65536, "", 1024, "Reads under way in the store."),
    NUMBER("store.reader_threads", store.reader_threads, 1, 64, "", 2, "Threads for cold reads."),
    NUMBER("store.open_files_max", store.open_files_max, 64, 100000, "", 512, "Table files kept open."),
    BYTES("store.compaction_memory_bytes", store.compaction_memory_bytes, 64 * KIB, 2 * GIB, 64 * MIB,
          "Memory for the keys of a partition that is compacted: about 45 bytes each. With more keys it takes more "
          "passes, "
          "with the same result."),
    BYTES("store.compaction_bytes_per_s", store.compaction_bytes_per_s, 1 * MIB, 3 * GIB, 128 * MIB,
          "What compaction reads per second at most, over all partitions."),
    BYTES("store.scrub_bytes_per_s", store.scrub_bytes_per_s, 0, 1 * GIB, 8 * MIB,
          "All that is stored is read again and again at this rate, to find damage while other replicas are whole; 0: "
          "not."),
    {.name = "store.replace",
     .kind = CONFIG_CHOICE,
     FIELD(store.replace),
     .unit = "",
     .number = CONFIG_REPLACE_NEVER,
     .choices = "never|auto",
     .help = "auto: a store that is found damaged at a start is set aside and replaced by a new one, which the other "
             "nodes fill, as with --replace-store. One that is missing never is: its disk may just not be there yet."},

    BYTES("disk.soft_free_bytes", disk.soft_free_bytes, 0, 1024 * GIB, 0,
          "With less free on the data filesystem this node takes no publishes, and its leaderships go to nodes with "
          "room; "
          "taken again when a quarter more is free. 0: an eighth of the filesystem, at most 1 GiB."),
    BYTES("disk.hard_free_bytes", disk.hard_free_bytes, 0, 1024 * GIB, 0,
          "With less free it takes no batches as follower either, and gives up the ballast; below a quarter of it "
          "nothing "
          "is written. 0: half of the soft limit."),
    BYTES(
        "disk.ballast_bytes", disk.ballast_bytes, 0, 1024 * GIB, 0,
        "Size of the file DATA/ballast, given up at the hard limit so that what makes room can finish, and made again "
        "first. 0: an eighth of the hard limit."),

    /* Backups. */
    {.name = "backup.directory",
     .kind = CONFIG_TEXT,
     FIELD(backup.directory),
     .min = 0,
     .max = PATH_MAX - 192,
     .unit = "path",
     .text = "backups in node.data",
     .help =
         "Where this node's backups are made: a directory of their own, not node.data, what holds it, or the store. On "
         "the filesystem of node.data, since they share files with the store; its parent exists."},
    NUMBER("backup.backups_max", backup.backups_max, 1, 1000, "", 8,
           "Backups this node keeps; with so many no further one is made until one is deleted."),

    /* Operators. */
    {.name = "admin.enabled",
     .kind = CONFIG_CHOICE,
     FIELD(admin.enabled),
     .unit = "",
     .number = CONFIG_ON,
     .choices = "off|on",
     .help = "Serve /metrics, /healthz, /readyz and /status by HTTP on the node's admin_port."},
    {.name = "admin.bind",
     .kind = CONFIG_TEXT,
     FIELD(admin.bind),
     .min = 0,
     .max = NODE_HOST_BYTES_MAX - 1,
     .unit = "address",
     .letters = ".:*",
     .text = "as node.bind",
     .help = "Numeric address for it; whoever reaches it may read, nobody may change anything."},
    NUMBER("admin.connections_max", admin.connections_max, 1, 10000, "", 64, "Its connections at a time; more wait."),
    NUMBER("admin.timeout_ms", admin.timeout_ms, 1000, 600000, "ms", 10000,
           "Silence that ends one of them; whole seconds count."),
    NUMBER("admin.lifetime_ms", admin.lifetime_ms, 1000, 3600000, "ms", 60000,
           "The longest one of them may take, however slowly it reads."),
    NUMBER("admin.stuck_ms", admin.stuck_ms, 100, 600000, "ms", 5000,
           "A broker whose loop did not turn for longer is not healthy."),
    NUMBER("admin.metrics_groups_max", admin.metrics_groups_max, 0, 100000, "", 200,
           "Groups with series of their own in /metrics, those with most traffic; the others are one sum."),

    /* Transport and log. */
    NUMBER("transport.queue_messages_max", transport_queue_messages_max, 16, 65536, "", 1024,
           "Messages queued per peer and lane; beyond it they are dropped, which Raft tolerates."),
    {.name = "transport.unreliable",
     .kind = CONFIG_TEXT,
     FIELD(transport_unreliable),
     .min = 0,
     .max = CONFIG_UNRELIABLE_BYTES_MAX,
     .unit = "text",
     .letters = "=,.",
     .help = "For tests: make messages to peers misbehave, as "
             "seed=N,delay=P,hold=P,drop=P,duplicate=P,reorder=P with P from 0 to 1; 1 means the defaults."},
    {.name = "log.level",
     .kind = CONFIG_CHOICE,
     FIELD(log_level),
     .unit = "",
     .number = CONFIG_LOG_INFO,
     .choices = "error|warn|info|debug",
     .help = "What is written to standard error; debug adds every decision."},
    {.name = "log.format",
     .kind = CONFIG_CHOICE,
     FIELD(log_format),
     .unit = "",
     .number = CONFIG_LOG_LOGFMT,
     .choices = "logfmt|json",
     .help = "The form of these lines."},
    NUMBER("log.stats_interval_ms", log_stats_interval_ms, 0, 3600000, "ms", 0,
           "A line of figures this often; 0 for none."),
};
const size_t config_row_count = sizeof config_rows / sizeof *config_rows;
_Static_assert(sizeof config_rows / sizeof *config_rows <= CONFIG_ROWS_MAX, "config.lines is too short");

#define NODE_FIELD(field)                                                                                              \
    .offset = offsetof(struct config_node, field), .size = sizeof(((struct config_node *)0)->field)
#define PORT(name_, field, default_, help_)                                                                            \
    {                                                                                                                  \
        .name = name_, .kind = CONFIG_NUMBER, NODE_FIELD(field), .min = 1, .max = 65535, .unit = "",                   \
        .number = default_, .help = help_                                                                              \
    }

const struct config_row config_node_rows[] = {
    {.name = "id",
     .kind = CONFIG_NUMBER,
     NODE_FIELD(address.node_id),
     .min = 1,
     .max = 1000000000,
     .unit = "",
     .required = true,
     .help = "Its node.id."},
    {.name = "host",
     .kind = CONFIG_TEXT,
     NODE_FIELD(address.host),
     .min = 1,
     .max = NODE_HOST_BYTES_MAX - 1,
     .unit = "text",
     .required = true,
     .letters = ".:_-",
     .help = "Host name (resolved to IPv4) or numeric address by which peers and clients reach it."},
    PORT("client_port", address.client_port, 7700, "TCP port for clients."),
    PORT("peer_port", address.peer_port, 7701, "TCP port for the other nodes."),
    PORT("admin_port", admin_port, 7702, "TCP port for operators, HTTP."),
};
const size_t config_node_row_count = sizeof config_node_rows / sizeof *config_node_rows;

const struct config_row *config_row_find(const struct config_row *rows, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

const struct config_row *config_row_first_of(const char *prefix) {
    size_t size = strlen(prefix);
    for (size_t i = 0; i < config_row_count; i++)
        if (strncmp(config_rows[i].name, prefix, size) == 0 && config_rows[i].name[size] == '.')
            return &config_rows[i];
    return NULL;
}
