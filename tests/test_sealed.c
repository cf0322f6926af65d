/*
 * test_sealed.c - the sealed lane: envelopes that open for whom they were closed to, at their place, and nowhere else; whose
 * certificate a writer believes; what a hub says of bytes that are no envelope.
 */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/crypt.h"
#include "common/ident.h"
#include "common/pack.h"
#include "node/dossier.h"
#include "node/unseal.h"
#include "proto/officer.h"
#include "proto/person.h"
#include "proto/revoke.h"
#include "tests/support/trio.h"

#define OK(CALL) assert_int_equal((CALL), 0)
#define SECRET   "她说昨夜又挨打"

static const uint8_t author[8] = {'a', 'u', 't', 'h', 'o', 'r', ' ', '8'};

enum { RIGHTS, SECOND, LIAISON, SAFE, OFFICERS };

static struct dice dice;

static void draw(void *ctx, void *ret, size_t len)
{
	dice_fill(ctx, ret, len);
}

static const struct envelope_chance chance = {draw, &dice};

static struct envelope_place place(void)
{
	struct envelope_place at = {.table = TABLE_CASE_RECORD, .field = 10};

	memcpy(at.row, "row row row row ", 16);
	memcpy(at.of, "case case case c", 16);
	return at;
}

static void keys(unsigned who, struct officer_keys *ret)
{
	uint8_t seed[32] = {(uint8_t)(70 + who)};

	officer_keys(seed, ret);
}

static void close_to(const unsigned *who, size_t count, struct span content, struct buf *out)
{
	uint8_t to[ENVELOPE_RECIPIENTS_MAX][LINK_KEY];
	struct envelope_place at = place();
	struct officer_keys k;
	struct error err = {0};

	for (size_t i = 0; i < count; i++) {
		keys(who[i], &k);
		memcpy(to[i], k.link_public, LINK_KEY);
	}
	buf_init(out, ENVELOPE_BYTES_MAX);
	OK(envelope_close(&at, author, (const uint8_t(*)[LINK_KEY])to, count, content, &chance, out,
	                  &err));
}

/* The whole way; false: some step of it says no. */
static bool opens(struct span in, unsigned who, const struct envelope_place *at, struct buf *ret)
{
	struct officer_keys k;
	struct envelope e;
	uint8_t key[SEAL_KEY];

	keys(who, &k);
	return envelope_parse(in, &e) && unseal_key(&e, k.link_public, k.link_secret, key) &&
	       unseal_content(&e, at, key, ret);
}

static void opens_for_its_officers_alone(void **state)
{
	static const unsigned to[] = {RIGHTS, SAFE};
	struct envelope_place at = place(), other;
	struct buf sealed, plain;

	(void)state;
	close_to(to, 2, span_of(SECRET, strlen(SECRET)), &sealed);
	assert_null(memmem(sealed.p, sealed.len, SECRET, strlen(SECRET)));
	buf_init(&plain, ENVELOPE_CONTENT_MAX + 1);
	for (unsigned who = 0; who < OFFICERS; who++) {
		bool may = who == RIGHTS || who == SAFE;
		assert_int_equal(opens(buf_span(&sealed), who, &at, &plain), may);
		if (may) assert_true(span_equal(buf_span(&plain), span_of(SECRET, strlen(SECRET))));
	}
	/* At no other place. */
	for (unsigned i = 0; i < 4; i++) {
		other = at;
		if (i == 0) other.row[15] ^= 1;
		if (i == 1) other.of[0] ^= 1;
		if (i == 2) other.table++;
		if (i == 3) other.field += 4;
		assert_false(opens(buf_span(&sealed), RIGHTS, &other, &plain));
	}
	buf_done(&sealed);
	buf_done(&plain);
}

