"""world.py - real programs on this machine for tests/demo, the suites and the campaign: directories, processes, a slow
line, and an outside reader of the databases (python's sqlite3 on copies, none of our own code).

Only 127.0.0.1.  Everything that was started is ended and everything that was made is removed when the `with`
block is left, by whatever way; only processes that were started here are ended.
"""
import ctypes
import glob
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time

import rest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("JINGUO_BUILD", "build/debug"))
NODE, HUB = os.path.join(BUILD, "jinguo-node"), os.path.join(BUILD, "jinguo-hub")
GENERATE = os.path.join(TOP, "deploy", "generate")
DIVISIONS = os.path.join(TOP, "deploy", "data", "divisions-35-fujian.tsv.gz")
SLOWER = int(os.environ.get("SUITE_SLOWER", "1"))  # sanitised builds
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
UNREACHABLE, NOT_COMPLETE = 6, 12  # exit codes, ux.md section 6
PR_SET_PDEATHSIG = 1
LANE_OPEN, LANE_COUNTY = 0, 1

# Short timers, so that what takes minutes in a village takes a second here.
FAST = {
    "link": {"connect_timeout_ms": 2000, "welcome_timeout_ms": 4000, "backoff_min_ms": 100, "backoff_max_ms": 400,
             "handshake_ivl_ms": 2000},
    "sync": {"seal_ms": 100, "correct_ms": 200, "retry_ms": 200},
    "hub": {"strangers_per_minute": 1000},
}


class Failure(Exception):
    """Something is not as it must be; the text says what, more lines say in whose words."""

    def __init__(self, text, *more):
        super().__init__(text + "".join(f"\n    {m}" for m in more))


def must(condition, text, *more):
    if not condition:
        raise Failure(text, *more)


