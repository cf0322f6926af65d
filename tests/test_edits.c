/*
 * test_edits.c - a hub that writes accepted edits in one pass, and one write for several of a row, takes in what one takes
 * in that reads every row before it judges it: the same rows, clocks, conflicts, figures and verdicts.
 *
 * Two worlds with the same dice and the same script; in one of them the county's judge does not take rows that are not
 * read, so that the county goes the long way with every edit.  The judge has a rule about values of the row (an activity
 * whose title says so is closed), and the county's province merges what it did not judge.
 * suite-timeout: 280
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/support/slower.h"
#include "tests/support/trio.h"

enum { WORLDS = 12, STEPS = 260, ROWS_MAX = 24 };

struct rule {
	struct judge under;
	size_t unread,
	        closed; /* questions about rows that were not read; refusals of closed ones */
};

static bool writes(const struct judged *j, const char *field)
{
	return j->op->slots >> field_slot(table_field_named(trio_table("activity"), field)) & 1;
}

static int judge(void *ctx, struct replica *r, const struct judged *j, struct judgement *ret)
{
	struct rule *x = ctx;
	struct value title;
	int rc = x->under.op(x->under.ctx, r, j, ret);

	x->unread += j->unread;
	if (rc || ret->accepted != 1 || j->op->table != TABLE_ACTIVITY || j->lane != LANE_OPEN ||
	    j->op->kind != OP_UPDATE || !j->row || !(writes(j, "place") || writes(j, "hh_served")))
		return rc;
	if (j->unread) {
		ret->accepted = JUDGED_UNREAD;
		return 0;
	}
	title = j->row->v[field_slot(table_field_named(trio_table("activity"), "title"))];
	if (!value_equal(title, value_text("闭"))) return 0;
	x->closed++;
	*ret = (struct judgement){.accepted = 0, .code = ERR_LOCKED};
	return 0;
}

struct scene {
	struct trio *t;
	struct dice dice;
	struct rule rule;
	uint8_t rows[ROWS_MAX][16];
	size_t rows_count;
};

static void change(struct scene *s, struct trio_device *d, const char *field, struct value v)
{
	uint8_t *row = s->rows[dice_below(&s->dice, s->rows_count)];

	(void)trio_change(d, "activity", row, field, v); /* which may not be there, or be deleted */
}

/* A row that the county does not take, so that no edit of it finds its row there. */
static void refused_later(struct scene *s)
{
	struct field_write f[] = {
	        trio_said("activity", "title", value_text("名")),
	        trio_said("activity", "act", value_text("D1")),
	        trio_said("activity", "start", value_int(INT64_C(1740000000000))),
	        trio_said("activity", "astat", value_text("finished")),
	        trio_said("activity", "hh_served", value_int(2000000)),
	};

	assert_int_equal(
	        trio_insert(s->t->site, "activity", f, ARRAY_COUNT(f), s->rows[s->rows_count++]),
	        0);
}

static void step(struct scene *s)
{
	static const char *const words[] = {"甲", "乙", "闭", "丁"};
	struct trio_device *at[] = {s->t->site, s->t->site, s->t->second, s->t->county};
	struct trio_device *d = at[dice_below(&s->dice, ARRAY_COUNT(at))];
	struct value word = value_text(words[dice_below(&s->dice, ARRAY_COUNT(words))]);
	uint64_t what = dice_below(&s->dice, 40);

	s->t->now_ms += 1000;
	if (s->rows_count < ROWS_MAX && what == 33)
		refused_later(s);
	else if (s->rows_count < ROWS_MAX && (!s->rows_count || what < 4))
		trio_activity(d, "名", s->rows[s->rows_count++]);
	else if (what < 14)
		change(s, d, "title", word);
	else if (what < 19)
		change(s, d, "place", word);
	else if (what < 23)
		change(s, d, "programme", word);
	else if (what < 26)
		change(s, d, "note", word); /* in the county lane */
	else if (what < 28)                 /* more than the county takes */
		change(s, d, "hh_served", value_int((int64_t)dice_below(&s->dice, 5) * 300000));
	else if (what == 28)
		(void)trio_delete(d, "activity", s->rows[dice_below(&s->dice, s->rows_count)]);
	else if (what == 29)
		trio_restart(d);
	else if (what == 30)
		assert_true(trio_sync(s->t->site));
	else if (what == 31)
		assert_true(trio_sync(s->t->second));
	else if (what == 32)
		trio_seal(d);
	else if (s->rows_count) /* corrects itself at once */
		for (size_t i = 0, row = dice_below(&s->dice, s->rows_count); i < 3; i++) {
			s->t->now_ms += 10;
			(void)trio_change(d, "activity", s->rows[row],
			                  i == 1 && what < 36 ? "place" : "title",
			                  value_text(words[dice_below(&s->dice, 4)]));
		}
}