static void every_byte_counts(void **state)
{
	static const unsigned to[] = {RIGHTS, SECOND};
	struct envelope_place at = place();
	struct buf sealed, plain;

	(void)state;
	close_to(to, 2, span_of(SECRET, strlen(SECRET)), &sealed);
	buf_init(&plain, ENVELOPE_CONTENT_MAX + 1);
	for (size_t i = 0; i < sealed.len; i++) {
		sealed.p[i] ^= 1;
		assert_false(opens(buf_span(&sealed), RIGHTS, &at, &plain));
		sealed.p[i] ^= 1;
	}
	for (size_t len = 0; len < sealed.len; len++) {
		struct envelope e;
		assert_false(envelope_parse(span_of(sealed.p, len), &e));
	}
	assert_true(opens(buf_span(&sealed), RIGHTS, &at, &plain));
	buf_done(&sealed);
	buf_done(&plain);
}

static void sizes_say_little(void **state)
{
	static const struct {
		size_t len, size;
	} said[] = {{0, 1024},    {1, 1024},     {1023, 1024},   {1024, 4096},
	            {4095, 4096}, {4096, 16384}, {16384, 49152}, {49151, 49152}};
	static const unsigned to[] = {RIGHTS};
	static uint8_t text[ENVELOPE_CONTENT_MAX + 1];
	static const uint8_t one[1][LINK_KEY] = {{9}};
	struct envelope_place at = place();
	struct buf sealed, plain;
	struct error err = {0};
	struct envelope e;

	(void)state;
	memset(text, 0x80, sizeof(text)); /* what the padding begins with */
	for (size_t i = 0; i < ARRAY_COUNT(said); i++) {
		close_to(to, 1, span_of(text, said[i].len), &sealed);
		assert_true(envelope_parse(buf_span(&sealed), &e));
		assert_int_equal(e.sealed.len, said[i].size + SEAL_TAG);
		buf_init(&plain, ENVELOPE_CONTENT_MAX + 1);
		assert_true(opens(buf_span(&sealed), RIGHTS, &at, &plain));
		assert_int_equal(plain.len, said[i].len);
		buf_done(&sealed);
		buf_done(&plain);
	}
	buf_init(&sealed, ENVELOPE_BYTES_MAX);
	assert_int_equal(envelope_close(&at, author, one, 1, span_of(text, sizeof(text)), &chance,
	                                &sealed, &err),
	                 -ERR_TOO_LONG);
	buf_done(&sealed);
}

/* One encoding: who stands twice, or out of order, is nowhere. */
static void recipients_in_order(void **state)
{
	static const unsigned to[] = {RIGHTS, SECOND};
	uint8_t *wraps, swap[ENVELOPE_WRAP];
	struct buf sealed;
	struct envelope e;

	(void)state;
	close_to(to, 2, span_of("x", 1), &sealed);
	assert_true(envelope_parse(buf_span(&sealed), &e));
	wraps = sealed.p + (e.wraps - sealed.p);
	memcpy(swap, wraps, ENVELOPE_WRAP);
	memcpy(wraps, wraps + ENVELOPE_WRAP, ENVELOPE_WRAP);
	assert_false(envelope_parse(buf_span(&sealed), &e)); /* the same twice */
	memcpy(wraps + ENVELOPE_WRAP, swap, ENVELOPE_WRAP);
	assert_false(envelope_parse(buf_span(&sealed), &e)); /* the other way round */
	buf_done(&sealed);
}

