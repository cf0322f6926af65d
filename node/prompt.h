/*
 * prompt.h - a secret line from the person at the terminal, or from a pipe; never from the command line, which every
 * process of the machine may read.
 */
#ifndef NODE_PROMPT_H
#define NODE_PROMPT_H

#include "common/buf.h"

/* One line of stdin without its end, appended to out (its maximum bounds it).  On a terminal the question is put to stderr
 * and nothing typed is shown.  false: no line, or too long. */
bool prompt_secret(const char *question, struct buf *out);

#endif
