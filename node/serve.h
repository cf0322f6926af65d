/*
 * serve.h - `run`, shared by node and hub: the reactor in the foreground, its notes to stderr.
 */
#ifndef NODE_SERVE_H
#define NODE_SERVE_H

#include "node/command.h"
#include "node/reactor.h"

/* The place is open and owns the links.  strangers: hubs; NULL.  Returns when a signal ends it. */
int serve_run(struct call *c, const struct reactor_strangers *strangers);

/* The node's own: a hub has neither. */
extern const struct command commands_node[], commands_case[];

#endif
