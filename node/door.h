/*
 * door.h - the listening socket of a hub, shut before the descriptors are gone.
 *
 * libzmq 4.3.4 spins while somebody stands in the door whom it cannot take in for want of a descriptor (measured: a core for its
 * own thread, and one for the reports of it).  So a doorman, a thread of its own, counts the descriptors whenever callers come,
 * and shuts the door while a tenth is left.  A crowd may be faster than he is, and take the last one: then he takes in those
 * who still stand there and lets them go, until nobody does.  He has a table of descriptors of his own (unshare), so that he
 * always has one to do that with, which libzmq cannot take from him; and no transaction keeps him from it.
 * Who was let go comes again by himself; who is in stays in.
 */
#ifndef NODE_DOOR_H
#define NODE_DOOR_H

#include "common/error.h"

struct door;

/* tcp://ADDRESS:PORT, PORT may be *.  -ERR_CONFIG when it cannot be bound.  descriptors_max: of this process. */
int door_open(const char *endpoint, uint32_t descriptors_max, struct door **ret, struct error *err);
/* The listening descriptor, for ZMQ_USE_FD.  Whoever binds it closes it, after door_close. */
int door_descriptor(const struct door *d);
/* False while it is shut: from 90 % of the descriptors on, until below 80 %. */
bool door_accepting(const struct door *d);
void door_close(struct door *d); /* ends the doorman; accepts NULL */

#endif
