#include "contract.h"

#include <stdio.h>

static const struct contract_backend *backend_under_test;

int contract_setup(void **state) {
    struct contract *contract = test_calloc(1, sizeof *contract);
    contract->backend = backend_under_test;
    contract->disk = contract->backend->disk_new();
    *state = contract;
    if (!contract->disk)
        return -1;
    contract_open(contract);
    return 0;
}

int contract_teardown(void **state) {
    struct contract *contract = *state;
    log_store_close(&contract->store);
    contract->backend->disk_destroy(contract->disk);
    test_free(contract);
    return 0;
}

static int run(const char *part, const struct CMUnitTest *tests, size_t count) {
    char name[64];
    snprintf(name, sizeof name, "%s.%s", backend_under_test->name, part);
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

int contract_run(const struct contract_backend *backend) {
    backend_under_test = backend;
    return run("segments", contract_segment_tests, contract_segment_test_count) +
           run("stage", contract_stage_tests, contract_stage_test_count) +
           run("rewrite", contract_rewrite_tests, contract_rewrite_test_count) +
           run("log", contract_log_tests, contract_log_test_count) +
           run("applied", contract_applied_tests, contract_applied_test_count) +
           run("read", contract_read_tests, contract_read_test_count) +
           run("random", contract_random_tests, contract_random_test_count);
}
