/** logflume pub: lines, or whole files, as messages. Memory stays bounded however long the input is. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "logflume pub TOPIC [FILE...]: publish messages; from stdin without a FILE (\"-\" is stdin too)\n"
    "\n"
    "A newline ends a message and is not part of it; an empty line is a 0-byte message; a last line without\n"
    "newline counts; NUL and CR are data. The topic must exist.\n"
    "\n"
    "      --blob            each FILE is one message\n"
    "  -k, --key KEY         this key for every message\n"
    "  -K, --key-delimiter D the key of a line is what stands before the first D\n"
    "  -H, --header NAME=V   a header for every message; repeatable\n"
    "  -p, --partition N     this partition [by key; without one, spread]\n"
    "  -z, --compression C   none, lz4 or zstd [none]\n"
    "      --rate N          at most N messages per second\n"
    "      --linger MS       wait this long for more messages before sending [5]\n"
    "      --delivery-timeout MS   until a message's outcome, at the latest [120000]\n"
    "      --acks FILE       a line per message, in order of outcome: number, partition, offset,\n"
    "                        ok|not_done|unknown, milliseconds since the beginning\n"
    "\n"
    "Exit code 4 when the outcome of any message is unknown, else 1 when any was not done.\n"
    "\n"
    "  printf 'a\\nb\\n' | logflume pub greetings\n"
    "  logflume pub orders -K : -z zstd orders.txt\n";

#define HEADERS_MAX 64
#define LINE_BYTES_FIRST (64u * 1024)
/** The library refuses a larger value; a line is read no further than this. */
#define LINE_BYTES_MAX (8u * 1024 * 1024)
#define FLUSH_ACKS_MS 20
#define IDLE_LOOK_MS 50

struct pub {
    struct cli_common common;
    const char *topic;
    bool blob;
    const char *key, *delimiter;
    struct lf_header headers[HEADERS_MAX];
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

/* Written by the I/O thread, read here. */
static atomic_ullong acknowledged, not_done, unknown;
static atomic_int first_failure;
static atomic_bool topic_gone; /* no use reading on */
static FILE *acks_file;
static int64_t acks_begin_us;
static volatile sig_atomic_t interrupted;

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void on_signal(int number) { interrupted = number; }

static bool stopped(void) { return interrupted || atomic_load_explicit(&topic_gone, memory_order_relaxed); }

static void on_delivery(const struct lf_delivery *delivery) {
    const char *outcome = "ok";
    if (delivery->status == LF_OK || delivery->status == LF_DUPLICATE) {
        atomic_fetch_add_explicit(&acknowledged, 1, memory_order_relaxed);
    } else {
        bool may_be = lf_status_action(delivery->status) == LF_ACTION_UNKNOWN;
        atomic_fetch_add_explicit(may_be ? &unknown : &not_done, 1, memory_order_relaxed);
        outcome = may_be ? "unknown" : "not_done";
        if (cli_exit_code(delivery->status) == CLI_NOT_FOUND)
            atomic_store(&topic_gone, true);
        int none = 0;
        if (atomic_compare_exchange_strong(&first_failure, &none, (int)delivery->status))
            fprintf(stderr, "logflume pub: message %llu: %s: %s\n", (unsigned long long)(uintptr_t)delivery->context,
                    may_be ? "outcome unknown" : "not done", delivery->error_text);
    }
    if (acks_file)
        fprintf(acks_file, "%llu %d %lld %s %lld\n", (unsigned long long)(uintptr_t)delivery->context,
                (int)delivery->partition, (long long)delivery->offset, outcome,
                (long long)(now_us() - acks_begin_us) / 1000);
}

static void flush_acks(struct pub *pub) {
    if (!pub->acks || now_us() - pub->acks_flushed_us < FLUSH_ACKS_MS * 1000)
        return;
    fflush(pub->acks);
    pub->acks_flushed_us = now_us();
}

static void progress(struct pub *pub, bool last) {
    static int64_t shown_us;
    int64_t now = now_us();
    if (pub->common.quiet || !isatty(STDERR_FILENO) || (!last && now - shown_us < 500000))
        return;
    shown_us = now;
    fprintf(stderr, "\r%llu published, %llu acknowledged%s", (unsigned long long)pub->messages,
            (unsigned long long)atomic_load(&acknowledged), last ? "\n" : "   ");
}

/** Not before its time under --rate. */
static void pace(struct pub *pub) {
    if (pub->rate == 0)
        return;
    int64_t due = pub->begin_us + (int64_t)((double)pub->messages * 1e6 / (double)pub->rate);
    int64_t now;
    while ((now = now_us()) < due && !stopped()) {
        flush_acks(pub);
        int64_t wait = due - now < 10000 ? due - now : 10000;
        struct timespec pause = {.tv_nsec = wait * 1000};
        nanosleep(&pause, NULL);
    }
}

/** The message counted last is not handed to the library. */
static void refuse(struct pub *pub, enum lf_status status, const char *words) {
    if (pub->refused++ == 0)
        pub->refusal = status;
    fprintf(stderr, "logflume pub: message %llu: not done: %s\n", (unsigned long long)pub->messages, words);
    if (pub->acks)
        fprintf(pub->acks, "%llu -1 -1 not_done %lld\n", (unsigned long long)pub->messages,
                (long long)(now_us() - pub->begin_us) / 1000);
}

static void publish(struct pub *pub, const char *bytes, size_t size) {
    pace(pub);
    struct lf_message message = {.topic = pub->topic,
                                 .partition = pub->partition,
                                 .key = pub->key,
                                 .key_size = pub->key ? strlen(pub->key) : 0,
                                 .value = bytes,
                                 .value_size = size,
                                 .headers = pub->headers,
                                 .header_count = pub->header_count};
    if (pub->delimiter) {
        const char *at = memmem(bytes, size, pub->delimiter, strlen(pub->delimiter));
        if (at) {
            message.key = bytes;
            message.key_size = (size_t)(at - bytes);
            message.value = at + strlen(pub->delimiter);
            message.value_size = size - message.key_size - strlen(pub->delimiter);
        }
    }
    pub->messages++;
    struct lf_error error = {0};
    enum lf_status status;
    do {
        status = lf_publish(pub->client, &message, on_delivery, (void *)(uintptr_t)pub->messages, 100, &error);
        flush_acks(pub);
        progress(pub, false);
    } while (status == LF_FULL && !interrupted);
    if (status != LF_OK)
        refuse(pub, status, error.text[0] ? error.text : lf_status_text(status));
}

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
    while (!stopped() && poll(&item, 1, IDLE_LOOK_MS) <= 0) {
        flush_acks(pub);
        progress(pub, false);
    }
    return !stopped();
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
    while (!stopped()) {
        char *start = input->bytes + input->from;
        char *end = input->size > input->from + searched
                        ? memchr(start + searched, '\n', input->size - input->from - searched)
                        : NULL;
        if (end) {
            if (!skipping)
                publish(pub, start, (size_t)(end - start));
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
            refuse(pub, LF_TOO_LARGE, "the line is longer than any message");
        }
        skipping = true;
        input->from = input->size = searched = 0;
    }
    if (!stopped() && !skipping && !pub->input_failed && input->size > input->from)
        publish(pub, input->bytes + input->from, input->size - input->from);
}

