/*
 * workload.c - random transactions and the judge.
 */
#include "common/base.h"

#include "tests/sim/workload.h"

#include "common/ident.h"
#include "common/validate.h"
#include "tests/sim/vault.h"
#include "tests/sim/weather.h"

enum { WRITES_MAX = 4, FIELDS_MAX = 12, TEXT_MAX = 48 };

/* Room for one transaction's values. */
struct draft {
	struct write writes[WRITES_MAX];
	struct field_write fields[WRITES_MAX][FIELDS_MAX];
	char texts[WRITES_MAX][FIELDS_MAX][TEXT_MAX];
	size_t count;
};

/* ---- the judge: deterministic, looks at the row as it stands and at rows referred to */
static struct value op_value(const struct op *op, unsigned slot)
{
	for (size_t i = 0; i < op->values_count; i++)
		if (op->values[i].slot == slot) return op->values[i].value;
	return value_null();
}

static bool is_text(struct value v, const char *text)
{
	return v.type == VALUE_TEXT && span_equal(v.s, span_of(text, strlen(text)));
}

/* Holds what refers to a row that is not here, until it comes. */
static int judge_reference(struct replica *r, struct value ref, uint8_t field,
                           struct judgement *ret)
{
	uint16_t tables[TABLES_MAX];
	size_t count = 1;
	int rc;

	if (ref.type != VALUE_BYTES || ref.s.p == NULL || ref.s.len != 16) return 0;
	rc = store_row_tables(replica_store(r), ref.s.p, tables, &count);
	if (rc < 0 || count != 0) return rc;
	*ret = (struct judgement){.accepted = 2, .code = ERR_MISSING_REF, .field = field};
	memcpy(ret->wait, ref.s.p, 16);
	return 0;
}

/* Authority over the scope, as hub/judge.c has it. */
static int judge_scope(const struct device *d, struct replica *r, const struct judged *j,
                       struct judgement *ret)
{
	int scope = world_unit_find(d->world, j->scope),
	    unit = world_unit_find(d->world, j->author->unit);
	uint32_t ord = 0;
	int rc = j->row != NULL ? store_scope_ord(replica_store(r), j->scope, false, &ord) : 0;

	if (scope < 0) {
		*ret = (struct judgement){.accepted = 2, .code = ERR_MISSING_ROW};
		memcpy(ret->wait, j->scope, 16);
	} else if (!world_under(d->world, scope, unit) ||
	           (j->row != NULL && j->row->scope != ord)) {
		*ret = (struct judgement){.accepted = 0, .code = ERR_NOT_YOURS};
	}
	return rc;
}

static int judge_op(void *ctx, struct replica *r, const struct judged *j, struct judgement *ret)
{
	struct device *d = ctx;
	const struct op *op = j->op;
	int rc = 0;

	*ret = (struct judgement){.accepted = 1};
	rc = judge_scope(d, r, j, ret);
	if (rc != 0 || ret->accepted != 1) return rc;
	if (op->table == TABLE_THING && j->lane == LANE_OPEN) {
		/* f is closed once g is locked; one value of f is never allowed. */
		if ((op->slots & 2) && op->kind == OP_UPDATE && j->unread) {
			ret->accepted = JUDGED_UNREAD;
			return 0;
		}
		if ((op->slots & 2) && op->kind == OP_UPDATE && j->row != NULL &&
		    is_text(j->row->v[2], "lock"))
			*ret = (struct judgement){.accepted = 0, .code = ERR_LOCKED, .field = 4};
		if ((op->slots & 2) && op_value(op, 1).i % 29 == 13)
			*ret = (struct judgement){.accepted = 0, .code = ERR_RANGE, .field = 4};
		if (ret->accepted == 1 && (op->slots & 8))
			rc = judge_reference(r, op_value(op, 3), 12, ret);
	}
	if (op->table == TABLE_PARTICIPATION && op_value(op, 7).i > 600)
		*ret = (struct judgement){.accepted = 0, .code = ERR_OVER_CAP, .field = 29};
	if (ret->accepted == 0) d->world->counts.refusals++;
	if (ret->accepted == 2) d->world->counts.holds++;
	return rc;
}

