/** A broker small enough for a test: one node, topics in memory, no replication, no idempotence. It runs in a thread of
 *  its own and speaks the real protocol on 127.0.0.1, so that the library's sockets and threads have a partner.
 */
#ifndef TINY_BROKER_H
#define TINY_BROKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct tiny_broker;

/** Returns (caller stops) a running broker with topic "t" of one partition, or NULL. port 0: any free one. */
struct tiny_broker *tiny_broker_start(uint16_t port);
uint16_t tiny_broker_port(const struct tiny_broker *broker);
/** Sessions that were ended by a goodbye. */
unsigned tiny_broker_goodbyes(const struct tiny_broker *broker);
/** While set, publishes are appended and not answered. */
void tiny_broker_withhold_answers(struct tiny_broker *broker, bool withhold);
/** Joins the thread; leaves NULL. */
void tiny_broker_stop(struct tiny_broker **broker);

#endif
