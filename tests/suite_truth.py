#!/usr/bin/env python3
"""suite_truth.py - what a county hub with a patched program (tests/evil/hub.c) can do to a province's numbers and to a site's
secrets: each attack is caught, or named, at the province or at the site.  Prints `ok NAME` or `not ok NAME`.
"""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import world as w  # noqa: E402
from lines import activity, volunteer  # noqa: E402
from suite import run, test  # noqa: E402
from world import must, wait_for  # noqa: E402

PROVINCE, COUNTY = "350000000000", "350104000000"
SITES = ("350104001003", "350104002001", "350104003003", "350104004001", "350104004006", "350104004007", "350104004008",
         "350104005001", "350104005005", "350104005006")
CANARY, SMUGGLED = "金丝雀真实JINGUO", "SMUGGLEDcanaryJINGUO"
DAY_MS = 24 * 3600 * 1000


class Tiers:
    """Every process reads the same environment; only the patched program asks for the file of orders."""

    def __init__(self, world):
        self.world = world
        self.orders = world.path("orders")
        self.order("")
        world.env["JINGUO_EVIL"] = self.orders
        self.province = world.hub("province")
        self.province.root(PROVINCE, "福建省", "--listen", f"tcp://127.0.0.1:{world.port()}")
        self.province.run("org", "import", w.DIVISIONS)
        self.province.start()
        self.county = w.Place(world, "county", os.path.join(w.BUILD, "evil-hub"))
        self.county.init("--listen", f"tcp://127.0.0.1:{world.port()}")
        self.county.join(self.province, COUNTY, role="hub")
        self.begin()
        wait_for(lambda: self.county.status()["own_complete"], 20, "the county has its part of the tree")
        self.left = list(SITES)

    def begin(self):
        log = self.county.log
        seen = os.path.getsize(log) if os.path.exists(log) else 0
        self.county.start()
        wait_for(lambda: b"listening at" in self.county.log_since(seen), 15, "the county listens")

    def order(self, text):
        with open(self.orders + ".new", "w") as f:
            f.write(text)
        os.rename(self.orders + ".new", self.orders)

    def again(self, text):
        """The county with another order, in a new session with the province."""
        self.county.stop()
        self.order(text)
        self.begin()

    def site(self, name):
        node = self.world.node(name)
        node.init()
        node.join(self.county, self.left.pop(0))
        return node

    def rested(self, node):
        """The site is done with the county, and the county with the province."""
        node.run("sync")
        wait_for(lambda: w.corrected(self.county), 20, "the county has stated its corrections")
        node.run("sync")

    def doubts(self, kind, org=None):
        items = self.province.json("doubts")["items"]
        return [d for d in items if d["kind"] == kind and (not org or d["org"]["code"] == org)]


def device(place):
    return place.status()["device"]


def at_province(t, place):
    return w.ask(t.province, "SELECT count(*) FROM journal WHERE kind = 1 AND origin = ?", bytes.fromhex(device(place)))


@test
def an_honest_county_is_in_no_doubt(t):
    node = t.site("honest")
    node.record([activity(f"清洁家园{i}", hh_served=3) for i in range(5)] + [volunteer("陈桂兰")])
    t.rested(node)
    wait_for(lambda: t.county.status()["own_complete"], 20, "the county is complete")
    must(at_province(t, node) > 0, "nothing came to the province")
    must(not t.province.json("doubts")["items"], "an honest county is doubted", t.province.run("doubts").out)
    above = []

    def said():
        node.run("sync")
        above[:] = node.status()["above"]
        return above and above[0]["arrived"] > 0
    wait_for(said, 20, "the province's word comes down to the site")
    must(above[0]["org"]["code"] == PROVINCE and above[0]["late"] == 0, "the site has another word", str(above))
    must("福建省" in node.run("status").out, "status does not print it")


@test
def what_is_altered_is_not_taken(t):
    node = t.site("altered")
    node.record([activity("第一次")])
    t.rested(node)
    wait_for(lambda: at_province(t, node) > 0, 20, "the first is at the province")
    before = at_province(t, node)
    t.again(f"alter {device(node)}")
    node.record([activity("改掉我")])
    node.run("sync")

    def caught():
        peer = next(p for p in t.province.json("peers")["items"] if p["device"] == device(t.county))
        return peer["offence_code"] == 5105
    wait_for(caught, 30, "the province names the false signature")
    must(at_province(t, node) == before, "the province took what the site did not sign")
    must(t.doubts("offence", COUNTY), "doubts does not say it")
    t.again("")
    wait_for(lambda: at_province(t, node) > before, 30, "the site's own words are taken afterwards")


