#!/usr/bin/python3
"""vectors.py - certificates, invitations, officers and envelopes checked by an implementation written from proto/README.md alone: other language,
other libraries (OpenSSL's Ed25519, hashlib's BLAKE2b).  Prints `ok NAME` or `not ok NAME`.
"""
import base64
import copy
import hashlib
import os
import struct
import sys

import msgpack
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.poly1305 import Poly1305

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
ROOT, HUB, NODE = 1, 2, 3
ZERO = bytes(16)


class Bad(Exception):
    pass


def vector(name):
    with open(os.path.join(GOLDEN, name + ".hex")) as f:
        return bytes.fromhex(f.read())


def blake(data, size):
    return hashlib.blake2b(data, digest_size=size).digest()


def signed(data, signature, key):
    """Ed25519 over the hash-32 of the signed bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, blake(data, 32))
    except InvalidSignature:
        return False
    return True


class Cert:
    def __init__(self, data):
        self.data, self.at = data, 0
        if len(data) > 512 or self.take(3) != b"JGC":
            raise Bad("not a certificate")
        form, suite = self.take(2)
        if form not in (1, 2) or suite != 1:
            raise Bad("format or suite")
        self.key, self.link, self.before, self.unit = (self.take(n) for n in (32, 32, 16, 16))
        self.role, self.level, self.lanes = self.take(3)
        self.not_before, self.not_after = struct.unpack("<qq", self.take(16))
        self.issuer = self.take(16)
        self.code = self.text(0, 12)
        self.endpoint = self.text(1, 127) if form == 2 else ""
        self.stated = data[:self.at]
        self.signature = self.take(64)
        if self.at != len(data):
            raise Bad("bytes behind the end")
        if not (ROOT <= self.role <= NODE and 1 <= self.level <= 6 and self.lanes < 16 and
                self.not_before < self.not_after):
            raise Bad("a field out of bounds")
        if (self.role == ROOT) != (self.issuer == ZERO) or (self.endpoint and self.role != HUB):
            raise Bad("a field that does not fit the role")
        self.id = blake(self.stated, 16)

    def take(self, n):
        if self.at + n > len(self.data):
            raise Bad("cut")
        self.at += n
        return self.data[self.at - n:self.at]

    def text(self, least, most):
        n = self.take(1)[0]
        s = self.take(n)
        if not least <= n <= most or any(c <= 32 or c > 126 for c in s):
            raise Bad("malformed text")
        return s.decode()


def issued_well(c, by):
    if not signed(c.stated, c.signature, by.key):
        raise Bad("signature")
    if c.role == ROOT:
        if c.id != by.id:
            raise Bad("a root is signed by itself only")
        return
    if c.issuer != by.id or by.role not in (ROOT, HUB):
        raise Bad("issuer")
    if c.role == NODE and c.lanes & ~by.lanes:
        raise Bad("lanes")
    if c.not_before < by.not_before or c.not_after > by.not_after:
        raise Bad("validity")


def chain_good(chain, pinned, known_roots=()):
    """Subject first.  pinned: fingerprint; known_roots: roots that are here, of which the pinned one may name the last as its spare."""
    if not 1 <= len(chain) <= 5:
        raise Bad("length")
    top = chain[-1]
    fingerprint = blake(top.key, 32)
    spare = any(blake(r.key, 32) == pinned and r.before == fingerprint[:16] for r in known_roots)
    if top.role != ROOT or not (fingerprint == pinned or spare):
        raise Bad("root")
    for i, c in enumerate(chain):
        issued_well(c, chain[min(i + 1, len(chain) - 1)])


def refused(f, *args):
    try:
        f(*args)
    except Bad:
        return True
    return False


def line(text, mark):
    if not text.startswith(mark):
        raise Bad("mark")
    body = text[len(mark):]
    packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    return msgpack.unpackb(packed, raw=False)


tests = []


def test(f):
    tests.append(f)
    return f


def chain():
    return [Cert(vector(f"chain-{n}")) for n in ("node", "county", "province", "root")]


@test
def a_chain_of_four_reaches_the_root():
    c = chain()
    chain_good(c, blake(c[-1].key, 32))
    assert [x.role for x in c] == [NODE, HUB, HUB, ROOT]
    assert c[2].endpoint == "tcp://hub.example.cn:7443" and c[1].endpoint and not c[0].endpoint
    assert c[0].code == "350102001001"


@test
def every_changed_byte_breaks_it():
    for name in ("node", "county", "province", "root", "spare"):
        data = vector(f"chain-{name}")
        for i in range(len(data)):
            cut = bytearray(data)
            cut[i] ^= 1
            c = chain()

            def changed(bad=bytes(cut), place=("node", "county", "province", "root").index(name) if name != "spare" else 3):
                pin = blake(c[-1].key, 32) if name != "spare" else blake(Cert(data).key, 32)
                c[place] = Cert(bad)
                chain_good(c if name != "spare" else [c[3]], pin)
            assert refused(changed), f"byte {i} of {name}"
        for n in range(len(data)):
            assert refused(Cert, data[:n]), f"{n} bytes of {name}"


@test
def a_chain_with_a_link_left_out_or_swapped_is_none():
    c = chain()
    pin = blake(c[-1].key, 32)
    for bad in ([c[0], c[2], c[3]], [c[0], c[1], c[3]], [c[1], c[0], c[2], c[3]], c[:3], [], c + c[3:] + c[3:]):
        assert refused(chain_good, bad, pin), str(len(bad))
    assert refused(chain_good, c, bytes(32))


@test
def issuing_has_bounds():
    c = chain()
    for change in ({"lanes": 15}, {"not_before": c[1].not_before - 1}, {"not_after": c[1].not_after + 1}):
        bad = copy.copy(c[0])
        bad.__dict__.update(change)
        key = Ed25519PrivateKey.generate()
        by = copy.copy(c[1])
        by.key = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        bad.signature = key.sign(blake(bad.stated, 32))
        assert refused(issued_well, bad, by), str(change)
        good = copy.copy(c[0])
        good.signature = bad.signature
        issued_well(good, by)


@test
def the_root_names_its_spare():
    root, spare = Cert(vector("chain-root")), Cert(vector("chain-spare"))
    pin = blake(root.key, 32)
    assert refused(chain_good, [spare], pin), "a spare that nobody named"
    chain_good([spare], pin, [root])
    assert refused(chain_good, [root], blake(spare.key, 32), [root, spare]), "and not the other way"
    assert root.unit == spare.unit


@test
def the_lines_between_hub_and_safe():
    root, province = Cert(vector("chain-root")), Cert(vector("chain-province"))
    seed, cert, name = line(vector("root-file").decode(), "JGR1-")
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    assert public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw) == root.key
    assert cert == root.data and name == "福建省"
    key, link, endpoint, proof = line(vector("root-request").decode(), "JGQ1-")
    assert (key, link, endpoint) == (province.key, province.link, province.endpoint)
    assert signed(b"jinguo request" + key + link + endpoint.encode(), proof, key)
    hub, top, _ = line(vector("root-answer").decode(), "JGC1-")
    chain_good([Cert(hub), Cert(top)], blake(root.key, 32))
    assert Cert(hub).key == key


@test
def an_invitation():
    t = line(vector("token").decode(), "JG1-")
    endpoint, link, root, secret, unit, role, expires, code, name = t
    assert endpoint == "tcp://127.0.0.1:7703" and (role, expires) == (NODE, 1790000000000)
    assert [len(x) for x in (link, root, secret, unit)] == [32, 32, 16, 16] and (code, name) == ("350102001002", "军门社区")
    assert root == blake(Cert(vector("cert-root")).key, 32)


@test
def six_digits_for_the_telephone():
    node, t = Cert(vector("cert-node")), line(vector("token").decode(), "JG1-")
    n = int.from_bytes(blake(b"jinguo code" + t[3] + node.key + node.link, 32)[:8], "little")
    assert f"{n % 1000000:06d}" == vector("token-code").decode()


# ---- the sealed lane: HChaCha20, HSalsa20 and Salsa20 as their papers have them, the rest from OpenSSL

def rotated(x, n):
    x &= 0xffffffff
    return (x << n | x >> 32 - n) & 0xffffffff


def chacha_rounds(s):
    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = s[x] + s[y] & 0xffffffff
            s[z] = rotated(s[z] ^ s[x], n)
    for _ in range(10):
        for q in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                  (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(*q)
    return s


def words(data):
    return list(struct.unpack(f"<{len(data) // 4}I", data))


SIGMA = words(b"expand 32-byte k")


def hchacha(key, nonce16):
    s = chacha_rounds(SIGMA + words(key) + words(nonce16))
    return struct.pack("<8I", *s[0:4], *s[12:16])


def xchacha_open(key, nonce, about, sealed):
    return ChaCha20Poly1305(hchacha(key, nonce[:16])).decrypt(bytes(4) + nonce[16:], sealed, about)


def salsa_block(key, sixteen):
    k = words(key)
    n = words(sixteen)
    return [SIGMA[0], *k[:4], SIGMA[1], *n, SIGMA[2], *k[4:], SIGMA[3]]


def salsa_rounds(s):
    def quarter(a, b, c, d):
        s[b] ^= rotated(s[a] + s[d], 7)
        s[c] ^= rotated(s[b] + s[a], 9)
        s[d] ^= rotated(s[c] + s[b], 13)
        s[a] ^= rotated(s[d] + s[c], 18)
    for _ in range(10):
        for q in ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11),
                  (0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)):
            quarter(*q)
    return s


def hsalsa(key, nonce16):
    s = salsa_rounds(salsa_block(key, nonce16))
    return struct.pack("<8I", *(s[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def salsa_stream(key, nonce8, size):
    out = b""
    for block in range((size + 63) // 64):
        start = salsa_block(key, nonce8 + struct.pack("<Q", block))
        out += struct.pack("<16I", *(a + b & 0xffffffff for a, b in zip(start, salsa_rounds(list(start)))))
    return out[:size]


def box_open(secret, public, box):
    """libsodium's crypto_box_seal_open."""
    once, tag, sealed = box[:32], box[32:48], box[48:]
    nonce = blake(once + public, 24)
    shared = hsalsa(X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(once)), bytes(16))
    stream = salsa_stream(hsalsa(shared, nonce[:16]), nonce[16:], 32 + len(sealed))
    Poly1305.verify_tag(stream[:32], sealed, tag)
    return bytes(a ^ b for a, b in zip(sealed, stream[32:]))


