/*
 * scratch.h - a directory of a test's own, for as long as it runs.
 */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#include <stddef.h>

/* A new, empty one: BASE/jinguo-NAME-(six letters); its path goes to ret, of ret_bytes.  Ends the program where none is to be had. */
void scratch_make(const char *base, const char *name, char *ret, size_t ret_bytes);
/* With all that is in it.  0, or -1: something stays. */
int scratch_remove(const char *dir);

#endif
