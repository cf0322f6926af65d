#!/usr/bin/env python3
"""suite_e2e.py [NAME...] - three tiers of real processes over loopback.

Prints `ok NAME` or `not ok NAME` with the reason.  Parts of names choose tests; JINGUO_KEEP=1 keeps the directories;
SEED=n other noise.  Uses 127.0.0.1 only; ends what it started, and only that.
"""
import base64
import ctypes
import json
import os
import random
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import world as w  # noqa: E402
from lines import activity, volunteer  # noqa: E402
from region import Region, COUNTY, PROVINCE, SITE_A, SITE_B, SITE_C  # noqa: E402
from suite import run, test  # noqa: E402
from world import must, wait_for  # noqa: E402

SPARE = ("350104004001", "350104004006", "350104004007", "350104004008", "350104005001", "350104005005",
         "350104005006", "350104005007", "350104006002", "350104006003", "350104006004", "350104003004",
         "350104003006", "350104002002", "350104002004", "350104001005", "350104001006", "350104001008")
CANARY = "金丝雀e2eJINGUO"
BOTH = (w.LANE_OPEN, w.LANE_COUNTY)
SEED = int(os.environ.get("SEED", "20251124"))


def id_bytes(text):
    return bytes.fromhex(text.replace("-", ""))


# ---- three tiers with the real divisions of Fujian


class Tiers(Region):
    def __init__(self, world):
        super().__init__(world, sites={"a": SITE_A, "b": SITE_B, "c": SITE_C})
        self.spare = list(SPARE)
        self.lines = {}

    def one_more(self, name):
        return self.node(name, self.spare.pop())

    def settle(self, *nodes, seconds=30):
        nodes = nodes or (self.a, self.b, self.c)
        wait_for(lambda: w.corrected(self.county), seconds, "the county has stated its corrections")
        wait_for(lambda: w.heads_said(self.province), seconds, "the province has said what came")
        def agreed():
            for node in nodes:
                if not w.agreed_with(self.county, [node]) and not node.process:
                    node.run("sync")  # what was said above came down after it had gone
            return w.agreed_with(self.county, nodes)
        wait_for(agreed, seconds, "the county agrees with its sites")
        for node in nodes:
            def done(n=node):
                s = n.status()
                must(s["complete"], f"{n.name} says: {s['lamp_text']} (unsent {s['unsent']}, received {s['received']})")
                return True
            wait_for(done, seconds, f"{node.name} is complete")

        def above():
            s = self.county.status()
            must(s["own_complete"], f"the county says: {s['lamp_text']} (unsent {s['unsent']})")
            return True
        wait_for(above, seconds, "the county is complete towards the province")


@test
def convergence(t):
    """What three sites record is at the county as it is there, and its open part at the province."""
    for i, node in enumerate((t.a, t.b, t.c)):
        t.lines[node] = w.generate(i + 1, f"站点{i + 1}", canary=f"{CANARY}{node.name}", volunteers=30, activities=15,
                                   participations=80)
        node.ids = node.record(t.lines[node])
        node.start()
    t.settle()

    def same():  # the province's word of what came may still be on its way down
        county, province = w.Book(t.county), w.Book(t.province)
        for node in (t.a, t.b, t.c):
            book = w.Book(node)
            must(len(book.rows_of_all(0) | book.rows_of_all(1)) >= len(node.ids), f"{node.name} lost rows of its own")
            rows, bad = w.differences(book, county, BOTH, {book.unit(node.code, 6)})
            must(not bad and rows >= len(node.ids), f"{node.name} and the county differ ({rows} rows)", *bad)
        rows, bad = w.differences(county, province, (w.LANE_OPEN,), set(county.scopes.values()))
        must(not bad and rows, "county and province differ in the open lane", *bad)
        return True
    wait_for(same, 20, "all levels hold the same")


@test
def figures(t):
    """The province's totals are those counted here from what was recorded."""
    want = {}
    for lines in t.lines.values():
        for kind, n in w.figures(lines).items():
            want[kind] = want.get(kind, 0) + n

    def right():
        totals = t.province.json("summary", "--org", COUNTY)["totals"]
        got = {x["kind"]: x["total"] for x in totals}
        must(got == want and all(x["settled"] for x in totals), f"the province says {got}, counted {want}")
        return True
    wait_for(right, 10, "the figures are right")


