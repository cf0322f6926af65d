/*
 * test_golden.c - the formats as they were published: bytes from fixed seeds against
 * tests/golden/NAME.hex, decoded back by the entry points of the fuzzer, which replay
 * tests/corpus, too.
 *
 * A difference means that programs in the field no longer understand this one.  GOLDEN_WRITE=1
 * writes the files anew, for a new version of a format; the test fails then all the same, so that
 * nobody does it in passing.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/base.h"

#include "common/envelope.h"
#include "common/squeeze.h"
#include "node/dossier.h"
#include "proto/officer.h"
#include "proto/person.h"
#include "tests/fuzz.c" /* NOLINT(bugprone-suspicious-include): its static targets */
#include "tests/support/changes.h"

enum { ITEMS_MAX = 96 };

struct item {
	char name[48];
	const char *target; /* of the fuzzer */
	uint8_t prefix[4];  /* what the fuzzer's input has before the bytes */
	size_t prefix_len;
	struct buf bytes;
};

struct golden {
	struct item item[ITEMS_MAX];
	size_t count;
	struct arena arena;
	struct changes_origin o, hub;
	struct changeset kinds[9]; /* one for each kind of operation */
	struct buf head, body;     /* a segment */
	struct segment_head h;
};

static struct buf *item_add(struct golden *g, const char *target, const char *name)
{
	struct item *t = &g->item[g->count++];

	assert(g->count <= ITEMS_MAX);
	t->target = target;
	memcpy(t->name, name, strlen(name));
	buf_init(&t->bytes, MESSAGE_BYTES_MAX);
	return &t->bytes;
}

/* What the fuzzer wants before the bytes of the item added last. */
static void item_prefix(struct golden *g, const void *p, size_t len)
{
	struct item *t = &g->item[g->count - 1];

	memcpy(t->prefix, p, len);
	t->prefix_len = len;
}

static struct field_value *field_values(struct golden *g, size_t count)
{
	struct field_value *v = ARENA_ARRAY(&g->arena, struct field_value, count);

	v[0] = (struct field_value){1,
	                            value_bytes(arena_copy(&g->arena, "0123456789abcdef", 16), 16)};
	if (count > 1) v[1] = (struct field_value){2, value_int(-1234567890123)};
	if (count > 2) v[2] = (struct field_value){3, value_text("巾帼志愿")};
	if (count > 3) v[3] = (struct field_value){63, value_bytes("\0\1\2", 3)};
	return v;
}

static void make_kinds(struct golden *g)
{
	static const uint8_t kinds[9] = {OP_INSERT, OP_INSERT, OP_UPDATE,  OP_IMAGE, OP_PROPOSAL,
	                                 OP_SEALED, OP_ERASE,  OP_CUSTODY, 200};
	static struct clock_group groups[2];
	static uint8_t sign[64] = {9};
	struct span part = {(const uint8_t *)"golden", 6};

	groups[0] = (struct clock_group){g->hub.runs[0] < 77 ? 76 : 77, 4096 * 1000 + 3, 2};
	groups[1] = (struct clock_group){RUN_MASK, STAMP_MAX, 6};
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		struct op *op = arena_take(&g->arena, sizeof(*op));

		op->kind = kinds[i];
		op->table = TABLE_PARTICIPATION;
		op->stamp = (UINT64_C(1790000000000) + i) << 12 | (i == 4 ? 5 : 0);
		id_make(op->stamp, g->o.runs[0], op->row);
		if (i == 1) id_derive("golden", &part, 1, op->row);
		if (i == 0 || i == 1) {
			op->values = field_values(g, 4);
			op->values_count = 4;
			op->slots = UINT64_C(1) << 63 | 14;
		} else if (kinds[i] == OP_UPDATE || kinds[i] == OP_PROPOSAL) {
			id_make(UINT64_C(1780000000000) << 12, 99, op->row);
			op->values = field_values(g, 3);
			op->values[0].value = value_null();
			op->values_count = 3;
			op->slots = 14;
			op->olds = field_values(g, 2);
			op->olds_count = 2;
			op->groups = groups;
			op->groups_count = 2;
		} else {
			op->opaque = span_of("opaque bytes", 12);
		}
		g->kinds[i] = (struct changeset){.seq = 1 + i,
		                                 .run = g->o.runs[0],
		                                 .part = 1,
		                                 .parts = 1,
		                                 .schema_version = 1,
		                                 .codes_version = 1,
		                                 .ops = op,
		                                 .ops_count = 1};
	}
	g->kinds[2].flags = CHANGESET_WHOLE;
	memcpy(g->kinds[2].author, "person 8", 8);
	g->kinds[4].person_sign = span_of(sign, 64);
	g->kinds[4].part = 2;
	g->kinds[4].parts = 3;
}

