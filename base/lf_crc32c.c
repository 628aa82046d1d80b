/** Two twins that give the same: the processor's instruction, found at run time, and slice-by-8 tables.
 *
 *  The instruction answers three cycles after it was asked and can be asked every cycle, so three stretches of
 *  LANE_BYTES are summed side by side, the second and third from zero. A sum is linear in its register: what the first
 *  stretch left, taken over as many zero bytes as the second has, is added to the second's, and so on (`lane_shift`).
 *
 *  The tables are built by whoever needs them first; `tables_state` makes that one thread, and the others wait for it.
 */
#include "lf_crc32c.h"

#include <stdatomic.h>
#include <string.h>

#define POLYNOMIAL 0x82F63B78u
#define LANE_BYTES 128

/* ---- portable: slice by 8 ---- */

static uint32_t tables[8][256];
static uint32_t lane_shift[4][256]; /* [k][b]: what a register with byte k equal to b is after LANE_BYTES zeros */
static atomic_int tables_state;     /* 0 unbuilt, 1 being built, 2 ready */

static uint32_t after_zeros(uint32_t crc) {
    for (int i = 0; i < LANE_BYTES; i++)
        crc = (crc >> 8) ^ tables[0][crc & 0xff];
    return crc;
}

static void build_lane_shift(void) {
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t i = 0; i < 256; i++)
            lane_shift[k][i] = after_zeros(i << (8 * k));
}

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
        build_lane_shift();
        atomic_store_explicit(&tables_state, 2, memory_order_release);
    }
    while (atomic_load_explicit(&tables_state, memory_order_acquire) != 2)
        ; /* another thread is at it: a millisecond at most, once per process */
}

static void need_tables(void) {
    if (atomic_load_explicit(&tables_state, memory_order_acquire) != 2)
        build_tables();
}

static uint32_t load_le32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t lf_crc32c_portable(uint32_t crc, const void *data, size_t size) {
    need_tables();
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

#define WITH_INSTRUCTION __attribute__((target("sse4.2")))

WITH_INSTRUCTION static inline uint64_t of_word(uint64_t sum, uint64_t word) { return _mm_crc32_u64(sum, word); }

WITH_INSTRUCTION static inline uint32_t of_byte(uint32_t sum, uint8_t byte) { return _mm_crc32_u8(sum, byte); }

int lf_crc32c_is_hardware(void) { return __builtin_cpu_supports("sse4.2") != 0; }

#elif defined(__aarch64__)
#include <sys/auxv.h>

#define HWCAP_CRC32_BIT (1ul << 7) /* asm/hwcap.h */
#define WITH_INSTRUCTION

/* Assembler in place of arm_acle.h, whose functions exist only when the whole file is built for such a processor. */
static inline uint64_t of_word(uint64_t sum, uint64_t word) {
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(sum) : "r"(word));
    return sum;
}

static inline uint32_t of_byte(uint32_t sum, uint8_t byte) {
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(sum) : "r"((uint32_t)byte));
    return sum;
}

int lf_crc32c_is_hardware(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32_BIT) != 0; }

#else

#define WITHOUT_INSTRUCTION

int lf_crc32c_is_hardware(void) { return 0; }

#endif

#if defined(WITHOUT_INSTRUCTION)

static uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t size) {
    return lf_crc32c_portable(crc, data, size);
}

#else

static inline uint64_t load_word(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static uint64_t shifted(uint64_t sum) {
    return lane_shift[0][sum & 0xff] ^ lane_shift[1][sum >> 8 & 0xff] ^ lane_shift[2][sum >> 16 & 0xff] ^
           lane_shift[3][sum >> 24 & 0xff];
}

/** Of the first `3 * LANE_BYTES` bytes at `p`. */
WITH_INSTRUCTION static uint64_t of_lanes(uint64_t sum, const uint8_t *p) {
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < LANE_BYTES; i += 8) {
        sum = of_word(sum, load_word(p + i));
        second = of_word(second, load_word(p + LANE_BYTES + i));
        third = of_word(third, load_word(p + 2 * LANE_BYTES + i));
    }
    return shifted(shifted(sum) ^ second) ^ third;
}

WITH_INSTRUCTION static uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t size) {
    const uint8_t *p = data;
    uint64_t sum = ~crc; /* in the low 32 bits: a wider variable spares a move per word */
    if (size >= 3 * LANE_BYTES)
        need_tables();
    for (; size >= 3 * LANE_BYTES; size -= 3 * LANE_BYTES, p += 3 * LANE_BYTES)
        sum = of_lanes(sum, p);
    for (; size >= 8; size -= 8, p += 8)
        sum = of_word(sum, load_word(p));
    uint32_t rest = (uint32_t)sum;
    for (; size > 0; size--, p++)
        rest = of_byte(rest, *p);
    return ~rest;
}

#endif

uint32_t lf_crc32c(uint32_t crc, const void *data, size_t size) {
    return lf_crc32c_is_hardware() ? crc32c_hardware(crc, data, size) : lf_crc32c_portable(crc, data, size);
}
