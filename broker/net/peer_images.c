#include "peer_images.h"

#include <stdlib.h>
#include <string.h>

/* ---- to the wire ------------------------------------------------------------------------------------------------- */

static bool form_page(struct image_form *form, const struct image_message *image) {
    form->page = (Lf__ImagePage)LF__IMAGE_PAGE__INIT;
    form->page.image = image->image;
    form->page.session = image->session;
    form->page.entry_term = image->page.entry_term;
    form->page.base_index = image->page.base_index;
    form->page.base_term = image->page.base_term;
    form->page.configuration_index = image->page.configuration_index;
    form->page.configuration =
        (ProtobufCBinaryData){image->page.configuration_bytes, (uint8_t *)(uintptr_t)image->page.configuration};
    form->page.page = image->page.page;
    form->page.page_count = image->page.page_count;
    form->segments = malloc(image->page.segment_count * LOG_SEGMENT_BYTES + 1);
    form->rows = malloc((image->page.row_count + 1) * sizeof *form->rows);
    form->row_pointers = malloc((image->page.row_count + 1) * sizeof(Lf__ImageRow *));
    if (!form->segments || !form->rows || !form->row_pointers)
        return false;
    for (size_t i = 0; i < image->page.segment_count; i++)
        log_segment_encode(&image->page.segments[i], form->segments + i * LOG_SEGMENT_BYTES);
    form->page.segments = (ProtobufCBinaryData){image->page.segment_count * LOG_SEGMENT_BYTES, form->segments};
    for (size_t i = 0; i < image->page.row_count; i++) {
        const struct log_store_row *row = &image->page.rows[i];
        form->rows[i] = (Lf__ImageRow)LF__IMAGE_ROW__INIT;
        form->rows[i].key = (ProtobufCBinaryData){row->key.size, (uint8_t *)(uintptr_t)row->key.data};
        form->rows[i].value = (ProtobufCBinaryData){row->value.size, (uint8_t *)(uintptr_t)row->value.data};
        form->row_pointers[i] = &form->rows[i];
    }
    form->page.rows = form->row_pointers;
    form->page.n_rows = image->page.row_count;
    return true;
}

bool image_form_form(struct image_form *form, const struct image_message *image, Lf__PeerMessage *wire) {
    switch (image->kind) {
    case IMAGE_PULL:
        form->pull = (Lf__ImagePull)LF__IMAGE_PULL__INIT;
        form->pull.image = image->image;
        form->pull.session = image->session;
        form->pull.page = image->pull.page;
        form->pull.first_index = image->pull.first_index;
        form->pull.last_index = image->pull.last_index;
        form->pull.from_index = image->pull.from_index;
        form->pull.credit_bytes = image->pull.credit_bytes;
        wire->body_case = LF__PEER_MESSAGE__BODY_IMAGE_PULL;
        wire->image_pull = &form->pull;
        return true;
    case IMAGE_PAGE:
        wire->body_case = LF__PEER_MESSAGE__BODY_IMAGE_PAGE;
        wire->image_page = &form->page;
        return form_page(form, image);
    case IMAGE_PIECE:
        form->piece = (Lf__ImagePiece)LF__IMAGE_PIECE__INIT;
        form->piece.image = image->image;
        form->piece.session = image->session;
        form->piece.sequence = image->piece.sequence;
        form->piece.first_index = image->piece.first_index;
        form->piece.last_index = image->piece.last_index;
        form->piece.count = image->piece.count;
        form->piece.last = image->piece.last;
        form->piece.gone = image->piece.gone;
        wire->body_case = LF__PEER_MESSAGE__BODY_IMAGE_PIECE;
        wire->image_piece = &form->piece;
        return true;
    }
    return false;
}

void image_form_deinit(struct image_form *form) {
    free(form->rows);
    free(form->row_pointers);
    free(form->segments);
}

/* ---- from the wire ----------------------------------------------------------------------------------------------- */

static enum lf_status malformed(struct lf_error *error, const char *what) {
    return lf_error_set(error, LF_MALFORMED, "peer message: image: %s", what);
}

