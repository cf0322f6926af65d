#!/usr/bin/env python3
"""suite_people.py - who acts: accounts, roles, sessions, authors; what they keep closed.  Real programs on this machine.

A province, a county and two sites.  Accounts come into being at one site; the other never has any, and works as before.
The databases are read by python's sqlite3 alone.
"""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import world as w  # noqa: E402
from lines import volunteer  # noqa: E402
from region import Region, COUNTY, SITE_A, SITE_B  # noqa: E402
from suite import run, test  # noqa: E402
from world import must, wait_for  # noqa: E402

USAGE, NOT_FOUND, REFUSED, CONFLICT, NO_PERMISSION = 2, 3, 4, 5, 8
# Argon2id as cheap as the program allows; sessions that end while a test waits.
PEOPLE = {"people": {"argon_kib": 8, "argon_passes": 1, "lock_after": 3, "lock_ms": 1000}}
HEAD, RECORDER, LIAISON = "head-password-1", "recorder-password-1", "liaison-password-1"
ID_NO = "11010519491231002X"


class People(Region):
    def __init__(self, world):
        super().__init__(world, everywhere=PEOPLE)

    def as_person(self, login):
        """The surroundings of somebody with a session of her own."""
        return {**self.world.env, "JINGUO_SESSION": self.world.path(f"session-{login}")}

    def login(self, node, login, password, expect=0):
        return node.run("login", login, text=password + "\n", expect=expect, env=self.as_person(login))


@test
def without_accounts_nothing_is_asked(t):
    who = t.b.json("whoami")
    must(who["kind"] == "device" and who["person"] is None, "somebody acts where nobody has an account", str(who))
    row = t.b.record([volunteer("林秀英")])[0]
    h = t.b.json("history", row)["items"][0]
    must(h["by"] is None and h["by_name"] == "", "a change has an author", str(h))


@test
def the_first_account_manages(t):
    a = t.a
    a.run("account", "add", "lin", "--roles", "recorder", text="a-good-password\n", expect=CONFLICT)
    a.run("account", "add", "lin", "--roles", "head", text="short\n", expect=REFUSED)
    a.run("account", "add", "lin", "--roles", "head", text="", expect=REFUSED)
    a.run("account", "add", "lin", "--roles", "head,liaison", text=HEAD + "\n", expect=REFUSED)  # apart: domain.md 4.6
    r = a.run("account", "add", "lin", "--roles", "admin", text=HEAD + "\n", expect=REFUSED)
    must("4135" in r.err, "an administrator of a county at a site", r.err)
    a.run("account", "add", "lin", "--name", "林站长", "--roles", "head", text=HEAD + "\n")
    r = a.run("record", "volunteer", "name=x", "vstat=active", "registered=2025-03-08", expect=NO_PERMISSION)
    must("4131" in r.err, "a stranger is not told to log in", r.err)
    for words in (("list", "volunteer"), ("account", "list"), ("hand-out", t.world.path("x.jgb"))):
        must("4131" in a.run(*words, expect=NO_PERMISSION).err, f"{words} asks nobody")
    a.run("status")
    a.run("sync")
    t.login(a, "lin", HEAD)
    lin = t.as_person("lin")
    a.run("account", "add", "chen", "--name", "陈记录", "--roles", "recorder", text=RECORDER + "\n", env=lin)
    a.run("account", "add", "wu", "--roles", "liaison", text=LIAISON + "\n", env=lin)
    a.run("account", "add", "chen", "--roles", "recorder", text=RECORDER + "\n", env=lin, expect=CONFLICT)
    must(a.json("whoami", env=lin)["login"] == "lin", "the head is somebody else")
    mode = os.stat(t.world.path("session-lin")).st_mode & 0o777
    must(mode == 0o600, f"the session's file has mode {mode:o}")


