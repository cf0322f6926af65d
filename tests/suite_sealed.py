#!/usr/bin/env python3
"""suite_sealed.py - restricted cases: what a liaison seals at a village, officers at the county read, and nobody else, anywhere.

A province, a county, two sites.  The officers of the county use the node's program on the hub's directory: the hub's own has no
code that opens an envelope.  Every byte of every directory is searched for what was sealed.
"""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import world as w  # noqa: E402
from region import Region  # noqa: E402
from suite import run, test  # noqa: E402
from world import must, wait_for  # noqa: E402

NOT_FOUND, REFUSED, CONFLICT, NO_PERMISSION = 3, 4, 5, 8
PEOPLE = {"people": {"argon_kib": 8, "argon_passes": 1}}
# Nothing else in the world says this.
CANARY = "密封金丝雀7391当事人说"
CONTENT = f"kind=report\ntext={CANARY}\\n第二行\npersons={CANARY}甲\nreported_police=2025-03-08T09:30\nwarning_letter=1\n"
REASON = "专员离职,当事人有危险"


class Sealed(Region):
    def __init__(self, world):
        super().__init__(world, everywhere=PEOPLE)
        self.desk = world.node("county")  # the node's program on the hub's directory
        for node, people in ((self.a, (("lin", "head"), ("zhou", "liaison"), ("chen", "recorder"))),
                             (self.county, (("gao", "admin"), ("shen", "rights"), ("lu", "rights")))):
            first = None
            for login, role in people:
                node.run("account", "add", login, "--roles", role, text=f"{login}-password\n", env=first)
                env = self.as_person(login)
                node.run("login", login, text=f"{login}-password\n", env=env)
                first = first or env
        self.case = None

    def as_person(self, login):
        return {**self.world.env, "JINGUO_SESSION": self.world.path(f"session-{login}")}

    def certify(self, place, *words, env=None):
        asked = place.json("officer", "request", *words, env=env)
        self.province.run("officer", "certify", asked["request"], "--code", asked["code"])
        return asked

    def officers(self, node, login):
        return {o["role"]: o for o in node.json("officer", "list", env=self.as_person(login) if login else None)["items"]}

    def settle(self):
        """The site's work is at the county, and what the province says is at the site."""
        wait_for(lambda: self.a.run("sync").code == 0 and self.a.status()["complete"], 30, "the site and the county agree")

    def read(self, login, *words, expect=0):
        return self.desk.run("case", "open", self.case, *words, "--json", env=self.as_person(login), expect=expect)


@test
def nothing_is_sealed_to_nobody(t):
    a, zhou = t.a, t.as_person("zhou")
    t.case = a.run("record", "restricted_case", "case_no=2025-001", "act=B3", "risk=high", "state=open", env=zhou).out.strip()
    r = a.run("case", "seal", t.case, text=CONTENT, env=zhou, expect=REFUSED)
    must("3110" in r.err, "something is sealed to nobody", r.err)


@test
def the_province_certifies(t):
    shen = t.as_person("shen")
    t.safe = t.world.path("safe.key")
    t.county.run("recovery", "init", t.safe)
    asked = t.county.json("officer", "request", env=shen)
    must(asked["role"] == "rights" and len(asked["code"]) == 6, "the request", str(asked))
    wrong = f"{(int(asked['code']) + 1) % 1000000:06}"
    t.province.run("officer", "certify", asked["request"], expect=REFUSED)
    r = t.province.run("officer", "certify", asked["request"], "--code", wrong, expect=REFUSED)
    must("4103" in r.err, "a wrong code will do", r.err)
    r = t.county.run("officer", "certify", asked["request"], "--code", asked["code"], env=t.as_person("gao"), expect=NO_PERMISSION)
    must("4113" in r.err, "a county certifies its own officers", r.err)
    t.county.run("officer", "request", env=t.as_person("gao"), expect=NO_PERMISSION)
    t.province.run("officer", "certify", asked["request"], "--code", asked["code"])
    t.certify(t.county, "--recovery", t.safe, env=shen)
    t.certify(t.a, env=t.as_person("zhou"))
    wait_for(lambda: t.a.run("sync").code == 0 and len(t.officers(t.a, "zhou")) == 3, 30, "the site hears of the officers")
    must(all(o["code"] is None for o in t.officers(t.a, "zhou").values()), "one of them is not believed")


