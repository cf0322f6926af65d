/*
 * test_common.c - the ground floor: bytes, errors, surroundings, ids, signatures, msgpack, zstd.
 * Most of it is hostile input: these are the functions that meet a stranger's bytes first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base.h"

#include "common/buf.h"
#include "common/crypt.h"
#include "common/env.h"
#include "common/error.h"
#include "common/ident.h"
#include "common/pack.h"
#include "common/reader.h"
#include "common/squeeze.h"
#include "common/value.h"
#include "tests/support/scratch.h"

#define SPAN(LITERAL) span_of((LITERAL), sizeof(LITERAL) - 1)

/* ---- buf, arena, cut */

static void buf_grows_and_ends(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_string_equal(buf_cstr(&b), "");
	for (int i = 0; i < 250; i++) buf_text(&b, "abcd");
	assert_false(b.full);
	assert_int_equal(b.len, 1000);
	assert_int_equal(strlen(buf_cstr(&b)), 1000);
	buf_add(&b, NULL, 0);
	assert_false(b.full);
	buf_u8(&b, 1);
	assert_true(b.full);
	buf_reset(&b);
	buf_print(&b, "%d-%s", 42, "x");
	assert_string_equal(buf_cstr(&b), "42-x");
	buf_done(&b);
	buf_done(&b);
}

static void buf_full_stays_full(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	buf_print(&b, "%s", "123456789");
	assert_true(b.full);
	buf_text(&b, "1");
	assert_true(b.full);
	assert_int_equal(b.len, 0);
	buf_reset(&b);
	assert_null(buf_take(&b, SIZE_MAX));
	assert_null(buf_take(&b, 1));
	buf_done(&b);
}

static void fixed_widths_are_little_endian(void **state)
{
	static const uint8_t want[] = {1, 3, 2, 7, 6, 5, 4, 0xf, 0xe, 0xd, 0xc, 0xb, 0xa, 9, 8};
	struct buf b;
	struct cut c;

	(void)state;
	buf_init(&b, 64);
	buf_u8(&b, 1);
	buf_u16(&b, 0x0203);
	buf_u32(&b, 0x04050607);
	buf_u64(&b, UINT64_C(0x08090a0b0c0d0e0f));
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.p, want, sizeof(want));
	c = cut_of(buf_span(&b));
	assert_int_equal(cut_u8(&c), 1);
	assert_int_equal(cut_u16(&c), 0x0203);
	assert_int_equal(cut_u32(&c), 0x04050607);
	assert_true(cut_u64(&c) == UINT64_C(0x08090a0b0c0d0e0f));
	assert_false(c.bad);
	assert_int_equal(cut_left(&c), 0);
	assert_int_equal(cut_u8(&c), 0);
	assert_true(c.bad);
	buf_done(&b);
}

static void varints_return(void **state)
{
	static const int64_t values[] = {0,   1,     -1,    63,        -64,       64,       127,
	                                 128, 16383, 16384, INT32_MAX, INT64_MAX, INT64_MIN};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
		struct buf b;
		struct cut c;

		buf_init(&b, 32);
		buf_varint(&b, (uint64_t)values[i]);
		assert_in_range(b.len, 1, 10);
		buf_zigzag(&b, values[i]);
		c = cut_of(buf_span(&b));
		assert_true(cut_varint(&c) == (uint64_t)values[i]);
		assert_true(cut_zigzag(&c) == values[i]);
		assert_false(c.bad);
		assert_int_equal(cut_left(&c), 0);
		buf_done(&b);
	}
}

static void hostile_varints(void **state)
{
	const struct span bad[] = {
	        SPAN(""),
	        SPAN("\x80"),
	        SPAN("\x80\x00"),
	        SPAN("\xff\x80\x00"),
	        SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
	        SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	        SPAN("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct cut c = cut_of(bad[i]);

		assert_true(cut_varint(&c) == 0);
		assert_true(c.bad);
		assert_int_equal(cut_left(&c), 0);
		assert_null(cut_take(&c, 0));
	}
}

static void cut_is_bounded(void **state)
{
	struct cut c = cut_of(SPAN("abc"));
	struct cut none = cut_of(span_of(NULL, 0));

	(void)state;
	assert_non_null(cut_take(&none, 0));
	assert_false(none.bad);
	assert_null(cut_take(&c, SIZE_MAX));
	assert_true(c.bad);
	c = cut_of(SPAN("abc"));
	assert_memory_equal(cut_take(&c, 2), "ab", 2);
	assert_int_equal(cut_u16(&c), 0);
	assert_true(c.bad);
	assert_int_equal(cut_u8(&c), 0);
}

static void arena_is_bounded_and_clean(void **state)
{
	struct arena a;
	uint8_t *p;

	(void)state;
	arena_init(&a, 10000);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 9; i++) {
			p = arena_take(&a, 1000);
			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			for (int j = 0; j < 1000; j++) assert_int_equal(p[j], 0);
			memset(p, 0xaa, 1000);
		}
		assert_null(arena_take(&a, 1000));
		assert_true(a.full);
		arena_reset(&a);
		assert_false(a.full);
	}
	assert_null(arena_take(&a, SIZE_MAX));
	assert_null(arena_take(&a, (size_t)1 << 40));
	assert_true(a.full);
	assert_int_equal(arena_span(&a, span_of("x", 20000)).len, 0);
	assert_string_equal(arena_text(&a, SPAN("text")), "text");
	assert_string_equal(arena_text(&a, span_of(NULL, 0)), "");
	arena_done(&a);
	arena_done(&a);
}

static void spans_compare(void **state)
{
	(void)state;
	assert_true(span_equal(SPAN("ab"), SPAN("ab")));
	assert_false(span_equal(SPAN("ab"), SPAN("abc")));
	assert_false(span_equal(SPAN("ab"), SPAN("ac")));
	assert_true(span_equal(span_of(NULL, 0), SPAN("")));
}

/* ---- errors */