@test
def every_change_names_its_author(t):
    t.login(t.a, "chen", RECORDER)
    chen = t.as_person("chen")
    person = t.a.json("whoami", env=chen)["person"]
    r = t.a.run("record", "volunteer", "name=陈桂兰", "vstat=active", "registered=2025-03-08", f"id_no={ID_NO}",
                "id_type=01", "sex=2", "birth=1949-12-31", env=chen)
    t.row = r.out.strip()
    r = t.a.run("record", "volunteer", "name=x", "vstat=active", "registered=2025-03-08", "--by", "0011223344556677",
                env=chen, expect=USAGE)
    t.a.run("edit", t.row, "phone=13800138000", "--service")  # a script
    t.a.run("sync")
    for place, env in ((t.a, chen), (t.county, None)):
        wait_for(lambda: w.has(place, "volunteer", [t.row], 1), 20, f"{place.name} has the record")
        said = place.json("history", t.row, env=env)["items"]
        must([h["by_name"] for h in said if h["op"] == "insert"] == ["陈记录"], f"{place.name} does not name the author",
             str(said))
        must(all(h["by"] == person for h in said if h["op"] == "insert"), f"{place.name}: another author", str(said))
        must(any(h["by"] not in (None, person) for h in said), f"{place.name}: no script", str(said))
    must("陈记录" in t.county.run("history", t.row).out, "the county's history does not print the author")
    # Above the custodian: who it was by key and role, not by name.
    wait_for(lambda: w.ask(t.province, "SELECT count(*) FROM account") >= 3, 20, "the province has the keys")
    must(w.ask(t.province, "SELECT count(*) FROM account WHERE login IS NOT NULL OR name IS NOT NULL") == 0,
         "the province reads names of people")


@test
def roles_do_what_they_may(t):
    chen, lin = t.as_person("chen"), t.as_person("lin")
    r = t.a.run("account", "add", "x", "--roles", "recorder", text=RECORDER + "\n", env=chen, expect=NO_PERMISSION)
    must("4113" in r.err, "a recorder makes accounts", r.err)
    t.a.run("account", "add", "x", "--roles", "recorder", "--service", text=RECORDER + "\n", expect=NO_PERMISSION)
    t.a.run("account", "disable", "lin", env=lin, expect=CONFLICT)  # the last who manages
    t.a.run("account", "roles", "lin", "recorder", env=lin, expect=CONFLICT)
    t.a.run("record", "account", "login=evil", "roles=head", env=lin, expect=NO_PERMISSION)
    account = next(a["id"] for a in t.a.json("account", "list", env=chen)["items"] if a["login"] == "chen")
    t.a.run("edit", account, "roles=head", env=chen, expect=NO_PERMISSION)
    t.county.run("account", "add", "gao", "--roles", "admin", text=HEAD + "\n")
    t.login(t.county, "gao", HEAD)
    gao = t.as_person("gao")
    for login, role in (("cai", "finance"), ("shen", "reviewer")):
        t.county.run("account", "add", login, "--roles", role, text=RECORDER + "\n", env=gao)
        t.login(t.county, login, RECORDER)
    seen = t.county.json("show", t.row, env=t.as_person("shen"))["items"][0]
    must(seen["id_no"] == ID_NO, "a reviewer does not see what he reviews", str(seen))
    masked = t.county.run("show", t.row, "--json", env=t.as_person("cai"))
    must(masked.json()["items"][0]["id_no"] == "***" and ID_NO not in masked.out, "finance reads identity numbers")
    for words in (("list", "volunteer"), ("list", "volunteer", "--json"), ("history", t.row), ("history", t.row, "--json"),
                  ("show", t.row)):
        must(ID_NO not in t.county.run(*words, env=t.as_person("cai")).out, f"finance reads them by {words}")
    r = t.county.run("list", "volunteer", "--where", f"id_no={ID_NO}", env=t.as_person("cai"), expect=NO_PERMISSION)
    must(ID_NO not in r.err + r.out, "the refusal repeats the number", r.err)
    t.county.run("invite", "--org", SITE_B, "--role", "node", env=t.as_person("cai"), expect=NO_PERMISSION)
    t.county.run("invite", "--org", SITE_B, "--role", "node", env=gao)
    t.province.run("account", "add", "zhao", "--roles", "business", text=HEAD + "\n")
    t.login(t.province, "zhao", HEAD)
    t.province.run("account", "add", "sun", "--roles", "auditor", text=HEAD + "\n", env=t.as_person("zhao"))
    t.login(t.province, "sun", HEAD)
    t.province.run("list", "activity", env=t.as_person("sun"))
    t.province.run("record", "activity", "title=x", "start=2025-03-08T09:00", "astat=draft", env=t.as_person("sun"),
                   expect=NO_PERMISSION)
    must(t.province.json("account", "list", env=t.as_person("sun"))["items"][0]["login"] == "zhao", "no logins above")