@test
def a_liaison_seals(t):
    a, zhou = t.a, t.as_person("zhou")
    must("1105" in a.run("case", "seal", t.case, text="kind=visit\n", env=zhou, expect=REFUSED).err, "a record without a text")
    must("8104" in a.run("case", "seal", t.case, text="kind=visit\ntext=x\nphone=1\n", env=zhou, expect=None).err, "any field")
    a.run("case", "seal", t.case, text=CONTENT, env=t.as_person("chen"), expect=NO_PERMISSION)  # a recorder
    a.run("case", "seal", t.case, text=CONTENT, env=t.as_person("lin"), expect=NO_PERMISSION)  # who keeps the machine
    a.run("case", "seal", t.case, text=CONTENT, env={**t.world.env, "JINGUO_SERVICE": "1"}, expect=NO_PERMISSION)
    t.row = a.run("case", "seal", t.case, text=CONTENT, env=zhou).out.strip()
    a.run("case", "seal", t.case, text="kind=visit\ntext=第二次走访\n", env=zhou)
    r = a.run("record", "case_record", f"of={t.case}", "sealed=00", env=zhou, expect=REFUSED)
    must("1120" in r.err and "case_record.sealed" in r.err, "a record writes into the sealed lane", r.err)
    r = a.run("record", "broken_glass", "by=00", "reason=x", "records=1", env=zhou, expect=NO_PERMISSION)
    must("4113" in r.err, "a record says that a glass was broken", r.err)
    t.settle()
    must(w.ask(t.county, "SELECT count(*) FROM case_record") == 2, "the county does not have it")
    must(w.ask(t.province, "SELECT count(*) FROM case_record") == 0, "the province has it")
    must(w.ask(t.b, "SELECT count(*) FROM case_record") == 0, "another site has it")
    shown = a.json("show", t.row, env=zhou)["items"][0]
    must(len(str(shown["sealed"])) < 40, "show prints an envelope", str(shown)[:200])


@test
def an_officer_reads(t):
    said = t.read("shen").json()["items"]
    first = next(i for i in said if i["id"] == t.row)
    must(len(said) == 2 and all(i["opened"] and i["signed"] and i["certified"] for i in said), "what an officer reads", str(said))
    must(first["content"]["text"] == CANARY + "\n第二行" and first["content"]["warning_letter"] is True, "not what was sealed", str(first))
    must(first["by_name"] == "zhou", "it does not say whose word it is", str(first))
    own = t.a.json("case", "open", t.case, env=t.as_person("zhou"))["items"]
    must(len(own) == 2 and all(i["opened"] for i in own), "the liaison does not read what she sealed", str(own))
    text = t.desk.run("case", "open", t.case, env=t.as_person("shen")).out
    must(CANARY in text, "people are shown nothing", text)


@test
def another_does_not(t):
    r = t.read("lu", expect=NO_PERMISSION)  # a rights officer that nobody certified
    must("4120" in r.err and CANARY not in r.out + r.err, "somebody reads what is not closed to her", r.err)
    t.read("gao", expect=NO_PERMISSION)  # who keeps the machine
    t.a.run("case", "open", t.case, env=t.as_person("chen"), expect=NO_PERMISSION)
    r = t.desk.run("case", "open", t.case, "--service", expect=NO_PERMISSION)
    must(CANARY not in r.out + r.err, "the service reads")


@test
def every_reading_is_noted(t):
    said = t.county.json("trail", env=t.as_person("gao"))["items"]
    reads = [r for r in said if r["verb"] == "read" and r["table"] == "case_record"]
    must(len(reads) == 4 and all(r["name"] == "shen" for r in reads), "readings at the county", str(reads))
    must(t.row in [r["id"] for r in reads], "it does not say what was read")
    must(any(r["verb"] == "denied" and r["code"] == 4120 and r["name"] == "lu" for r in said), "who tried is not noted", str(said[-4:]))
    at_site = t.a.json("trail", env=t.as_person("lin"))["items"]
    must(sum(r["verb"] == "read" and r["table"] == "case_record" for r in at_site) == 2, "readings at the site", str(at_site[-4:]))
    must(not any(CANARY in str(r) for r in said + at_site), "the trail repeats what was read")


