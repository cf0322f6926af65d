/*
 * cmd_trail.c - trail, trail verify: what was done here, and whether anybody has altered the list of it.
 */
#include "common/base.h"

#include "node/command.h"

#include "common/ident.h"

enum { PAGE = 500, TEXT_MAX = 1 << 20 };

static const struct {
	const char *name;
	enum word word;
} verbs[] = {
        [TRAIL_NONE] = {"other", WORD_TRAIL_OTHER},
        [TRAIL_READ] = {"read", WORD_TRAIL_READ},
        [TRAIL_WRITE] = {"write", WORD_TRAIL_WRITE},
        [TRAIL_ENROL] = {"enrol", WORD_TRAIL_ENROL},
        [TRAIL_REFUSED] = {"refused", WORD_TRAIL_REFUSED},
        [TRAIL_EXPORT] = {"export", WORD_TRAIL_EXPORT},
        [TRAIL_LOGIN] = {"login", WORD_TRAIL_LOGIN},
        [TRAIL_DENIED] = {"denied", WORD_TRAIL_DENIED},
        [TRAIL_FAILED] = {"failed", WORD_TRAIL_FAILED},
        [TRAIL_ERASE] = {"erase", WORD_TRAIL_ERASE},
};

static size_t verb_of(const struct trail_record *t)
{
	return t->verb < ARRAY_COUNT(verbs) ? t->verb : TRAIL_NONE;
}

/* ---- list */

static json_t *record_json(struct call *c, const struct trail_record *t)
{
	const struct table *table = schema_table(&schema_current, t->table);
	char hex[2 * PERSON_ID + 1];
	json_t *j = json_object();

	hex_text(t->person, PERSON_ID, hex);
	json_object_set_new(j, "number", json_integer((json_int_t)t->seq));
	json_object_set_new(j, "at", json_time(t->at_ms));
	json_object_set_new(j, "person", strspn(hex, "0") == 16 ? json_null() : json_string(hex));
	json_object_set_new(j, "name", json_string(call_author(c, t->person)));
	json_object_set_new(j, "verb", json_string(verbs[verb_of(t)].name));
	json_object_set_new(j, "code", t->outcome ? json_integer(t->outcome) : json_null());
	json_object_set_new(j, "table", table ? json_string(table->name) : json_null());
	json_object_set_new(j, "id", json_id(t->id));
	json_object_set_new(j, "detail", json_span(t->detail));
	return j;
}

static void record_line(struct call *c, const struct trail_record *t, struct buf *b)
{
	const struct table *table = schema_table(&schema_current, t->table);

	buf_print(b, "%" PRIu64 "\t%s\t%s\t%s", t->seq, call_time(c, t->at_ms),
	          call_author(c, t->person), word_text(c->language, verbs[verb_of(t)].word));
	if (t->outcome) buf_print(b, "\tJG-%04u", (unsigned)t->outcome);
	if (table) buf_print(b, "\t%s", c->language == LANGUAGE_ZH ? table->zh : table->en);
	if (!id_is_zero(t->id)) buf_print(b, "\t%s", call_id(c, t->id));
	buf_print(b, "\t%.*s\n", (int)t->detail.len, (const char *)t->detail.p);
}

static int list_all(struct call *c, uint64_t after, int64_t limit, json_t *items,
                    uint64_t *ret_next)
{
	int rc = 0;

	for (size_t n = PAGE; !rc && n == PAGE && limit > 0;) {
		struct trail_record *records;
		size_t page = limit < PAGE ? (size_t)limit : PAGE;
		struct buf b;

		arena_reset(&c->arena);
		rc = trail_list(c->replica, after, page, &c->arena, &records, &n);
		if (rc) return call_failed(c, rc);
		buf_init(&b, TEXT_MAX);
		for (size_t i = 0; i < n; i++) {
			if (items)
				json_array_append_new(items, record_json(c, &records[i]));
			else
				record_line(c, &records[i], &b);
			after = records[i].seq;
		}
		call_print(c, &b);
		buf_done(&b);
		limit -= (int64_t)n;
		*ret_next = limit > 0 ? 0 : after;
	}
	return rc;
}

/* What other devices stated of their trails: the hub's side of it. */
static int list_heads(struct call *c, const char *device)
{
	struct trail_head *heads;
	uint8_t origin[16];
	json_t *items = json_array();
	size_t n;
	int rc;

	if (!hex_parse(device, origin, 16)) {
		json_decref(items);
		return call_usage(c, "device", "32 hexadecimal digits, as `peers` prints them");
	}
	rc = trail_heads(c->replica, origin, &c->arena, &heads, &n);
	for (size_t i = 0; i < n && !rc; i++) {
		char hash[65], by[33];
		json_t *j = json_object();
		bool again = i > 0 && heads[i - 1].seq == heads[i].seq &&
		             memcmp(heads[i - 1].hash, heads[i].hash, 32) != 0;

		hex_text(heads[i].hash, 32, hash);
		hex_text(heads[i].by, 16, by);
		json_object_set_new(j, "number", json_integer((json_int_t)heads[i].seq));
		json_object_set_new(j, "head", json_string(hash));
		json_object_set_new(j, "by", json_string(by));
		/* Two heads of one number: the list was rewritten, or runs on two disks. */
		json_object_set_new(j, "differs", json_boolean(again));
		if (c->json) {
			json_array_append_new(items, j);
			continue;
		}
		printf("%" PRIu64 "\t%s\t%s%s\n", heads[i].seq, hash, by, again ? "\t!" : "");
		json_decref(j);
	}
	if (!rc && c->json) return call_items(c, "trail_head", items, NULL);
	json_decref(items);
	return rc ? call_failed(c, rc) : 0;
}