@test
def who_decides_signs(t):
    """A second person, certified from the level above, by her own key; never about her own entry."""
    a, lin, chen, gao = t.a, t.as_person("lin"), t.as_person("chen"), t.as_person("gao")
    accounts = {x["login"]: x["person"] for x in a.json("account", "list", env=lin)["items"]}
    r = a.run("review", t.row, "agree", env=lin, expect=NO_PERMISSION)
    must("3105" in r.err, "somebody decides whom nobody certified", r.err)
    a.run("sync")
    must("3105" in t.county.run("account", "certify", t.county.json("whoami", env=gao)["person"], env=gao, expect=NO_PERMISSION).err,
         "a county certifies its own people")
    t.county.run("account", "certify", accounts["lin"], env=t.as_person("shen"), expect=NO_PERMISSION)
    t.county.run("account", "certify", accounts["lin"], env=gao)
    wait_for(lambda: a.run("sync").code == 0 and w.ask(a, "SELECT count(*) FROM person_cert") == 1, 20, "the certificate comes down")
    a.run("review", t.row, "agree", env=chen, expect=NO_PERMISSION)
    a.run("review", t.row, "agree", "--service", expect=NO_PERMISSION)
    a.run("record", "review_step", f"of={t.row.replace('-', '')}", "verdict=agree", env=lin, expect=NO_PERMISSION)
    own = a.run("record", "volunteer", "name=郑文华", "vstat=pending", "registered=2025-03-08", env=lin).out.strip()
    must("3103" in a.run("review", own, "agree", env=lin, expect=NO_PERMISSION).err, "she decides about her own entry")
    a.run("review", t.row, "agree", "--opinion", "电话 13800138000", env=lin, expect=REFUSED)  # an open text
    step = a.run("review", t.row, "agree", "--opinion", "材料齐全", env=lin).out.strip()
    a.run("sync")
    for hub in (t.county, t.province):
        wait_for(lambda: w.has(hub, "review_step", [step], 0), 20, f"{hub.name} has the step")
    must(not a.json("refused", env=lin)["items"], "the county refused a good one")


@test
def guessing_locks_out(t):
    for _ in range(3):
        must("4132" in t.login(t.a, "wu", "guess-guess", expect=NO_PERMISSION).err, "a wrong password says something else")
    r = t.login(t.a, "wu", LIAISON, expect=NO_PERMISSION)
    must("4133" in r.err, "the right password opens a locked account", r.err)
    t.a.run("account", "unlock", "wu", env=t.as_person("lin"))
    t.login(t.a, "wu", LIAISON)
    for _ in range(2):
        t.login(t.a, "wu", "guess-guess", expect=NO_PERMISSION)
    t.login(t.a, "wu", LIAISON)  # the count begins anew
    t.login(t.a, "wu", "guess-guess", expect=NO_PERMISSION)
    t.login(t.a, "wu", LIAISON)
    unknown = t.login(t.a, "nobody", "guess-guess", expect=NO_PERMISSION).err
    wrong = t.login(t.a, "chen", "guess-guess", expect=NO_PERMISSION).err
    must(unknown == wrong, "the answer tells which accounts there are", unknown, wrong)
    for _ in range(3):
        t.login(t.a, "wu", "guess-guess", expect=(NO_PERMISSION,))
    wait_for(lambda: t.login(t.a, "wu", LIAISON, expect=None).code == 0, 20, "the lock ends by itself")


