/*
 * ident.h - 128-bit ids: UUIDv7 whose tail is the run (a row's id names its creation), derived UUIDv8,
 * text forms.  Layout (RFC 9562): 48 bits ms | 4 version 7 | 12 counter | 2 variant | 62 run.
 */
#ifndef COMMON_IDENT_H
#define COMMON_IDENT_H

#include "common/buf.h"

enum { ID_BYTES = 16, ID_TEXT = 37 };

/* A stamp: ms since 1970 in 48 bits, counter in 12: 60 bits.  A run: 62 bits. */
#define STAMP_MAX ((UINT64_C(1) << 60) - 1)
#define RUN_MASK  ((UINT64_C(1) << 62) - 1)
/* The latest that a clock gives to a stamp, the year 6429; stamps count on above it. */
#define STAMP_WALL_MAX (UINT64_C(1) << 59)

static inline uint64_t stamp_of_ms(int64_t ms)
{
	return ms < 0 ? 0 : ms >= (INT64_C(1) << 48) ? STAMP_MAX - 4095 : (uint64_t)ms << 12;
}
static inline int64_t stamp_ms(uint64_t stamp)
{
	return (int64_t)(stamp >> 12);
}

void id_make(uint64_t stamp, uint64_t run, uint8_t ret_id[16]); /* UUIDv7 */
bool id_is_created(const uint8_t id[16]);                       /* is it a UUIDv7 of ours? */
uint64_t id_stamp(const uint8_t id[16]);
uint64_t id_run(const uint8_t id[16]);
/* UUIDv8: BLAKE2b-128 of the parts (each with its length before it), version and variant set. */
void id_derive(const char *what, const struct span *parts, size_t parts_count, uint8_t ret_id[16]);
void id_text(const uint8_t id[16], char ret_text[ID_TEXT]); /* 8-4-4-4-12, lower case */
bool id_parse(const char *text, uint8_t ret_id[16]);        /* that form only */
bool id_is_zero(const uint8_t id[16]);
/* All of it in 32 bits that are as good as chance, for tables and shares in memory; not the same on every machine. */
uint32_t id_mixed(const uint8_t id[16]);
/* The run of an origin: first 62 bits of BLAKE2b-64("jinguo run", origin, nonce). */
uint64_t run_of(const uint8_t origin[16], const uint8_t nonce[8]);
/* Hexadecimal of any bytes; ret_text has 2*len+1 chars. */
void hex_text(const uint8_t *p, size_t len, char *ret_text);
bool hex_parse(const char *text, uint8_t *ret_p, size_t len);

#endif