static void add_changesets(struct golden *g)
{
	static const char *const names[9] = {
	        "changeset-insert", "changeset-insert-derived", "changeset-update",
	        "changeset-image",  "changeset-proposal",       "changeset-sealed",
	        "changeset-erase",  "changeset-custody",        "changeset-unknown"};
	uint64_t runs[SEGMENT_NONCES_MAX];
	struct changeset *rows;
	struct changes_place place;
	struct dice d = {21};

	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		changeset_pack(&g->kinds[i], item_add(g, "changeset", names[i]));
	assert_int_equal(
	        body_encode(g->kinds, 9, g->o.runs, 1, item_add(g, NULL, "body-kinds"), NULL), 0);
	/* The same under the runs that the fuzzer knows. */
	fuzz_runs(runs);
	for (size_t i = 0; i < 9; i++) g->kinds[i].run = runs[0];
	assert_int_equal(body_encode(g->kinds, 9, runs, 1, item_add(g, "body", "body-runs"), NULL),
	                 0);
	item_prefix(g, "\x09\0\1", 3);
	for (size_t i = 0; i < 9; i++) g->kinds[i].run = g->o.runs[0];
	changes_place(&d, &place);
	rows = changes_participation(&d, &g->arena, &g->o, &place, 12);
	for (size_t i = 0; i < 12; i++) {
		rows[i].seq = 1 + i;
		rows[i].run = runs[0];
		id_make(rows[i].ops->stamp, runs[0], rows[i].ops->row);
	}
	assert_int_equal(body_encode(rows, 12, runs, 1, item_add(g, "body", "body-rows"), NULL), 0);
	item_prefix(g, "\x0c\0\1", 3);
}

static void add_entries(struct golden *g)
{
	struct verdict verdicts[2] = {{0, 0, ERR_LOCKED, 17}, {4, 2, ERR_MISSING_REF, 5}};
	struct admission_item items[2] = {
	        {.mode = ADMIT_ALL_BUT, .verdicts = verdicts, .verdicts_count = 2},
	        {.mode = ADMIT_ONLY}};
	struct admission m = {.lane = LANE_COUNTY,
	                      .at_ms = 1790000001234,
	                      .number = 3,
	                      .items = items,
	                      .items_count = 2};
	struct hole hole = {.cause = ERR_CEILING, .at_ms = 1790000002345};
	uint8_t hash[32], prefix[2];
	struct buf *b;

	g->h = (struct segment_head){.lane = LANE_COUNTY,
	                             .flags = SEGMENT_SHARED,
	                             .also_count = 1,
	                             .also = {{1, 2, 3}},
	                             .seal = 300,
	                             .k = 1,
	                             .n = 2,
	                             .count = 9,
	                             .nonces_count = 1,
	                             .scope = {4, 5, 6}};
	memcpy(g->h.origin, g->o.origin, 16);
	memcpy(g->h.nonces, g->o.nonces, sizeof(g->h.nonces));
	assert_int_equal(segment_make(&g->h, g->kinds, g->o.runs, g->o.secret, &g->head, &g->body,
	                              hash, NULL),
	                 0);
	b = item_add(g, "segment", "segment");
	prefix[0] = (uint8_t)g->head.len;
	prefix[1] = (uint8_t)(g->head.len >> 8);
	item_prefix(g, prefix, 2);
	buf_add(b, g->head.p, g->head.len);
	buf_add(b, g->body.p, g->body.len);
	memcpy(items[0].segment, hash, 32);
	memcpy(m.hub, g->hub.origin, 16);
	memcpy(m.scope, g->h.scope, 16);
	assert_int_equal(admission_make(&m, g->hub.secret, item_add(g, "admission", "admission"),
	                                hash, NULL),
	                 0);
	hole.head = buf_span(&g->head);
	memcpy(hole.remover, g->hub.origin, 16);
	assert_int_equal(hole_make(&hole, g->hub.secret, item_add(g, "hole", "hole"), hash, NULL),
	                 0);
	hole.restated = span_of("restated", 8);
	assert_int_equal(
	        hole_make(&hole, g->hub.secret, item_add(g, "hole", "hole-restated"), hash, NULL),
	        0);
}

