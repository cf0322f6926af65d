/*
 * fuzz.c - one entry point for each decoder. `make fuzz F=body` builds a libFuzzer program of one
 * (clang); tests/test_corpus.c includes this file and replays tests/corpus/NAME and the golden
 * bytes under gcc.
 *
 * What they promise is more than not crashing: what is accepted is encoded again, and the bytes
 * are the same.  Anything else aborts.
 */
#include "common/base.h"

#include "common/crypt.h"
#include "common/ident.h"
#include "common/pack.h"
#include "common/squeeze.h"
#include "hub/root.h"
#include "proto/bundle.h"
#include "proto/cert.h"
#include "proto/copies.h"
#include "proto/entry.h"
#include "proto/message.h"
#include "proto/revoke.h"
#include "proto/trail.h"
#include "tests/fuzz/fuzz.h"

enum { FUZZ_ARENA_MAX = 64 * 1024 * 1024 };

/* At most the stated factor of the input, and some for alignment. */
static void must_be_small(const struct arena *a, size_t len)
{
	must_take(a, CHANGESET_MEMORY_FACTOR, len, 4096);
}

static const uint8_t *fuzz_secret(void)
{
	static uint8_t secret[64]; /* the key is its second half */
	uint8_t key[32], seed[32] = {1};

	if (!secret[0]) {
		must(crypt_init() == 0);
		sign_keypair(seed, key, secret);
	}
	return secret;
}

static void fuzz_runs(uint64_t runs[SEGMENT_NONCES_MAX])
{
	for (size_t i = 0; i < SEGMENT_NONCES_MAX; i++)
		runs[i] = (i + 1) * UINT64_C(0x0123456789abcdef) & RUN_MASK;
}

/* Messages of one direction, each with its length in four bytes before it. */
static int fuzz_frames(const uint8_t *p, size_t len)
{
	struct short_form in = {0}, out = {0};
	struct cut c = cut_of(span_of(p, len));
	struct arena a;
	struct buf b;

	arena_init(&a, FUZZ_ARENA_MAX);
	buf_init(&b, 2 * MESSAGE_BYTES_MAX);
	while (cut_left(&c)) {
		size_t n = cut_u32(&c);
		const uint8_t *m = cut_take(&c, n);
		struct message got;

		if (!m || message_read(span_of(m, n), &in, &a, &got, NULL) != 0) break;
		buf_reset(&b);
		message_pack(&got, &out, &b);
		must(!b.full && span_equal(buf_span(&b), span_of(m, n)));
	}
	buf_done(&b);
	arena_done(&a);
	short_form_done(&in);
	short_form_done(&out);
	return 0;
}

/* One message, without memory of others: what a stranger says first. */
static int fuzz_hello(const uint8_t *p, size_t len)
{
	struct message got;
	struct arena a;
	struct buf b;

	arena_init(&a, FUZZ_ARENA_MAX);
	buf_init(&b, 2 * MESSAGE_BYTES_MAX);
	if (message_read(span_of(p, len), NULL, &a, &got, NULL) == 0) {
		message_pack(&got, NULL, &b);
		must(span_equal(buf_span(&b), span_of(p, len)));
	}
	must_take(&a, MESSAGE_MEMORY_FACTOR, len, MESSAGE_MEMORY_BASE);
	buf_done(&b);
	arena_done(&a);
	return 0;
}

