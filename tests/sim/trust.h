/*
 * trust.h - who is who in a world over time: certificates that run out and are renewed.
 *
 * In a world with config.life devices get certificates of so many minutes, and what they renew lasts as long: some run out while
 * a site is without a link or a machine is down.  Held: what has run out gets nothing and loses nothing; at rest everyone has one
 * that is good, given by the parent.  Only where clocks are right and all programs know of renewing: else some cannot.
 */
#ifndef TESTS_SIM_TRUST_H
#define TESTS_SIM_TRUST_H

#include "tests/sim/device.h"

void trust_config(struct config *c);
bool trust_able(const struct device *d); /* can its parent certify it now? */
/* Of a certificate that is made for a child. */
void trust_certify(struct device *d);
/* Its certificate and those above it as they were when it was given, without the root's. */
size_t trust_chain(const struct device *d, struct arena *a, struct span *ret);
int64_t trust_life_ms(const struct world *w); /* for replica_config; 0: the engine's */
/* A session of this device's link has begun, or ended, at the parent's side. */
void trust_session(struct conn *c, bool begins);
/* Before the rounds of rest: nobody runs out any more. */
struct sim;
bool trust_settle(struct sim *s);
void trust_check_rest(struct world *w);

#endif
