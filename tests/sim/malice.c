/*
 * malice.c - what an attacker makes by hand.
 */
#include "common/base.h"

#include "tests/sim/malice.h"

#include "common/ident.h"
#include "tests/sim/coverage.h"
#include "tests/sim/workload.h"

void malice_new_run(struct malice *m)
{
	random_bytes(&m->rnd, m->nonce, sizeof(m->nonce));
	m->run = run_of(m->device->identity.origin, m->nonce);
}

void malice_init(struct malice *m, struct device *device, uint64_t stream)
{
	*m = (struct malice){.device = device,
	                     .rnd = random_stream(device->world->config.seed, stream),
	                     .seal = 1000,
	                     .seq = 1,
	                     .stamp = stamp_of_ms(device->world->now_ms)};
	arena_init(&m->arena, 0);
	memcpy(m->as_origin, device->identity.origin, 16);
	malice_new_run(m);
}

void malice_done(struct malice *m)
{
	arena_done(&m->arena);
}

/* ---- operations */
struct op *malice_ops(struct malice *m, size_t count)
{
	return ARENA_ARRAY(&m->arena, struct op, count);
}

static void put_values(struct malice *m, struct op *op, uint64_t slots, const struct value *values)
{
	op->slots = slots;
	op->values = ARENA_ARRAY(&m->arena, struct field_value, SLOTS_MAX);
	for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
		if (slots >> slot & 1) {
			op->values[op->values_count].slot = (uint8_t)slot;
			op->values[op->values_count].value = values[op->values_count];
			op->values_count++;
		}
}

void malice_insert(struct malice *m, struct op *op, uint16_t table, uint64_t slots,
                   const struct value *values)
{
	*op = (struct op){.kind = OP_INSERT, .table = table, .stamp = ++m->stamp};
	id_make(op->stamp, m->run, op->row);
	put_values(m, op, slots, values);
}

void malice_update(struct malice *m, struct op *op, uint16_t table, const uint8_t row[16],
                   uint64_t slots, const struct value *values)
{
	*op = (struct op){.kind = OP_UPDATE, .table = table, .stamp = ++m->stamp};
	memcpy(op->row, row, 16);
	put_values(m, op, slots, values);
}

/* ---- entries */
static struct span kept(struct malice *m, struct buf *b)
{
	struct span s = arena_span(&m->arena, buf_span(b));

	buf_done(b);
	return s;
}

int malice_segment_of(struct malice *m, const uint8_t scope[16], unsigned lane,
                      struct changeset *cs, size_t count, struct malice_entry *ret)
{
	struct segment_head h = {.lane = (uint8_t)lane,
	                         .seal = m->seal++,
	                         .k = 1,
	                         .n = 1,
	                         .nonces_count = 1,
	                         .count = (uint32_t)count};
	struct buf head, body;
	struct error err = {0};
	int rc;

	memcpy(h.origin, m->as_origin, 16);
	memcpy(h.scope, scope, 16);
	memcpy(h.prev, m->prev, 32);
	memcpy(h.nonces[0], m->nonce, 8);
	for (size_t i = 0; i < count; i++) {
		cs[i].seq = m->seq++;
		cs[i].run = run_of(m->as_origin, m->nonce);
		if (cs[i].parts == 0) cs[i].part = cs[i].parts = 1;
		cs[i].schema_version = 1;
		cs[i].codes_version = 1;
	}
	buf_init(&head, HEAD_BYTES_MAX);
	buf_init(&body, BODY_SQUEEZED_MAX);
	rc = segment_make(&h, cs, &cs[0].run, m->device->identity.sign_secret, &head, &body,
	                  ret->hash, &err);
	ret->kind = ENTRY_SEGMENT;
	ret->head = kept(m, &head);
	ret->body = kept(m, &body);
	if (rc == 0) memcpy(m->prev, ret->hash, 32);
	return rc;
}

