#!/usr/bin/env python3
"""suite_privacy.py - a person withdraws consent.  Real programs on this machine: a province, a county, two sites."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import world as w  # noqa: E402
from suite import run, test  # noqa: E402
from world import must, wait_for  # noqa: E402

PROVINCE, COUNTY = "350000000000", "350104000000"
SITE_A, SITE_B = "350104001003", "350104002001"
REFUSED, CONFLICT, NOT_FOUND, NO_PERMISSION = 4, 5, 3, 8


def volunteer(name, **more):
    return json.dumps({"table": "volunteer", "name": name, "vstat": "active", "registered": "2025-03-08", **more},
                      ensure_ascii=False)


def hours(person):
    return json.dumps({"table": "participation", "volunteer": person, "act": "D1", "in": "2025-03-09T09:00",
                       "out": "2025-03-09T10:00", "minutes": 60, "hsrc": "1", "hstat": "2"})


class Privacy:
    def __init__(self, world):
        self.world = world
        self.province, self.county = world.hub("province"), world.hub("county")
        self.province.root(PROVINCE, "福建省", "--listen", f"tcp://127.0.0.1:{world.port()}")
        self.province.run("org", "import", w.DIVISIONS)
        self.province.start()
        self.county.init("--listen", f"tcp://127.0.0.1:{world.port()}")
        self.county.join(self.province, COUNTY)
        self.county.start()
        wait_for(lambda: self.county.status()["own_complete"], 20, "the county has its part of the tree")
        self.a, self.b = world.node("a"), world.node("b")
        for node, code in ((self.a, SITE_A), (self.b, SITE_B)):
            node.init()
            node.join(self.county, code)
            node.run("sync")

    def settled(self, node):
        """What the county says of the node's work has come back to it."""
        def done():
            node.run("sync")
            s = node.status()
            return not (s["unsent"] or s["received"] or s["unapplied"] or s["waiting"])
        wait_for(done, 30, f"{node.name} is through")


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


if __name__ == "__main__":
    run("privacy", Privacy)