/* The same head over the body taken as plain, hashed and signed: the inside, which a hash hides. */
static void segment_inside(const struct segment_head *head, struct span plain)
{
	struct segment_head h = *head;
	struct buf bytes, body, again, again_body;
	uint64_t runs[SEGMENT_NONCES_MAX];
	uint8_t hash[32], sign[64];
	struct changeset *cs;
	struct segment s;
	struct arena a;

	arena_init(&a, FUZZ_ARENA_MAX);
	buf_init(&bytes, HEAD_BYTES_MAX);
	buf_init(&again, HEAD_BYTES_MAX);
	buf_init(&body, BODY_SQUEEZED_MAX);
	buf_init(&again_body, BODY_SQUEEZED_MAX);
	h.dictionary = squeeze_dictionary(plain.len);
	h.plain_bytes = (uint32_t)plain.len;
	origin_of(fuzz_secret() + 32, h.origin);
	if (plain.len > BODY_BYTES_MAX || squeeze(plain, h.dictionary, &body) != 0) goto out;
	hash_of(buf_span(&body), h.body_hash, 32);
	segment_head_pack(&h, &bytes);
	segment_hash(buf_span(&bytes), hash);
	sign_make(span_of(hash, 32), fuzz_secret(), sign);
	buf_add(&bytes, sign, 64);
	must(!bytes.full && segment_open(buf_span(&bytes), buf_span(&body), &s, NULL) == 0);
	if (segment_check_open(&s, fuzz_secret() + 32, &a, &cs, NULL) == 0) {
		segment_runs(&h, runs);
		must(segment_make(&h, cs, runs, fuzz_secret(), &again, &again_body, hash, NULL) ==
		     0);
		must(span_equal(buf_span(&again), buf_span(&bytes)));
		must(span_equal(buf_span(&again_body), buf_span(&body)));
	}
	/* The plain body and what stands in it. */
	must_take(&a, CHANGESET_MEMORY_FACTOR + 1, plain.len, 4096);
out:
	buf_done(&bytes);
	buf_done(&again);
	buf_done(&body);
	buf_done(&again_body);
	arena_done(&a);
}

/* Length of the head in two bytes, head with signature, body. */
static int fuzz_segment(const uint8_t *p, size_t len)
{
	struct cut c = cut_of(span_of(p, len));
	size_t head_len = cut_u16(&c), count = 0;
	const uint8_t *head = cut_take(&c, head_len);
	struct changeset *cs;
	struct segment s;
	struct arena a;
	struct buf b;

	must(crypt_init() == 0);
	if (!head || segment_open(span_of(head, head_len), span_of(head + head_len, cut_left(&c)),
	                          &s, NULL) != 0)
		return 0;
	buf_init(&b, HEAD_BYTES_MAX);
	segment_head_pack(&s.head, &b);
	must(span_equal(buf_span(&b), span_of(head, head_len - 64)));
	buf_done(&b);
	/* The decoder of checked bodies, on one that nobody checked: it must stand that, too. */
	arena_init(&a, FUZZ_ARENA_MAX);
	(void)!segment_changesets(&s, &a, &cs, &count, NULL);
	arena_done(&a);
	arena_init(&a, FUZZ_ARENA_MAX);
	(void)!segment_check(&s, fuzz_secret() + 32, &a, NULL);
	arena_done(&a);
	segment_inside(&s.head, s.body);
	return 0;
}

/* Count of changesets in two bytes, count of runs in one, body. */
static int fuzz_body(const uint8_t *p, size_t len)
{
	uint64_t runs[SEGMENT_NONCES_MAX];
	struct changeset *cs;
	size_t count, own;
	struct arena a;
	struct buf b;

	if (len < 3) return 0;
	must(crypt_init() == 0);
	fuzz_runs(runs);
	count = (size_t)p[0] | (size_t)p[1] << 8;
	own = p[2] % (SEGMENT_NONCES_MAX + 1);
	arena_init(&a, FUZZ_ARENA_MAX);
	buf_init(&b, BODY_BYTES_MAX);
	if (body_decode(span_of(p + 3, len - 3), 1, count, runs, own, &a, &cs, NULL) == 0) {
		must(body_encode(cs, count, runs, own, &b, NULL) == 0);
		must(span_equal(buf_span(&b), span_of(p + 3, len - 3)));
	}
	must_be_small(&a, len);
	buf_done(&b);
	arena_done(&a);
	return 0;
}

static int fuzz_changeset(const uint8_t *p, size_t len)
{
	struct changeset c;
	struct arena a;
	struct buf b;

	arena_init(&a, FUZZ_ARENA_MAX);
	buf_init(&b, 2 * BODY_BYTES_MAX);
	if (changeset_read(span_of(p, len), &a, &c, NULL) == 0) {
		changeset_pack(&c, &b);
		must(span_equal(buf_span(&b), span_of(p, len)));
	}
	must_be_small(&a, len);
	buf_done(&b);
	arena_done(&a);
	return 0;
}