@test
def nothing_to_do_is_short(t):
    node = t.one_more("quiet")
    t.settle(node)
    for _ in range(3):
        node.run("sync")
    r = node.json("sync")
    must(r["agreed"] and r["round_trips"] == 1, "a session with nothing to do takes more than one round trip", r)
    must(r["bytes_in"] + r["bytes_out"] <= 200, "a session with nothing to do takes more than 200 bytes", r)


@test
def down_feed_of_org_units(t):
    """A site holds its ancestors and its own unit, not the other 18,000."""
    book = w.Book(t.a)
    have = {r[0]: r[1] for r in book.db.execute("SELECT code, level FROM org_unit")}
    for code in (PROVINCE, "350100000000", COUNTY, "350104001000", SITE_A):
        must(code in have, f"the site has no org unit {code}")
    must(len(have) <= 300, f"the site holds {len(have)} org units")
    must(all(c == PROVINCE or c == "350100000000" or c.startswith("350104") for c in have),
         "the site holds org units of other counties")


@test
def second_device_of_a_site(t):
    t.a2 = t.node("a2", SITE_A)
    t.a2.start()
    t.settle(t.a, t.a2)
    a, a2 = w.Book(t.a), w.Book(t.a2)
    rows, bad = w.differences(a, a2, BOTH, {a.unit(SITE_A, 6)})
    must(not bad and rows >= len(t.a.ids), f"the second device differs ({rows} rows)", *bad)
    ids = t.a2.record([volunteer("测试第二台01", phone="19900007001")])
    wait_for(lambda: w.has(t.a, "volunteer", ids, 1), 10, "what the second device records is at the first")


@test
def sibling_site_gets_nothing(t):
    """Not a row, not a journal entry, not a byte of another site's county lane."""
    b = w.Book(t.b)
    units = {w.Book(t.county).unit(code, 6): code for code in (SITE_A, SITE_C)}
    for ord_, unit in b.scopes.items():
        if unit not in units:
            continue
        for table in w.schema():
            n = b.count(f'SELECT count(*) FROM "{table}" WHERE scope = ?', ord_)
            must(not n or table == "org_unit", f"the sibling holds {n} rows of {table} of {units[unit]}")
        n = b.count("SELECT count(*) FROM journal WHERE scope = ? AND lane > 0", ord_)
        must(not n, f"the sibling's journal holds {n} county-lane entries of {units[unit]}")
    words = [CANARY + "a", CANARY + "c"]
    bodies, found = w.journal_with(b, words)
    size, files = w.files_with(t.b.dir, words)
    must(not found and not files, "the sibling holds words of another site", found, files)
    _, control = w.files_with(t.b.dir, [CANARY + "b"])
    must(control, "the check sees nothing at all")


def killed_while_sending(t, name, whom):
    """A site with much to send on a slow line; node or county is killed when the first part has arrived."""
    node = t.one_more(name)
    node.run("sync")
    ids = node.record(w.generate(31, name, volunteers=150, activities=10, participations=1200))
    relay = w.Relay(t.world, t.county_port, 24 * 1024)
    node.settings({"link": {"parent": f"tcp://127.0.0.1:{relay.port}"}})
    origin = bytes.fromhex(node.status()["device"])

    def arrived():
        return w.ask(t.county, "SELECT coalesce(sum(count), 0) FROM journal WHERE kind = 1 AND origin = ?", origin)
    node.start()
    wait_for(arrived, 20, "the first part is at the county")
    (node if whom == "node" else t.county).kill()
    part = arrived()
    must(part < len(ids), "everything had arrived before the kill: the line is not slow enough")
    if whom == "node":
        node.settings({"link": {"parent": f"tcp://127.0.0.1:{t.county_port}"}})
        node.start()
    else:
        relay.cut()
        relay.rate = 10 << 20
        t.county.start()

    def done():
        s = node.status()
        must(s["complete"], f"killed at {part}; the county has {arrived()} changesets; the site says: {s['lamp_text']} "
             f"(unsent {s['unsent']}, received {s['received']})", *node.tail(3))
        return True
    wait_for(done, 15, f"{node.name} agrees after the {whom} was killed while it sent")
    node.stop()
    relay.close()
    county = w.Book(t.county)
    have = county.rows_of_all(0) | county.rows_of_all(1)
    must(all(id_bytes(i) in have for i in ids), "acknowledged rows are missing at the county")


