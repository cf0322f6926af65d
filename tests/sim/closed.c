/*
 * closed.c - see closed.h.
 */
#include "common/base.h"

#include "tests/sim/closed.h"

#include "tests/sim/workload.h"

enum { CONFIG_STREAM = 6410 };

int64_t closed_config(uint64_t seed)
{
	struct random rnd = random_stream(seed, CONFIG_STREAM);

	return random_chance(&rnd, 350);
}

int closed_give(struct device *d, struct store *st)
{
	struct world *w = d->world;
	uint8_t key[32], salt[32];
	int rc;

	if (w->config.closed == 0) return 0;
	w->keys_given++; /* no two connections may share a salt */
	hash_of(span_of(&w->config.seed, sizeof(w->config.seed)), key, sizeof(key));
	hash_of(span_of(&w->keys_given, sizeof(w->keys_given)), salt, sizeof(salt));
	rc = store_rest(st, key, salt);
	if (rc != 0) d->err = *store_error(st);
	return rc;
}

/* The one text of the small tables whose field is of tier T3 is the mark and a large number; others have words between. */
static bool says(const uint8_t *p, size_t len)
{
	const size_t mark = strlen(CANARY " "), digits = 5;

	for (size_t i = 0; i + mark + digits <= len; i++) {
		size_t n = 0;

		if (p[i] != CANARY[0] || memcmp(p + i, CANARY " ", mark) != 0) continue;
		while (n < digits && p[i + mark + n] >= '0' && p[i + mark + n] <= '9') n++;
		if (n == digits) return true;
	}
	return false;
}

static void check(struct world *w, struct device *d)
{
	char path[96];
	struct error err = {0};
	uint8_t *bytes = NULL;
	long len = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/dev/shm/jinguo-closed-%ld-%u.db", (long)getpid(),
	               d->number);
	(void)unlink(path);
	if (store_backup(d->keeper, path, &err) < 0) {
		world_fail(w, "closed", "%s: backup: %s", d->label, err.detail);
		return;
	}
	f = fopen(path, "rb");
	if (f != NULL && fseek(f, 0, SEEK_END) == 0) len = ftell(f);
	if (len > 0 && fseek(f, 0, SEEK_SET) == 0) {
		bytes = mem_alloc((size_t)len);
		if (fread(bytes, 1, (size_t)len, f) == (size_t)len && says(bytes, (size_t)len))
			world_fail(w, "closed", "%s: what is private lies open in its database",
			           d->label);
		REACHED(w, CLOSED_FILE);
	}
	free(bytes);
	if (f != NULL) (void)fclose(f);
	(void)unlink(path);
}

void closed_check_rest(struct world *w)
{
	for (size_t i = 0; i < w->devices_count && w->config.closed != 0; i++)
		if (w->devices[i]->alive && w->devices[i]->keeper != NULL) check(w, w->devices[i]);
}
