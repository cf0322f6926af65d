/*
 * fuzz.h - targets beside those of tests/fuzz.c: texts and small files (text.c), the sealed lane (sealed.c), and what a peer with a
 * valid key may say to a replica (world.c).  Each takes any bytes and aborts when a promise is broken.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "common/buf.h"

static inline void must(bool good)
{
	if (!good) abort();
}

/* At most `factor` times the input, and a stated constant (alignment, fixed tables). */
static inline void must_take(const struct arena *a, size_t factor, size_t len, size_t constant)
{
	must(a->bytes <= factor * len + constant);
}

/* ---- text.c */
int fuzz_config(const uint8_t *p, size_t len);
int fuzz_division(const uint8_t *p, size_t len);
int fuzz_fields(const uint8_t *p, size_t len);
int fuzz_values(const uint8_t *p, size_t len);
int fuzz_witness(const uint8_t *p, size_t len);
int fuzz_seed(const uint8_t *p, size_t len);
int fuzz_person(const uint8_t *p, size_t len);

/* ---- sealed.c */
int fuzz_envelope(const uint8_t *p, size_t len);
int fuzz_dossier(const uint8_t *p, size_t len);
int fuzz_officer(const uint8_t *p, size_t len);

/* ---- world.c */
int fuzz_json(const uint8_t *p, size_t len);
int fuzz_clock(const uint8_t *p, size_t len);
int fuzz_peer(const uint8_t *p, size_t len);
int fuzz_session(const uint8_t *p, size_t len);

#endif
