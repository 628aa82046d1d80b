/** Defaults, flags, and the configuration of --dev. */
#include "config_table.h"

#include "lf_check.h"

void config_init(struct config *config) {
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        uint8_t *field = (uint8_t *)config + row->offset;
        if (row->kind == CONFIG_TEXT || row->kind == CONFIG_NODES)
            continue;
        if (row->size == sizeof(uint32_t)) {
            uint32_t number = (uint32_t)row->number;
            memcpy(field, &number, sizeof number);
        } else {
            lf_check(row->size == sizeof row->number);
            memcpy(field, &row->number, sizeof row->number);
        }
    }
}

enum lf_status config_set_flag(struct config *config, const char *name, const char *value, struct config_error *error) {
    const struct config_row *row = config_row_find(config_rows, config_row_count, name);
    char why[256];
    if (!row || row->kind == CONFIG_NODES) {
        const char *nearest = row ? NULL : config_row_suggest(config_rows, config_row_count, name);
        snprintf(error->text, sizeof error->text, "--%.100s: %s%s%s", name,
                 row       ? "only the configuration file can give this one"
                 : nearest ? "unknown flag; did you mean --"
                           : "unknown flag; see `logflumed --help`",
                 nearest ? nearest : "", nearest ? "?" : "");
        return LF_NOT_FOUND;
    }
    size_t at = (size_t)(row - config_rows);
    if (config->by_flag[at]) {
        snprintf(error->text, sizeof error->text, "--%s: given twice", name);
        return LF_INVALID;
    }
    config->by_flag[at] = true;
    config->lines[at] = CONFIG_LINE_FLAG;
    enum lf_status status = config_value_set(config, row, value, strlen(value), false, why, sizeof why);
    if (status != LF_OK)
        snprintf(error->text, sizeof error->text, "--%s: %s", name, why);
    return status;
}

enum lf_status config_set_environment(struct config *config, const char *name, const char *variable, const char *value,
                                      struct config_error *error) {
    const struct config_row *row = config_row_find(config_rows, config_row_count, name);
    lf_check(row != NULL);
    char why[256];
    config->lines[row - config_rows] = CONFIG_LINE_FLAG;
    enum lf_status status = config_value_set(config, row, value, strlen(value), false, why, sizeof why);
    if (status != LF_OK)
        snprintf(error->text, sizeof error->text, "%s: %s", variable, why);
    return status;
}

void config_overlay(struct config *config, const struct config *flags) {
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        if (!flags->by_flag[i])
            continue;
        memcpy((char *)config + row->offset, (const char *)flags + row->offset, row->size);
        config->lines[i] = CONFIG_LINE_FLAG;
        config->by_flag[i] = true;
    }
}

void config_make_dev(struct config *config, uint32_t client_port, uint32_t peer_port, uint32_t admin_port) {
    config->node_id = 1;
    snprintf(config->cluster_name, sizeof config->cluster_name, "dev");
    config->node_count = 1;
    config->nodes[0] = (struct config_node){
        .address = {.node_id = 1, .host = "127.0.0.1", .client_port = client_port, .peer_port = peer_port},
        .admin_port = admin_port};
    if (!config->node_data[0])
        snprintf(config->node_data, sizeof config->node_data, "./logflume-dev");
}

const struct config_node *config_self(const struct config *config) {
    for (size_t i = 0; i < config->node_count; i++)
        if (config->nodes[i].address.node_id == config->node_id)
            return &config->nodes[i];
    return NULL;
}

size_t config_addresses(const struct config *config, struct node_address out[NODE_NODES_MAX]) {
    for (size_t i = 0; i < config->node_count; i++)
        out[i] = config->nodes[i].address;
    return config->node_count;
}
