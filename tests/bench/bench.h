/*
 * bench.h - what the benches share: clocks, interleaved pairs, a county hub with its sites, rows, and the plain
 * SQLite table that the hub is measured against.
 *
 * One file is one program and one group of figures; each prints `bench NAME VALUE UNIT` lines.  A failure of
 * anything that is measured ends the program with a sentence: a figure of half the work is no figure.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <sqlite3.h>

#include "common/store.h"
#include "hub/judge.h"
#include "proto/replica.h"
#include "tests/support/changes.h"

/* ---- printing and clocks */
void bench_value(const char *name, double value, const char *unit);
int64_t bench_wall_ns(void);
int64_t bench_cpu_ns(void); /* of this process, user and system */
void bench_must(int rc, const struct error *err,
                const char *what);   /* ends the program unless rc is 0 */
int bench_size(int full, int small); /* small when JINGUO_BENCH_SMALL is set: does it run at all? */

/* Ratios of interleaved pairs. */
struct pairs {
	double ratio[64];
	size_t count;
};
void pairs_add(struct pairs *p, double ratio);
double pairs_median(const struct pairs *p);
void pairs_print(const struct pairs *p, const char *name); /* NAME, NAME_min, NAME_max */

/* ---- a device on the real machine: a database file in a directory that goes away at the end */
const char *bench_directory(void);
struct machine {
	char path[256];
	struct env env;
	struct env_system *system;
	struct identity id;
	struct cert cert;
	struct buf cert_bytes;
	struct store *st;
	struct replica *r;
	struct judging judging;
	struct judge judge;
	struct error err;
};
/* A hub of level county with its judge, or a site's node, joined; parent NULL: certified by the root. */
void machine_open(struct machine *m, const char *name, struct machine *parent,
                  const uint8_t unit[16]);
void machine_close(struct machine *m);
void machine_begin(struct machine *m);
void machine_commit(struct machine *m);

/* A unit of the tree, written there; parent NULL: none that is known. */
void machine_unit(struct machine *m, const char *code, int level, const uint8_t id[16],
                  const uint8_t *parent);
void machine_seal(struct machine *m);

/* ---- sessions: payloads, counted; CURVE and ZMTP are not in it */
struct traffic {
	size_t bytes, frames, turns;
	bool agreed;
};
/* One session from HELLO until neither side has anything to say; applying in between, as a driver does. */
struct traffic session_run(struct machine *node, struct machine *hub);

/* ---- sites that only write: keys, one stream in the county lane, rows like those of life */
struct site {
	struct changes_origin o;
	struct changes_place place;
	uint8_t unit[16], prev[32];
	uint64_t seq, seal;
};
struct batch { /* one segment */
	struct changeset *cs;
	size_t count;
	uint32_t scope; /* number of the site: the plain table's org unit */
	struct buf head, body;
	uint8_t hash[32];
};
struct sites {
	struct dice dice;
	struct site *sites;
	size_t count, next;
};
/* `count` sites of one device enrolled at the hub, with their volunteers and activities merged there. */
void sites_open(struct sites *s, struct machine *hub, size_t count, uint64_t seed);
/* So many sites of so many devices each; s->sites[i] is a device, the first of each site come first. */
void sites_open_devices(struct sites *s, struct machine *hub, size_t count, size_t devices,
                        uint64_t seed);
void sites_close(struct sites *s);
/* Their communities, fifteen to a township, and as many more with an enrolled device each that says nothing: the hub's tree. */
void sites_in_tree(const struct sites *s, struct machine *hub, size_t silent, uint64_t seed);
/* County-lane participation rows of 12 columns (tests/support/changes.c), not sealed. */
struct changeset *sites_rows(struct sites *s, size_t which, size_t count, struct arena *a);
/* The next site's segment of `count` changesets of one row each; memory of the changesets in a. */
void sites_batch(struct sites *s, size_t count, struct arena *a, struct batch *ret);
/* One site's segment of these changesets. */
void sites_seal(struct sites *s, size_t which, struct changeset *cs, size_t count,
                struct batch *ret);
void batch_done(struct batch *b);
/* As a hub does with what a link brings. */
void hub_append(struct machine *hub, struct batch *b, size_t count);
void hub_apply(struct machine *hub);

/* ---- what does not have to do with how much comes: asked of a hub with a tree (sites_in_tree) that has nothing to do */
struct costs {
	double noop_bytes, noop_ms; /* a session of a child with nothing to do, both ends */
	double coverage_ms;         /* coverage by township of twelve months */
};
/* A site of the hub's county that has its part of the tree. */
void costs_node_open(struct machine *node, const char *name, struct machine *hub);
struct costs costs_now(struct machine *node, struct machine *hub);

/* ---- the same rows by single-row prepared inserts */
struct plain {
	sqlite3 *db;
	sqlite3_stmt *insert, *begin, *commit, *update;
};
void plain_open(struct plain *p, const char *name);
void plain_close(struct plain *p);
void plain_insert(struct plain *p, const struct batch *b, size_t count); /* in one transaction */

#endif