def faked(env, **how):
    """The environment of a program whose clock libfaketime sets, by its variables `how`; monotonic clocks stay."""
    # ASan wants to be the first library, and finds its way without.
    asan = ":".join(filter(None, (env.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
    return dict(env, LD_PRELOAD=FAKETIME, FAKETIME_DONT_FAKE_MONOTONIC="1", DONT_FAKE_MONOTONIC="1", ASAN_OPTIONS=asan, **how)


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def stopped(number, frame):
    raise KeyboardInterrupt


class World:
    def __init__(self, name, language="C.UTF-8"):
        self.dir = tempfile.mkdtemp(prefix=f"jinguo-{name}-")
        # Where the programs keep what must not outlive a boot (env.c): our own, so that it goes with us.
        self.witness = tempfile.mkdtemp(prefix="jinguo-", dir="/dev/shm") if os.path.isdir("/dev/shm") else None
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("JINGUO_", "LC_"))}
        self.env.update(LC_ALL=language, NO_COLOR="1")
        if self.witness:
            self.env["XDG_RUNTIME_DIR"] = self.witness
        self.processes, self.relays, self.ports = [], [], set()

    def __enter__(self):
        signal.signal(signal.SIGTERM, stopped)
        signal.signal(signal.SIGHUP, stopped)
        return self

    def __exit__(self, *what):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for relay in self.relays:
            relay.close()
        for p in self.processes:
            if p.poll() is None:
                p.terminate()
        for p in self.processes:
            try:
                p.wait(3)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        if os.environ.get("JINGUO_KEEP"):
            print(f"kept: {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        if self.witness:
            shutil.rmtree(self.witness, ignore_errors=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    def path(self, name):
        return os.path.join(self.dir, name)

    def port(self):
        while True:
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
            if port not in self.ports:
                self.ports.add(port)
                return port

    def spawn(self, command, **how):
        """A process in a session of its own (Ctrl-C reaches only us), ended with us.  From the main thread only."""
        p = subprocess.Popen(command, env=how.pop("env", self.env), start_new_session=True,
                             preexec_fn=die_with_parent, **how)
        self.processes.append(p)
        return p

    def hub(self, name, **how):
        return Place(self, name, HUB, **how)

    def node(self, name, **how):
        return Place(self, name, NODE, **how)


def generate(seed, site, **more):
    words = [GENERATE, "--seed", str(seed), "--site", site]
    for key, value in more.items():
        words += [f"--{key}", str(value)]
    return subprocess.run(words, capture_output=True, check=True, timeout=60).stdout.decode().splitlines()


class Result:
    def __init__(self, words, code, out, err):
        self.words, self.code, self.out, self.err = words, code, out, err

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError:
            raise Failure(f"{self} printed no JSON", self.out[:300], self.err[:300]) from None

    def __str__(self):
        return " ".join(os.path.basename(w) for w in self.words)


class Place:
    """A data directory with its program."""

    def __init__(self, world, name, program, fast=True, limit_kb=0):
        self.world, self.name, self.program, self.fast = world, name, program, fast
        self.dir = world.path(name)
        self.log = self.dir + ".log"
        self.limit_kb = limit_kb
        self.process = self.code = None
        self.descriptors = 0  # most of them; 0: as many as we have

    def command(self, *words):
        return [self.program, *words, "--dir", self.dir]

    def run(self, *words, text=None, timeout=60, expect=0, env=None):
        """Runs a command; expect: the exit code, a tuple of them, or None for any."""
        command = self.command(*words)
        try:
            p = subprocess.run(command, input=(text or "").encode(), capture_output=True, env=env or self.world.env,
                               timeout=timeout * SLOWER)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name}: {' '.join(words)}: no end after {timeout} s") from None
        r = Result(command, p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace"))
        codes = expect if isinstance(expect, tuple) else (expect,)
        if expect is not None and r.code not in codes:
            raise Failure(f"{self.name}: `{' '.join(words)}` ended with {r.code}, not {expect}",
                          *(r.err or r.out).splitlines()[-8:])
        return r

    def json(self, *words, **how):
        return self.run(*words, "--json", **how).json()

    def begin(self, *words, text=None):
        """Starts a command without waiting for it; its output goes to files next to the directory."""
        n = len(self.world.processes)
        given = self.world.path(f"{self.name}-{n}.in")
        with open(given, "w") as f:
            f.write(text or "")
        out = self.world.path(f"{self.name}-{n}.out")
        with open(given) as i, open(out, "w") as o, open(out + ".err", "w") as e:
            p = self.world.spawn(self.command(*words), stdin=i, stdout=o, stderr=e, env=self.world.env)
        p.out = out
        return p

    def settings(self, settings):
        with open(os.path.join(self.dir, "jinguo.ini"), "a") as f:
            for section, keys in settings.items():
                f.write(f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()))

    def init(self, *words):
        r = self.run("init", *words)
        if self.fast:
            self.settings(FAST)
        return r

    def root(self, code, name, *words):
        """The top of a tree: made with a root of its own, as one does it offline with a stick between two machines."""
        self.init(*words)
        self.root_file = self.dir + ".root"
        made = self.json("root", "init", self.root_file, "--org", code, "--name", name)
        self.certify(self.root_file, made["root"])
        return made

    def certify(self, root_file, fingerprint=None, *words):
        """Request, sign, take; fingerprint: of the root, the first time."""
        request, answer = self.world.path(f"{self.name}.request"), self.world.path(f"{self.name}.answer")
        for path in (request, answer):
            if os.path.exists(path):
                os.remove(path)
        self.run("root", "request", request)
        self.run("root", "sign", root_file, request, answer, *words)
        return self.json("root", "take", answer, *(("--fingerprint", fingerprint) if fingerprint else ()))

    def start(self):
        command = self.command("run")
        if self.limit_kb:
            command = ["bash", "-c", f"ulimit -f {self.limit_kb}; trap '' XFSZ; exec \"$@\"", "-", *command]
        if self.descriptors:
            command = ["bash", "-c", f"ulimit -n {self.descriptors}; exec \"$@\"", "-", *command]
        seen = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = self.world.spawn(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.world.env)
        if self.program == HUB:
            wait_for(lambda: b"listening at" in self.log_since(seen) or self.process.poll() is not None, 15,
                     f"{self.name} listens")
        must(self.process.poll() is None, f"{self.name}: run ended with {self.process.returncode}",
             self.log_since(seen).decode(errors="replace")[-500:])

    def log_since(self, offset):
        with open(self.log, "rb") as f:
            f.seek(offset)
            return f.read()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number, timeout=10):
        p, self.process = self.process, None
        if p is None or p.poll() is not None:
            return None if p is None else p.returncode
        p.send_signal(number)
        try:
            return p.wait(timeout * SLOWER)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise Failure(f"{self.name}: does not end on signal {number}") from None

    def stop(self):
        code = self.signal(signal.SIGTERM)
        must(code in (None, 0), f"{self.name}: run ended with {code} on SIGTERM", *self.tail())

    def kill(self):
        self.signal(signal.SIGKILL)

    def tail(self, lines=6):
        if not os.path.exists(self.log):
            return []
        return self.log_since(0).decode(errors="replace").splitlines()[-lines:]

    def status(self):
        return self.json("status")

    def complete(self):
        return self.run("status", "--check", expect=(0, NOT_COMPLETE)).code == 0

    def join(self, hub, code, *words, role=None):
        """Invited and joined, the token through stdin."""
        role = role or ("hub" if self.program == HUB else "node")
        token = hub.run("invite", "--org", code, "--role", role, *words).out
        self.code = code
        return self.run("join", "-", text=token)

    def record(self, lines):
        """JSON lines, one transaction each; the ids in order of the lines.  All must be taken."""
        text = "\n".join(lines) + "\n"
        items = self.run("record", "--json", "-", text=text).json()["items"]
        must(len(items) == len(lines), f"{self.name}: {len(items)} of {len(lines)} lines acknowledged")
        return [i["id"] for i in items]


def corrected(hub):
    """Has the hub stated its corrections?  It does so after a moment of quiet, and until then says "complete"."""
    return ask(hub, "SELECT count(*) FROM cell WHERE dirty = 1") == 0


def heads_said(hub):
    """Has it said of each device two levels below what came?  More came than was said, and nothing was said ever (then once a day)."""
    return ask(hub, "SELECT count(*) FROM meta WHERE key GLOB 'came/*' AND substr(value, 9, 8) <> substr(value, 17, 8) "
                    "AND substr(value, 25, 8) = zeroblob(8)") == 0


def agreed_with(hub, nodes):
    """Does the hub say so of these devices?"""
    agreed = {p["device"] for p in hub.json("peers")["items"] if p["agreed"]}
    return all(n.status()["device"] in agreed for n in nodes)


def wait_for(condition, seconds, what):
    """Until condition() is true; it may raise Failure to say what is still missing."""
    end = time.monotonic() + seconds * SLOWER
    while True:
        why = ""
        try:
            if condition():
                return
        except Failure as e:
            why = f": {e}"
        if time.monotonic() >= end:
            raise Failure(f"after {seconds} s still not: {what}{why}")
        time.sleep(0.05)


# ---- a slow line

class Relay:
    """Carries bytes between two ports at so many bytes a second; cut() breaks what is open; while mute, nothing
    comes back from to_port."""

    def __init__(self, world, to_port, bytes_per_second):
        self.to_port, self.rate = to_port, bytes_per_second
        self.up = 0  # bytes that went towards to_port
        self.mute = False
        self.open, self.lock, self.closed = [], threading.Lock(), False
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        world.relays.append(self)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.closed:
            try:
                near, _ = self.server.accept()
                far = socket.create_connection(("127.0.0.1", self.to_port), 5)
            except OSError:
                if not self.closed:
                    time.sleep(0.05)
                continue
            with self.lock:
                self.open += [near, far]
            for a, b, counts in ((near, far, True), (far, near, False)):
                threading.Thread(target=self.carry, args=(a, b, counts), daemon=True).start()

    def carry(self, a, b, counts):
        step = max(256, self.rate // 50)
        try:
            while data := a.recv(step):
                if counts or not self.mute:
                    b.sendall(data)
                if counts:
                    self.up += len(data)
                time.sleep(len(data) / self.rate)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self.lock:
            sockets, self.open = self.open, []
        for s in sockets:
            s.close()

    def close(self):
        self.closed = True
        self.server.close()
        self.cut()


# ---- the outside reader

_schema = {}
_tables = []


def schema():
    """Tables and, for each lane, their fields, as the program prints them."""
    if not _schema:
        text = subprocess.run([NODE, "schema", "--json"], capture_output=True, check=True).stdout
        _tables.extend(json.loads(text)["tables"])
        for t in _tables:
            lanes = {}
            for f in t["fields"]:
                lanes.setdefault(f["number"] % 4, []).append(f["name"])
            _schema[t["name"]] = lanes
    return _schema


class Book:
    """A copy of a place's database, read with python's sqlite3 alone."""

    def __init__(self, place):
        self.name = place.name
        self.db = sqlite3.connect(":memory:")
        with sqlite3.connect(f"file:{place.dir}/jinguo.db?mode=ro", uri=True, timeout=20) as live:
            live.backup(self.db)
        live.close()
        check = self.db.execute("PRAGMA integrity_check").fetchone()[0]
        must(check == "ok", f"{place.name}: sqlite says {check}")
        schema()
        rest.Rest(self.db, place.dir).open_all(self.db, _tables)
        self.scopes = dict(self.db.execute("SELECT ord, id FROM scope"))

    def rows(self, table, lane):
        """{id: (scope, alive, values of the lane's fields)} of the rows that are in this lane here."""
        fields = schema()[table].get(lane)
        if fields is None:
            return {}
        names = "".join(f', "{f}"' for f in fields)
        found = self.db.execute(
            f'SELECT id, scope, alive{lane}{names} FROM "{table}" WHERE alive{lane} IS NOT NULL')
        return {r[0]: (self.scopes[r[1]], r[2], r[3:]) for r in found}

    def rows_of_all(self, lane):
        """Ids of the rows of every table that are in this lane here."""
        return {i for table in schema() for i in self.rows(table, lane)}

    def unit(self, code, level):
        row = self.db.execute("SELECT id FROM org_unit WHERE code = ? AND level = ?", (code, level)).fetchone()
        must(row, f"{self.name}: no org unit {code} of level {level}")
        return row[0]

    def count(self, sql, *values):
        return self.db.execute(sql, values).fetchone()[0]


def ask(place, sql, *values):
    """One value from the live database, read-only: for polling."""
    db = sqlite3.connect(f"file:{place.dir}/jinguo.db?mode=ro", uri=True, timeout=20)
    try:
        return db.execute(sql, values).fetchone()[0]
    finally:
        db.close()


def has(place, table, ids, lane):
    """Are all these rows in this lane there?"""
    return all(ask(place, f'SELECT count(*) FROM "{table}" WHERE id = ? AND alive{lane} IS NOT NULL',
                   bytes.fromhex(i.replace("-", ""))) for i in ids)


def differences(lower, upper, lanes, scopes, most=5):
    """Rows of these scopes that are not the same in both, in the fields of these lanes.  Text for people."""
    found, rows = [], 0
    for table, of in schema().items():
        for lane in lanes:
            if lane not in of:
                continue
            a = {i: r for i, r in lower.rows(table, lane).items() if r[0] in scopes}
            b = {i: r for i, r in upper.rows(table, lane).items() if r[0] in scopes}
            rows += len(a)
            for i in a.keys() | b.keys():
                if a.get(i) == b.get(i):
                    continue
                where = (f"only at {lower.name}" if i not in b else f"only at {upper.name}" if i not in a
                         else f"{lower.name} {a[i][1:]}, {upper.name} {b[i][1:]}")
                found.append(f"{table} {i.hex()} lane {lane}: {where}")
    if len(found) > most:
        found = found[:most] + [f"and {len(found) - most} more"]
    return rows, found


def above_lane(book, lane_max):
    """What stands in the book beyond its lanes: it must be nothing."""
    found = []
    for table, of in schema().items():
        for lane, fields in of.items():
            if lane <= lane_max:
                continue
            has = " OR ".join([f'"{f}" IS NOT NULL' for f in fields] + [f"alive{lane} IS NOT NULL"])
            n = book.count(f'SELECT count(*) FROM "{table}" WHERE {has}')
            if n:
                found.append(f"{table}: {n} rows with fields of lane {lane}")
    n = book.count("SELECT count(*) FROM journal WHERE lane > ?", lane_max)
    return found + ([f"journal: {n} entries above lane {lane_max}"] if n else [])


# ---- a word that may not be there

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Squeezed:
    """zstd by the system's library: bodies of segments are squeezed, and a search that does not see into them
    would find nothing whatever they hold."""

    def __init__(self):
        z = self.z = ctypes.CDLL("libzstd.so.1")
        z.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
        z.ZSTD_getFrameContentSize.argtypes = z.ZSTD_findFrameCompressedSize.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
        z.ZSTD_decompress.restype = z.ZSTD_findFrameCompressedSize.restype = ctypes.c_size_t
        z.ZSTD_decompress.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
        z.ZSTD_decompress_usingDict.restype = ctypes.c_size_t
        z.ZSTD_decompress_usingDict.argtypes = (ctypes.c_void_p, *z.ZSTD_decompress.argtypes, ctypes.c_char_p, ctypes.c_size_t)
        z.ZSTD_createDCtx.restype = ctypes.c_void_p
        z.ZSTD_getDictID_fromFrame.restype = z.ZSTD_getDictID_fromDict.restype = ctypes.c_uint
        z.ZSTD_getDictID_fromFrame.argtypes = z.ZSTD_getDictID_fromDict.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
        self.context = z.ZSTD_createDCtx()
        self.dictionaries = {}
        for path in glob.glob(os.path.join(TOP, "common", "dictionary_*.bin")):
            with open(path, "rb") as f:
                data = f.read()
            self.dictionaries[z.ZSTD_getDictID_fromDict(data, len(data))] = data

    def open(self, body):
        """The plain bytes of one frame; None where this is not one."""
        size = self.z.ZSTD_getFrameContentSize(body, len(body))
        if size > 1 << 20:
            return None
        room = ctypes.create_string_buffer(max(1, size))
        by = self.dictionaries.get(self.z.ZSTD_getDictID_fromFrame(body, len(body)), b"")
        n = self.z.ZSTD_decompress_usingDict(self.context, room, size, body, len(body), by, len(by))
        return room.raw[:n] if n == size else None

    def open_at(self, data, at):
        part = data[at:at + (1 << 18)]
        n = self.z.ZSTD_findFrameCompressedSize(part, len(part))
        return self.open(part[:n]) if n <= len(part) else None


def needles_of(words):
    return [w.encode(e) for w in words for e in ("utf-8", "utf-16-le")]


def journal_with(book, words):
    """How many segment bodies were opened, and the entries (recv) whose bodies hold one of the words."""
    squeezed, needles, found, n = Squeezed(), needles_of(words), [], 0
    for recv, kind, body in book.db.execute("SELECT recv, kind, body FROM journal WHERE length(body) > 0"):
        plain = body
        if kind == 1:
            plain = squeezed.open(body)
            must(plain is not None, f"{book.name}: the body of entry {recv} cannot be opened to look into it")
            n += 1
        if any(w in plain for w in needles):
            found.append(recv)
    return n, found


def files_with(directory, words):
    """Bytes read, and the files under the directory that hold one of the words: as they lie there, and inside
    every zstd frame that lies whole in them."""
    squeezed, needles, found, size = Squeezed(), needles_of(words), [], 0
    for base, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(base, name)
            with open(path, "rb") as f:
                data = f.read()
            size += len(data)
            hit = any(w in data for w in needles)
            at = data.find(ZSTD_MAGIC)
            while at >= 0 and not hit:
                plain = squeezed.open_at(data, at)
                hit = plain is not None and any(w in plain for w in needles)
                at = data.find(ZSTD_MAGIC, at + 1)
            if hit:
                found.append(path)
    return size, found


# ---- what the figures must be

CLOSED = {"A1", "A2", "A3", "A4", "A5", "B2", "B3", "C1", "C2", "C3", "C4"}
HELD = {"finished", "hours_confirmed", "rated", "archived"}


def figures(lines):
    """The open totals of recorded lines (JSON), counted here and not by the programs."""
    sums = dict.fromkeys(("volunteers", "activities", "participations", "minutes", "households"), 0)
    for line in lines:
        r = json.loads(line)
        if r["table"] == "volunteer":
            sums["volunteers"] += r["vstat"] == "active"
        elif r["table"] == "activity" and r.get("astat") in HELD:
            sums["activities"] += 1
            sums["households"] += r.get("hh_served", 0)
        elif r["table"] == "participation" and r["hstat"] == "2" and r.get("act") not in CLOSED:
            sums["participations"] += 1
            sums["minutes"] += r["minutes"]
    return sums
