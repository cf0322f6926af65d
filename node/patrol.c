/*
 * patrol.c - see patrol.h.
 */
#include "common/base.h"

#include "node/patrol.h"

#include "common/env.h"

enum {
	BUSY_MS = 60000, /* so long for a moment without frames */
	REST = 9,        /* times as long as the piece took */
	REST_MIN_MS = 20,
	LOOK_AGAIN_MS = 3600000 /* the wall clock may have been wrong */
};

bool patrol_due(const struct patrol *p, int64_t now_ms, bool idle)
{
	return now_ms >= p->due_ms && (idle || now_ms >= p->due_ms + BUSY_MS);
}

static int64_t at_most(int64_t ms, int64_t most)
{
	return ms < most ? ms : most;
}

/* Is a round due?  Else when to look again. */
static int begin(struct patrol *p, struct replica *r, int64_t wall_ms, uint32_t every_ms)
{
	int64_t last = 0;
	int rc = replica_audited(r, &last);

	if (rc) return rc;
	p->going = last == 0 || last > wall_ms || wall_ms - last >= every_ms;
	p->audit = (struct audit){0};
	if (!p->going)
		p->due_ms = env_boot_ms() + at_most(every_ms - (wall_ms - last), LOOK_AGAIN_MS);
	return 0;
}

int patrol_piece(struct patrol *p, struct replica *r, int64_t wall_ms, uint32_t every_ms)
{
	int64_t began = env_boot_ms(), now, rest;
	int rc = p->going ? 0 : begin(p, r, wall_ms, every_ms);

	if (!rc && !p->going) return 0;
	rc = rc ? rc : replica_audit_piece(r, &p->audit);
	now = env_boot_ms();
	rest = (now - began) * REST;
	p->due_ms = now + (rest > REST_MIN_MS ? rest : REST_MIN_MS);
	if (rc || p->audit.finished) {
		p->going = false;
		p->due_ms = now + at_most(every_ms, LOOK_AGAIN_MS);
	}
	return rc;
}
