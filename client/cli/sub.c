/** logflume sub: print messages as they are committed. */
#include "cli.h"

#include "lf_record_text.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "logflume sub TOPIC: print messages, each followed by a newline\n"
    "\n"
    "  -p, --partition N     only this partition [all]\n"
    "  -o, --offset WHERE    start, end, N (an offset), -N (N before the end), @TIME [end; with -e: start]\n"
    "                        TIME: milliseconds since 1970, or 2026-11-24T10:00:00 (UTC)\n"
    "      --skip-dropped    go on, with a word, where messages were dropped before they were read, or were lost "
    "with\n"
    "                        a majority of the brokers; else that is an error\n"
    "  -c, --count N         stop after N messages\n"
    "  -e, --exit            stop at what is the end now\n"
    "  -f, --format FORMAT   %s value %k key %h headers %t topic %p partition %o offset %T timestamp in ms\n"
    "                        %S %K bytes of value and key (-1: null) %R value's bytes as big-endian int32 %%\n"
    "                        \\n \\t \\r \\0 \\\\ \\xHH\n"
    "  -Z, --null            NULL in place of a key or value that is null, else nothing is printed for it\n"
    "  -J                    a JSON object per message; bytes that are not UTF-8 as NAME_base64\n"
    "\n"
    "  logflume sub greetings -o start -e\n"
    "  logflume sub orders -o -10 -c 10 -f '%p %o %k=%s\\n'\n";

struct sub {
    struct cli_common common;
    struct lf_subscribe_options options;
    uint64_t count_max;
    bool json_lines;
    bool nulls;
    bool positioned; /* -o was given */
    struct lf_record_format *format;
    struct lf_output output;
    struct lf_header_text *headers; /* scratch */
    size_t header_capacity;
    uint64_t count;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number) { interrupted = number; }

static int parse_offset(struct sub *sub, const char *text) {
    struct lf_subscribe_options *options = &sub->options;
    if (strcmp(text, "start") == 0 || strcmp(text, "beginning") == 0) {
        options->start = LF_START_EARLIEST;
    } else if (strcmp(text, "end") == 0) {
        options->start = LF_START_LATEST;
    } else if (text[0] == '@') {
        options->start = LF_START_TIMESTAMP;
        options->value = cli_time("-o @TIME", text + 1);
    } else if (text[0] == '-') {
        options->start = LF_START_TAIL;
        options->value = cli_number("-o -N", text + 1, 0, INT64_MAX);
    } else if (text[0] < '0' || text[0] > '9') {
        return cli_usage("sub", "-o \"%s\": want start, end, an offset, -N (N before the end) or @TIME", text);
    } else {
        options->start = LF_START_OFFSET;
        options->value = cli_number("-o", text, 0, INT64_MAX);
    }
    return CLI_OK;
}

enum { OPTION_SKIP = 256 };

static int parse(struct sub *sub, int argc, char **argv) {
    static const struct option table[] = {{"partition", required_argument, NULL, 'p'},
                                          {"offset", required_argument, NULL, 'o'},
                                          {"count", required_argument, NULL, 'c'},
                                          {"exit", no_argument, NULL, 'e'},
                                          {"skip-dropped", no_argument, NULL, OPTION_SKIP},
                                          {"format", required_argument, NULL, 'f'},
                                          {"null", no_argument, NULL, 'Z'},
                                          CLI_COMMON_OPTIONS};
    struct lf_error error = {0};
    int option;
    while ((option = getopt_long(argc, argv, CLI_COMMON_LETTERS "p:o:c:ef:JZ", table, NULL)) != -1) {
        if (cli_common_option(&sub->common, option, optarg))
            continue;
        switch (option) {
        case 'p':
            sub->options.partition = (int32_t)cli_number("-p", optarg, 0, INT32_MAX);
            break;
        case 'o':
            sub->positioned = true;
            if (parse_offset(sub, optarg) != CLI_OK)
                return CLI_USAGE;
            break;
        case 'c':
            sub->count_max = (uint64_t)cli_number("-c", optarg, 1, INT64_MAX);
            break;
        case 'e':
            sub->options.exit_at_end = true;
            break;
        case OPTION_SKIP:
            sub->options.reset_to_log_start = true;
            break;
        case 'f':
            lf_record_format_destroy(&sub->format);
            if (!(sub->format = lf_record_format_new(optarg, &error)))
                return cli_usage("sub", "-f: %s", error.text[0] ? error.text : "out of memory");
            break;
        case 'Z':
            sub->nulls = true;
            break;
        case 'J':
            sub->json_lines = true;
            break;
        case 'h':
            fputs(help, stdout);
            exit(CLI_OK);
        default:
            return cli_usage("sub", "see the line above");
        }
    }
    return CLI_OK;
}

/** The record's headers in the form that is printed; NULL without any. */
static const struct lf_header_text *take_headers(struct sub *sub, const struct lf_record_view *record) {
    if (record->header_count > sub->header_capacity) {
        free(sub->headers);
        sub->headers = calloc(record->header_count, sizeof *sub->headers);
        sub->header_capacity = sub->headers ? record->header_count : 0;
    }
    for (size_t i = 0; i < record->header_count && sub->headers; i++)
        sub->headers[i] = (struct lf_header_text){record->headers[i].key, record->headers[i].key_size,
                                                  record->headers[i].value, record->headers[i].value_size};
    if (record->header_count > 0 && !sub->headers)
        sub->output.failed = ENOMEM;
    return sub->headers;
}

