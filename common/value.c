/*
 * value.c - one field's value; see value.h.
 */
#include "common/base.h"

#include "common/value.h"

#include "common/pack.h"

struct value value_text(const char *text)
{
	if (!text) return value_null();
	return (struct value){.type = VALUE_TEXT, .s = span_of(text, strlen(text))};
}

bool value_equal(struct value a, struct value b)
{
	if (a.type != b.type) return false;
	switch ((enum value_type)a.type) {
	case VALUE_NULL:
		return true;
	case VALUE_INT:
		return a.i == b.i;
	case VALUE_TEXT:
	case VALUE_BYTES:
		return span_equal(a.s, b.s);
	}
	return false;
}

struct value value_copy(struct arena *a, struct value v)
{
	if (v.type == VALUE_TEXT || v.type == VALUE_BYTES) v.s = arena_span(a, v.s);
	return v;
}

void value_pack(struct buf *b, struct value v)
{
	switch ((enum value_type)v.type) {
	case VALUE_NULL:
		pack_nil(b);
		return;
	case VALUE_INT:
		pack_int(b, v.i);
		return;
	case VALUE_TEXT:
		pack_text(b, (const char *)v.s.p, v.s.len);
		return;
	case VALUE_BYTES:
		pack_bytes(b, v.s.p, v.s.len);
		return;
	}
	assert(false); /* a value has one of four types */
}

struct value value_read(struct reader *r)
{
	struct value v = value_null();

	switch (reader_peek(r)) {
	case READER_NIL:
		reader_nil(r);
		break;
	case READER_INT:
	case READER_UINT:
		v = value_int(reader_int(r));
		break;
	case READER_TEXT:
		v.type = VALUE_TEXT;
		v.s = reader_text(r, VALUE_BYTES_MAX);
		break;
	case READER_BYTES:
		v.type = VALUE_BYTES;
		v.s = reader_bytes(r, VALUE_BYTES_MAX);
		break;
	case READER_BOOL:
	case READER_ARRAY:
	case READER_MAP:
	case READER_BAD:
		r->bad = true;
		break;
	}
	return r->bad ? value_null() : v;
}
