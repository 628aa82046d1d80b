/** The YAML file, read event by event (libyaml), so that nothing is built that is not wanted.
 *
 *  Keys may be nested ("node:" then "id: 1") or written whole ("node.id: 1"). Bounded: bytes, depth; aliases, anchors
 *  and tags are refused, so nothing can multiply.
 */
#include "config_table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <yaml.h>

#define PATH_BYTES_MAX 128

struct reader {
    yaml_parser_t parser;
    struct config *config;
    struct config_error *error;
    bool seen[CONFIG_ROWS_MAX];
    bool section_seen[CONFIG_ROWS_MAX]; /**< by the first row of the section */
};

enum lf_status config_refuse(const struct config *config, struct config_error *error, int line, const char *format,
                             ...) {
    size_t used = 0;
    if (line > 0)
        used = (size_t)snprintf(error->text, sizeof error->text, "%s:%d: ", config->file, line);
    else if (config->file[0] && line == CONFIG_LINE_DEFAULT)
        used = (size_t)snprintf(error->text, sizeof error->text, "%s: ", config->file);
    va_list args;
    va_start(args, format);
    if (used < sizeof error->text)
        vsnprintf(error->text + used, sizeof error->text - used, format, args);
    va_end(args);
    for (char *c = error->text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?'; /* what stands in the file must not reach the terminal as it is */
    return LF_INVALID;
}

static int line_of(const yaml_event_t *event) { return (int)event->start_mark.line + 1; }

/** The next event, deleted by the caller. Refuses what no configuration needs. */
static enum lf_status next_event(struct reader *reader, yaml_event_t *event) {
    if (!yaml_parser_parse(&reader->parser, event)) {
        memset(event, 0, sizeof *event);
        if (reader->parser.error == YAML_MEMORY_ERROR)
            return LF_NO_MEMORY;
        return config_refuse(reader->config, reader->error, (int)reader->parser.problem_mark.line + 1,
                             "this is not YAML: %s", reader->parser.problem ? reader->parser.problem : "unreadable");
    }
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT)
        anchor = event->data.scalar.anchor, tag = event->data.scalar.tag;
    else if (event->type == YAML_MAPPING_START_EVENT)
        anchor = event->data.mapping_start.anchor, tag = event->data.mapping_start.tag;
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        anchor = event->data.sequence_start.anchor, tag = event->data.sequence_start.tag;
    if (!anchor && !tag && event->type != YAML_ALIAS_EVENT)
        return LF_OK;
    int line = line_of(event);
    yaml_event_delete(event);
    return config_refuse(reader->config, reader->error, line,
                         "anchors, aliases and tags are not used here; write the value itself");
}

static enum lf_status unknown_key(struct reader *reader, int line, const struct config_row *rows, size_t count,
                                  const char *name) {
    const char *nearest = config_row_suggest(rows, count, name);
    return config_refuse(reader->config, reader->error, line, "unknown key %.100s; %s%s%s", name,
                         nearest ? "did you mean " : "see `logflumed --help` for all keys", nearest ? nearest : "",
                         nearest ? "?" : "");
}

/** The value of a scalar key: the next event must be that scalar. */
static enum lf_status read_scalar(struct reader *reader, const struct config_row *row, const char *name, void *base) {
    yaml_event_t event;
    enum lf_status status = next_event(reader, &event);
    if (status != LF_OK)
        return status;
    char why[256];
    int line = line_of(&event);
    if (event.type != YAML_SCALAR_EVENT) {
        config_value_describe(row, why, sizeof why);
        status = config_refuse(reader->config, reader->error, line, "%s: a %s stands here; right is %s", name,
                               event.type == YAML_SEQUENCE_START_EVENT ? "list" : "map", why);
    } else {
        bool quoted = event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        status = config_value_set(base, row, (const char *)event.data.scalar.value, event.data.scalar.length, quoted,
                                  why, sizeof why);
        if (status != LF_OK)
            config_refuse(reader->config, reader->error, line, "%s: %s", name, why);
    }
    yaml_event_delete(&event);
    return status;
}

/** A key of one entry of cluster.nodes. */
static enum lf_status read_node_key(struct reader *reader, const yaml_event_t *key, struct config_node *node,
                                    bool *seen) {
    const char *name = (const char *)key->data.scalar.value;
    const struct config_row *row = config_row_find(config_node_rows, config_node_row_count, name);
    if (!row)
        return unknown_key(reader, line_of(key), config_node_rows, config_node_row_count, name);
    if (seen[row - config_node_rows])
        return config_refuse(reader->config, reader->error, line_of(key), "key %s is here twice in one node", name);
    seen[row - config_node_rows] = true;
    char full[PATH_BYTES_MAX];
    snprintf(full, sizeof full, "cluster.nodes: %s", row->name);
    return read_scalar(reader, row, full, node);
}