void workload_judge(struct device *d)
{
	d->judge = (struct judge){.ctx = d, .op = judge_op, .unread = true};
}

/* ---- drafting */
static void put(struct draft *x, const char *field, struct value v)
{
	struct write *wr = &x->writes[x->count - 1];
	const struct field *f = table_field_named(wr->table, field);

	assert(f != NULL && wr->fields_count < FIELDS_MAX);
	x->fields[x->count - 1][wr->fields_count++] = (struct field_write){f, v};
}

static void put_text(struct draft *x, const char *field, const char *format, unsigned long long n)
{
	char *text = x->texts[x->count - 1][x->writes[x->count - 1].fields_count];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text, TEXT_MAX, format, n);
#pragma GCC diagnostic pop
	put(x, field, value_text(text));
}

static struct write *begin(struct device *d, struct draft *x, uint16_t table, enum write_kind kind)
{
	struct write *wr = &x->writes[x->count];

	*wr = (struct write){.kind = kind,
	                     .table = schema_table(device_schema(d), table),
	                     .fields = x->fields[x->count]};
	x->count++;
	return wr;
}

/* People work on what they see. */
static bool is_here(const struct device *d, const struct known_row *k)
{
	uint16_t tables[TABLES_MAX];
	size_t count = 0;

	return store_row_tables(d->keeper, k->id, tables, &count) == 0 && count > 0;
}

static const struct known_row *pick(struct world *w, const struct workload *load,
                                    const struct device *d, uint16_t table, bool here)
{
	/* The last few rows most of the time: that is where concurrent edits are. */
	for (unsigned tries = 0; tries < 12 && load->count > 0; tries++) {
		size_t few = w->config.crowd ? 3 : 6;
		size_t back =
		        random_chance(&w->work, w->config.crowd ? 900 : 700) ? few : load->count;
		const struct known_row *k =
		        &load->rows[load->count - 1 -
		                    random_below(&w->work,
		                                 back < load->count ? back : load->count)];

		if (k->table != table || (here && !is_here(d, k))) continue;
		if (k->unit < 0 ? k->device == d->number : world_under(w, k->unit, d->unit))
			return k;
	}
	return NULL;
}

/* Where a new row belongs: mostly here; hubs also write for the sites below. */
static int place(struct world *w, const struct device *d, struct write *wr)
{
	int unit = d->unit;

	if (!d->joined) return -1;
	for (unsigned tries = 0;
	     d->hub && !vault_at_home(w) && tries < 4 && random_chance(&w->work, 600); tries++) {
		int other = (int)random_below(&w->work, w->units_count);

		if (world_under(w, other, d->unit)) unit = other;
	}
	memcpy(wr->scope, w->units[unit].id, 16);
	return unit;
}

static bool closed_here(const struct device *d)
{
	return !d->hub || d->world->units[d->unit].level >= LEVEL_PREFECTURE;
}

/* The id of a row that never comes. */
static void put_nobody(struct world *w, struct draft *x)
{
	char *id = x->texts[x->count - 1][x->writes[x->count - 1].fields_count];

	random_bytes(&w->work, id, 16);
	put(x, "to", value_bytes(id, 16));
}

static void thing_fields(struct world *w, const struct workload *load, struct device *d,
                         struct draft *x, unsigned mask)
{
	uint64_t n = random_next(&w->work);

	if (mask & 1) put(x, "f", value_int((int64_t)(n % 1000)));
	if (mask & 2) {
		if (random_chance(&w->work, (unsigned)w->config.refuse))
			put(x, "g", value_text("lock"));
		else
			put_text(x, "g", "g%llu", n >> 40);
	}
	if ((mask & 4) && closed_here(d)) put_text(x, "s", CANARY " %llu", n >> 30);
	if ((mask & 8) && closed_here(d)) put(x, "h", value_int((int64_t)(n % 77)));
	if (mask & 16) {
		/* Often a neighbour's row, which may reach the hub later than what refers to it. */
		const struct known_row *to =
		        pick(w, load, !d->hub && d->joined ? d->parent : d, TABLE_THING,
		             /* here= */ false);

		if (w->config.hold > 500 && random_chance(&w->work, 80))
			put_nobody(w, x); /* what refers to it waits for ever */
		else if (to != NULL)
			put(x, "to", value_bytes(to->id, 16));
	}
	if (d->next_schema && (mask & 32)) put_text(x, "later", "later %llu", n >> 20);
	if (d->next_schema && (mask & 64) && closed_here(d))
		put_text(x, "closed_later", CANARY " later %llu", n >> 20);
}

