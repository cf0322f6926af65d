#!/usr/bin/env python3
"""suite_privacy.py - a person withdraws consent, and is erased.  Real programs on this machine: a province, a county, two sites.

The canary: words that only she is called by are looked for in every byte of every directory, and in all that a reader with the
key of the disk can open (tables, candidates, journal, tail, squeezed bodies): before, where they may lie; after, nowhere.
"""
import json
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import world as w  # noqa: E402
from lines import volunteer  # noqa: E402
from region import Region, SITE_A  # noqa: E402
from suite import run, test  # noqa: E402
from world import must, wait_for  # noqa: E402

REFUSED, CONFLICT, NOT_FOUND, NO_PERMISSION = 4, 5, 3, 8


def hours(person):
    return json.dumps({"table": "participation", "volunteer": person, "act": "D1", "in": "2025-03-09T09:00",
                       "out": "2025-03-09T10:00", "minutes": 60, "hsrc": "1", "hstat": "2"})


NAME, ID_NO, PHONE, EMPLOYER, COMMENT, LATE = "金丝雀某", "11010519491231002X", "13812345679", "鸟笼加工厂", "腿脚不便需搀扶", "搬到鸟市街九号"
CANARY = (NAME, ID_NO, PHONE, EMPLOYER, COMMENT, LATE)


def opened(place):
    """Which of the words a reader with the device's key finds, and where: {word: {tables}}."""
    book, squeezed, found = w.Book(place), w.Squeezed(), {}
    for (table,) in book.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        values = [v if isinstance(v, bytes) else str(v).encode() for row in book.db.execute(f'SELECT * FROM "{table}"') for v in row]
        texts = [b"\0".join(values)]
        for v in values:
            at = v.find(w.ZSTD_MAGIC)
            while at >= 0:
                plain = squeezed.open_at(v, at)
                texts += [plain] if plain is not None else []
                at = v.find(w.ZSTD_MAGIC, at + 1)
        for word in CANARY:
            if any(n in t for n in w.needles_of([word]) for t in texts):
                found.setdefault(word, set()).add(table)
    return found


def clean(place):
    """No word of hers: not in what can be opened, nor in any byte as it lies."""
    found, files = opened(place), w.files_with(place.dir, CANARY)[1]
    if found or files:
        raise w.Failure(f"{place.name} still holds it", str(found), str(files))
    return True


def figures_of(place):
    return place.json("summary")["items"]


@test
def withdrawn_is_frozen_everywhere(t):
    """What a site wrote before it heard of it is refused, with field and mend, and delays nothing else."""
    a, county = t.a, t.county
    t.chen, t.lin = a.record([volunteer("陈桂兰", phone="13800138000"), volunteer("林秀英")])
    t.settled(a)
    wait_for(lambda: w.has(county, "volunteer", [t.chen, t.lin], 1), 20, "the county has both")
    r = county.run("privacy", "withdraw", t.chen, "--json").json()
    must(r["frozen"] is True, "it does not say so", str(r))
    county.run("privacy", "withdraw", t.chen, expect=CONFLICT)
    # Nobody told the site yet.
    a.run("edit", t.chen, "phone=13900139000")
    worked = a.record([hours(t.chen), hours(t.lin)])
    a.run("edit", t.lin, "phone=13700137000")
    t.settled(a)
    wait_for(lambda: len(a.json("refused")["items"]) >= 2, 20, "what was written of her is refused")
    t.settled(a)
    said = {i["row"]: i for i in a.json("refused")["items"]}
    must(set(said) == {t.chen, worked[0]}, "another record is refused", str(said))
    must(all(i["code"] == 4118 for i in said.values()), "another rule is named", str(said))
    must("volunteer" in json.dumps(said[worked[0]]), "the field is not named", str(said))
    must("resume" in a.run("refused").out, "no mend is told")
    wait_for(lambda: w.has(county, "participation", [worked[1]], 1), 20, "the other person's hours are through")
    must(not w.has(county, "participation", [worked[0]], 1), "hours of a frozen person are merged")
    for place in (a, county):
        row = place.json("show", t.chen)["items"][0]
        must(row["phone"] == "13800138000" and row["frozen"] is True, f"{place.name}: frozen rows change", str(row))
        listed = {i["id"]: i["frozen"] for i in place.json("list", "volunteer")["items"]}
        must(listed == {t.chen: True, t.lin: False}, f"{place.name}: the list does not say so", str(listed))
        must("frozen" in place.run("show", t.chen).out and "frozen" in place.run("list", "volunteer").out,
             f"{place.name}: people are not told")
        must(place.json("privacy", "report", t.chen)["frozen"] is True, f"{place.name}: the report does not say so")


