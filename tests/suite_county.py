#!/usr/bin/env python3
"""suite_county.py - what a county alone can tell: who is registered twice, and what of the kinds of service that stay with it
everybody may read.  Real programs on this machine: a province, a county, two sites.
"""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import world as w  # noqa: E402
from lines import volunteer  # noqa: E402
from region import Region, SITE_A  # noqa: E402
from suite import run, test  # noqa: E402
from world import must, wait_for  # noqa: E402

USAGE, NO_PERMISSION = 2, 8
PASSWORD = "a-good-password-1"


@test
def who_is_registered_twice_is_found(t):
    """By document, by telephone and name, by name and birthday; the weaker ground only where no surer one says it."""
    a, b, county = t.a, t.b, t.county
    doc, phone = "35010219850412028X", "13611112222"
    twice = {"id_type": "01", "birth": "1985-04-12"}
    here = a.record([volunteer("吴小兰", id_no=doc.lower(), phone=phone, **twice), volunteer("郑 丽", phone="+86 136-3333-4444"),
                     volunteer("何静", birth="1990-01-02"), volunteer("何静", birth="1990-01-03")])
    there = b.record([volunteer("吴兰", id_no=doc, **twice), volunteer("郑丽", phone="13633334444"),
                      volunteer("何静", birth="1990-01-02"), volunteer("吴小兰", phone=phone, birth="1985-04-12")])
    gone = b.record([volunteer("何静", birth="1990-01-02") for _ in range(2)])
    b.run("edit", gone[0], "vstat=left")
    t.settled(a)
    t.settled(b)
    wait_for(lambda: w.has(county, "volunteer", here + there + gone, 1), 20, "the county has all")
    county.run("privacy", "withdraw", gone[1])

    def found(place=county):
        return {(m["ground"], frozenset(p["id"] for p in m["persons"])) for m in place.json("match")["items"]}
    want = {("document", frozenset((here[0], there[0]))), ("phone", frozenset((here[1], there[1]))),
            ("phone", frozenset((here[0], there[3]))), ("birth", frozenset((here[2], there[2])))}
    must(found() == want, "not what stands twice", f"found {found()}", f"want {want}")
    r = county.run("match")
    must("吴兰" in r.out and SITE_A in r.out, "a person could not tell whom to ask", r.out)
    said = r.out + r.err + county.run("match", "--json").out
    must(not [x for x in (doc, doc.lower(), phone) if x in said], "it says what it compared", said)
    reads = [x for x in county.json("trail")["items"] if x["verb"] == "read" and x["table"] == "volunteer"]
    must(len(reads) >= 3, "the trail does not know that documents were read", str(reads))
    county.run("edit", there[0], "vstat=merged")
    must(("document", frozenset((here[0], there[0]))) not in found(), "who was merged is found again")
    t.province.run("match", expect=NO_PERMISSION)


def closed(act, month, served=None):
    return json.dumps({"table": "activity", "closed_title": "入户", "act_closed": act, "closed_start": f"{month}-11T09:00",
                       **({"closed_households": served} if served else {})}, ensure_ascii=False)


def helped(person, act, month, minutes=60):
    return json.dumps({"table": "participation", "volunteer": person, "act": act, "in": f"{month}-11T09:00",
                       "out": f"{month}-11T12:00", "minutes": minutes, "hsrc": "1", "hstat": "2"})


@test
def closed_kinds_are_stated_from_five_up(t):
    """By the county, for a quarter that is over; what is small, and another beside it, is stated by nobody."""
    a, b, county, province = t.a, t.b, t.county, t.province
    people = [x.record([volunteer("苏梅")])[0] for x in (a, b)]
    taken_back = a.record([helped(people[0], "A1", "2024-02")] * 8)[0]
    a.run("delete", taken_back, "--yes")
    a.record([helped(people[0], "B3", "2024-01")] * 3 + [helped(people[0], "B3", "2024-04")])
    b.record([helped(people[1], "A1", "2024-03")] * 5 + [helped(people[1], "C1", "2024-03")] * 6 +
             [helped(people[1], "C2", "2024-03", 90)] * 9 + [closed("C2", "2024-03", 4), closed("C2", "2024-03", 4)])
    t.settled(a)
    t.settled(b)
    stated = ("statement", "--quarter", "2024Q1")

    def cells(place, *more):
        return {(x["service"], x["metric"]): x["value"] for x in place.json(*stated, *more)["items"]}
    wait_for(lambda: cells(county)[("C2", "participations")] == 9, 20, "the county has all")
    want = {("A1", "participations"): 12, ("B3", "participations"): None, ("C1", "participations"): None,
            ("C2", "participations"): 9, ("C2", "minutes"): 810, ("B3", "minutes"): None, ("C2", "activities"): None,
            ("C2", "households"): None, (None, "participations"): 30, (None, "activities"): None}

    def is_so(got, what):
        must({k: got.get(k, "-") for k in want} == want, what, str({k: got.get(k, "-") for k in want}))
    is_so(cells(county), "the county would state something else")
    must(not cells(province), "the province has what nobody stated")
    is_so(cells(county, "--state"), "the county stated something else")
    wait_for(lambda: cells(province), 20, "it comes to the province")
    is_so(cells(province), "the province reads something else")
    at_province = w.ask(province, "SELECT count(*) FROM statement WHERE value < 5")
    must(at_province == 0, "a small number stands at the province")
    # The next one gives no small difference.
    a.record([helped(people[0], "A1", "2024-02")] * 2)
    t.settled(a)
    wait_for(lambda: w.ask(county, "SELECT count(*) FROM participation WHERE alive1 = 1") >= 33, 20, "the county has two more")
    is_so(cells(county, "--state"), "two more can be read off the second statement")
    a.record([helped(people[0], "A1", "2024-02")] * 4)
    t.settled(a)
    wait_for(lambda: cells(county)[("A1", "participations")] == 18, 20, "six more are stated")
    # Not before it is over, and by nobody else.
    county.run("statement", "--quarter", "2199Q4", expect=USAGE)
    county.run("statement", "--quarter", "2024Q5", expect=USAGE)
    province.run(*stated, "--state", expect=NO_PERMISSION)
    line = json.dumps({"table": "statement", "quarter": 20241, "metric": "activities", "value": 50})
    r = a.run("record", "--json", "-", text=line + "\n", expect=None)
    must(r.code == NO_PERMISSION, f"a site states for the county: {r.code}", r.out, r.err)


@test
def who_may_not_see_documents_matches_none(t):
    """As soon as the county has accounts: T3 is for some roles only."""
    county = t.county

    def as_person(login):
        return {**t.world.env, "JINGUO_SESSION": t.world.path(f"session-{login}")}

    def match(login, **more):
        return county.run("match", "--json", env=as_person(login), **more)
    county.run("account", "add", "lin", "--roles", "admin", text=PASSWORD + "\n")
    match("lin", expect=NO_PERMISSION)  # has not logged in
    county.run("login", "lin", text=PASSWORD + "\n", env=as_person("lin"))
    must(json.loads(match("lin").out)["items"], "who may see documents finds nobody")
    county.run("account", "add", "he", "--roles", "finance", text=PASSWORD + "\n", env=as_person("lin"))
    county.run("login", "he", text=PASSWORD + "\n", env=as_person("he"))
    match("he", expect=NO_PERMISSION)


if __name__ == "__main__":
    run("county", Region)