/* The key that comes later opens the envelope that was there, and says so by its commit; one for another does not. */
static void keys_that_come_later(void **state)
{
	static const unsigned to[] = {RIGHTS}, others[] = {SECOND};
	struct envelope_place at = place();
	struct officer_keys k, second;
	struct buf sealed, other, more, plain;
	struct envelope e, o, m;
	struct error err = {0};
	uint8_t key[SEAL_KEY], again[SEAL_KEY], later[1][LINK_KEY];

	(void)state;
	close_to(to, 1, span_of(SECRET, strlen(SECRET)), &sealed);
	close_to(others, 1, span_of("another", 7), &other);
	buf_init(&more, ENVELOPE_BYTES_MAX);
	buf_init(&plain, ENVELOPE_CONTENT_MAX + 1);
	keys(RIGHTS, &k);
	keys(SECOND, &second);
	memcpy(later[0], second.link_public, LINK_KEY);
	assert_true(envelope_parse(buf_span(&sealed), &e));
	assert_true(envelope_parse(buf_span(&other), &o));
	assert_true(unseal_key(&e, k.link_public, k.link_secret, key));
	OK(envelope_close_key(author, (const uint8_t(*)[LINK_KEY])later, 1, key, &chance, &more,
	                      &err));
	assert_true(envelope_parse(buf_span(&more), &m));
	assert_int_equal(m.kind, ENVELOPE_KEYS);
	assert_memory_equal(m.commit, e.commit, 32);
	assert_true(unseal_key(&m, second.link_public, second.link_secret, again));
	assert_memory_equal(again, key, SEAL_KEY);
	assert_true(unseal_content(&e, &at, again, &plain));
	assert_false(unseal_content(&o, &at, again, &plain)); /* not of that one */
	assert_false(unseal_content(&m, &at, again, &plain)); /* there is nothing in it */
	more.p[10] ^= 1;
	assert_false(envelope_parse(buf_span(&more), &m) &&
	             unseal_key(&m, k.link_public, k.link_secret, again));
	buf_done(&sealed);
	buf_done(&other);
	buf_done(&more);
	buf_done(&plain);
}

/* ---- what stands inside */

static void whose_word_it_is(void **state)
{
	struct envelope_place at = place(), moved = place();
	struct officer_keys k;
	struct dossier d = {.count = 2}, got;
	struct error err = {0};
	struct buf b;

	(void)state;
	keys(LIAISON, &k);
	memcpy(d.key, k.sign_public, 32);
	d.fields[0] = table_field_named(&table_case_content, "kind");
	d.values[0] = value_text("report");
	d.fields[1] = table_field_named(&table_case_content, "text");
	d.values[1] = value_text(SECRET);
	buf_init(&b, ENVELOPE_CONTENT_MAX);
	OK(dossier_pack(&d, &at, k.sign_secret, &b, &err));
	assert_true(dossier_parse(buf_span(&b), &at, &got));
	assert_true(got.signed_well && got.count == 2);
	assert_ptr_equal(got.fields[1], d.fields[1]);
	assert_true(value_equal(got.values[1], d.values[1]));
	moved.of[3] ^= 1;
	assert_true(dossier_parse(buf_span(&b), &moved, &got));
	assert_false(got.signed_well);
	b.p[b.len - 1] ^= 1;
	assert_true(!dossier_parse(buf_span(&b), &at, &got) || !got.signed_well);
	for (size_t len = 0; len < b.len; len++)
		assert_false(dossier_parse(span_of(b.p, len), &at, &got));
	buf_done(&b);
}

/* The numbers of what stands inside are a contract as those of tables are. */
static void inside_is_described(void **state)
{
	static const struct {
		uint8_t number;
		const char *name;
	} said[] = {{6, "kind"},
	            {10, "at"},
	            {14, "text"},
	            {18, "persons"},
	            {22, "will_of_victim"},
	            {26, "reported_police"},
	            {30, "warning_letter"},
	            {34, "order_until"},
	            {38, "referred_to"},
	            {42, "result"}};

	(void)state;
	assert_int_equal(table_case_content.fields_count, ARRAY_COUNT(said));
	for (size_t i = 0; i < ARRAY_COUNT(said); i++) {
		const struct field *f = table_field(&table_case_content, said[i].number);
		assert_non_null(f);
		assert_string_equal(f->name, said[i].name);
		assert_int_equal(f->tier, 4);
		assert_int_equal(field_lane(f), LANE_SEALED);
	}
	assert_ptr_equal(schema_table_named(&schema_current, "case_content"), NULL);
}

/* ---- officers */

static void request(struct trio *t, unsigned who, enum officer_role role, enum trio_unit unit,
                    struct officer_request *ret)
{
	struct officer_keys k;