int malice_segment(struct malice *m, const uint8_t scope[16], unsigned lane, struct op *ops,
                   size_t count, struct malice_entry *ret)
{
	size_t n = (count + CHANGESET_OPS_MAX - 1) / CHANGESET_OPS_MAX;
	struct changeset *cs = ARENA_ARRAY(&m->arena, struct changeset, n + 1);

	for (size_t i = 0; i < n; i++) {
		size_t left = count - i * CHANGESET_OPS_MAX;

		cs[i].ops = &ops[i * CHANGESET_OPS_MAX];
		cs[i].ops_count = left < CHANGESET_OPS_MAX ? left : CHANGESET_OPS_MAX;
	}
	return malice_segment_of(m, scope, lane, cs, n, ret);
}

void malice_admission(struct malice *m, const uint8_t scope[16], unsigned lane,
                      const uint8_t segment[32], bool accept, struct malice_entry *ret)
{
	struct verdict no = {.ordinal = 0, .code = ERR_LOCKED};
	struct admission_item item = {.mode = accept ? ADMIT_ALL_BUT : ADMIT_ONLY,
	                              .verdicts = &no,
	                              .verdicts_count = accept ? 0 : 1};
	struct admission a = {.lane = (uint8_t)lane,
	                      .at_ms = m->device->world->now_ms,
	                      .number = 100000 + m->seal++,
	                      .items = &item,
	                      .items_count = 1};
	struct error err = {0};
	struct buf b;

	memcpy(item.segment, segment, 32);
	memcpy(a.hub, m->device->identity.origin, 16);
	memcpy(a.scope, scope, 16);
	buf_init(&b, ADMISSION_BYTES_MAX + 64);
	if (admission_make(&a, m->device->identity.sign_secret, &b, ret->hash, &err) != 0)
		world_fail(m->device->world, "malice", "admission: %s", err.detail);
	*ret = (struct malice_entry){.kind = ENTRY_ADMISSION, .head = kept(m, &b)};
}

void malice_hole(struct malice *m, const struct malice_entry *segment, struct malice_entry *ret)
{
	struct hole h = {.head = segment->head,
	                 .cause = ERR_PROTOCOL,
	                 .at_ms = m->device->world->now_ms + (int64_t)m->seal++};
	struct error err = {0};
	struct buf b;

	memcpy(h.remover, m->device->identity.origin, 16);
	buf_init(&b, 4096);
	if (hole_make(&h, m->device->identity.sign_secret, &b, ret->hash, &err) != 0)
		world_fail(m->device->world, "malice", "hole: %s", err.detail);
	*ret = (struct malice_entry){.kind = ENTRY_HOLE, .head = kept(m, &b)};
}

void malice_cert(struct malice *m, struct cert *c, struct malice_entry *ret)
{
	struct error err = {0};
	struct buf b;

	memcpy(c->issuer, m->device->cert.id, 16);
	buf_init(&b, CERT_BYTES_MAX);
	if (cert_make(c, m->device->identity.sign_secret, &b, &err) != 0)
		world_fail(m->device->world, "malice", "certificate: %s", err.detail);
	*ret = (struct malice_entry){.kind = ENTRY_CERT, .head = kept(m, &b)};
}

void malice_sign(struct malice *m, struct buf *head)
{
	uint8_t hash[32], sign[64];

	hash_of(buf_span(head), hash, 32);
	sign_make(span_of(hash, 32), m->device->identity.sign_secret, sign);
	buf_add(head, sign, 64);
}

int malice_entry_at(struct malice *m, struct device *d, int64_t recv, struct malice_entry *ret)
{
	struct entry *e = NULL;

	if (store_journal_get(d->keeper, recv, &m->arena, &e) < 0 || e == NULL) return -1;
	*ret = (struct malice_entry){.kind = e->kind, .head = e->head, .body = e->body};
	memcpy(ret->hash, e->hash, 32);
	return 0;
}

/* ---- handing over */
struct handing {
	struct malice *m;
	const struct malice_entry *e;
	int said; /* by replica_append */
};

static int work_hand(struct device *d, void *ctx)
{
	struct handing *x = ctx;
	uint32_t from = 0;
	bool fresh = false;
	int rc = store_run_add(d->store, x->m->run, x->m->device->identity.origin, x->m->nonce,
	                       &from);

	if (rc == 0)
		x->said = replica_append(d->replica, x->e->kind, x->e->head, x->e->body, from,
		                         &fresh);
	/* What is the peer's fault ends the session and keeps the transaction, as a session does. */
	return rc;
}