@test
def what_is_inflated_is_contradicted(t):
    """A thousand activities that nobody recorded: the records at the province say otherwise; what lies in the county's lane can
    only be named as the county's own word."""
    node = t.site("inflated")
    code = node.code
    t.again("inflate")
    node.record([activity("一次活动"), volunteer("林秀英")])
    t.rested(node)

    def named():
        wrong, words = t.doubts("contradicted", code), t.doubts("corrected", code)
        activities = [d for d in wrong if d["figure"] == "activities"]
        return activities and activities[0]["said"] == 1001 and activities[0]["held"] == 1 and \
            {d["figure"] for d in words} >= {"activities", "volunteers"} and \
            all(d["device"] == device(t.county) and d["said"] == 1000 and d["cause"] for d in words)
    wait_for(named, 30, "the province says which number is made up, and by whom")
    shown = [x for x in t.province.json("summary", "--org", COUNTY, "--explain")["items"]
             if x["org"]["code"] == code and x["kind"] == "volunteers"]
    must(shown and shown[0]["stated"] == 1 and shown[0]["corrected"] == 1000, "the summary does not keep them apart", str(shown))
    t.again("")


@test
def who_is_corrected_objects(t):
    """A site sees that its numbers were corrected, by how much and by whom; its objection is read at every level, by nobody
    hidden or answered but the county, and only the site itself objects to what is said of it."""
    node, other = t.site("objects"), t.site("meddles")
    t.again("inflate")
    node.record([activity("只有一次")])
    other.record([activity("别的站点")])
    for x in (node, other):
        t.rested(x)

    def told():
        node.run("sync")
        return node.status()["corrections"]["standing"] > 0
    wait_for(told, 30, "the site sees that it was corrected")
    must("list correction" in node.run("status").out, "status does not say how to look")
    rows = [x for x in node.json("list", "correction")["items"] if x["kind"] == "activities"]
    must(len(rows) == 1 and rows[0]["value"] == 1000, "the site does not see by how much", str(rows))
    by = node.json("history", rows[0]["id"])["items"]
    must(by[-1]["device"] == device(t.county), "the site does not see by whom", str(by))
    reason = "本站只办过一次活动"
    must(node.run("record", "objection", f"correction={rows[0]['id']}", "reason=请打13800138000", expect=None).code != 0,
         "a telephone number goes up to the nation")
    mine = node.run("record", "objection", f"correction={rows[0]['id']}", f"reason={reason}").out.strip()
    other.run("record", "objection", f"correction={rows[0]['id']}", "reason=与我无关")
    n = node.status()["corrections"]
    must(n["standing"] >= 1 and n["objected"] == 1 and n["answered"] == 0, "the site does not count its objection", str(n))
    for x in (node, other):
        t.rested(x)

    def read(place):
        return [d for d in place.json("doubts")["items"] if d["kind"] == "objected"]
    wait_for(lambda: read(t.province), 30, "the province reads the objection")
    for place in (t.province, t.county):
        found = read(place)
        must(len(found) == 1 and found[0]["id"] == mine and found[0]["reason"] == reason and found[0]["said"] == 1000 and
             found[0]["device"] == device(node) and found[0]["org"]["code"] == node.code and found[0]["answer"] is None,
             f"{place.name} reads something else", str(found))
        must(reason in place.run("doubts").out, f"{place.name} does not print it")
    must(f"edit {mine} answer=" in t.county.run("doubts").out, "the county is not told how to answer")
    node.run("edit", mine, "answer=自己答复", expect=None)  # a proposal at most
    t.rested(node)
    must(read(t.county)[0]["answer"] is None, "the site answers itself")
    t.county.run("edit", mine, "answer=已核实,将改回")
    wait_for(lambda: read(t.province)[0]["answer"] == "已核实,将改回", 30, "the province reads the answer")
    t.rested(node)
    must(node.status()["corrections"]["answered"] == 1, "the site does not see the answer", str(node.status()["corrections"]))
    t.again("")