@test
def lost_acknowledgements(t):
    """Everything arrived, but no acknowledgement came back before the machine lost power: the site learns it."""
    node = t.one_more("unheard")
    node.run("sync")
    ids = node.record(w.generate(32, "无回执", volunteers=150, activities=10, participations=1200))
    tail = w.ask(node, "SELECT count(*) FROM tail")
    must(tail < 1000, f"of {len(ids)} transactions {tail} wait for one seal: nothing was sealed while they were recorded")
    relay = w.Relay(t.world, t.county_port, 24 * 1024)
    node.settings({"link": {"parent": f"tcp://127.0.0.1:{relay.port}"}})
    origin = bytes.fromhex(node.status()["device"])
    arrived = lambda: w.ask(t.county, "SELECT coalesce(sum(count), 0) FROM journal WHERE kind = 1 AND origin = ?", origin)
    node.start()
    wait_for(arrived, 20, "the first part is at the county")
    relay.mute = True
    wait_for(lambda: arrived() > len(ids), 20, "everything is at the county")
    node.kill()
    must(node.status()["unsent"] > 0, "the acknowledgements were heard after all: this test shows nothing")
    node.settings({"link": {"parent": f"tcp://127.0.0.1:{t.county_port}"}})
    node.start()

    def done():
        s = node.status()
        must(s["complete"], f"the county has all {arrived()} changesets; the site says: {s['lamp_text']} "
             f"(unsent {s['unsent']}, lamp {s['lamp']}, agreed {s['agreed']})")
        return True
    wait_for(done, 10, "the site knows that everything has arrived")
    node.stop()
    relay.close()


@test
def node_killed_while_sending(t):
    for i in range(4):
        killed_while_sending(t, f"sender{i}", "node")


@test
def county_killed_while_receiving(t):
    for i in range(2):
        killed_while_sending(t, f"sender{4 + i}", "county")


@test
def county_writes_for_a_site(t):
    """They reach exactly that site's devices."""
    ids = t.county.record([activity("测试县级代记", org=SITE_A, note="测试:县级备注")])
    for node in (t.a, t.a2):
        wait_for(lambda n=node: w.has(n, "activity", ids, 1), 10, f"{node.name} has the county's row")
    t.settle(t.a, t.a2, t.b, t.c)
    for node in (t.b, t.c):
        must(not w.has(node, "activity", ids, 0), f"{node.name} has a row of another site")
    must(w.has(t.province, "activity", ids, 0), "the province has not its open part")
    must(not w.has(t.province, "activity", ids, 1), "the province has its county part")


@test
def concurrent_edits(t):
    """One field changed in two places while apart: both kept on both sides, then settled; other fields stay."""
    row = t.b.ids[0]
    t.b.stop()
    t.b.run("edit", row, "phone=19900007101", "edu=20")
    t.county.run("edit", row, "phone=19900007102", "employer=测试单位")
    t.b.start()

    def conflict(place):
        return [c for c in place.json("conflicts")["items"] if c["id"] == row]
    for place in (t.b, t.county):
        wait_for(lambda p=place: conflict(p), 10, f"{place.name} shows the conflict")
        values = conflict(place)[0]["values"]
        must(sorted(v["value"] for v in values) == ["19900007101", "19900007102"] and sum(v["shown"] for v in values) == 1,
             f"{place.name} keeps other values", values)
    t.b.run("edit", row, "phone=19900007103")
    for place in (t.b, t.county):
        wait_for(lambda p=place: not conflict(p), 10, f"the conflict is settled at {place.name}")
        shown = place.json("show", row)["items"][0]
        must((shown["phone"], shown["edu"], shown["employer"]) == ("19900007103", "20", "测试单位"),
             f"{place.name} shows another row", shown["phone"], shown["edu"], shown["employer"])