int malice_hand(struct malice *m, struct device *to, const struct malice_entry *e)
{
	struct handing x = {.m = m, .e = e};
	int rc = device_transaction(to, "malice", work_hand, &x);

	to->apply_due = true;
	device_turn_at(to->world, to, to->world->now_ms + 1);
	return rc != 0 ? rc : x.said;
}

static int work_apply(struct device *d, void *ctx)
{
	return replica_apply(d->replica, 2000, ctx);
}

int malice_apply(struct device *d, size_t *ret_calls)
{
	bool more = true;
	int rc = 0;

	if (ret_calls) *ret_calls = 0;
	while (rc == 0 && more) {
		size_t before = d->storage_calls;

		rc = device_transaction(d, "apply", work_apply, &more);
		if (ret_calls && d->storage_calls - before > *ret_calls)
			*ret_calls = d->storage_calls - before;
	}
	return rc;
}

/* ---- sessions by hand */
struct stepping {
	struct malice_call *call;
	struct session_actions actions;
	struct span frame;
};

static int work_step(struct device *d, void *ctx)
{
	struct stepping *x = ctx;
	struct session_event e = {
	        .kind = EVENT_FRAME, .now_ms = d->world->now_ms - d->boot_at_ms, .frame = x->frame};

	return session_step(x->call->session, &e, &x->actions);
}

void malice_call_init(struct malice_call *c, struct malice *m, struct device *to)
{
	struct session_config config = {.parent = true, .stay = true, .peer = m->device->cert};

	*c = (struct malice_call){.m = m, .to = to, .session = session_new(to->replica, &config)};
}

void malice_call_done(struct malice_call *c)
{
	session_free(c->session);
	short_form_done(&c->form);
	short_form_done(&c->heard);
}

static void hear(struct malice_call *c, struct span frame)
{
	struct message m;
	struct error err = {0};
	struct arena a;

	c->frames++;
	c->bytes += frame.len;
	arena_init(&a, 0);
	if (message_read(frame, &c->heard, &a, &m, &err) != 0)
		world_fail(c->to->world, "malice", "%s says what does not read: %s", c->to->label,
		           err.detail);
	else if (m.type == MSG_WELCOME)
		c->welcome = m.welcome;
	else if (m.type == MSG_DATA)
		c->data++;
	arena_done(&a);
}

void malice_say(struct malice_call *c, const struct message *msg)
{
	struct stepping x = {.call = c};
	struct buf b;
	int rc;

	if (c->closed || c->to->replica == NULL) return;
	buf_init(&b, MESSAGE_BYTES_MAX);
	message_pack(msg, &c->form, &b);
	x.frame = buf_span(&b);
	rc = device_transaction(c->to, "malice", work_step, &x);
	for (size_t i = 0; rc == 0 && i < x.actions.count; i++)
		hear(c, buf_span(&x.actions.frames[i].bytes));
	if (rc != 0 || x.actions.close) {
		c->closed = true;
		c->code = rc != 0 ? rc : x.actions.code;
	}
	session_actions_done(&x.actions);
	buf_done(&b);
	if (rc == 1) {
		session_free(c->session);
		c->session = NULL;
		return;
	}
	c->to->apply_due = true;
	device_turn_at(c->to->world, c->to, c->to->world->now_ms + 1);
}

void malice_hello(struct malice_call *c, uint64_t run, uint64_t last_run, uint64_t credit)
{
	struct message m = {.type = MSG_HELLO};

	c->nonce = random_next(&c->m->rnd) | 1;
	m.hello = (struct msg_hello){.protocol_min = PROTOCOL_MIN,
	                             .protocol_max = PROTOCOL_MAX,
	                             .run = run,
	                             .last_run = last_run,
	                             .schema_version = 1,
	                             .clock_ms = c->m->device->world->now_ms,
	                             .credit = credit,
	                             .nonce = c->nonce};
	memcpy(m.hello.cert, c->m->device->cert.id, 8);
	random_bytes(&c->m->rnd, m.hello.filter, 8);
	malice_say(c, &m);
}