static bool draft_small(struct world *w, const struct workload *load, struct device *d,
                        struct draft *x)
{
	uint64_t z = random_below(&w->work, 100);
	bool refer = random_chance(&w->work, (unsigned)w->config.hold);
	const struct known_row *k;
	struct write *wr;

	if (z < 22) {
		wr = begin(d, x, TABLE_THING, WRITE_INSERT);
		thing_fields(w, load, d, x,
		             15u | (refer ? 16u : 0) | (unsigned)random_below(&w->work, 4) << 5);
	} else if (z < 28) {
		wr = begin(d, x, TABLE_TICK, WRITE_INSERT);
		put(x, "n", value_int((int64_t)random_below(&w->work, 50)));
		if (closed_here(d))
			put_text(x, "who", CANARY " who %llu", random_below(&w->work, 90));
	} else if (z < 32 && d->next_schema) {
		wr = begin(d, x, TABLE_NOVEL, WRITE_INSERT);
		put(x, "n", value_int((int64_t)random_below(&w->work, 50)));
		if (closed_here(d))
			put_text(x, "closed_n", CANARY " n %llu", random_below(&w->work, 90));
	} else if (z < 36 && d->joined) { /* a set: owner (unit) and element make the id */
		uint8_t element = (uint8_t)random_below(&w->work, 5);
		struct span parts[2];

		wr = begin(d, x, TABLE_TAG, WRITE_INSERT);
		if (place(w, d, wr) < 0) return false;
		parts[0] = span_of(wr->scope, 16);
		parts[1] = span_of(&element, 1);
		id_derive("tag", parts, 2, wr->row);
		wr->has_id = true;
		put_text(x, "element", "element %llu", element);
		return true;
	} else {
		enum write_kind kind = z < 80   ? WRITE_UPDATE
		                       : z < 91 ? WRITE_DELETE
		                                : WRITE_RESTORE;
		uint16_t table = kind != WRITE_UPDATE && random_chance(&w->work, 300) ? TABLE_TAG
		                                                                      : TABLE_THING;

		k = pick(w, load, d,
		         d->next_schema && random_chance(&w->work, 100) ? TABLE_NOVEL : table,
		         true);
		if (k == NULL) return false;
		wr = begin(d, x, k->table, kind);
		memcpy(wr->row, k->id, 16);
		if (kind != WRITE_UPDATE) return true;
		if (k->table == TABLE_NOVEL)
			put(x, "n", value_int((int64_t)random_below(&w->work, 50)));
		else if (k->table == TABLE_TAG)
			put_text(x, "element", "element %llu", random_below(&w->work, 9));
		else
			thing_fields(w, load, d, x,
			             1u + (unsigned)random_below(&w->work, 15) + (refer ? 16u : 0) +
			                     (unsigned)random_below(&w->work, 4) * 32u);
		return wr->fields_count > 0;
	}
	(void)place(w, d, wr);
	return true;
}

static int64_t some_day(struct world *w)
{
	return date_days(2011, 1 + (int)random_below(&w->work, 3),
	                 1 + (int)random_below(&w->work, 27));
}

static const char *const vstats[] = {"active", "active", "pending", "paused", "left"};
static const char *const astats[] = {"draft", "finished", "finished", "hours_confirmed",
                                     "cancelled"};
static const char *const hstats[] = {"2", "2", "0", "6"};
static const char *const acts[] = {"0", "B1", "D1", "C3", "A1"};
#define ANY(W, LIST) ((LIST)[random_below(&(W)->work, ARRAY_COUNT(LIST))])

