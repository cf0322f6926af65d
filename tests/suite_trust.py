#!/usr/bin/env python3
"""suite_trust.py [NAME...] - enrolment and identity with real processes: the offline root and its spare, invitations, renewal.
Prints `ok NAME` or `not ok NAME`.  Uses 127.0.0.1 only; ends what it started, and only that.
"""
import json
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import world as w  # noqa: E402
from lines import activity, volunteer  # noqa: E402
from region import Region, SITE_A, SITE_B, SITE_C  # noqa: E402
from suite import run, test  # noqa: E402
from world import must, wait_for  # noqa: E402

REFUSED, UNREACHABLE = 4, 6


class Tiers(Region):
    """A province, a county, a site."""

    def __init__(self, world):
        super().__init__(world, sites={"a": SITE_A})


@test
def the_root_stays_offline(t):
    """No byte of its secret is at the province; without it the province works, with another it does not start."""
    with open(t.province.root_file) as f:
        secret = f.read().strip()
    with open(t.province.root_file + ".spare") as f:
        spare = f.read().strip()
    must(secret != spare and t.made["root"] != t.made["spare"], "root and spare are one")
    _, found = w.files_with(t.province.dir, [secret[5:60], spare[5:60]])
    must(not found, "the province holds a root", found)
    other = t.world.hub("other")
    other.init("--listen", f"tcp://127.0.0.1:{t.world.port()}")
    request, answer = t.world.path("o.request"), t.world.path("o.answer")
    other.run("root", "request", request)
    other.run("root", "sign", t.province.root_file, request, answer)
    r = other.run("root", "take", answer, "--fingerprint", t.made["spare"], expect=REFUSED)
    must("4109" in r.err, "another root than the one on paper is taken", r.err)
    must("4109" in t.province.run("root", "take", answer, expect=REFUSED).err, "an answer for another hub is taken")


@test
def the_spare_root_takes_over(t):
    """While all run: the province is certified by the spare, and everybody follows; the first root is out."""
    before = t.province.status()["valid_to"]
    taken = t.province.certify(t.province.root_file + ".spare", None, "--days", "900")
    must(taken["renewed"] and taken["root"] == t.made["spare"], "it was not the spare", str(taken))
    must(t.province.status()["valid_to"] != before, "the certificate is the old one")
    must("4109" in answer_of(t, t.province.root_file).err, "the first root still certifies")
    ids = t.a.record([activity("植树")])
    t.a.run("sync")
    wait_for(lambda: w.has(t.province, "activity", ids, 0), 20, "what a site records is at the province")
    spare = bytes.fromhex(t.made["spare"])[:16]
    for place in (t.county, t.a):
        def follows(p=place):
            if p is t.a:
                p.run("sync")
            return w.ask(p, "SELECT count(*) FROM cert WHERE origin = ?", spare) == 1
        wait_for(follows, 20, f"{place.name} knows the spare")
    t.b = t.node("b", SITE_B)
    must(t.b.json("sync")["agreed"], "who joins below the spare does not sync")


@test
def a_county_moves_and_its_sites_follow(t):
    """Its new address is in its certificate before it moves; afterwards the sites find it and remember."""
    old, new = t.county_port, t.world.port()
    t.county.stop()
    t.county.settings({"link": {"public": f"tcp://127.0.0.1:{new}"}})
    t.county.start()
    def known():
        t.a.run("sync")
        return w.ask(t.a, "SELECT count(*) FROM cert WHERE instr(body, ?)", f"tcp://127.0.0.1:{new}".encode()) > 0
    wait_for(known, 20, "the site knows the new address")
    t.county.stop()
    set_listen(t.county, new)
    t.county.start()
    ids = t.a.record([volunteer("陈桂兰")])
    r = t.a.run("sync", "--timeout", "30")
    must(w.has(t.county, "volunteer", ids, 1), "the county that moved does not have it", r.err)
    with open(os.path.join(t.a.dir, "jinguo.ini")) as f:
        must(f"127.0.0.1:{new}" in f.read(), "the site does not remember where the county is")
    t.county_port = new


