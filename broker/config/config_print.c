/** The table, for people: --help and docs/configuration.md. */
#include "config_table.h"

void config_print_help(FILE *stream) {
    char value[160];
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        config_value_default(row, value, sizeof value);
        fprintf(stream, "  %-38s %s [%s%s%s]\n", row->name, row->help, value,
                row->kind == CONFIG_NUMBER && row->unit[0] && !row->required ? " " : "",
                row->kind == CONFIG_NUMBER && !row->required ? row->unit : "");
    }
}

/** '|' would end the cell. */
static void print_cell(FILE *stream, const char *text) {
    fputs("| ", stream);
    for (; *text; text++)
        fprintf(stream, *text == '|' ? "\\%c" : "%c", *text);
    fputc(' ', stream);
}

static void print_table(FILE *stream, const struct config_row *rows, size_t count) {
    char text[160];
    fputs("| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n", stream);
    for (size_t i = 0; i < count; i++) {
        const struct config_row *row = &rows[i];
        snprintf(text, sizeof text, "`%s`", row->name);
        print_cell(stream, text);
        config_value_describe(row, text, sizeof text);
        print_cell(stream, text);
        config_value_default(row, text, sizeof text);
        print_cell(stream, text);
        print_cell(stream, row->help);
        fputs("|\n", stream);
    }
}

static const char head[] =
    "# Configuration\n\n"
    "<!-- Written by `logflumed --help-config-markdown` from broker/config/config_table.c; a test compares. -->\n\n"
    "`logflumed -c FILE` reads one YAML file. Keys may be nested or written whole:\n\n"
    "```yaml\n"
    "node:\n"
    "  id: 1\n"
    "  data: /var/lib/logflume\n"
    "cluster:\n"
    "  name: example\n"
    "  nodes:\n"
    "    - {id: 1, host: 10.0.0.1}\n"
    "    - {id: 2, host: 10.0.0.2}\n"
    "    - {id: 3, host: 10.0.0.3, client_port: 7700, peer_port: 7701, admin_port: 7702}\n"
    "raft.heartbeat_ms: 50\n"
    "```\n\n"
    "Every key but `cluster.nodes` is also a flag, which wins over the file: `--log.level=debug` or `--log.level "
    "debug`.\n"
    "Unknown and repeated keys, bad values and pairs that contradict each other are refused with the line and what\n"
    "would be right; `logflumed -c FILE --check-config` does only that. Anchors, aliases and tags are not used.\n"
    "Bytes are a whole number that KiB, MiB or GiB may follow, as `8 MiB`; times are in milliseconds.\n\n";

void config_print_markdown(FILE *stream) {
    fputs(head, stream);
    print_table(stream, config_rows, config_row_count);
    fputs("\n## Each entry of `cluster.nodes`\n\n", stream);
    print_table(stream, config_node_rows, config_node_row_count);
}