static bool draft_volunteer(struct world *w, struct device *d, struct draft *x,
                            const struct known_row *k)
{
	struct write *wr = begin(d, x, TABLE_VOLUNTEER, k ? WRITE_UPDATE : WRITE_INSERT);

	if (!k) {
		put_text(x, "volunteer_no", "V%llu", random_below(&w->work, 10000));
		put_text(x, "name", CANARY " 王秀英 %llu", random_below(&w->work, 1000));
		put(x, "vstat", value_text(ANY(w, vstats)));
		put(x, "registered", value_int(some_day(w)));
		(void)place(w, d, wr);
		return true;
	}
	memcpy(wr->row, k->id, 16);
	if (random_chance(&w->work, 120)) {
		wr->kind = random_chance(&w->work, 700) ? WRITE_DELETE : WRITE_RESTORE;
		return true;
	}
	if (random_chance(&w->work, 500)) put(x, "vstat", value_text(ANY(w, vstats)));
	if (random_chance(&w->work, 300)) put(x, "registered", value_int(some_day(w)));
	if (wr->fields_count == 0)
		put_text(x, "name", CANARY " 李娟 %llu", random_below(&w->work, 1000));
	return true;
}

/* An activity of a closed kind says nothing in the open lane. */
static bool closed_activity(struct world *w, struct draft *x, const struct known_row *k)
{
	if (!k) put(x, "act_closed", value_text(random_chance(&w->work, 500) ? "C3" : "A1"));
	if (!k) put_text(x, "closed_title", CANARY " 走访 %llu", random_below(&w->work, 1000));
	if (!k || random_chance(&w->work, 300))
		put(x, "closed_start", value_int(some_day(w) * 86400000 + 3600000));
	if (!k || random_chance(&w->work, 500))
		put(x, "closed_households", value_int((int64_t)random_below(&w->work, 30)));
	return x->writes[x->count - 1].fields_count > 0;
}

static bool draft_activity(struct world *w, struct device *d, struct draft *x,
                           const struct known_row *k)
{
	struct write *wr = begin(d, x, TABLE_ACTIVITY, k ? WRITE_UPDATE : WRITE_INSERT);
	bool closed = k ? k->closed : closed_here(d) && random_chance(&w->work, 250);

	if (k) {
		memcpy(wr->row, k->id, 16);
		if (random_chance(&w->work, 100)) {
			wr->kind = random_chance(&w->work, 700) ? WRITE_DELETE : WRITE_RESTORE;
			return true;
		}
	} else {
		(void)place(w, d, wr);
	}
	if (closed) return closed_here(d) && closed_activity(w, x, k);
	if (!k) {
		put_text(x, "title", "三八活动 %llu", random_below(&w->work, 1000));
		put(x, "act", value_text(random_chance(&w->work, 500) ? "B1" : "D1"));
	}
	if (!k || random_chance(&w->work, 500)) put(x, "astat", value_text(ANY(w, astats)));
	if (!k || random_chance(&w->work, 300))
		put(x, "start", value_int(some_day(w) * 86400000 + 3600000));
	if (random_chance(&w->work, 500))
		put(x, "hh_served", value_int((int64_t)random_below(&w->work, 30)));
	if (closed_here(d) && random_chance(&w->work, 200))
		put_text(x, "note", CANARY " note %llu", random_below(&w->work, 99));
	return wr->fields_count > 0;
}

static bool draft_participation(struct world *w, const struct workload *load, struct device *d,
                                struct draft *x)
{
	const struct known_row *v = pick(w, load, d, TABLE_VOLUNTEER, true),
	                       *a = pick(w, load, d, TABLE_ACTIVITY, true);
	struct write *wr;
	int64_t in = some_day(w) * 86400000 + 36000000,
	        minutes = 30 + (int64_t)random_below(&w->work, 640);

	if (v == NULL) return draft_volunteer(w, d, x, NULL);
	wr = begin(d, x, TABLE_PARTICIPATION, WRITE_INSERT);
	put(x, "volunteer", value_bytes(v->id, 16));
	if (a != NULL) put(x, "activity", value_bytes(a->id, 16));
	put(x, "act", value_text(ANY(w, acts)));
	put(x, "in", value_int(in));
	put(x, "out", value_int(in + minutes * 60000));
	put(x, "minutes", value_int(minutes));
	put(x, "hsrc", value_text("1"));
	put(x, "hstat", value_text(ANY(w, hstats)));
	(void)place(w, d, wr);
	return true;
}