static void errors_are_told_apart(void **state)
{
	(void)state;
	assert_in_range(error_count(), 70, 200);
	for (size_t i = 0; i < error_count(); i++) {
		const struct error_info *e = error_at(i);

		assert_in_range(e->code, 1101, 8999);
		assert_ptr_equal(error_info(e->code), e);
		if (i > 0) assert_true(error_at(i - 1)->code < e->code);
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(error_at(j)->name, e->name);
			assert_string_not_equal(error_at(j)->zh, e->zh);
			assert_string_not_equal(error_at(j)->en, e->en);
		}
	}
}

/* `text` is there, ends a sentence, and has none of the words that say nothing. */
static void wording(const char *text, const char *end)
{
	static const char *const empty_words[] = {"非法", "异常",    "操作失败",
	                                          "失败", "illegal", "invalid"};

	assert_non_null(text);
	assert_true(strlen(text) > strlen(end));
	assert_string_equal(text + strlen(text) - strlen(end), end);
	assert_true(utf8_valid(span_of(text, strlen(text))));
	for (size_t i = 0; i < ARRAY_COUNT(empty_words); i++)
		assert_null(strstr(text, empty_words[i]));
}

static void errors_have_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < error_count(); i++) {
		const struct error_info *e = error_at(i);

		wording(e->zh, "。");
		wording(e->fix_zh, "。");
		wording(e->en, ".");
		wording(e->fix_en, ".");
		assert_in_range(e->exit_code, 1, 12);
		assert_in_range(e->http, 400, 599);
		for (const char *c = e->name; *c; c++)
			assert_true((*c >= 'a' && *c <= 'z') || *c == '_' || *c == '8');
	}
	assert_string_equal(error_info(ERR_ID_CHECK)->name, "id_check");
	assert_int_equal(error_info(ERR_UNREACHABLE)->exit_code, EXIT_UNREACHABLE);
	assert_int_equal(error_info(12345)->code, ERR_INTERNAL);
	assert_int_equal(error_info(0)->code, ERR_INTERNAL);
}

static void error_is_set_and_prefixed(void **state)
{
	struct error err = {.code = 7};
	char longest[600];

	(void)state;
	assert_int_equal(error_set(&err, ERR_RANGE, "visit.minutes", "%d above %d", 900, 480),
	                 -ERR_RANGE);
	assert_int_equal(err.code, ERR_RANGE);
	assert_string_equal(err.field, "visit.minutes");
	assert_string_equal(err.detail, "900 above 480");
	assert_int_equal(error_prefix(&err, "row 3"), -ERR_RANGE);
	assert_string_equal(err.detail, "row 3: 900 above 480");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	for (int i = 0; i < 3; i++) error_prefix(&err, longest);
	assert_int_equal(strlen(err.detail), sizeof(err.detail) - 1);
	error_set(&err, ERR_RANGE, longest, "%s", longest);
	assert_int_equal(strlen(err.field), sizeof(err.field) - 1);
	assert_int_equal(strlen(err.detail), sizeof(err.detail) - 1);
	assert_int_equal(error_set(NULL, ERR_BUSY, NULL, "%s", ""), -ERR_BUSY);
	assert_int_equal(error_prefix(NULL, "x"), 0);
}

/* ---- surroundings */

struct place {
	char dir[64], database[96];
};

static void place_make(struct place *p)
{
	scratch_make("/tmp", "common", p->dir, sizeof(p->dir));
	snprintf(p->database, sizeof(p->database), "%s/db", p->dir);
}

static void file_make(const char *path)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fclose(f);
}

static void place_remove(struct place *p)
{
	assert_int_equal(scratch_remove(p->dir), 0);
}

static void witness_returns(void **state)
{
	struct witness w = {.run = RUN_MASK - 5,
	                    .wall_less_boot_ms = -77,
	                    .wall_ms = 1700000000000},
	               got;
	struct env_system *s, *again;
	struct env env, env_again;
	struct place place;

	(void)state;
	place_make(&place);
	s = env_system_new(place.database, place.dir, &env);
	env.boot_id(env.ctx, w.boot);
	env.random(env.ctx, w.tag, sizeof(w.tag));
	/* no database yet: nothing to bear witness of */
	assert_false(env.witness_read(env.ctx, &got));
	env.witness_write(env.ctx, &w);
	assert_false(env.witness_read(env.ctx, &got));

	file_make(place.database);
	assert_false(env.witness_read(env.ctx, &got));
	env.witness_write(env.ctx, &w);
	again = env_system_new(place.database, place.dir, &env_again);
	assert_true(env_again.witness_read(env_again.ctx, &got));
	assert_memory_equal(got.boot, w.boot, 16);
	assert_memory_equal(got.tag, w.tag, 16);
	assert_true(got.run == w.run && got.wall_less_boot_ms == w.wall_less_boot_ms &&
	            got.wall_ms == w.wall_ms);

	/* each sees what the other wrote last */
	w.run = 9;
	env_again.witness_write(env_again.ctx, &w);
	assert_true(env.witness_read(env.ctx, &got));
	assert_true(got.run == 9);
	env_system_free(again);
	env_system_free(s);
	env_system_free(NULL);
	place_remove(&place);
}

static void witness_of_another_database(void **state)
{
	struct witness w = {.run = 1}, got;
	struct env_system *s;
	struct env env;
	struct place place;
	char other[96];

	(void)state;
	place_make(&place);
	file_make(place.database);
	s = env_system_new(place.database, place.dir, &env);
	env.witness_write(env.ctx, &w);
	assert_true(env.witness_read(env.ctx, &got));
	/* a copy put in its place has another inode, even under an open program */
	snprintf(other, sizeof(other), "%s/copy", place.dir);
	file_make(other);
	assert_int_equal(rename(other, place.database), 0);
	assert_false(env.witness_read(env.ctx, &got));
	env_system_free(s);
	place_remove(&place);
}