static void play(struct scene *s, uint64_t seed, bool unread)
{
	*s = (struct scene){.t = trio_new(), .dice = {seed}};
	s->rule.under = s->t->county->judge;
	s->t->county->judge = (struct judge){.ctx = &s->rule, .op = judge, .unread = unread};
	trio_lax(s->t->site);
	assert_true(trio_settle(s->t));
	for (size_t i = 0; i < STEPS; i++) step(s);
	for (size_t i = 0; i < 4 && !trio_settle(s->t); i++) continue;
}

static void same_held(struct held *a, size_t a_count, struct held *b, size_t b_count)
{
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++) {
		assert_memory_equal(a[i].row, b[i].row, 16);
		assert_int_equal(a[i].lane, b[i].lane);
		assert_int_equal(a[i].stamp, b[i].stamp);
		assert_int_equal(a[i].cause, b[i].cause);
	}
}

static void same(struct trio *ta, struct trio *tb, struct trio_device *a, struct trio_device *b)
{
	struct candidate *ca, *cb;
	struct held *ha, *hb;
	size_t na, nb;

	for (size_t u = 0; u < TRIO_UNITS; u++)
		for (unsigned lane = 0; lane < LANE_RESERVED; lane++) {
			uint8_t sa[STATE_BYTES] = {0}, sb[STATE_BYTES] = {0};
			uint32_t oa = 0, ob = 0;

			assert_int_equal(store_scope_ord(a->store, ta->units[u], false, &oa), 0);
			assert_int_equal(store_scope_ord(b->store, tb->units[u], false, &ob), 0);
			assert_int_equal(!oa, !ob);
			/* What the county states of itself has stamps of its own. */
			if (!oa || u == UNIT_COUNTY) continue;
			assert_int_equal(store_state_get(a->store, oa, lane, sa), 0);
			assert_int_equal(store_state_get(b->store, ob, lane, sb), 0);
			assert_memory_equal(sa, sb, sizeof(sa));
		}
	for (unsigned lane = 0; lane < LANE_SEALED; lane++) {
		struct row *ra, *rb;

		assert_int_equal(store_rows_scan(a->store, TABLE_ACTIVITY, lane, 0, NULL, 1000,
		                                 &ta->a, &ra, &na),
		                 0);
		assert_int_equal(store_rows_scan(b->store, TABLE_ACTIVITY, lane, 0, NULL, 1000,
		                                 &tb->a, &rb, &nb),
		                 0);
		assert_int_equal(na, nb);
		for (size_t i = 0; i < na; i++) {
			assert_memory_equal(ra[i].id, rb[i].id, 16);
			assert_true(span_equal(ra[i].clock, rb[i].clock));
			for (size_t k = 0; k < store_slots(a->store, TABLE_ACTIVITY, lane); k++)
				assert_true(value_equal(ra[i].v[k], rb[i].v[k]));
		}
	}
	assert_int_equal(store_candidates_list(a->store, 1000, &ta->a, &ca, &na), 0);
	assert_int_equal(store_candidates_list(b->store, 1000, &tb->a, &cb, &nb), 0);
	assert_int_equal(na, nb);
	for (size_t i = 0; i < na; i++) {
		assert_memory_equal(ca[i].row, cb[i].row, 16);
		assert_int_equal(ca[i].stamp, cb[i].stamp);
		assert_true(value_equal(ca[i].value, cb[i].value));
	}
	na = trio_refused(a, &ha);
	nb = trio_refused(b, &hb);
	same_held(ha, na, hb, nb);
	na = trio_parked(a, &ha);
	nb = trio_parked(b, &hb);
	same_held(ha, na, hb, nb);
	assert_int_equal(trio_figure(a, UNIT_SITE, "households"),
	                 trio_figure(b, UNIT_SITE, "households"));
	assert_int_equal(trio_figure(a, UNIT_SITE, "activities"),
	                 trio_figure(b, UNIT_SITE, "activities"));
}

static void one_pass_gives_what_reading_first_gives(void **state)
{
	size_t unread = 0, closed = 0, refused = 0, conflicts = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed += SLOWER) {
		struct scene a, b;
		struct candidate *c;
		struct held *h;
		size_t n;

		play(&a, seed, /* unread= */ true);
		play(&b, seed, /* unread= */ false);
		same(a.t, b.t, a.t->county, b.t->county);
		same(a.t, b.t, a.t->province, b.t->province);
		same(a.t, b.t, a.t->site, b.t->site);
		assert_int_equal(b.rule.unread, 0);
		unread += a.rule.unread;
		closed += a.rule.closed;
		refused += trio_refused(a.t->county, &h);
		assert_int_equal(store_candidates_list(a.t->county->store, 1000, &a.t->a, &c, &n),
		                 0);
		conflicts += n;
		trio_free(a.t);
		trio_free(b.t);
	}
	/* There was something to get wrong. */
	assert_true(unread > 200);
	assert_true(closed > 5);
	assert_true(refused > 20);
	assert_true(conflicts > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(one_pass_gives_what_reading_first_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
