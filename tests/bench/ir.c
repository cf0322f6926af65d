/*
 * ir.c - instructions, by callgrind: one-column updates of random rows through append's successor, apply, against a plain
 * UPDATE by key of the same rows; rows that count in figures against the same rows that do not.
 *
 *     ir            runs itself under valgrind once for each piece and prints the ratios
 *     ir PIECE      the piece alone: what lies in measured() is counted
 */
#include <sqlite3.h>

#include "common/base.h"

#include "tests/bench/bench.h"

enum { SITES = 10, ROWS = 1000 };

static struct machine hub;
static struct plain plain;
static struct sites s;
static struct batch made[SITES], edits[SITES];

__attribute__((noinline)) static void measured(bool of_hub)
{
	if (of_hub) {
		hub_apply(&hub);
		return;
	}
	if (sqlite3_exec(plain.db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) abort();
	for (size_t i = 0; i < SITES; i++)
		for (size_t k = 0; k < ROWS; k++) {
			const struct op *op = &edits[i].cs[k].ops[0];

			sqlite3_bind_blob(plain.update, 1, op->row, 16, SQLITE_STATIC);
			sqlite3_bind_int64(plain.update, 2, op->values[0].value.i);
			if (sqlite3_step(plain.update) != SQLITE_DONE) abort();
			sqlite3_reset(plain.update);
		}
	if (sqlite3_exec(plain.db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) abort();
}

/* Site i edits rows at random of those that it made, or each of them once: one column, alive, which alone may change in a
 * once table. */
static void edits_make(struct arena *a, bool once)
{
	for (size_t i = 0; i < SITES; i++) {
		struct changeset *cs = ARENA_ARRAY(a, struct changeset, ROWS);

		for (size_t k = 0; k < ROWS; k++) {
			struct op *op = arena_take(a, sizeof(*op));

			cs[k] = made[i].cs[k];
			cs[k].ops = op;
			op->kind = OP_UPDATE;
			op->table = TABLE_PARTICIPATION;
			s.sites[i].place.now_ms += 5000;
			op->stamp = s.sites[i].place.now_ms << 12;
			memcpy(op->row,
			       made[i].cs[once ? k * 617 % ROWS : dice_below(&s.dice, ROWS)]
			               .ops[0]
			               .row,
			       16);
			op->slots = 1;
			op->values = ARENA_ARRAY(a, struct field_value, 1);
			op->values[0] = (struct field_value){0, value_int(1)};
			op->values_count = 1;
		}
		sites_seal(&s, i, cs, ROWS, &edits[i]);
	}
}

static void piece(const char *name)
{
	static const uint8_t unit[16] = {9};
	struct arena a;
	bool figures = !strcmp(name, "figures"), silent = !strcmp(name, "silent");

	arena_init(&a, 0);
	machine_open(&hub, "hub", NULL, unit);
	sites_open(&s, &hub, SITES, 7);
	plain_open(&plain, "plain");
	for (size_t i = 0; i < SITES; i++) {
		struct changeset *cs = sites_rows(&s, i, ROWS, &a);

		/* hstat, slot 9: 2 effective, 5 not; as long, as rare. */
		for (size_t k = 0; (figures || silent) && k < ROWS; k++)
			cs[k].ops[0].values[8].value = value_text(figures ? "2" : "5");
		sites_seal(&s, i, cs, ROWS, &made[i]);
	}
	hub_append(&hub, made, SITES);
	if (figures || silent) {
		measured(true);
		return;
	}
	hub_apply(&hub);
	plain_insert(&plain, made, SITES);
	edits_make(&a, strstr(name, "once") != NULL);
	hub_append(&hub, edits, SITES);
	measured(strncmp(name, "plain", 5) != 0);
}

static double counted(const char *self, const char *name)
{
	char command[600], line[256];
	double ir = 0;
	FILE *out;

	snprintf(command, sizeof(command),
	         "valgrind --tool=callgrind --callgrind-out-file=/dev/null "
	         "--toggle-collect=measured '%s' %s 2>&1",
	         self, name);
	out = popen(command, "r");
	while (out && fgets(line, sizeof(line), out)) {
		const char *at = strstr(line, "Collected :");

		if (at) ir = strtod(at + 11, NULL);
	}
	if (!out || pclose(out) != 0 || ir <= 0) bench_must(1, NULL, command);
	return ir;
}

int main(int argc, char **argv)
{
	double rows = SITES * ROWS, update, plain_update, once, plain_once, figures, silent;

	if (argc > 1) {
		piece(argv[1]);
		return 0;
	}
	update = counted(argv[0], "update");
	plain_update = counted(argv[0], "plain_update");
	once = counted(argv[0], "update_once");
	plain_once = counted(argv[0], "plain_update_once");
	figures = counted(argv[0], "figures");
	silent = counted(argv[0], "silent");
	bench_value("update_ir_ratio", update / plain_update, "ratio");
	bench_value("update_once_ir_ratio", once / plain_once, "ratio");
	bench_value("update_ir", update / rows, "instructions/row");
	bench_value("update_ir_plain", plain_update / rows, "instructions/row");
	bench_value("rollup_ir_ratio", figures / silent, "ratio");
	bench_value("apply_ir", figures / rows, "instructions/row");
	return 0;
}