	keys(who, &k);
	*ret = (struct officer_request){.role = (uint8_t)role};
	memcpy(ret->sign_key, k.sign_public, 32);
	memcpy(ret->link_key, k.link_public, 32);
	memcpy(ret->unit, t->units[unit], 16);
}

static int certify(struct trio_device *d, unsigned who, enum officer_role role, enum trio_unit unit,
                   int64_t life_ms)
{
	static const uint8_t nobody[8];
	struct officer_request q;
	int rc;

	request(d->t, who, role, unit, &q);
	OK(replica_begin(d->r));
	rc = replica_certify_officer(d->r, &q, life_ms, nobody);
	if (rc)
		replica_rollback(d->r);
	else
		OK(replica_commit(d->r));
	return rc;
}

static int recipients(struct trio_device *d, size_t *ret_count)
{
	uint8_t(*to)[LINK_KEY] = NULL;

	return replica_recipients(d->r, replica_own_scope(d->r), &d->t->a, &to, ret_count);
}

static int cause(struct trio_device *d, unsigned who)
{
	struct officer_row *all = NULL;
	struct officer_keys k;
	size_t n = 0;
	int found = -1;

	keys(who, &k);
	OK(replica_officers(d->r, &d->t->a, &all, &n));
	for (size_t i = 0; i < n; i++)
		if (!memcmp(all[i].o.sign_key, k.sign_public, 32)) found = all[i].cause;
	return found;
}

#define YEAR (INT64_C(365) * 86400000)

static void the_province_says_who(void **state)
{
	struct trio *t = trio_new();
	size_t n = 0;

	(void)state;
	assert_true(trio_settle(t));
	assert_int_equal(recipients(t->site, &n), -ERR_OFFICERS);
	assert_int_equal(certify(t->county, RIGHTS, OFFICER_RIGHTS, UNIT_COUNTY, YEAR),
	                 -ERR_NO_PERMISSION);
	OK(certify(t->province, RIGHTS, OFFICER_RIGHTS, UNIT_COUNTY, YEAR));
	assert_true(trio_settle(t));
	assert_int_equal(recipients(t->site, &n), -ERR_OFFICERS); /* no recovery key yet */
	OK(certify(t->province, SAFE, OFFICER_RECOVERY, UNIT_COUNTY, YEAR));
	OK(certify(t->province, LIAISON, OFFICER_LIAISON, UNIT_SITE, YEAR));
	OK(certify(t->province, SECOND, OFFICER_RIGHTS, UNIT_AWAY, YEAR)); /* another county's */
	assert_true(trio_settle(t));
	OK(recipients(t->site, &n));
	assert_int_equal(n, 3);
	OK(recipients(t->other, &n)); /* another site: not its neighbour's liaison */
	assert_int_equal(n, 2);
	trio_free(t);
}

/* A row of the table that somebody writes whom nobody certifies people for. */
static void plant(struct trio_device *d, const struct officer *o, enum trio_unit scope)
{
	struct officer copy = *o;
	struct error err = {0};
	uint8_t person[8];
	struct buf b;

	buf_init(&b, OFFICER_BYTES);
	OK(officer_make(&copy, d->identity.sign_secret, &b, &err));
	person_of(o->sign_key, person);
	struct field_write f[] = {
	        trio_said("officer", "cert", value_bytes(b.p, b.len)),
	        trio_said("officer", "officer", value_bytes(person, 8)),
	};
	struct write w = {.kind = WRITE_INSERT,
	                  .table = trio_table("officer"),
	                  .fields = f,
	                  .fields_count = ARRAY_COUNT(f)};
	memcpy(w.scope, d->t->units[scope], 16);
	OK(trio_write(d, &w, 1, false));
	buf_done(&b);
}