@test
def what_is_closed_is_objected_to_in_the_county(t):
    """A correction of a closed kind: an objection to it that everybody would read is refused, the closed one stays in the county."""
    node = t.site("discreet")
    t.again("inflate")
    node.record([json.dumps({"table": "activity", "act_closed": "A1", "closed_title": "走访", "closed_start": "2025-03-08T09:00",
                             "closed_households": 1}, ensure_ascii=False)])
    t.rested(node)
    node.run("sync")
    rows = [x for x in node.json("list", "correction")["items"] if x["closed_kind"] == "activities_closed"]
    must(len(rows) == 1 and rows[0]["closed_value"] == 1000 and rows[0]["kind"] is None, "it is not corrected", str(rows))
    ref = rows[0]["id"]
    r = node.run("record", "objection", f"correction={ref}", f"reason={CANARY}", expect=None)
    must(r.code != 0 and "1115" in r.err and "closed_" in r.err, "what is closed is named in the open", r.err)
    mine = node.run("record", "objection", f"closed_correction={ref}", f"closed_reason={CANARY}").out.strip()
    r = node.run("edit", mine, f"correction={ref}", expect=None)
    must(r.code != 0, "it is opened afterwards")
    mark = node.record([activity("之后")])
    t.rested(node)
    found = [d for d in t.county.json("doubts")["items"] if d["id"] == mine]
    must(len(found) == 1 and found[0]["reason"] == CANARY and found[0]["figure"] == "activities_closed", "the county does not read it")
    must(f"edit {mine} closed_answer=" in t.county.run("doubts").out, "the county is not told how to answer")
    wait_for(lambda: w.has(t.province, "activity", mark, 0), 30, "what comes after it is at the province")
    must(mine not in t.province.run("doubts", "--json").out, "the province knows of it")
    _, bytes_of_it = w.files_with(t.province.dir, [CANARY])
    must(not bytes_of_it, "its reason is at the province", *bytes_of_it)
    t.again("")


@test
def who_is_hidden_sees_it(t):
    """The county acknowledges and passes nothing on, and agrees with whatever the province says: hiding, and delay."""
    node = t.site("hidden")
    t.again(f"hide {device(node)}")
    node.record([activity("没有人看见")])
    t.rested(node)
    mark = t.county.record([activity("县级自己的")])
    wait_for(lambda: w.has(t.province, "activity", mark, 0), 20, "what comes after it is at the province")
    must(at_province(t, node) == 0, "it was not hidden")
    wait_for(lambda: node.run("sync") and node.status()["unsent"] == 0, 20, "the county acknowledges what it hides")
    s = node.status()
    must(s["above"][0]["arrived"] == 0 and s["above"][0]["sealed"] > 0, "the site does not know", str(s["above"]))
    must(not any(x["state"] == "not_arrived" for x in s["states"]), "it is told too early")
    later = dict(t.world.env, JINGUO_CLOCK_OFFSET_MS=str(4 * DAY_MS))
    s = node.json("status", env=later)
    told = [x for x in s["states"] if x["state"] == "not_arrived"]
    must(told and told[0]["next"] and s["above"][0]["late"] > 0, "four days later nobody is told", str(s["states"]))
    must("not_arrived" in [x["state"] for x in s["states"]], "no state says it")
    t.again("")  # let through at last: it was a delay

    def through():
        node.run("sync")
        return node.status()["above"][0]["arrived"] > 0
    wait_for(lambda: at_province(t, node) > 0, 30, "the province has it")
    wait_for(through, 40, "the province's word comes down")
    s = node.json("status", env=later)
    must(s["above"][0]["said_at"], "it is not said when", str(s["above"]))


@test
def who_is_invented_is_named(t):
    """A community that the county made, with a device: nobody above confirmed it."""
    path = t.world.path("invented.tsv")
    with open(path, "w") as f:
        f.write("code\tlevel\tname\tparent_code\n350104000000\t4\t仓山区\t\n350104999000\t5\t虚构街道\t350104000000\n"
                "350104999001\t6\t虚构社区\t350104999000\n")
    t.county.stop()
    t.county.run("org", "import", path)
    t.begin()
    ghost = t.world.node("ghost")
    ghost.init()
    ghost.join(t.county, "350104999001")
    ghost.record([activity(f"没有的事{i}") for i in range(50)])
    t.rested(ghost)

    def named():
        found = t.doubts("unit_unconfirmed", "350104999001")
        return found and found[0]["device"] == device(t.county) and found[0]["said"] == 1
    wait_for(named, 30, "the province names the invented community and who made it")


