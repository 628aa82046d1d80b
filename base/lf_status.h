/** Status codes: one table gives number, name, text and what the caller can do.
 *
 *  Numbers travel on the wire and are never reused; a new code takes the next free number. Installed with the client.
 */
#ifndef LF_STATUS_H
#define LF_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/** What a caller can do about a status. */
enum lf_action {
    LF_ACTION_NONE,     /**< nothing: it went well */
    LF_ACTION_RETRY,    /**< definitely not done; the same call may work later */
    LF_ACTION_REDIRECT, /**< definitely not done; ask the broker named in the answer */
    LF_ACTION_GIVE_UP,  /**< definitely not done; the same call will fail again */
    LF_ACTION_UNKNOWN,  /**< may have been done; a repeat with the same producer sequence is safe */
};

/* X(number, NAME, action, text) */
#define LF_STATUS_TABLE(X)                                                                                             \
    X(0, OK, NONE, "ok")                                                                                               \
    X(1, INVALID, GIVE_UP, "invalid argument: correct the call")                                                       \
    X(2, NO_MEMORY, RETRY, "out of memory: free some and retry")                                                       \
    X(3, FULL, RETRY, "a bounded queue or table is full: retry after some of it has drained")                          \
    X(4, MALFORMED, GIVE_UP, "malformed bytes: the sender or the file is broken")                                      \
    X(5, CORRUPT, GIVE_UP, "checksum mismatch: the bytes were damaged")                                                \
    X(6, UNSUPPORTED, GIVE_UP, "not supported by this version: upgrade the older side")                                \
    X(7, IO, GIVE_UP, "input or output failed: see the system's log")                                                  \
    X(8, NO_SPACE, RETRY, "no space left on the device: free some; service resumes by itself")                         \
    X(9, NOT_FOUND, GIVE_UP, "not found")                                                                              \
    X(10, EXISTS, GIVE_UP, "already exists")                                                                           \
    X(11, CLOSED, GIVE_UP, "closed: open it again")                                                                    \
    X(12, TIMED_OUT, UNKNOWN, "timed out: the outcome is unknown")                                                     \
    X(13, TOO_LARGE, GIVE_UP, "larger than the limit: split it or raise the limit")                                    \
    X(14, UNKNOWN_OUTCOME, UNKNOWN, "the outcome is unknown: it may have been done")                                   \
    X(15, NOT_LEADER, REDIRECT, "this broker does not lead the partition: ask the leader")                             \
    X(16, NO_QUORUM, RETRY, "no majority of replicas is reachable: retry when brokers are back")                       \
    X(17, TOPIC_UNKNOWN, GIVE_UP, "no such topic: create it with `logflume topic create`")                             \
    X(18, TOPIC_EXISTS, GIVE_UP, "the topic exists already")                                                           \
    X(19, TOPIC_DELETED, GIVE_UP, "the topic was deleted")                                                             \
    X(20, TOPIC_RECREATED, GIVE_UP, "the topic was deleted and created again: its offsets are new")                    \
    X(21, PARTITION_UNKNOWN, GIVE_UP, "the topic has no such partition")                                               \
    X(22, OFFSET_BELOW_START, GIVE_UP, "the offset is below the log start: resume at the offset in the answer")        \
    X(23, HISTORY_DIVERGED, GIVE_UP, "the position belongs to another history: resume at the offset in the answer")    \
    X(24, SEQUENCE_GAP, GIVE_UP, "a batch before this one is missing: send the earlier sequence first")                \
    X(25, DUPLICATE, NONE, "accepted before; its offset is no longer known")                                           \
    X(26, PRODUCER_FENCED, GIVE_UP, "a newer producer with this id took over")                                         \
    X(27, PRODUCER_FORGOTTEN, UNKNOWN, "the partition does not know this producer any more: outcome unknown")          \
    X(28, CREDIT_EXCEEDED, RETRY, "more bytes than the broker granted: wait for answers")                              \
    X(29, OVERLOADED, RETRY, "the broker is at one of its limits: retry later")                                        \
    X(30, VERSION, GIVE_UP, "no common protocol version: upgrade the older side")                                      \
    X(31, WRONG_CLUSTER, GIVE_UP, "the other side belongs to another cluster")                                         \
    X(32, WRONG_STORE, GIVE_UP, "the data directory belongs to another node or cluster")                               \
    X(33, CONNECT, RETRY, "cannot connect: check the address and that the broker runs")                                \
    X(34, CANCELLED, RETRY, "cancelled before it was done")                                                            \
    X(35, DAMAGED, GIVE_UP, "stored data is damaged: see the log for the file")                                        \
    X(36, NOT_READY, RETRY, "not ready yet: retry shortly")                                                            \
    X(37, SHUTTING_DOWN, RETRY, "the broker is shutting down: use another one")                                        \
    X(38, END, NONE, "end reached")                                                                                    \
    X(39, AGAIN, RETRY, "nothing to do now: try again later")                                                          \
    X(40, INTERNAL, GIVE_UP, "a bug in this program: please report it")

enum lf_status {
#define LF_STATUS_ENUM_(number, name, action, text) LF_##name = (number),
    LF_STATUS_TABLE(LF_STATUS_ENUM_)
#undef LF_STATUS_ENUM_
};

/** Room for a message with its context, NUL included, in bytes. */
#define LF_ERROR_TEXT_BYTES 256

/** A status with the words that explain this one case. Owned by the caller, no destructor. */
struct lf_error {
    enum lf_status code;
    char text[LF_ERROR_TEXT_BYTES];
};

#ifndef LF_API
#define LF_API __attribute__((visibility("default")))
#endif

/** "TOPIC_UNKNOWN" for LF_TOPIC_UNKNOWN; "?" for a number not in the table. Static storage. */
LF_API const char *lf_status_name(enum lf_status status);
/** The text column. Static storage. */
LF_API const char *lf_status_text(enum lf_status status);
/** What the caller can do; LF_ACTION_UNKNOWN for a number not in the table (a newer peer's code). */
LF_API enum lf_action lf_status_action(enum lf_status status);

/** Set `error` (may be NULL) to code and formatted text; returns code, so that `return lf_error_set(...)` reads well.
 */
LF_API enum lf_status lf_error_set(struct lf_error *error, enum lf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Put formatted context and ": " in front of what `error` (may be NULL) says; returns its code (LF_INTERNAL if NULL).
 */
LF_API enum lf_status lf_error_context(struct lf_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