static int fuzz_admission(const uint8_t *p, size_t len)
{
	uint8_t hash[32], sign[64];
	struct admission m;
	struct arena a;
	struct buf b;

	arena_init(&a, FUZZ_ARENA_MAX);
	buf_init(&b, 2 * ADMISSION_BYTES_MAX);
	if (admission_open(span_of(p, len), &a, &m, hash, sign, NULL) == 0) {
		must(admission_make(&m, fuzz_secret(), &b, hash, NULL) == 0);
		must(b.len == len && memcmp(b.p, p, len - 64) == 0);
		must(entry_check_sign(buf_span(&b), fuzz_secret() + 32, NULL) == 0);
	}
	must_take(&a, ADMISSION_MEMORY_FACTOR, len, 64);
	buf_done(&b);
	arena_done(&a);
	return 0;
}

static int fuzz_hole(const uint8_t *p, size_t len)
{
	uint8_t hash[32], sign[64];
	struct hole h;
	struct buf b;

	buf_init(&b, 2 * MESSAGE_BYTES_MAX);
	if (hole_open(span_of(p, len), &h, hash, sign, NULL) == 0) {
		must(hole_make(&h, fuzz_secret(), &b, hash, NULL) == 0);
		must(b.len == len && memcmp(b.p, p, len - 64) == 0);
	}
	buf_done(&b);
	return 0;
}

static int fuzz_cert(const uint8_t *p, size_t len)
{
	struct cert c;
	struct buf b;

	buf_init(&b, CERT_BYTES_MAX);
	if (cert_open(span_of(p, len), &c, NULL) == 0) {
		must(cert_make(&c, fuzz_secret(), &b, NULL) == 0);
		must(b.len == len && memcmp(b.p, p, len - 64) == 0);
		(void)!cert_check_issued(&c, &c, NULL);
	}
	buf_done(&b);
	return 0;
}

static int fuzz_revocation(const uint8_t *p, size_t len)
{
	static uint8_t seed[32] = {1};
	uint8_t key[32], secret[64];
	struct revocation v;
	struct buf again;

	must(crypt_init() == 0);
	sign_keypair(seed, key, secret);
	buf_init(&again, MESSAGE_BYTES_MAX);
	if (revocation_open(span_of(p, len), &v, NULL) == 0) {
		must(revocation_make(&v, secret, &again, NULL) == 0);
		must(again.len == len && memcmp(again.p, p, len - SIGN_BYTES) == 0);
	}
	buf_done(&again);
	return 0;
}

/* The three lines of a root: what is read is written again. */
static int fuzz_root(const uint8_t *p, size_t len)
{
	struct root root;
	struct root_answer answer;
	struct cert hub;
	struct buf text, again;

	must(crypt_init() == 0);
	buf_init(&text, 8192);
	buf_init(&again, ROOT_TEXT_MAX);
	buf_add(&text, p, len);
	if (!text.full && memchr(buf_cstr(&text), 0, len) == NULL) {
		if (root_parse(buf_cstr(&text), &root, NULL) == 0) {
			root_text(&root, &again);
			must(memmem(p, len, again.p, again.len) != NULL);
		}
		root_done(&root);
		if (root_answer_parse(buf_cstr(&text), &answer, NULL) == 0)
			must(cert_check_issued(&answer.hub, &answer.root, NULL) == 0);
		root_answer_done(&answer);
		(void)root_request_parse(buf_cstr(&text), &hub, NULL);
	}
	buf_done(&text);
	buf_done(&again);
	return 0;
}

/* A text; or, where it does not begin as an invitation does, the bytes inside one. */
static int fuzz_token(const uint8_t *p, size_t len)
{
	struct token t;
	struct buf text, again;

	must(crypt_init() == 0);
	buf_init(&text, 4096);
	buf_init(&again, 4096);
	if (len && len < 1024 && p[0] == 0x99) { /* an array of nine */
		buf_text(&text, "JG1-");
		base64_text(span_of(p, len), &text);
		p = text.p;
		len = text.len;
	} else {
		buf_add(&text, p, len);
	}
	if (!text.full && memchr(buf_cstr(&text), 0, len) == NULL &&
	    token_parse(buf_cstr(&text), &t, NULL) == 0) {
		token_text(&t, &again);
		must(memmem(p, len, again.p, again.len) != NULL);
	}
	buf_done(&text);
	buf_done(&again);
	return 0;
}

