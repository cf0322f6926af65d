/*
 * squeeze.h - zstd, with the dictionaries named by id that ship with the program (0: none).
 */
#ifndef COMMON_SQUEEZE_H
#define COMMON_SQUEEZE_H

#include "common/buf.h"

enum {
	SQUEEZE_LEVEL = 1, /* measured: 3 buys 2 %, 9 and more is not worth it */
	/* Measured: a dictionary saves 31 % of a message of 10 rows at level 1, 39 % at 12, nothing at 1,000 rows. */
	SQUEEZE_SMALL = 32 * 1024,
	SQUEEZE_SMALL_LEVEL = 12
};

/* Appends the compressed form of `in` to out.  0, or -1 when out is full. */
int squeeze(struct span in, uint32_t dictionary, struct buf *out);
/* Appends the plain form; refuses (-1) anything that is not one whole frame or that would pass
 * bytes_max, before taking memory for it. */
int unsqueeze(struct span in, uint32_t dictionary, size_t bytes_max, struct buf *out);
uint32_t squeeze_dictionary(size_t plain_bytes); /* the one to use for a text of this length */
bool squeeze_knows(uint32_t dictionary);

#endif
