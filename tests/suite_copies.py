#!/usr/bin/env python3
"""suite_copies.py - a county's data directory is copied while it is stopped; both copies run, on two ports, and sites meet
one, the other, or both.  Prints `ok NAME` or `not ok NAME`.  Uses 127.0.0.1 only; ends what it started, and only that.
"""
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import world as w  # noqa: E402
from lines import activity, volunteer  # noqa: E402
from region import Region, SITE_B  # noqa: E402
from suite import run, test  # noqa: E402
from world import must, wait_for  # noqa: E402

REFUSED, PARTLY = 4, 10


def states(items):
    return [s["state"] for s in items["states"]]


class Two(Region):
    """A province, a county and its copy, two sites."""

    def __init__(self, world):
        super().__init__(world)
        self.copy = world.hub("copy")
        self.ports = self.county_port, world.port()

    def at(self, node, port):
        """From now on the site goes to this copy."""
        path = os.path.join(node.dir, "jinguo.ini")
        with open(path) as f:
            lines = [l for l in f.read().splitlines() if not l.startswith("parent =")]
        at = lines.index("[link]") + 1
        lines.insert(at, f"parent = tcp://127.0.0.1:{port}")
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")

    def sync(self, node, port, expect=0):
        self.at(node, port)
        return node.run("sync", "--timeout", "20", expect=expect)

    def restore(self, hub, backup):
        """As people do: the file of a backup put in the place of the database of a program that is stopped."""
        for end in ("", "-wal", "-shm"):
            if os.path.exists(os.path.join(hub.dir, "jinguo.db" + end)):
                os.remove(os.path.join(hub.dir, "jinguo.db" + end))
        shutil.copy(backup, os.path.join(hub.dir, "jinguo.db"))


@test
def both_copies_run_and_are_found(t):
    """The province meets them in turns: both stop taking, and say why; the sites keep their work."""
    t.county.stop()
    shutil.copytree(t.county.dir, t.copy.dir, dirs_exist_ok=True)
    with open(os.path.join(t.copy.dir, "jinguo.ini")) as f:
        ini = f.read().replace(str(t.ports[0]), str(t.ports[1]))
    with open(os.path.join(t.copy.dir, "jinguo.ini"), "w") as f:
        f.write(ini)
    t.county.start()
    t.copy.start()
    t.only_a = t.a.record([volunteer("陈桂兰")])
    t.only_b = t.b.record([volunteer("林秀英")])
    wait_for(lambda: "stopped" in states(t.county.status()), 30, "the county knows of its copy")
    wait_for(lambda: "stopped" in states(t.copy.status()), 30, "the copy knows of the county")
    for hub in (t.county, t.copy):
        s = hub.status()
        must(s["lamp"] == "identity" and s["colour"] == "red" and not s["complete"], f"{hub.name} says {s['lamp']}")
        must(any("survive" in x["next"] for x in s["states"]), f"{hub.name} does not say what to do", str(s["states"]))
        teller = t.province.status()["device"]
        must(s["copied_told_by"]["device"] == teller and s["copied_told_by"]["org"], f"{hub.name} does not say who told it", str(s))
        must(any(teller in line and "next" not in line for line in hub.run("status").out.splitlines()),
             f"{hub.name}: status does not print who told it on a line of its own", hub.run("status").out)
    for port in t.ports:
        r = t.sync(t.a, port, expect=REFUSED)
        must("4115" in r.err, "the site is not told why", r.err)
    must(t.a.status()["unsent"] > 0, "the site believes that it sent something")
    device = t.county.status()["device"]
    peer = next(p for p in t.province.json("peers")["items"] if p["device"] == device)
    must("copied" in states(peer) and peer["runs_alive"] == 2, "the province does not name the county", str(peer))
    must(device in t.province.run("peers").out, "peers does not print it")


