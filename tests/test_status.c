/* test_status.c - the lamp and `complete` as a function of facts, row by row of ux.md section 4; words. */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "node/status.h"
#include "proto/message.h"

#define NOW INT64_C(1741400000000)

/* A node at which all is well. */
static struct status_facts good(void)
{
	struct status_facts f = {
	        .now_ms = NOW,
	        .disk_free = INT64_C(100) << 30,
	        .joined = true,
	        .parent_known = true,
	        .parent_same = true,
	        .placed = true,
	        .not_after_ms = NOW + 400 * STATUS_DAY_MS,
	};
	f.parent.agreed_ms = NOW - 1000;
	f.parent.last_contact_ms = NOW - 1000;
	return f;
}

static struct status judged(const struct status_facts *f)
{
	struct status s;
	status_judge(f, &s);
	return s;
}

static void lamp_is(const struct status_facts *f, const char *name, const char *colour,
                    bool complete)
{
	struct status s = judged(f);
	assert_string_equal(s.name, name);
	assert_string_equal(s.colour, colour);
	assert_int_equal(s.complete, complete);
}

static void all_is_well(void **state)
{
	struct status_facts f = good();
	(void)state;
	lamp_is(&f, "complete", "green", true);
	f.now_ms += 2 * STATUS_DAY_MS;
	lamp_is(&f, "complete", "grey", true);
}

static void every_lamp_has_its_cause(void **state)
{
	struct status_facts f;
	(void)state;
	f = good(), f.disk_free = STATUS_DISK_FULL - 1;
	lamp_is(&f, "disk_full", "red", true);
	f = good(), f.revoked = true;
	lamp_is(&f, "revoked", "red", false);
	f = good(), f.counts.restored = true;
	lamp_is(&f, "identity", "red", false);
	f = good(), f.counts.alarms = 1;
	lamp_is(&f, "identity", "red", true);
	f = good(), f.copies.copied_ms = NOW;
	lamp_is(&f, "identity", "red", false);
	f = good(), f.copies.aside = 7, f.hub = true;
	lamp_is(&f, "identity", "red", false);
	f = good(), f.counts.refused = 2;
	lamp_is(&f, "refused", "amber", false);
	f = good(), f.not_after_ms = NOW - 1;
	lamp_is(&f, "cert_expired", "amber", true);
	f = good(), f.parent.clock_offset_ms = -STATUS_CLOCK_MS - 1;
	lamp_is(&f, "clock", "amber", true);
	f = good(), f.link_code = ERR_WRONG_KEY;
	lamp_is(&f, "wrong_peer", "amber", true);
	f = good(), f.link_code = ERR_VERSION;
	lamp_is(&f, "version", "amber", true);
	f = good(), f.disk_free = STATUS_DISK_LOW - 1;
	lamp_is(&f, "disk_low", "amber", true);
	f = good(), f.not_after_ms = NOW + 29 * STATUS_DAY_MS;
	lamp_is(&f, "cert_soon", "amber", true);
	f = good(), f.joined = false, f.parent_known = false;
	lamp_is(&f, "unjoined", "grey", false);
	f = good(), f.counts.differing = 2, f.counts.mended = 5;
	lamp_is(&f, "repairing", "blue", false);
	f = good(), f.counts.mended = 5; /* all of it is mended */
	lamp_is(&f, "complete", "green", true);
	f = good(), f.sending = true, f.counts.unsent = 3;
	lamp_is(&f, "sending", "blue", false);
	f = good(), f.link_code = ERR_UNREACHABLE, f.counts.unsent = 3;
	lamp_is(&f, "offline", "grey", false);
	f = good(), f.counts.unsent = 3;
	lamp_is(&f, "pending", "blue", false);
	f = good(), f.counts.received = 3;
	lamp_is(&f, "checking", "blue", false);
}

/* Nothing short of everything is complete. */
static void complete_needs_all(void **state)
{
	struct status_facts f;
	(void)state;
	f = good(), f.counts.tail = 1;
	assert_false(judged(&f).complete);
	f = good(), f.counts.parked = 1;
	assert_false(judged(&f).complete);
	f = good(), f.counts.waiting = 1;
	assert_false(judged(&f).complete);
	f = good(), f.counts.unapplied = 1;
	assert_false(judged(&f).complete);
	f = good(), f.counts.gaps = 1;
	assert_false(judged(&f).complete);
	f = good(), f.counts.unadmitted = 1;
	assert_false(judged(&f).complete);
	f = good(), f.parent.refused = 1;
	assert_false(judged(&f).complete);
	f = good(), f.parent.parked = 1;
	assert_false(judged(&f).complete);
	f = good(), f.parent.unapplied = 1;
	assert_false(judged(&f).complete);
	f = good(), f.placed = false; /* which scopes are shared is not known yet */
	assert_false(judged(&f).complete);
	f = good(), f.parent_same = false;
	assert_false(judged(&f).complete);
	f = good(), f.parent.agreed_ms = 0;
	assert_false(judged(&f).complete);
	f = good(), f.parent_known = false;
	assert_false(judged(&f).complete);
}

