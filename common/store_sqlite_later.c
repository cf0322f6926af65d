/*
 * store_sqlite_later.c - writes that wait a moment, so that many become one: sums of state hashes and
 * cells, and rows that come into being.
 *
 * A segment of one site touches one state hash a thousand times and a few dozen cells; written each time
 * they cost as much as the rows themselves (measured: 35,000 instructions a row, of 140,000).  Ten new
 * rows in one statement cost 0.8 of ten statements (measurements.md section 1); OR FAIL needs no statement
 * journal, and where a row is there already it stops behind the fresh ones, so that nothing is guessed.
 *
 * Nobody sees the difference: whatever reads or writes the same things settles first, commit does,
 * rollback forgets.
 */
#include "common/base.h"
#include "common/store_sqlite.h"

static size_t cell_place(const struct later *l, const struct cell *c)
{
	uint64_t h = ((uint64_t)c->scope << 32 ^ (uint64_t)c->month << 8 ^ c->kind) *
	             UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(h >> 40) % LATER_CELLS;

	while (l->cell_at[i] != 0) {
		const struct cell *have = &l->cells[l->cell_at[i] - 1];

		if (have->scope == c->scope && have->month == c->month && have->kind == c->kind)
			break;
		i = (i + 1) % LATER_CELLS;
	}
	return i;
}

static int64_t add_wrapping(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

int later_cell(struct store *st, const struct cell *delta)
{
	struct later *l = &st->later;
	size_t i;

	if (l->cells_count == LATER_CELLS / 2) {
		int rc = later_sums(st);

		if (rc != 0) return rc;
	}
	i = cell_place(l, delta);
	if (l->cell_at[i] == 0) {
		l->cells[l->cells_count++] = *delta;
		l->cell_at[i] = (uint16_t)l->cells_count;
		return 0;
	}
	struct cell *have = &l->cells[l->cell_at[i] - 1];
	have->truth = add_wrapping(have->truth, delta->truth);
	have->stated = add_wrapping(have->stated, delta->stated);
	have->refused = add_wrapping(have->refused, delta->refused);
	return 0;
}

int later_state(struct store *st, uint32_t scope, unsigned lane, const uint8_t delta[STATE_BYTES])
{
	struct later *l = &st->later;

	for (size_t i = l->states_count; i-- > 0;) {
		if (l->states[i].scope != scope || l->states[i].lane != lane) continue;
		store_add_128(l->states[i].sum, delta);
		return 0;
	}
	if (l->states_count == LATER_STATES) {
		int rc = later_sums(st);

		if (rc != 0) return rc;
	}
	l->states[l->states_count] = (struct later_state){.scope = scope, .lane = lane};
	memcpy(l->states[l->states_count++].sum, delta, STATE_BYTES);
	return 0;
}

int later_sums(struct store *st)
{
	struct later *l = &st->later;
	size_t states = l->states_count, cells = l->cells_count;
	int rc = 0;

	if (states == 0 && cells == 0) return 0;
	l->states_count = l->cells_count = 0;
	memset(l->cell_at, 0, sizeof(l->cell_at));
	for (size_t i = 0; i < states && rc == 0; i++)
		rc = store_state_write(st, l->states[i].scope, l->states[i].lane, l->states[i].sum);
	for (size_t i = 0; i < cells && rc == 0; i++) rc = store_cell_write(st, &l->cells[i]);
	return rc;
}

void later_forget(struct store *st)
{
	st->later.rows_count = st->later.states_count = st->later.cells_count = 0;
	memset(st->later.cell_at, 0, sizeof(st->later.cell_at));
}

/* ---- rows */

int later_row(struct store *st, uint16_t table, unsigned lane, const struct row *row,
              bool *ret_fresh)
{
	struct later *l = &st->later;
	int rc = 0;

	if (l->rows_count > 0 && (l->table != table || l->lane != lane)) rc = later_rows(st);
	if (rc != 0) return rc;
	l->table = table;
	l->lane = lane;
	l->rows[l->rows_count] = row;
	l->fresh[l->rows_count++] = ret_fresh;
	return l->rows_count == LATER_ROWS ? later_rows(st) : 0;
}

int later_rows(struct store *st)
{
	struct later *l = &st->later;
	size_t count = l->rows_count, at = 0;
	int rc = 0;

	l->rows_count = 0;
	while (at < count && rc == 0) {
		size_t done = 0;

		if (at == 0 && count == LATER_ROWS)
			rc = store_rows_insert_many(st, l->table, l->lane, l->rows, &done);
		for (size_t i = 0; i < done; i++) *l->fresh[at + i] = true;
		at += done;
		if (rc != 0 || at == count) break;
		rc = store_row_insert(st, l->table, l->lane, l->rows[at], l->fresh[at]);
		at++;
	}
	return rc;
}
