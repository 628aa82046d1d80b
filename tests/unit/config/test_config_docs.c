/** docs/configuration.md is what the table says. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void the_page_is_current(void **state) {
    (void)state;
    char *expected = NULL;
    size_t expected_size = 0;
    FILE *memory = open_memstream(&expected, &expected_size);
    config_print_markdown(memory);
    fclose(memory);
    FILE *page = fopen(CONFIGURATION_PAGE, "r");
    assert_non_null(page);
    char *text = calloc(1, expected_size + 2);
    size_t size = fread(text, 1, expected_size + 1, page);
    fclose(page);
    if (size != expected_size || memcmp(text, expected, size) != 0)
        fail_msg(
            "%s is not what the table says; write it anew: logflumed --help-config-markdown >docs/configuration.md",
            CONFIGURATION_PAGE);
    free(text);
    free(expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_page_is_current)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