@test
def lanes(t):
    """A word in county-lane fields is in no byte of the province's directory: tables, journal, opened bodies."""
    county, province = w.Book(t.county), w.Book(t.province)
    beyond = w.above_lane(province, w.LANE_OPEN)
    must(not beyond, "the province holds what may not rise", *beyond)
    _, control_files = w.files_with(t.county.dir, [CANARY])
    _, control = w.journal_with(county, [CANARY])
    must(control_files and control, "the word is not even found at the county: the check would see nothing")
    bodies, found = w.journal_with(province, [CANARY])
    size, files = w.files_with(t.province.dir, [CANARY])
    must(not found and not files, "the word is at the province", found, files)
    must(size > 1 << 20 and bodies, "the check read nothing")
    n = province.count("SELECT count(*) FROM activity WHERE title IS NULL")
    must(n == 0, f"{n} activities of closed kinds are known to the province as rows")


# ---- invitations


def token_parts(text):
    """The bytes of an invitation and where each of its elements begins and ends (proto/README.md)."""
    raw = base64.urlsafe_b64decode(text.strip()[4:] + "==")
    at, spans = 1, []
    for _ in range(raw[0] & 15):
        tag, begin = raw[at], at
        if tag >> 5 == 5:
            begin, at = at + 1, at + 1 + (tag & 31)
        elif tag in (0xc4, 0xd9):
            begin, at = at + 2, at + 2 + raw[at + 1]
        else:
            at += {0xcc: 2, 0xcd: 3, 0xce: 5, 0xcf: 9, 0xd3: 9}.get(tag, 1)
        spans.append((begin, at))
    must(at == len(raw) and len(spans) == 9, "the invitation has another form than this suite knows")
    return bytearray(raw), spans


def forged(text, element, change):
    raw, spans = token_parts(text)
    a, b = spans[element]
    raw[a:b] = change(bytes(raw[a:b]))
    return "JG1-" + base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")


def flip(b):
    return bytes([b[0] ^ 1]) + b[1:]


def refused(t, token, name, codes, said, **how):
    """A stranger with this invitation does not get in, is told, and goes on recording."""
    node = t.world.node(name, **how)
    node.init()
    started = time.monotonic()
    r = node.run("join", "-", "--json", "--timeout", "4", text=token, expect=None)
    took = time.monotonic() - started
    must(r.code != 0, f"{name}: got in", r.out)
    error = json.loads(r.err.strip().splitlines()[-1])["error"]
    must(r.code in codes and error["name"] in said, f"{name}: exit {r.code}, {error['name']}; wanted {codes} {said}", r.err)
    must(took < 10 * w.SLOWER, f"{name}: took {took:.1f} s")
    must(not node.status()["joined"], f"{name}: believes that it has joined")
    node.record([activity("测试未入网")])
    return node


@test
def token_misuse(t):
    code = t.spare.pop()
    invite = lambda: t.county.run("invite", "--org", code, "--role", "node").out
    good = invite()
    peers_before = len(t.county.json("peers")["items"])
    refused(t, good.strip()[:-6] + "\n", "cut_token", (2, 4), ("token_form",))
    refused(t, forged(good, 3, flip), "wrong_secret", (3, 4, 8), ("invite_unknown",))
    refused(t, forged(good, 1, flip), "wrong_link_key", (4, 6, 8), ("wrong_key",))
    refused(t, forged(good, 2, flip), "wrong_root", (4, 8), ("cert_bad", "root_other", "wrong_root"))
    # wrong_root showed the right secret: that invitation is spent, whatever it thought of the answer.
    good = invite()
    refused(t, forged(good, 4, flip), "wrong_unit", (4, 8), ("cert_bad",))
    must(len(t.county.json("peers")["items"]) <= peers_before + 2, "refused strangers are in the list of peers")
    good = invite()
    first = t.world.node("first")
    first.init()
    first.run("join", "-", text=good)
    again = first.json("join", "-", text=good)
    must(again["again"], "the same device with the same invitation is not welcome again", again)
    refused(t, good, "reused", (4, 5, 8), ("invite_used",))
    env = dict(t.world.env, JINGUO_CLOCK_OFFSET_MS=str(-100 * 3600 * 1000))
    old = t.county.run("invite", "--org", code, "--role", "node", env=env).out
    refused(t, old, "expired", (4, 8), ("invite_old",))
    hub = t.province.run("invite", "--org", "350105000000", "--role", "hub").out
    refused(t, hub, "hub_token", (2, 4), ("usage",))


