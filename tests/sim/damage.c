/*
 * damage.c - see damage.h.
 */
#include "common/base.h"

#include "tests/sim/damage.h"

void damage_check_sound(struct world *w, struct device *d)
{
	struct buf report;
	struct audit x = {.look = true, .report = &report};
	int rc = 0;

	if (d->replica == NULL) return;
	buf_init(&report, 1 << 20);
	while (rc == 0 && !x.finished) rc = replica_audit(d->replica, &x);
	if (rc < 0)
		world_fail(w, "audit", "%s: audit: %d %s", d->label, rc,
		           replica_error(d->replica)->detail);
	else if (x.found > 0)
		world_fail(w, "audit", "%s: %" PRId64 " findings: %.300s", d->label, x.found,
		           buf_cstr(&report));
	buf_done(&report);
}