static void add_certs(struct golden *g)
{
	struct cert root = {.unit = {1},
	                    .role = CERT_ROOT,
	                    .level = LEVEL_PROVINCE,
	                    .lanes = 7,
	                    .not_before_ms = 1780000000000,
	                    .not_after_ms = 1990000000000,
	                    .link_key = {2},
	                    .code = "350000000000"};
	struct cert node = {.unit = {3},
	                    .role = CERT_NODE,
	                    .level = LEVEL_COMMUNITY,
	                    .lanes = 7,
	                    .not_before_ms = 1790000000000,
	                    .not_after_ms = 1800000000000,
	                    .link_key = {4},
	                    .before = {5},
	                    .code = "350102001002"};
	struct token t = {.endpoint = "tcp://127.0.0.1:7703",
	                  .link_key = {6},
	                  .secret = {7},
	                  .unit = {8},
	                  .role = CERT_NODE,
	                  .expires_ms = 1790000000000,
	                  .code = "350102001002",
	                  .name = "军门社区"};

	char code[7];

	memcpy(root.origin_key, g->hub.key, 32);
	memcpy(node.origin_key, g->o.key, 32);
	assert_int_equal(cert_make(&root, g->hub.secret, item_add(g, "cert", "cert-root"), NULL),
	                 0);
	memcpy(node.issuer, root.id, 16);
	assert_int_equal(cert_make(&node, g->hub.secret, item_add(g, "cert", "cert-node"), NULL),
	                 0);
	assert_int_equal(cert_check_issued(&node, &root, NULL), 0);
	cert_fingerprint(root.origin_key, t.root_fingerprint);
	token_text(&t, item_add(g, "token", "token"));
	token_code(t.secret, node.origin_key, node.link_key, code);
	buf_text(item_add(g, NULL, "token-code"), code);
}

/* A chain of four as a province has it, with the root's spare; and the lines between hub and safe (tests/vectors.py reads
 * them in another language). */
static void add_chain(struct golden *g)
{
	static const uint8_t seeds[2][32] = {{31}, {32}};
	static const int64_t now = INT64_C(1790000000000), day = INT64_C(86400000);
	static const uint8_t places[3][32] = {{33}, {34}, {35}};
	static const char *const names[3] = {"chain-province", "chain-county", "chain-node"};
	struct cert c[3] = {{.role = CERT_HUB, .level = LEVEL_PROVINCE, .lanes = 1},
	                    {.role = CERT_HUB, .level = LEVEL_COUNTY, .lanes = 7},
	                    {.role = CERT_NODE, .level = LEVEL_COMMUNITY, .lanes = 7}};
	uint8_t secret[64], above[64], public[32];
	struct root root, spare;
	struct place p = {.config.public = "tcp://hub.example.cn:7443"};

	assert_int_equal(root_make(seeds, now, "350000000000", "福建省", &root, &spare, NULL), 0);
	buf_add(item_add(g, "cert", "chain-root"), root.bytes.p, root.bytes.len);
	buf_add(item_add(g, "cert", "chain-spare"), spare.bytes.p, spare.bytes.len);
	sign_keypair(root.seed, public, above);
	for (size_t i = 0; i < 3; i++) {
		sign_keypair(places[i], c[i].origin_key, secret);
		link_keypair(places[i], c[i].link_key, public);
		memcpy(c[i].unit, i ? places[i] : root.cert.unit, 16);
		memcpy(c[i].issuer, i ? c[i - 1].id : root.cert.id, 16);
		snprintf(c[i].code, sizeof(c[i].code), "%s",
		         i == 0   ? "350000000000"
		         : i == 1 ? "350102000000"
		                  : "350102001001");
		if (i < 2)
			snprintf(c[i].endpoint, sizeof(c[i].endpoint),
			         i ? "tcp://10.2.0.1:7443" : "tcp://hub.example.cn:7443");
		c[i].not_before_ms = now;
		c[i].not_after_ms = now + (int64_t)(700 - 100 * i) * day;
		assert_int_equal(cert_make(&c[i], above, item_add(g, "cert", names[i]), NULL), 0);
		assert_int_equal(cert_check_issued(&c[i], i ? &c[i - 1] : &root.cert, NULL), 0);
		memcpy(above, secret, 64);
	}
	root_text(&root, item_add(g, "root", "root-file"));
	sign_keypair(places[0], p.identity.sign_public, p.identity.sign_secret);
	link_keypair(places[0], p.identity.link_public, p.identity.link_secret);
	struct buf *request = item_add(g, "root", "root-request");
	assert_int_equal(root_request(&p, request, NULL), 0);
	assert_int_equal(root_sign(&root, buf_cstr(request), now, 30,
	                           item_add(g, "root", "root-answer"), NULL),
	                 0);
	root_done(&root);
	root_done(&spare);
}

