/** What clients may send to a node: a founded single node with a topic "t"; the input is a list of steps.
 *
 *  A step is one byte, of which the low two bits say what:
 *  - 0, 1: a multipart: session (1 byte; 0 to 2 have said hello, 3 has not), frames (1 byte, modulo 4), then each as
 *    16-bit size and bytes. Bit 7 of the step repairs the second frame as a batch.
 *  - 2: time passes: milliseconds (1 byte).
 *  - 3: the session is gone: session (1 byte).
 *
 *  Afterwards the node must be well and a new client be answered. */
#include "fuzz_input.h"
#include "lf_check.h"
#include "node_world.h"

#define SESSIONS 4
#define FRAMES_MAX 4
#define STEPS_MAX 64
#define NEW_CLIENT 99

static void multipart(struct world *world, struct fuzz_input *input, bool repair) {
    struct node_frame frames[FRAMES_MAX];
    uint64_t session = 1 + fuzz_u8(input) % SESSIONS;
    size_t count = fuzz_u8(input) % FRAMES_MAX;
    for (size_t i = 0; i < count; i++) {
        struct lf_bytes bytes = fuzz_sized(input);
        struct lf_buf *buf = lf_buf_copy(bytes);
        lf_check(buf != NULL);
        if (i == 1 && repair)
            fuzz_repair_batch(buf->data, buf->size);
        frames[i] = (struct node_frame){.buf = buf, .size = buf->size};
    }
    struct node_event event = {.type = NODE_EVENT_CLIENT};
    event.client.session = session;
    event.client.frames = frames;
    event.client.count = count;
    world_event(world, 0, &event);
    for (size_t i = 0; i < count; i++)
        lf_buf_unref(&frames[i].buf);
}

static void step(struct world *world, struct fuzz_input *input) {
    uint8_t what = fuzz_u8(input);
    if ((what & 3) < 2) {
        multipart(world, input, what & 0x80);
    } else if ((what & 3) == 2) {
        world_run(world, fuzz_u8(input));
    } else {
        struct node_event event = {.type = NODE_EVENT_CLIENT_GONE, .session = 1 + fuzz_u8(input) % SESSIONS};
        world_event(world, 0, &event);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    struct world world;
    world_init(&world, 1);
    world_topic(&world, "t", 1, 1);
    for (uint64_t session = 1; session < SESSIONS; session++)
        world_hello(&world, 0, session);
    for (int steps = 0; input.left > 0 && steps < STEPS_MAX; steps++)
        step(&world, &input);
    world_run(&world, 20);
    lf_check(world.fatal[0] == LF_OK);
    world_hello(&world, 0, NEW_CLIENT);
    world_deinit(&world);
    return 0;
}