def set_listen(place, port):
    path = os.path.join(place.dir, "jinguo.ini")
    with open(path) as f:
        lines = [f"listen = tcp://127.0.0.1:{port}" if l.startswith("listen =") else l for l in f.read().splitlines()]
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")


def invitation(hub, code, *words):
    return hub.run("invite", "--org", code, "--role", "node", *words).out


@test
def a_printed_sheet_needs_a_telephone(t):
    """A thief with a copy comes first; the county lets in whose six digits it was told, and nobody else."""
    token = invitation(t.county, SITE_B, "--printed", "--qr")
    token, picture = token.splitlines()[-1], token.splitlines()[:-1]
    must(len(picture) > 20 and len({len(l) for l in picture}) == 1 and set("".join(picture)) <= set("█▀▄ "), "no picture")
    thief, real = t.world.node("thief"), t.world.node("real")
    codes = {}
    for node in (thief, real):
        node.init()
        for _ in range(2):  # asking again changes nothing
            r = node.run("join", "-", "--json", text=token, expect=REFUSED)
            error = json.loads(r.err.splitlines()[-1])["error"]
            must(error["code"] == 4117, "it is let in unasked", r.err)
            codes[node] = error["detail"]
    must(codes[thief] != codes[real] and len(codes[real]) == 6, "the digits are not of who asks", str(codes))
    must(len(t.county.json("invite", "--waiting")["items"]) == 2, "the county does not show who waits")
    must(codes[real] not in t.county.run("invite", "--waiting").out, "the digits are shown: they are to be told")
    t.county.run("invite", "--approve", codes[real])
    must("4102" in thief.run("join", "-", text=token, expect=REFUSED).err, "the thief gets in")
    real.run("join", "-", text=token)
    must(real.json("sync")["agreed"], "the approved one does not sync")
    must("4102" in thief.run("join", "-", text=token, expect=REFUSED).err, "the thief gets in afterwards")
    said = [t.county.run("invite", "--approve", "000000", expect=REFUSED).err if i < 5 else
            t.county.run("invite", "--approve", "000000", expect=None).err for i in range(6)]
    must(all("4103" in s for s in said[:5]) and "6105" in said[5], "six digits may be guessed", said[5])


@test
def one_invitation_one_device(t):
    """Two race; one on a command line is refused; wrong and guessed ones are refused with the reason, and noted."""
    token = invitation(t.county, SITE_C)
    racers = [t.world.node(f"racer{i}") for i in range(2)]
    for node in racers:
        node.init()
    must("8101" in racers[0].run("join", token, expect=2).err, "a secret on the command line is taken")
    processes = [node.begin("join", "-", text=token) for node in racers]
    codes = sorted(p.wait(30) for p in processes)
    must(codes == [0, REFUSED], f"of two devices with one invitation {codes} got in")
    loser = racers[0] if not racers[0].status()["joined"] else racers[1]
    must("4102" in loser.run("join", "-", text=token, expect=REFUSED).err, "it is used twice")
    guess = token.strip()
    noted = w.ask(t.county, "SELECT count(*) FROM trail")
    for i in range(3):
        fresh = invitation(t.province, SITE_C).strip()  # the county knows nothing of it
        with_county = change_endpoint(fresh, guess)
        r = loser.run("join", "-", text=with_county, expect=None)
        must(r.code != 0 and ("4105" in r.err or "4106" in r.err), "a secret that nobody gave is taken", r.err)
    must(w.ask(t.county, "SELECT count(*) FROM trail") >= noted + 3, "the county notes no guesses")