static bool draft_real(struct world *w, const struct workload *load, struct device *d,
                       struct draft *x)
{
	uint64_t z = random_below(&w->work, 100);

	/* The closed part of these does not exist at the province. */
	if (!closed_here(d))
		return z < 50 &&
		       draft_activity(w, d, x,
		                      z < 25 ? pick(w, load, d, TABLE_ACTIVITY, true) : NULL);
	if (z < 20) return draft_volunteer(w, d, x, NULL);
	if (z < 45) return draft_volunteer(w, d, x, pick(w, load, d, TABLE_VOLUNTEER, true));
	if (z < 60) return draft_activity(w, d, x, NULL);
	if (z < 75) return draft_activity(w, d, x, pick(w, load, d, TABLE_ACTIVITY, true));
	return draft_participation(w, load, d, x);
}

static void note(struct workload *load, struct world *w, const struct device *d,
                 const struct draft *x)
{
	for (size_t i = 0; i < x->count; i++) {
		const struct write *wr = &x->writes[i];
		struct known_row *k;

		if (wr->kind != WRITE_INSERT || load->count == KNOWN_MAX) continue;
		k = &load->rows[load->count++];
		*k = (struct known_row){.table = wr->table->number, .device = d->number};
		memcpy(k->id, wr->row, 16);
		for (size_t f = 0; f < wr->fields_count; f++)
			k->closed |= strcmp(wr->fields[f].field->name, "act_closed") == 0;
		k->unit = id_is_zero(wr->scope) ? (d->joined ? d->unit : -1)
		                                : world_unit_find(w, wr->scope);
	}
}

/* "inserts thing #12: f=7, g=lock; deletes tag #3" */
static void describe(const struct workload *load, const struct draft *x, char *out, size_t room)
{
	static const char *const verbs[] = {"", "inserts", "edits", "deletes", "restores"};
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < x->count && n < room; i++) {
		const struct write *wr = &x->writes[i];
		size_t row = 0;

		for (size_t k = 0; k < load->count; k++)
			if (memcmp(load->rows[k].id, wr->row, 16) == 0) row = k + 1;
		n += (size_t)snprintf(out + n, room - n, "%s%s %s #%zu", i ? "; " : "",
		                      verbs[wr->kind], wr->table->name, row);
		for (size_t k = 0; k < wr->fields_count && n < room; k++) {
			struct value v = wr->fields[k].value;

			n += (size_t)snprintf(out + n, room - n, "%s %s=", k ? "," : ":",
			                      wr->fields[k].field->name);
			if (n >= room) break;
			if (v.type == VALUE_INT)
				n += (size_t)snprintf(out + n, room - n, "%" PRId64, v.i);
			else if (v.type == VALUE_TEXT)
				n += (size_t)snprintf(out + n, room - n, "%.*s", (int)v.s.len,
				                      (const char *)v.s.p);
			else
				n += (size_t)snprintf(out + n, room - n, "(id)");
		}
	}
}

static void tell_write(struct world *w, const struct workload *load, const struct device *d,
                       const struct draft *x, bool whole, bool command, int rc)
{
	char what[400], how[64] = "";

	if (!w->story || x->count == 0) return;
	describe(load, x, what, sizeof(what));
	if (rc < 0) (void)snprintf(how, sizeof(how), " is not allowed (%d):", -rc);
	if (rc > 0) (void)snprintf(how, sizeof(how), " dies as it");
	world_tell(w, "%s%s %s%s%s", d->label, how, what, whole ? ", all or nothing" : "",
	           command ? ", by a second program" : "");
}