@test
def sessions_end(t):
    wu = t.as_person("wu")
    with open(wu["JINGUO_SESSION"]) as f:
        token = f.read()
    t.a.run("logout", env=wu)
    must(not os.path.exists(wu["JINGUO_SESSION"]), "the token is still there")
    with open(os.open(wu["JINGUO_SESSION"], os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
        f.write(token)
    must("4131" in t.a.run("whoami", env=wu, expect=NO_PERMISSION).err, "a token works after logout")
    os.remove(wu["JINGUO_SESSION"])
    t.login(t.a, "wu", LIAISON)
    os.chmod(wu["JINGUO_SESSION"], 0o644)
    t.a.run("whoami", env=wu, expect=9)  # others may have read it
    os.chmod(wu["JINGUO_SESSION"], 0o600)
    late = {**wu, "JINGUO_CLOCK_OFFSET_MS": str(31 * 60 * 1000)}
    must("4131" in t.a.run("whoami", env=late, expect=NO_PERMISSION).err, "a session outlives half an hour of nothing")
    t.a.run("whoami", env=wu)
    t.a.run("account", "password", "wu", text=LIAISON + "x\n" + "another-password\n", expect=NO_PERMISSION)
    t.a.run("account", "password", "wu", text=LIAISON + "\nanother-password\n")
    t.login(t.a, "wu", LIAISON, expect=NO_PERMISSION)
    t.login(t.a, "wu", "another-password")
    person = t.a.json("whoami", env=wu)["person"]
    t.a.run("account", "reset", "wu", text="third-password\n", env=t.as_person("lin"))
    must("4131" in t.a.run("whoami", env=wu, expect=NO_PERMISSION).err, "the session of the old keys goes on")
    t.login(t.a, "wu", "third-password")
    must(t.a.json("whoami", env=wu)["person"] != person, "a manager can sign in another's name")
    t.a.run("account", "disable", "wu", env=t.as_person("lin"))
    t.a.run("whoami", env=wu, expect=NO_PERMISSION)
    t.login(t.a, "wu", "third-password", expect=NO_PERMISSION)


def bytes_of(*directories):
    """Everything that lies in files there, as it lies there and out of every zstd frame."""
    squeezed = w.Squeezed()
    for top in directories:
        for base, _, names in os.walk(top):
            for name in names:
                with open(os.path.join(base, name), "rb") as f:
                    data = f.read()
                yield name, data
                at = data.find(w.ZSTD_MAGIC)
                while at >= 0:
                    plain = squeezed.open_at(data, at)
                    if plain:
                        yield name + " (zstd)", plain
                    at = data.find(w.ZSTD_MAGIC, at + 1)


def where(word, *directories):
    return [name for name, data in bytes_of(*directories) if any(n in data for n in w.needles_of([word]))]


GUARDIAN, COMMENT, OTHER, THIRD = "监护人canary赵", "金丝雀 canary 5512", "监护人canary钱", "监护人canary孙"


@test
def a_copied_database_shows_nothing_private(t):
    """Tables, journal, tail, candidates, log: every byte, at the site and at the county."""
    a = t.a
    # A second device at the same unit, so that two edit one field without knowing of each other.
    twin = t.world.node("twin")
    twin.init()
    twin.settings(PEOPLE)
    token = t.county.run("invite", "--org", SITE_A, "--role", "node", env=t.as_person("gao")).out
    twin.run("join", "-", text=token)
    row = a.run("record", "volunteer", "name=小红", "vstat=active", "registered=2025-03-08", f"guardian={GUARDIAN}",
                "birth=2015-05-05", "guardian_consent=2025-01-01", "--service").out.strip()
    a.run("sync")
    wait_for(lambda: twin.run("sync").code == 0 and w.has(twin, "volunteer", [row], 1), 20, "the twin has it")
    a.run("edit", row, f"guardian={OTHER}", "--service")
    twin.run("edit", row, f"guardian={THIRD}")
    for node in (a, twin, a, twin):
        node.run("sync")
    wait_for(lambda: w.ask(t.county, "SELECT count(*) FROM candidate") > 0, 20, "two values stand at the county")
    a.run("record", "participation", f"volunteer={row}", "act=B3", "in=2025-03-08T09:00", "out=2025-03-08T10:00", "minutes=60",
          "hsrc=1", "hstat=2", f"comment={COMMENT}", "--service")  # in the tail, not sealed
    must(w.ask(a, "SELECT count(*) FROM tail WHERE lane > 0") > 0, "nothing to look for")
    for node in (a, twin, t.county):
        copy = t.world.path(f"copied-{node.name}")
        os.makedirs(copy)
        for end in ("", "-wal", "-shm"):
            if os.path.exists(os.path.join(node.dir, "jinguo.db" + end)):
                with open(os.path.join(node.dir, "jinguo.db" + end), "rb") as f, \
                        open(os.path.join(copy, "jinguo.db" + end), "wb") as g:
                    g.write(f.read())
        for word in (GUARDIAN, OTHER, THIRD, ID_NO):
            must(not where(word, copy), f"{word} lies open in the copy of {node.name}", str(where(word, copy)))
        must(where("小红", copy), "the search finds nothing at all")
        db = w.sqlite3.connect(os.path.join(copy, "jinguo.db"))
        tail = db.execute("SELECT changeset FROM tail WHERE lane > 0").fetchall()
        db.close()
        must(not any(COMMENT.encode() in c for (c,) in tail), "the tail lies open")
    os.makedirs(t.world.path("backed-up"))
    a.run("backup", t.world.path("backed-up/a.db"))
    must(not where(GUARDIAN, t.world.path("backed-up")), "a backup shows it")


@test
def closed_things_open_for_who_may(t):
    """Without the credential: a login; the county's recovery key; nobody else."""
    import shutil
    a = t.a
    key = t.world.path("recovery.key")
    public = a.run("recovery", "init", key).out.strip()
    must(os.stat(key).st_mode & 0o777 == 0o600 and len(public) == 64, "the recovery key's file is not its owner's alone")
    a.run("recovery", "init", key, expect=CONFLICT)
    t.county.run("recovery", "state", public, env=t.as_person("cai"), expect=NO_PERMISSION)
    t.county.run("recovery", "state", public, env=t.as_person("gao"))
    wait_for(lambda: a.run("sync").code == 0 and w.ask(a, "SELECT count(*) FROM recovery_key") == 1, 20, "the site hears of it")
    a.run("status")  # opened once more, now knowing it
    must(w.ask(a, "SELECT count(*) FROM secret WHERE name = 'rest:recovery'") == 1, "nothing is kept for the recovery key")
    found = t.world.node("found")  # a disk that turned up, without its credential
    shutil.copytree(a.dir, found.dir)
    os.remove(os.path.join(found.dir, "service.key"))
    r = found.run("show", t.row, "--service", expect=NO_PERMISSION)
    must("4131" in r.err, "the service acts without its credential", r.err)
    found.run("show", t.row, expect=NO_PERMISSION)
    with open(os.open(os.path.join(found.dir, "service.key"), os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
        f.write("00" * 32 + "\n")
    must("6106" in found.run("status", expect=9).err, "any credential will do")
    os.remove(os.path.join(found.dir, "service.key"))
    t.login(found, "chen", RECORDER)
    must(found.json("show", t.row, env=t.as_person("chen"))["items"][0]["id_no"] == ID_NO, "a login does not open it")
    wrong = t.world.path("wrong.key")
    a.run("recovery", "init", wrong)
    must("6106" in found.run("recovery", "open", wrong, expect=9).err, "any recovery key will do")
    found.run("recovery", "open", key)
    must(found.json("show", t.row, "--service")["items"][0]["id_no"] == ID_NO, "the recovery key does not open it")
    found.run("recovery", "open", key, expect=CONFLICT)  # a credential is there: nothing is overwritten
    t.login(a, "chen", RECORDER)


@test
def a_county_whose_disk_died_comes_back(t):
    """On another machine, of last night's backup and the file in the safe: under its own keys, so that nobody joins anew."""
    import shutil
    key, county, gao = t.world.path("recovery.key"), t.county, t.as_person("gao")
    device = county.status()["device"]
    wait_for(lambda: w.ask(county, "SELECT count(*) FROM secret WHERE name IN ('rest:sign', 'rest:link')") == 2 or
             county.run("status").code, 20, "the hub's keys are kept for its recovery key")
    must(w.ask(t.a, "SELECT count(*) FROM secret WHERE name IN ('rest:sign', 'rest:link')") == 0,
         "a site keeps its keys where the county could open them")
    county.run("backup", t.world.path("night.db"))
    said = t.a.run("record", "--json", "-", "--service", text=volunteer("郑晚霞") + "\n")
    late = [i["id"] for i in said.json()["items"]]
    t.a.run("sync")
    wait_for(lambda: w.has(t.province, "volunteer", late, 0), 20, "what came after the backup is at the province")
    county.stop()
    port = t.county_port
    shutil.rmtree(county.dir)
    os.mkdir(county.dir, 0o700)
    shutil.copy(t.world.path("night.db"), os.path.join(county.dir, "jinguo.db"))
    must("recovery open" in county.run("status", expect=9).err, "what to do is not said")
    wrong = t.world.path("another.key")
    t.a.run("recovery", "init", wrong)
    must("6106" in county.run("recovery", "open", wrong, expect=9).err, "any recovery key will do")
    must(not os.path.exists(os.path.join(county.dir, "sign.key")), "half of the keys were written")
    county.run("recovery", "open", key)
    for name in ("link.key", "service.key"):  # as if the disk had been full in the middle of it
        os.remove(os.path.join(county.dir, name))
    county.run("recovery", "open", key)
    site = t.world.node("site_again")
    os.mkdir(site.dir, 0o700)
    t.a.run("backup", os.path.join(site.dir, "jinguo.db"))
    must("6106" in site.run("recovery", "open", key, expect=9).err, "a site comes back by the county's key")
    with open(os.path.join(county.dir, "jinguo.ini")) as f:
        must(f"listen = tcp://0.0.0.0:{port}" in f.read(), "where it listened is not in the settings")
    county.settings({**w.FAST, "link": {**w.FAST.get("link", {}), "listen": f"tcp://127.0.0.1:{port}"}})
    county.start()
    must(county.status()["device"] == device, "it came back as another")
    wait_for(lambda: w.has(county, "volunteer", late, 0), 30, "the province gives back what may rise")
    said = "SELECT count(*) FROM correction WHERE value <> 0 OR closed_value <> 0"
    must(w.ask(county, said) == 0, "it corrects a site before that has called")
    wait_for(lambda: county.status()["last_contact"] and any(x["state"] == "awaited" for x in county.status()["states"]), 20,
             "whose part lacks is told")
    t.a.run("sync")
    wait_for(lambda: w.has(county, "volunteer", late, 1), 30, "the site gives back the rest, unasked")
    must(w.ask(county, said) == 0, "a site was corrected for nothing")
    t.login(county, "gao", HEAD)
    county.run("show", late[0], env=gao)


def trail(node, login=None, t=None):
    return node.json("trail", env=t.as_person(login) if login else None)["items"]


@test
def what_was_done_is_noted(t):
    t.a.run("sync")
    wait_for(lambda: t.a.run("sync").code == 0 and t.a.json("trail", "verify")["signed_to"] > 0, 20, "the head is signed")
    before = t.a.json("trail", "verify")
    must(before["sound"] and before["records"] > 10, "the trail is not whole", str(before))
    t.a.run("trail", env=t.as_person("chen"), expect=NO_PERMISSION)
    t.a.run("show", t.row, env=t.as_person("chen"))
    t.a.run("list", "team", env=t.as_person("chen"))  # nothing sensitive in it
    t.a.run("backup", t.world.path("a.db"))
    said = trail(t.a, "lin", t)
    must([r["number"] for r in said] == list(range(1, len(said) + 1)), "the trail has holes")
    verbs = [(r["verb"], r["name"], r["detail"]) for r in said]
    must(("read", "陈记录", "show") in verbs and said[-1]["verb"] == "export", "reading or export is not noted", str(verbs[-4:]))
    must(("denied", "陈记录", "trail") in verbs, "who was denied is not noted", str(verbs[-4:]))
    must(any(r["id"] == t.row for r in said if r["verb"] == "read"), "it does not say what was read")
    must(not any(d == "list" and v == "read" and said[i]["table"] == "team" for i, (v, n, d) in enumerate(verbs)),
         "what is not sensitive is noted")
    logins = [r for r in said if r["verb"] == "login"]
    must({r["code"] for r in logins} >= {None, 4132, 4133}, "logins are not noted with their outcome", str(logins))
    must(any(r["verb"] == "failed" for r in said), "an act that failed is not noted")
    text = json.dumps(said, ensure_ascii=False)
    must(ID_NO not in text and "陈桂兰" not in text, "the trail repeats what was read")
    # The county: it issued certificates; what it reads of persons is its own to note.
    county = t.county.json("trail", env=t.as_person("gao"))["items"]
    must(sum(r["verb"] == "enrol" for r in county) >= 2, "enrolments are not noted", str(county))


@test
def a_person_hears_what_is_held(t):
    """Kinds and counts, who read it; no value."""
    a, lin = t.a, t.as_person("lin")
    a.run("privacy", "report", t.row, env=t.as_person("chen"), expect=NO_PERMISSION)
    a.run("record", "participation", f"volunteer={t.row}", "act=A3", "in=2025-03-09T09:00", "out=2025-03-09T10:00", "minutes=60",
          "hsrc=1", "hstat=2", "--service")
    r = a.run("privacy", "report", t.row, "--json", env=lin)
    said = r.json()
    tiers = {f["field"]: (f["tier"], f["closed"]) for f in said["fields"]}
    must(tiers["id_no"] == (3, True) and tiers["phone"] == (2, False), "the report does not say how it lies", str(tiers))
    must(any(x["table"] == "participation" and x["records"] == 1 for x in said["referring"]), "what refers to her is not counted", str(said))
    must(any(x["by"] == "陈记录" and not x["whole_table"] for x in said["reads"]), "who read it is not said", str(said["reads"]))
    must(said["entries"] >= 1 and COUNTY in [h["code"] for h in said["held_by"]], "it does not say where else it lies", str(said))
    for out in (r.out, a.run("privacy", "report", t.row, env=lin).out):
        must(ID_NO not in out and "陈桂兰" not in out and "13800138000" not in out, "the report repeats what is held", out[:300])


@test
def an_altered_trail_shows_where(t):
    """Edited, cut in the middle, cut short, written anew by somebody who knows how."""
    import hashlib
    import shutil
    import sqlite3
    t.a.run("sync")
    t.a.run("sync")
    whole = t.a.json("trail", "verify")
    must(whole["sound"] and whole["signed_to"] == whole["records"], "the head is not signed", str(whole))
    device = t.a.status()["device"]
    heads = t.county.json("trail", "--device", device, env=t.as_person("gao"))["items"]
    must(heads[-1]["number"] == whole["records"] and not any(h["differs"] for h in heads), "the county has no head of it")
    records = w.Book(t.a).db.execute("SELECT seq, record, hash FROM trail ORDER BY seq").fetchall()
    n = len(records)

    def strike(change):
        copy = t.world.node("struck")
        shutil.rmtree(copy.dir, ignore_errors=True)
        shutil.copytree(t.a.dir, copy.dir)
        with sqlite3.connect(os.path.join(copy.dir, "jinguo.db")) as db:
            change(db)
        db.close()
        r = copy.run("trail", "verify", "--json", expect=1).json()
        must(copy.run("trail", "verify", expect=1).out, "nothing is printed")
        return [(i["what"], i["number"], i["signed_above"]) for i in r["items"]]

    def edit(db):
        db.execute("UPDATE trail SET record = ? WHERE seq = 3", (records[2][1][:40] + b"\xee" + records[2][1][41:],))

    def anew(db):
        prev = records[3][2]
        for seq, record, _ in records[4:]:
            if seq == 5:
                record = record[:12] + b"\0" * 8 + record[20:]  # another time
            record = record[:-32] + prev
            prev = hashlib.blake2b(record, digest_size=32).digest()
            db.execute("UPDATE trail SET record = ?, hash = ? WHERE seq = ?", (record, prev, seq))

    found = strike(edit)
    must(("edited", 3, False) in found, "an edit is not named", str(found))
    found = strike(lambda db: db.execute("DELETE FROM trail WHERE seq BETWEEN 4 AND 6"))
    must(("cut", 4, False) in found, "a cut is not named", str(found))
    found = strike(lambda db: db.execute("DELETE FROM trail WHERE seq > ?", (n - 2,)))
    must(("ends", n, True) in found, "an end that is missing is not named", str(found))
    found = strike(anew)
    must(found and all(f[0] == "differs" and f[1] >= 5 for f in found) and any(f[2] for f in found),
         "a trail written anew is taken for the true one", str(found))
    # A county's own trail is countersigned by the province.
    wait_for(lambda: t.county.json("trail", "verify")["signed_to"] > 0, 30, "the province countersigns the county's")
    must(t.county.json("trail", "verify")["sound"], "the county's trail is not whole")


@test
def nothing_secret_is_in_clear(t):
    """Not in the data directory, nor in what a process list shows."""
    for node in (t.a, t.county, t.province):
        for top, _, names in os.walk(node.dir):
            for name in names:
                with open(os.path.join(top, name), "rb") as f:
                    data = f.read()
                for word in (HEAD, RECORDER, LIAISON, "another-password", "third-password"):
                    must(word.encode() not in data, f"a password lies in {name} of {node.name}")
    for words in (("login", "lin", "--password", HEAD), ("account", "add", "y", "--password", HEAD)):
        t.a.run(*words, expect=USAGE)
    p = t.a.begin("login", "lin")  # its input is empty; its words are what ps shows
    p.wait(20)
    t.a.run("verify")
    t.county.run("verify")


if __name__ == "__main__":
    run("people", People)