# ---- peers that do not speak the protocol


class Curve:
    """A CURVE link of libzmq's, by ctypes: what a stranger with our address and key can say."""

    def __init__(self, port, server_key, secret=None):
        z = self.z = ctypes.CDLL("libzmq.so.5")
        for name in ("zmq_ctx_new", "zmq_socket"):
            getattr(z, name).restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(z.zmq_ctx_new())
        self.socket = ctypes.c_void_p(z.zmq_socket(self.context, 5))  # DEALER
        public, hidden = ctypes.create_string_buffer(41), ctypes.create_string_buffer(41)
        if secret:
            z.zmq_z85_encode(hidden, secret, ctypes.c_size_t(32))
            z.zmq_curve_public(public, hidden)
        else:
            z.zmq_curve_keypair(public, hidden)
        self.set(50, server_key)  # ZMQ_CURVE_SERVERKEY, PUBLICKEY, SECRETKEY
        self.set(48, public.value)
        self.set(49, hidden.value)
        for option, value in ((17, 0), (27, 2000), (28, 2000), (39, 1)):  # LINGER, RCVTIMEO, SNDTIMEO, IMMEDIATE
            self.set(option, struct.pack("i", value))
        must(z.zmq_connect(self.socket, f"tcp://127.0.0.1:{port}".encode()) == 0, "zmq_connect")

    def set(self, option, value):
        if option in (48, 49, 50) and len(value) == 40:
            size = 41
        else:
            size = len(value)
        must(self.z.zmq_setsockopt(self.socket, option, ctypes.create_string_buffer(value, size), ctypes.c_size_t(size)) == 0,
             f"zmq_setsockopt {option}")

    def send(self, data):
        return self.z.zmq_send(self.socket, ctypes.create_string_buffer(data, len(data)), ctypes.c_size_t(len(data)), 0)

    def receive(self):
        room = ctypes.create_string_buffer(1 << 19)
        n = self.z.zmq_recv(self.socket, room, ctypes.c_size_t(len(room)), 0)
        return room.raw[:n] if n >= 0 else None

    def close(self):
        self.z.zmq_close(self.socket)
        self.z.zmq_ctx_term(self.context)


GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + b"\0" + bytes(31)


def plain_noise(dice):
    yield "random bytes", dice.randbytes(65536)
    yield "HTTP", b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n" * 50
    yield "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + dice.randbytes(500)
    yield "a frame of 4 GiB", GREETING + b"\x02" + struct.pack(">Q", 1 << 32) + bytes(4096)
    yield "a frame of 2^63", GREETING + b"\x06" + struct.pack(">Q", (1 << 63) - 1) + bytes(4096)
    yield "a broken handshake", GREETING + b"\x04\xc8\x05HELLO" + dice.randbytes(194)
    yield "half a greeting", GREETING[:20]
    yield "nothing", b""


def curve_noise(dice):
    yield "random bytes", dice.randbytes(300)
    yield "many random bytes", dice.randbytes(300000)
    yield "nothing", b""
    yield "10,000 nested arrays", b"\x91" * 10000
    yield "an array of 4 G", b"\xdd\xff\xff\xff\xff" + b"\x01" * 100
    yield "bytes of 4 GiB", b"\x9c\x01\xc6\xff\xff\xff\xff" + bytes(100)
    yield "a map of 4 G", b"\xdf\xff\xff\xff\xff"
    yield "more than a message may have", bytes(400 * 1024)
    for kind in range(20):
        yield f"type {kind}, nothing else", bytes([0x91, kind])
        yield f"type {kind} and noise", bytes([0x9c, kind]) + dice.randbytes(200)
        yield f"type {kind}, long numbers", bytes([0x9c, kind]) + b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff" * 11


def memory_peak(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(x.split()[1]) for x in f if x.startswith("VmHWM")) * 1024