def change_endpoint(token, like):
    """The invitation with endpoint and key of another: what a guesser would send there."""
    import base64
    sys.path.append("/usr/lib/python3/dist-packages")
    import msgpack
    def parts(text):
        body = text[4:]
        return msgpack.unpackb(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), raw=False)
    a, b = parts(token), parts(like)
    a[0], a[1], a[2], a[3] = b[0], b[1], b[2], os.urandom(16)
    return "JG1-" + base64.urlsafe_b64encode(msgpack.packb(a)).decode().rstrip("=")


@test
def a_restored_hub_redeems_nothing_twice(t):
    """What was used in a time that its disk has forgotten is refused: before its parent gave back what it issued, and after."""
    token = invitation(t.county, SITE_B)
    t.county.stop()
    saved = t.world.path("saved")
    shutil.copytree(t.county.dir, saved)
    t.county.start()
    first, second = t.world.node("first"), t.world.node("second")
    first.init()
    second.init()
    first.run("join", "-", text=token)
    device = bytes.fromhex(first.status()["device"])
    wait_for(lambda: w.ask(t.province, "SELECT count(*) FROM cert WHERE origin = ?", device) == 1, 20,
             "the province knows the first")
    t.county.stop()
    t.province.stop()
    for name in os.listdir(t.county.dir):
        if name.startswith("jinguo.db"):
            os.remove(os.path.join(t.county.dir, name))
    shutil.copy(os.path.join(saved, "jinguo.db"), t.county.dir)
    t.county.start()
    r = second.run("join", "-", text=token, expect=None)
    must(r.code != 0 and "6105" in r.err, "it redeems before its parent has given back", r.err)
    t.province.start()

    def refused():
        return "4102" in second.run("join", "-", text=token, expect=None).err
    wait_for(refused, 30, "it knows that the invitation was used")
    must(not second.status()["joined"], "the second got in")
    fresh = invitation(t.county, SITE_B)
    second.run("join", "-", text=fresh)


@test
def a_restored_site_is_released_by_a_person(t):
    """Its disk goes back: what it has is taken at once, what is the county's it gets when somebody at the county says so."""
    site, other = t.node("site", SITE_A), t.a
    site.run("sync")
    saved = t.world.path("site.db")
    site.run("backup", saved)
    ids = other.record([volunteer("陈桂兰")])
    other.run("sync")
    wait_for(lambda: site.run("sync") and shown(site, ids[0]) == "陈桂兰", 20, "the site has what the other recorded")
    for name in os.listdir(site.dir):
        if name.startswith("jinguo.db"):
            os.remove(os.path.join(site.dir, name))
    shutil.copy(saved, os.path.join(site.dir, "jinguo.db"))
    own = site.record([activity("植树")])
    for _ in range(3):
        site.run("sync")
    device = site.status()["device"]
    peer = next(p for p in t.county.json("peers")["items"] if p["device"] == device)
    must(peer["held"], "the county does not hold it", str(peer))
    must("held" in [s["state"] for s in peer["states"]], "peers does not tell it as a state", str(peer["states"]))
    must("below_held" in [s["state"] for s in t.county.status()["states"]], "the county's status does not tell it")
    must(w.has(t.county, "activity", own, 0), "what it has is not taken")
    here = site.status()
    state = next((s for s in here["states"] if s["state"] == "held"), None)
    must(here["lamp"] == "identity" and state and "call the county" in state["next"], "the site is not told whom to call", str(here["states"]))
    must("restored" not in [s["state"] for s in here["states"]], "it is told that nothing is to do", str(here["states"]))
    must(shown(site, ids[0]) != "陈桂兰" and not site.status()["complete"], "it has what is the county's")
    t.county.run("peers", "--release", device, expect=2)  # not without a reason
    t.county.run("peers", "--release", device, "--reason", "电话核对过")
    wait_for(lambda: site.run("sync") and shown(site, ids[0]) == "陈桂兰", 20, "the released site gets the rest")
    must(site.json("sync")["agreed"], "both sides do not agree")
    must("held" not in [s["state"] for s in site.status()["states"]], "a released site is told that it waits")
    must("below_held" not in [s["state"] for s in t.county.status()["states"]], "the county goes on telling it")