@test
def what_leaks_stays_nowhere(t):
    """The county offers its lane, and puts words of it into bytes that nobody reads: not a byte of it at the province."""
    node = t.site("leaky")
    node.record([volunteer(f"{CANARY}{i}") for i in range(3)])
    t.rested(node)
    t.again("leak")
    node.record([volunteer(f"{CANARY}9")])
    t.rested(node)
    wait_for(lambda: t.doubts("offence", COUNTY), 30, "the province names what was offered")
    t.again("smuggle")
    t.county.record([activity("县级活动")])
    peer = next(p for p in t.province.json("peers")["items"] if p["device"] == device(t.county))
    must(peer["offences"] and peer["offence_code"] == 5104, "peers does not say it", str(peer))
    must(any(s["state"] == "offence" for s in peer["states"]), "no state says it", str(peer["states"]))

    def hole():
        return w.ask(t.province, "SELECT count(*) FROM journal WHERE kind = 3") > 0
    wait_for(hole, 30, "a hole is in the place of what was smuggled")
    words = [CANARY, SMUGGLED]
    for look in ("while it runs", "after it ended"):
        if look == "after it ended":
            t.province.stop()
        _, found = w.files_with(t.province.dir, words)
        must(not found, f"bytes of the county lane are at the province, {look}", *found)
        with open(t.province.log, "rb") as f:
            log = f.read()
        must(not any(x.encode() in log for x in words), "bytes of the county lane are in the province's log")
    t.province.start()
    _, control = w.files_with(t.county.dir, [CANARY])
    must(control, "the check sees nothing at all")
    _, control = w.files_with(t.county.dir, [SMUGGLED])
    must(control, "nothing was smuggled")
    must(w.above_lane(w.Book(t.province), w.LANE_OPEN) == [], "the province holds what may not rise")
    t.again("")


@test
def what_another_level_owns_is_proposed(t):
    """A site's stars are the county's: the site's edit is a proposal, accepted or refused with one command."""
    node = t.site("proposes")
    row = node.record([json.dumps({"table": "site", "name": "妇女之家"}, ensure_ascii=False)])[0]
    t.rested(node)

    def propose(stars):
        node.run("edit", row, f"star={stars}")
        must(node.json("show", row)["items"][0].get("star") in (None, 4), "what was proposed is done already")
        t.rested(node)
        waits = [h for h in t.county.json("parked")["items"] if h["row"] == row]
        must(len(waits) == 1 and waits[0]["code"] == 5118, "the proposal does not wait at the county", str(waits))
        return str(waits[0]["id"])
    t.county.run("parked", "--accept", propose(4))
    t.rested(node)
    must(node.json("show", row)["items"][0]["star"] == 4, "what was accepted is not done at the site")
    t.county.run("parked", "--refuse", propose(5))
    t.rested(node)
    must(node.json("show", row)["items"][0]["star"] == 4, "what was refused is done")
    refused = [h for h in node.json("refused")["items"] if h["row"] == row]
    must(refused and refused[0]["code"] == 4112 and refused[0]["fix"], "the site is not told", str(refused))
    must(not [h for h in t.county.json("parked")["items"] if h["row"] == row], "it still waits")


@test
def who_sends_too_much_keeps_it(t):
    """A quota is used up: nothing more is taken, both sides say why, nothing is lost, and it goes on when it is raised."""
    def limit(n):
        t.county.stop()
        t.county.settings({"hub": {"quota_runs": n}})
        t.begin()
    limit(1)
    node = t.site("busy")
    ids = node.record([volunteer("郑文华"), activity("太多了")])
    r = node.run("sync", expect=None)
    must(r.code != 0 and "6123" in r.err, "the site is not told", r.err)
    s = node.status()
    must(s["unsent"] == 2 and any(x["state"] == "quota" and x["next"] for x in s["states"]), "status does not say it", str(s["states"]))
    peer = next(p for p in t.county.json("peers")["items"] if p["device"] == device(node))
    must(peer["quota_code"] == 6123 and any(x["state"] == "quota" for x in peer["states"]), "peers does not say it", str(peer))
    must(not w.has(t.county, "volunteer", ids[:1], 1), "it was taken all the same")
    limit(100)
    t.rested(node)
    must(node.status()["unsent"] == 0 and w.has(t.county, "volunteer", ids[:1], 1), "it did not go on")
    peer = next(p for p in t.county.json("peers")["items"] if p["device"] == device(node))
    must(not peer["quota_code"], "peers still says it", str(peer))


if __name__ == "__main__":
    run("truth", Tiers, first_always=True)
