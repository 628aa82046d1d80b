/** The state machines of a partition and of group 0: rows that a disk gave back, then entries that a log holds.
 *
 *  First byte: bit 0: group 0, else a partition. Then the applied index (1 byte), rows (1 byte, modulo 8; each a key of
 *  8-bit size and a value of 16-bit size), and entries until the end: type (1 byte, modulo 13), flags (1 byte),
 *  milliseconds passed (1 byte), payload (16-bit size and bytes; a batch is repaired and stamped, unless bit 7 of the
 *  flags).
 *
 *  Rows are taken or refused in words; entries are applied or stop the machine in words. What is applied is in the
 *  rows: a second machine loaded from what the first one wrote has the same checksum. */
#include "fuzz_input.h"
#include "lf_check.h"
#include "lf_entry.h"
#include "metadata.h"
#include "partition.h"
#include "row_image.h"

#define ROWS_MAX 8
#define ENTRIES_MAX 64
#define TERM 5

struct machine {
    struct partition *partition; /**< one of the two is NULL */
    struct metadata *metadata;
    uint64_t index, log_time_ms;
};

static struct machine machine_new(bool group_zero) {
    struct machine machine = {0};
    if (group_zero)
        machine.metadata = metadata_new(NULL);
    else
        machine.partition = partition_new(&(struct partition_limits){.producers_max = 4, .producer_retention_ms = 500});
    lf_check(machine.metadata != NULL || machine.partition != NULL);
    return machine;
}

static void machine_destroy(struct machine *machine) {
    partition_destroy(&machine->partition);
    metadata_destroy(&machine->metadata);
}

static enum lf_status machine_load(struct machine *machine, const struct row_image *image) {
    struct lf_error error = {0};
    enum lf_status status =
        machine->partition ? partition_load(machine->partition, image->applied_index, image->rows, image->count,
                                            image->segments, image->segment_count, &error)
                           : metadata_load(machine->metadata, image->applied_index, image->rows, image->count, &error);
    lf_check(status == LF_OK || error.text[0] != '\0');
    machine->index = image->applied_index;
    machine->log_time_ms = status != LF_OK      ? 0
                           : machine->partition ? partition_log_time_ms(machine->partition)
                                                : metadata_log_time_ms(machine->metadata);
    return status;
}

static uint32_t machine_checksum(const struct machine *machine) {
    return machine->partition ? partition_applied_checksum(machine->partition)
                              : metadata_applied_checksum(machine->metadata);
}

static void read_rows(struct fuzz_input *input, struct row_image *image) {
    image->applied_index = fuzz_u8(input);
    for (size_t count = fuzz_u8(input) % ROWS_MAX; count > 0; count--) {
        size_t key_size = fuzz_u8(input);
        struct lf_bytes key = lf_bytes(input->at, key_size < input->left ? key_size : input->left);
        input->at += key.size;
        input->left -= key.size;
        struct log_store_row row = {.key = key, .value = fuzz_sized(input)};
        if (key.size > 0 && key.size <= LOG_STORE_ROW_KEY_BYTES_MAX && row.value.size > 0)
            row_image_put(image, &row);
    }
}

/** False: no entry that a leader could have appended, nor a log have kept. */
static bool make_payload(const struct machine *machine, struct lf_entry_header *header, uint8_t flags,
                         struct lf_buf *payload) {
    struct lf_batch_header batch;
    if (machine->partition)
        header->end_offset = (uint64_t)partition_log_end_offset(machine->partition);
    if (header->type == LF_ENTRY_OFFSET_JUMP)
        header->end_offset += (uint64_t)LF_OFFSET_JUMP;
    if (header->type != LF_ENTRY_BATCH)
        return true;
    if (!(flags & 0x80)) {
        fuzz_repair_batch(payload->data, payload->size);
        if (payload->size >= LF_BATCH_HEADER_BYTES)
            lf_batch_stamp(payload->data, (int64_t)header->end_offset, TERM);
    }
    if (lf_batch_verify(lf_buf_bytes(payload), NULL, &batch, NULL) != LF_OK)
        return false;
    header->end_offset += (uint64_t)batch.record_count;
    return true;
}

static enum lf_status apply_whole(struct partition *partition, const struct lf_entry_header *header,
                                  struct lf_bytes payload, struct log_store_write *write, struct lf_error *error) {
    struct partition_applied applied = {0};
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload.size);
    lf_check(entry != NULL);
    if (payload.size > 0)
        memcpy(entry->data + LF_ENTRY_HEADER_BYTES, payload.data, payload.size);
    lf_entry_encode(header, 1, lf_bytes(entry->data + LF_ENTRY_HEADER_BYTES, payload.size), entry->data);
    enum lf_status status = partition_apply(partition, lf_buf_bytes(entry), write, &applied, error);
    lf_buf_unref(&entry);
    if (status == LF_OK)
        partition_check_invariants(partition);
    return status;
}

/** False: the machine stopped. */
static bool apply(struct machine *machine, const struct lf_entry_header *header, struct lf_bytes payload,
                  struct row_image *image) {
    struct log_store_write *write = log_store_write_new(1, 1);
    struct lf_error error = {0};
    enum lf_status status;
    lf_check(write != NULL);
    if (machine->metadata) {
        struct metadata_applied applied = {0};
        status = metadata_apply(machine->metadata, header, payload, write, &applied, &error);
    } else {
        status = partition_append(machine->partition, header, payload, &error);
        if (status == LF_OK)
            status = apply_whole(machine->partition, header, payload, write, &error);
    }
    lf_check(status == LF_OK || error.text[0] != '\0');
    if (status == LF_OK)
        row_image_write(image, write, header->index);
    else
        lf_check(write->row_count == 0 && write->hint_count == 0);
    log_store_write_destroy(&write);
    return status == LF_OK;
}

static bool entry_step(struct machine *machine, struct fuzz_input *input, struct row_image *image) {
    struct lf_entry_header header = {.type = fuzz_u8(input) % 13, .term = TERM, .replica_id = 1};
    uint8_t flags = fuzz_u8(input);
    header.flags = flags & LF_ENTRY_MUST_UNDERSTAND;
    header.index = machine->index + 1;
    header.log_time_ms = machine->log_time_ms + fuzz_u8(input);
    struct lf_buf *payload = lf_buf_copy(fuzz_sized(input));
    lf_check(payload != NULL);
    header.payload_bytes = payload->size;
    bool good = header.log_time_ms >= machine->log_time_ms && make_payload(machine, &header, flags, payload) &&
                apply(machine, &header, lf_buf_bytes(payload), image);
    if (good) {
        machine->index++;
        machine->log_time_ms = header.log_time_ms;
    }
    lf_buf_unref(&payload);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    bool group_zero = fuzz_u8(&input) & 1;
    struct machine machine = machine_new(group_zero), again = machine_new(group_zero);
    struct row_image image = {0};
    read_rows(&input, &image);
    if (machine_load(&machine, &image) == LF_OK) {
        bool running = true;
        for (int entries = 0; running && input.left > 0 && entries < ENTRIES_MAX; entries++)
            running = entry_step(&machine, &input, &image);
        lf_check(machine_load(&again, &image) == LF_OK);
        lf_check(machine_checksum(&again) == machine_checksum(&machine));
    }
    machine_destroy(&machine);
    machine_destroy(&again);
    row_image_deinit(&image);
    return 0;
}