static void add_revocation(struct golden *g)
{
	static const uint8_t heads[64] = {[0] = 1, [32] = 2};
	struct revocation v = {.scope = {41},
	                       .origin = {42},
	                       .hub = {43},
	                       .at_ms = 1790000000000,
	                       .reason = "电脑被盗",
	                       .heads_count = 2,
	                       .heads = heads};

	assert_int_equal(
	        revocation_make(&v, g->hub.secret, item_add(g, "revocation", "revocation"), NULL),
	        0);
}

static void add_copies(struct golden *g)
{
	static uint8_t seed[32] = {1}; /* of the fuzzers */
	uint8_t key[32], secret[64], made[NAMED_BYTES], origin[16];
	struct changeset signed_one;
	static const uint8_t person_scope[16] = {1, 2, 3};
	uint8_t person_signature[64];
	struct trail_record trail = {.seq = 7,
	                             .at_ms = 1790000000000,
	                             .person = {1, 2, 3, 4, 5, 6, 7, 8},
	                             .verb = TRAIL_READ,
	                             .table = TABLE_VOLUNTEER,
	                             .id = {9},
	                             .detail = span_of("show", 4),
	                             .prev = {10}};
	struct buf *b = item_add(g, "bundle", "bundle");
	struct hash h;

	item_prefix(g, "\x01", 1);
	bundle_put_head(&h, g->o.origin, 1790000000000, 2, b);
	bundle_put_entry(&h, ENTRY_CERT, span_of("certificate", 11), span_of(NULL, 0), b);
	bundle_put_entry(&h, ENTRY_SEGMENT, span_of("head", 4), span_of("body", 4), b);
	bundle_put_end(&h, b);
	sign_keypair(seed, key, secret);
	origin_of(key, origin);
	named_make(origin, UINT64_C(1790000000000) << 16 | 7, secret, made);
	buf_add(item_add(g, "named", "named"), made, sizeof(made));
	trail_pack(&trail, item_add(g, "trail", "trail"));
	/* A changeset with its author's own signature: author and key are those of the seed of this file. */
	signed_one = g->kinds[0];
	person_of(secret + 32, signed_one.author);
	person_sign(&signed_one, person_scope, LANE_OPEN, secret, person_signature);
	signed_one.person_sign = span_of(person_signature, sizeof(person_signature));
	changeset_pack(&signed_one, item_add(g, "changeset", "changeset-signed"));
}

static void sevens(void *ctx, void *ret, size_t len)
{
	uint8_t *next = ctx;

	memset(ret, (*next)++, len);
}

/* Officers are those of the seeds 0x51.. (32 times that byte), the author that of 0x61; chance is 32 times 7, then 8 ... */
static void add_sealed(struct golden *g)
{
	static uint8_t next;
	static const struct envelope_chance chance = {sevens, &next};
	struct envelope_place at = {.table = TABLE_CASE_RECORD, .field = 10};
	uint8_t seed[32], to[3][LINK_KEY], key[SEAL_KEY], author[8], province[64];
	struct officer_keys k, writer;
	struct officer_request q = {.unit = {1, 2, 3}, .role = OFFICER_RIGHTS};
	struct officer o = {.unit = {1, 2, 3},
	                    .role = OFFICER_RIGHTS,
	                    .not_before_ms = 1790000000000,
	                    .not_after_ms = 1853072000000};
	struct dossier d = {.count = 3};
	struct buf *content = item_add(g, "dossier", "dossier");

	next = 7;
	memset(at.row, 0x11, 16);
	memset(at.of, 0x22, 16);
	for (uint8_t i = 0; i < 3; i++) {
		memset(seed, 0x51 + i, sizeof(seed));
		officer_keys(seed, &k);
		memcpy(to[i], k.link_public, LINK_KEY);
	}
	memset(seed, 0x61, sizeof(seed));
	officer_keys(seed, &writer);
	person_of(writer.sign_public, author);
	memcpy(d.key, writer.sign_public, 32);
	d.fields[0] = table_field_named(&table_case_content, "kind");
	d.values[0] = value_text("report");
	d.fields[1] = table_field_named(&table_case_content, "text");
	d.values[1] = value_text("当事人来访");
	d.fields[2] = table_field_named(&table_case_content, "warning_letter");
	d.values[2] = value_int(1);
	assert_int_equal(dossier_pack(&d, &at, writer.sign_secret, content, NULL), 0);
	assert_int_equal(envelope_close(&at, author, (const uint8_t(*)[LINK_KEY])to, 2,
	                                buf_span(content), &chance,
	                                item_add(g, "envelope", "envelope"), NULL),
	                 0);
	memset(key, 7, sizeof(key)); /* what chance drew first */
	assert_int_equal(envelope_close_key(author, (const uint8_t(*)[LINK_KEY])(to + 2), 1, key,
	                                    &chance, item_add(g, "envelope", "envelope-keys"),
	                                    NULL),
	                 0);
	memset(seed, 0x51, sizeof(seed));
	officer_keys(seed, &k);
	memcpy(o.sign_key, k.sign_public, 32);
	memcpy(o.link_key, k.link_public, 32);
	memset(seed, 0x41, sizeof(seed)); /* the province */
	sign_keypair(seed, key, province);
	origin_of(key, o.issuer);
	assert_int_equal(officer_make(&o, province, item_add(g, "officer", "officer"), NULL), 0);
	memcpy(q.sign_key, k.sign_public, 32);
	memcpy(q.link_key, k.link_public, 32);
	officer_request_text(&q, k.sign_secret, item_add(g, "officer", "officer-request"));
}