def undisturbed(t, node, pid, what):
    ids = node.record([activity(f"测试照常{what}"[:60])])
    started = time.monotonic()
    node.run("sync", "--timeout", "10")
    took = time.monotonic() - started
    must(w.has(t.county, "activity", ids, 0), f"after {what}: the other site's row is not at the county")
    must(took < 5 * w.SLOWER, f"after {what}: the other site's session took {took:.1f} s")
    must(t.county.running() and t.county.process.pid == pid, f"after {what}: the hub has ended", *t.county.tail())


@test
def noise_on_the_port(t):
    """Strangers that do not speak ZeroMQ disturb nobody."""
    node, dice, pid = t.one_more("beside_noise"), random.Random(SEED), t.county.process.pid
    before = memory_peak(pid)
    open_ones = []
    for what, data in plain_noise(dice):
        for _ in range(4):
            s = socket.create_connection(("127.0.0.1", t.county_port), 5)
            s.settimeout(1)
            try:
                s.sendall(data)
            except OSError:
                pass
            open_ones.append(s)  # they stay open: they are to be borne
        undisturbed(t, node, pid, what)
    for s in open_ones:
        s.close()
    grown = memory_peak(pid) - before
    must(grown < 32 << 20, f"the hub took {grown >> 20} MiB for it")


@test
def noise_through_curve(t):
    """A stranger, and a device of our own, that say nonsense over a valid link disturb nobody else."""
    token = t.county.run("invite", "--org", t.spare[0], "--role", "node").out
    raw, spans = token_parts(token)
    server_key = bytes(raw[slice(*spans[1])])
    bad = t.one_more("bad")
    bad.run("sync")
    with open(os.path.join(bad.dir, "link.key")) as f:
        own = bytes.fromhex(f.read().strip())
    node, dice, pid = t.one_more("beside_curve"), random.Random(SEED + 1), t.county.process.pid
    before = memory_peak(pid)
    for who, secret in (("a stranger", None), ("a device", own)):
        link, said = Curve(t.county_port, server_key, secret), 0
        for i, (what, data) in enumerate(curve_noise(dice)):
            if link.send(data) < 0:  # cut off by the hub: comes again
                link.close()
                link = Curve(t.county_port, server_key, secret)
                link.send(data)
            said += 1
            if i % 12 == 0:
                undisturbed(t, node, pid, f"{who}: {what}")
        must(said > 60, f"only {said} messages")
        link.close()
        undisturbed(t, node, pid, f"{who}: all of it")
    grown = memory_peak(pid) - before
    must(grown < 32 << 20, f"the hub took {grown >> 20} MiB for it")
    bad.record([activity("测试之后照常")])
    bad.run("sync")
    t.settle(bad, node)
    t.county.run("verify")


# ---- links


