/*
 * squeeze.c - zstd; see squeeze.h.
 *
 * A compression context costs more to make than a small segment costs to
 * compress, so each thread keeps one of each kind until it ends; they hold no
 * state between calls.  A frame says its plain size and its dictionary in its
 * header: both are compared before memory is taken.
 */
#include "common/base.h"

#include "common/squeeze.h"

#include <pthread.h>
#include <zstd.h>

/* Trained on generated rows (`make dictionary`). */
static const uint8_t dictionary_1[] = {
#include "common/dictionary_1.bin.h"
};

/* Dictionaries that ship with the program; a number is never given twice.  0 is none. */
static const struct dictionary {
	uint32_t id;
	const void *p;
	size_t len;
} dictionaries[] = {
        {0, NULL, 0},
        {1, dictionary_1, sizeof(dictionary_1)},
};

struct tools {
	ZSTD_CCtx *out;
	ZSTD_DCtx *in;
	/* prepared dictionaries, made when first used */
	ZSTD_CDict *out_dictionary[ARRAY_COUNT(dictionaries)];
	ZSTD_DDict *in_dictionary[ARRAY_COUNT(dictionaries)];
};

static pthread_once_t tools_once = PTHREAD_ONCE_INIT;
static pthread_key_t tools_key;

static void tools_free(void *p)
{
	struct tools *t = p;

	ZSTD_freeCCtx(t->out);
	ZSTD_freeDCtx(t->in);
	for (size_t i = 0; i < ARRAY_COUNT(dictionaries); i++) {
		ZSTD_freeCDict(t->out_dictionary[i]);
		ZSTD_freeDDict(t->in_dictionary[i]);
	}
	free(t);
}

static void tools_prepare(void)
{
	int rc = pthread_key_create(&tools_key, tools_free);

	assert(rc == 0);
	(void)rc;
}

/* This thread's. */
static struct tools *tools_get(void)
{
	struct tools *t;

	pthread_once(&tools_once, tools_prepare);
	t = pthread_getspecific(tools_key);
	if (t) return t;
	t = mem_alloc(sizeof(*t));
	t->out = ZSTD_createCCtx();
	t->in = ZSTD_createDCtx();
	if (!t->out || !t->in || pthread_setspecific(tools_key, t) != 0) abort();
	return t;
}

/* Index into dictionaries, or -1. */
static int dictionary_find(uint32_t id)
{
	for (size_t i = 0; i < ARRAY_COUNT(dictionaries); i++) {
		if (dictionaries[i].id == id) return (int)i;
	}
	return -1;
}

uint32_t squeeze_dictionary(size_t plain_bytes)
{
	return plain_bytes <= SQUEEZE_SMALL ? 1 : 0;
}

bool squeeze_knows(uint32_t dictionary)
{
	return dictionary_find(dictionary) >= 0;
}

static size_t compress(struct tools *t, size_t which, void *to, size_t room, struct span in)
{
	const struct dictionary *d = &dictionaries[which];

	if (!d->p) return ZSTD_compressCCtx(t->out, to, room, in.p, in.len, SQUEEZE_LEVEL);
	if (!t->out_dictionary[which])
		t->out_dictionary[which] = ZSTD_createCDict(d->p, d->len, SQUEEZE_SMALL_LEVEL);
	if (!t->out_dictionary[which]) abort();
	return ZSTD_compress_usingCDict(t->out, to, room, in.p, in.len, t->out_dictionary[which]);
}

static size_t decompress(struct tools *t, size_t which, void *to, size_t room, struct span in)
{
	const struct dictionary *d = &dictionaries[which];

	if (!d->p) return ZSTD_decompressDCtx(t->in, to, room, in.p, in.len);
	if (!t->in_dictionary[which]) t->in_dictionary[which] = ZSTD_createDDict(d->p, d->len);
	if (!t->in_dictionary[which]) abort();
	return ZSTD_decompress_usingDDict(t->in, to, room, in.p, in.len, t->in_dictionary[which]);
}

int squeeze(struct span in, uint32_t dictionary, struct buf *out)
{
	size_t before = out->len, room = ZSTD_compressBound(in.len), len;
	int which = dictionary_find(dictionary);
	uint8_t *to;

	assert(which >= 0); /* our own choice, so it is one that we ship */
	if (out->full) return -1;
	/* It may well fit where its upper bound does not. */
	if (room > out->bytes_max - before) room = out->bytes_max - before;
	to = buf_take(out, room);
	if (!to) return -1;
	len = compress(tools_get(), (size_t)which, to, room, in);
	if (ZSTD_isError(len)) {
		out->len = before;
		out->full = true;
		return -1;
	}
	out->len = before + len;
	return 0;
}

int unsqueeze(struct span in, uint32_t dictionary, size_t bytes_max, struct buf *out)
{
	static const uint8_t magic[4] = {0x28, 0xb5, 0x2f,
	                                 0xfd}; /* RFC 8878; skippable frames have others */
	int which = dictionary_find(dictionary);
	size_t before = out->len, len;
	unsigned long long plain;
	uint8_t *to;

	if (which < 0 || in.len < sizeof(magic) || memcmp(in.p, magic, sizeof(magic)) != 0)
		return -1;
	if (ZSTD_getDictID_fromFrame(in.p, in.len) != dictionary) return -1;
	/* Both errors and "unknown" are above every bound. */
	plain = ZSTD_getFrameContentSize(in.p, in.len);
	if (plain > bytes_max || plain > SIZE_MAX / 2) return -1;
	if (ZSTD_findFrameCompressedSize(in.p, in.len) != in.len) return -1;
	to = buf_take(out, (size_t)plain);
	if (!to) return -1;
	len = decompress(tools_get(), (size_t)which, to, (size_t)plain, in);
	if (ZSTD_isError(len) || len != plain) {
		out->len = before;
		return -1;
	}
	return 0;
}