/* Is the last write of the draft of a kind that nobody does in this world? */
static bool not_done(const struct world *w, const struct device *d, const struct draft *x)
{
	const struct write *wr = &x->writes[x->count - 1];
	int64_t classes = d->hub ? WITHOUT_HUBS : 0;

	classes |= wr->kind == WRITE_INSERT   ? WITHOUT_INSERT
	           : wr->kind == WRITE_UPDATE ? WITHOUT_UPDATE
	           : wr->kind == WRITE_DELETE ? WITHOUT_DELETE
	                                      : WITHOUT_RESTORE;
	if (wr->table->kind == TABLE_SET) classes |= WITHOUT_TAGS;
	if (wr->table->kind == TABLE_ONCE) classes |= WITHOUT_ONCE;
	if (wr->table->number == TABLE_NOVEL) classes |= WITHOUT_NOVEL;
	/* Somebody has to begin. */
	if (wr->kind == WRITE_INSERT && wr->table->kind == TABLE_FIELD && d->number % 2 == 1)
		classes &= ~WITHOUT_INSERT;
	return (w->config.without & classes) != 0;
}

/* Single changes of a transaction can be left out. */
static void leave_out(struct world *w, const struct device *d, struct draft *x)
{
	size_t kept = 0;

	for (size_t i = 0; i < x->count; i++) {
		uint64_t at = (uint64_t)(w->now_ms - w->start_ms) * WRITES_MAX + i;

		if (world_allows(w, DRAWN_CHANGE, d->number, at)) x->writes[kept++] = x->writes[i];
	}
	x->count = kept;
}

void workload_write_at(struct world *w, struct workload *load, struct device *d)
{
	struct draft *x = mem_alloc(sizeof(*x));
	size_t writes = 1 + random_below(&w->work, WRITES_MAX);
	bool real = random_chance(&w->work, (unsigned)w->config.real),
	     whole = random_chance(&w->work, (unsigned)w->config.whole);
	bool command = random_chance(&w->work, (unsigned)w->config.command);
	int rc;

	load->done++;
	while (x->count < writes) {
		size_t before = x->count;

		if (real ? !draft_real(w, load, d, x) : !draft_small(w, load, d, x)) {
			x->count = before;
			break;
		}
		if (real && closed_here(d) && x->count == before) break;
		if (x->count > before && not_done(w, d, x)) {
			x->count--;
			if (writes > 1) writes--;
			if (x->count == 0 && writes == 1) break;
		}
	}
	leave_out(w, d, x);
	rc = x->count == 0 ? -1 : device_write(d, x->writes, x->count, whole, command);
	world_trace(w, "%s writes %zu%s%s: %d", d->label, x->count, whole ? ", whole" : "",
	            command ? ", by command" : "", rc);
	if (rc == 0)
		note(load, w, d, x);
	else {
		w->counts.rejected++;
		REACHED(w, WRITE_REJECTED);
	}
	tell_write(w, load, d, x, whole, command, rc);
	free(x);
}

void workload_write(struct world *w, struct workload *load)
{
	struct device *d = w->devices[random_below(&w->work, w->devices_count)];

	/* Hubs write less than sites. */
	if (d->hub && random_chance(&w->work, 500))
		d = w->devices[random_below(&w->work, w->devices_count)];
	if (d->replica != NULL) workload_write_at(w, load, d);
}

void workload_write_too(struct world *w, struct workload *load, struct random *rnd)
{
	struct device *d = w->devices[random_below(rnd, w->devices_count)];

	if (w->devices[random_below(&w->work, w->devices_count)]->hub)
		(void)random_next(&w->work); /* as the first writer was chosen */
	if (d->replica != NULL) workload_write_at(w, load, d);
}

int workload_tree(struct world *w, struct device *top)
{
	int rc = 0;

	for (size_t i = 0; i < w->units_count && rc == 0; i++) {
		struct draft *x = mem_alloc(sizeof(*x));
		struct write *wr = begin(top, x, TABLE_ORG_UNIT, WRITE_INSERT);

		memcpy(wr->row, w->units[i].id, 16);
		wr->has_id = true;
		put_text(x, "code", "%012llu", 110000000000ULL + i);
		put(x, "level", value_int(w->units[i].level));
		put_text(x, "name", "单位 %llu", i);
		if (w->units[i].parent >= 0)
			put(x, "parent", value_bytes(w->units[w->units[i].parent].id, 16));
		rc = device_write(top, x->writes, 1, /* whole= */ false, /* by_command= */ false);
		free(x);
	}
	return rc;
}
