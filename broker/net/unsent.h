/** Bytes handed to ZeroMQ for one connection that its thread has not taken yet, and their sum over all connections.
 *
 *  ZeroMQ says of a queue neither its bytes nor that it shrank, and its high-water mark counts messages. So the last
 *  frame of every message carries its message's bytes, and says so when it is released, in ZeroMQ's thread.
 *  What the kernel took, or the client's own queue, is not in it.
 */
#ifndef UNSENT_H
#define UNSENT_H

#include <stdatomic.h>
#include <stddef.h>

struct unsent;

/** Returns (caller drops) an account that adds to `sum` as well (NULL: is a sum itself), or NULL without memory. */
struct unsent *unsent_new(struct unsent *sum);
/** The owner's reference goes; messages under way keep the account until they are released. Leaves NULL. */
void unsent_drop(struct unsent **unsent);
/** One message of so many bytes is on its way. */
void unsent_add(struct unsent *unsent, size_t bytes);
/** It was taken, or thrown away. Any thread. */
void unsent_release(struct unsent *unsent, size_t bytes);
size_t unsent_bytes(const struct unsent *unsent);

#endif
