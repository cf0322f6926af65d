/*
 * cmd_survive.c - survive: of two copies of a hub, this one.
 */
#include "common/base.h"

#include "hub/commands.h"

#include "common/ident.h"
#include "proto/copies.h"

static int run_survive(struct call *c)
{
	struct own_copies own;
	char hex[40];
	int rc = call_open(c, 0);

	if (rc) return rc;
	if (!replica_is_hub(c->replica))
		return error_set(&c->error, ERR_NOT_JOINED, NULL,
		                 "this hub has no certificate yet");
	if (!call_ask(c, WORD_SURVIVE_ASK))
		return error_set(&c->error, ERR_MISSING_OPTION, "yes",
		                 "--yes: the other copy is refused from then on");
	rc = call_begin(c);
	if (rc) return rc;
	rc = replica_survive(c->replica);
	rc = rc ? rc : replica_own_copies(c->replica, &own);
	if (rc) return call_undo(c, rc);
	rc = call_commit(c);
	if (rc) return rc;
	if (!c->json) {
		call_say_text(c, word_text(c->language, WORD_SURVIVE_DONE));
		return 0;
	}
	json_t *j = json_object();
	(void)snprintf(hex, sizeof hex, "%016" PRIx64, replica_run(c->replica));
	json_object_set_new(j, "run", json_string(hex));
	(void)snprintf(hex, sizeof hex, "%016" PRIx64, own.survivor);
	json_object_set_new(j, "survivor", json_string(hex));
	call_json(c, j);
	return 0;
}

const struct command commands_survive[] = {
        {.name = "survive",
         .trail = TRAIL_WRITE,
         .may = MAY_MANAGE,
         .zh = "本级有两份在运行时,选定这一份;上下级从此拒绝另一份。",
         .en = "Where two copies of this hub run: this one is to stay, the other is refused.",
         .examples = "survive --dir hub\nsurvive --yes --dir hub",
         .args_min = 0,
         .args_max = 0,
         .run = run_survive},
        {.name = NULL},
};
