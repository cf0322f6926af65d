/*
 * wire.c - bytes that go over a link: DATA messages of 1,000 and 10 transactions against the plain msgpack of
 * the same rows, a one-column update, and sessions with nothing to do.  Deterministic but for compression.
 */
#include "common/base.h"

#include "tests/bench/bench.h"

#include "common/ident.h"
#include "proto/message.h"

/* One DATA message, the first of its session: nothing of it is short yet. */
static size_t data_bytes(const struct batch *b)
{
	struct short_form form = {0};
	struct message m = {.type = MSG_DATA};
	struct buf out;
	size_t len;

	m.data = (struct msg_data){.session = UINT64_C(0x123456789abcdef0),
	                           .number = 1,
	                           .pos = 12345,
	                           .kind = ENTRY_SEGMENT,
	                           .head = buf_span(&b->head),
	                           .body = buf_span(&b->body)};
	memset(m.data.rolling, 0x5a, sizeof(m.data.rolling));
	buf_init(&out, MESSAGE_BYTES_MAX);
	message_pack(&m, &form, &out);
	len = out.len;
	buf_done(&out);
	short_form_done(&form);
	return len;
}

/* Notes of words that the dictionary was not made of, in their place: as long, made of other syllables. */
static void unseen_notes(struct dice *d, struct arena *a, struct changeset *cs, size_t count)
{
	static const char *const words[] = {"渔港", "碾米", "祠堂", "梯田",   "竹筏", "茶油",
	                                    "晒谷", "祭灶", "龙眼", "修桥",   "铺路", "沤肥",
	                                    "织席", "补网", "挖渠", "喂蚕",   "蜂箱", "烟叶",
	                                    "石磨", "族谱", "戏台", "捞海带", "搭棚", "嫁接"};

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < cs[i].ops[0].values_count; k++) {
			struct value *v = &cs[i].ops[0].values[k].value;
			struct buf note;

			if (v->type != VALUE_TEXT || v->s.len < 12) continue;
			buf_init(&note, 400);
			while (note.len < v->s.len)
				buf_text(&note, words[dice_below(d, ARRAY_COUNT(words))]);
			v->s = arena_span(a, buf_span(&note));
			buf_done(&note);
		}
}

static void wire_rows(struct sites *s, const char *name, size_t count, size_t times, bool unseen)
{
	struct pairs ratios = {0};
	struct arena a;
	char text[64];
	double bytes = 0;

	arena_init(&a, 0);
	for (size_t i = 0; i < times; i++) {
		size_t which = s->next++ % s->count;
		struct changeset *cs = sites_rows(s, which, count, &a);
		struct batch b;

		if (unseen) unseen_notes(&s->dice, &a, cs, count);
		sites_seal(s, which, cs, count, &b);
		pairs_add(&ratios, (double)data_bytes(&b) / (double)changes_plain(b.cs, b.count));
		bytes += (double)data_bytes(&b);
		batch_done(&b);
		arena_reset(&a);
	}
	arena_done(&a);
	pairs_print(&ratios, name);
	snprintf(text, sizeof(text), "%s_bytes_row", name);
	bench_value(text, bytes / (double)(times * count), "B/row");
}

/* 1,000 of the 10,000 rows that 40 sites made, by site and time as a list shows them, or in any order. */
static void wire_updates(struct sites *s, const char *name, bool any_order)
{
	enum { ROWS = 250, COUNT = 1000 };
	size_t n = s->count * ROWS;
	struct changeset *cs;
	struct batch b;
	struct arena a;

	arena_init(&a, 0);
	uint8_t(*ids)[16] = ARENA_ARRAY(&a, uint8_t[16], n);
	for (size_t i = 0; i < s->count; i++) {
		struct changeset *rows = sites_rows(s, i, ROWS, &a);
		for (size_t k = 0; k < ROWS; k++) memcpy(ids[i * ROWS + k], rows[k].ops[0].row, 16);
	}
	cs = changes_updates(&s->dice, &a, &s->sites[0].o, &s->sites[0].place, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		size_t at = any_order ? dice_below(&s->dice, n)
		                      : i * (n / COUNT) + dice_below(&s->dice, n / COUNT);

		memcpy(cs[i].ops[0].row, ids[at], 16);
	}
	sites_seal(s, 0, cs, COUNT, &b);
	bench_value(name, (double)data_bytes(&b) / COUNT, "B");
	batch_done(&b);
	arena_done(&a);
}

/* ---- sessions */

static void volunteers(struct machine *m, size_t count)
{
	const struct table *t = schema_table_named(&schema_current, "volunteer");

	for (size_t i = 0; i < count; i++) {
		char name[64];
		snprintf(name, sizeof(name), "测试志愿者%zu", i);
		struct field_write f[] = {{table_field_named(t, "name"), value_text(name)},
		                          {table_field_named(t, "vstat"), value_text("active")},
		                          {table_field_named(t, "registered"), value_int(20000)}};
		struct write w = {.kind = WRITE_INSERT, .table = t, .fields = f, .fields_count = 3};

		machine_begin(m);
		bench_must(replica_write(m->r, &w, 1, false, NULL), replica_error(m->r), "write");
		machine_commit(m);
	}
}

static void sessions(void)
{
	static struct machine hub, node;
	static const uint8_t county[16] = {9}, site[16] = {9, 1};
	struct traffic t;

	machine_open(&hub, "session-hub", NULL, county);
	machine_open(&node, "session-node", &hub, site);
	machine_unit(&hub, "350502000000", LEVEL_COUNTY, county, NULL);
	machine_unit(&hub, "350502001001", LEVEL_COMMUNITY, site, county);
	machine_seal(&hub);
	volunteers(&node, 100);
	machine_seal(&node);
	for (int i = 0; i < 3; i++) session_run(&node, &hub);
	t = session_run(&node, &hub);
	if (!t.agreed) bench_must(1, NULL, "hub and node do not agree");
	bench_value("noop_bytes", (double)t.bytes, "B");
	bench_value("noop_round_trips", (double)t.turns, "round trips");
	volunteers(&node, 10);
	machine_seal(&node);
	t = session_run(&node, &hub);
	bench_value("wire_session_10", (double)t.bytes, "B");
	bench_value("wire_session_10_round_trips", (double)t.turns, "round trips");
	machine_close(&node);
	machine_close(&hub);
}

int main(void)
{
	static struct machine hub;
	static struct sites s;
	static const uint8_t unit[16] = {8};

	machine_open(&hub, "hub", NULL, unit);
	sites_open(&s, &hub, 40, 1234567);
	wire_rows(&s, "wire_ratio_1000", 1000, (size_t)bench_size(40, 4), false);
	wire_rows(&s, "wire_ratio_10", 10, (size_t)bench_size(40, 4), false);
	wire_rows(&s, "wire_ratio_10_unseen", 10, (size_t)bench_size(40, 4), true);
	wire_updates(&s, "wire_bytes_update", false);
	wire_updates(&s, "wire_bytes_update_any_order", true);
	sites_close(&s);
	machine_close(&hub);
	sessions();
	return 0;
}
