"""ledger.py - what was acknowledged, and where it is: the outside reader of tests/campaign.py.

Python's sqlite3 and the system's libzstd, no code of the engine.  Every acknowledged thing carries a word of its own in
each lane (`cw` lane author number), so that its presence in a journal or an open tail can be seen without decoding
either: bodies hold texts as they are.
"""
import contextlib
import os
import re
import shutil
import sqlite3
import tempfile

import rest
import world as w
from world import must

WORD = re.compile(rb"cw[01]\d\dx\d{7}")


@contextlib.contextmanager
def reading(path):
    """The database as it stands.  A disk that is full has no room for the index of the log: then a copy of it."""
    with tempfile.TemporaryDirectory() as to:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)
        try:
            db.execute("SELECT count(*) FROM meta").fetchone()
        except sqlite3.OperationalError as e:
            db.close()
            if "locked" in str(e):  # it lives, and a copy of it could be torn
                raise
            for end in ("", "-wal"):
                if os.path.exists(path + end):
                    shutil.copyfile(path + end, os.path.join(to, "jinguo.db" + end))
            db = sqlite3.connect(os.path.join(to, "jinguo.db"), timeout=20)
        try:
            yield db
        finally:
            db.close()


class Row:
    def __init__(self, author, table, id_, words):
        self.author, self.table, self.id = author, table, id_
        self.key = bytes.fromhex(id_.replace("-", ""))
        self.lanes = set(words)
        self.first = dict(words)
        self.words = {lane: [x] for lane, x in words.items()}  # acknowledged, oldest first
        self.tried = {}         # values of edits that were begun, acknowledged or not
        self.deleted = set()      # lanes
        self.delete_tried = self.delete_excused = False


class Ledger:
    def __init__(self):
        self.rows = []
        self.by_author = {}
        self.excused = set()       # words that were on one disk only, and that disk is gone
        self.had = {}              # place number -> words that it once held and lost when it was restored
        self.bodies = {}           # hash of an entry -> its words
        self.seen_at = {}          # place number -> (epoch, words known to be there)
        self.squeezed = w.Squeezed()
        self.written = {}
        self.codes = {}            # word -> the unit that it is of

    def meant_for(self, words, code):
        for x in words:
            self.codes[x] = code

    def code_of(self, word):
        return self.codes.get(word)

    def count(self):
        return sum(len(x) for r in self.rows for x in r.words.values()) + sum(bool(r.deleted) for r in self.rows)

    def excused_count(self):
        return len(self.excused) + sum(r.delete_excused for r in self.rows)

    # ---- acknowledged

    def record(self, author, table, id_, words):
        row = Row(author, table, id_, words)
        self.rows.append(row)
        self.by_author.setdefault(author, []).append(row)
        self.written.setdefault(author, []).extend((lane, x) for lane, x in words.items())
        return row

    def edit(self, row, lane, value):
        row.words[lane].append(value)
        self.written[row.author].append((lane, value))

    def delete(self, row, path):
        """Deleted in the lanes that the row had there: after a restore they come back one after the other.  True: not in all."""
        with reading(path) as db:
            row.deleted = {lane for lane in row.lanes if db.execute(
                f'SELECT count(*) FROM "{row.table}" WHERE id = ? AND alive{lane} IS NOT 1 AND alive{lane} IS NOT NULL',
                (row.key,)).fetchone()[0]}
        return row.deleted != row.lanes

    def some_row(self, author, dice):
        """An activity of this author that has not been asked to go away: mostly a recent one."""
        mine = [r for r in self.by_author.get(author, ())[-400:] if r.table == "activity" and not r.delete_tried
                and r.first.get(1, r.first.get(0)) and 0 in r.lanes]
        return dice.choice(mine) if mine else None

    def written_by(self, author):
        return list(self.written.get(author, ()))

    # ---- where words are

    def holdings(self, path):
        """The words in the journal and the open tail of this database."""
        with reading(path) as db:
            return self.words_of(db, key=rest.of_path(db, path))

    def words_of(self, db, after=0, key=None):
        """key: of what lies closed; None: of a copy that was opened."""
        found = set()
        for h, kind, lane, body in db.execute(
                "SELECT hash, kind, lane, body FROM journal WHERE recv > ? AND length(body) > 0", (after,)):
            if h not in self.bodies:
                body = key.body(lane, h, body) if key else body
                plain = self.squeezed.open(body) if kind == 1 else body
                must(plain is not None, "the body of an entry cannot be opened to look into it")
                self.bodies[h] = frozenset(x.decode() for x in WORD.findall(plain))
            found |= self.bodies[h]
        for scope, lane, run, changeset in db.execute("SELECT scope, lane, run, changeset FROM tail"):
            changeset = key.changeset(scope, lane, run, changeset) if key else changeset
            found.update(x.decode() for x in WORD.findall(changeset))
        return found

    def was_at(self, site, words):
        self.had.setdefault(site.number, set()).update(words)

    def not_at(self, written, parent):
        """Which of these (lane, word) the parent neither holds nor held before it was restored."""
        top = parent.parent is None
        wanted = {x for lane, x in written if not (top and lane) and x not in self.excused}
        epoch, seen = self.seen_at.get(parent.number, (-1, set()))
        if epoch != parent.epoch:
            seen = set()
        wanted -= seen
        wanted -= self.had.get(parent.number, set())
        if not wanted:
            return []
        now = self.holdings(parent.db)
        self.seen_at[parent.number] = (parent.epoch, now)
        return sorted(wanted - now)

    def lost(self, before, after, others, site):
        """A disk went back.  What only it held is gone: nobody can bring that back, and it is counted."""
        gone = before - after
        if gone:
            for o in others:
                gone -= self.holdings(o.db)
        self.excused |= gone
        for r in self.by_author.get(site.number, ()):
            if r.deleted:
                r.delete_excused = True  # a deletion has no word: it may have gone with the disk

    # ---- the audit

    def audit(self, places):
        """places: (site, Book).  Text of all that is not where it must be."""
        bad = []
        by_number = {s.number: (s, b) for s, b in places}
        held = {s.number: {lane: {t: b.rows(t, lane) for t in w.schema()} for lane in (0, 1)} for s, b in places}
        words = {s.number: self.words_of(b.db) for s, b in places}
        for row in self.rows:
            author = by_number[row.author][0]
            chain, at = [author], author.parent
            while at:
                chain.append(at)
                at = at.parent
            for place in chain:
                for lane in row.lanes:
                    if lane == 1 and place.parent is None and place is not author:
                        continue
                    where = f"{row.table} {row.id} of {author}, lane {lane}, at {place}"
                    if row.first[lane] not in self.excused and row.key not in held[place.number][lane][row.table]:
                        bad.append(f"{where}: not there{self.why(by_number[place.number][1], row)}")
                        continue
                    for x in row.words[lane]:
                        if x not in self.excused and x not in words[place.number]:
                            bad.append(f"{where}: what was said ({x}) is not in the journal")
                    bad += self.shown(row, lane, held[place.number][lane][row.table].get(row.key),
                                      by_number[place.number][1], where)
        return bad

    def why(self, book, row):
        for table in ("parked", "refused"):
            found = book.db.execute(f"SELECT cause, lane FROM {table} WHERE row = ?", (row.key,)).fetchone()
            if found:
                return f" ({table}, cause {found[0]}, lane {found[1]})"
        return ""

    def shown(self, row, lane, held, book, where):
        """The last acknowledged value shows; or a later one that was never acknowledged; or it is a candidate."""
        if held is None:
            return []
        if lane in row.deleted and not row.delete_excused and held[1] == 1:
            return [f"{where}: deleted, and alive"]
        if not row.delete_tried and held[1] != 1:
            return [f"{where}: nobody deleted it, and it is not alive"]
        said = [x for x in row.words[lane] if x not in self.excused]
        if len(row.words[lane]) < 2 or not said:
            return []
        values = [v for v in held[2] if isinstance(v, str)]
        tried = row.tried.get(lane, [])
        later = [x for x in tried if x > said[-1]]
        if any(x in values for x in [said[-1], *later]):
            return []
        standing = book.db.execute("SELECT value FROM candidate WHERE row = ? AND lane = ?", (row.key, lane)).fetchall()
        if any(v[0] == said[-1] or v[0] in later for v in standing):
            return []
        return [f"{where}: the last acknowledged edit {said[-1]} neither shows nor stands beside what shows ({values})"]


