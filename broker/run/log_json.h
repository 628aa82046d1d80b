/** A line of ours as one JSON object. Pure.
 *
 *  `node=2 term=7 grant vote to=3 (log equal 41^6)` becomes
 *  `{"time":"...","level":"info","node":2,"term":7,"message":"grant vote to=3 (log equal 41^6)","to":3}`: fields in
 *  front of the words are members; words are the message; fields among the words are in it and members too. A name
 *  counts once. Whole numbers of up to 15 digits are numbers, all else is text. Bytes that are no UTF-8 become '?'.
 */
#ifndef LOG_JSON_H
#define LOG_JSON_H

#include <stddef.h>

/** Members besides time, level and message; more stay in the message alone. */
#define LOG_JSON_MEMBERS_MAX 48

/** Writes it and a newline to out; returns the size, at most `size`. What does not fit is left out, the message first
 * cut short; what is written is always valid JSON. size: at least 256. */
size_t log_json(char *out, size_t size, const char *time, const char *level, const char *line);

#endif