static bool bounded(const uint64_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (numbers[i] >= PEER_CODEC_NUMBER_LIMIT)
            return false;
    return true;
}
#define BOUNDED(...)                                                                                                   \
    bounded((const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static enum lf_status take_pull(const Lf__ImagePull *wire, struct image_message *image, struct lf_error *error) {
    if (!BOUNDED(wire->image, wire->session, wire->first_index, wire->last_index, wire->from_index, wire->credit_bytes))
        return malformed(error, "a number is out of bounds");
    if (wire->first_index != 0 && (wire->image == 0 || wire->from_index < wire->first_index ||
                                   wire->from_index > wire->last_index || wire->last_index > wire->image))
        return malformed(error, "a range that is none");
    image->image = wire->image;
    image->session = wire->session;
    image->pull.page = wire->page;
    image->pull.first_index = wire->first_index;
    image->pull.last_index = wire->last_index;
    image->pull.from_index = wire->from_index;
    image->pull.credit_bytes = wire->credit_bytes;
    return LF_OK;
}

static enum lf_status take_segments(const ProtobufCBinaryData *wire, struct log_segment *segments,
                                    struct lf_error *error) {
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < wire->len / LOG_SEGMENT_BYTES; i++) {
        status =
            log_segment_decode(lf_bytes(wire->data + i * LOG_SEGMENT_BYTES, LOG_SEGMENT_BYTES), &segments[i], error);
        if (status == LF_DAMAGED)
            status = malformed(error, "a segment that is none");
    }
    return status;
}

static enum lf_status take_page(const Lf__ImagePage *wire, struct image_message *image, struct lf_error *error) {
    if (!BOUNDED(wire->image, wire->session, wire->entry_term, wire->configuration_index, wire->base_index,
                 wire->base_term))
        return malformed(error, "a number is out of bounds");
    if (wire->image == 0 || wire->base_index > wire->image || wire->page >= wire->page_count ||
        wire->configuration_index > wire->image || wire->segments.len % LOG_SEGMENT_BYTES != 0 ||
        wire->configuration.len > IMAGE_CONFIGURATION_BYTES_MAX)
        return malformed(error, "a page that is none");
    size_t segment_count = wire->segments.len / LOG_SEGMENT_BYTES;
    if (segment_count > IMAGE_PAGE_SEGMENTS_MAX || wire->n_rows > IMAGE_PAGE_ROWS_MAX)
        return lf_error_set(error, LF_TOO_LARGE, "peer message: image: %zu segments, %zu rows", segment_count,
                            wire->n_rows);
    image->image = wire->image;
    image->session = wire->session;
    image->page.entry_term = wire->entry_term;
    image->page.base_index = wire->base_index;
    image->page.base_term = wire->base_term;
    image->page.configuration_index = wire->configuration_index;
    image->page.configuration_bytes = (uint32_t)wire->configuration.len;
    if (wire->configuration.len > 0)
        memcpy(image->page.configuration, wire->configuration.data, wire->configuration.len);
    image->page.page = wire->page;
    image->page.page_count = wire->page_count;
    struct log_segment *segments = malloc((segment_count + 1) * sizeof *segments);
    struct log_store_row *rows = malloc((wire->n_rows + 1) * sizeof *rows);
    enum lf_status status = segments && rows ? take_segments(&wire->segments, segments, error)
                                             : lf_error_set(error, LF_NO_MEMORY, "peer message: no memory");
    for (size_t i = 0; status == LF_OK && i < wire->n_rows; i++) {
        const Lf__ImageRow *row = wire->rows[i];
        if (row->key.len == 0 || row->key.len > LOG_STORE_ROW_KEY_BYTES_MAX || row->value.len > IMAGE_ROW_BYTES_MAX)
            status = malformed(error, "a row that is none");
        rows[i] =
            (struct log_store_row){lf_bytes(row->key.data, row->key.len), lf_bytes(row->value.data, row->value.len)};
    }
    if (status == LF_OK)
        status = peer_image_fill_page(image, segments, segment_count, rows, wire->n_rows);
    free(segments);
    free(rows);
    return status;
}

static enum lf_status take_piece(const Lf__ImagePiece *wire, struct image_message *image, struct lf_error *error) {
    if (!BOUNDED(wire->image, wire->session, wire->sequence, wire->first_index, wire->last_index))
        return malformed(error, "a number is out of bounds");
    if (wire->gone && wire->count > 0)
        return malformed(error, "entries of what is gone");
    image->image = wire->image;
    image->session = wire->session;
    image->piece.sequence = wire->sequence;
    image->piece.first_index = wire->first_index;
    image->piece.last_index = wire->last_index;
    image->piece.count = wire->count;
    image->piece.last = wire->last;
    image->piece.gone = wire->gone;
    return LF_OK;
}

static enum image_kind kind_of(const Lf__PeerMessage *wire) {
    switch (wire->body_case) {
    case LF__PEER_MESSAGE__BODY_IMAGE_PULL:
        return IMAGE_PULL;
    case LF__PEER_MESSAGE__BODY_IMAGE_PAGE:
        return IMAGE_PAGE;
    case LF__PEER_MESSAGE__BODY_IMAGE_PIECE:
        return IMAGE_PIECE;
    default:
        return 0;
    }
}

enum lf_status peer_image_take(const Lf__PeerMessage *wire, struct image_message **out, struct lf_error *error) {
    enum image_kind kind = kind_of(wire);
    enum lf_status status = LF_OK;
    *out = NULL;
    if (kind == 0)
        return LF_OK;
    struct image_message *image = peer_image_new(kind);
    if (!image)
        return lf_error_set(error, LF_NO_MEMORY, "peer message: no memory");
    if (kind == IMAGE_PULL)
        status = take_pull(wire->image_pull, image, error);
    else if (kind == IMAGE_PAGE)
        status = take_page(wire->image_page, image, error);
    else
        status = take_piece(wire->image_piece, image, error);
    if (status != LF_OK)
        peer_image_destroy(&image);
    *out = image;
    return status;
}