static void add_frame(struct golden *g, const char *name, const struct message *m)
{
	message_pack(m, NULL, item_add(g, "hello", name));
}

static void add_data(struct golden *g)
{
	struct message m = {.type = MSG_DATA,
	                    .data = {.session = 77, .rolling = {1}, .kind = ENTRY_SEGMENT}};
	struct buf *both = item_add(g, "frames", "message-data-segments"), one, head, body;
	struct short_form s = {0};
	uint8_t hash[32];

	segment_hash(span_of(g->head.p, g->head.len - 64), hash);
	buf_init(&one, MESSAGE_BYTES_MAX);
	buf_init(&head, HEAD_BYTES_MAX);
	buf_init(&body, BODY_SQUEEZED_MAX);
	for (int i = 0; i < 2; i++) {
		m.data.pos++;
		m.data.head = i ? buf_span(&head) : buf_span(&g->head);
		m.data.body = i ? buf_span(&body) : buf_span(&g->body);
		buf_reset(&one);
		message_pack(&m, &s, &one);
		buf_u32(both, (uint32_t)one.len);
		buf_add(both, one.p, one.len);
		memcpy(g->h.prev, hash, 32);
		g->h.seal = 301;
		if (!i)
			assert_int_equal(segment_make(&g->h, g->kinds, g->o.runs, g->o.secret,
			                              &head, &body, hash, NULL),
			                 0);
	}
	short_form_done(&s);
	buf_done(&one);
	buf_done(&head);
	buf_done(&body);
	m.data = (struct msg_data){
	        .session = 77, .pos = 9, .kind = ENTRY_CERT, .head = span_of("entry", 5)};
	add_frame(g, "message-data-other", &m);
}

