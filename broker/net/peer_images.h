/** Messages about images <-> their wire form. Shared by the two halves of the codec only. */
#ifndef PEER_IMAGES_H
#define PEER_IMAGES_H

#include "peer.pb-c.h"
#include "peer_codec.h"

struct image_form {
    union {
        Lf__ImagePull pull;
        Lf__ImagePage page;
        Lf__ImagePiece piece;
    };
    Lf__ImageRow *rows;
    Lf__ImageRow **row_pointers;
    uint8_t *segments;
};

/** Borrows the image; sets the body of `wire`. False without memory; deinit in any case. */
bool image_form_form(struct image_form *form, const struct image_message *image, Lf__PeerMessage *wire);
void image_form_deinit(struct image_form *form);

/** The body, if it is about an image: *image (caller destroys), else NULL. LF_MALFORMED, LF_TOO_LARGE, LF_NO_MEMORY. */
enum lf_status peer_image_take(const Lf__PeerMessage *wire, struct image_message **image, struct lf_error *error);

#endif
