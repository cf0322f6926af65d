#!/usr/bin/env python3
"""catchup.py - a county comes back:

catchup_county_s    209 sites, one device each, that were silent for 30 days (215 records each, 45,000 in all: what a
                    county of villages writes in that time) are started at once on the machine of their hub: until the county's database holds every row, merged.
catchup_agreed_s    Until the last of the 209 says that the county has all it has and that both agree (a lamp would be green).
catchup_setup_s     What it took to enrol them and to record all that; no part of the figure.

Real programs with the timers of a village.  The two cores are shared by the hub and all of its sites, and starting 209 programs is in the figure.
Nearly all of its time is the setup.  JINGUO_BENCH_SMALL=1: eight sites.
"""
import collections
import concurrent.futures
import os
import sqlite3
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import world as w  # noqa: E402
from processes import SMALL, Tiers, bench  # noqa: E402
from world import must, wait_for  # noqa: E402

SITES, RECORDS = 8 if SMALL else 209, {"volunteers": 8, "activities": 26, "participations": 172}
AT_ONCE = 4


def prepare(t, i, code):
    """A site that has its part of the tree and has written, and the tables of its records."""
    site = t.site(f"site{i}", code)
    site.run("sync")
    lines = w.generate(i + 1, f"site{i}", **RECORDS)
    items = site.run("record", "--json", "-", text="\n".join(lines) + "\n", timeout=300).json()["items"]
    must(len(items) == len(lines), f"{len(items)} of {len(lines)} recorded at {code}")
    return site, [x["table"] for x in items]


def main():
    with w.World("bench") as world:
        t = Tiers(world)
        db = sqlite3.connect(f"file:{t.county.dir}/jinguo.db?mode=ro", uri=True, timeout=60)
        codes = [c for (c,) in db.execute("SELECT code FROM org_unit WHERE code LIKE '350104%' AND code NOT LIKE '%000' ORDER BY code")]
        must(len(codes) > 100, f"{len(codes)} communities")
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            sites = list(pool.map(lambda i: prepare(t, i, codes[i % len(codes)]), range(SITES)))
        bench("catchup_setup_s", time.monotonic() - began, "s")
        want = collections.Counter(table for _, tables in sites for table in tables)
        bench("catchup_records", sum(want.values()), "records")

        def held():
            return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in want}

        def here():
            now = held()
            must(now == want, f"{now} of {dict(want)}")
            return True

        must(not any(held().values()), f"{held()} had come before it began")
        began = time.monotonic()
        for s, _ in sites:
            s.start()
        wait_for(here, 600, "the county has merged what its sites wrote")
        bench("catchup_county_s", time.monotonic() - began, "s")
        left = [s for s, _ in sites]

        def agreed():
            while left and left[-1].status()["complete"]:
                left.pop()
            must(not left, f"{len(left)} sites are not complete")
            return True
        wait_for(agreed, 600, "every site says so")
        bench("catchup_agreed_s", time.monotonic() - began, "s")


if __name__ == "__main__":
    try:
        main()
    except w.Failure as e:
        sys.exit(f"bench: {e}")