static int run_trail(struct call *c)
{
	const char *device = call_option(c, "device");
	json_t *items = NULL;
	uint64_t next = 0;
	int64_t after = 0, limit = 0;
	int rc = call_open(c, 0);

	if (rc) return rc;
	if (device) return list_heads(c, device);
	rc = call_option_int(c, "after", 0, 0, INT64_MAX, &after);
	rc = rc ? rc : call_option_int(c, "limit", INT64_MAX, 1, INT64_MAX, &limit);
	if (rc) return rc;
	if (c->json) items = json_array();
	rc = list_all(c, (uint64_t)after, limit, items, &next);
	if (!rc && items) {
		char text[24];
		(void)snprintf(text, sizeof text, "%" PRIu64, next);
		return call_items(c, "trail", items, next ? text : NULL);
	}
	json_decref(items);
	return rc;
}

/* ---- verify */

static const struct {
	const char *name;
	enum word word;
} faults[] = {
        [TRAIL_EDITED] = {"edited", WORD_TRAIL_EDITED},
        [TRAIL_CUT] = {"cut", WORD_TRAIL_CUT},
        [TRAIL_ENDS] = {"ends", WORD_TRAIL_ENDS},
        [TRAIL_DIFFERS] = {"differs", WORD_TRAIL_DIFFERS},
};

static void verify_json(struct call *c, const struct trail_report *x, size_t kept)
{
	json_t *j = json_object(), *items = json_array();

	for (size_t i = 0; i < kept; i++) {
		const struct trail_fault *f = &x->faults[i];
		json_t *e = json_object();
		json_object_set_new(e, "what", json_string(faults[f->what].name));
		json_object_set_new(e, "number", json_integer((json_int_t)f->seq));
		json_object_set_new(e, "after", json_time(f->at_ms));
		json_object_set_new(e, "signed_above", json_boolean(f->signed_above));
		json_array_append_new(items, e);
	}
	json_object_set_new(j, "sound", json_boolean(x->faults_count == 0));
	json_object_set_new(j, "records", json_integer((json_int_t)x->records));
	json_object_set_new(j, "heads", json_integer((json_int_t)x->heads));
	json_object_set_new(j, "signed_to", json_integer((json_int_t)x->signed_seq));
	json_object_set_new(j, "findings", json_integer((json_int_t)x->faults_count));
	json_object_set_new(j, "items", items);
	call_json(c, j);
}

static void verify_text(struct call *c, const struct trail_report *x, size_t kept)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	if (!x->faults_count)
		word_fill(&b, c->language, WORD_TRAIL_SOUND, call_number(c, (int64_t)x->records),
		          call_number(c, (int64_t)x->signed_seq), WORD_END);
	else
		word_fill(&b, c->language, WORD_TRAIL_FAULTY,
		          call_number(c, (int64_t)x->faults_count), WORD_END);
	buf_text(&b, "\n");
	for (size_t i = 0; i < kept; i++) {
		const struct trail_fault *f = &x->faults[i];
		buf_text(&b, "  ");
		word_fill(&b, c->language, faults[f->what].word, call_number(c, (int64_t)f->seq),
		          call_time(c, f->at_ms), WORD_END);
		if (f->signed_above)
			buf_print(&b, " [%s]", word_text(c->language, WORD_TRAIL_ABOVE));
		buf_text(&b, "\n");
	}
	call_print(c, &b);
	buf_done(&b);
}

static int run_verify(struct call *c)
{
	struct trail_report *x;
	size_t kept;
	int rc = call_open(c, 0);

	if (rc) return rc;
	x = mem_alloc(sizeof *x);
	rc = trail_verify(c->replica, x);
	kept = x->faults_count < TRAIL_FAULTS_MAX ? x->faults_count : TRAIL_FAULTS_MAX;
	if (rc)
		call_failed(c, rc);
	else if (c->json)
		verify_json(c, x, kept);
	else
		verify_text(c, x, kept);
	rc = rc ? rc : x->faults_count ? EXIT_UNEXPECTED : 0;
	free(x);
	return rc;
}

const struct command commands_trail[] = {
        {.name = "trail verify",
         .zh = "核对操作日志有没有被改、被截短。",
         .en = "Checks whether the trail was altered or cut, and says where.",
         .args_min = 0,
         .args_max = 0,
         .run = run_verify},
        {.name = "trail",
         .may = MAY_AUDIT,
         .zh = "操作日志:谁在什么时候看了、办了、导出了什么。",
         .en = "The trail: who read, did or exported what, and when; --device: heads that another "
               "device stated.",
         .options = "after= limit= device=",
         .examples = "trail --json --dir jinguo\n"
                     "trail --device 0123456789abcdef0123456789abcdef --dir county",
         .args_min = 0,
         .args_max = 0,
         .run = run_trail},
        {.name = NULL},
};