void malice_data(struct malice_call *c, const struct malice_entry *e, int64_t pos)
{
	struct message m = {.type = MSG_DATA};

	m.data = (struct msg_data){.session = c->nonce,
	                           .number = ++c->number,
	                           .pos = pos,
	                           .kind = (uint8_t)e->kind,
	                           .head = e->head,
	                           .body = e->body};
	random_bytes(&c->m->rnd, m.data.rolling, 16);
	malice_say(c, &m);
}

/* ---- the swarm */
enum { CONFIG_STREAM = 83, RUN_STREAM = 8300, F = 1 << 1, G = 1 << 2, TO = 1 << 3 };

int64_t malice_config(const struct config *c)
{
	struct random rnd = random_stream(c->seed, CONFIG_STREAM);

	/* Two hands on one database are told apart by nobody. */
	if (!random_chance(&rnd, 150) || c->damage != 0 || c->tiers < 2) return 0;
	return 2 * random_range(&rnd, 1, 10);
}

void malice_begin(struct world *w, int64_t end_ms)
{
	struct random rnd = random_stream(w->config.seed, RUN_STREAM);
	bool hub = w->config.tiers == 3 && w->config.malice % 2;
	struct device *d = NULL;

	if (w->config.malice == 0) return;
	for (unsigned tries = 0; tries < 200 && d == NULL; tries++) {
		struct device *x = w->devices[random_below(&rnd, w->devices_count)];

		if (x->parent != NULL && x->hub == hub) d = x;
	}
	if (d == NULL) return;
	d->hostile = true;
	w->malice = mem_alloc(sizeof(*w->malice));
	malice_init(w->malice, d, RUN_STREAM);
	for (int64_t i = 0; i < w->config.malice; i++)
		world_at(w, random_range(&rnd, w->start_ms + 1000, end_ms), AT_MALICE, 0, 0, 0);
}

void malice_end(struct world *w)
{
	if (w->malice != NULL) malice_done(w->malice);
	free(w->malice);
	w->malice = NULL;
}

/* What is his own fault ends his own session; anything else is the device's. */
static void give(struct malice *m, struct device *to, const struct malice_entry *e)
{
	int rc = to->replica != NULL && to->joined ? malice_hand(m, to, e) : 0;

	if (rc < 0 && rc != -ERR_SIGNATURE && rc != -ERR_UNKNOWN_ORIGIN && rc != -ERR_PROTOCOL &&
	    rc != -ERR_LIMIT && rc != -ERR_VERSION && rc != -ERR_CERT_BAD && rc != -ERR_DISK_FULL &&
	    rc != -ERR_STORAGE && !(rc == -ERR_DATABASE_DAMAGED && to->storage.disk))
		world_fail(to->world, "malice", "%s: %d %s", to->label, rc,
		           replica_error(to->replica)->detail);
}

static void give_ops(struct malice *m, struct device *to, const uint8_t scope[16], struct op *ops,
                     size_t count)
{
	struct malice_entry e;

	if (malice_segment(m, scope, LANE_OPEN, ops, count, &e) == 0) give(m, to, &e);
}

static const uint8_t *any_unit(struct malice *m)
{
	struct world *w = m->device->world;

	return w->units[random_below(&m->rnd, w->units_count)].id;
}

static const uint8_t *own_unit(struct malice *m)
{
	return m->device->world->units[m->device->unit].id;
}

/* Any row that stands somewhere. */
static bool any_row(struct malice *m, uint8_t ret[16])
{
	struct world *w = m->device->world;
	struct device *d = w->devices[random_below(&m->rnd, w->devices_count)];
	struct row *rows;
	size_t n = 0;

	if (store_rows_scan(d->keeper, TABLE_THING, LANE_OPEN, 0, NULL, 256, &m->arena, &rows, &n) <
	            0 ||
	    n == 0)
		return false;
	memcpy(ret, rows[random_below(&m->rnd, n)].id, 16);
	return true;
}