static void print(struct sub *sub, const struct lf_record_view *record) {
    struct lf_record_text text = {.topic = sub->options.topic,
                                  .partition = record->partition,
                                  .offset = record->offset,
                                  .timestamp_ms = record->timestamp_ms,
                                  .key = record->key,
                                  .key_size = record->key_size,
                                  .value = record->value,
                                  .value_size = record->value_size,
                                  .headers = take_headers(sub, record),
                                  .header_count = sub->headers ? record->header_count : 0,
                                  .null_words = sub->nulls ? "NULL" : ""};
    if (sub->json_lines)
        lf_record_json_print(&sub->output, &text);
    else if (sub->format)
        lf_record_format_print(sub->format, &sub->output, &text);
    else {
        if (!record->value && sub->nulls)
            lf_output_bytes(&sub->output, "NULL", 4);
        if (record->value)
            lf_output_bytes(&sub->output, record->value, record->value_size);
        lf_output_bytes(&sub->output, "\n", 1);
    }
}

/** The exit code: words when what was printed went nowhere. */
static int flush(struct sub *sub) {
    lf_output_flush(&sub->output);
    if (!sub->output.failed)
        return CLI_OK; /* also when nobody reads any more */
    fprintf(stderr, "logflume: stdout: %s\n", strerror(sub->output.failed));
    return CLI_FAILED;
}

/** What was dropped before it was read is told, also with -q. */
static void tell_missed(struct sub *sub, const struct lf_records *records) {
    lf_output_flush(&sub->output);
    if (records->diverged) {
        fprintf(stderr,
                "logflume: %s/%d: offset %lld belongs to a history that was lost with a majority of the brokers; going "
                "on at %lld\n",
                sub->options.topic, (int)records->missed_partition, (long long)records->missed_from,
                (long long)records->missed_to);
        return;
    }
    fprintf(stderr, "logflume: %s/%d: offsets %lld to %lld were dropped before they were read; going on at %lld\n",
            sub->options.topic, (int)records->missed_partition, (long long)records->missed_from,
            (long long)records->missed_to - 1, (long long)records->missed_to);
}

static int failed(const struct sub *sub, const lf_subscription *subscription, enum lf_status status, const char *text) {
    int32_t partition;
    int64_t offset;
    int code = cli_failed(sub->options.topic, status, text);
    if (lf_subscription_resume(subscription, &partition, &offset))
        fprintf(stderr, "`-p %d -o %lld` begins there; --skip-dropped goes on by itself\n", (int)partition,
                (long long)offset);
    return code;
}

/** Everything that is there; flushes before it waits. */
static int run(struct sub *sub, lf_subscription *subscription) {
    struct lf_error error = {0};
    while (!interrupted && !sub->output.closed && !sub->output.failed) {
        struct lf_records records;
        enum lf_status status = lf_poll(subscription, 0, &records, &error);
        if (status == LF_AGAIN) {
            lf_output_flush(&sub->output);
            if (sub->output.closed || sub->output.failed)
                break;
            status = lf_poll(subscription, 200, &records, &error);
        }
        if (status == LF_AGAIN)
            continue;
        if (status == LF_END)
            break;
        if (status != LF_OK) {
            lf_output_flush(&sub->output);
            return failed(sub, subscription, status, error.text);
        }
        if (records.diverged || records.missed_from < records.missed_to)
            tell_missed(sub, &records);
        for (size_t i = 0; i < records.count; i++) {
            print(sub, &records.records[i]);
            if (++sub->count == sub->count_max)
                return flush(sub);
        }
    }
    return flush(sub);
}

int cli_sub(int argc, char **argv) {
    struct sub sub = {0};
    struct lf_client_options options;
    cli_common_init(&sub.common);
    lf_client_options_init(&options);
    lf_subscribe_options_init(&sub.options);
    sub.options.partition = -1;
    sub.options.start = LF_START_LATEST;
    int status = parse(&sub, argc, argv);
    if (status != CLI_OK)
        return status;
    if (optind + 1 != argc)
        return cli_usage("sub", optind < argc ? "one topic at a time" : "which topic?");
    sub.options.topic = argv[optind];
    sub.json_lines |= sub.common.json;
    if (!sub.positioned && sub.options.exit_at_end)
        sub.options.start = LF_START_EARLIEST; /* from the end to the end would be nothing */
    if (sub.json_lines && sub.format)
        return cli_usage("sub", "-f and -J exclude each other");
    struct sigaction action = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    lf_client *client = cli_client(&sub.common, &options);
    lf_subscription *subscription;
    struct lf_error error = {0};
    enum lf_status made = lf_subscribe(client, &sub.options, &subscription, &error);
    if (made != LF_OK)
        return cli_failed(sub.options.topic, made, error.text);
    status = run(&sub, subscription);
    lf_unsubscribe(&subscription);
    lf_client_close(&client, 0);
    lf_record_format_destroy(&sub.format);
    lf_output_deinit(&sub.output);
    free(sub.headers);
    return status;
}
