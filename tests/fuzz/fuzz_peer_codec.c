/** Frames from a peer: 2 bytes of size, little-endian, before each; the first is the header. What decodes must encode,
 * and decode again to as much. */
#include "lf_check.h"
#include "peer_codec.h"

#define FRAMES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t cut_frames(const uint8_t *data, size_t size, struct lf_buf *frames[FRAMES_MAX]) {
    size_t count = 0;
    while (size >= 2 && count < FRAMES_MAX) {
        size_t frame = lf_get_le16(data);
        data += 2, size -= 2;
        frame = frame < size ? frame : size;
        frames[count++] = lf_buf_copy(lf_bytes(data, frame));
        data += frame, size -= frame;
    }
    return count;
}

static void again(const struct peer_envelope *envelope) {
    struct peer_frames frames = {0};
    struct peer_envelope *second = NULL;
    enum lf_status encoded = peer_codec_encode(envelope, &frames);
    lf_check(encoded == LF_OK);
    enum lf_status decoded = peer_codec_decode(frames.frames, frames.count, &second, NULL);
    lf_check(decoded == LF_OK);
    lf_check(second->message_count == envelope->message_count);
    lf_check(second->entry_count == envelope->entry_count);
    peer_envelope_destroy(&second);
    peer_frames_deinit(&frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct lf_buf *frames[FRAMES_MAX];
    struct peer_envelope *envelope = NULL;
    struct lf_error error = {0};
    size_t count = cut_frames(data, size, frames);
    enum lf_status status = peer_codec_decode(frames, count, &envelope, &error);
    lf_check((status == LF_OK) == (envelope != NULL));
    lf_check(status == LF_OK || error.code == status);
    if (envelope)
        again(envelope);
    peer_envelope_destroy(&envelope);
    for (size_t i = 0; i < count; i++)
        lf_buf_unref(&frames[i]);
    return 0;
}