def standing_in_door(port):
    """Connections that the kernel made at this listening port and no program has taken."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as f:
            for line in f.readlines()[1:]:
                words = line.split()
                if words[3] == "0A" and int(words[1].rsplit(":", 1)[1], 16) == port:
                    return int(words[4].split(":")[1], 16)
    raise AssertionError(f"nobody listens at {port}")


@test
def descriptors_run_out(t):
    """More callers at once than there are descriptors: the hub says so, serves who is in, and goes on.

    Nobody is left standing in the door, taken by the kernel and by nobody else: for such a one libzmq spins a core.
    """
    world = t.world
    hub, node, late = world.hub("narrow"), world.node("narrow_in"), world.node("narrow_late")
    hub.init("--listen", f"tcp://127.0.0.1:{world.port()}")
    hub.settings({"link": {"handshake_ivl_ms": 60000}})
    hub.join(t.province, "350103000000")
    hub.descriptors = 96
    hub.start()
    wait_for(lambda: hub.status()["own_complete"], 20, "the hub is complete")
    code = w.Book(hub).db.execute("SELECT code FROM org_unit WHERE level = 6 ORDER BY code").fetchone()[0]
    for n in (node, late):
        n.init()
        n.join(hub, code)
    node.start()
    wait_for(node.complete, 20, "the site is in")
    seen, callers = os.path.getsize(hub.log), []
    port = int(open(os.path.join(hub.dir, "jinguo.ini")).read().split("listen")[1].split("127.0.0.1:")[1].split()[0])
    try:
        for _ in range(300):
            c = socket.socket()
            c.setblocking(False)
            c.connect_ex(("127.0.0.1", port))
            callers.append(c)
        wait_for(lambda: b"JG-" in hub.log_since(seen), 10, "the hub says that it takes no more")
        ids = node.record([activity("测试照常")])
        wait_for(lambda: w.has(hub, "activity", ids, 0), 20, "who is in is served")
        must(len(os.listdir(f"/proc/{hub.process.pid}/fd")) <= 96, "more descriptors than allowed")
        wait_for(lambda: standing_in_door(port) == 0, 10, "nobody is left standing in the door")
        for _ in range(50):
            c = socket.socket()
            c.setblocking(False)
            c.connect_ex(("127.0.0.1", port))
            callers.append(c)
        must(standing_in_door(port) == 0, "the door is not shut: callers stand in it")
        must(late.run("sync", "--timeout", "2", expect=None).code != 0, "one more got in: the limit was never reached")
    finally:
        for c in callers:
            c.close()
    late.record([activity("测试后来")])
    late.start()
    wait_for(late.complete, 20, "who came too late gets in when there is room")
    for place in (node, late, hub):
        place.stop()


@test
def status_tells_why(t):
    """What a person sees beside a running program when the link does not work, and that it goes away by itself."""
    node = t.one_more("told")
    node.start()
    wait_for(node.complete, 20, "the site is complete")

    def lamp(name):
        s = node.status()
        must(s["lamp"] == name, f"the lamp is {s['lamp']} ({s['lamp_text']}), not {name}")
        must(s["lamp_text"] and not s["complete"] or name == "complete", f"{name}: {s}")
        return True
    t.county.stop()
    ids = node.record([activity("测试断网")])
    wait_for(lambda: lamp("offline"), 20, "the lamp says that there is no network")
    t.county.start()
    wait_for(lambda: lamp("complete"), 20, "the lamp says that all has arrived")
    must(w.has(t.county, "activity", ids, 0), "complete, and the row is not at the county")
    node.stop()
    env = dict(t.world.env, JINGUO_CLOCK_OFFSET_MS=str(3600 * 1000))
    node.run("sync", env=env)
    s = node.run("status", "--json", env=env).json()
    must(s["lamp"] == "clock" and "60" in s["lamp_text"], f"an hour off, and the lamp is {s['lamp']}: {s['lamp_text']}")
    node.run("sync")
    wait_for(lambda: lamp("complete"), 20, "the clock is right again")


# ---- files and disks


@test
def damage_is_found_unasked(t):
    """A value is changed behind a running program's back, at a site and at its county: found, put right and named."""
    hub, node = t.world.hub("watched"), t.world.node("watched_site")
    hub.init("--listen", f"tcp://127.0.0.1:{t.world.port()}")
    hub.join(t.province, "350103000000")
    for place in (hub, node):
        if place is node:
            node.init()
            node.join(hub, w.Book(hub).db.execute("SELECT code FROM org_unit WHERE level = 6 ORDER BY code").fetchone()[0])
        place.settings({"sync": {"audit_ms": 100}})
        place.start()
        if place is hub:
            wait_for(lambda: hub.status()["own_complete"], 20, "the hub is complete")
    ids = node.record([activity("测试原样")])
    wait_for(lambda: w.has(hub, "activity", ids, 0), 20, "the row is at the hub")

    def title(place):
        return w.Book(place).db.execute("SELECT title FROM activity WHERE id = ?", (id_bytes(ids[0]),)).fetchone()[0]
    for place in (node, hub):
        with sqlite3.connect(os.path.join(place.dir, "jinguo.db"), timeout=20) as db:
            db.execute("UPDATE activity SET title = '被人改了' WHERE id = ?", (id_bytes(ids[0]),))
        db.close()
        wait_for(lambda: title(place) == "测试原样", 30, f"{place.name}: the title is what it was")
        found = place.run("audit", "--json").out
        must(ids[0] in found, f"{place.name}: audit does not name the row", found[-300:])
        place.run("verify")
    for place in (node, hub):
        place.stop()


