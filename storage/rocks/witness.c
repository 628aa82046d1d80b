#include "witness.h"

#include "lf_check.h"
#include "lf_crc32c.h"

#include <string.h>

#define FORMAT 1
#define WALS_OFFSET 56u
#define WAL_BYTES 24u
#define SUM_OFFSET (WITNESS_SLOT_BYTES - 4)

_Static_assert(WALS_OFFSET + WITNESS_WALS_MAX * WAL_BYTES <= SUM_OFFSET, "the logs fit in a slot");
_Static_assert(WITNESS_SLOT_BYTES <= WITNESS_SLOT_STRIDE, "slots do not overlap");

void witness_encode(const struct witness *witness, uint8_t slot[WITNESS_SLOT_BYTES]) {
    lf_check(witness->wal_count <= WITNESS_WALS_MAX);
    memset(slot, 0, WITNESS_SLOT_BYTES);
    lf_put_le32(slot, WITNESS_MAGIC);
    lf_put_le16(slot + 4, FORMAT);
    lf_put_le16(slot + 6, (uint16_t)witness->wal_count);
    lf_put_le64(slot + 8, witness->generation);
    memcpy(slot + 16, witness->store_uuid, LOG_STORE_ID_BYTES);
    lf_put_le64(slot + 32, witness->manifest_number);
    lf_put_le64(slot + 40, witness->manifest_bytes);
    lf_put_le64(slot + 48, witness->last_sequence);
    for (uint32_t i = 0; i < witness->wal_count; i++) {
        uint8_t *at = slot + WALS_OFFSET + i * WAL_BYTES;
        lf_put_le64(at, witness->wals[i].number);
        lf_put_le64(at + 8, witness->wals[i].bytes);
        lf_put_le64(at + 16, witness->wals[i].last_sequence);
    }
    lf_put_le32(slot + SUM_OFFSET, lf_crc32c(0, slot, SUM_OFFSET));
}

static bool take_wals(const uint8_t *slot, struct witness *witness) {
    for (uint32_t i = 0; i < witness->wal_count; i++) {
        const uint8_t *at = slot + WALS_OFFSET + i * WAL_BYTES;
        witness->wals[i] = (struct witness_wal){
            .number = lf_get_le64(at), .bytes = lf_get_le64(at + 8), .last_sequence = lf_get_le64(at + 16)};
        if (i > 0 && witness->wals[i].number <= witness->wals[i - 1].number)
            return false;
    }
    return true;
}

bool witness_decode(struct lf_bytes slot, struct witness *witness) {
    const uint8_t *data = slot.data;
    if (slot.size < WITNESS_SLOT_BYTES || lf_get_le32(data) != WITNESS_MAGIC)
        return false;
    if (lf_get_le32(data + SUM_OFFSET) != lf_crc32c(0, data, SUM_OFFSET) || lf_get_le16(data + 4) != FORMAT)
        return false;
    *witness = (struct witness){.wal_count = lf_get_le16(data + 6),
                                .generation = lf_get_le64(data + 8),
                                .manifest_number = lf_get_le64(data + 32),
                                .manifest_bytes = lf_get_le64(data + 40),
                                .last_sequence = lf_get_le64(data + 48)};
    memcpy(witness->store_uuid, data + 16, LOG_STORE_ID_BYTES);
    return witness->wal_count <= WITNESS_WALS_MAX && take_wals(data, witness);
}

bool witness_choose(struct lf_bytes file, struct witness *witness) {
    bool found = false;
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t offset = witness_slot_offset(i);
        struct witness read;
        if (file.size < offset + WITNESS_SLOT_BYTES)
            break;
        if (!witness_decode(lf_bytes(file.data + offset, WITNESS_SLOT_BYTES), &read) || read.generation % 2 != i)
            continue;
        if (!found || read.generation > witness->generation)
            *witness = read;
        found = true;
    }
    return found;
}

const struct witness_wal *witness_find(const struct witness *witness, uint64_t number) {
    for (uint32_t i = 0; i < witness->wal_count; i++)
        if (witness->wals[i].number == number)
            return &witness->wals[i];
    return NULL;
}

uint64_t witness_newest(const struct witness *witness) {
    return witness->wal_count > 0 ? witness->wals[witness->wal_count - 1].number : 0;
}

void witness_add(struct witness *witness, const struct witness_wal *wal) {
    lf_check(wal->number > witness_newest(witness));
    if (witness->wal_count == WITNESS_WALS_MAX) {
        memmove(&witness->wals[1], &witness->wals[2], (WITNESS_WALS_MAX - 2) * sizeof witness->wals[0]);
        witness->wal_count--;
    }
    witness->wals[witness->wal_count++] = *wal;
}
