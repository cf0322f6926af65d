/*
 * found.h - the top of a tree for suites in C: root, request, answer and taking it, in one call.
 */
#ifndef TESTS_SUPPORT_FOUND_H
#define TESTS_SUPPORT_FOUND_H

#include "node/place.h"

/* 0 or -ERR_x; ret_unit: id of the unit's row. */
int found(struct place *p, const char *code, const char *name, uint8_t ret_unit[16]);

#endif
