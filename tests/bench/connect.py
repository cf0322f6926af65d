#!/usr/bin/env python3
"""connect.py - a crowd comes to one hub:

connect_10k_s     10,000 certified devices, each with a link and a CURVE key of its own, out of four processes (crowd.c) on the same machine as
                  the hub: from "go" to when the last of them has its WELCOME.
connect_10k_kib   What the hub's memory (VmRSS) has grown by then, for each; _settled: ten seconds later, with the work that follows done.

A county under a province; the devices stand in the county's communities in turn.  hub.welcomes_per_second is set so high that nobody is put off.
Each device takes three descriptors in its process and one at the hub, which shuts its door at nine tenths of its limit: `ulimit -n` of
at least 12,000.  JINGUO_BENCH_SMALL=1: 200 devices.
"""
import os
import resource
import sqlite3
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import world as w  # noqa: E402
from processes import COUNTY, Tiers, bench, memory  # noqa: E402
from world import must  # noqa: E402

CROWD = os.path.join(w.BUILD, "bench", "crowd")
PROCESSES, DESCRIPTORS = 4, 12000
COUNT = 200 if os.environ.get("JINGUO_BENCH_SMALL") else 10000


def told(process, word):
    line = process.stdout.readline().strip()
    must(line == word, f"crowd said {line!r}, not {word!r}")


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    must(hard >= DESCRIPTORS or hard < 0 or COUNT < 1000, f"{hard} descriptors: ulimit -n {DESCRIPTORS} is needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with w.World("bench") as world:
        t = Tiers(world)
        hub = t.county
        hub.stop()
        hub.settings({"hub": {"welcomes_per_second": 1000000}})
        db = sqlite3.connect(f"file:{hub.dir}/jinguo.db?mode=ro", uri=True)
        units = db.execute("SELECT hex(id), code FROM org_unit WHERE code LIKE ? AND code NOT LIKE '%000'",
                           (COUNTY[:6] + "%",)).fetchall()
        db.close()
        must(len(units) > 100, f"{len(units)} communities")
        with open(world.path("units"), "w") as f:
            f.writelines(f"{i.lower()} {code}\n" for i, code in units)
        began = time.monotonic()
        key = subprocess.run([CROWD, "enrol", hub.dir, world.path("units"), world.path("keys"), str(COUNT)], env=world.env,
                             check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        bench("connect_enrol_s", time.monotonic() - began, "s")
        hub.start()
        time.sleep(1 if COUNT < 1000 else 10)  # what the enrolments have left it to do
        share = COUNT // PROCESSES
        crowd = [world.spawn([CROWD, "come", f"tcp://127.0.0.1:{t.county_port}", key, world.path("keys"), str(i * share), str(share)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for i in range(PROCESSES)]
        for c in crowd:
            told(c, "ready")
        before, _ = memory(hub.process.pid)
        began = time.monotonic()
        for c in crowd:
            c.stdin.write("go\n")
            c.stdin.flush()
        for c in crowd:
            told(c, "here")
        took = time.monotonic() - began
        now, _ = memory(hub.process.pid)
        bench("connect_10k_s", took, "s")
        bench("connect_10k_kib", (now - before) * 1024 / COUNT, "KiB")
        time.sleep(10)
        now, _ = memory(hub.process.pid)
        bench("connect_10k_settled_kib", (now - before) * 1024 / COUNT, "KiB")
        for c in crowd:
            c.stdin.close()
            c.wait(30)


if __name__ == "__main__":
    try:
        main()
    except w.Failure as e:
        sys.exit(f"bench: {e}")