@test
def one_is_named_and_the_other_refused(t):
    """Whatever is restarted."""
    must(t.county.run("survive", "--no-input", expect=None).code != 0, "survive goes on unasked")
    t.county.run("survive", "--yes")
    wait_for(lambda: not t.county.status()["states"] or "stopped" not in states(t.county.status()), 10, "it goes on")
    t.sync(t.a, t.ports[0])
    must(w.has(t.county, "volunteer", t.only_a, 1), "the county does not have what the site kept")
    r = t.sync(t.a, t.ports[1], expect=REFUSED)
    must("4115" in r.err or "4116" in r.err, "the copy takes the site's work", r.err)
    t.copy.stop()
    t.county.stop()
    t.county.start()
    wait_for(lambda: t.county.status()["own_complete"], 30, "the county is complete")
    t.copy.start()
    wait_for(lambda: "set_aside" in states(t.copy.status()), 30, "the copy learns that it was set aside")
    must("4116" in t.sync(t.b, t.ports[1], expect=REFUSED).err, "the copy does not say that it was set aside")
    must(t.county.run("status").code == 0 and t.county.status()["survivor"], "the county does not say that it was named")


@test
def what_the_copy_holds_is_handed_in(t):
    """Its own records, and those of a site that only it had met, without loss; cut and repeated."""
    own = t.copy.record([volunteer("郑文华")])
    path = t.world.path("copy.jgb")
    out = t.copy.json("hand-out", path)
    must(out["entries"] > 0 and os.path.exists(path), "nothing was written")
    t.copy.run("hand-out", path, expect=5)  # it overwrites nothing
    with open(path, "rb") as f:
        whole = f.read()
    cut = t.world.path("cut.jgb")
    with open(cut, "wb") as f:
        f.write(whole[:len(whole) * 2 // 3])
    must("7103" in t.county.run("hand-in", cut, expect=REFUSED).err, "a cut file is taken for a whole one")
    first = t.county.json("hand-in", path)
    again = t.county.json("hand-in", path)
    must(first["whole"] and not first["refused"] and again["new"] == 0, "it is not taken once", str(first), str(again))
    t.copy.run("hand-in", path, expect=REFUSED)  # not at the one that was set aside
    must(w.has(t.county, "volunteer", own, 1), "the copy's own record is not at the county")
    t.copy.stop()
    t.sync(t.b, t.ports[0])
    must(w.has(t.county, "volunteer", t.only_b, 1), "the other site's work is not at the county")
    wait_for(lambda: w.corrected(t.county), 30, "the county has stated its corrections")
    wait_for(lambda: w.heads_said(t.province), 30, "the province has said what came")
    for node in (t.a, t.b):
        t.sync(node, t.ports[0])
        t.sync(node, t.ports[0])
        s = node.status()
        must(s["complete"], f"{node.name} says: {s['lamp_text']}")
    wait_for(lambda: t.county.status()["own_complete"], 30, "the county is complete")
    county = w.Book(t.county)
    for node in (t.a, t.b):
        book = w.Book(node)
        rows, bad = w.differences(book, county, (0, 1), {book.unit(node.code, 6)})
        must(not bad and rows, f"{node.name} and the county differ", *bad)
    rows, bad = w.differences(county, w.Book(t.province), (0,), set(county.scopes.values()))
    must(not bad and rows, "county and province differ", *bad)
    t.county.run("verify")


@test
def a_restored_county_is_not_stopped(t):
    """One copy alone, from a backup: it gets everything back and says so meanwhile."""
    backup = t.world.path("county.db")
    t.county.run("backup", backup)
    late = t.a.record([volunteer("王丽珍")])
    t.sync(t.a, t.ports[0])
    must(w.has(t.county, "volunteer", late, 1), "the county does not have it")
    t.county.stop()
    t.restore(t.county, backup)
    t.province.stop()  # it would give the county its journal back, and the site would find nothing amiss
    t.county.start()
    t.sync(t.a, t.ports[0])
    must(w.has(t.county, "volunteer", late, 1), "the site did not bring it back")
    t.province.start()
    wait_for(lambda: t.county.status()["own_complete"], 30, "the county is complete again")
    must("stopped" not in states(t.county.status()), "a restored county was stopped")
    peer = next(p for p in t.county.json("peers")["items"] if p["device"] == t.a.status()["device"])
    must(peer["restored_at"] and not peer["copied_since"], "nobody says that it was restored", str(peer))


@test
def a_restored_county_takes_up_whom_it_forgot(t):
    """A site that was enrolled after the backup shows its certificate; another's certificate helps nobody."""
    backup = t.world.path("before.db")
    t.county.run("backup", backup)
    late = t.world.node("late")
    late.init()
    late.join(t.county, SITE_B)
    row = late.record([volunteer("陈秀兰")])
    t.sync(late, t.ports[0])
    t.county.stop()
    t.restore(t.county, backup)
    t.province.stop()  # which would bring the certificate back
    t.county.start()
    device = late.status()["device"]
    must(device not in [p["device"] for p in t.county.json("peers")["items"]], "the backup knows the site")
    t.sync(late, t.ports[0])
    must(device in [p["device"] for p in t.county.json("peers")["items"]], "the site was not taken up")
    must(w.has(t.county, "volunteer", row, 1), "what the site had recorded did not come back")
    t.province.start()


@test
def backups_of_two_lines_are_told_from_copies_by_a_person(t):
    """A province that goes back to a backup, and then to one that it made on another way from there, looks as if two were
    alive; once a person has said that it is one, it gets all of its own work again."""
    province = t.province
    backups = {name: t.world.path(f"province-{name}.db") for name in ("one", "two")}
    made = []

    def works(count):
        made.extend(province.record([activity("义诊") for _ in range(count)]))
        wait_for(lambda: w.has(t.county, "activity", made, 0), 30, "the county has what the province wrote")

    def back_to(name):
        province.stop()
        t.restore(province, backups[name])
        province.start()

    def has_all():
        return w.has(province, "activity", made, 0)
    works(2)
    province.run("backup", backups["one"])
    works(3)
    back_to("one")
    wait_for(has_all, 30, "the county gives back what is lost")
    works(4)
    province.run("backup", backups["two"])
    works(5)
    back_to("one")
    wait_for(has_all, 30, "the county gives back what is lost again")
    works(6)
    back_to("two")
    wait_for(lambda: "stopped" in states(province.status()), 30, "the province looks copied")
    province.run("survive", "--yes")
    t.county.stop()  # it would look again within a minute
    t.county.start()
    wait_for(has_all, 30, "the province has its own work")
    wait_for(lambda: t.county.status()["own_complete"], 30, "the county is complete")
    must("stopped" not in states(province.status()), "the province is stopped still")


@test
def three_of_one_device_take_turns(t):
    """A site's directory is copied twice and all three run: whoever has lost its place at the county comes again by itself."""
    t.b.stop()
    copies = [t.b, t.world.node("copy_b2"), t.world.node("copy_b3")]
    for c in copies[1:]:
        shutil.copytree(t.b.dir, c.dir, dirs_exist_ok=True)
    for c in copies:
        t.at(c, t.ports[0])
        c.start()
    device = t.b.status()["device"]

    def seen_by_all(rows):
        peer = next(p for p in t.county.json("peers")["items"] if p["device"] == device)
        if peer["held"]:
            t.county.run("peers", "--release", device, "--reason", "test", expect=(0, 3))
        return all(w.has(c, "volunteer", rows, 1) for c in copies)
    for writer in copies:
        rows = writer.record([volunteer("张秀梅")])
        wait_for(lambda rows=rows: seen_by_all(rows), 60, f"all three have what {writer.name} wrote")
    for c in copies:
        c.stop()


if __name__ == "__main__":
    run("copies", Two, first_always=True)
