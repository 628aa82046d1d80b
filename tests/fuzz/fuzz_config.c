/** A configuration file: taken or refused in words, never worse. */
#include "config.h"
#include "lf_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct config config;
    static struct config_error error;
    config_init(&config);
    error.text[0] = '\0';
    enum lf_status status = config_load_text(&config, "f", lf_bytes(data, size), &error);
    if (status == LF_OK)
        status = config_check(&config, &error);
    lf_check(status == LF_OK || error.text[0] != '\0');
    lf_check(status != LF_OK || config_self(&config) != NULL);
    return 0;
}