/* A county that would read what its sites seal names a key of its own, in its own name or in the province's. */
static void a_county_names_nobody(void **state)
{
	struct trio *t = trio_new();
	struct officer o = {.role = OFFICER_RIGHTS,
	                    .not_before_ms = t->now_ms,
	                    .not_after_ms = t->now_ms + YEAR};
	struct officer_keys k;
	size_t n = 0;

	(void)state;
	assert_true(trio_settle(t));
	OK(certify(t->province, RIGHTS, OFFICER_RIGHTS, UNIT_COUNTY, YEAR));
	OK(certify(t->province, SAFE, OFFICER_RECOVERY, UNIT_COUNTY, YEAR));
	for (unsigned i = 0; i < 2; i++) {
		keys(i == 0 ? SECOND : LIAISON, &k);
		memcpy(o.sign_key, k.sign_public, 32);
		memcpy(o.link_key, k.link_public, 32);
		memcpy(o.unit, t->units[UNIT_COUNTY], 16);
		memcpy(o.issuer, (i == 0 ? t->county : t->province)->identity.origin, 16);
		plant(t->county, &o, UNIT_COUNTY);
	}
	assert_true(trio_settle(t));
	assert_int_equal(cause(t->site, SECOND), ERR_CERT_BAD);
	assert_int_equal(cause(t->site, LIAISON), ERR_CERT_BAD);
	assert_int_equal(cause(t->site, RIGHTS), 0);
	OK(recipients(t->site, &n));
	assert_int_equal(n, 2);
	trio_free(t);
}

/* A certificate for one unit says nothing in the scope of another. */
static void not_in_anothers_scope(void **state)
{
	struct trio *t = trio_new();
	struct officer_row *all = NULL;
	struct field_write f[2];
	struct write w = {.kind = WRITE_INSERT,
	                  .table = trio_table("officer"),
	                  .fields = f,
	                  .fields_count = 2};
	uint8_t person[8];
	size_t n = 0;
	struct buf b;
	struct error err = {0};

	(void)state;
	assert_true(trio_settle(t));
	OK(certify(t->province, SECOND, OFFICER_RIGHTS, UNIT_AWAY, YEAR));
	OK(replica_officers(t->province->r, &t->a, &all, &n));
	assert_int_equal(n, 1);
	buf_init(&b, OFFICER_BYTES);
	OK(officer_make(&all[0].o, t->province->identity.sign_secret, &b, &err)); /* its bytes */
	person_of(all[0].o.sign_key, person);
	f[0] = trio_said("officer", "cert", value_bytes(b.p, b.len));
	f[1] = trio_said("officer", "officer", value_bytes(person, 8));
	memcpy(w.scope, t->units[UNIT_COUNTY], 16);
	OK(trio_write(t->county, &w, 1, false));
	assert_true(trio_settle(t));
	assert_int_equal(cause(t->site, SECOND), ERR_CERT_BAD);
	buf_done(&b);
	trio_free(t);
}

static void no_more_of_them(void **state)
{
	struct trio *t = trio_new();
	struct officer_keys k;
	size_t n = 0;

	(void)state;
	assert_true(trio_settle(t));
	OK(certify(t->province, RIGHTS, OFFICER_RIGHTS, UNIT_COUNTY, YEAR));
	OK(certify(t->province, SECOND, OFFICER_RIGHTS, UNIT_COUNTY, YEAR / 4));
	OK(certify(t->province, SAFE, OFFICER_RECOVERY, UNIT_COUNTY, YEAR));
	assert_true(trio_settle(t));
	OK(recipients(t->site, &n));
	assert_int_equal(n, 3);
	t->now_ms += YEAR / 2;
	assert_int_equal(cause(t->site, SECOND), ERR_CERT_EXPIRED);
	OK(recipients(t->site, &n));
	assert_int_equal(n, 2);
	keys(RIGHTS, &k);
	OK(replica_begin(t->county->r)); /* not by a hub that did not certify her */
	assert_int_equal(replica_revoke_officer(t->county->r, k.sign_public, "离职"),
	                 -ERR_NOT_FOUND);
	replica_rollback(t->county->r);
	OK(replica_begin(t->province->r));
	OK(replica_revoke_officer(t->province->r, k.sign_public, "离职"));
	OK(replica_commit(t->province->r));
	assert_true(trio_settle(t));
	assert_int_equal(cause(t->site, RIGHTS), ERR_REVOKED);
	assert_int_equal(recipients(t->site, &n), -ERR_OFFICERS);
	OK(replica_begin(t->province->r));
	assert_int_equal(replica_revoke_officer(t->province->r, k.sign_public, "again"),
	                 -ERR_REVOKED);
	replica_rollback(t->province->r);
	trio_free(t);
}

