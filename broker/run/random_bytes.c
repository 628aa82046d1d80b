#include "random_bytes.h"

#include "lf_check.h"

#include <sys/random.h>
#include <sys/types.h>

void random_bytes(void *out, size_t size) {
    lf_check(size <= 256); /* up to here it is never interrupted */
    ssize_t got = getrandom(out, size, 0);
    lf_check(got == (ssize_t)size);
}

uint64_t random_number(void) {
    uint64_t number;
    random_bytes(&number, sizeof number);
    return number;
}
