/** What brokers say to each other, decoded. broker/net/peer_codec maps it to protocol/peer.proto and frames. */
#ifndef PEER_MESSAGE_H
#define PEER_MESSAGE_H

#include "lf_buf.h"
#include "log_store.h"
#include "raft.h"

enum peer_lane { PEER_LANE_CONTROL = 1, PEER_LANE_DATA = 2, PEER_LANE_BULK = 3 };
#define PEER_LANE_COUNT 3
/** Most messages in one envelope (all groups of a pair of nodes), and most entries. Decoders refuse more. */
#define PEER_ENVELOPE_MESSAGES_MAX 8192
#define PEER_ENVELOPE_ENTRIES_MAX 8192

enum image_kind { IMAGE_PULL = 1, IMAGE_PAGE, IMAGE_PIECE };
/** Bounds of what an image message holds. */
#define IMAGE_CONFIGURATION_BYTES_MAX 512
#define IMAGE_PAGE_BYTES_MAX (256u * 1024)
/** A row that exceeds it cannot travel. */
#define IMAGE_ROW_BYTES_MAX (512u * 1024)
#define IMAGE_PAGE_SEGMENTS_MAX 2048u
#define IMAGE_PAGE_ROWS_MAX 16384u

/** About an image (protocol/peer.proto has what the fields mean). */
struct image_message {
    enum image_kind kind;
    uint64_t image, session;
    union {
        struct {
            uint32_t page;
            uint64_t first_index, last_index, from_index, credit_bytes;
        } pull;
        struct {
            uint64_t entry_term, base_index, base_term, configuration_index;
            uint32_t configuration_bytes, page, page_count;
            uint8_t configuration[IMAGE_CONFIGURATION_BYTES_MAX];
            struct log_segment *segments; /**< owned */
            size_t segment_count;
            struct log_store_row *rows; /**< owned; keys and values are in row_bytes */
            size_t row_count;
            uint8_t *row_bytes; /**< owned */
        } page;
        struct {
            uint64_t sequence, first_index, last_index;
            uint32_t count;
            bool last, gone;
        } piece;
    };
};
/** Returns (caller destroys, or puts into a message) an empty one of that kind, or NULL. */
struct image_message *peer_image_new(enum image_kind kind);
void peer_image_destroy(struct image_message **image);
/** Copies segments and rows into an empty page. LF_NO_MEMORY. */
enum lf_status peer_image_fill_page(struct image_message *page, const struct log_segment *segments,
                                    size_t segment_count, const struct log_store_row *rows, size_t row_count);

/** One message of one group. For an append request, `entries` are its raft.append_request.count entries. */
struct peer_message {
    uint64_t group;
    struct raft_message raft;    /**< from, to: replica ids. append_request.entries is NULL here */
    struct lf_buf **entries;     /**< count references owned by the message */
    struct image_message *image; /**< owned; not NULL: it is about an image, of the raft message only from, to, term */
};
/** How many entries it names. */
uint32_t peer_message_entries(const struct peer_message *message);
/** Drops entries and image; the message itself stays the caller's. */
void peer_message_deinit(struct peer_message *message);

#define PEER_HOST_BYTES_MAX 256
#define PEER_NAME_BYTES_MAX 129
/** Most nodes a greeting names, and most reports in an envelope. */
#define PEER_MEMBERS_MAX 32
#define PEER_REPORTS_MAX 1024

struct peer_member {
    uint64_t node_id, replica_id;
    char host[PEER_HOST_BYTES_MAX];
    uint32_t client_port, peer_port;
    bool pinned;
    uint8_t store_uuid[LOG_STORE_ID_BYTES];
};

enum peer_refusal {
    PEER_REFUSAL_NONE,
    PEER_REFUSAL_NOT_ADDED,   /**< group 0 does not know the node */
    PEER_REFUSAL_REMOVED,     /**< it was removed */
    PEER_REFUSAL_OTHER_STORE, /**< it is known by another store */
    PEER_REFUSAL_OTHER_NAME,  /**< cluster.name differs */
    PEER_REFUSAL_MAJORITY,    /**< its lost store is not given up: a group would have no majority */
};

/** Who the sender is and what it knows. */
struct peer_greeting {
    char cluster_name[PEER_NAME_BYTES_MAX];
    struct peer_member self;
    uint64_t metadata_index; /**< of group 0, applied */
    bool joining;            /**< has no replica of group 0 yet */
    bool replaces;           /**< and asks to be taken with this store in place of its lost one */
    enum peer_refusal refusal;
    char words[LF_ERROR_TEXT_BYTES];  /**< of a refusal; may be empty */
    bool from_controller;             /**< the sender leads group 0 */
    uint64_t replica_id;              /**< the receiver's in group 0; 0: not known, or its store is not pinned yet */
    uint64_t voters[RAFT_VOTERS_MAX]; /**< of group 0 */
    uint32_t voter_count;
    uint32_t member_count; /**< 0: no membership in this one */
    struct peer_member members[PEER_MEMBERS_MAX];
};

enum peer_report_kind {
    PEER_REPORT_REACHED,   /**< to the leader of group 0: the epoch the group has reached */
    PEER_REPORT_DESTROYED, /**< to the same: a retired replica that is gone */
    PEER_REPORT_LOG_START, /**< to a node without room: the group's log start, committed */
};
struct peer_report {
    uint64_t group;
    enum peer_report_kind kind;
    uint64_t value;
};

/** Everything one node has to say to another on one lane at one moment. No messages: a greeting. */
struct peer_envelope {
    uint32_t protocol_version;
    uint8_t cluster_id[LOG_STORE_ID_BYTES];
    uint8_t founding_hash[LOG_STORE_ID_BYTES];
    uint64_t from_node;
    uint64_t to_node;
    uint64_t from_incarnation;
    uint64_t to_incarnation; /**< 0: not known yet; only a greeting may say so */
    uint8_t store_uuid[LOG_STORE_ID_BYTES];
    int64_t wall_clock_ms;
    uint32_t space_level; /**< enum node_space_level of the sender; larger ones count as the largest */
    enum peer_lane lane;
    struct peer_message *messages;
    size_t message_count;
    size_t message_capacity;
    size_t entry_count;             /**< of all messages; kept by peer_envelope_add */
    struct peer_greeting *greeting; /**< owned; NULL: none. Never beside messages */
    struct peer_report *reports;    /**< owned */
    size_t report_count;
};

/** Returns (caller destroys) an empty envelope or NULL. */
struct peer_envelope *peer_envelope_new(void);
/** Drops entries and frees; leaves NULL; NULL inside is fine. */
void peer_envelope_destroy(struct peer_envelope **envelope);
/** LF_NO_MEMORY, LF_FULL. */
enum lf_status peer_envelope_add_report(struct peer_envelope *envelope, const struct peer_report *report);
/** Appends one message; takes the references in message->entries, the array (malloc'd) and the image. LF_NO_MEMORY
 * (then the caller keeps them), LF_FULL. */
enum lf_status peer_envelope_add(struct peer_envelope *envelope, const struct peer_message *message);

#endif