static void strike_rows(struct malice *m, struct device *to)
{
	const struct value v[] = {value_int(666), value_text("evil")};
	struct op *op = malice_ops(m, 2);
	uint8_t row[16];

	malice_insert(m, &op[0], TABLE_THING, F | G, v);
	give_ops(m, to, any_unit(m), &op[0], 1);
	if (!any_row(m, row)) return;
	malice_update(m, &op[1], TABLE_THING, row, F | G, v);
	give_ops(m, to, random_chance(&m->rnd, 500) ? own_unit(m) : any_unit(m), &op[1], 1);
}

static void strike_stamps(struct malice *m, struct device *to)
{
	static const uint64_t times[] = {0, 1, STAMP_MAX, STAMP_MAX / 2};
	const struct value v[] = {value_int(1), value_text("x")};
	struct world *w = m->device->world;
	struct device *other = w->devices[random_below(&m->rnd, w->devices_count)];
	struct op *op = malice_ops(m, 2);
	uint64_t was = m->stamp;

	malice_new_run(m); /* one name, one change: two of one name are another matter */
	malice_insert(m, &op[0], TABLE_THING, F | G, v);
	m->stamp = times[random_below(&m->rnd, ARRAY_COUNT(times))];
	malice_update(m, &op[1], TABLE_THING, op[0].row, F, v);
	op[1].stamp = m->stamp;
	m->stamp = was + 2;
	if (other->replica != NULL && random_chance(&m->rnd, 500)) {
		op[1].groups = ARENA_ARRAY(&m->arena, struct clock_group, 1);
		op[1].groups[0] = (struct clock_group){
		        .run = replica_run(other->replica), .stamp = STAMP_MAX, .slots = F};
		op[1].groups_count = replica_run(other->replica) != 0;
	}
	give_ops(m, to, own_unit(m), op, 2);
	malice_new_run(m);
}

static void strike_replay(struct malice *m, struct device *to)
{
	struct device *from =
	        random_chance(&m->rnd, 500) ? to : m->device; /* what he can have seen */
	int64_t head = 0;
	uint8_t rolling[ROLLING_BYTES];
	struct malice_entry e;

	if (store_journal_head(from->keeper, &head, rolling) < 0) return;
	for (unsigned i = 0; i < 20 && head > 0; i++)
		if (malice_entry_at(m, from, random_range(&m->rnd, 1, head), &e) == 0)
			give(m, to, &e);
}

static void strike_split(struct malice *m, struct device *to)
{
	const struct value v[] = {value_int(2), value_text("split")};
	struct op *op = malice_ops(m, 6);
	uint64_t seal = m->seal, seq = m->seq;
	uint8_t prev[32];

	memcpy(prev, m->prev, 32);
	for (size_t i = 0; i < 6; i++) {
		m->seal = seal;
		m->seq = seq;
		memcpy(m->prev, prev, 32);
		if (i % 3 == 2) random_bytes(&m->rnd, m->prev, 32);
		malice_insert(m, &op[i], TABLE_THING, F | G, v);
		give_ops(m, i % 2 ? to : m->device->world->devices[0], own_unit(m), &op[i], 1);
	}
}

static void strike_size(struct malice *m, struct device *to)
{
	struct value v[1] = {value_int(1)};
	size_t n = (size_t)random_range(&m->rnd, 100, 800);
	struct op *op = malice_ops(m, n);
	char *text = arena_take(&m->arena, 30001);
	uint8_t row[16];

	if (any_row(m, row)) {
		for (size_t i = 0; i < n; i++) malice_update(m, &op[i], TABLE_THING, row, F, v);
		give_ops(m, to, any_unit(m), op, n);
	}
	memset(text, 'x', 30000);
	malice_insert(m, &op[0], TABLE_THING, F, v);
	give_ops(m, to, own_unit(m), op, 1);
	memcpy(row, op[0].row, 16);
	for (size_t i = 0; i < 12; i++) {
		v[0] = value_text(text);
		malice_update(m, &op[i], TABLE_THING, row, UINT64_C(1) << (40 + i), v);
	}
	for (size_t i = 0; i < 12; i += 4) give_ops(m, to, own_unit(m), &op[i], 4);
}