static void witness_damaged(void **state)
{
	struct witness w = {.run = 1}, got;
	struct env_system *s;
	struct env env;
	struct place place;
	struct stat st;
	char path[192];
	FILE *f;

	(void)state;
	place_make(&place);
	file_make(place.database);
	s = env_system_new(place.database, place.dir, &env);
	env.witness_write(env.ctx, &w);
	assert_int_equal(stat(place.database, &st), 0);
	snprintf(path, sizeof(path), "%s/jinguo-%" PRIx64 "-%" PRIx64, place.dir,
	         (uint64_t)st.st_dev, (uint64_t)st.st_ino);
	for (long at = 0; at < 80; at++) {
		f = fopen(path, "r+e");
		assert_non_null(f);
		fseek(f, at, SEEK_SET);
		fputc('#', f);
		fclose(f);
		assert_false(env.witness_read(env.ctx, &got));
		env.witness_write(env.ctx, &w);
		assert_true(env.witness_read(env.ctx, &got));
	}
	assert_int_equal(truncate(path, 79), 0);
	assert_false(env.witness_read(env.ctx, &got));
	env_system_free(s);
	place_remove(&place);
}

static void clock_and_chance(void **state)
{
	struct env_system *s;
	struct env env;
	uint8_t a[32] = {0}, b[32] = {0};
	int64_t boot = env_boot_ms(), wall;

	(void)state;
	unsetenv("JINGUO_CLOCK_OFFSET_MS");
	wall = env_wall_ms();
	assert_true(wall > INT64_C(1600000000000));
	env_sleep_ms(3);
	env_sleep_ms(-5);
	assert_true(env_boot_ms() >= boot + 3);
	env_random(a, sizeof(a));
	env_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));

	setenv("JINGUO_CLOCK_OFFSET_MS", "86400000", 1);
	s = env_system_new("/nowhere/db", NULL, &env);
	assert_true(env.now_ms(env.ctx) >= wall + 86400000);
	assert_true(env_wall_ms() >= wall + 86400000);
	assert_true(env.boot_ms(env.ctx) < boot + 86400000);
	env_system_free(s);
	setenv("JINGUO_CLOCK_OFFSET_MS", "12x", 1);
	assert_true(env_wall_ms() < wall + 86400000);
	setenv("JINGUO_CLOCK_OFFSET_MS", "99999999999999999999", 1);
	assert_true(env_wall_ms() < wall + 86400000);
	unsetenv("JINGUO_CLOCK_OFFSET_MS");
}

static void trace_keep(void *ctx, const char *line)
{
	snprintf(ctx, 32, "%s", line);
}

static void trace_is_optional(void **state)
{
	char line[32] = "";
	struct env env = {.ctx = line};

	(void)state;
	env_trace(&env, "%d", 1);
	assert_string_equal(line, "");
	env.trace = trace_keep;
	env_trace(&env, "seal %d", 1);
	assert_string_equal(line, "seal 1");
}

/* ---- ids */

static void created_ids(void **state)
{
	/* RFC 9562: 017f22e2-79b0 is 1645557742000 ms; version 7; variant 2 */
	const uint64_t stamp = stamp_of_ms(INT64_C(1645557742000)) | 0xcc3;
	uint8_t id[16], again[16];
	char text[ID_TEXT];

	(void)state;
	id_make(stamp, UINT64_C(0x18c4dc0c0c07398f), id);
	id_text(id, text);
	assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
	assert_true(id_is_created(id));
	assert_true(id_stamp(id) == stamp);
	assert_true(id_run(id) == UINT64_C(0x18c4dc0c0c07398f));
	assert_true(stamp_ms(stamp) == INT64_C(1645557742000));
	assert_true(id_parse(text, again));
	assert_memory_equal(id, again, 16);

	id_make(STAMP_MAX, RUN_MASK, id);
	assert_true(id_is_created(id) && id_stamp(id) == STAMP_MAX && id_run(id) == RUN_MASK);
	id_make(0, 0, id);
	assert_true(id_is_created(id) && id_stamp(id) == 0 && id_run(id) == 0);
	assert_false(id_is_zero(id));
	memset(id, 0, sizeof(id));
	assert_true(id_is_zero(id));
	assert_false(id_is_created(id));
	assert_true(stamp_of_ms(-5) == 0);
	assert_true(stamp_of_ms(INT64_MAX) <= STAMP_MAX);
}

static void ids_sort_by_time(void **state)
{
	uint8_t a[16], b[16];

	(void)state;
	id_make(stamp_of_ms(1000) | 4095, RUN_MASK, a);
	id_make(stamp_of_ms(1001), 0, b);
	assert_true(memcmp(a, b, 16) < 0);
	id_make(stamp_of_ms(1000) | 7, RUN_MASK, a);
	id_make(stamp_of_ms(1000) | 8, 0, b);
	assert_true(memcmp(a, b, 16) < 0);
}

static void derived_ids(void **state)
{
	const struct span split[] = {SPAN("ab"), SPAN("c")}, other[] = {SPAN("a"), SPAN("bc")};
	uint8_t a[16], b[16];
	char text[ID_TEXT];

	(void)state;
	id_derive("set", split, 2, a);
	id_text(a, text);
	/* computed by Python's hashlib */
	assert_string_equal(text, "305ba888-6d6d-8294-ba76-91bce9597cbc");
	assert_false(id_is_created(a));
	id_derive("set", other, 2, b);
	assert_memory_not_equal(a, b, 16);
	id_derive("sets", split, 2, b);
	assert_memory_not_equal(a, b, 16);
	id_derive("set", split, 1, b);
	assert_memory_not_equal(a, b, 16);
}

static void id_texts_refused(void **state)
{
	static const char *const bad[] = {
	        "",
	        "0",
	        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
	        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
	        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
	        "017f22e279b07cc398c4dc0c0c07398f",
	        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
	        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
	        " 17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
	        "017f22e2_79b0-7cc3-98c4-dc0c0c07398f",
	};
	uint8_t id[16] = {1}, before[16] = {1};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_false(id_parse(bad[i], id));
		assert_memory_equal(id, before, 16);
	}
	assert_false(id_parse(NULL, id));
}

