/** CRC-32C: the processor's instruction where there is one, else slice-by-8 tables built at compile time of the first
 * use.
 *
 *  The tables are computed by each call site's first use into a constant-initialised, once-only block; the choice of
 *  implementation is made from cpuid each time it is cheap enough (a cached relaxed atomic). */
#include "lf_crc32c.h"

#include <stdatomic.h>
#include <string.h>

#define POLYNOMIAL 0x82F63B78u

/* ---- portable: slice by 8 ---- */

static uint32_t tables[8][256];
static atomic_int tables_state; /* 0 unbuilt, 1 being built, 2 ready */

static void build_tables(void) {
    int expected = 0;
    if (atomic_compare_exchange_strong(&tables_state, &expected, 1)) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t sum = i;
            for (int bit = 0; bit < 8; bit++)
                sum = (sum >> 1) ^ (POLYNOMIAL & (0u - (sum & 1)));
            tables[0][i] = sum;
        }
        for (uint32_t i = 0; i < 256; i++)
            for (int k = 1; k < 8; k++)
                tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xff];
        atomic_store_explicit(&tables_state, 2, memory_order_release);
    }
    while (atomic_load_explicit(&tables_state, memory_order_acquire) != 2)
        ; /* another thread is at it: microseconds, once per process */
}

static uint32_t load_le32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t lf_crc32c_portable(uint32_t crc, const void *data, size_t size) {
    if (atomic_load_explicit(&tables_state, memory_order_acquire) != 2)
        build_tables();
    const uint8_t *p = data;
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint32_t low = load_le32(p) ^ crc, high = load_le32(p + 4);
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
              tables[3][high & 0xff] ^ tables[2][high >> 8 & 0xff] ^ tables[1][high >> 16 & 0xff] ^
              tables[0][high >> 24];
    }
    for (; size > 0; size--, p++)
        crc = (crc >> 8) ^ tables[0][(crc ^ *p) & 0xff];
    return ~crc;
}

/* ---- the processor's instruction ---- */

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t size) {
    const uint8_t *p = data;
    uint64_t sum = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        sum = _mm_crc32_u64(sum, word);
    }
    uint32_t rest = (uint32_t)sum;
    for (; size > 0; size--, p++)
        rest = _mm_crc32_u8(rest, *p);
    return ~rest;
}

int lf_crc32c_is_hardware(void) { return __builtin_cpu_supports("sse4.2") != 0; }

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

static uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t size) {
    const uint8_t *p = data;
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        crc = __crc32cd(crc, word);
    }
    for (; size > 0; size--, p++)
        crc = __crc32cb(crc, *p);
    return ~crc;
}

int lf_crc32c_is_hardware(void) { return 1; }

#else

static uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t size) {
    return lf_crc32c_portable(crc, data, size);
}

int lf_crc32c_is_hardware(void) { return 0; }

#endif

uint32_t lf_crc32c(uint32_t crc, const void *data, size_t size) {
    return lf_crc32c_is_hardware() ? crc32c_hardware(crc, data, size) : lf_crc32c_portable(crc, data, size);
}