static void any_message(struct malice *m, struct malice_call *c, struct message *x)
{
	static const int64_t places[] = {0, 1, -1, 7, INT64_MAX, INT64_MIN, 1000};
	int64_t pos = places[random_below(&m->rnd, ARRAY_COUNT(places))];

	switch (random_below(&m->rnd, 6)) {
	case 0:
		*x = (struct message){.type = MSG_ACK};
		x->ack = (struct msg_ack){.session = c->nonce, .pos = pos, .credit = UINT64_MAX};
		break;
	case 1:
		*x = (struct message){.type = MSG_PLACE};
		x->place = (struct msg_place){.session = c->nonce,
		                              .number = ++c->number,
		                              .mark.pos = pos,
		                              .restart = random_chance(&m->rnd, 500)};
		break;
	case 2:
		*x = (struct message){.type = MSG_MARKS};
		x->marks.session = c->nonce;
		x->marks.count = random_below(&m->rnd, MARKS_MAX + 1);
		for (size_t i = 0; i < x->marks.count; i++)
			x->marks.marks[i].pos = pos + (int64_t)i % 3;
		break;
	case 3:
		*x = (struct message){.type = MSG_STATE};
		x->state = (struct msg_state){.session = c->nonce,
		                              .acked = pos,
		                              .parked = pos,
		                              .refused = pos,
		                              .idle = true};
		break;
	case 4:
		*x = (struct message){.type = MSG_ASK};
		x->ask = (struct msg_ask){.session = c->nonce,
		                          .what = (uint8_t)random_range(&m->rnd, 1, 2)};
		break;
	default:
		*x = (struct message){.type = MSG_BYE};
		x->bye.session = c->nonce;
		break;
	}
}

/* The run of another device, if the parent knows whose it is.  A run that is in no journal yet he cannot know: it is drawn at
 * random and told to its own parent alone. */
static uint64_t proven_run(struct device *to, struct device *other)
{
	static const uint8_t nobody[8];
	struct run_info info = {0};
	uint32_t ord = 0;
	uint64_t run = other->replica != NULL ? replica_run(other->replica) : 0;

	if (run == 0 || store_run_ord(to->keeper, run, &ord) != 0 || ord == 0 ||
	    store_run_get(to->keeper, ord, &info) != 0)
		return 0;
	return memcmp(info.nonce, nobody, sizeof(info.nonce)) != 0 ? run : 0;
}

static void strike_session(struct malice *m, struct device *to)
{
	struct world *w = m->device->world;
	struct device *other = w->devices[random_below(&w->malice->rnd, w->devices_count)];
	uint64_t run = proven_run(to, other);
	struct malice_call c;
	struct message x;

	if (to->replica == NULL || !to->joined || !m->device->joined) return;
	malice_new_run(m);
	malice_call_init(&c, m, to);
	malice_hello(&c, random_chance(&m->rnd, 700) ? m->run : run,
	             random_chance(&m->rnd, 700) ? 0 : run,
	             random_chance(&m->rnd, 500) ? UINT64_MAX : random_below(&m->rnd, 100));
	for (unsigned i = 0; i < 30 && !c.closed; i++) {
		any_message(m, &c, &x);
		if (c.session != NULL) malice_say(&c, &x);
	}
	malice_call_done(&c);
}

static void strike_lanes(struct malice *m, struct device *to)
{
	const struct value v[] = {value_text(CANARY " evil")};
	struct device *top = m->device->world->devices[0];
	struct op *op = malice_ops(m, 2);
	struct malice_entry e;
	uint8_t *head = arena_take(&m->arena, 40);

	malice_insert(m, &op[0], TABLE_THING, 2, v);
	if (malice_segment(m, own_unit(m), LANE_COUNTY, op, 1, &e) == 0)
		give(m, random_chance(&m->rnd, 500) ? to : top, &e);
	op[1] = (struct op){.kind = (uint8_t)random_range(&m->rnd, 5, 255),
	                    .table = (uint16_t)random_range(&m->rnd, 1, 999),
	                    .stamp = ++m->stamp,
	                    .slots = random_next(&m->rnd)};
	random_bytes(&m->rnd, op[1].row, 16);
	op[1].opaque = span_of("opaque", 6);
	give_ops(m, to, own_unit(m), &op[1], 1);
	head[0] = (uint8_t)random_below(&m->rnd, 4);
	if (random_chance(&m->rnd, 500))
		random_bytes(&m->rnd, head + 1, 39);
	else
		memcpy(head + 1, any_unit(m), 16);
	e = (struct malice_entry){.kind = (unsigned)random_range(&m->rnd, 5, 255),
	                          .head = span_of(head, 40)};
	give(m, to, &e);
}