static void add_messages(struct golden *g)
{
	struct cursor cursor = {.mark = {.pos = 70000, .rolling = {2}, .filter = {3}}};
	struct message hello = {.type = MSG_HELLO,
	                        .hello = {.protocol_min = 1,
	                                  .protocol_max = 1,
	                                  .run = 5,
	                                  .last_run = 5,
	                                  .cert = {6},
	                                  .schema_version = 1,
	                                  .cursor = cursor,
	                                  .other = 1,
	                                  .survivor = 7,
	                                  .filter = {3},
	                                  .state = {8},
	                                  .clock_ms = 1790000000000,
	                                  .credit = 1 << 20,
	                                  .nonce = 9}};
	struct message welcome = {.type = MSG_WELCOME,
	                          .welcome = {.protocol = 1,
	                                      .run = 10,
	                                      .last_run = 11,
	                                      .schema_version = 1,
	                                      .cursor = cursor,
	                                      .other = 1,
	                                      .survivor = 12,
	                                      .filter = {13},
	                                      .state = {8},
	                                      .clock_ms = 1790000000500,
	                                      .nonce = 9,
	                                      .session = 77,
	                                      .credit = 1 << 20,
	                                      .safe = 60000,
	                                      .cert = {14},
	                                      .confirmed = true}};
	struct message refuse = {.type = MSG_REFUSE,
	                         .refuse = {.code = ERR_VERSION,
	                                    .retry_after_s = 60,
	                                    .protocol_min = 1,
	                                    .protocol_max = 1}};
	struct message ack = {.type = MSG_ACK,
	                      .ack = {.session = 77, .pos = 123456, .credit = 2 << 20}};
	struct message place = {.type = MSG_PLACE,
	                        .place = {.session = 77, .mark = cursor.mark, .restart = true}};
	struct message marks = {
	        .type = MSG_MARKS,
	        .marks = {.session = 77, .marks = {cursor.mark, {.pos = 5}}, .count = 2}};
	struct message ask = {
	        .type = MSG_ASK,
	        .ask = {.session = 77, .what = ASK_CERT, .id = {1, 2, 3, 4, 5, 6, 7, 8}}};
	struct message state = {.type = MSG_STATE,
	                        .state = {.session = 77,
	                                  .state = {8},
	                                  .acked = 70000,
	                                  .unapplied = 1,
	                                  .parked = 2,
	                                  .refused = 3,
	                                  .idle = true,
	                                  .reply = true}};
	struct message bye = {.type = MSG_BYE, .bye = {.session = 77}};
	struct message cert = {
	        .type = MSG_CERT,
	        .cert = {.session = 77, .cert = {(const uint8_t *)"certificate", 11}}};
	struct message join = {.type = MSG_JOIN,
	                       .join = {.secret = {1},
	                                .origin_key = {2},
	                                .link_key = {3},
	                                .proof = {4},
	                                .protocol_min = 1,
	                                .protocol_max = 1}};
	struct message joined = {
	        .type = MSG_JOINED,
	        .joined = {.chain = {{(const uint8_t *)"own", 3}, {(const uint8_t *)"root", 4}},
	                   .chain_count = 2,
	                   .clock_ms = 1790000000000}};

	struct message renew = {.type = MSG_RENEW,
	                        .renew = {.session = 77, .endpoint = "tcp://hub.example.cn:7443"}};
	struct message named = {.type = MSG_NAMED,
	                        .named = {.session = 77, .statement = span_of("statement", 9)}};

	struct range ranges[] = {
	        {.lo = {0},
	         .hi = {0, 60},
	         .bounds_count = 2,
	         .bounds = {{0, 7, 1, 0x9b}, {0, 7, 1, 0x9b, 0x77}}},
	        {.lo = {0, 60}, .hi = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255}}};
	struct message range = {.type = MSG_RANGE,
	                        .range = {.session = 77,
	                                  .number = 2,
	                                  .scope = {1, 2, 3},
	                                  .lane = LANE_COUNTY,
	                                  .ranges = ranges,
	                                  .count = 2}};
	struct message range_scopes = {
	        .type = MSG_RANGE,
	        .range = {
	                .session = 77, .number = 1, .scopes = true, .ranges = ranges, .count = 1}};
	uint8_t tags[3][TAG_BYTES] = {{1}, {2}, {3}};
	struct leaf_scope scopes[2] = {{{4}, LANE_OPEN}, {{5}, LANE_COUNTY}};
	struct range_sum sums[] = {
	        {.count = 3, .tags = tags},
	        {.leaf = true, .more = true, .from = {0, 60, 9}, .count = 2, .tags = tags}};
	struct range_sum sums_scopes[] = {
	        {.leaf = true, .count = 2, .tags = tags, .scopes = scopes}};
	struct message tally = {.type = MSG_TALLY,
	                        .tally = {.session = 77, .number = 2, .sums = sums, .count = 2}};
	struct message tally_scopes = {.type = MSG_TALLY,
	                               .tally = {.session = 77,
	                                         .number = 1,
	                                         .scopes = true,
	                                         .sums = sums_scopes,
	                                         .count = 1}};
	struct named_row rows[] = {{8, {6}}, {300, {7}}};
	uint8_t hashes[1][32] = {{8}};
	struct message names = {.type = MSG_NAMES,
	                        .names = {.session = 77,
	                                  .what = NAMES_DIFFER,
	                                  .scope = {1, 2, 3},
	                                  .lane = LANE_COUNTY,
	                                  .state = {9},
	                                  .rows = rows,
	                                  .rows_count = 2,
	                                  .tags = tags,
	                                  .tags_count = 3,
	                                  .hashes = hashes,
	                                  .hashes_count = 1}};
	struct message again = {.type = MSG_AGAIN,
	                        .again = {.session = 77,
	                                  .kind = ENTRY_SEGMENT,
	                                  .head = {(const uint8_t *)"head", 4},
	                                  .body = {(const uint8_t *)"body", 4}}};

	add_frame(g, "message-range", &range);
	add_frame(g, "message-range-scopes", &range_scopes);
	add_frame(g, "message-tally", &tally);
	add_frame(g, "message-tally-scopes", &tally_scopes);
	add_frame(g, "message-names", &names);
	add_frame(g, "message-again", &again);
	add_frame(g, "message-hello", &hello);
	add_frame(g, "message-welcome", &welcome);
	add_frame(g, "message-refuse", &refuse);
	add_frame(g, "message-ack", &ack);
	add_frame(g, "message-place", &place);
	add_frame(g, "message-marks", &marks);
	add_frame(g, "message-ask", &ask);
	add_frame(g, "message-state", &state);
	add_frame(g, "message-bye", &bye);
	add_frame(g, "message-cert", &cert);
	add_frame(g, "message-renew", &renew);
	add_frame(g, "message-named", &named);
	add_frame(g, "message-join", &join);
	add_frame(g, "message-joined", &joined);
}