static void run_of_origin(void **state)
{
	uint8_t origin[16], nonce[8];

	(void)state;
	for (uint8_t i = 0; i < 16; i++) origin[i] = i;
	for (uint8_t i = 0; i < 8; i++) nonce[i] = i;
	/* blake2b("jinguo run" 00..0f 00..07, 8 bytes), by Python's hashlib */
	assert_true(run_of(origin, nonce) == UINT64_C(0xe1279ffd916ee03d) >> 2);
	nonce[7] ^= 1;
	assert_true(run_of(origin, nonce) != UINT64_C(0xe1279ffd916ee03d) >> 2);
	assert_true(run_of(origin, nonce) <= RUN_MASK);
}

static void hexadecimal(void **state)
{
	uint8_t p[3] = {0, 0xab, 0xff}, back[3];
	char text[7];

	(void)state;
	hex_text(p, 3, text);
	assert_string_equal(text, "00abff");
	assert_true(hex_parse("00ABff", back, 3));
	assert_memory_equal(p, back, 3);
	assert_false(hex_parse("00abf", back, 3));
	assert_false(hex_parse("00abfg", back, 3));
	assert_false(hex_parse("00abff00", back, 3));
	assert_false(hex_parse(NULL, back, 3));
	assert_true(hex_parse("", back, 0));
}

/* ---- hashes, signatures, base64 */

static void hashes(void **state)
{
	uint8_t whole[32], parts[32], want[32];
	struct hash h;

	(void)state;
	hash_of(SPAN("abc"), whole, 32);
	assert_true(hex_parse("bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319",
	                      want, 32));
	assert_memory_equal(whole, want, 32);
	hash_begin(&h, 32);
	hash_add(&h, "a", 1);
	hash_add(&h, NULL, 0);
	hash_add(&h, "bc", 2);
	hash_end(&h, parts, 32);
	assert_memory_equal(whole, parts, 32);
	hash_of(SPAN("abc"), whole, 8);
	assert_true(hex_parse("d8bb14d833d59559", want, 8));
	assert_memory_equal(whole, want, 8);
	hash_of(span_of(NULL, 0), whole, 32);
}

