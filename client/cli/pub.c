/** logflume pub: lines, or whole files, as messages. Publishing and counting outcomes. */
#include "pub.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FLUSH_ACKS_MS 20

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

bool pub_stopped(void) { return interrupted || atomic_load_explicit(&topic_gone, memory_order_relaxed); }

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

void pub_look_after(struct pub *pub) {
    flush_acks(pub);
    progress(pub, false);
}

/** Not before its time under --rate. */
static void pace(struct pub *pub) {
    if (pub->rate == 0)
        return;
    int64_t due = pub->begin_us + (int64_t)((double)pub->messages * 1e6 / (double)pub->rate);
    int64_t now;
    while ((now = now_us()) < due && !pub_stopped()) {
        flush_acks(pub);
        int64_t wait = due - now < 10000 ? due - now : 10000;
        struct timespec pause = {.tv_nsec = wait * 1000};
        nanosleep(&pause, NULL);
    }
}

void pub_refuse(struct pub *pub, enum lf_status status, const char *words) {
    if (pub->refused++ == 0)
        pub->refusal = status;
    fprintf(stderr, "logflume pub: message %llu: not done: %s\n", (unsigned long long)pub->messages, words);
    if (pub->acks)
        fprintf(pub->acks, "%llu -1 -1 not_done %lld\n", (unsigned long long)pub->messages,
                (long long)(now_us() - pub->begin_us) / 1000);
}

void pub_publish(struct pub *pub, const char *bytes, size_t size) {
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
    if (pub->nulls && message.value_size == 0)
        message.value = NULL;
    pub->messages++;
    struct lf_error error = {0};
    enum lf_status status;
    do {
        status = lf_publish(pub->client, &message, on_delivery, (void *)(uintptr_t)pub->messages, 100, &error);
        pub_look_after(pub);
    } while (status == LF_FULL && !interrupted);
    if (status != LF_OK)
        pub_refuse(pub, status, error.text[0] ? error.text : lf_status_text(status));
}

static int finish(struct pub *pub) {
    while (lf_flush(pub->client, 50) == LF_TIMED_OUT && !interrupted) {
        pub_look_after(pub);
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

int cli_pub(int argc, char **argv) {
    struct pub pub = {.partition = -1};
    struct lf_client_options options;
    cli_common_init(&pub.common);
    lf_client_options_init(&options);
    int status = pub_parse(&pub, &options, argc, argv);
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
        pub_input(&pub, "-");
    for (; optind < argc && !pub_stopped() && !pub.input_failed; optind++)
        pub_input(&pub, argv[optind]);
    return finish(&pub);
}