static void first_match_wins_and_the_rest_is_counted(void **state)
{
	struct status_facts f = good();
	struct status s;
	(void)state;
	f.counts.refused = 1;
	f.disk_free = 0;
	f.counts.unsent = 1;
	s = judged(&f);
	assert_string_equal(s.name, "disk_full");
	assert_int_equal(s.more, 2);
}

static void a_hub_needs_its_children(void **state)
{
	struct status_facts f = good();
	struct status s;
	struct buf b;
	(void)state;
	f.hub = true;
	f.children = 3;
	f.children_missing = 1;
	s = judged(&f);
	assert_true(s.own_complete);
	assert_false(s.complete);
	assert_string_equal(s.colour, "grey");
	buf_init(&b, 1024);
	status_text(&s, LANGUAGE_EN, &b);
	assert_non_null(strstr(buf_cstr(&b), "1 sites missing"));
	buf_done(&b);
	f.children_missing = 0;
	lamp_is(&f, "complete", "green", true);
	f.root = true, f.parent_known = false, f.counts.unsent = 5;
	lamp_is(&f, "complete", "green", true);
}

static void every_lamp_has_words(void **state)
{
	struct status s = {.facts = good(), .more = 1};
	(void)state;
	for (enum lamp l = LAMP_DISK_FULL; l < LAMP_COUNT; l++)
		for (enum language g = LANGUAGE_EN; g <= LANGUAGE_ZH; g++) {
			struct buf b;
			s.lamp = l;
			buf_init(&b, 4096);
			status_text(&s, g, &b);
			assert_true(b.len > 8);
			assert_null(strstr(buf_cstr(&b), "{}"));
			assert_non_null(lamp_name(l));
			buf_done(&b);
		}
}

/* The states that hold are exactly these, in this order. */
static void told_are(const struct status_facts *f, const char *names)
{
	enum told told[TOLD_COUNT];
	size_t n = status_told(f, told);
	struct buf b;

	buf_init(&b, 1024);
	for (size_t i = 0; i < n; i++) {
		buf_print(&b, "%s ", told_name(told[i]));
		for (enum language g = LANGUAGE_EN; g <= LANGUAGE_ZH; g++) {
			struct buf text;

			buf_init(&text, 4096);
			told_text(told[i], f, g, &text);
			assert_true(text.len > 8);
			assert_null(strstr(buf_cstr(&text), "{}"));
			assert_true(strlen(told_next(told[i], g)) > 3);
			buf_done(&text);
		}
	}
	assert_string_equal(buf_cstr(&b), names);
	buf_done(&b);
}

static void what_is_told_beside_the_lamp(void **state)
{
	struct status_facts f = good();
	struct status s;
	struct buf b;

	(void)state;
	told_are(&f, "");
	f.counts.restored = true;
	told_are(&f, "restored ");
	f.copies.copied_ms = NOW;
	told_are(&f, "copied restored ");
	f.hub = true;
	told_are(&f, "stopped restored ");
	f.copies.aside = 7, f.copies.aside_ms = NOW;
	told_are(&f, "set_aside restored ");
	f.parent.unapplied = STATE_WITHHELD; /* then nothing comes back by itself */
	told_are(&f, "set_aside held ");
	s = judged(&f);
	buf_init(&b, 1024);
	status_text(&s, LANGUAGE_EN, &b); /* the lamp names the gravest */
	assert_non_null(strstr(buf_cstr(&b), "set aside"));
	buf_done(&b);
	f = good(), f.parent.clock_offset_ms = STATUS_CLOCK_MS;
	told_are(&f, "");
	f.parent.clock_offset_ms = STATUS_CLOCK_MS + 1;
	told_are(&f, "clock ");
	f = good(), f.heads[1].late = 3, f.heads_count = 1; /* of hubs that are there */
	told_are(&f, "");
	f.heads_count = 2;
	told_are(&f, "not_arrived ");
	f = good(), f.counts.refused = 2, f.parent.parked = 1, f.hub = true, f.children_copied = 1;
	told_are(&f, "below_copied refused waits_above ");
	f.children_held = 2;
	told_are(&f, "below_copied below_held refused waits_above ");
	f = good(), f.parent.unapplied = STATE_WITHHELD;
	told_are(&f, "held ");
	s = judged(&f);
	assert_int_equal(s.lamp, LAMP_IDENTITY);
	buf_init(&b, 1024);
	status_text(&s, LANGUAGE_ZH, &b);
	assert_non_null(strstr(buf_cstr(&b), "放行"));
	buf_done(&b);
	f.root = true; /* nobody is above who could */
	told_are(&f, "");
	f = good(), f.counts.parked = 3;
	f.waits[0] = (struct waits){ERR_MISSING_REF, 2};
	f.waits[1] = (struct waits){ERR_BEHIND, 1};
	f.waits_count = 2;
	told_are(&f, "waits_here ");
	buf_init(&b, 1024);
	told_text(TOLD_WAITS_HERE, &f, LANGUAGE_ZH, &b); /* in words */
	assert_non_null(strstr(buf_cstr(&b), error_info(ERR_MISSING_REF)->zh));
	assert_non_null(strstr(buf_cstr(&b), error_info(ERR_BEHIND)->zh));
	buf_done(&b);
}