class Officer:
    """The two keys that come of a seed."""

    def __init__(self, seed):
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        self.key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(*raw)
        # crypto_box_seed_keypair: the first half of SHA-512 of the seed
        self.secret = hashlib.sha512(blake(b"jinguo officer" + seed, 32)).digest()[:32]
        self.link = X25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes(*raw)


class Envelope:
    def __init__(self, data):
        if data[:4] != b"JGE\1" or data[4] not in (1, 2):
            raise Bad("not an envelope")
        self.kind, self.author, self.commit, n = data[4], data[5:13], data[13:45], data[45]
        self.wraps = [data[46 + 88 * i:46 + 88 * (i + 1)] for i in range(n)]
        ids = [x[:8] for x in self.wraps]
        if not 1 <= n <= 16 or ids != sorted(set(ids)) or len(self.wraps[-1]) != 88:
            raise Bad("recipients")
        at = 46 + 88 * n
        if self.kind == 1:
            self.nonce, size = data[at:at + 24], struct.unpack("<I", data[at + 24:at + 28])[0]
            at += 28
            self.head, self.sealed = data[:at], data[at:]
            if size != len(self.sealed) or size - 16 not in (1024, 4096, 16384, 49152):
                raise Bad("size")
        elif at != len(data):
            raise Bad("bytes behind the end")

    def key_for(self, officer):
        for x in self.wraps:
            if x[:8] == blake(officer.link, 8):
                key = box_open(officer.secret, officer.link, x[8:])
                if blake(b"jinguo envelope" + key, 32) != self.commit:
                    raise Bad("commit")
                return key
        raise Bad("not closed to this key")

    def content(self, key, place):
        padded = xchacha_open(key, self.nonce, self.head + place, self.sealed)
        return padded[:padded.rindex(b"\x80")]