/* draft-irtf-cfrg-xchacha-03, appendix A.3.1. */
static void sealing(void **state)
{
	static const char text[] =
	        "Ladies and Gentlemen of the class of '99: If I could offer you only "
	        "one tip for the future, sunscreen would be it.";
	uint8_t key[SEAL_KEY], nonce[SEAL_NONCE], about[12], tag[SEAL_TAG], first[8];
	uint8_t sealed[sizeof(text) - 1 + SEAL_TAG], plain[sizeof(text)];

	(void)state;
	assert_true(hex_parse("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	                      key, SEAL_KEY));
	assert_true(
	        hex_parse("404142434445464748494a4b4c4d4e4f5051525354555657", nonce, SEAL_NONCE));
	assert_true(hex_parse("50515253c0c1c2c3c4c5c6c7", about, 12));
	assert_true(hex_parse("c0875924c1c7987947deafd8780acf49", tag, SEAL_TAG));
	assert_true(hex_parse("bd6d179d3e83d43b", first, 8));
	seal_make(key, nonce, span_of(about, 12), span_of(text, sizeof(text) - 1), sealed);
	assert_memory_equal(sealed, first, 8);
	assert_memory_equal(sealed + sizeof(text) - 1, tag, SEAL_TAG);
	assert_true(
	        seal_open(key, nonce, span_of(about, 12), span_of(sealed, sizeof(sealed)), plain));
	assert_memory_equal(plain, text, sizeof(text) - 1);
	for (size_t i = 0; i < sizeof(sealed); i += 7) {
		sealed[i] ^= 1;
		assert_false(seal_open(key, nonce, span_of(about, 12),
		                       span_of(sealed, sizeof(sealed)), plain));
		sealed[i] ^= 1;
	}
	about[0] ^= 1;
	assert_false(
	        seal_open(key, nonce, span_of(about, 12), span_of(sealed, sizeof(sealed)), plain));
	assert_false(
	        seal_open(key, nonce, span_of(about, 12), span_of(sealed, SEAL_TAG - 1), plain));
}

static void passwords(void **state)
{
	uint8_t salt[PASSWORD_SALT], a[SEAL_KEY], b[SEAL_KEY];

	(void)state;
	memset(salt, 's', sizeof(salt));
	assert_true(password_key(SPAN("password"), salt, 2, 64, a));
	assert_true(password_key(SPAN("password"), salt, 2, 64, b));
	assert_memory_equal(a, b, SEAL_KEY);
	assert_true(password_key(SPAN("passwore"), salt, 2, 64, b));
	assert_memory_not_equal(a, b, SEAL_KEY);
	salt[15]++;
	assert_true(password_key(SPAN("password"), salt, 2, 64, b));
	assert_memory_not_equal(a, b, SEAL_KEY);
	salt[15]--;
	assert_true(password_key(SPAN("password"), salt, 3, 64, b));
	assert_memory_not_equal(a, b, SEAL_KEY);
	assert_false(password_key(SPAN("password"), salt, 0, 64, b));
	assert_false(password_key(SPAN("password"), salt, 2, 7, b));
	assert_false(password_key(SPAN("password"), salt, PASSWORD_PASSES_MAX + 1, 64, b));
	assert_false(password_key(SPAN("password"), salt, 1, PASSWORD_KIB_MAX + 1, b));
}

/* RFC 8032, section 7.1, tests 1 and 2. */
static void signatures(void **state)
{
	uint8_t seed[32], public_key[32], secret[64], want[64], sign[64], origin[16], digest[32];

	(void)state;
	assert_true(hex_parse("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	                      seed, 32));
	sign_keypair(seed, public_key, secret);
	assert_true(hex_parse("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
	                      want, 32));
	assert_memory_equal(public_key, want, 32);
	sign_make(span_of(NULL, 0), secret, sign);
	assert_true(hex_parse(
	        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
	        "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
	        want, 64));
	assert_memory_equal(sign, want, 64);
	assert_true(sign_check(span_of(NULL, 0), sign, public_key));

	sign_make(SPAN("hello"), secret, sign);
	assert_true(sign_check(SPAN("hello"), sign, public_key));
	assert_false(sign_check(SPAN("hellp"), sign, public_key));
	for (size_t i = 0; i < 64; i++) {
		sign[i] ^= 1;
		assert_false(sign_check(SPAN("hello"), sign, public_key));
		sign[i] ^= 1;
	}
	public_key[3] ^= 4;
	assert_false(sign_check(SPAN("hello"), sign, public_key));
	memset(public_key, 0, 32); /* a point of small order */
	memset(sign, 0, 64);
	assert_false(sign_check(SPAN("hello"), sign, public_key));

	hash_of(span_of(public_key, 32), digest, 32);
	origin_of(public_key, origin);
	assert_memory_equal(origin, digest, 16);
}

static void keys_and_wiping(void **state)
{
	uint8_t seed[32] = {7}, public_a[32], secret_a[32], public_b[32], secret_b[32];

	(void)state;
	link_keypair(seed, public_a, secret_a);
	link_keypair(seed, public_b, secret_b);
	assert_memory_equal(public_a, public_b, 32);
	assert_true(crypt_equal(secret_a, secret_b, 32));
	seed[31] = 1;
	link_keypair(seed, public_b, secret_b);
	assert_memory_not_equal(public_a, public_b, 32);
	assert_false(crypt_equal(secret_a, secret_b, 32));
	crypt_wipe(secret_a, 32);
	memset(seed, 0, 32);
	assert_memory_equal(secret_a, seed, 32);
}

static void base64_returns(void **state)
{
	uint8_t bytes[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)(i * 7 + 3);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct buf text, back;

		buf_init(&text, 1000);
		buf_init(&back, 300);
		base64_text(span_of(bytes, len), &text);
		assert_int_equal(text.len, (len * 4 + 2) / 3);
		assert_true(base64_parse(buf_cstr(&text), &back));
		assert_true(span_equal(buf_span(&back), span_of(bytes, len)));
		buf_done(&text);
		buf_done(&back);
	}
}

static void base64_refused(void **state)
{
	static const char *const bad[] = {"a", "ab==", "ab+/", "a b", "abcde", "ab\n", "ab", "AAB"};
	struct buf back;

	(void)state;
	buf_init(&back, 100);
	buf_text(&back, "keep");
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		/* the last two: their unused bits are not 0, so another text says the same bytes */
		assert_false(base64_parse(bad[i], &back));
		assert_string_equal(buf_cstr(&back), "keep");
	}
	assert_false(base64_parse(NULL, &back));
	assert_true(base64_parse("-_-_", &back));
	assert_memory_equal(back.p + 4, "\xfb\xff\xbf", 3);
	buf_done(&back);
}

/* ---- msgpack */

static void numbers_return(void **state)
{
	static const int64_t values[] = {0,
	                                 1,
	                                 127,
	                                 128,
	                                 255,
	                                 256,
	                                 65535,
	                                 65536,
	                                 INT64_C(4294967295),
	                                 INT64_C(4294967296),
	                                 INT64_MAX,
	                                 -1,
	                                 -32,
	                                 -33,
	                                 -128,
	                                 -129,
	                                 -32768,
	                                 -32769,
	                                 INT32_MIN,
	                                 (int64_t)INT32_MIN - 1,
	                                 INT64_MIN};
	static const size_t bytes[] = {1, 1, 1, 2, 2, 3, 3, 5, 5, 9, 9,
	                               1, 1, 2, 2, 3, 3, 5, 5, 9, 9};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
		struct reader r;
		struct buf b;

		buf_init(&b, 64);
		pack_int(&b, values[i]);
		assert_int_equal(b.len, bytes[i]);
		reader_init(&r, buf_span(&b));
		assert_int_equal(reader_peek(&r), values[i] < 0 ? READER_INT : READER_UINT);
		assert_true(reader_int(&r) == values[i]);
		assert_true(reader_done(&r));
		reader_init(&r, buf_span(&b));
		reader_skip(&r);
		assert_true(reader_done(&r));
		/* cut short anywhere it is bad */
		for (size_t len = 0; len < b.len; len++) {
			reader_init(&r, span_of(b.p, len));
			assert_true(reader_int(&r) == 0);
			assert_true(r.bad);
		}
		buf_done(&b);
	}
}

static void unsigned_numbers(void **state)
{
	struct reader r;
	struct buf b;

	(void)state;
	buf_init(&b, 64);
	pack_uint(&b, UINT64_MAX);
	pack_uint(&b, 100);
	pack_uint(&b, 101);
	reader_init(&r, buf_span(&b));
	assert_true(reader_uint(&r, UINT64_MAX) == UINT64_MAX);
	assert_true(reader_uint(&r, 100) == 100);
	assert_false(r.bad);
	assert_true(reader_uint(&r, 100) == 0);
	assert_true(r.bad);
	reader_init(&r, buf_span(&b));
	assert_true(reader_int(&r) == 0); /* 2^64-1 is no int64 */
	assert_true(r.bad);
	buf_done(&b);
}

static void structures_return(void **state)
{
	static const size_t lengths[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
	static uint8_t filler[65536];
	struct reader r;
	struct buf b;
	uint8_t id[4], want[4] = {'a', 'a', 'a', 'a'};

	(void)state;
	memset(filler, 'a', sizeof(filler));
	for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
		buf_init(&b, 400000);
		pack_array(&b, 5);
		pack_bytes(&b, filler, lengths[i]);
		pack_text(&b, (const char *)filler, lengths[i]);
		pack_map(&b, 1);
		pack_nil(&b);
		pack_bool(&b, true);
		pack_array(&b, lengths[i]);
		for (size_t j = 0; j < lengths[i]; j++) pack_bool(&b, false);
		pack_bytes(&b, filler, 4);
		assert_false(b.full);

		reader_init(&r, buf_span(&b));
		reader_expect_array(&r, 5);
		assert_int_equal(reader_bytes(&r, 65536).len, lengths[i]);
		assert_int_equal(reader_text(&r, 65536).len, lengths[i]);
		assert_int_equal(reader_map(&r), 1);
		assert_true(reader_nil(&r));
		assert_false(reader_nil(&r));
		assert_true(reader_bool(&r));
		assert_int_equal(reader_array(&r), lengths[i]);
		for (size_t j = 0; j < lengths[i]; j++) assert_false(reader_bool(&r));
		assert_false(reader_done(&r));
		reader_fixed(&r, id, 4);
		assert_memory_equal(id, want, 4);
		assert_true(reader_done(&r));

		reader_init(&r, buf_span(&b));
		reader_skip(&r);
		assert_true(reader_done(&r));
		reader_init(&r, span_of(b.p, b.len - 1));
		reader_skip(&r);
		assert_false(reader_done(&r));
		buf_done(&b);
	}
}

/* Each of these is refused by every way of reading it. */
static void hostile_msgpack(void **state)
{
	const struct span bad[] = {
	        SPAN(""),
	        SPAN("\xc1"),                                 /* never used */
	        SPAN("\xca\x00\x00\x00\x00"),                 /* float */
	        SPAN("\xcb\x00\x00\x00\x00\x00\x00\x00\x00"), /* double */
	        SPAN("\xd4\x01\x00"),                         /* extension */
	        SPAN("\xc7\x00\x01"),
	        SPAN("\xdd\xff\xff\xff\xff"), /* 4 Gi elements in 5 bytes */
	        SPAN("\xdd\x0f\xff\xff\xff"),
	        SPAN("\xdf\xff\xff\xff\xff"),
	        SPAN("\xdf\x80\x00\x00\x00"), /* twice this overflows 32 bits */
	        SPAN("\xc6\xff\xff\xff\xff"), /* 4 GiB of bytes */
	        SPAN("\xdb\xff\xff\xff\xff"),
	        SPAN("\xc6\xff\xff\xff\xff"
	             "abc"),
	        SPAN("\xcc\x7f"), /* longer forms of short values */
	        SPAN("\xcd\x00\xff"),
	        SPAN("\xce\x00\x00\xff\xff"),
	        SPAN("\xcf\x00\x00\x00\x00\xff\xff\xff\xff"),
	        SPAN("\xd0\x05"),
	        SPAN("\xd0\xe0"),
	        SPAN("\xd1\xff\x80"),
	        SPAN("\xd1\x00\xff"),
	        SPAN("\xd2\xff\xff\x80\x00"),
	        SPAN("\xd3\xff\xff\xff\xff\x80\x00\x00\x00"),
	        SPAN("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff"),
	        SPAN("\xd9\x01"
	             "a"),
	        SPAN("\xda\x00\x01"
	             "a"),
	        SPAN("\xdb\x00\x00\x00\x01"
	             "a"),
	        SPAN("\xc5\x00\x01"
	             "a"),
	        SPAN("\xc6\x00\x00\x00\x01"
	             "a"),
	        SPAN("\xdc\x00\x01\xc0"),
	        SPAN("\xdd\x00\x00\x00\x01\xc0"),
	        SPAN("\xde\x00\x01\xc0\xc0"),
	        SPAN("\xdf\x00\x00\x00\x01\xc0\xc0"),
	        SPAN("\xcc"),
	        SPAN("\xcd\x01"),
	        SPAN("\xd9"),
	        SPAN("\xc4"),
	        SPAN("\xc4\x05"
	             "abcd"),
	        SPAN("\xa1"),
	        SPAN("\x91"),
	        SPAN("\x81\xc0"),
	        SPAN("\x92\xc0"),
	        SPAN("\xa2\xc3\x28"), /* text that is not UTF-8 */
	        SPAN("\xa1\xff"),
	        SPAN("\xa1\x00"),
	        SPAN("\xa3"
	             "a\x00"
	             "b"),
	        SPAN("\xa2\xc0\xaf"),
	        SPAN("\xa3\xed\xa0\x80"),
	        SPAN("\xa4\xf4\x90\x80\x80"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		uint8_t fixed[1] = {9};
		struct reader r;
		struct value v;

		reader_init(&r, bad[i]);
		reader_skip(&r);
		assert_false(reader_done(&r));
		reader_init(&r, bad[i]);
		assert_int_equal(reader_array(&r), 0); /* a count is bounded before it is told */
		assert_true(r.bad);
		reader_init(&r, bad[i]);
		assert_int_equal(reader_map(&r), 0);
		assert_true(r.bad);
		reader_init(&r, bad[i]);
		v = value_read(&r);
		assert_int_equal(v.type, VALUE_NULL);
		assert_true(r.bad);
		/* sticky: nothing more comes, of any kind */
		assert_int_equal(reader_peek(&r), READER_BAD);
		assert_int_equal(reader_array(&r) + reader_map(&r), 0);
		assert_true(reader_uint(&r, UINT64_MAX) == 0 && reader_int(&r) == 0 &&
		            !reader_bool(&r) && !reader_nil(&r));
		assert_true(reader_text(&r, 99).len == 0 && reader_bytes(&r, 99).len == 0);
		reader_fixed(&r, fixed, 1);
		assert_int_equal(fixed[0], 0);
		reader_skip(&r);
		assert_false(reader_done(&r));
	}
}

static void depth_is_bounded(void **state)
{
	static uint8_t nested[10001];
	struct reader r;

	(void)state;
	memset(nested, 0x91, sizeof(nested));
	for (size_t depth = 1; depth <= 10000;
	     depth = depth < 12 ? depth + 1 : 10000 * (depth / 12)) {
		nested[depth] = 0xc0;
		reader_init(&r, span_of(nested, depth + 1));
		reader_skip(&r);
		assert_int_equal(reader_done(&r), depth <= READER_DEPTH);
		reader_init(&r, span_of(nested, depth + 1));
		for (size_t i = 0; i < depth; i++) reader_array(&r);
		assert_int_equal(reader_nil(&r), depth <= READER_DEPTH);
		nested[depth] = 0x91;
	}
	/* an array as the last element of an array gives its level back */
	reader_init(&r, SPAN("\x92\xc0\x91\x90\x91\xc0"));
	reader_skip(&r);
	assert_int_equal(r.depth, 0);
	reader_skip(&r);
	assert_true(reader_done(&r));
}

static void limits_and_wrong_kinds(void **state)
{
	struct reader r;
	uint8_t fixed[4];

	(void)state;
	reader_init(&r, SPAN("\xa3"
	                     "abc"));
	assert_int_equal(reader_text(&r, 2).len, 0);
	assert_true(r.bad);
	reader_init(&r, SPAN("\xc4\x03"
	                     "abc"));
	reader_fixed(&r, fixed, 4);
	assert_true(r.bad);
	reader_init(&r, SPAN("\xc4\x03"
	                     "abc"));
	assert_int_equal(reader_text(&r, 99).len, 0);
	assert_true(r.bad);
	reader_init(&r, SPAN("\x93\x01\x02\x03"));
	reader_expect_array(&r, 2);
	assert_true(r.bad);
	reader_init(&r, SPAN("\xff"));
	assert_true(reader_uint(&r, UINT64_MAX) == 0);
	assert_true(r.bad);
	reader_init(&r, SPAN("\x01\x02"));
	reader_skip(&r);
	assert_false(reader_done(&r)); /* something is left over */
}

static void utf8(void **state)
{
	const struct span good[] = {
	        SPAN(""),
	        SPAN("a"),
	        SPAN("巾帼"),
	        SPAN("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"),
	        SPAN("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
	        span_of(NULL, 0)};
	const struct span bad[] = {SPAN("\x80"),
	                           SPAN("\xc1\xbf"),
	                           SPAN("\xe0\x9f\xbf"),
	                           SPAN("\xed\xa0\x80"),
	                           SPAN("\xf0\x8f\xbf\xbf"),
	                           SPAN("\xf4\x90\x80\x80"),
	                           SPAN("\xf5\x80\x80\x80"),
	                           SPAN("\xe5\xb7"),
	                           SPAN("a\xe5"),
	                           SPAN("\xe5\xb7\x41"),
	                           SPAN("\xf0\x90\x80\xc0"),
	                           SPAN("a\0b")};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) assert_true(utf8_valid(good[i]));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) assert_false(utf8_valid(bad[i]));
	/* plain text is looked at by the word: wherever what is not plain stands in it */
	for (size_t at = 0; at + 1 < 25; at++)
		for (size_t fill = 0; fill < 3; fill++) {
			char text[25];

			memset(text, "x\x01\x7f"[fill], sizeof(text));
			assert_true(utf8_valid(span_of(text, sizeof(text))));
			memcpy(text + at, "\xc3\xa9", 2);
			assert_true(utf8_valid(span_of(text, sizeof(text))));
			for (size_t i = 0; i < 4; i++) {
				text[at] = text[at + 1] = "\x00\x80\xff\xc3"[i];
				assert_false(utf8_valid(span_of(text, sizeof(text))));
			}
		}
}

/* Every string of up to three bytes: what is taken is what pack would have written. */
static void all_short_inputs_are_canonical(void **state)
{
	(void)state;
	for (uint32_t x = 0; x < 1u << 24; x += x < 1u << 16 ? 1 : 7) {
		uint8_t raw[3] = {(uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x};
		size_t from = x < 1u << 8 ? 2 : x < 1u << 16 ? 1 : 0;
		struct span s = span_of(raw + from, 3 - from);
		struct reader r;
		struct value v;
		struct buf b;

		reader_init(&r, s);
		v = value_read(&r);
		if (!reader_done(&r)) continue;
		buf_init(&b, 16);
		value_pack(&b, v);
		assert_true(span_equal(buf_span(&b), s));
		buf_done(&b);
	}
}

static void values(void **state)
{
	const struct value all[] = {value_null(),          value_int(0),       value_int(INT64_MIN),
	                            value_text(""),        value_text("巾帼"), value_bytes("", 0),
	                            value_bytes("巾帼", 6)};
	static uint8_t big[VALUE_BYTES_MAX + 1];
	struct arena a;
	struct reader r;
	struct buf b;

	(void)state;
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
		struct value copy = value_copy(&a, all[i]);

		for (size_t j = 0; j < ARRAY_COUNT(all); j++)
			assert_int_equal(value_equal(copy, all[j]), i == j);
		buf_init(&b, 100);
		value_pack(&b, all[i]);
		reader_init(&r, buf_span(&b));
		assert_true(value_equal(value_read(&r), all[i]));
		assert_true(reader_done(&r));
		buf_done(&b);
	}
	assert_int_equal(value_text(NULL).type, VALUE_NULL);
	buf_init(&b, 200000);
	value_pack(&b, value_bytes(big, VALUE_BYTES_MAX));
	reader_init(&r, buf_span(&b));
	assert_int_equal(value_read(&r).s.len, VALUE_BYTES_MAX);
	assert_true(reader_done(&r));
	buf_reset(&b);
	value_pack(&b, value_bytes(big, VALUE_BYTES_MAX + 1));
	reader_init(&r, buf_span(&b));
	value_read(&r);
	assert_true(r.bad);
	buf_done(&b);
	arena_done(&a);
}

/* ---- zstd */

static void squeeze_returns(void **state)
{
	static uint8_t plain[100000];
	static const size_t lengths[] = {0, 1, 100, 4096, sizeof(plain)};

	(void)state;
	for (size_t i = 0; i < sizeof(plain); i++) plain[i] = (uint8_t)(i % 251 * (i / 1000));
	assert_true(squeeze_knows(0));
	assert_false(squeeze_knows(77));
	for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
		struct buf small, back;

		buf_init(&small, 200000);
		buf_init(&back, sizeof(plain) + 2);
		buf_text(&back, "ab");
		assert_int_equal(squeeze(span_of(plain, lengths[i]), 0, &small), 0);
		assert_int_equal(unsqueeze(buf_span(&small), 0, lengths[i], &back), 0);
		assert_int_equal(back.len, lengths[i] + 2);
		assert_memory_equal(back.p, "ab", 2);
		assert_true(
		        span_equal(span_of(back.p + 2, back.len - 2), span_of(plain, lengths[i])));
		buf_done(&small);
		buf_done(&back);
	}
}

