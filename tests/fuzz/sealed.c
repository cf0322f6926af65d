/*
 * sealed.c - envelopes, what stands in them, certificates of officers and the lines that ask for one.
 */
#include "common/base.h"

#include "node/dossier.h"
#include "node/unseal.h"
#include "proto/officer.h"
#include "tests/fuzz/fuzz.h"

static void none(void *ctx, void *ret, size_t len)
{
	(void)ctx;
	memset(ret, 7, len);
}

/* What is accepted is made of its parts again; and any bytes that are closed come back as they were. */
int fuzz_envelope(const uint8_t *p, size_t len)
{
	static const uint8_t author[8], seed[32] = {1};
	static const struct envelope_chance chance = {none, NULL};
	struct envelope_place at = {.table = 42, .field = 10};
	struct officer_keys k;
	struct envelope e;
	struct error err;
	uint8_t to[1][LINK_KEY], key[SEAL_KEY];
	struct buf b, plain;

	buf_init(&b, ENVELOPE_BYTES_MAX);
	if (envelope_parse(span_of(p, len), &e)) {
		must(len <= ENVELOPE_BYTES_MAX);
		buf_add(&b, "JGE\1", 4);
		buf_u8(&b, (uint8_t)e.kind);
		buf_add(&b, e.author, 8);
		buf_add(&b, e.commit, 32);
		buf_u8(&b, (uint8_t)e.recipients);
		buf_add(&b, e.wraps, e.recipients * ENVELOPE_WRAP);
		if (e.kind == ENVELOPE_CONTENT) {
			buf_add(&b, e.nonce, SEAL_NONCE);
			buf_u32(&b, (uint32_t)e.sealed.len);
			must(b.len == e.head.len);
			buf_add(&b, e.sealed.p, e.sealed.len);
		}
		must(span_equal(buf_span(&b), span_of(p, len)));
	}
	buf_reset(&b);
	officer_keys(seed, &k);
	memcpy(to[0], k.link_public, LINK_KEY);
	buf_init(&plain, ENVELOPE_CONTENT_MAX + 1);
	if (!envelope_close(&at, author, (const uint8_t(*)[LINK_KEY])to, 1, span_of(p, len),
	                    &chance, &b, &err)) {
		must(envelope_parse(buf_span(&b), &e));
		must(unseal_key(&e, k.link_public, k.link_secret, key));
		must(unseal_content(&e, &at, key, &plain));
		must(span_equal(buf_span(&plain), span_of(p, len)));
	} else {
		must(len > ENVELOPE_CONTENT_MAX);
	}
	buf_done(&b);
	buf_done(&plain);
	return 0;
}

/* What an officer's program reads once it has opened an envelope, which anybody may have closed. */
int fuzz_dossier(const uint8_t *p, size_t len)
{
	static const uint8_t seed[32] = {1};
	struct envelope_place at = {.table = 42, .field = 10};
	struct officer_keys k;
	struct dossier d;
	struct error err;
	struct buf b;
	bool known = true;

	if (!dossier_parse(span_of(p, len), &at, &d)) return 0;
	must(d.count <= DOSSIER_FIELDS_MAX);
	for (size_t i = 0; i < d.count; i++) known = known && d.fields[i];
	if (!known) return 0;
	officer_keys(seed, &k);
	memcpy(d.key, k.sign_public, 32);
	buf_init(&b, 2 * ENVELOPE_CONTENT_MAX);
	if (!dossier_pack(&d, &at, k.sign_secret, &b, &err)) {
		must(b.len == len && !memcmp(b.p + 96, p + 96, len - 96));
		must(dossier_parse(buf_span(&b), &at, &d) && d.signed_well);
	}
	buf_done(&b);
	return 0;
}

int fuzz_officer(const uint8_t *p, size_t len)
{
	struct officer o;
	struct officer_request q, again;
	struct officer_keys k;
	static const uint8_t seed[32] = {1};
	struct buf b;
	char *text;

	buf_init(&b, 1024);
	if (!officer_open(span_of(p, len), &o, NULL)) {
		uint8_t sign[64];

		memcpy(sign, o.sign, 64);
		officer_keys(seed, &k);
		must(!officer_make(&o, k.sign_secret, &b, NULL) && b.len == len);
		must(!memcmp(b.p, p, len - 64));
		must(!memcmp(p + len - 64, sign, 64));
	}
	buf_reset(&b);
	text = mem_alloc(len + 1);
	if (len) memcpy(text, p, len);
	if (!officer_request_parse(text, &q, NULL)) {
		officer_keys(seed, &k);
		memcpy(q.sign_key, k.sign_public, 32);
		officer_request_text(&q, k.sign_secret, &b);
		must(!officer_request_parse(buf_cstr(&b), &again, NULL));
		must(!memcmp(&q, &again, sizeof(q)));
	}
	free(text);
	buf_done(&b);
	return 0;
}