static int golden_make(void **state)
{
	struct golden *g = mem_alloc(sizeof(*g));
	struct dice d = {20};

	arena_init(&g->arena, 0);
	buf_init(&g->head, HEAD_BYTES_MAX);
	buf_init(&g->body, BODY_SQUEEZED_MAX);
	changes_origin(&d, 1, &g->o);
	changes_origin(&d, 1, &g->hub);
	make_kinds(g);
	add_changesets(g);
	add_entries(g);
	add_certs(g);
	add_chain(g);
	add_revocation(g);
	add_copies(g);
	add_sealed(g);
	add_messages(g);
	add_data(g);
	*state = g;
	return 0;
}

static int golden_free(void **state)
{
	struct golden *g = *state;

	for (size_t i = 0; i < g->count; i++) buf_done(&g->item[i].bytes);
	buf_done(&g->head);
	buf_done(&g->body);
	arena_done(&g->arena);
	free(g);
	return 0;
}

static void path_of(char *ret, size_t size, const char *folder, const char *name, const char *end)
{
	snprintf(ret, size, "tests/%s/%s%s", folder, name, end);
}

static void item_write(const struct item *t)
{
	char path[256];
	char *hex = mem_alloc(2 * t->bytes.len + 1);
	FILE *f;

	hex_text(t->bytes.p, t->bytes.len, hex);
	path_of(path, sizeof(path), "golden", t->name, ".hex");
	f = fopen(path, "w");
	assert_non_null(f);
	for (size_t i = 0; i < 2 * t->bytes.len; i += 96) fprintf(f, "%.96s\n", hex + i);
	fclose(f);
	free(hex);
	if (!t->target) return;
	path_of(path, sizeof(path), "corpus", t->target, "");
	mkdir("tests/corpus", 0777);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "tests/corpus/%s/%s", t->target, t->name);
	f = fopen(path, "w");
	assert_non_null(f);
	fwrite(t->prefix, 1, t->prefix_len, f);
	fwrite(t->bytes.p, 1, t->bytes.len, f);
	fclose(f);
}

static void item_read(const struct item *t, struct buf *ret)
{
	char path[256], line[256];
	uint8_t bytes[64];
	FILE *f;

	path_of(path, sizeof(path), "golden", t->name, ".hex");
	f = fopen(path, "r");
	if (!f) fail_msg("%s is missing", path);
	while (fgets(line, sizeof(line), f)) {
		size_t n = strcspn(line, "\r\n");

		line[n] = 0;
		assert_true(n <= 2 * sizeof(bytes) && hex_parse(line, bytes, n / 2));
		buf_add(ret, bytes, n / 2);
	}
	fclose(f);
}

static void bytes_are_as_published(void **state)
{
	struct golden *g = *state;

	if (getenv("GOLDEN_WRITE")) {
		for (size_t i = 0; i < g->count; i++) item_write(&g->item[i]);
		fail_msg("%zu golden files were written: look at the difference before you commit "
		         "it",
		         g->count);
	}
	for (size_t i = 0; i < g->count; i++) {
		const struct item *t = &g->item[i];
		struct buf want;

		buf_init(&want, MESSAGE_BYTES_MAX);
		item_read(t, &want);
		/* Another libzstd may squeeze otherwise: not another format (published_segment_is_read). */
		if (strcmp(t->name, "segment") != 0 &&
		    strncmp(t->name, "message-data-seg", 16) != 0 &&
		    strcmp(t->name, "admission") != 0 && strncmp(t->name, "hole", 4) != 0 &&
		    !span_equal(buf_span(&want), buf_span(&t->bytes)))
			fail_msg("%s is not what it was", t->name);
		buf_done(&want);
	}
}

static void run_target(const char *name, struct span in)
{
	for (size_t i = 0; i < ARRAY_COUNT(fuzz_targets); i++) {
		if (strcmp(fuzz_targets[i].name, name) == 0) {
			fuzz_targets[i].run(in.p, in.len);
			return;
		}
	}
	fail_msg("no decoder is called %s", name);
}