/* Fed in pieces whose length the first byte says; what reads to its end is written again. */
static int fuzz_bundle(const uint8_t *p, size_t len)
{
	struct bundle_reader b;
	struct bundle_entry e;
	struct buf again;
	struct hash h;
	size_t step = len ? 1u + p[0] % 64u * 64u : 1u;
	bool headed = false;
	int rc = 0;

	bundle_reader_init(&b);
	buf_init(&again, 2 * len + 1024);
	if (len) p++, len--;
	for (size_t at = 0; rc == 0 && at < len; at += step) {
		bundle_feed(&b, span_of(p + at, len - at < step ? len - at : step));
		while ((rc = bundle_next(&b, &e, NULL)) == 1) {
			if (!headed) bundle_put_head(&h, b.origin, b.at_ms, b.entries, &again);
			headed = true;
			bundle_put_entry(&h, e.kind, e.head, e.body, &again);
		}
		must(b.pending.room <= 2 * BUNDLE_PENDING_MAX);
	}
	if (rc == 0 && b.ended) {
		if (!headed) bundle_put_head(&h, b.origin, b.at_ms, b.entries, &again);
		bundle_put_end(&h, &again);
		must(again.len == len && memcmp(again.p, p, len) == 0);
	}
	bundle_reader_done(&b);
	buf_done(&again);
	return 0;
}

static int fuzz_named(const uint8_t *p, size_t len)
{
	uint8_t origin[16], again[NAMED_BYTES];
	uint64_t number;

	if (named_open(span_of(p, len), fuzz_secret() + 32, origin, &number, NULL) == 0) {
		named_make(origin, number, fuzz_secret(), again);
		must(len == NAMED_BYTES && memcmp(again, p, len) == 0);
	}
	return 0;
}

static int fuzz_trail(const uint8_t *p, size_t len)
{
	struct trail_record t;
	struct buf b;

	if (!trail_parse(span_of(p, len), &t)) return 0;
	buf_init(&b, TRAIL_BYTES_MAX);
	trail_pack(&t, &b);
	must(span_equal(buf_span(&b), span_of(p, len)));
	buf_done(&b);
	return 0;
}

static const struct fuzz_target {
	const char *name;
	int (*run)(const uint8_t *p, size_t len);
} fuzz_targets[] __attribute__((unused)) = {
        {"frames", fuzz_frames},   {"hello", fuzz_hello},         {"segment", fuzz_segment},
        {"body", fuzz_body},       {"changeset", fuzz_changeset}, {"admission", fuzz_admission},
        {"hole", fuzz_hole},       {"cert", fuzz_cert},           {"token", fuzz_token},
        {"config", fuzz_config},   {"division", fuzz_division},   {"fields", fuzz_fields},
        {"values", fuzz_values},   {"witness", fuzz_witness},     {"seed", fuzz_seed},
        {"json", fuzz_json},       {"clock", fuzz_clock},         {"peer", fuzz_peer},
        {"session", fuzz_session}, {"bundle", fuzz_bundle},       {"named", fuzz_named},
        {"person", fuzz_person},   {"root", fuzz_root},           {"revocation", fuzz_revocation},
        {"trail", fuzz_trail},     {"envelope", fuzz_envelope},   {"dossier", fuzz_dossier},
        {"officer", fuzz_officer},
};

#ifdef FUZZ
static uint64_t fuzz_bytes;

static void fuzz_end(void)
{
	(void)printf("stat::bytes_fuzzed: %" PRIu64 "\n", fuzz_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (!fuzz_bytes) must(atexit(fuzz_end) == 0);
	fuzz_bytes += len + 1;
	return FUZZ(p, len);
}
#endif