def shown(place, row):
    return w.ask(place, "SELECT name FROM volunteer WHERE id = ?", bytes.fromhex(row.replace("-", "")))


NO_PERMISSION = 7


@test
def a_stolen_computer_is_retired(t):
    """While it is online: its link ends; what had come stays and is listed; its unsent work comes from its disk and waits."""
    stolen = t.node("stolen", SITE_C)
    device = stolen.status()["device"]
    before = stolen.record([volunteer("陈桂兰"), activity("义诊")])
    stolen.run("sync")
    stolen.start()
    r = t.county.json("revoke", device, "--reason", "电脑被盗", "--since", "2020-01-01")
    must({x["id"] for x in r["review"]} >= set(before), "what came since the theft is not listed", str(r))
    wait_for(lambda: stolen.status()["lamp"] == "revoked", 20, "the computer hears that it is retired")
    stolen.stop()
    unsent = stolen.record([volunteer("林秀英")])
    r = stolen.run("sync", expect=None)
    must(r.code != 0 and "4114" in r.err, "it still syncs", r.err)
    must("4114" in t.county.run("revoke", device, "--reason", "再次", expect=None).err, "it is retired twice")
    must(t.county.run("revoke", "00" * 16, "--reason", "x", expect=3), "a device that nobody knows is retired")
    must(w.has(t.county, "volunteer", before[:1], 1), "what had been taken is gone")
    for hub in (t.county, t.province):
        wait_for(lambda h=hub: any(x["device"] == device and x["reason"] == "电脑被盗" for x in h.json("revoked")["items"]),
                 20, f"{hub.name} knows of it")
    path = t.world.path("stolen.jgb")
    stolen.run("hand-out", path)
    t.county.run("hand-in", path)
    held = [p for p in t.county.json("parked")["items"] if p["code"] == 4114]
    must(held and not w.has(t.county, "volunteer", unsent, 1), "what it had not sent does not wait for a person", str(held))
    mine = [p for p in held if p["row"] == unsent[0]]
    for p in mine:
        t.county.run("parked", "--retry", str(p["id"]))
    must(w.has(t.county, "volunteer", unsent, 1), "a person cannot let it in", str(mine))


@test
def what_runs_out_uploads_and_is_renewed(t):
    """County and site live two years later, once before the site's certificate has run out and once after."""
    before = t.a.status()["valid_to"]
    must(os.path.exists(w.FAKETIME), "libfaketime is missing: deploy/deps test")
    plain = t.world.env
    for days in (600, 950):
        try:
            t.county.stop()
            t.province.stop()
            t.world.env = w.faked(t.world.env, FAKETIME=f"+{days}d")
            t.province.start()
            t.county.start()
            t.county_valid = t.county.status()["valid_to"]
            ids = t.a.record([volunteer(f"林秀英{days}")])
            t.a.run("sync", "--timeout", "30")
            must(w.has(t.county, "volunteer", ids, 1), f"what is written {days} days later does not arrive")

            def renewed():
                t.a.run("sync", "--timeout", "30")
                return t.a.status()["valid_to"] != before
            wait_for(renewed, 30, f"the certificate is renewed {days} days later")
            before = t.a.status()["valid_to"]
            must(t.a.json("sync")["agreed"], "both sides do not agree")
        finally:
            t.world.env = plain
            if days == 600:
                t.province.certify(t.province.root_file + ".spare", None, "--days", "3000")
    t.county.stop()
    t.province.stop()
    t.province.start()
    t.county.start()


def answer_of(t, root_file):
    request, answer = t.world.path("x.request"), t.world.path("x.answer")
    t.province.run("root", "request", request)
    t.province.run("root", "sign", root_file, request, answer)
    return t.province.run("root", "take", answer, expect=REFUSED)


if __name__ == "__main__":
    run("trust", Tiers)
