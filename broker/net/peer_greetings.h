/** Greetings and reports of an envelope <-> protocol/peer.proto. Used by peer_encode.c and peer_decode.c only. */
#ifndef PEER_GREETINGS_H
#define PEER_GREETINGS_H

#include "peer.pb-c.h"
#include "peer_codec.h"

/** The wire form of a greeting; points into itself and into the greeting. */
struct greeting_form {
    Lf__PeerGreeting wire;
    Lf__PeerMember self, members[PEER_MEMBERS_MAX];
    Lf__PeerMember *pointers[PEER_MEMBERS_MAX];
};
void greeting_form_form(struct greeting_form *form, const struct peer_greeting *greeting);

/** The wire form of an envelope's reports; zero-initialised is empty. */
struct report_forms {
    Lf__PeerReport *reports;
    Lf__PeerReport **pointers;
    size_t count;
};
/** False without memory (may be deinited all the same). */
bool report_forms_form(struct report_forms *forms, const struct peer_envelope *envelope);
void report_forms_deinit(struct report_forms *forms);

/** Add what the wire says to the envelope. LF_MALFORMED, LF_TOO_LARGE, LF_NO_MEMORY in words in `error` (may be NULL).
 *  A refusal of a kind that only newer versions know counts as NOT_ADDED; a report of such a kind is skipped. */
enum lf_status peer_greeting_take(const Lf__PeerGreeting *wire, struct peer_envelope *envelope, struct lf_error *error);
enum lf_status peer_reports_take(const Lf__PeerEnvelope *wire, struct peer_envelope *envelope, struct lf_error *error);

#endif
