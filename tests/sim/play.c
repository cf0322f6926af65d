/*
 * play.c - scenes by hand.
 */
#include "common/base.h"

#include "tests/sim/play.h"

enum { PLAY_FIELDS_MAX = 16 };

struct sim *play_new(uint64_t seed, int64_t tiers, int64_t counties, int64_t sites, int64_t devices)
{
	struct config c = {.seed = seed,
	                   .tiers = tiers,
	                   .counties = counties,
	                   .sites = sites,
	                   .devices = devices,
	                   .hours = 1,
	                   .latency_ms = 20};
	struct sim *s = mem_alloc(sizeof(*s));

	sim_init(s, &c, getenv("SIM_TRACE") != NULL);
	(void)sim_until(s, s->world.now_ms + 60 * 1000); /* all have joined */
	return s;
}

void play_free(struct sim *s)
{
	sim_done(s);
	free(s);
}

static int play_write(struct device *d, enum write_kind kind, const char *table,
                      const struct play_field *fields, size_t count, uint8_t id[16])
{
	struct field_write writes[PLAY_FIELDS_MAX];
	struct write wr = {.kind = kind,
	                   .table = schema_table_named(device_schema(d), table),
	                   .fields = writes,
	                   .fields_count = count};
	int rc;

	assert(wr.table != NULL && count <= PLAY_FIELDS_MAX);
	for (size_t i = 0; i < count; i++) {
		writes[i] = (struct field_write){table_field_named(wr.table, fields[i].name),
		                                 fields[i].value};
		assert(writes[i].field != NULL);
	}
	if (kind != WRITE_INSERT) memcpy(wr.row, id, 16);
	d->world->now_ms += 1000;
	rc = device_write(d, &wr, 1, /* whole= */ false, /* by_command= */ false);
	if (rc == 0 && kind == WRITE_INSERT && id != NULL) memcpy(id, wr.row, 16);
	return rc;
}

int play_insert(struct device *d, const char *table, const struct play_field *fields, size_t count,
                uint8_t ret_id[16])
{
	return play_write(d, WRITE_INSERT, table, fields, count, ret_id);
}

int play_update(struct device *d, const char *table, const uint8_t id[16],
                const struct play_field *fields, size_t count)
{
	uint8_t row[16];

	memcpy(row, id, 16);
	return play_write(d, WRITE_UPDATE, table, fields, count, row);
}

int play_delete(struct device *d, const char *table, const uint8_t id[16])
{
	uint8_t row[16];

	memcpy(row, id, 16);
	return play_write(d, WRITE_DELETE, table, NULL, 0, row);
}

bool play_settle(struct sim *s)
{
	sim_settle(s);
	return s->world.failed_rule[0] == '\0';
}

struct device *play_device(struct sim *s, bool hub, size_t n)
{
	for (size_t i = 0; i < s->world.devices_count; i++)
		if (s->world.devices[i]->hub == hub && n-- == 0) return s->world.devices[i];
	assert(false);
	return NULL;
}
