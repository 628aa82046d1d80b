/** Entries in words. Commands are printed by what their messages are made of, so that a new one needs nothing here. */
#include "store_tool.h"

#include "lf_entry.h"
#include "metadata.pb-c.h"
#include "raft_log.pb-c.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct words {
    char *text;
    size_t size, used;
};

static void add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct words *words, const char *format, ...) {
    va_list args;
    if (words->used >= words->size)
        return;
    va_start(args, format);
    int length = vsnprintf(words->text + words->used, words->size - words->used, format, args);
    va_end(args);
    words->used += length > 0 ? (size_t)length : 0;
}

const char *entry_type_name(uint8_t type) {
    static const char *const names[] = {[LF_ENTRY_NOOP] = "noop",
                                        [LF_ENTRY_CONFIGURATION] = "configuration",
                                        [LF_ENTRY_BATCH] = "batch",
                                        [LF_ENTRY_METADATA] = "metadata",
                                        [LF_ENTRY_LEVEL] = "level",
                                        [LF_ENTRY_PRODUCER] = "producer",
                                        [LF_ENTRY_SEGMENT_ROLL] = "roll",
                                        [LF_ENTRY_LOG_START] = "log_start",
                                        [LF_ENTRY_REWRITE] = "rewrite",
                                        [LF_ENTRY_REWRITTEN] = "rewritten",
                                        [LF_ENTRY_OFFSET_JUMP] = "offset_jump"};
    return type < sizeof names / sizeof *names && names[type] ? names[type] : "unknown";
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static void message_words(struct words *words, const ProtobufCMessage *message);

static void bytes_words(struct words *words, const ProtobufCBinaryData *bytes) {
    for (size_t i = 0; i < bytes->len && i < 32; i++)
        add(words, "%02x", bytes->data[i]);
}

static void value_words(struct words *words, const ProtobufCFieldDescriptor *field, const void *value) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        add(words, "\"%.256s\"", *(const char *const *)value ? *(const char *const *)value : "");
        return;
    case PROTOBUF_C_TYPE_BYTES:
        bytes_words(words, value);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        add(words, "(");
        message_words(words, *(const ProtobufCMessage *const *)value);
        add(words, ")");
        return;
    case PROTOBUF_C_TYPE_BOOL:
        add(words, "%s", *(const protobuf_c_boolean *)value ? "yes" : "no");
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        add(words, "%" PRId64, *(const int64_t *)value);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        add(words, "%" PRIu64, *(const uint64_t *)value);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        add(words, "%" PRIu32, *(const uint32_t *)value);
        return;
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumValue *named = protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)value);
        add(words, "%s", named ? named->name : "?");
        return;
    }
    default:
        add(words, "%" PRId32, *(const int32_t *)value);
    }
}

static size_t value_bytes(const ProtobufCFieldDescriptor *field) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return 8;
    default:
        return 4;
    }
}

/** Not what proto3 leaves out. */
static bool is_set(const ProtobufCFieldDescriptor *field, const char *base) {
    static const uint8_t zeroes[sizeof(ProtobufCBinaryData)];
    const void *value = base + field->offset;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)(const void *)(base + field->quantifier_offset) == field->id;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(const void *const *)value != NULL;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return *(const char *const *)value && (*(const char *const *)value)[0];
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)value)->len > 0;
    return memcmp(value, zeroes, value_bytes(field)) != 0;
}

static void message_words(struct words *words, const ProtobufCMessage *message) {
    const char *base = (const char *)message, *between = "";
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
            const char *items = *(const char *const *)(const void *)(base + field->offset);
            if (count > 0)
                add(words, "%s%s=[", between, field->name);
            for (size_t k = 0; k < count; k++) {
                add(words, "%s", k ? "," : "");
                value_words(words, field, items + k * value_bytes(field));
            }
            if (count > 0) {
                add(words, "]");
                between = " ";
            }
        } else if (is_set(field, base)) {
            add(words, "%s%s=", between, field->name);
            value_words(words, field, base + field->offset);
            between = " ";
        }
    }
}

static void packed_words(struct words *words, const ProtobufCMessageDescriptor *descriptor, struct lf_bytes payload) {
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, NULL, payload.size, payload.data);
    if (message)
        message_words(words, message);
    else
        add(words, "(%zu bytes that cannot be read)", payload.size);
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

/* ---- batches ---------------------------------------------------------------------------------------------------- */

static void batch_words(struct words *words, struct lf_bytes payload) {
    struct lf_batch_header batch;
    if (lf_batch_header_decode(payload, &batch) != LF_OK) {
        add(words, "(%zu bytes that cannot be read)", payload.size);
        return;
    }
    unsigned codec = batch.attributes & 7;
    add(words,
        "offsets=%" PRId64 "..%" PRId64 " records=%" PRId32 " bytes=%zu epoch=%" PRId32 " timestamps=%" PRId64
        "..%" PRId64,
        batch.base_offset, batch.base_offset + batch.last_offset_delta, batch.record_count, payload.size,
        batch.leader_epoch, batch.base_timestamp_ms, batch.max_timestamp_ms);
    if (codec != LF_CODEC_NONE)
        add(words, " codec=%s", codec == LF_CODEC_LZ4 ? "lz4" : codec == LF_CODEC_ZSTD ? "zstd" : "?");
    if (batch.producer_id >= 0)
        add(words, " producer=%" PRId64 "/%d sequence=%" PRId32, batch.producer_id, batch.producer_epoch,
            batch.base_sequence);
}

void entry_words(struct lf_bytes payload, uint8_t type, char *text, size_t size) {
    static const ProtobufCMessageDescriptor *const messages[] = {
        [LF_ENTRY_CONFIGURATION] = &lf__configuration_entry__descriptor,
        [LF_ENTRY_METADATA] = &lf__metadata_command__descriptor,
        [LF_ENTRY_PRODUCER] = &lf__producer_entry__descriptor,
        [LF_ENTRY_LOG_START] = &lf__log_start_entry__descriptor,
        [LF_ENTRY_REWRITE] = &lf__rewrite_entry__descriptor,
        [LF_ENTRY_REWRITTEN] = &lf__rewritten_entry__descriptor,
        [LF_ENTRY_OFFSET_JUMP] = &lf__offset_jump_entry__descriptor};
    struct words words = {.text = text, .size = size};
    text[0] = '\0';
    if (type == LF_ENTRY_BATCH)
        batch_words(&words, payload);
    else if (type < sizeof messages / sizeof *messages && messages[type])
        packed_words(&words, messages[type], payload);
    else if (payload.size > 0)
        add(&words, "(%zu bytes)", payload.size);
}
