/** Checks that stay on in every build: for our own mistakes, never for those of users, peers or disks.
 *
 *  lf_check(condition): prints file, line and the condition to stderr, then aborts. No side effects inside.
 *  lf_checkf(condition, format, ...): the same with values (term, index) in the domain's words.
 *  The client library does not use these: it never aborts its host.
 */
#ifndef LF_CHECK_H
#define LF_CHECK_H

_Noreturn void lf_check_failed(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define lf_check(condition)                                                                                            \
    (__builtin_expect(!!(condition), 1) ? (void)0 : lf_check_failed(__FILE__, __LINE__, #condition, "%s", ""))

#define lf_checkf(condition, ...)                                                                                      \
    (__builtin_expect(!!(condition), 1) ? (void)0 : lf_check_failed(__FILE__, __LINE__, #condition, __VA_ARGS__))

#endif