static void publish_blob(struct pub *pub, struct input *input) {
    enum filled filled;
    while ((filled = fill(pub, input)) == FILLED)
        ;
    if (stopped() || pub->input_failed)
        return;
    if (filled == END) {
        publish(pub, input->bytes, input->size);
    } else {
        pub->messages++;
        refuse(pub, LF_TOO_LARGE, "the file is larger than any message");
    }
}

static void publish_input(struct pub *pub, const char *name) {
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

static int finish(struct pub *pub) {
    while (lf_flush(pub->client, 50) == LF_TIMED_OUT && !interrupted) {
        flush_acks(pub);
        progress(pub, false);
    }
    lf_client_close(&pub->client, interrupted ? 2000 : 1000);
    progress(pub, true);
    if (pub->acks && fclose(pub->acks) != 0)
        fprintf(stderr, "logflume pub: --acks: %s\n", strerror(errno));
    unsigned long long ok = atomic_load(&acknowledged), bad = atomic_load(&not_done) + pub->refused,
                       maybe = atomic_load(&unknown);
    double seconds = (double)(now_us() - pub->begin_us) / 1e6;
    if (pub->common.json)
        printf("{\"messages\":%llu,\"acknowledged\":%llu,\"not_done\":%llu,\"unknown\":%llu,\"seconds\":%.3f}\n",
               (unsigned long long)pub->messages, ok, bad, maybe, seconds);
    if (!pub->common.quiet)
        fprintf(stderr, "%llu messages: %llu acknowledged, %llu not done, %llu unknown; %.0f messages/s\n",
                (unsigned long long)pub->messages, ok, bad, maybe, seconds > 0 ? (double)ok / seconds : 0);
    if (maybe > 0)
        return CLI_UNKNOWN;
    if (bad == 0)
        return pub->input_failed ? CLI_FAILED : CLI_OK;
    int failure = atomic_load(&first_failure);
    return cli_exit_code(failure ? (enum lf_status)failure : pub->refusal);
}

static int parse_header(struct pub *pub, char *text) {
    char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return cli_usage("pub", "-H \"%s\": want NAME=VALUE", text);
    if (pub->header_count == HEADERS_MAX)
        return cli_usage("pub", "at most %d headers", HEADERS_MAX);
    *equals = '\0';
    pub->headers[pub->header_count++] =
        (struct lf_header){.key = text, .value = equals + 1, .value_size = strlen(equals + 1)};
    return CLI_OK;
}

static int parse_codec(const char *text, enum lf_compression *codec) {
    static const struct {
        const char *name;
        enum lf_compression codec;
    } codecs[] = {{"none", LF_COMPRESSION_NONE}, {"lz4", LF_COMPRESSION_LZ4}, {"zstd", LF_COMPRESSION_ZSTD}};
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (strcmp(text, codecs[i].name) == 0) {
            *codec = codecs[i].codec;
            return CLI_OK;
        }
    return cli_usage("pub", "-z \"%s\": want none, lz4 or zstd", text);
}

enum { OPTION_BLOB = 256, OPTION_RATE, OPTION_ACKS, OPTION_LINGER, OPTION_DELIVERY_TIMEOUT };

static int parse(struct pub *pub, struct lf_client_options *options, int argc, char **argv) {
    static const struct option table[] = {{"blob", no_argument, NULL, OPTION_BLOB},
                                          {"key", required_argument, NULL, 'k'},
                                          {"key-delimiter", required_argument, NULL, 'K'},
                                          {"header", required_argument, NULL, 'H'},
                                          {"partition", required_argument, NULL, 'p'},
                                          {"compression", required_argument, NULL, 'z'},
                                          {"rate", required_argument, NULL, OPTION_RATE},
                                          {"acks", required_argument, NULL, OPTION_ACKS},
                                          {"linger", required_argument, NULL, OPTION_LINGER},
                                          {"delivery-timeout", required_argument, NULL, OPTION_DELIVERY_TIMEOUT},
                                          CLI_COMMON_OPTIONS};
    int option, status = CLI_OK;
    while (status == CLI_OK && (option = getopt_long(argc, argv, CLI_COMMON_LETTERS "k:K:H:p:z:", table, NULL)) != -1) {
        if (cli_common_option(&pub->common, option, optarg))
            continue;
        switch (option) {
        case OPTION_BLOB:
            pub->blob = true;
            break;
        case 'k':
            pub->key = optarg;
            break;
        case 'K':
            if (!*optarg)
                status = cli_usage("pub", "-K: the delimiter must not be empty");
            pub->delimiter = optarg;
            break;
        case 'H':
            status = parse_header(pub, optarg);
            break;
        case 'p':
            pub->partition = (int32_t)cli_number("-p", optarg, 0, INT32_MAX);
            break;
        case 'z':
            status = parse_codec(optarg, &options->compression);
            break;
        case OPTION_RATE:
            pub->rate = cli_number("--rate", optarg, 1, 1000000000);
            break;
        case OPTION_LINGER:
            options->linger_ms = (uint32_t)cli_number("--linger", optarg, 0, 60000);
            break;
        case OPTION_DELIVERY_TIMEOUT:
            options->delivery_timeout_ms = (uint32_t)cli_number("--delivery-timeout", optarg, 100, 86400000);
            break;
        case OPTION_ACKS:
            if (!(pub->acks = fopen(optarg, "w"))) {
                fprintf(stderr, "logflume pub: --acks %s: %s\n", optarg, strerror(errno));
                return CLI_FAILED;
            }
            break;
        case 'h':
            fputs(help, stdout);
            exit(CLI_OK);
        default:
            return cli_usage("pub", "see the line above");
        }
    }
    return status;
}

int cli_pub(int argc, char **argv) {
    struct pub pub = {.partition = -1};
    struct lf_client_options options;
    cli_common_init(&pub.common);
    lf_client_options_init(&options);
    int status = parse(&pub, &options, argc, argv);
    if (status != CLI_OK)
        return status;
    if (optind >= argc)
        return cli_usage("pub", "which topic?");
    if (pub.key && pub.delimiter)
        return cli_usage("pub", "-k and -K exclude each other");
    if (pub.blob && optind + 1 >= argc)
        return cli_usage("pub", "--blob wants at least one FILE (\"-\" for stdin)");
    pub.topic = argv[optind++];
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    pub.client = cli_client(&pub.common, &options);
    struct lf_cluster cluster;
    struct lf_error error = {0};
    enum lf_status reached = lf_cluster_status(pub.client, &cluster, &error);
    lf_cluster_free(&cluster);
    if (reached == LF_CONNECT) { /* said now, and not when every message's time is over */
        lf_client_close(&pub.client, 0);
        return cli_failed("pub", reached, error.text);
    }
    pub.begin_us = acks_begin_us = now_us();
    acks_file = pub.acks;
    if (optind == argc)
        publish_input(&pub, "-");
    for (; optind < argc && !stopped() && !pub.input_failed; optind++)
        publish_input(&pub, argv[optind]);
    return finish(&pub);
}
