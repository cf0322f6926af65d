#!/usr/bin/env python3
"""processes.py - figures of real programs on this machine, over real sockets with the timers that a village has:

converge_ms_p50, _p99   A province, a county, 8 sites at work, links up: from when `record` has acknowledged an activity at a site to when
                        the province's database holds it.  What is asked is the database itself, every 5 ms.
noop_cold_bytes         Every byte both ways of one `sync` that has nothing to do, as TCP carries it: greeting, CURVE handshake,
                        certificate, session.
noop_wire_bytes         Of these, what goes over the link once it is up: all after the greeting and the two frames each way of the
                        CURVE handshake.
node_rss_mib            A running node with 100,000 rows after they are at its county: VmRSS; _peak: VmHWM since it started.

JINGUO_BENCH_SMALL=1: few of each.  A figure of half the work is no figure: whatever is missing ends the program.
"""
import json
import os
import sqlite3
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import world as w  # noqa: E402
from world import must, wait_for  # noqa: E402

PROVINCE, COUNTY = "350000000000", "350104000000"
SITES = ("350104001003", "350104002001", "350104003003", "350104004001", "350104004006", "350104004007", "350104004008",
         "350104005001")
SMALL = bool(os.environ.get("JINGUO_BENCH_SMALL"))


def bench(name, value, unit):
    print(f"bench {name} {value:.5g} {unit}", flush=True)


def activity(title):
    return json.dumps({"table": "activity", "title": title, "act": "0", "start": "2025-03-08T09:00", "astat": "finished"})


GREETING, HANDSHAKE = 64, 2  # ZMTP 3: bytes of the greeting; frames of the CURVE handshake, each way


def until_up(head):
    """How many bytes of a direction bring the link up."""
    at = GREETING
    for _ in range(HANDSHAKE):
        must(len(head) > at + 9, "the handshake is longer than what was kept of it")
        flags = head[at]
        at += 9 + int.from_bytes(head[at + 1:at + 9], "big") if flags & 2 else 2 + head[at + 1]
    return at


class Counter(w.Relay):
    """A line that only counts: of each direction of each connection how much, and how it began."""

    def __init__(self, world, to_port):
        self.ways = []
        super().__init__(world, to_port, 1 << 40)

    def carry(self, a, b, counts):
        way = {"bytes": 0, "head": b""}
        with self.lock:
            self.ways.append(way)
        try:
            while data := a.recv(65536):
                way["bytes"] += len(data)
                way["head"] = (way["head"] + data)[:4096]
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(w.socket.SHUT_RDWR)
            except OSError:
                pass


class Tiers:
    def __init__(self, world):
        self.world = world
        self.province, self.county = world.hub("province", fast=False), world.hub("county", fast=False)
        self.province.root(PROVINCE, "福建省", "--listen", f"tcp://127.0.0.1:{world.port()}")
        self.province.run("org", "import", w.DIVISIONS)
        self.province.start()
        self.county_port = world.port()
        self.county.init("--listen", f"tcp://127.0.0.1:{self.county_port}")
        self.county.join(self.province, COUNTY)
        self.county.start()
        wait_for(lambda: self.county.status()["own_complete"], 60, "the county has its part of the tree")

    def site(self, name, code):
        node = self.world.node(name, fast=False)
        node.init()
        node.join(self.county, code)
        return node


def converge(t):
    nodes = [t.site(f"site{i}", code) for i, code in enumerate(SITES)]
    for n in nodes:
        n.start()
    for n in nodes:
        wait_for(lambda n=n: n.status()["own_complete"], 60, f"{n.name} has its part of the tree")
    due, took, lock, going = {}, [], threading.Lock(), [True]

    def watch():
        db = sqlite3.connect(f"file:{t.province.dir}/jinguo.db?mode=ro", uri=True, timeout=20)
        while going[0]:
            with lock:
                asked = list(due.items())
            for row, since in asked:
                if db.execute("SELECT 1 FROM activity WHERE id = ?", (bytes.fromhex(row.replace("-", "")),)).fetchone():
                    took.append(1000 * (time.monotonic() - since))
                    with lock:
                        del due[row]
            time.sleep(0.005)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    rounds = 3 if SMALL else 25
    for i in range(rounds):
        for n in nodes:
            row = n.record([activity(f"测试 {i}")])[0]
            with lock:
                due[row] = time.monotonic()
            time.sleep(0.05)
    wait_for(lambda: not due, 60, "all of it is at the province")
    going[0] = False
    watcher.join()
    took.sort()
    must(len(took) == rounds * len(nodes), f"{len(took)} of {rounds * len(nodes)} seen")
    bench("converge_ms_p50", took[len(took) // 2], "ms")
    bench("converge_ms_p99", took[min(len(took) - 1, len(took) * 99 // 100)], "ms")
    for n in nodes:
        n.stop()
    return nodes[0]


def noop(t, node):
    def agreed():
        node.run("sync")
        return node.status()["complete"]
    wait_for(agreed, 60, "the site is complete")
    count = Counter(t.world, t.county_port)
    node.settings({"link": {"parent": f"tcp://127.0.0.1:{count.port}"}})
    node.run("sync")
    cold, wire = [], []
    for _ in range(5):
        before = len(count.ways)
        node.run("sync")
        time.sleep(0.3)
        ways = count.ways[before:]
        must(len(ways) == 2, f"{len(ways)} directions, not one connection")
        cold.append(sum(x["bytes"] for x in ways))
        wire.append(sum(x["bytes"] - until_up(x["head"]) for x in ways))
    bench("noop_cold_bytes", sorted(cold)[2], "B")
    bench("noop_wire_bytes", sorted(wire)[2], "B")


def memory(pid):
    with open(f"/proc/{pid}/status") as f:
        lines = dict(line.split(":", 1) for line in f)
    return [int(lines[k].split()[0]) / 1024 for k in ("VmRSS", "VmHWM")]


def rss(t):
    rows = 2000 if SMALL else 100000
    node = t.site("large", "350104001005")
    made, seed = 0, 0
    while made < rows:
        seed += 1
        lines = w.generate(seed, "large", volunteers=174, activities=60, participations=900)
        made += len(node.run("record", "--json", "-", text="\n".join(lines) + "\n", timeout=120).json()["items"])
    must(made >= rows, f"{made} of {rows} recorded")
    node.start()
    wait_for(lambda: node.status()["own_complete"], 600, "all rows are at the county")
    now, peak = memory(node.process.pid)
    bench("node_rss_mib", now, "MiB")
    bench("node_rss_peak_mib", peak, "MiB")
    node.stop()


def main():
    with w.World("bench") as world:
        t = Tiers(world)
        noop(t, converge(t))
        rss(t)


if __name__ == "__main__":
    try:
        main()
    except w.Failure as e:
        sys.exit(f"bench: {e}")