static void what_a_hub_tells_of_a_child(void **state)
{
	struct child_facts f = {0};
	enum told told[TOLD_COUNT];

	(void)state;
	assert_int_equal(status_told_child(&f, told), 0);
	f.copies.copied_ms = f.copies.back_ms = NOW;
	f.copies.lines_count = 2;
	f.peer.restored = true;
	f.peer.clock_offset_ms = -STATUS_CLOCK_MS - 1;
	f.parked = 1, f.refused = 2;
	f.offence.count = 1;
	assert_int_equal(status_told_child(&f, told), 6);
	f.offence.count = 0;
	assert_int_equal(status_told_child(&f, told), 5);
	for (size_t i = 0; i < 5; i++)
		for (enum language g = LANGUAGE_EN; g <= LANGUAGE_ZH; g++) {
			struct buf text;

			buf_init(&text, 4096);
			told_text_child(told[i], &f, g, &text);
			assert_true(text.len > 3);
			assert_null(strstr(buf_cstr(&text), "{}"));
			assert_true(strlen(told_next_child(told[i], g)) > 3);
			buf_done(&text);
		}
	assert_int_equal(told[0], TOLD_COPIED);
	f.held_ms = NOW; /* instead of restored: it does not end by itself */
	assert_int_equal(status_told_child(&f, told), 5);
	assert_int_equal(told[1], TOLD_HELD);
	struct buf held;
	buf_init(&held, 256);
	told_text_child(TOLD_HELD, &f, LANGUAGE_ZH, &held);
	assert_non_null(strstr(buf_cstr(&held), "放行"));
	assert_null(strstr(buf_cstr(&held), "{}"));
	assert_non_null(strstr(told_next_child(TOLD_HELD, LANGUAGE_ZH), "--release"));
	buf_done(&held);
}

static size_t places(const char *text)
{
	size_t n = 0;
	while ((text = strstr(text, "{}"))) {
		n++;
		text += 2;
	}
	return n;
}

static void both_languages_have_the_same_places(void **state)
{
	(void)state;
	for (enum word w = WORD_ERROR_HEAD; w < WORD_COUNT; w++) {
		const char *zh = word_text(LANGUAGE_ZH, w), *en = word_text(LANGUAGE_EN, w);
		assert_true(zh[0] && en[0]);
		assert_int_equal(places(zh), places(en));
	}
}

static void language_of_the_environment(void **state)
{
	(void)state;
	assert_int_equal(words_language(NULL, NULL, "zh_CN.UTF-8"), LANGUAGE_ZH);
	assert_int_equal(words_language("", "zh_CN.utf8", "en_US.UTF-8"), LANGUAGE_ZH);
	assert_int_equal(words_language("C.UTF-8", "zh_CN.UTF-8", "zh_CN.UTF-8"), LANGUAGE_EN);
	assert_int_equal(words_language("zh_CN.GB18030", NULL, NULL), LANGUAGE_EN);
	assert_int_equal(words_language("zh_CN", NULL, NULL), LANGUAGE_EN);
	assert_int_equal(words_language("zha_CN.UTF-8", NULL, NULL), LANGUAGE_EN);
	assert_int_equal(words_language(NULL, NULL, NULL), LANGUAGE_EN);
}

static void nearest_words(void **state)
{
	static const char *const names[] = {"record", "edit", "delete", "org import"};
	(void)state;
	assert_int_equal(words_nearest("recrod", names, 4), 0);
	assert_int_equal(words_nearest("edti", names, 4), 1);
	assert_int_equal(words_nearest("org imprt", names, 4), 3);
	assert_int_equal(words_nearest("volunteer", names, 4), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(all_is_well),
	        cmocka_unit_test(every_lamp_has_its_cause),
	        cmocka_unit_test(complete_needs_all),
	        cmocka_unit_test(first_match_wins_and_the_rest_is_counted),
	        cmocka_unit_test(a_hub_needs_its_children),
	        cmocka_unit_test(every_lamp_has_words),
	        cmocka_unit_test(what_is_told_beside_the_lamp),
	        cmocka_unit_test(what_a_hub_tells_of_a_child),
	        cmocka_unit_test(both_languages_have_the_same_places),
	        cmocka_unit_test(language_of_the_environment),
	        cmocka_unit_test(nearest_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
