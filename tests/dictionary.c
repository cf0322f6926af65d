/*
 * dictionary.c - trains the zstd dictionary of segment bodies: dictionary OUT DATABASE...
 *
 * `make dictionary` calls it with databases that deploy/generate filled (all tables that it knows, several
 * seeds).  What they recorded lies in their tails; it is cut into bodies of 1 to 30 transactions, which is where a
 * dictionary helps (at 1,000 it buys nothing), and some bodies of participations like those of the tests are
 * added.  A dictionary that has shipped never changes: a better one gets the next number.
 */
#include <zdict.h>

#include "common/base.h"

#include "common/buf.h"
#include "common/squeeze.h"
#include "common/store.h"
#include "proto/changeset.h"
#include "tests/support/changes.h"

enum {
	DICTIONARY_BYTES = 32 * 1024,
	SAMPLES_BYTES_MAX = 64 * 1024 * 1024,
	SAMPLES_MAX = 100000,
	PARTICIPATIONS = 1500, /* bodies */
	PARTICIPATIONS_SEED = 20260101,
	IDENTITY = 1 /* as common/squeeze.c names it */
};

struct samples {
	struct buf bytes;
	size_t lengths[SAMPLES_MAX];
	size_t count;
	struct dice dice;
};

static void add(struct samples *s, const struct changeset *cs, size_t count, const uint64_t *runs,
                size_t runs_count)
{
	size_t before = s->bytes.len;
	struct error err = {0};

	if (s->count == SAMPLES_MAX) return;
	if (body_encode(cs, count, runs, runs_count, &s->bytes, &err) < 0) {
		(void)fprintf(stderr, "a body is left out: %s\n", err.detail);
		s->bytes.len = before;
		return;
	}
	s->lengths[s->count++] = s->bytes.len - before;
}

/* Small bodies are what people at a site make in a sitting. */
static size_t few(struct samples *s)
{
	return 1 + dice_below(&s->dice, dice_below(&s->dice, 3) ? 12 : 30);
}

static void add_participations(struct samples *s)
{
	struct changes_origin o;
	struct changes_place place;
	struct arena a;

	arena_init(&a, 0);
	for (size_t i = 0; i < PARTICIPATIONS; i++) {
		size_t count = few(s);

		if (i % 20 == 0) {
			changes_origin(&s->dice, 1, &o);
			changes_place(&s->dice, &place);
		}
		add(s, changes_participation(&s->dice, &a, &o, &place, count), count, o.runs, 1);
		arena_reset(&a);
	}
	arena_done(&a);
}

/* An import is one transaction of many rows; people write a few at a time.  So the operations of a stream are taken
 * one by one, and some in a row make a body. */
static void add_tail(struct samples *s, struct arena *a, const struct tail_item *items,
                     const struct changeset *cs, size_t n)
{
	struct changeset *one;
	size_t ops = 0, count;

	for (size_t i = 0; i < n; i++) ops += cs[i].ops_count;
	one = ARENA_ARRAY(a, struct changeset, ops + 1);
	for (size_t i = 0; i < n; i += count) {
		size_t made = 0, from = 0;

		for (count = 0;
		     i + count < n && items[i + count].scope == items[i].scope &&
		     items[i + count].lane == items[i].lane && cs[i + count].run == cs[i].run;
		     count++)
			for (size_t k = 0; k < cs[i + count].ops_count; k++) {
				one[made] = cs[i + count];
				one[made].ops = &cs[i + count].ops[k];
				one[made].ops_count = 1;
				one[made].seq = made + 1;
				made++;
			}
		while (from < made) {
			size_t want = few(s);

			if (want > made - from) want = made - from;
			add(s, &one[from], want, &cs[i].run, 1);
			from += want;
		}
	}
}

static int add_database(struct samples *s, const char *path)
{
	struct store *st = NULL;
	struct tail_item *items;
	struct changeset *cs;
	struct error err = {0};
	struct arena a;
	size_t n = 0;
	int rc = store_open(path, &schema_current, STORE_READ_ONLY | STORE_LAZY, &st, &err);

	arena_init(&a, 0);
	if (rc == 0) rc = store_tail_all(st, &a, &items, &n);
	cs = ARENA_ARRAY(&a, struct changeset, n + 1);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = changeset_read(items[i].changeset, &a, &cs[i], &err);
	if (rc == 0) add_tail(s, &a, items, cs, n);
	if (rc < 0) (void)fprintf(stderr, "%s: %s\n", path, err.detail);
	arena_done(&a);
	store_close(st);
	return rc;
}

/* The trainer's choice of content, under our own number: a frame then names it in one byte. */
static size_t train(struct samples *s, void *out)
{
	static uint8_t raw[DICTIONARY_BYTES];
	ZDICT_params_t p = {.compressionLevel = SQUEEZE_SMALL_LEVEL, .dictID = IDENTITY};
	size_t len = ZDICT_trainFromBuffer(raw, sizeof(raw), s->bytes.p, s->lengths,
	                                   (unsigned)s->count),
	       head;

	if (ZDICT_isError(len)) return len;
	head = ZDICT_getDictHeaderSize(raw, len);
	if (ZDICT_isError(head)) return head;
	return ZDICT_finalizeDictionary(out, DICTIONARY_BYTES, raw + head, len - head, s->bytes.p,
	                                s->lengths, (unsigned)s->count, p);
}

int main(int argc, char **argv)
{
	static struct samples s;
	static uint8_t dictionary[DICTIONARY_BYTES];
	size_t len;
	FILE *f;
	int rc = 0;

	if (argc < 2) {
		(void)fprintf(stderr, "usage: dictionary OUT DATABASE...\n");
		return EXIT_USAGE;
	}
	buf_init(&s.bytes, SAMPLES_BYTES_MAX);
	s.dice.state = PARTICIPATIONS_SEED;
	for (int i = 2; i < argc && rc == 0; i++) rc = add_database(&s, argv[i]);
	if (rc < 0) return EXIT_STORAGE;
	add_participations(&s);
	len = train(&s, dictionary);
	if (ZDICT_isError(len)) {
		(void)fprintf(stderr, "dictionary: %s\n", ZDICT_getErrorName(len));
		return EXIT_UNEXPECTED;
	}
	f = fopen(argv[1], "wb");
	if (f == NULL || fwrite(dictionary, 1, len, f) != len || fclose(f) != 0) {
		perror(argv[1]);
		return EXIT_STORAGE;
	}
	(void)printf("%zu bodies, %zu bytes: dictionary %d of %zu bytes\n", s.count, s.bytes.len,
	             (int)IDENTITY, len);
	buf_done(&s.bytes);
	return EXIT_DONE;
}