static enum lf_status check_node_keys(struct reader *reader, const struct config_node *node, const bool *seen) {
    for (size_t i = 0; i < config_node_row_count; i++)
        if (config_node_rows[i].required && !seen[i])
            return config_refuse(reader->config, reader->error, node->line, "this node of cluster.nodes has no %s",
                                 config_node_rows[i].name);
    return LF_OK;
}

/** One entry of cluster.nodes, its mapping already begun. */
static enum lf_status read_node(struct reader *reader, struct config_node *node) {
    bool seen[8] = {false};
    for (;;) {
        yaml_event_t event;
        enum lf_status status = next_event(reader, &event);
        if (status == LF_OK && event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return check_node_keys(reader, node, seen);
        }
        if (status == LF_OK)
            status = event.type == YAML_SCALAR_EVENT
                         ? read_node_key(reader, &event, node, seen)
                         : config_refuse(reader->config, reader->error, line_of(&event), "a key must be a plain name");
        yaml_event_delete(&event);
        if (status != LF_OK)
            return status;
    }
}

static void node_defaults(struct config_node *node, int line) {
    char why[8];
    *node = (struct config_node){.line = line};
    for (size_t i = 0; i < config_node_row_count; i++) {
        char text[32];
        const struct config_row *row = &config_node_rows[i];
        int size = snprintf(text, sizeof text, "%llu", (unsigned long long)row->number);
        if (row->kind == CONFIG_NUMBER && !row->required)
            config_value_set(node, row, text, (size_t)size, false, why, sizeof why);
    }
}

static enum lf_status read_nodes_item(struct reader *reader, const yaml_event_t *event) {
    struct config *config = reader->config;
    if (event->type != YAML_MAPPING_START_EVENT)
        return config_refuse(config, reader->error, line_of(event),
                             "cluster.nodes: each entry is a map, as {id: 1, host: 127.0.0.1}");
    if (config->node_count == NODE_NODES_MAX)
        return config_refuse(config, reader->error, line_of(event), "cluster.nodes: at most %d nodes", NODE_NODES_MAX);
    struct config_node *node = &config->nodes[config->node_count++];
    node_defaults(node, line_of(event));
    return read_node(reader, node);
}

static enum lf_status read_nodes(struct reader *reader) {
    yaml_event_t event;
    enum lf_status status = next_event(reader, &event);
    if (status == LF_OK && event.type != YAML_SEQUENCE_START_EVENT)
        status = config_refuse(reader->config, reader->error, line_of(&event),
                               "cluster.nodes: a list of maps is right, as - {id: 1, host: 127.0.0.1}");
    yaml_event_delete(&event);
    while (status == LF_OK) {
        status = next_event(reader, &event);
        bool end = status == LF_OK && event.type == YAML_SEQUENCE_END_EVENT;
        if (status == LF_OK && !end)
            status = read_nodes_item(reader, &event);
        yaml_event_delete(&event);
        if (end)
            break;
    }
    return status;
}

static enum lf_status read_row(struct reader *reader, const struct config_row *row, int line) {
    struct config *config = reader->config;
    size_t at = (size_t)(row - config_rows);
    if (reader->seen[at])
        return config_refuse(config, reader->error, line, "key %s is here twice; the first is in line %d", row->name,
                             config->lines[at]);
    reader->seen[at] = true;
    config->lines[at] = line;
    return row->kind == CONFIG_NODES ? read_nodes(reader) : read_scalar(reader, row, row->name, config);
}

static enum lf_status read_mapping(struct reader *reader, const char *prefix, int depth);

/** `name`: the whole key so far, which is no row: the first part of some, or unknown. */
static enum lf_status read_section(struct reader *reader, const char *name, int line, int depth) {
    const struct config_row *first = config_row_first_of(name);
    if (!first)
        return unknown_key(reader, line, config_rows, config_row_count, name);
    if (reader->section_seen[first - config_rows])
        return config_refuse(reader->config, reader->error, line, "key %s is here twice; put all under one", name);
    reader->section_seen[first - config_rows] = true;
    yaml_event_t event;
    enum lf_status status = next_event(reader, &event);
    if (status != LF_OK)
        return status;
    bool empty = event.type == YAML_SCALAR_EVENT && event.data.scalar.length == 0;
    bool mapping = event.type == YAML_MAPPING_START_EVENT;
    yaml_event_delete(&event);
    if (empty)
        return LF_OK; /* a section with all its keys commented out */
    if (!mapping)
        return config_refuse(reader->config, reader->error, line, "%s: keys must follow, as %s: {KEY: VALUE}", name,
                             name);
    return read_mapping(reader, name, depth + 1);
}

