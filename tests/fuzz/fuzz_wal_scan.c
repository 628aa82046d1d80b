/** What start-up reads before RocksDB does: write-ahead logs and MANIFEST as a disk may give them back.
 *
 *  First byte: bit 2: a witness's two slots; else bit 0: a MANIFEST, else up to 3 logs, oldest first, each as 16-bit
 *  size and bytes (the last one: all that is left). Bit 1 repairs the checksums first. Whatever is judged torn must be
 *  whole once it is cut there: else a second start would cut again, or refuse. */
#include "fuzz_input.h"
#include "lf_check.h"
#include "lf_crc32c.h"
#include "manifest_scan.h"
#include "wal_scan.h"
#include "witness.h"

#include <stdlib.h>

#define LOGS_MAX 3

/** Every header that stands where the one before it ends gets the checksum of what it covers. */
static void repair(uint8_t *bytes, size_t size) {
    size_t at = 0;
    while (at + WAL_HEADER_BYTES <= size) {
        size_t room = WAL_BLOCK_BYTES - at % WAL_BLOCK_BYTES;
        if (room < WAL_HEADER_BYTES) {
            at += room;
            continue;
        }
        size_t payload = lf_get_le16(bytes + at + 4);
        if (payload > room - WAL_HEADER_BYTES || payload > size - at - WAL_HEADER_BYTES)
            return;
        uint32_t sum = lf_crc32c(0, bytes + at + 6, payload + 1);
        lf_put_le32(bytes + at, (sum >> 15 | sum << 17) + 0xa282ead8u);
        at += WAL_HEADER_BYTES + payload;
    }
}

static void scan_manifest(struct lf_bytes bytes) {
    struct manifest_scan scan = manifest_scan(bytes);
    lf_check(scan.family_count <= MANIFEST_FAMILIES_MAX);
    if (scan.verdict != MANIFEST_TORN) {
        manifest_scan_deinit(&scan);
        return;
    }
    lf_check(scan.whole_bytes <= bytes.size);
    struct manifest_scan again = manifest_scan(lf_bytes(bytes.data, scan.whole_bytes));
    lf_check(again.verdict == MANIFEST_WHOLE);
    lf_check(again.family_count == scan.family_count);
    lf_check(again.last_sequence == scan.last_sequence);
    lf_check(again.table_count == scan.table_count);
    manifest_scan_deinit(&again);
    manifest_scan_deinit(&scan);
}

/* A witness file: its two slots, one behind the other, without what lies between. */
static void read_witness(struct lf_bytes slots, bool repaired) {
    uint8_t file[WITNESS_FILE_BYTES] = {0}, again[WITNESS_SLOT_BYTES];
    struct witness witness;
    for (uint64_t i = 0; i < 2 && slots.size >= (i + 1) * WITNESS_SLOT_BYTES; i++) {
        uint8_t *slot = file + witness_slot_offset(i);
        memcpy(slot, slots.data + i * WITNESS_SLOT_BYTES, WITNESS_SLOT_BYTES);
        if (repaired)
            lf_put_le32(slot + WITNESS_SLOT_BYTES - 4, lf_crc32c(0, slot, WITNESS_SLOT_BYTES - 4));
    }
    if (!witness_choose(lf_bytes(file, sizeof file), &witness))
        return;
    lf_check(witness.wal_count <= WITNESS_WALS_MAX);
    witness_encode(&witness, again);
    struct witness same;
    lf_check(witness_decode(lf_bytes(again, sizeof again), &same));
    lf_check(memcmp(&same, &witness, sizeof same) == 0);
    if (witness_newest(&witness) < UINT64_MAX) {
        witness_add(&witness, &(struct witness_wal){.number = witness_newest(&witness) + 1});
        lf_check(witness.wal_count <= WITNESS_WALS_MAX);
    }
}

static void scan_logs(struct fuzz_input *input, bool repaired) {
    struct wal_stream stream = {0};
    for (int i = 0; i < LOGS_MAX && input->left > 0; i++) {
        struct lf_bytes rest = lf_bytes(input->at, input->left);
        struct lf_bytes view = i + 1 < LOGS_MAX ? fuzz_sized(input) : rest;
        struct lf_buf *log = lf_buf_copy(view);
        struct wal_stream before = stream, again = stream;
        lf_check(log != NULL);
        if (repaired)
            repair(log->data, log->size);
        struct wal_judgement judged = wal_scan(&stream, lf_buf_bytes(log));
        lf_check(stream.records >= before.records);
        if (judged.verdict == WAL_TORN) {
            lf_check(judged.whole_bytes <= log->size);
            lf_check(judged.bad_offset <= log->size);
            struct wal_judgement cut = wal_scan(&again, lf_bytes(log->data, judged.whole_bytes));
            lf_check(before.broken || cut.verdict == WAL_WHOLE);
            lf_check(again.records == stream.records);
        }
        if (judged.verdict == WAL_DAMAGED)
            lf_check(judged.proof_offset <= log->size);
        lf_buf_unref(&log);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    uint8_t mode = fuzz_u8(&input);
    if (mode & 4) {
        read_witness(lf_bytes(input.at, input.left), mode & 2);
        return 0;
    }
    if (!(mode & 1)) {
        scan_logs(&input, mode & 2);
        return 0;
    }
    struct lf_buf *manifest = lf_buf_copy(lf_bytes(input.at, input.left));
    lf_check(manifest != NULL);
    if (mode & 2)
        repair(manifest->data, manifest->size);
    scan_manifest(lf_buf_bytes(manifest));
    lf_buf_unref(&manifest);
    return 0;
}