static void squeeze_is_bounded(void **state)
{
	static uint8_t zeros[1000000];
	struct buf small, back, noise;
	uint8_t chance[1000];
	size_t len;

	(void)state;
	/* it fits, though its upper bound does not */
	buf_init(&small, 1000);
	assert_int_equal(squeeze(span_of(zeros, sizeof(zeros)), 0, &small), 0);
	/* the bomb: a few dozen bytes that would be a million */
	assert_true(small.len < 200);
	buf_init(&back, (size_t)1 << 30);
	assert_int_equal(unsqueeze(buf_span(&small), 0, sizeof(zeros) - 1, &back), -1);
	assert_int_equal(back.room, 0);
	assert_int_equal(unsqueeze(buf_span(&small), 77, sizeof(zeros), &back), -1);
	/* not one whole frame */
	for (len = 0; len < small.len; len++) {
		assert_int_equal(unsqueeze(span_of(small.p, len), 0, sizeof(zeros), &back), -1);
	}
	/* and a skippable frame behind it */
	len = small.len;
	buf_add(&small, "\x50\x2a\x4d\x18\x00\x00\x00\x00", 8);
	assert_int_equal(unsqueeze(buf_span(&small), 0, sizeof(zeros), &back), -1);
	small.len = len;
	buf_u8(&small, 0);
	assert_int_equal(unsqueeze(buf_span(&small), 0, sizeof(zeros), &back), -1);
	assert_int_equal(back.len, 0);
	buf_done(&back);
	buf_done(&small);

	env_random(chance, sizeof(chance));
	buf_init(&noise, 900);
	assert_int_equal(squeeze(span_of(chance, sizeof(chance)), 0, &noise), -1);
	assert_true(noise.full);
	buf_done(&noise);
}