@test
def truncated_database(t):
    """Said clearly, nothing made worse, and the whole file works again."""
    node = t.one_more("cut")
    node.record(w.generate(77, "截断", volunteers=20, activities=5, participations=20))
    node.run("sync")
    path = os.path.join(node.dir, "jinguo.db")
    shutil.copy(path, path + ".whole")
    size = os.path.getsize(path)
    for length in (size // 2, size - 4096 * 3, 20000, 100):
        shutil.copy(path + ".whole", path)
        os.truncate(path, length)
        for words in (("status",), ("record", "activity", "title=测试", "act=0", "start=2025-03-08T09:00", "astat=draft"),
                      ("sync", "--timeout", "3"), ("run",)):
            r = node.run(*words, "--json", timeout=10, expect=None)
            must(r.code == 9, f"cut to {length}: `{words[0]}` ended with {r.code}, not 9", r.err[-300:] or r.out[-300:])
            must('"code":6' in r.err, f"cut to {length}: `{words[0]}` names no storage error", r.err[-300:])
        must(os.path.getsize(path) <= length, f"cut to {length}: the file was written to")
    shutil.copy(path + ".whole", path)
    node.run("verify")
    node.run("sync")
    t.settle(node)


def small_disk(directory):
    """A tmpfs of 300 MiB there; False where that is not allowed."""
    return os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m,mode=700", "jinguo-test", directory],
                                                capture_output=True).returncode == 0


@test
def full_disk_at_the_hub(t):
    """The hub says so, acknowledges nothing that it cannot keep, and goes on when there is room."""
    world = t.world
    hub = world.hub("full")
    os.mkdir(hub.dir)
    mounted = small_disk(hub.dir)
    try:
        port = world.port()
        hub.init("--listen", f"tcp://127.0.0.1:{port}")
        hub.join(t.province, "350102000000")
        hub.start()
        wait_for(lambda: hub.status()["own_complete"], 20, "the hub is complete")
        node = world.node("full_site")
        node.init()
        code = w.Book(hub).db.execute("SELECT code FROM org_unit WHERE level = 6 ORDER BY code").fetchone()
        must(code, "the county has no communities")
        node.join(hub, code[0])
        node.run("sync")
        ids = node.record(w.generate(9, "满盘", volunteers=200, activities=40, participations=1500))
        filler = os.path.join(hub.dir, "filler")
        if mounted:
            free = os.statvfs(hub.dir)
            with open(filler, "wb") as f:
                left = free.f_bavail * free.f_frsize - 16 * 1024
                os.posix_fallocate(f.fileno(), 0, left)
        else:
            print("# full_disk_at_the_hub: no tmpfs may be mounted here; a limit on the size of files stands in", flush=True)
            hub.stop()
            hub.limit_kb = max(os.path.getsize(os.path.join(hub.dir, "jinguo.db")) // 1024, 1) + 64
            hub.start()
        seen = os.path.getsize(hub.log)
        for _ in range(2):
            node.run("sync", "--timeout", "2", expect=None)
        said = hub.log_since(seen).decode(errors="replace")
        must(hub.running(), "the hub has ended", said[-400:])
        s = node.status()
        must(not s["complete"] and s["merged"] < len(ids), f"the site believes that all is merged: {s['lamp_text']}")
        must("JG-61" in said, "the hub does not say that its disk is full", said[-400:])
        if mounted:
            os.remove(filler)
        else:
            hub.stop()
            hub.limit_kb = 0
            hub.start()
        node.start()
        settle_of(hub, node)
        must(w.has(hub, "volunteer", ids[:200], 1), "rows are missing at the hub after it had room again")
        hub.run("verify")
        node.stop()
        hub.stop()
    finally:
        if mounted:
            hub.kill()
            subprocess.run(["umount", hub.dir], capture_output=True)


def settle_of(hub, *nodes):
    for node in nodes:
        wait_for(node.complete, 30, f"{node.name} is complete")
    wait_for(lambda: hub.status()["own_complete"], 20, f"{hub.name} is complete")


if __name__ == "__main__":
    run("e2e", Tiers, first_always=True)