static enum lf_status read_key(struct reader *reader, const yaml_event_t *key, const char *prefix, int depth) {
    char name[PATH_BYTES_MAX];
    int line = line_of(key);
    if (key->type != YAML_SCALAR_EVENT)
        return config_refuse(reader->config, reader->error, line, "a key must be a plain name");
    int size =
        snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] ? "." : "", (const char *)key->data.scalar.value);
    if (size >= (int)sizeof name || strlen((const char *)key->data.scalar.value) != key->data.scalar.length)
        return config_refuse(reader->config, reader->error, line, "unknown key %.40s...; no key is that long", name);
    const struct config_row *row = config_row_find(config_rows, config_row_count, name);
    return row ? read_row(reader, row, line) : read_section(reader, name, line, depth);
}

/** A mapping whose start was read. */
static enum lf_status read_mapping(struct reader *reader, const char *prefix, int depth) {
    for (;;) {
        yaml_event_t event;
        enum lf_status status = next_event(reader, &event);
        if (status != LF_OK)
            return status;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        if (!end && depth > CONFIG_DEPTH_MAX)
            status = config_refuse(reader->config, reader->error, line_of(&event), "nested too deeply");
        else if (!end)
            status = read_key(reader, &event, prefix, depth);
        yaml_event_delete(&event);
        if (end || status != LF_OK)
            return status;
    }
}

/** Stream start, one document that is a mapping (or nothing at all), stream end. */
static enum lf_status read_stream(struct reader *reader) {
    bool had_document = false;
    for (;;) {
        yaml_event_t event;
        enum lf_status status = next_event(reader, &event);
        yaml_event_type_t type = event.type;
        int line = line_of(&event);
        bool empty = type == YAML_SCALAR_EVENT && event.data.scalar.length == 0;
        yaml_event_delete(&event);
        if (status != LF_OK || type == YAML_STREAM_END_EVENT)
            return status;
        if (type == YAML_DOCUMENT_START_EVENT && had_document)
            return config_refuse(reader->config, reader->error, line, "a second document; only one is right");
        had_document |= type == YAML_DOCUMENT_START_EVENT;
        if (type == YAML_MAPPING_START_EVENT)
            status = read_mapping(reader, "", 1);
        else if ((type == YAML_SCALAR_EVENT && !empty) || type == YAML_SEQUENCE_START_EVENT)
            status = config_refuse(reader->config, reader->error, line, "KEY: VALUE lines are right");
        if (status != LF_OK)
            return status;
    }
}

enum lf_status config_load_text(struct config *config, const char *file, struct lf_bytes text,
                                struct config_error *error) {
    snprintf(config->file, sizeof config->file, "%s", file);
    if (text.size > CONFIG_FILE_BYTES_MAX)
        return config_refuse(config, error, 1, "the file is larger than %u bytes", CONFIG_FILE_BYTES_MAX);
    struct reader reader = {.config = config, .error = error};
    snprintf(error->text, sizeof error->text, "%.*s: out of memory", PATH_MAX, file);
    if (!yaml_parser_initialize(&reader.parser))
        return LF_NO_MEMORY;
    yaml_parser_set_input_string(&reader.parser, text.data, text.size);
    enum lf_status status = read_stream(&reader);
    yaml_parser_delete(&reader.parser);
    if (status == LF_OK)
        error->text[0] = '\0';
    return status;
}

enum lf_status config_load_file(struct config *config, const char *file, struct config_error *error) {
    char *text = malloc(CONFIG_FILE_BYTES_MAX + 1);
    FILE *stream = text ? fopen(file, "re") : NULL;
    size_t size = stream ? fread(text, 1, CONFIG_FILE_BYTES_MAX + 1, stream) : 0;
    enum lf_status status = LF_OK;
    if (!stream || ferror(stream)) {
        snprintf(error->text, sizeof error->text, "%.*s: cannot be read: %s", PATH_MAX, file, strerror(errno));
        status = LF_IO;
    }
    if (stream)
        fclose(stream);
    if (status == LF_OK)
        status = config_load_text(config, file, lf_bytes(text, size), error);
    free(text);
    return status;
}
