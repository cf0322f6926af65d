/*
 * base.h - the first include of every .c file: the C library, a few attributes,
 * and the functions we do not call.
 *
 * Poisoning comes after the library's own headers, so that only our code feels
 * it.  Time and randomness are poisoned too: they come from struct env, or the
 * simulator could not repeat a run.  common/env.c alone defines BASE_ALLOW_CLOCK.
 * A library header that uses a poisoned name inline (xlsxwriter.h does) is
 * included before this one, in the one file that uses that library.
 */
#ifndef COMMON_BASE_H
#define COMMON_BASE_H

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NODISCARD                  __attribute__((warn_unused_result))
#define PRINTF_LIKE(FORMAT, FIRST) __attribute__((format(printf, FORMAT, FIRST)))
#define ARRAY_COUNT(A)             (sizeof(A) / sizeof((A)[0]))

#undef sprintf /* macros under clang with _FORTIFY_SOURCE */
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy sprintf vsprintf strtok atoi atol atof
#pragma GCC poison gmtime localtime ctime asctime rand srand
#ifndef BASE_ALLOW_CLOCK
#pragma GCC poison time clock_gettime gettimeofday timespec_get getrandom arc4random
#pragma GCC poison sleep usleep nanosleep
#endif

#endif
