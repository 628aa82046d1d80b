/** The options of `logflume pub`. */
#include "pub.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "logflume pub TOPIC [FILE...]: publish messages; from stdin without a FILE (\"-\" is stdin too)\n"
    "\n"
    "A newline ends a message and is not part of it; an empty line is a 0-byte message; a last line without\n"
    "newline counts; NUL and CR are data. The topic must exist.\n"
    "\n"
    "      --blob            each FILE is one message\n"
    "  -k, --key KEY         this key for every message\n"
    "  -K, --key-delimiter D the key of a line is what stands before the first D\n"
    "  -Z, --null            an empty message is published as null: of its key nothing stays on a compacted topic\n"
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
    "  logflume pub orders -K : -z zstd orders.txt\n"
    "  echo 'order-17:' | logflume pub orders -K : -Z\n";

static int parse_header(struct pub *pub, char *text) {
    char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return cli_usage("pub", "-H \"%s\": want NAME=VALUE", text);
    if (pub->header_count == PUB_HEADERS_MAX)
        return cli_usage("pub", "at most %d headers", PUB_HEADERS_MAX);
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

int pub_parse(struct pub *pub, struct lf_client_options *options, int argc, char **argv) {
    static const struct option table[] = {{"blob", no_argument, NULL, OPTION_BLOB},
                                          {"key", required_argument, NULL, 'k'},
                                          {"key-delimiter", required_argument, NULL, 'K'},
                                          {"null", no_argument, NULL, 'Z'},
                                          {"header", required_argument, NULL, 'H'},
                                          {"partition", required_argument, NULL, 'p'},
                                          {"compression", required_argument, NULL, 'z'},
                                          {"rate", required_argument, NULL, OPTION_RATE},
                                          {"acks", required_argument, NULL, OPTION_ACKS},
                                          {"linger", required_argument, NULL, OPTION_LINGER},
                                          {"delivery-timeout", required_argument, NULL, OPTION_DELIVERY_TIMEOUT},
                                          CLI_COMMON_OPTIONS};
    int option, status = CLI_OK;
    while (status == CLI_OK &&
           (option = getopt_long(argc, argv, CLI_COMMON_LETTERS "k:K:ZH:p:z:", table, NULL)) != -1) {
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
        case 'Z':
            pub->nulls = true;
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