static void strike_park(struct malice *m, struct device *to)
{
	struct value v[1];
	size_t n = (size_t)random_range(&m->rnd, 50, 300);
	struct op *op = malice_ops(m, n);

	if (!id_is_zero(m->awaited) && random_chance(&m->rnd, 400)) { /* it comes */
		op[0] = (struct op){.kind = OP_INSERT, .table = TABLE_THING};
		memcpy(op[0].row, m->awaited, 16);
		op[0].stamp = id_stamp(m->awaited);
		give_ops(m, to, own_unit(m), op, 1);
		memset(m->awaited, 0, 16);
		return;
	}
	if (id_is_zero(m->awaited)) id_make(++m->stamp, m->run, m->awaited);
	for (size_t i = 0; i < n; i++) {
		v[0] = i % 3 ? value_bytes(m->awaited, 16) : value_int((int64_t)i);
		if (i % 3)
			malice_insert(m, &op[i], TABLE_THING, TO, v);
		else
			malice_update(m, &op[i], TABLE_THING, m->awaited, F, v);
	}
	give_ops(m, to, own_unit(m), op, n);
}

static void strike_words(struct malice *m, struct device *to)
{
	struct world *w = m->device->world;
	struct device *from = w->devices[random_below(&m->rnd, w->devices_count)];
	struct device *victim = w->devices[random_below(&m->rnd, w->devices_count)];
	int64_t head = 0;
	uint8_t rolling[ROLLING_BYTES];
	struct malice_entry e, word;
	struct cert c = victim->cert;

	if (store_journal_head(from->keeper, &head, rolling) < 0 || head == 0 ||
	    malice_entry_at(m, from, random_range(&m->rnd, 1, head), &e) != 0)
		return;
	if (e.kind == ENTRY_SEGMENT) {
		/* Of his own children's work he may make holes, and others must believe him. */
		if (!m->device->hub) {
			malice_hole(m, &e, &word);
			give(m, to, &word);
		}
		if (m->device->hub && m->device->joined) {
			malice_admission(m, any_unit(m), LANE_OPEN, e.hash,
			                 random_chance(&m->rnd, 500), &word);
			give(m, to, &word);
		}
	}
	if (!m->device->hub || !m->device->joined || !victim->joined || victim == m->device ||
	    victim->hub)
		return;
	c.not_before_ms++;
	malice_cert(m, &c, &word);
	if (!world_under(w, victim->unit, m->device->unit)) give(m, to, &word);
}

void malice_strike(struct world *w)
{
	static const struct {
		void (*strike)(struct malice *m, struct device *to);
		enum reached reached;
	} strikes[] = {
	        {strike_rows, REACHED_EVIL_ROWS},     {strike_stamps, REACHED_EVIL_STAMPS},
	        {strike_replay, REACHED_EVIL_REPLAY}, {strike_split, REACHED_EVIL_SPLIT},
	        {strike_size, REACHED_EVIL_SIZE},     {strike_session, REACHED_EVIL_SESSION},
	        {strike_lanes, REACHED_EVIL_LANES},   {strike_park, REACHED_EVIL_PARK},
	        {strike_words, REACHED_EVIL_WORDS},
	};
	struct malice *m = w->malice;
	size_t n;

	if (m == NULL || !m->device->joined || m->device->parent->replica == NULL) return;
	n = random_below(&m->rnd, ARRAY_COUNT(strikes));
	if (stamp_of_ms(w->now_ms) > m->stamp) m->stamp = stamp_of_ms(w->now_ms);
	world_trace(w, "%s strikes: %zu", m->device->label, n);
	world_reached(w, strikes[n].reached);
	strikes[n].strike(m, m->device->parent);
	arena_reset(&m->arena);
}