/* Each decodes, and encodes to the same bytes (the entry points abort otherwise). */
static void published_bytes_are_read(void **state)
{
	struct golden *g = *state;

	for (size_t i = 0; i < g->count; i++) {
		const struct item *t = &g->item[i];
		struct buf in;

		if (!t->target) continue;
		buf_init(&in, MESSAGE_BYTES_MAX + 8);
		buf_add(&in, t->prefix, t->prefix_len);
		item_read(t, &in);
		run_target(t->target, buf_span(&in));
		buf_done(&in);
	}
}

static const struct item *item_named(const struct golden *g, const char *name)
{
	size_t i = 0;

	while (i < g->count && strcmp(g->item[i].name, name) != 0) i++;
	assert(i < g->count);
	return &g->item[i];
}

static void published_segment_is_read(void **state)
{
	struct golden *g = *state;
	struct buf in, out;
	struct segment s;
	struct changeset *cs;
	struct admission m;
	struct hole h;
	uint8_t hash[32], sign[64];
	size_t count;
	struct arena a;

	arena_init(&a, 0);
	buf_init(&in, MESSAGE_BYTES_MAX);
	item_read(item_named(g, "segment"), &in);
	assert_int_equal(segment_open(span_of(in.p, g->head.len),
	                              span_of(in.p + g->head.len, in.len - g->head.len), &s, NULL),
	                 0);
	assert_int_equal(segment_check(&s, g->o.key, &a, NULL), 0);
	assert_int_equal(segment_changesets(&s, &a, &cs, &count, NULL), 0);
	assert_int_equal(count, 9);
	for (size_t i = 0; i < count; i++) assert_true(changeset_equal(&cs[i], &g->kinds[i]));
	/* The header's layout, apart from what hangs on the squeezed bytes. */
	buf_init(&out, HEAD_BYTES_MAX);
	segment_head_pack(&s.head, &out);
	assert_memory_equal(out.p, in.p, out.len);
	memcpy(out.p + out.len - 32, g->head.p + out.len - 32, 32);
	assert_memory_equal(out.p, g->head.p, out.len - 64);
	buf_reset(&in);
	item_read(item_named(g, "admission"), &in);
	assert_int_equal(admission_open(buf_span(&in), &a, &m, hash, sign, NULL), 0);
	assert_int_equal(entry_check_sign(buf_span(&in), g->hub.key, NULL), 0);
	assert_int_equal(m.items[0].verdicts[1].code, ERR_MISSING_REF);
	assert_memory_equal(m.items[0].segment, s.hash, 32);
	buf_reset(&in);
	item_read(item_named(g, "hole-restated"), &in);
	assert_int_equal(hole_open(buf_span(&in), &h, hash, sign, NULL), 0);
	assert_int_equal(entry_check_sign(buf_span(&in), g->hub.key, NULL), 0);
	assert_memory_equal(h.segment_hash, s.hash, 32);
	assert_int_equal(h.restated.len, 8);
	buf_done(&in);
	buf_done(&out);
	arena_done(&a);
}

static void idle_round_trip_is_small(void **state)
{
	struct golden *g = *state;

	/* Golden fields are mostly zeros inside; lengths are those of full ones. */
	print_message("HELLO %zu bytes, WELCOME %zu bytes\n",
	              item_named(g, "message-hello")->bytes.len,
	              item_named(g, "message-welcome")->bytes.len);
	assert_true(item_named(g, "message-hello")->bytes.len <= 110);
	assert_true(item_named(g, "message-welcome")->bytes.len <= 140);
}

static void replay(const struct fuzz_target *t, size_t *count)
{
	char path[512];
	struct dirent *e;
	DIR *dir;

	path_of(path, sizeof(path), "corpus", t->name, "");
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		uint8_t *p = mem_alloc(2 * MESSAGE_BYTES_MAX);
		size_t len;
		FILE *f;

		snprintf(path, sizeof(path), "tests/corpus/%s/%.200s", t->name, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (f) {
			len = fread(p, 1, 2 * MESSAGE_BYTES_MAX, f);
			fclose(f);
			p = mem_grow(p, len ? len : 1); /* so that ASan sees a read past the end */
			t->run(p, len);
			(*count)++;
		}
		free(p);
	}
	if (dir) closedir(dir);
}

static void corpus_is_replayed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(fuzz_targets); i++) {
		size_t count = 0;

		replay(&fuzz_targets[i], &count);
		if (!count) fail_msg("no corpus for %s", fuzz_targets[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(bytes_are_as_published),
	        cmocka_unit_test(published_bytes_are_read),
	        cmocka_unit_test(published_segment_is_read),
	        cmocka_unit_test(idle_round_trip_is_small),
	        cmocka_unit_test(corpus_is_replayed),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, golden_make, golden_free);
}
