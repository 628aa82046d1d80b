/** What the files of `logflume pub` share: options (pub_options.c), input (pub_input.c), publishing (pub.c). */
#ifndef PUB_H
#define PUB_H

#include "cli.h"

#define PUB_HEADERS_MAX 64

struct pub {
    struct cli_common common;
    const char *topic;
    bool blob;
    bool nulls; /* what is empty has no value */
    const char *key, *delimiter;
    struct lf_header headers[PUB_HEADERS_MAX];
    size_t header_count;
    int32_t partition;
    int64_t rate;
    FILE *acks;
    lf_client *client;
    int64_t begin_us, acks_flushed_us;
    uint64_t messages, refused;
    enum lf_status refusal; /* the first one */
    bool input_failed;
};

/** Takes the options, up to the operands. CLI_OK, or the exit code after words; --help ends the program. */
int pub_parse(struct pub *pub, struct lf_client_options *options, int argc, char **argv);

/** Publishes the lines of the file, or all of it with --blob; "-" is standard input. pub->input_failed after words. */
void pub_input(struct pub *pub, const char *name);

/** Hands one message to the library; waits while the library has no room. */
void pub_publish(struct pub *pub, const char *bytes, size_t size);
/** The message counted last is not handed to the library. */
void pub_refuse(struct pub *pub, enum lf_status status, const char *words);
/** No use reading on: a signal, or the topic is gone. */
bool pub_stopped(void);
/** Progress and acknowledgements while nothing else happens. */
void pub_look_after(struct pub *pub);

#endif