@test
def one_who_came_later(t):
    """Certified now; what was there is given to her by an officer who can open it, and the old envelope stays as it is."""
    before = w.ask(t.county, "SELECT hex(sealed) FROM case_record ORDER BY id LIMIT 1")
    t.certify(t.county, env=t.as_person("lu"))
    wait_for(lambda: len(t.desk.json("officer", "list", env=t.as_person("lu"))["items"]) == 4, 20, "the county hears of her")
    t.read("lu", expect=NO_PERMISSION)  # a certificate opens nothing
    r = t.desk.run("case", "rewrap", t.case, env=t.as_person("lu"), expect=NO_PERMISSION)
    must("4120" in r.err, "who cannot open re-wraps", r.err)
    must(t.desk.json("case", "rewrap", t.case, env=t.as_person("shen")) == {"rewrapped": 2, "closed": 0}, "re-wrapping")
    must(t.desk.json("case", "rewrap", t.case, env=t.as_person("shen"))["rewrapped"] == 0, "it is done twice")
    said = t.read("lu").json()["items"]
    must(len(said) == 2 and all(i["opened"] for i in said), "she does not read it", str(said))
    must(w.ask(t.county, "SELECT hex(sealed) FROM case_record ORDER BY id LIMIT 1") == before, "the envelope was touched")


@test
def one_who_left(t):
    key = next(o["officer"] for o in t.desk.json("officer", "list", env=t.as_person("lu"))["items"] if o["name"] == "lu")
    t.county.run("officer", "revoke", key, "--reason", "x", env=t.as_person("gao"), expect=NOT_FOUND)
    t.province.run("officer", "revoke", key, "--reason", "离职")
    wait_for(lambda: t.a.run("sync").code == 0 and any(o["officer"] == key and o["code"] == 4114 for o in
                                                       t.a.json("officer", "list", env=t.as_person("zhou"))["items"]),
             30, "the site hears that she left")
    t.a.run("case", "seal", t.case, text="kind=visit\ntext=离职之后\n", env=t.as_person("zhou"))
    t.settle()
    said = t.read("lu").json()["items"]
    must([i["opened"] for i in said].count(True) == 2 and len(said) == 3, "what was sealed after she left is open to her", str(said))


@test
def breaking_the_glass(t):
    gao = t.as_person("gao")
    t.desk.run("case", "open", t.case, "--recovery", t.safe, env=gao, expect=None)
    must(w.ask(t.county, "SELECT count(*) FROM broken_glass") == 0, "it opens without a reason")
    wrong = t.world.path("wrong.key")
    t.county.run("recovery", "init", wrong)
    r = t.desk.run("case", "open", t.case, "--recovery", wrong, "--reason", REASON, env=gao, expect=NO_PERMISSION)
    must("4120" in r.err, "any recovery key will do", r.err)
    said = t.desk.json("case", "open", t.case, "--recovery", t.safe, "--reason", REASON, env=gao)["items"]
    must(len(said) == 3 and all(i["opened"] for i in said), "the recovery key does not open it", str(said))
    must(CANARY in str(said), "not what was sealed")
    wait_for(lambda: w.ask(t.province, "SELECT count(*) FROM broken_glass WHERE reason = ?", REASON) == 2, 20,
             "every level above reads why")
    trail = t.county.json("trail", env=gao)["items"]
    must(sum(r["verb"] == "read" and r["table"] == "case_record" and r["name"] == "gao" for r in trail) == 3, "it is not noted")


@test
def a_hub_has_no_code_for_it(t):
    def symbols(program):
        return subprocess.run(["nm", program], capture_output=True, check=True, text=True).stdout
    hub, node = symbols(w.HUB), symbols(w.NODE)
    must(" envelope_parse" in hub, "nm shows nothing")
    for name in ("unseal_key", "unseal_content", "dossier_parse", "commands_case"):
        must(f" {name}" in node, f"{name} is not what it is called any more")
        must(f" {name}" not in hub, f"the hub has {name}")
    r = t.county.run("case", "open", t.case, env=t.as_person("shen"), expect=None)
    must("8102" in r.err, "the hub's program opens cases", r.err)


@test
def no_byte_of_it_anywhere(t):
    t.a.run("verify")
    t.county.stop()
    t.province.stop()
    looked, reasons = 0, set()  # a reason is said in the open: who finds that would find the other
    for top, _, names in [x for d in (t.world.dir, t.world.witness) if d for x in os.walk(d)]:
        for name in names:
            if name.endswith(".in"):
                continue
            with open(os.path.join(top, name), "rb") as f:
                data = f.read()
            looked += 1
            if REASON.encode() in data:
                reasons.add(os.path.basename(top))
            must(CANARY.encode() not in data, f"what was sealed lies in {name} of {top}")
    must(looked > 20 and {"county", "province"} <= reasons, f"{looked} files were looked at, and the reason is in {reasons}")


if __name__ == "__main__":
    run("sealed", Sealed)
