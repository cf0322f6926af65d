/*
 * malice.c - what an attacker makes by hand.
 */
#include "common/base.h"

#include "tests/sim/malice.h"

#include "common/ident.h"

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
