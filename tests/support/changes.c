/*
 * changes.c - see changes.h.
 */
#include "common/base.h"

#include "tests/support/changes.h"

#include "common/crypt.h"
#include "common/ident.h"
#include "common/pack.h"
#include "common/schema.h"

uint64_t dice_next(struct dice *d)
{
	uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t dice_below(struct dice *d, uint64_t n)
{
	return dice_next(d) % n;
}

void dice_fill(struct dice *d, void *p, size_t len)
{
	uint8_t *to = p;

	for (size_t i = 0; i < len; i++) to[i] = (uint8_t)dice_next(d);
}

void changes_origin(struct dice *d, size_t runs_count, struct changes_origin *ret)
{
	uint8_t seed[32];

	assert(runs_count >= 1 && runs_count <= SEGMENT_NONCES_MAX);
	*ret = (struct changes_origin){.runs_count = (uint8_t)runs_count};
	dice_fill(d, seed, sizeof(seed));
	sign_keypair(seed, ret->key, ret->secret);
	origin_of(ret->key, ret->origin);
	for (size_t i = 0; i < runs_count; i++) {
		dice_fill(d, ret->nonces[i], 8);
		ret->runs[i] = run_of(ret->origin, ret->nonces[i]);
	}
}

static struct span random_text(struct dice *d, struct arena *a, size_t max)
{
	static const char *const words[] = {"a", "服务", "wife", "探访", " ",
	                                    "é", "帮助", "🙂", "村",   "x"};
	size_t len = dice_below(d, 8) ? dice_below(d, 24) : dice_below(d, max), n = 0;
	char *p = arena_take(a, len + 8);

	while (n < len) {
		const char *w = words[dice_below(d, ARRAY_COUNT(words))];

		memcpy(p + n, w, strlen(w));
		n += strlen(w);
	}
	return span_of(p, n);
}

static struct value random_value(struct dice *d, struct arena *a, bool null_too)
{
	static const int64_t extremes[] = {
	        0,   1,   -1,  INT64_MIN, INT64_MAX, INT32_MIN, UINT32_MAX, 127,
	        128, -32, -33, 255,       256,       65535,     65536,      INT64_MIN + 1};
	struct value v = {0};
	uint64_t run, stamp;
	uint8_t *p;
	size_t n;

	switch (dice_below(d, null_too ? 8 : 7)) {
	case 0:
		return value_int(extremes[dice_below(d, ARRAY_COUNT(extremes))]);
	case 1:
		return value_int((int64_t)dice_next(d));
	case 2:
		return value_int((int64_t)dice_below(d, 5) * 30);
	case 3:
	case 4:
		v.type = VALUE_TEXT;
		v.s = random_text(d, a, 300);
		return v;
	case 5:
		p = arena_take(a, 16);
		if (dice_below(d, 2)) {
			run = dice_below(d, 4);
			stamp = dice_below(d, 50) << 22;
			id_make(stamp | dice_below(d, 3), run, p);
		} else {
			memset(p, (int)dice_below(d, 4), 16);
		}
		return value_bytes(p, 16);
	case 6:
		n = dice_below(d, 40);
		p = arena_take(a, n + 1);
		dice_fill(d, p, n);
		return value_bytes(p, n);
	default:
		return v;
	}
}

static uint64_t random_slots(struct dice *d)
{
	switch (dice_below(d, 8)) {
	case 0:
		return dice_next(d);
	case 1:
		return UINT64_MAX;
	case 2:
		return 0;
	default:
		return dice_below(d, 64);
	}
}

static struct field_value *random_fields(struct dice *d, struct arena *a, uint64_t slots,
                                         bool null_too, size_t *ret_count)
{
	size_t count = (size_t)__builtin_popcountll(slots);
	struct field_value *v = count ? ARENA_ARRAY(a, struct field_value, count) : NULL;

	for (size_t i = 0; i < count; i++, slots &= slots - 1)
		v[i] = (struct field_value){(uint8_t)__builtin_ctzll(slots),
		                            random_value(d, a, null_too)};
	*ret_count = count;
	return v;
}

static void random_groups(struct dice *d, struct arena *a, struct op *op)
{
	size_t count =
	        dice_below(d, 3) ? 0 : dice_below(d, dice_below(d, 50) ? 4 : CLOCK_GROUPS_MAX);
	uint64_t run = 0;

	if (!op->slots) return;
	op->groups = count ? ARENA_ARRAY(a, struct clock_group, count) : NULL;
	for (size_t i = 0; i < count; i++) {
		uint64_t mask = op->slots & dice_next(d), stamp;

		run += 1 + (dice_below(d, 4) ? dice_below(d, 3) : dice_next(d) >> 12);
		if (run > RUN_MASK) break;
		stamp = dice_next(d);
		stamp >>= 4 + dice_below(d, 40);
		op->groups[op->groups_count++] =
		        (struct clock_group){run, stamp, mask ? mask : op->slots};
	}
}

static struct op random_op(struct dice *d, struct arena *a, uint64_t run, uint64_t stamp)
{
	static const uint8_t kinds[] = {OP_INSERT, OP_INSERT,   OP_INSERT, OP_UPDATE,
	                                OP_UPDATE, OP_PROPOSAL, OP_IMAGE,  OP_SEALED,
	                                OP_ERASE,  OP_CUSTODY,  77,        255};
	struct op op = {.kind = kinds[dice_below(d, ARRAY_COUNT(kinds))], .stamp = stamp};
	struct span seed = {(const uint8_t *)&op.stamp, 8};

	op.table = (uint16_t)(dice_below(d, 20) ? 1 + dice_below(d, 9) : UINT16_MAX);
	op.slots = random_slots(d);
	if (op.kind == OP_INSERT && dice_below(d, 4)) {
		id_make(stamp, run, op.row);
		op.slots &= ~UINT64_C(1);
		op.values = random_fields(d, a, op.slots, false, &op.values_count);
	} else if (op.kind == OP_INSERT) {
		id_derive("test", &seed, 1, op.row);
		op.values = random_fields(d, a, op.slots, false, &op.values_count);
		if (op.slots & 1) op.values[0].value = value_int(0);
		random_groups(d, a, &op);
	} else if (op.kind == OP_UPDATE || op.kind == OP_PROPOSAL) {
		run = dice_below(d, 3) ? run : dice_below(d, 5);
		stamp = dice_below(d, 3) ? stamp - dice_below(d, stamp) : dice_below(d, 99);
		id_make(stamp, run, op.row);
		op.values = random_fields(d, a, op.slots, true, &op.values_count);
		op.olds = random_fields(d, a, dice_below(d, 3) ? 0 : op.slots & dice_next(d), true,
		                        &op.olds_count);
		random_groups(d, a, &op);
	} else {
		dice_fill(d, op.row, 16);
		op.opaque = random_text(d, a, 200);
	}
	return op;
}

struct changeset *changes_random(struct dice *d, struct arena *a, const struct changes_origin *o,
                                 uint64_t first_seq, size_t count, size_t ops_max)
{
	struct changeset *cs = ARENA_ARRAY(a, struct changeset, count);
	uint64_t stamp = dice_below(d, 8) ? UINT64_C(1700000000000) << 12 : dice_below(d, 5000),
	         last;
	uint8_t *sign;

	for (size_t i = 0; i < count; i++) {
		struct changeset *c = &cs[i];

		c->seq = first_seq + i;
		c->run = o->runs[dice_below(d, o->runs_count)];
		c->parts = c->part = 1;
		if (!dice_below(d, 6))
			c->parts = (uint16_t)(c->part = (uint16_t)(1 + dice_below(d, 9)));
		c->parts =
		        (uint16_t)(c->parts +
		                   (dice_below(d, 6) ? 0 : dice_below(d, CHANGESET_PARTS_MAX - 9)));
		c->flags = (uint8_t)(dice_below(d, 4) ? 0 : dice_next(d));
		if (dice_below(d, 2)) memset(c->author, (int)dice_below(d, 4), 8);
		if (!dice_below(d, 9)) {
			sign = arena_take(a, 64);
			dice_fill(d, sign, 64);
			c->person_sign = span_of(sign, 64);
		}
		c->schema_version = (uint32_t)(dice_below(d, 9) ? 1 : dice_next(d));
		c->codes_version = (uint32_t)(dice_below(d, 9) ? 1 : dice_next(d));
		c->ops_count = dice_below(d, ops_max + 1);
		if (!c->ops_count) c->part = c->parts = 1;
		c->ops = c->ops_count ? ARENA_ARRAY(a, struct op, c->ops_count) : NULL;
		for (size_t k = 0; k < c->ops_count; k++) {
			last = stamp;
			stamp += dice_below(d, 3) ? 1 : dice_below(d, 1u << 30);
			if (!dice_below(d, 200)) stamp = STAMP_MAX;
			if (!dice_below(d, 9))
				stamp -= dice_below(d, stamp < 9000 ? stamp + 1 : 9000);
			stamp = stamp > STAMP_MAX ? last : stamp;
			c->ops[k] = random_op(d, a, c->run, stamp);
		}
	}
	return cs;
}

void changes_place(struct dice *d, struct changes_place *ret)
{
	uint64_t runs[40], run;

	ret->now_ms = UINT64_C(1790000000000) + dice_below(d, 1000000000);
	for (size_t i = 0; i < ARRAY_COUNT(runs); i++) runs[i] = dice_next(d) & RUN_MASK;
	for (size_t i = 0; i < ARRAY_COUNT(ret->volunteers); i++) {
		run = runs[dice_below(d, 40)];
		id_make((ret->now_ms - dice_below(d, UINT64_C(60000000000))) << 12, run,
		        ret->volunteers[i]);
	}
	for (size_t i = 0; i < ARRAY_COUNT(ret->activities); i++) {
		run = runs[dice_below(d, 40)];
		id_make((ret->now_ms - dice_below(d, UINT64_C(9000000000))) << 12, run,
		        ret->activities[i]);
	}
}

/* A moment later: people type a row in 5 to 60 seconds. */
static uint64_t next_stamp(struct dice *d, struct changes_place *place)
{
	place->now_ms += 5000 + dice_below(d, 55000);
	return place->now_ms << 12;
}

static struct value text_value(const char *text)
{
	return value_text(text);
}

struct changeset *changes_participation(struct dice *d, struct arena *a,
                                        const struct changes_origin *o, struct changes_place *place,
                                        size_t count)
{
	static const char *const acts[] = {"A1", "B2", "C3", "E1", "E4", "F2"};
	static const char *const who[] = {"王奶奶", "陈阿姨", "李大爷",       "林婶",
	                                  "黄伯",   "郑家",   "吴家两个孩子", "苏老师"};
	static const char *const did[] = {"入户探访", "陪同就医", "打扫卫生", "心理疏导",
	                                  "政策宣讲", "送餐",     "辅导作业"};
	static const char *const how[] = {"情况良好", "下周再来", "已转介社工",
	                                  "需要轮椅", "很高兴",   "家里没人"};
	struct changeset *cs = ARENA_ARRAY(a, struct changeset, count);
	size_t activity = 0;
	int64_t from = 0, to = 0;

	for (size_t i = 0; i < count; i++) {
		struct op *op = arena_take(a, sizeof(*op));
		struct field_value *v = ARENA_ARRAY(a, struct field_value, 12);
		const char *person, *work, *end;
		struct buf note;
		size_t n = 0;

		if (i % (12 + dice_below(d, 8)) == 0) {
			activity = dice_below(d, ARRAY_COUNT(place->activities));
			from = (int64_t)(place->now_ms - dice_below(d, 600000000)) / 60000 * 60000;
			to = from + (int64_t)(2 + dice_below(d, 5)) * 30 * 60000;
		}
		op->kind = OP_INSERT;
		op->table = TABLE_PARTICIPATION;
		op->stamp = next_stamp(d, place);
		id_make(op->stamp, o->runs[0], op->row);
		v[n++] = (struct field_value){
		        1, value_bytes(place->volunteers[dice_below(d, 174)], 16)};
		v[n++] = (struct field_value){2, value_bytes(place->activities[activity], 16)};
		v[n++] = (struct field_value){
		        3, text_value(acts[(activity + (dice_below(d, 5) ? 0 : 1)) % 6])};
		v[n++] = (struct field_value){4,
		                              value_int(from + (int64_t)dice_below(d, 11) * 60000)};
		v[n++] =
		        (struct field_value){5, value_int(to + (int64_t)dice_below(d, 21) * 60000)};
		v[n++] = (struct field_value){6, value_int(dice_below(d, 5) ? 0 : 30)};
		v[n++] = (struct field_value){
		        7, value_int((v[4].value.i - v[3].value.i) / 60000 - v[5].value.i)};
		v[n++] = (struct field_value){8, text_value(dice_below(d, 4) ? "1" : "2")};
		v[n++] = (struct field_value){9, text_value(dice_below(d, 10) ? "2" : "0")};
		v[n++] = (struct field_value){10, value_int(3 + (int64_t)dice_below(d, 3))};
		v[n++] = (struct field_value){11, value_int(4 + (int64_t)dice_below(d, 2))};
		buf_init(&note, 200);
		end = how[dice_below(d, 6)];
		work = did[dice_below(d, 7)];
		person = who[dice_below(d, 8)];
		buf_print(&note, "%s%s%s", person, work, end);
		v[n].slot = 13;
		v[n].value.type = VALUE_TEXT;
		v[n++].value.s = arena_span(a, buf_span(&note));
		buf_done(&note);
		op->values = v;
		op->values_count = n;
		for (size_t k = 0; k < n; k++) op->slots |= UINT64_C(1) << v[k].slot;
		cs[i] = (struct changeset){.seq = 100 + i,
		                           .run = o->runs[0],
		                           .part = 1,
		                           .parts = 1,
		                           .author = {7},
		                           .schema_version = 1,
		                           .codes_version = 1,
		                           .ops = op,
		                           .ops_count = 1};
	}
	return cs;
}

struct changeset *changes_updates(struct dice *d, struct arena *a, const struct changes_origin *o,
                                  struct changes_place *place, size_t count)
{
	struct changeset *cs = ARENA_ARRAY(a, struct changeset, count);
	uint64_t made = (place->now_ms - 3000000000u) << 12;

	for (size_t i = 0; i < count; i++) {
		struct op *op = arena_take(a, sizeof(*op));

		made += (5000 + dice_below(d, 55000)) << 12;
		op->kind = OP_UPDATE;
		op->table = TABLE_PARTICIPATION;
		op->stamp = next_stamp(d, place);
		id_make(made, o->runs[0] ^ 1, op->row);
		op->slots = 1 << 9;
		op->values = ARENA_ARRAY(a, struct field_value, 1);
		op->values_count = 1;
		op->values[0] = (struct field_value){9, text_value("2")};
		op->olds = ARENA_ARRAY(a, struct field_value, 1);
		op->olds_count = 1;
		op->olds[0] = (struct field_value){9, text_value("0")};
		cs[i] = (struct changeset){.seq = 100 + i,
		                           .run = o->runs[0],
		                           .part = 1,
		                           .parts = 1,
		                           .author = {7},
		                           .schema_version = 1,
		                           .codes_version = 1,
		                           .ops = op,
		                           .ops_count = 1};
	}
	return cs;
}

size_t changes_plain(const struct changeset *cs, size_t count)
{
	struct buf b;
	size_t len;

	buf_init(&b, 16 * 1024 * 1024);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < cs[i].ops_count; k++) {
			const struct op *op = &cs[i].ops[k];

			pack_array(&b, 1 + op->values_count);
			pack_bytes(&b, op->row, 16);
			for (size_t j = 0; j < op->values_count; j++)
				value_pack(&b, op->values[j].value);
		}
	}
	len = b.len;
	buf_done(&b);
	return len;
}
