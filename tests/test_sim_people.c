/*
 * test_sim_people.c - simulated worlds in which people were told what was not so, or a mend would have undone honest work,
 * kept as they were found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include "tests/sim/sim.h"

static const struct {
	uint64_t seed;
	const char *settings;
} worlds[] = {
        /* On a slow line the answers of a dead run come behind the greetings of the next ones: a copy was seen where there
         * was none. */
        {39, "tiers=2 counties=1 sites=3 devices=2 writes=51 hours=8 latency_ms=341 rate_bytes=1 "
             "stale=103 stall=42 offline=408 crash=23 fault=38 reboot=587 skew=427 refuse=98 "
             "late=200 twin=175 load=3 whole=254"},
        /* One record of a released part waited at the part's place: the audit took the whole part for waiting, and would
         * have taken its rows away. */
        {12, "tiers=2 counties=1 sites=2 devices=2 writes=14 calm=4 hours=3 latency_ms=101 "
             "rate_bytes=9 cut=474 crash=42 reboot=117 skew=138 refuse=419 hold=552 late=356 "
             "stay=135 window=512 crowd=1 piece=176 twin=124 damage=3 upgrade=682 whole=530 disk=1 "
             "power=811 die=19 full=1 audit=185"},
        /* A county that did not know its place, under greetings that were left over, said that it agreed. */
        {1368, "tiers=3 counties=1 sites=1 devices=1 writes=6 hours=2 real=900 latency_ms=221 "
               "half_open=105 stale=101 stall=190 crash=60 reboot=708 skew=435 refuse=144 hold=507 "
               "late=135 twin=488 whole=100 disk=1"},
        /* A greeting that was left over said what had been agreed; the true one behind it was not heard. */
        {100547,
         "tiers=3 counties=1 sites=1 devices=1 writes=6 hours=2 real=900 latency_ms=221 "
         "half_open=105 stale=101 stall=190 offline=300 crash=60 reboot=708 skew=435 "
         "refuse=144 hold=507 command=15 late=135 window=28672 mixed=500 twin=488 clock=429 "
         "pause=204 whole=100 disk=1"},
        /* A hub's people recorded before it joined: its correction took their figure away for ever. */
        {100534, "tiers=3 counties=1 sites=1 devices=1 writes=6 hours=2 real=900 latency_ms=221 "
                 "rate_bytes=30 cut=365 half_open=105 stale=101 stall=190 offline=102 crash=60 "
                 "fault=19 reboot=708 skew=435 refuse=144 hold=507 late=135 stay=652 twin=488 "
                 "upgrade=357 whole=100 disk=1"},
        /* A correction was missing from its table when the next one was due, and was rebuilt after it. */
        {175, "tiers=2 counties=1 sites=3 devices=1 writes=90 hours=4 real=900 latency_ms=336 "
              "stale=219 crash=19 fault=19 reboot=246 skew=641 hold=167 late=500 stay=465 twin=52 "
              "damage=2 without=6 pause=95 whole=653 disk=1 power=164 eio=18 full=6 audit=226"},
        /* A county corrected the figures of the province's own unit, which held that with an alarm. */
        {200292,
         "tiers=3 counties=1 sites=1 devices=1 writes=40 hours=2 real=900 latency_ms=221 "
         "rate_bytes=22 half_open=305 stale=500 stall=390 loss=165 offline=540 crash=60 "
         "reboot=708 skew=435 refuse=424 hold=221 command=57 stay=80 window=256 mixed=500 "
         "crowd=1 piece=184 twin=488 speak=754 whole=342 disk=1 power=1000 full=5 audit=295"},
        /* What was damaged when it was due was passed over, and the gap that this made above was asked for once a day. */
        {600242, "tiers=3 counties=1 sites=1 devices=2 writes=8 hours=2 real=400 latency_ms=377 "
                 "rate_bytes=40 crash=49 fault=12 reboot=133 skew=30 refuse=285 hold=638 "
                 "command=108 stay=759 mixed=500 twin=285 damage=8 whole=100 disk=1 power=264 "
                 "die=2 eio=12 full=6 audit=70"},
        {2007, "tiers=3 counties=1 sites=1 devices=1 writes=13 calm=4 hours=2 real=400 "
               "latency_ms=251 half_open=381 stall=98 loss=51 offline=286 crash=16 fault=29 "
               "reboot=457 skew=186 hold=137 window=4096 damage=6 pause=223 load=3 whole=100"},
        /* A county and its clone: the site agreed with one of them, and the check asked the other. */
        {2000178, "tiers=3 counties=1 sites=1 devices=2 writes=4 calm=4 hours=1 latency_ms=389 "
                  "cut=393 offline=773 refuse=555 hold=185 command=96 crowd=1 twin=478 whole=100 "
                  "restore=4 clone=2 late_segment=2"},
        /* A machine resumed as of a minute ago, its cursor told under another run: what the hub held back as its run's own
         * never came home, for the cursor passed it before the hub could say which run this was. */
        {2000678,
         "tiers=3 counties=1 sites=1 devices=1 writes=7 calm=4 hours=3 latency_ms=362 "
         "rate_bytes=40 "
         "stall=36 loss=232 offline=867 fault=37 refuse=363 hold=139 command=165 mixed=300 crowd=1 "
         "piece=187 clock=682 upgrade=510 speak=691 deaf=725 whole=130 quota=36 restore=2 "
         "resume=3"},
        /* A child with nothing else to do asked who of two copies survives, and left before the answer: each time anew. */
        {2003019, "tiers=3 counties=2 sites=3 devices=1 writes=10 hours=593 real=300 "
                  "latency_ms=117 rate_bytes=34 cut=84 "
                  "offline=723 crash=24 fault=27 reboot=627 hold=222 twin=226 deaf=171 whole=100 "
                  "restore=5 clone=1"},
        /* A county passed over a segment that was damaged there; nothing followed in its stream, and a site never asked. */
        {2001624, "tiers=3 counties=1 sites=1 devices=2 writes=12 calm=4 hours=2 latency_ms=137 "
                  "cut=181 offline=758 "
                  "crash=25 fault=31 reboot=561 refuse=198 hold=520 command=12 window=22528 "
                  "crowd=1 piece=188 damage=2 "
                  "slow=2672 load=3 whole=416"},
        /* A refused change that could not be annulled over a damaged entry stood until the next audit. */
        {2001169, "tiers=2 counties=1 sites=1 devices=2 writes=84 hours=6 latency_ms=373 "
                  "rate_bytes=1 cut=485 "
                  "half_open=175 offline=714 fault=35 refuse=143 hold=783 late=467 crowd=1 "
                  "piece=205 twin=107 damage=5 "
                  "upgrade=763 whole=100 life=60"},
        /* What waited for a row that repair brought back came through in the middle of it, and was dropped as groundless. */
        {2474,
         "tiers=2 counties=1 sites=1 devices=1 writes=13 calm=4 hours=2 real=100 latency_ms=25 "
         "rate_bytes=35 stale=15 stall=151 loss=210 crash=14 refuse=110 hold=500 mixed=500 crowd=1 "
         "damage=4 malice=4 whole=944 trails=7 closed=1"},
};

static void worlds_that_were_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(worlds); i++) {
		struct config c = {.seed = worlds[i].seed};
		struct sim_result r;
		char text[512], *word, *rest = NULL;

		(void)snprintf(text, sizeof(text), "%s", worlds[i].settings);
		for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
			char *equals = strchr(word, '=');

			*equals = 0;
			assert_true(sim_config_set(&c, word, strtoll(equals + 1, NULL, 10)));
		}
		sim_run(&c, /* trace= */ false, &r);
		if (r.failed) fail_msg("seed %" PRIu64 " breaks %s: %s", c.seed, r.rule, r.failure);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(worlds_that_were_found)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
