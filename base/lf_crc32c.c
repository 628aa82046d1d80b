/** Two twins that give the same: the processor's instruction, found at run time, and slice-by-8 tables.
 *
 *  The tables are built by whoever needs them first; `tables_state` makes that one thread, and the others wait for it.
 */
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

#elif defined(__aarch64__)
#include <sys/auxv.h>

#define HWCAP_CRC32_BIT (1ul << 7) /* asm/hwcap.h */

/* Assembler in place of arm_acle.h, whose functions exist only when the whole file is built for such a processor. */
static uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t size) {
    const uint8_t *p = data;
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    }
    for (; size > 0; size--, p++)
        __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"((uint32_t)*p));
    return ~crc;
}

int lf_crc32c_is_hardware(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32_BIT) != 0; }

#else

static uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t size) {
    return lf_crc32c_portable(crc, data, size);
}

int lf_crc32c_is_hardware(void) { return 0; }

#endif

uint32_t lf_crc32c(uint32_t crc, const void *data, size_t size) {
    return lf_crc32c_is_hardware() ? crc32c_hardware(crc, data, size) : lf_crc32c_portable(crc, data, size);
}
