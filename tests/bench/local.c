/*
 * local.c - what `record` costs: one activity record through replica_write and its commit (checks, lanes, clock,
 * figures, tail, witness; synchronous=FULL), against a plain durable insert of the same row, in one process.
 */
#include <sqlite3.h>

#include "common/base.h"

#include "tests/bench/bench.h"

#include "common/ident.h"

enum { PIECE = 300 };

static void engine_piece(struct machine *m, size_t from, uint8_t (*volunteers)[16])
{
	const struct table *t = schema_table_named(&schema_current, "participation");
	static const uint8_t author[8] = {7};

	for (size_t i = from; i < from + PIECE; i++) {
		int64_t in = INT64_C(1750000000000) + (int64_t)(i % 4000) * 3600000;
		struct field_write f[] = {
		        {table_field_named(t, "volunteer"), value_bytes(volunteers[i % 174], 16)},
		        {table_field_named(t, "activity"), value_bytes(volunteers[i % 48], 16)},
		        {table_field_named(t, "act"), value_text("D3")},
		        {table_field_named(t, "in"), value_int(in)},
		        {table_field_named(t, "out"), value_int(in + 7200000)},
		        {table_field_named(t, "break_min"), value_int(0)},
		        {table_field_named(t, "minutes"), value_int(120)},
		        {table_field_named(t, "hsrc"), value_text("1")},
		        {table_field_named(t, "hstat"), value_text("2")},
		        {table_field_named(t, "punctual"), value_int(5)},
		        {table_field_named(t, "attitude"), value_int(4)},
		        {table_field_named(t, "comment"), value_text("测试数据,非真实:服务认真")},
		};
		struct write w = {.kind = WRITE_INSERT,
		                  .table = t,
		                  .fields = f,
		                  .fields_count = ARRAY_COUNT(f)};

		machine_begin(m);
		bench_must(replica_write(m->r, &w, 1, false, author), replica_error(m->r), "write");
		machine_commit(m);
	}
}

static void plain_piece(struct plain *p, size_t from, uint8_t (*volunteers)[16])
{
	for (size_t i = from; i < from + PIECE; i++) {
		int64_t in = INT64_C(1750000000000) + (int64_t)(i % 4000) * 3600000;
		uint8_t id[16];
		struct field_value v[] = {{1, value_bytes(volunteers[i % 174], 16)},
		                          {2, value_bytes(volunteers[i % 48], 16)},
		                          {3, value_text("D3")},
		                          {4, value_int(in)},
		                          {5, value_int(in + 7200000)},
		                          {6, value_int(0)},
		                          {7, value_int(120)},
		                          {8, value_text("1")},
		                          {9, value_text("2")},
		                          {10, value_int(5)},
		                          {11, value_int(4)},
		                          {13, value_text("测试数据,非真实:服务认真")}};
		struct op op = {.values = v, .values_count = ARRAY_COUNT(v)};
		struct changeset c = {.ops = &op, .ops_count = 1};
		struct batch b = {.cs = &c, .count = 1, .scope = 1};

		id_make(stamp_of_ms(env_wall_ms()) | (i & 4095), 77, id);
		memcpy(op.row, id, 16);
		plain_insert(p, &b, 1);
	}
}

static void seal(struct machine *m)
{
	bool sealed;

	machine_begin(m);
	bench_must(replica_seal(m->r, &sealed), replica_error(m->r), "seal");
	machine_commit(m);
}

int main(void)
{
	static struct machine hub, node;
	static struct plain plain;
	static const uint8_t county[16] = {9}, site[16] = {9, 1};
	uint8_t volunteers[174][16];
	struct pairs wall = {0}, cpu = {0};
	struct dice d = {3};
	double seconds = 0, rows = 0;

	dice_fill(&d, volunteers, sizeof(volunteers));
	machine_open(&hub, "hub", NULL, county);
	machine_open(&node, "node", &hub, site);
	plain_open(&plain, "plain");
	for (int i = 0; i <= bench_size(15, 2); i++) {
		int64_t w[2] = {0}, c[2] = {0};

		for (int k = 0; k < 2; k++) {
			int which = (i + k) % 2;
			int64_t wall_from = bench_wall_ns(), cpu_from = bench_cpu_ns();

			if (which)
				plain_piece(&plain, (size_t)i * PIECE, volunteers);
			else
				engine_piece(&node, (size_t)i * PIECE, volunteers);
			w[which] = bench_wall_ns() - wall_from;
			c[which] = bench_cpu_ns() - cpu_from;
		}
		seal(&node); /* as a daemon does; not counted */
		if (!i) continue;
		pairs_add(&wall, (double)w[1] / (double)w[0]);
		pairs_add(&cpu, (double)c[1] / (double)c[0]);
		seconds += (double)w[0] / 1e9;
		rows += PIECE;
	}
	pairs_print(&wall, "local_commit_ratio");
	pairs_print(&cpu, "local_commit_cpu_ratio");
	bench_value("local_commit_rows_per_s", rows / seconds, "rows/s");
	plain_close(&plain);
	machine_close(&node);
	machine_close(&hub);
	return 0;
}