def journal_head(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        return db.execute("SELECT coalesce(max(recv), 0) FROM journal").fetchone()[0]
    except sqlite3.Error:
        return 0
    finally:
        db.close()


def sound(path):
    """Does sqlite find nothing wrong with it?"""
    db = sqlite3.connect(path, timeout=5)
    try:
        return db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    except sqlite3.DatabaseError:
        return False
    finally:
        db.close()


def same_state(lower, upper, lanes):
    """The state hashes of the scopes of the lower place that both hold, as they stand in the files."""
    def state(site):
        with reading(site.db) as db:
            return {(i, lane): h for i, lane, h in db.execute(
                "SELECT scope.id, lane, hash FROM state JOIN scope ON scope.ord = state.scope")}
    a, b = state(lower), state(upper)
    zero = bytes(16)
    return all(a[k] == b.get(k, zero) for k in a if k[1] in lanes and (k in b or a[k].strip(b"\0")))


def bytes_with(directory, pattern):
    """Every word of this form in any file under the directory, as it lies there and inside every zstd frame.  (A frame
    that sqlite has laid over several pages opens to words that nobody ever issued: the caller knows those.)"""
    squeezed, found, form = w.Squeezed(), set(), re.compile(pattern)
    for base, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(base, name), "rb") as f:
                data = f.read()
            found.update(x.decode() for x in form.findall(data))
            at = data.find(w.ZSTD_MAGIC)
            while at >= 0:
                plain = squeezed.open_at(data, at)
                if plain:
                    found.update(x.decode() for x in form.findall(plain))
                at = data.find(w.ZSTD_MAGIC, at + 1)
    return found


def open_totals(book, units):
    """The open figures of these units, counted from the rows."""
    sums = dict.fromkeys(("volunteers", "activities", "participations", "minutes", "households"), 0)
    ords = [o for o, i in book.scopes.items() if i in units]
    marks = ",".join("?" * len(ords))
    def one(sql):
        return book.db.execute(sql.replace("UNITS", marks), ords).fetchone()
    sums["volunteers"] = one("SELECT count(*) FROM volunteer WHERE alive1 = 1 AND vstat = 'active' AND scope IN (UNITS)")[0]
    n, hh = one("SELECT count(*), coalesce(sum(hh_served), 0) FROM activity WHERE alive0 = 1 AND astat IN "
                "('finished', 'hours_confirmed', 'rated', 'archived') AND start IS NOT NULL AND scope IN (UNITS)")
    sums["activities"], sums["households"] = n, hh
    n, m = one("SELECT count(*), coalesce(sum(minutes), 0) FROM participation WHERE alive1 = 1 AND hstat = '2' "
               "AND scope IN (UNITS)")
    sums["participations"], sums["minutes"] = n, m
    return sums
