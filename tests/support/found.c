/*
 * found.c - see found.h.
 */
#include "common/base.h"

#include "tests/support/found.h"

#include "hub/root.h"

int found(struct place *p, const char *code, const char *name, uint8_t ret_unit[16])
{
	uint8_t seeds[2][32];
	struct root root, spare;
	struct root_answer answer = {.name = ""};
	struct buf request, text;
	struct error err = {0};
	bool renewed;
	int rc;

	env_random(seeds, sizeof(seeds));
	buf_init(&request, ROOT_TEXT_MAX);
	buf_init(&text, ROOT_TEXT_MAX);
	rc = root_make(seeds, env_wall_ms(), code, name, &root, &spare, &err);
	if (!rc) rc = root_request(p, &request, &err);
	if (!rc) rc = root_sign(&root, buf_cstr(&request), env_wall_ms(), 0, &text, &err);
	if (!rc) rc = root_answer_parse(buf_cstr(&text), &answer, &err);
	if (!rc) rc = root_take(p, &answer, &renewed, &err);
	memcpy(ret_unit, root.cert.unit, 16);
	root_answer_done(&answer);
	root_done(&root);
	root_done(&spare);
	buf_done(&request);
	buf_done(&text);
	return rc;
}