@test
def a_frozen_person_is_not_written_of(t):
    """Where it is known, at once; but the level that corrects may, and no one withdraws for another place's person."""
    a = t.a
    r = a.run("edit", t.chen, "phone=13900139000", expect=REFUSED)
    must("4118" in r.err, "another rule is named", r.err)
    a.run("delete", t.chen, expect=REFUSED)
    r = a.run("record", "--json", "-", text=hours(t.chen) + "\n", expect=None)
    must(r.code and "4118" in r.err + r.out, "hours of her are recorded", r.out, r.err)
    a.run("edit", t.lin, "phone=13700137001")
    a.run("record", "withdrawal", f"person={t.lin}", "withdrawn=2026-01-01", expect=NO_PERMISSION)
    t.b.run("privacy", "withdraw", t.lin, expect=NOT_FOUND)
    t.county.run("edit", t.chen, "phone=13500135000")
    wait_for(lambda: a.run("sync") and a.json("show", t.chen)["items"][0]["phone"] == "13500135000", 20,
             "the county's correction comes down")
    must(w.ask(t.province, "SELECT count(*) FROM withdrawal WHERE alive1 IS NOT NULL") == 0, "it rises above the county")


@test
def consent_given_again_thaws(t):
    a = t.a
    a.run("privacy", "resume", t.chen)
    must(a.json("show", t.chen)["items"][0]["frozen"] is False, "it stays frozen")
    a.run("edit", t.chen, "phone=13900139000")
    t.settled(a)
    wait_for(lambda: t.county.json("show", t.chen)["items"][0]["phone"] == "13900139000", 20, "the county takes her edit")
    must(t.county.json("show", t.chen)["items"][0]["frozen"] is False, "the county keeps her frozen")
    a.run("privacy", "withdraw", t.chen)  # and taken back once more: the same row
    t.settled(a)
    wait_for(lambda: t.county.json("show", t.chen)["items"][0]["frozen"], 20, "frozen again")
    must(w.ask(t.county, "SELECT count(*) FROM withdrawal") == 1, "two rows speak of one person")
    for place in (a, t.county):
        place.run("verify")


@test
def a_canary_before_it_is_erased(t):
    """Found where it may be, so that finding nothing afterwards says something."""
    a, county = t.a, t.county
    t.bird = a.record([volunteer(NAME, phone=PHONE, id_no=ID_NO, id_type="01", sex="2", birth="1949-12-31")])[0]
    t.settled(a)
    t.other = a.record([volunteer("旁边的人", phone="13512345670")])[0]
    a.run("edit", t.bird, f"employer={EMPLOYER}")
    line = json.loads(hours(t.bird))
    t.hours = a.record([json.dumps({**line, "comment": COMMENT}, ensure_ascii=False)])[0]
    t.settled(a)
    wait_for(lambda: w.has(county, "participation", [t.hours], 1), 20, "the county has it")
    # An edit that the county does not know of, and one of the county's at the same time: a candidate.
    a.run("edit", t.bird, f"employer={EMPLOYER}二")
    county.run("edit", t.bird, "employer=别的厂")
    t.settled(a)
    wait_for(lambda: w.ask(county, "SELECT count(*) FROM candidate") > 0, 20, "two values stand")
    wait_for(lambda: figures_of(t.province), 20, "figures rise")
    for place in (a, county):
        found = opened(place)
        must(set(found) == set(CANARY) - {LATE}, f"{place.name}: the canary is not where it should be", str(found))
        must(all("journal" in where for where in found.values()), f"{place.name}: not in the journal", str(found))
        must("participation" in found[COMMENT] and "volunteer" in found[ID_NO], f"{place.name}: not in the tables", str(found))
        must(w.files_with(place.dir, (NAME,))[1] and not w.files_with(place.dir, (ID_NO,))[1], f"{place.name}: how it lies")
    must("candidate" in opened(county)[EMPLOYER], "no candidate says it", str(opened(county)))
    clean(t.province)
    for place in (a, county):
        copy = t.world.path(f"{place.name}-saved")
        if place.process:
            place.stop()
        shutil.copytree(place.dir, copy)
    county.start()
    a.run("edit", t.bird, f"skills={LATE}")  # in the tail when the erasure comes
    must(LATE in opened(a), "the tail does not hold it")


