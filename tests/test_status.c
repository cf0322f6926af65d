/* test_status.c - the lamp and `complete` as a function of facts, row by row of ux.md section 4; words. */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "node/status.h"

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
	f = good(), f.parent.refused = 1;
	assert_false(judged(&f).complete);
	f = good(), f.parent.parked = 1;
	assert_false(judged(&f).complete);
	f = good(), f.parent.unapplied = 1;
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
	        cmocka_unit_test(both_languages_have_the_same_places),
	        cmocka_unit_test(language_of_the_environment),
	        cmocka_unit_test(nearest_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