static void requests_are_signed(void **state)
{
	struct trio *t = trio_new();
	struct officer_request q, got;
	struct officer_keys k;
	struct officer o = {.role = OFFICER_RIGHTS, .not_before_ms = 1, .not_after_ms = 2};
	struct error err = {0};
	struct buf b;

	(void)state;
	request(t, RIGHTS, OFFICER_RIGHTS, UNIT_COUNTY, &q);
	keys(RIGHTS, &k);
	buf_init(&b, 1024);
	officer_request_text(&q, k.sign_secret, &b);
	OK(officer_request_parse(buf_cstr(&b), &got, &err));
	assert_memory_equal(&got, &q, sizeof(q));
	keys(SECOND, &k);
	buf_reset(&b);
	officer_request_text(&q, k.sign_secret, &b); /* in another's name */
	assert_int_equal(officer_request_parse(buf_cstr(&b), &got, &err), -ERR_SIGNATURE);
	/* A key to which everybody has the secret is certified by nobody: closing to it would end the writer's program. */
	keys(RIGHTS, &k);
	memset(q.link_key, 0, 32);
	buf_reset(&b);
	officer_request_text(&q, k.sign_secret, &b);
	assert_int_equal(officer_request_parse(buf_cstr(&b), &got, &err), -ERR_SIGNATURE);
	memcpy(o.sign_key, k.sign_public, 32);
	assert_int_equal(officer_make(&o, k.sign_secret, &b, &err), -ERR_CERT_BAD);
	buf_done(&b);
	trio_free(t);
}

/* ---- what a hub says of it */

static void case_at(struct trio *t, uint8_t ret[16])
{
	struct field_write f[] = {
	        trio_said("restricted_case", "case_no", value_text("2025-001")),
	        trio_said("restricted_case", "act", value_text("B3")),
	        trio_said("restricted_case", "state", value_text("open")),
	};

	OK(trio_insert(t->site, "restricted_case", f, ARRAY_COUNT(f), ret));
}

static void record_at(struct trio *t, const uint8_t of[16], struct span sealed, uint8_t ret[16])
{
	struct field_write f[] = {
	        trio_said("case_record", "of", value_bytes(of, 16)),
	        trio_said("case_record", "sealed", value_bytes(sealed.p, sealed.len)),
	};

	OK(trio_insert(t->site, "case_record", f, ARRAY_COUNT(f), ret));
}

static void envelopes_stop_at_the_county(void **state)
{
	static const unsigned to[] = {RIGHTS, SAFE};
	struct trio *t = trio_new();
	uint8_t of[16], row[16];
	struct buf sealed;

	(void)state;
	close_to(to, 2, span_of(SECRET, strlen(SECRET)), &sealed);
	case_at(t, of);
	record_at(t, of, buf_span(&sealed), row);
	assert_true(trio_settle(t));
	assert_true(trio_has(t->county, "restricted_case", of));
	assert_true(trio_has(t->county, "case_record", row));
	assert_true(trio_has(t->second, "case_record", row)); /* the other device of the site */
	assert_false(trio_has(t->other, "case_record", row));
	assert_false(trio_has(t->province, "case_record", row));
	assert_false(trio_has(t->province, "restricted_case", of));
	assert_true(value_equal(trio_value(t->county, "case_record", row, "sealed"),
	                        value_bytes(sealed.p, sealed.len)));
	buf_done(&sealed);
	trio_free(t);
}

