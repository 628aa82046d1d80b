/** The input of `logflume pub`: lines or whole files, in bounded memory. */
#include "pub.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_FIRST (64u * 1024)
/** The library refuses a larger value; a line is read no further than this. */
#define LINE_BYTES_MAX (8u * 1024 * 1024)
#define IDLE_LOOK_MS 50

/** Buffer of one input: bytes [from, size) are read and not yet taken. */
struct input {
    int fd;
    const char *name;
    char *bytes;
    size_t from, size, capacity;
};

enum filled { FILLED, END, TOO_LONG };

/** Looks after what else there is to do while no input comes. False: stop reading. */
static bool wait_readable(struct pub *pub, const struct input *input) {
    struct pollfd item = {.fd = input->fd, .events = POLLIN};
    while (!pub_stopped() && poll(&item, 1, IDLE_LOOK_MS) <= 0) {
        pub_look_after(pub);
    }
    return !pub_stopped();
}

static void input_failed(struct pub *pub, const char *name, const char *words) {
    fprintf(stderr, "logflume pub: %s: %s\n", name, words);
    pub->input_failed = true;
}

/** More bytes behind those that wait. END: or it failed, or we are to stop. TOO_LONG: the buffer is full. */
static enum filled fill(struct pub *pub, struct input *input) {
    if (input->from > 0) {
        memmove(input->bytes, input->bytes + input->from, input->size - input->from);
        input->size -= input->from;
        input->from = 0;
    }
    if (input->size == input->capacity) {
        size_t capacity = input->capacity ? input->capacity * 2 : LINE_BYTES_FIRST;
        if (capacity > LINE_BYTES_MAX)
            return TOO_LONG;
        char *grown = realloc(input->bytes, capacity);
        if (!grown) {
            input_failed(pub, input->name, "out of memory");
            return END;
        }
        input->bytes = grown;
        input->capacity = capacity;
    }
    ssize_t got = -1;
    do {
        if (!wait_readable(pub, input))
            return END;
        got = read(input->fd, input->bytes + input->size, input->capacity - input->size);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        input_failed(pub, input->name, strerror(errno));
    if (got > 0)
        input->size += (size_t)got;
    return got > 0 ? FILLED : END;
}

static void publish_lines(struct pub *pub, struct input *input) {
    size_t searched = 0;
    bool skipping = false; /* within a line that is too long: counted, refused, its rest passed over */
    while (!pub_stopped()) {
        char *start = input->bytes + input->from;
        char *end = input->size > input->from + searched
                        ? memchr(start + searched, '\n', input->size - input->from - searched)
                        : NULL;
        if (end) {
            if (!skipping)
                pub_publish(pub, start, (size_t)(end - start));
            skipping = false;
            input->from += (size_t)(end - start) + 1;
            searched = 0;
            continue;
        }
        searched = input->size - input->from;
        enum filled filled = fill(pub, input);
        if (filled == END)
            break;
        if (filled == FILLED)
            continue;
        if (!skipping) {
            pub->messages++;
            pub_refuse(pub, LF_TOO_LARGE, "the line is longer than any message");
        }
        skipping = true;
        input->from = input->size = searched = 0;
    }
    if (!pub_stopped() && !skipping && !pub->input_failed && input->size > input->from)
        pub_publish(pub, input->bytes + input->from, input->size - input->from);
}

static void publish_blob(struct pub *pub, struct input *input) {
    enum filled filled;
    while ((filled = fill(pub, input)) == FILLED)
        ;
    if (pub_stopped() || pub->input_failed)
        return;
    if (filled == END) {
        pub_publish(pub, input->bytes, input->size);
    } else {
        pub->messages++;
        pub_refuse(pub, LF_TOO_LARGE, "the file is larger than any message");
    }
}

void pub_input(struct pub *pub, const char *name) {
    struct input input = {.fd = STDIN_FILENO, .name = name};
    if (strcmp(name, "-") != 0 && (input.fd = open(name, O_RDONLY | O_CLOEXEC)) < 0) {
        input_failed(pub, name, strerror(errno));
        return;
    }
    if (pub->blob)
        publish_blob(pub, &input);
    else
        publish_lines(pub, &input);
    free(input.bytes);
    if (input.fd != STDIN_FILENO)
        close(input.fd);
}