@test
def erased_is_nowhere(t):
    a, county = t.a, t.county
    wait_for(lambda: w.corrected(county), 20, "the county has stated its corrections")
    t.before = figures_of(t.province)
    must(a.run("privacy", "erase", t.bird, "--cause", "request", "--yes", expect=None).code, "a site erases")
    county.run("privacy", "erase", t.bird, "--yes", expect=None)  # no cause: nothing done
    county.run("privacy", "erase", t.bird, "--cause", "request", "--no-input", expect=None)
    must(NAME in opened(county), "erased without being told")
    said = county.run("privacy", "erase", t.bird, "--cause", "request", "--yes", "--json").json()
    must(said["records"] == 2, "not her row and her hours", str(said))
    wait_for(lambda: clean(county), 20, "the county is clean")
    must(LATE in opened(a), "the site heard of it before")
    t.settled(a)
    wait_for(lambda: a.run("sync") and clean(a), 20, "the site is clean")
    wait_for(lambda: clean(county), 20, "the county stays clean when the late edit comes")
    clean(t.province)
    for place in (a, county):
        row = place.json("show", t.bird)["items"][0]
        must(row["erased"] and row["name"] is None and row["id_no"] is None and row["vstat"] == "active",
             f"{place.name}: what is left is another", str(row))
        row = place.json("show", t.hours)["items"][0]
        must(row["comment"] is None and row["minutes"] == 60 and row["volunteer"] == t.bird, f"{place.name}: her hours", str(row))
        must(place.json("show", t.other)["items"][0]["phone"] == "13512345670", f"{place.name}: another person's is gone")
        must("erased" in place.run("show", t.bird).out, f"{place.name}: people are not told")
        must(place.json("privacy", "report", t.bird)["erased"], f"{place.name}: the report does not say so")
        r = place.run("edit", t.bird, "name=又来", expect=REFUSED)
        must("4119" in r.err, "another rule is named", r.err)
        r = place.run("verify", expect=None)
        must(r.code == 0, f"{place.name}: verify finds something", r.out[-600:], r.err[-300:])
    county.run("privacy", "erase", t.bird, "--cause", "term", "--yes", expect=REFUSED)
    wait_for(lambda: a.run("sync") and w.agreed_with(county, [a]), 20, "both agree")
    must(figures_of(t.province) == t.before, "figures moved", str(t.before), str(figures_of(t.province)))
    must(not county.status()["conflicts"], "two erased values are a conflict")


@test
def what_comes_back_is_cut(t):
    """A site and a county from disks of before: they have it, hear of it, have it no more; nobody takes it from them."""
    a, county = t.a, t.county
    shutil.rmtree(a.dir)
    shutil.copytree(t.world.path("a-saved"), a.dir)
    must(NAME in opened(a), "the old disk does not hold it")
    # The county keeps its own lane back from a restored site; erasures reach it all the same.
    wait_for(lambda: a.run("sync") and not opened(a), 20, "the restored site is clean")
    clean(a)
    must("held" in [s["state"] for s in a.status()["states"]], "the county does not hold the restored site")
    t.county.run("peers", "--release", a.status()["device"], "--reason", "电话核对过")
    t.settled(a)
    clean(a)
    clean(county)
    county.stop()
    shutil.rmtree(county.dir)
    shutil.copytree(t.world.path("county-saved"), county.dir)
    must(NAME in opened(county), "the old disk does not hold it")
    county.start()
    wait_for(lambda: a.run("sync", expect=None) and clean(county), 30, "the restored county is clean")
    t.settled(a)
    wait_for(lambda: a.run("sync") and clean(a), 20, "the site stays clean")
    wait_for(lambda: a.run("sync") and w.agreed_with(county, [a]), 20, "both agree")
    for place in (a, county):
        r = place.run("verify", expect=None)
        must(r.code == 0, f"{place.name}: verify finds something", r.out[-600:], r.err[-300:])
        must(place.json("show", t.other)["items"][0]["phone"] == "13512345670", f"{place.name}: another person's is gone")
    # A new device of the site gets what is left.
    n = t.world.node("new")
    n.init()
    n.join(county, SITE_A)
    wait_for(lambda: n.run("sync") and w.has(n, "participation", [t.hours], 1), 30, "the new device has the rows")
    clean(n)
    must(n.json("show", t.other)["items"][0]["phone"] == "13512345670", "what was cut lost more than what was erased")


if __name__ == "__main__":
    run("privacy", Region)