static void hostile_frames(void **state)
{
	const struct span bad[] = {
	        SPAN(""),
	        SPAN("\x28\xb5\x2f\xfd"),
	        SPAN("\x50\x2a\x4d\x18\x00\x00\x00\x00"), /* a skippable frame */
	        SPAN("\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"
	             "\x00"),                                             /* says 2^64-1 bytes */
	        SPAN("\x28\xb5\x2f\xfd\xa0\xff\xff\xff\x7f\x01\x00\x00"), /* says 2 GiB */
	        SPAN("\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00"),             /* says no size */
	};
	struct buf good, back;

	(void)state;
	buf_init(&back, 100000);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_int_equal(unsqueeze(bad[i], 0, 65536, &back), -1);
		assert_int_equal(back.len, 0);
	}
	/* a bit wrong anywhere: refused, or other bytes of the same bounds, and never a crash */
	buf_init(&good, 100000);
	assert_int_equal(
	        squeeze(SPAN("the quick brown fox jumps over the lazy dog, the quick brown fox"), 0,
	                &good),
	        0);
	for (size_t bit = 0; bit < good.len * 8; bit++) {
		good.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		buf_reset(&back);
		if (unsqueeze(buf_span(&good), 0, 65536, &back) == 0)
			assert_true(back.len <= 65536);
		good.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_done(&good);
	buf_done(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(buf_grows_and_ends),
	        cmocka_unit_test(buf_full_stays_full),
	        cmocka_unit_test(fixed_widths_are_little_endian),
	        cmocka_unit_test(varints_return),
	        cmocka_unit_test(hostile_varints),
	        cmocka_unit_test(cut_is_bounded),
	        cmocka_unit_test(arena_is_bounded_and_clean),
	        cmocka_unit_test(spans_compare),
	        cmocka_unit_test(errors_are_told_apart),
	        cmocka_unit_test(errors_have_words),
	        cmocka_unit_test(error_is_set_and_prefixed),
	        cmocka_unit_test(witness_returns),
	        cmocka_unit_test(witness_of_another_database),
	        cmocka_unit_test(witness_damaged),
	        cmocka_unit_test(clock_and_chance),
	        cmocka_unit_test(trace_is_optional),
	        cmocka_unit_test(created_ids),
	        cmocka_unit_test(ids_sort_by_time),
	        cmocka_unit_test(derived_ids),
	        cmocka_unit_test(id_texts_refused),
	        cmocka_unit_test(run_of_origin),
	        cmocka_unit_test(hexadecimal),
	        cmocka_unit_test(hashes),
	        cmocka_unit_test(signatures),
	        cmocka_unit_test(sealing),
	        cmocka_unit_test(passwords),
	        cmocka_unit_test(keys_and_wiping),
	        cmocka_unit_test(base64_returns),
	        cmocka_unit_test(base64_refused),
	        cmocka_unit_test(numbers_return),
	        cmocka_unit_test(unsigned_numbers),
	        cmocka_unit_test(structures_return),
	        cmocka_unit_test(hostile_msgpack),
	        cmocka_unit_test(depth_is_bounded),
	        cmocka_unit_test(limits_and_wrong_kinds),
	        cmocka_unit_test(utf8),
	        cmocka_unit_test(all_short_inputs_are_canonical),
	        cmocka_unit_test(values),
	        cmocka_unit_test(squeeze_returns),
	        cmocka_unit_test(squeeze_is_bounded),
	        cmocka_unit_test(hostile_frames),
	};

	if (crypt_init() != 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