PLACE = struct.pack("<HB", 42, 10) + b"\x11" * 16 + b"\x22" * 16


def officer(byte):
    return Officer(bytes([byte]) * 32)


@test
def an_envelope_opens_for_its_officers():
    e = Envelope(vector("envelope"))
    for byte in (0x51, 0x52):
        assert e.content(e.key_for(officer(byte)), PLACE) == vector("dossier")
    assert refused(e.key_for, officer(0x53)) and refused(e.key_for, officer(0x61))
    key = e.key_for(officer(0x51))
    for i in range(len(PLACE)):
        moved = PLACE[:i] + bytes([PLACE[i] ^ 1]) + PLACE[i + 1:]
        try:
            e.content(key, moved)
        except Exception:
            continue
        raise AssertionError("it opens at another place")


@test
def keys_that_came_later_open_it():
    e, more = Envelope(vector("envelope")), Envelope(vector("envelope-keys"))
    assert more.kind == 2 and more.commit == e.commit
    assert e.content(more.key_for(officer(0x53)), PLACE) == vector("dossier")


@test
def the_author_signed_what_is_in_it():
    data, author = vector("dossier"), officer(0x61)
    assert data[:32] == author.key and Envelope(vector("envelope")).author == blake(author.key, 8)
    body = data[96:]
    assert signed(b"JGW\1" + PLACE + body, data[32:96], author.key)
    said = msgpack.unpackb(body, raw=False)
    assert said == [6, "report", 14, "当事人来访", 30, 1]


@test
def an_officer_is_the_provinces_word():
    data, who, province = vector("officer"), officer(0x51), officer(0x41)
    assert data[:5] == b"JGO\1\1" and len(data) == 182
    assert data[5:37] == who.key and data[37:69] == who.link
    assert data[102:118] == blake(province.key, 32)[:16]
    assert signed(data[:118], data[118:], province.key)
    q = line(vector("officer-request").decode(), "JGK1-")
    assert q[:2] == [who.key, who.link] and q[3] == 1
    assert signed(b"jinguo officer request" + q[0] + q[1] + q[2] + bytes([q[3]]), q[4], who.key)


def main():
    failed = 0
    for f in tests:
        try:
            f()
            print(f"ok {f.__name__}")
        except Exception as e:  # a test that breaks is a test that fails
            failed = 1
            print(f"not ok {f.__name__}\n    {type(e).__name__}: {e}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
