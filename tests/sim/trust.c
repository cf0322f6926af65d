/*
 * trust.c - see trust.h.
 */
#include "common/base.h"

#include "tests/sim/trust.h"

#include "proto/engine.h"
#include "tests/sim/sim.h"

enum { MINUTE_MS = 60 * 1000, YEAR_MINUTES = 365 * 24 * 60, STREAM = 62 };

void trust_config(struct config *c)
{
	struct random rnd = random_stream(c->seed, STREAM);

	if (!random_chance(&rnd, 250)) return;
	if (c->skew > 0 || c->clock > 0 || c->speak > 0 || c->tiers == 1) return;
	c->life = random_chance(&rnd, 500) ? random_range(&rnd, 20, 90)
	                                   : random_range(&rnd, 1, 1 + c->hours) * 60;
}

int64_t trust_life_ms(const struct world *w)
{
	return w->config.life * MINUTE_MS;
}

bool trust_able(const struct device *d)
{
	const struct world *w = d->world;

	return w->config.life == 0 || d->parent == NULL || d->cert_bytes.len > 0 ||
	       replica_cert(d->parent->replica)->not_after_ms > w->now_ms + MINUTE_MS;
}

void trust_certify(struct device *d)
{
	struct world *w = d->world;

	if (w->config.life == 0 || d->parent == NULL) return;
	d->cert.not_before_ms = w->now_ms;
	d->cert.not_after_ms = w->now_ms + trust_life_ms(w);
	const struct cert *above = replica_cert(d->parent->replica);
	if (above->not_before_ms > d->cert.not_before_ms)
		d->cert.not_before_ms = above->not_before_ms;
	if (above->not_after_ms < d->cert.not_after_ms) d->cert.not_after_ms = above->not_after_ms;
	memcpy(d->cert.issuer, above->id, 16);
}

size_t trust_chain(const struct device *d, struct arena *a, struct span *ret)
{
	struct store *above = d->parent ? d->parent->keeper : NULL;
	struct cert_row *row = NULL;
	uint8_t id[16];
	size_t n = 0;

	ret[n++] = buf_span(&d->cert_bytes);
	memcpy(id, d->cert.issuer, 16);
	while (above && n < CERT_CHAIN_MAX && !store_cert_by_id(above, id, a, &row) &&
	       row != NULL && row->role != CERT_ROOT) {
		ret[n++] = row->body;
		memcpy(id, row->issuer, 16);
	}
	return n;
}

/* As the parent knows it. */
static bool runs_out(struct device *parent, const struct device *child)
{
	struct cert_row *row = NULL;
	struct arena a;
	bool out = false;

	arena_init(&a, 0);
	if (!store_cert_by_origin(parent->keeper, child->identity.origin, &a, &row) &&
	    row != NULL) {
		out = row->not_after_ms < parent->world->now_ms;
	}
	arena_done(&a);
	return out;
}

void trust_session(struct conn *c, bool begins)
{
	struct device *parent = c->ends[SIDE_PARENT].device, *child = c->ends[SIDE_CHILD].device;
	struct world *w = parent->world;
	const struct cert *own = parent->replica ? replica_cert(parent->replica) : NULL;

	if (w->config.life == 0 || own == NULL || w->failed_rule[0] != '\0') return;
	if (parent->dying || store_in_transaction(parent->store))
		return; /* it dies in the middle of one */
	bool out = runs_out(parent, child) && own->not_after_ms >= w->now_ms + 10 * MINUTE_MS;
	if (begins) {
		c->out_from_begin = out;
		if (out) REACHED(w, CERT_OUT);
		return;
	}
	/* It had run out when the session began and was not renewed in it: it got nothing. */
	if (out && c->out_from_begin && c->ends[SIDE_PARENT].last.entries_out > 0)
		world_fail(w, "run-out",
		           "%s sent %" PRId64 " entries to %s, whose certificate has run out",
		           parent->label, c->ends[SIDE_PARENT].last.entries_out, child->label);
}

bool trust_settle(struct sim *s)
{
	struct world *w = &s->world;

	if (w->config.life == 0) return true;
	/* All that is there now runs out; what is renewed from here on lasts. */
	if (!sim_until(s, w->now_ms + 2 * trust_life_ms(w))) return false;
	w->config.life = YEAR_MINUTES;
	for (size_t i = 0; i < w->devices_count; i++)
		if (w->devices[i]->replica != NULL)
			w->devices[i]->replica->cert_life_ms = trust_life_ms(w);
	return true;
}

void trust_check_rest(struct world *w)
{
	for (size_t i = 0; i < w->devices_count && w->config.life > 0; i++) {
		struct device *d = w->devices[i];
		const struct cert *own = d->replica ? replica_cert(d->replica) : NULL;

		if (own == NULL || d->parent == NULL || !d->alive || device_forsaken(d)) continue;
		if (own->not_after_ms < w->now_ms ||
		    !replica_is_own(d->parent->replica, own->issuer))
			world_fail(w, "renewal",
			           "%s rests with a certificate that has run out, "
			           "or that its parent did not give",
			           d->label);
	}
}