/* Its own program says no before anything is written; one that was patched is told field and rule by its county. */
static void what_is_no_envelope_is_refused(void **state)
{
	static const unsigned to[] = {RIGHTS, SAFE};
	struct trio *t = trio_new();
	uint8_t of[16], row[16];
	struct held *refused;
	struct buf sealed;
	size_t n;

	(void)state;
	case_at(t, of);
	close_to(to, 2, span_of("x", 1), &sealed);
	sealed.p[sealed.len - 16] ^= 1; /* the form still holds: nobody here can know */
	record_at(t, of, buf_span(&sealed), row);
	buf_u8(&sealed, 0); /* and now it does not */
	struct field_write f[] = {
	        trio_said("case_record", "of", value_bytes(of, 16)),
	        trio_said("case_record", "sealed", value_bytes(sealed.p, sealed.len)),
	};
	assert_int_equal(trio_insert(t->site, "case_record", f, 2, row), -ERR_ENVELOPE);
	assert_string_equal(replica_error(t->site->r)->field, "case_record.sealed");
	trio_lax(t->site);
	record_at(t, of, buf_span(&sealed), row);
	assert_true(trio_settle(t));
	assert_false(trio_has(t->county, "case_record", row));
	assert_false(trio_has(t->site, "case_record", row)); /* annulled at its author */
	n = trio_refused(t->site, &refused);
	assert_int_equal(n, 1);
	assert_int_equal(refused[0].cause, ERR_ENVELOPE);
	assert_string_equal(refused[0].field, "sealed");
	buf_done(&sealed);
	trio_free(t);
}

/* A word in clear is kept by nobody who looks. */
static void what_is_in_clear_is_a_hole(void **state)
{
	struct trio *t = trio_new();
	struct replica_counts before, after;
	uint8_t of[16], row[16];

	(void)state;
	case_at(t, of);
	assert_true(trio_settle(t));
	before = trio_counts(t->county);
	trio_lax(t->site);
	record_at(t, of, span_of(SECRET, strlen(SECRET)), row);
	(void)trio_sync(t->site);
	after = trio_counts(t->county);
	assert_false(trio_has(t->county, "case_record", row));
	assert_true(after.journal > before.journal);
	struct feed_filter all = {.all = true, .lane_mask = 0xff};
	struct entry *e;
	int64_t at = 0;
	size_t n = 1, holes = 0;
	while (n) {
		OK(store_journal_scan(t->county->store, &all, at, 64, 1 << 22, &t->a, &e, &n));
		for (size_t i = 0; i < n; i++) {
			struct segment s;
			struct changeset *cs;
			struct error err = {0};
			size_t count = 0;
			at = e[i].recv;
			holes += e[i].kind == ENTRY_HOLE;
			if (e[i].kind != ENTRY_SEGMENT || e[i].lane != LANE_SEALED) continue;
			OK(segment_open(e[i].head, e[i].body, &s, &err));
			OK(segment_changesets(&s, &t->a, &cs, &count, &err));
			for (size_t c = 0; c < count; c++)
				for (size_t v = 0; v < cs[c].ops[0].values_count; v++) {
					struct value x = cs[c].ops[0].values[v].value;
					assert_true(
					        x.type != VALUE_BYTES ||
					        !memmem(x.s.p, x.s.len, SECRET, strlen(SECRET)));
				}
		}
	}
	assert_int_equal(holes, 1);
	trio_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(opens_for_its_officers_alone),
	        cmocka_unit_test(every_byte_counts),
	        cmocka_unit_test(sizes_say_little),
	        cmocka_unit_test(recipients_in_order),
	        cmocka_unit_test(keys_that_come_later),
	        cmocka_unit_test(whose_word_it_is),
	        cmocka_unit_test(inside_is_described),
	        cmocka_unit_test(the_province_says_who),
	        cmocka_unit_test(a_county_names_nobody),
	        cmocka_unit_test(not_in_anothers_scope),
	        cmocka_unit_test(no_more_of_them),
	        cmocka_unit_test(requests_are_signed),
	        cmocka_unit_test(envelopes_stop_at_the_county),
	        cmocka_unit_test(what_is_no_envelope_is_refused),
	        cmocka_unit_test(what_is_in_clear_is_a_hole),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
