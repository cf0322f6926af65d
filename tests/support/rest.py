"""rest.py - an outside reader's key: opens what lies closed in a database (common/store_sqlite_rest.c), by the service's
credential beside it, with libsodium alone and none of our own code."""
import ctypes
import hashlib
import os

MORE = 24 + 16
_sodium = None


def sodium():
    global _sodium
    if _sodium is None:
        for name in ("libsodium.so.23", "libsodium.so"):
            try:
                _sodium = ctypes.CDLL(name)
                break
            except OSError:
                continue
        assert _sodium is not None and _sodium.sodium_init() >= 0
    return _sodium


def unseal(key, nonce, about, sealed):
    """XChaCha20-Poly1305; None: another key, or altered."""
    plain = ctypes.create_string_buffer(max(len(sealed) - 16, 1))
    length = ctypes.c_ulonglong()
    rc = sodium().crypto_aead_xchacha20poly1305_ietf_decrypt(
        plain, ctypes.byref(length), None, sealed, ctypes.c_ulonglong(len(sealed)), about,
        ctypes.c_ulonglong(len(about)), nonce, key)
    return plain.raw[:length.value] if rc == 0 else None


def number(what, *words):
    return what + b"".join(w.to_bytes(4, "little") for w in words)


class Rest:
    """The key of one database; closed is False where nothing lies closed."""

    def __init__(self, db, directory):
        self.key = None
        self.closed = db.execute("SELECT count(*) FROM meta WHERE key = 'rest'").fetchone()[0] > 0
        if not self.closed:
            return
        (record,) = db.execute("SELECT value FROM secret WHERE name = 'rest:service'").fetchone()
        assert record[:4] == b"\x93\x01\xc4\x18" and record[28:30] == b"\xc4\x30" and len(record) == 78
        with open(os.path.join(directory, "service.key")) as f:
            seed = bytes.fromhex(f.read())
        wrap = hashlib.blake2b(b"jinguo rest service" + seed, digest_size=32).digest()
        self.key = unseal(wrap, record[4:28], b"rest:service", record[30:])
        assert self.key is not None, "the credential does not open the database"

    def bytes(self, about, blob):
        if not self.closed or not blob or len(blob) < MORE:
            return blob
        plain = unseal(self.key, blob[:24], about, blob[24:])
        return blob if plain is None else plain

    def value(self, about, blob):
        if not self.closed or not isinstance(blob, bytes):
            return blob
        plain = self.bytes(about, blob)
        if plain is blob or not plain:
            return blob
        if plain[0] == 1:
            return int.from_bytes(plain[1:9], "little", signed=True)
        return plain[1:].decode() if plain[0] == 2 else plain[1:]

    def field(self, table, lane, slot, row, blob):
        return self.value(number(b"v", table, lane, slot) + row, blob)

    def changeset(self, scope, lane, run, blob):
        return self.bytes(number(b"t", scope, lane, run), blob) if lane else blob

    def body(self, lane, name, blob):
        return self.bytes(b"b" + name, blob) if lane else blob

    def open_all(self, db, tables):
        """Opens everything in a copy; tables: as `schema --json` prints them."""
        if not self.closed:
            return
        for t in tables:
            for f in t["fields"]:
                if f["tier"] < 3:
                    continue
                found = db.execute(f'SELECT rowid, id, "{f["name"]}" FROM "{t["name"]}" WHERE "{f["name"]}" IS NOT NULL').fetchall()
                db.executemany(f'UPDATE "{t["name"]}" SET "{f["name"]}" = ? WHERE rowid = ?',
                               [(self.field(t["number"], f["number"] % 4, f["number"] // 4, i, v), r) for r, i, v in found])
        found = db.execute("SELECT tbl, row, lane, n, slot, value FROM candidate WHERE lane > 0 AND value IS NOT NULL").fetchall()
        for t, row, lane, n, slot, v in found:
            db.execute("UPDATE candidate SET value = ? WHERE tbl = ? AND row = ? AND lane = ? AND n = ?",
                       (self.value(number(b"c", t, lane, slot) + row, v), t, row, lane, n))
        found = db.execute("SELECT recv, lane, hash, body FROM journal WHERE lane > 0 AND length(body) > 0").fetchall()
        db.executemany("UPDATE journal SET body = ? WHERE recv = ?", [(self.body(l, h, b), r) for r, l, h, b in found])
        found = db.execute("SELECT recv, lane, hash, head FROM journal WHERE lane > 0 AND kind = 3").fetchall()
        db.executemany("UPDATE journal SET head = ? WHERE recv = ?",
                       [(self.bytes(b"h" + h, b) if l else b, r) for r, l, h, b in found])
        found = db.execute("SELECT id, scope, lane, run, changeset FROM tail WHERE lane > 0").fetchall()
        db.executemany("UPDATE tail SET changeset = ? WHERE id = ?", [(self.changeset(s, l, u, c), i) for i, s, l, u, c in found])
        db.commit()


def of_path(db, path):
    return Rest(db, os.path.dirname(path))


