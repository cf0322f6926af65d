#!/usr/bin/env python3
"""campaign.py [--short] - one province, two counties and six sites of real processes, under fire, and nothing lost.

    make campaign                 1,000 kills; KILLS=n another length, SEED=n another course
    tests/campaign.py --short     what `make test` runs: 100 kills

Rounds of load with faults, each followed by rest and by a comparison of every database with an outside reader
(tests/support/ledger.py: python's sqlite3 and no code of the engine).  Faults: kill -9 of any tier at chosen moments,
restored and cloned data directories, a bad network (support/proxy.py), clocks moved by years (the injected offset, and
libfaketime), full disks.  Prints `ok NAME` or `not ok NAME` with the reason, progress as `# ...`, and one last line of
numbers; that and the logs of all programs stay in build/VARIANT/logs/campaign.  SEED decides the choices; when they meet
the processes is the machine's.  Only 127.0.0.1; ends what it starts.  JINGUO_KEEP=1 keeps the directories.
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import ledger as books  # noqa: E402
import proxy  # noqa: E402
import world as w  # noqa: E402
from world import Failure, must, wait_for  # noqa: E402

PROVINCE, PREFECTURE = "350000000000", "350100000000"
COUNTIES = ("350104000000", "350105000000")
SITES_EACH = 3
SEED = int(os.environ.get("SEED", "20251125"))
SHORT = "--short" in sys.argv
KILLS = int(os.environ.get("KILLS", "100" if SHORT else "1000"))
LOGS = os.path.join(w.BUILD, "logs", "campaign")
ROUND = 50 if SHORT else 100  # kills before everything comes to rest and is compared
COMMANDS_MOST = 6  # at a time
SETTLE_SECONDS = 150  # a hub's children look once a minute whether it takes their work again
HOUR, YEAR = 3600 * 1000, 365 * 86400 * 1000
# To 1970, to 2099, back and forth.
OFFSETS = (-55 * YEAR, -20 * YEAR, -3 * YEAR, -40 * HOUR, -2 * HOUR, 3 * HOUR, 50 * HOUR, YEAR, 9 * YEAR, 73 * YEAR)
DISK_BYTES = 700 << 20
MOMENTS = ("random", "wal", "returned", "apply", "startup")


def say(text):
    print(text, flush=True)
    os.makedirs(LOGS, exist_ok=True)
    with open(os.path.join(LOGS, "campaign.txt"), "a") as f:
        f.write(text + "\n")


class Site:
    """What the campaign knows of a place beside its directory."""

    def __init__(self, place, number, parent, code):
        self.place, self.number, self.parent, self.code = place, number, parent, code
        self.name = place.name
        self.children = []
        self.offset_ms = 0
        self.faketime = None  # a file that libfaketime reads the time from
        self.copies = []      # directories, oldest first
        self.epoch = 0        # counts restores
        self.commands = []
        self.up_at = 0.0      # when it is to be started; 0: it runs
        self.mounted = False
        self.full_until = 0.0
        self.restored = False
        self.clone_of = None
        self.proxy = None
        self.hub = place.program == w.HUB
        self.wal_least = None

    def __repr__(self):
        return self.name

    @property
    def db(self):
        return os.path.join(self.place.dir, "jinguo.db")

    def env(self, daemon=False):
        env = dict(self.place.world.env)
        if self.offset_ms:
            env["JINGUO_CLOCK_OFFSET_MS"] = str(self.offset_ms)
        if self.faketime and daemon:
            return w.faked(env, FAKETIME_TIMESTAMP_FILE=self.faketime, FAKETIME_NO_CACHE="1")
        return env


class Campaign:
    def __init__(self, world):
        self.world, self.dice = world, random.Random(SEED)
        self.ledger = books.Ledger()
        self.network = proxy.Network(world, SEED + 1)
        self.places = []
        self.kills = dict.fromkeys(("node", "county", "province", "command"), 0)
        self.moments = dict.fromkeys(MOMENTS, 0)
        self.n = dict.fromkeys(("records", "edits", "deletes", "restores", "clones", "copies", "torn", "jumps", "full",
                                "samples", "complete_seen", "sent_seen", "commands", "failed_commands", "late_port",
                                "half_deletes"), 0)
        self.lamps = {}
        self.running = []   # commands: (site, process, what, facts)
        self.samples = []   # status commands
        self.serial = 0
        self.plan = None    # the next kill: (site, moment, not later than, state)
        self.quiet_until = {}
        self.began = time.monotonic()

    # ---- building

    def build(self):
        tsv = self.world.path("tree.tsv")
        rows = [(PROVINCE, 2, "测试省", ""), (PREFECTURE, 3, "测试市", PROVINCE)]
        for c in COUNTIES:
            street = c[:6] + "001000"
            rows += [(c, 4, f"测试县{c[5]}", PREFECTURE), (street, 5, f"测试街道{c[5]}", c)]
            rows += [(c[:6] + f"00100{i + 1}", 6, f"测试社区{c[5]}{i + 1}", street) for i in range(SITES_EACH)]
        with open(tsv, "w") as f:
            f.write("code\tlevel\tname\tparent_code\n" + "".join("\t".join(map(str, r)) + "\n" for r in rows))
        self.province = self.add(self.world.hub("province"), None, PROVINCE)
        self.mount(self.province)
        port = self.world.port()
        self.province.place.root(PROVINCE, "测试省", "--listen", f"tcp://127.0.0.1:{port}")
        self.province.port = port
        self.province.place.run("org", "import", tsv)
        self.province.place.start()
        self.counties = []
        for i, code in enumerate(COUNTIES):
            county = self.add(self.world.hub(f"county{i + 1}"), self.province, code)
            if not i:
                self.mount(county)
            county.port = self.world.port()
            county.place.init("--listen", f"tcp://127.0.0.1:{county.port}")
            self.enter(county)
            self.counties.append(county)
            wait_for(lambda c=county: c.place.status()["own_complete"], 30, f"{county} has its part of the tree")
        for county in self.counties:
            for i in range(SITES_EACH):
                site = self.add(self.world.node(f"{county.name}_site{i + 1}"), county, county.code[:6] + f"00100{i + 1}")
                if not i and county is self.counties[0]:
                    self.mount(site)
                site.place.init()
                self.enter(site)

    def add(self, place, parent, code):
        site = Site(place, len(self.places), parent, code)
        if parent:
            parent.children.append(site)
        self.places.append(site)
        return site

    def enter(self, site):
        site.place.join(site.parent.place, site.code)
        site.proxy = self.network.proxy(site.parent.port)
        site.place.settings({"link": {"parent": f"tcp://127.0.0.1:{site.proxy.port}",
                                      # a dead link is noticed by its heartbeats, or by what is owed
                                      "heartbeat_ms": 1500 if site.number % 2 else 0}})
        site.place.start()

    def mount(self, site):
        """A small disk of its own for the directory, where that is allowed."""
        os.mkdir(site.place.dir, 0o700)
        if os.geteuid() == 0:
            r = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "jinguo-test", site.place.dir],
                               capture_output=True)
            site.mounted = r.returncode == 0
        if not site.mounted:
            say(f"# {site}: NO TMPFS MAY BE MOUNTED HERE: a limit on the size of files stands in for a full disk")
        site.full = True  # this one's disk fills at times

    def keep_logs(self):
        for site in self.places:
            if os.path.exists(site.place.log):
                shutil.copy(site.place.log, LOGS)

    def unmount(self):
        for site in self.places:
            if site.mounted:
                if os.environ.get("JINGUO_KEEP"):  # what is on a small disk goes with it
                    shutil.copytree(site.place.dir, site.place.dir + ".kept", ignore=lambda d, names: ["filler"])
                subprocess.run(["umount", "-l", site.place.dir], capture_output=True)

    # ---- processes

    def start(self, site, wait=False):
        """The daemon, with the clock that the place has now; does not wait until it listens."""
        place = site.place
        command = place.command("run")
        if place.limit_kb:
            command = ["bash", "-c", f"ulimit -f {place.limit_kb}; trap '' XFSZ; exec \"$@\"", "-", *command]
        with open(place.log, "ab") as log:
            place.process = self.world.spawn(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             env=site.env(daemon=True))
        site.up_at = 0.0

    def kill(self, site, moment):
        if not site.place.running():
            return False
        site.place.kill()
        tier = "province" if not site.parent else "county" if site.hub else "node"
        self.kills[tier] += 1
        self.moments[moment] += 1
        site.up_at = time.monotonic() + self.dice.uniform(0.01, 0.5)
        return True

    def killed(self):
        return sum(self.kills.values())

    def begin(self, site, words, text, what, facts):
        place, n = site.place, self.n["commands"]
        given = self.world.path(f"{site.name}-{n}.in")
        with open(given, "w") as f:
            f.write(text or "")
        out = self.world.path(f"{site.name}-{n}.out")
        with open(given) as i, open(out, "w") as o, open(out + ".err", "w") as e:
            p = self.world.spawn(place.command(*words), stdin=i, stdout=o, stderr=e, env=site.env())
        p.files = (given, out, out + ".err")
        p.begun = time.monotonic()
        self.running.append((site, p, what, facts))
        self.n["commands"] += 1

    def commands_of(self, site):
        return [c for c in self.running if c[0] is site]

    def output(self, p):
        with open(p.files[1], errors="replace") as f, open(p.files[2], errors="replace") as e:
            out, err = f.read(), e.read()
        for name in p.files:
            os.remove(name)
        self.world.processes.remove(p)
        return out, err

    # ---- load

    def word(self, lane, site):
        self.serial += 1
        return f"cw{lane}{site.number:02d}x{self.serial:07d}"

    def load(self, site):
        """Records, each its own transaction, with a word in each lane that is found nowhere else."""
        dice, lines, facts = self.dice, [], []
        org, target = {}, None
        day = "1970-03-08" if site.offset_ms < -HOUR * 24 * 365 else "2025-03-08"  # not in the future of whoever says it
        if site.hub:
            below = [s for s in self.places if not s.hub and (s.parent is site or not site.parent) and not s.clone_of]
            target = dice.choice(below).code
            org = {"org": target}
        for i in range(dice.choice((1, 1, 2, 4, 12, 40))):
            kind = dice.random()
            if kind < 0.55 or site.hub:
                o, c = self.word(0, site), self.word(1, site)
                lines.append({"table": "activity", "title": o, "act": "0", "start": day + "T09:00", "astat": "finished",
                              "note": c, "hh_served": dice.randrange(5), **org})
                facts.append(("activity", {0: o, 1: c} if site.parent else {0: o}))
                if not site.parent:
                    del lines[-1]["note"]
            elif kind < 0.7:
                c = self.word(1, site)
                lines.append({"table": "activity", "closed_title": c, "act_closed": "A1", "closed_start": day + "T09:00"})
                facts.append(("activity", {1: c}))
            else:
                c = self.word(1, site)
                lines.append({"table": "volunteer", "as": f"v{i}", "name": c, "vstat": "active", "registered": day})
                facts.append(("volunteer", {1: c}))
                if kind > 0.85:
                    c = self.word(1, site)
                    lines.append({"table": "participation", "volunteer": f"@v{i}", "in": day + "T09:00", "minutes": 60,
                                  "hsrc": "1", "hstat": "2", "act": "0", "comment": c})
                    facts.append(("participation", {1: c}))
        text = "\n".join(json.dumps(x, ensure_ascii=False) for x in lines) + "\n"
        for _, words in facts:
            self.ledger.meant_for(words.values(), target or site.code)
        self.begin(site, ("record", "--json", "-"), text, "record", facts)

    def edit(self, site):
        row = self.ledger.some_row(site.number, self.dice)
        # Of two that run at once nobody could say which came last.
        if not row or any(c[2] == "edit" and c[3][0] is row for c in self.running):
            return
        if self.dice.random() < 0.12:
            self.begin(site, ("delete", row.id), None, "delete", row)
            row.delete_tried = True
            return
        lane = self.dice.choice(sorted(row.lanes))
        value = self.word(lane, site)
        field = {0: "title", 1: "note"}[lane]
        row.tried.setdefault(lane, []).append(value)
        self.ledger.meant_for([value], self.ledger.code_of(row.first[lane]))
        self.begin(site, ("edit", row.id, f"{field}={value}"), None, "edit", (row, lane, value))

    def harvest(self):
        """What has ended; what was acknowledged goes into the ledger."""
        for entry in list(self.running):
            site, p, what, facts = entry
            if p.poll() is None:
                must(time.monotonic() - p.begun < 60 * w.SLOWER, f"{site}: `{what}` does not end")
                continue
            self.running.remove(entry)
            out, err = self.output(p)
            if what == "status":
                self.sampled(site, p, out, err, facts)
                continue
            if p.returncode == 0:
                self.acknowledged(site, what, facts, out)
            elif p.returncode != -signal.SIGKILL:
                self.n["failed_commands"] += 1
                self.excuse(site, p, what, facts, err)

    def acknowledged(self, site, what, facts, out):
        if what == "record":
            items = json.loads(out)["items"]
            must(len(items) == len(facts), f"{site}: {len(items)} of {len(facts)} lines acknowledged with exit code 0")
            for (table, words), item in zip(facts, items):
                must(item["table"] == table, f"{site}: the acknowledgement names another table")
                self.ledger.record(site.number, table, item["id"], words)
                self.n["records"] += 1
        elif what == "edit":
            row, lane, value = facts
            self.ledger.edit(row, lane, value)
            self.n["edits"] += 1
        elif what == "delete":
            half = self.ledger.delete(facts, site.db)
            self.n["deletes"] += 1
            self.n["half_deletes"] += half

    def excuse(self, site, p, what, facts, err):
        """A command that failed must have said why, and the reason must be one that the campaign made."""
        said = err.strip().splitlines()[-1] if err.strip() else ""
        if self.for_want_of_room(site, err):
            return
        row = facts if what == "delete" else facts[0] if what == "edit" else None
        if row and p.returncode == 3 and (row.delete_tried or site.restored):
            return  # deleted meanwhile, or not yet back from the parent
        if row and p.returncode == 8 and "JG-4113" in err and site.restored:
            return  # of a record whose lanes come back one after the other
        raise Failure(f"{site}: `{what}` ended with {p.returncode}", said, err[-600:])

    def for_want_of_room(self, site, err):
        """Its disk was full a moment ago, and it says so."""
        full = site.full_until or time.monotonic() - self.quiet_until.get(site.number, -1e9) < 10
        return full and ("JG-61" in err or '"code":61' in err)

    # ---- what people see meanwhile

    def sample(self, site):
        if any(c[0] is site and c[2] == "status" for c in self.running):
            return
        written = self.ledger.written_by(site.number) if site.parent else []
        if written and site.restored:  # it cannot speak of what it does not have yet (it may not have noticed)
            held = self.ledger.holdings(site.db)
            written = [x for x in written if x[1] in held]
        facts = (site.epoch, site.parent.epoch if site.parent else 0, written)
        self.begin(site, ("status", "--json"), None, "status", facts)
        self.n["samples"] += 1

    def sampled(self, site, p, out, err, facts):
        epoch, parent_epoch, written = facts
        if p.returncode == -signal.SIGKILL:
            return
        if p.returncode != 0:
            must(self.for_want_of_room(site, err), f"{site}: `status` ended with {p.returncode}", err[-400:])
            return
        s = json.loads(out)
        self.lamps[s["lamp"]] = self.lamps.get(s["lamp"], 0) + 1
        must(s["lamp_text"], f"{site}: the lamp {s['lamp']} says nothing")
        must(s["colour"] != "green" or s["complete"], f"{site}: green and not complete", out)
        must(s["lamp"] != "complete" or s["own_complete"], f"{site}: the lamp says complete, the counters do not", out)
        if epoch != site.epoch or not site.parent or parent_epoch != site.parent.epoch:
            return
        says = "that it is complete" if s["own_complete"] else "that nothing is unsent" if not s["unsent"] else None
        if not says or (site.restored and not s["own_complete"]):
            return  # "unsent" of a disk that went back is of the last contact, which that disk may not have had
        self.n["complete_seen" if s["own_complete"] else "sent_seen"] += 1
        missing = self.ledger.not_at(written, site.parent)
        must(not missing, f"{site} says {says}, and {len(missing)} acknowledged things are not at {site.parent}",
             *missing[:5], out)

    # ---- faults

    def choose_kill(self):
        live = [s for s in self.places if s.place.running()]
        if not live:
            return
        tier = self.dice.choice(("node", "node", "county", "province"))
        of = [s for s in live if (s.hub and not s.parent) == (tier == "province") and s.hub == (tier != "node")]
        site = self.dice.choice(of or live)
        moment = self.dice.choice(MOMENTS)
        state = None
        if moment == "wal":
            state = self.dice.choice((32, 100, 400, 1500)) << 10
        elif moment == "apply":
            state = books.journal_head(site.db)
        self.plan = (site, moment, time.monotonic() + self.dice.uniform(0.1, 0.9), state)

    def strike(self):
        if not self.plan:
            return self.choose_kill()
        site, moment, latest, state = self.plan
        late = time.monotonic() >= latest
        if not site.place.running():
            self.plan = None
            return None
        if moment == "wal":
            now = os.path.getsize(site.db + "-wal") if os.path.exists(site.db + "-wal") else 0
            due = now >= state
        elif moment == "apply":  # something has just arrived in the journal: it is being merged
            due = books.journal_head(site.db) > state
        elif moment == "returned":
            due = any(c[1].poll() == 0 for c in self.commands_of(site) if c[2] == "record")
        else:
            due = late
        if not (due or late):
            return None
        if moment == "apply" and due:
            time.sleep(self.dice.uniform(0, 0.02))
        self.plan = None
        if moment == "startup":
            self.kill(site, moment)
            self.start(site)
            time.sleep(self.dice.uniform(0, 0.12))
        self.kill(site, moment if due else "random")
        for c in self.running:  # commands die too: a power cut takes them all
            if c[0] is site and c[2] != "status" and self.dice.random() < 0.3 and c[1].poll() is None:
                c[1].kill()
                c[1].wait()
                self.kills["command"] += 1
        return None

    def copy(self, site):
        """Three generations; two ways: as a careless person does while it runs, and by `backup`."""
        to = self.world.path(f"copy-{site.name}-{self.serial}-{self.n['copies']}")
        os.mkdir(to)
        name = os.path.join(to, "jinguo.db")
        if self.dice.random() < 0.4:
            r = site.place.run("backup", name, expect=None, env=site.env())
            if r.code:
                shutil.rmtree(to)
                must(site.full_until or "JG-61" in r.err, f"{site}: `backup` ended with {r.code}", r.err[-400:])
                return
        else:
            for end in ("", "-wal", "-shm"):
                if os.path.exists(site.db + end):
                    try:
                        shutil.copyfile(site.db + end, name + end)
                    except FileNotFoundError:
                        pass
        self.n["copies"] += 1
        site.copies.append(to)
        if len(site.copies) > 3:
            shutil.rmtree(site.copies.pop(self.dice.randrange(3)))

    def usable(self, copy):
        """A copy of files that change under the copier can be torn; sqlite sees that, and nobody restores it."""
        trial = copy + "-trial"
        shutil.copytree(copy, trial)
        try:
            return books.sound(os.path.join(trial, "jinguo.db"))
        finally:
            shutil.rmtree(trial)

    def stop_commands(self, site):
        for c in self.commands_of(site):
            if c[1].poll() is None:
                c[1].kill()
                c[1].wait()
        self.harvest()

    def restore(self, site):
        """The disk of yesterday.  What was acknowledged since and is in no other place is lost for good, and named."""
        if not site.copies or site.full_until:
            return
        copy = self.dice.choice(site.copies)
        if not self.usable(copy):
            self.n["torn"] += 1
            site.copies.remove(copy)
            shutil.rmtree(copy)
            return
        self.kill(site, "random")
        self.stop_commands(site)
        had = self.ledger.holdings(site.db)
        if site.parent is None or site.hub:
            self.ledger.was_at(site, had)
        in_place = self.dice.random() < 0.5
        for end in ("-wal", "-shm", ""):
            name = site.db + end
            if not in_place and os.path.exists(name):
                os.remove(name)  # another file, with another number
        for end in ("", "-wal", "-shm"):
            if os.path.exists(os.path.join(copy, "jinguo.db" + end)):
                shutil.copyfile(os.path.join(copy, "jinguo.db" + end), site.db + end)
                os.chmod(site.db + end, 0o600)
            elif os.path.exists(site.db + end):
                os.remove(site.db + end)
        site.epoch += 1
        site.restored = True
        others = [s for s in self.places if s is not site]
        self.ledger.lost(had, self.ledger.holdings(site.db), others, site)
        self.n["restores"] += 1
        site.up_at = time.monotonic() + self.dice.uniform(0.05, 0.5)

    def clone(self, site):
        """The directory copied whole, keys and all, and both go on working."""
        if site.full_until or site.clone_of or any(s.clone_of is site for s in self.places):
            return
        place = self.world.node(f"{site.name}_copy{site.number}")
        running = site.place.running()
        site.place.kill()  # a clean copy of a stopped machine; torn ones are told apart in restore()
        self.stop_commands(site)
        shutil.copytree(site.place.dir, place.dir, ignore=lambda d, names: [n for n in names if n in ("lost+found", "filler")])
        other = self.add(place, site.parent, site.code)
        other.clone_of, other.proxy = site, site.proxy
        place.code = site.code
        site.restored = other.restored = True
        self.n["clones"] += 1
        self.start(other)
        if running:
            self.start(site)

    def jump(self, site):
        """The clock by hours or years, either way; a running program is started anew, or feels it (libfaketime)."""
        self.n["jumps"] += 1
        if site.faketime and site.place.running():
            self.fake(site)
            return
        site.offset_ms = self.dice.choice((0, *OFFSETS))
        if self.dice.random() < 0.5 and site.place.running():
            self.kill(site, "random")
        if os.path.exists(w.FAKETIME) and self.dice.random() < 0.4 and not site.place.running():
            site.faketime, site.offset_ms = self.world.path(f"{site.name}.time"), 0
            self.fake(site)

    def fake(self, site):
        off = self.dice.choice((0, *OFFSETS)) // 1000
        with open(site.faketime + ".new", "w") as f:
            f.write(f"{'-' if off < 0 else '+'}{abs(off)}\n")
        os.rename(site.faketime + ".new", site.faketime)

    def fill(self, site):
        if site.full_until:
            return
        self.n["full"] += 1
        site.full_until = time.monotonic() + self.dice.uniform(1.5, 4)
        if site.mounted:
            free = os.statvfs(site.place.dir)
            left = free.f_bavail * free.f_frsize - self.dice.choice((0, 4, 16, 64, 300)) * 1024
            with open(os.path.join(site.place.dir, "filler"), "wb") as f:
                while left > 0:
                    try:
                        os.posix_fallocate(f.fileno(), 0, left)
                        break
                    except OSError:  # the programs take room at the same time
                        left -= 64 << 10
        else:
            self.kill(site, "random")
            site.place.limit_kb = max(os.path.getsize(site.db) // 1024, 1) + self.dice.choice((16, 64))

    def empty(self, site):
        site.full_until = 0.0
        self.quiet_until[site.number] = time.monotonic()
        if site.mounted:
            os.remove(os.path.join(site.place.dir, "filler"))
        else:
            site.place.limit_kb = 0
            self.kill(site, "random")

    def fault(self):
        """One more; what this round has not had yet comes first."""
        dice = self.dice
        site = dice.choice(self.places)
        owed = [k for k, of in (("copy", "copies"), ("restore", "restores"), ("jump", "jumps"), ("fill", "full"))
                if self.n[of] == self.before.get(of, 0)]
        kind = dice.choices(("copy", "restore", "clone", "jump", "fill", "network", "gone"), (30, 12, 2, 10, 6, 20, 6))[0]
        if owed and dice.random() < 0.5:
            kind = owed[0]
        if kind == "copy":
            self.copy(site)
        elif kind == "restore":
            self.restore(site)
        elif kind == "clone" and not site.hub and self.n["clones"] < 2:
            self.clone(site)
        elif kind == "jump":
            self.jump(site)
        elif kind == "fill":
            self.fill(dice.choice([s for s in self.places if getattr(s, "full", False)]))
        elif kind == "network":
            self.network.rough = dice.choice((0.0, 0.3, 0.6, 0.9))
        elif kind == "gone" and site.proxy:
            site.proxy.refuse = not site.proxy.refuse

    # ---- one round

    def check_alive(self):
        for site in self.places:
            if site.place.running() or site.up_at:
                continue
            said = "\n".join(site.place.tail(4))
            code = site.place.process.returncode if site.place.process else None
            if "cannot listen" in said:  # another process of this machine has taken the port for a moment
                self.n["late_port"] += 1
                site.up_at = time.monotonic() + 0.5
            elif site.full_until or (site.number in self.quiet_until and ("JG-61" in said)):
                site.up_at = time.monotonic() + 0.3
            else:
                raise Failure(f"{site} has ended by itself with {code}", said)

    def rage(self, until):
        self.before = dict(self.n)
        next_fault = next_sample = time.monotonic()
        told = 0
        while self.killed() < until:
            self.harvest()
            now = time.monotonic()
            work = [c for c in self.running if c[2] != "status"]
            if len(work) < COMMANDS_MOST:
                site = self.dice.choice(self.places)
                if self.dice.random() < 0.65:
                    self.load(site)
                else:
                    self.edit(site)
            if now >= next_sample:
                self.sample(self.dice.choice(self.places))
                next_sample = now + 0.15
            for site in self.places:
                if site.up_at and now >= site.up_at:
                    self.start(site)
                if site.full_until and now >= site.full_until:
                    self.empty(site)
            self.check_alive()
            self.strike()
            if now >= next_fault:
                self.fault()
                next_fault = now + self.dice.uniform(0.1, 0.5)
            if self.killed() - told >= 25:
                told = self.killed()
                self.progress()
            time.sleep(0.01)

    def progress(self):
        n = self.n
        say(f"# {time.monotonic() - self.began:.0f} s: {self.killed()} kills, {n['records']} records, {n['edits']} edits, "
              f"{n['deletes']} deletes acknowledged, {n['restores']} restored, {n['clones']} cloned, {n['jumps']} clocks, "
              f"{n['full']} full disks, {sum(self.network.counts.values())} cuts in {self.network.connections} connections, "
              f"{n['samples']} looks")

    # ---- rest

    def settle(self):
        """Faults end; nobody lends a hand; everything must come to rest by itself."""
        self.plan = None
        self.network.calm()
        deadline = time.monotonic() + 60 * w.SLOWER
        while self.running:
            self.harvest()
            must(time.monotonic() < deadline, "commands do not end")
            time.sleep(0.02)
        for site in self.places:
            if site.full_until:
                self.empty(site)
            if site.proxy:
                site.proxy.refuse = False
            if site.offset_ms or site.faketime:
                site.offset_ms, site.faketime = 0, None
                site.place.kill()
                site.up_at = 1.0
        for site in self.places:
            if site.up_at or not site.place.running():
                self.start(site)
        wait_for(self.at_rest, SETTLE_SECONDS, "everything is at rest after the faults")

    def release(self):
        """What takes a person: restored and copied devices are released, and a hub that went back to a backup of another line than
        its last one, which looks as if two were alive, is named (again, if the backup is of before that)."""
        for hub in [self.province, *self.counties]:
            if hub.restored and any(s["state"] in ("stopped", "set_aside") for s in hub.place.status()["states"]):
                hub.place.run("survive", "--yes")
            for p in hub.place.json("peers")["items"]:
                if p["held"]:
                    hub.place.run("peers", "--release", p["device"], "--reason", "campaign", expect=(0, 3))

    def at_rest(self):
        self.check_alive()
        self.release()
        for site in self.places:
            if site.up_at and time.monotonic() >= site.up_at:
                self.start(site)
        for county in self.counties:
            must(w.corrected(county.place), f"{county} has corrections to state")
        must(w.heads_said(self.province.place), "the province has not said what came")
        for site in self.places:
            s = site.place.status()
            short = (f"{site} says: {s['lamp_text']} (" + ", ".join(f"{k} {s[k]}" for k in (
                "unsent", "received", "waiting", "unapplied", "gaps", "parked", "refused", "alarms", "restored")) + ")")
            # Restored or copied, and it has noticed: a person is asked to look; the counters must be as good all the same.
            must(s["own_complete"] or (site.restored and s["lamp"] == "identity"), short)
            must(not any(s[k] for k in ("unsent", "received", "waiting", "unapplied", "gaps", "parked", "refused")), short)
        for site in self.places:
            if not site.parent:
                continue
            lanes = (0,) if site.hub else (0, 1)
            must(books.same_state(site, site.parent, lanes), f"{site} and {site.parent} do not hold the same")
        return True

    def stop(self):
        for site in self.places:
            if site.place.running():
                site.place.stop()


# ---- what is held at rest

def checks(c):
    """(name, function) of what is looked at when all processes have ended."""
    read = {}

    def book(site):
        if site not in read:
            read[site] = w.Book(site.place)
        return read[site]

    def nothing_is_lost():
        missing = c.ledger.audit([(s, book(s)) for s in c.places])
        must(not missing, f"{len(missing)} acknowledged things are not where they must be", *missing[:12])

    def holders_are_equal():
        compared = 0
        for site in c.places:
            if not site.parent:
                continue
            lanes = (w.LANE_OPEN,) if site.hub else (w.LANE_OPEN, w.LANE_COUNTY)
            lower, upper = book(site), book(site.parent)
            scopes = {lower.unit(site.code, 6)} if not site.hub else set(lower.scopes.values())
            rows, bad = w.differences(lower, upper, lanes, scopes)
            must(not bad and rows, f"{site} and {site.parent} differ ({rows} rows)", *bad)
            compared += rows
        say(f"# {compared} rows compared between {len(c.places)} databases")

    def closed_words_stay_below():
        """In no byte of the province's directory, and of no other site's."""
        control = books.bytes_with(c.counties[0].place.dir, rb"cw1\d\dx\d{7}")
        must(control, "the words are not even found at the county: the check would see nothing")
        found = {x for x in books.bytes_with(c.province.place.dir, rb"cw1\d\dx\d{7}") if c.ledger.code_of(x)}
        must(not found, f"{len(found)} words of the county lane are at the province", *sorted(found)[:5])
        beyond = w.above_lane(book(c.province), w.LANE_OPEN)
        must(not beyond, "the province holds what may not rise", *beyond)
        for site in c.places:
            if site.hub:
                continue
            words = books.bytes_with(site.place.dir, rb"cw1\d\dx\d{7}")
            alien = [x for x in words if c.ledger.code_of(x) not in (None, site.code)]
            must(not alien, f"{site} holds county-lane words of others", *sorted(alien)[:5])

    def databases_are_sound():
        for site in c.places:
            r = site.place.run("verify", expect=None)
            must(r.code == 0, f"{site}: verify ended with {r.code}", *(r.err + r.out).splitlines()[:6])

    def figures_are_right():
        for county in c.counties:
            want = books.open_totals(book(county), {book(county).unit(s.code, 6) for s in county.children})
            totals = c.province.place.json("summary", "--org", county.code)["totals"]
            got = {x["kind"]: x["total"] for x in totals if x["kind"] in want}
            must(got == want, f"{county}: the province says {got}, counted from the rows {want}")

    return [("nothing_is_lost", nothing_is_lost), ("holders_are_equal", holders_are_equal),
            ("closed_words_stay_below", closed_words_stay_below), ("databases_are_sound", databases_are_sound),
            ("figures_are_right", figures_are_right)]


def why(e):
    return str(e) if isinstance(e, Failure) else f"{type(e).__name__}: {e} (line {e.__traceback__.tb_next.tb_lineno})"


def tell(name, began, error=None):
    say(f"{'not ok' if error else 'ok'} {name} ({time.monotonic() - began:.1f} s)")
    if error:
        say("    " + why(error).replace("\n", "\n    "))


def main():
    failed = 0
    shutil.rmtree(LOGS, ignore_errors=True)
    say(f"# seed {SEED}, {KILLS} kills")
    with w.World("campaign") as world:
        c = Campaign(world)
        try:
            began, name = time.monotonic(), "three_tiers_stand"
            try:
                c.build()
                tell(name, began)
                rounds = 0
                while c.killed() < KILLS and not failed:
                    rounds += 1
                    began, name = time.monotonic(), f"under_fire_{rounds}"
                    c.network.rough = 0.3
                    c.rage(min(KILLS, c.killed() + ROUND))
                    tell(name, began)
                    began, name = time.monotonic(), f"comes_to_rest_{rounds}"
                    c.settle()
                    c.stop()
                    tell(name, began)
                    for check, f in checks(c):
                        began, name = time.monotonic(), f"{check}_{rounds}"
                        try:
                            f()
                            tell(name, began)
                        except Exception as e:
                            failed += 1
                            tell(name, began, e)
                    if c.killed() < KILLS and not failed:
                        for site in c.places:
                            c.start(site)
            except Exception as e:
                failed += 1
                tell(name, began, e)
            c.progress()
            say(f"# kills {c.kills}, moments {c.moments}")
            say(f"# network {c.network.counts} in {c.network.connections} connections, {c.network.bytes >> 20} MiB")
            say(f"# lamps {c.lamps}")
            say(f"# {c.n}")
            say(f"# campaign: seed {SEED}, {c.killed()} kills, {c.ledger.count()} things acknowledged, {c.ledger.excused_count()}"
                  f" lost with the only disk they were on, {failed} failed")
        finally:
            for site in c.places:
                if site.place.running():
                    site.place.kill()
            c.keep_logs()
            c.unmount()
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
