"""A second station, written from docs/protocol.md alone: it imports nothing of Hotline.

It calls the primitives of ``cryptography`` and a msgpack library directly. If the page is wrong or
leaves something out, this station and the product's do not understand each other. It is a reader of
vectors and a caller, for tests: it makes no attempt to be safe, quick or complete.
"""

from __future__ import annotations

import base64
import hmac
import re
import unicodedata
from dataclasses import dataclass, field
from hashlib import sha512
from typing import TYPE_CHECKING, Any, Protocol

import msgpack  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA87PrivateKey, MLDSA87PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WordLists = tuple[list[str], list[str]]
"""The words of two syllables, and those of three."""

NAME = b"Noise_KKhfs+psk0_25519+MLKEM1024_AESGCM_SHA512"


# --- strict msgpack, armour, cards, keys ----------------------------------------------------------


def strict(data: bytes, count: int) -> list[Any]:
    """An array of so many elements in their shortest encoding, with nothing behind it."""
    values = msgpack.unpackb(data, raw=False)
    assert isinstance(values, list), "not an array"
    assert len(values) == count, f"{len(values)} fields, not {count}"
    for value in values:
        flat = value if isinstance(value, list) else [value]
        assert all(type(one) in (int, bool, bytes, str, type(None)) for one in flat), "a type"
    assert msgpack.packb(values) == data, "not the shortest encoding"
    return values


def unarmoured(text: str, label: str) -> bytes:
    """RFC 7468's strict form: base64 in lines of 64 between a BEGIN and an END line."""
    begin, *lines, end = text.rstrip("\n").split("\n")
    assert (begin, end) == (f"-----BEGIN {label}-----", f"-----END {label}-----")
    assert all(len(line) == 64 for line in lines[:-1])
    assert 0 < len(lines[-1]) <= 64
    return base64.b64decode("".join(lines), validate=True)


def check_mldsa87(key: bytes) -> None:
    """A t1 as if drawn at random, by the page's bounds."""
    q = 8380417
    for at in range(32, 2592, 320):
        bits = "".join(f"{byte:08b}"[::-1] for byte in key[at : at + 320])
        row = [int(bits[n : n + 10][::-1], 2) for n in range(0, 2560, 10)]
        for multiple in (1, 2):
            sizes = [min(x, q - x) for x in (multiple * t * 2**13 % q for t in row)]
            assert sum(sizes) >= 256 * 523776, "short"
        assert max(map(row.count, row)) <= 32, "one value too often"


@dataclass
class Card:
    """Who a station is."""

    name: str
    x25519: bytes
    ed25519: bytes
    mldsa87: bytes
    signed_part: bytes

    @classmethod
    def read(cls, data: bytes) -> Card:
        signed_part, ed_signature, ml_signature = strict(data, 3)
        tag, name, x25519, ed25519, mldsa87, _ = strict(signed_part, 6)
        assert tag == "hotline/1 card"
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", name)
        check_mldsa87(mldsa87)
        card = cls(name, x25519, ed25519, mldsa87, signed_part)
        card.check_ed25519(ed_signature, b"hotline/1 card" + signed_part)
        card.check_mldsa(ml_signature, signed_part, b"hotline/1 card")
        return card

    @classmethod
    def read_file(cls, path: Path) -> Card:
        return cls.read(unarmoured(path.read_text(), "HOTLINE CARD"))

    @property
    def id(self) -> bytes:
        return sha512(self.signed_part).digest()[:32]

    def check_ed25519(self, signature: bytes, data: bytes) -> None:
        Ed25519PublicKey.from_public_bytes(self.ed25519).verify(signature, data)

    def check_mldsa(self, signature: bytes, data: bytes, context: bytes) -> None:
        MLDSA87PublicKey.from_public_bytes(self.mldsa87).verify(signature, data, context)


class SomeCard(Protocol):
    """What is used of a card."""

    @property
    def id(self) -> bytes: ...
    @property
    def x25519(self) -> bytes: ...
    @property
    def mldsa87(self) -> bytes: ...


class SomeKeys(Protocol):
    """What is used of a station's keys."""

    @property
    def x25519(self) -> X25519PrivateKey: ...
    def sign_mldsa(self, data: bytes, context: bytes, /) -> bytes: ...


class Keys:
    """A station's three key pairs, from its seeds."""

    def __init__(self, x25519: bytes, ed25519: bytes, mldsa87: bytes) -> None:
        self.x25519 = X25519PrivateKey.from_private_bytes(x25519)
        self.ed25519 = Ed25519PrivateKey.from_private_bytes(ed25519)
        self.mldsa87 = MLDSA87PrivateKey.from_seed_bytes(mldsa87)

    @classmethod
    def read_file(cls, text: str) -> Keys:
        tag, protection, *seeds = strict(unarmoured(text, "HOTLINE SECRET KEY"), 5)
        assert (tag, protection) == ("hotline/1 key", "none")
        return cls(*seeds)

    @classmethod
    def read_protected_file(cls, text: str, typed: str) -> Keys:
        """A file under a passphrase, as it was typed."""
        *header, sealed = strict(unarmoured(text, "HOTLINE SECRET KEY"), 8)
        tag, protection, memory_kib, passes, lanes, salt, nonce_ = header
        assert (tag, protection) == ("hotline/1 key", "argon2id aes256gcm")
        assert 8192 <= memory_kib <= 1048576
        assert 1 <= passes <= 64
        assert memory_kib * passes <= 4194304
        assert 1 <= lanes <= 16
        assert (len(salt), len(nonce_), len(sealed)) == (16, 12, 112)
        kdf = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory_kib)
        key = kdf.derive(unicodedata.normalize("NFC", typed).encode())
        seeds = AESGCM(key).decrypt(nonce_, sealed, msgpack.packb(header))
        return cls(seeds[:32], seeds[32:64], seeds[64:])

    def sign_mldsa(self, data: bytes, context: bytes) -> bytes:
        return self.mldsa87.sign(data, context)


@dataclass
class Half:
    """One station's part of a line secret."""

    writer_id: bytes
    reader_id: bytes
    secret: bytes

    @classmethod
    def read_file(cls, text: str) -> Half:
        tag, *values = strict(unarmoured(text, "HOTLINE HALF SECRET"), 4)
        assert tag == "hotline/1 half"
        assert [len(value) for value in values] == [32, 32, 32]
        return cls(*values)

    @classmethod
    def heard(cls, writer: bytes, reader: bytes, words: str, lists: WordLists) -> Half:
        """36 words: the half, and four bytes that tell whose it is for whom."""
        said = words.split()
        data = bytes(lists[at % 2].index(word) for at, word in enumerate(said))
        assert len(data) == 36
        made = cls(writer, reader, data[:32])
        assert made.checksum == data[32:]
        return made

    @property
    def checksum(self) -> bytes:
        text = b"hotline/1 half" + self.writer_id + self.reader_id + self.secret
        return sha512(text).digest()[:4]

    def words(self, lists: WordLists) -> str:
        return spoken(self.secret + self.checksum, lists)


def combined(one: Half, other: Half, lists: WordLists) -> tuple[bytes, str]:
    """The line secret, and the check code in words."""
    assert (one.writer_id, one.reader_id) == (other.reader_id, other.writer_id)
    first, second = sorted((one, other), key=lambda half: half.writer_id)
    ikm, info = first.secret + second.secret, first.writer_id + second.writer_id
    code = hkdf(b"hotline/1 line secret check", ikm, info, 16)
    return hkdf(b"hotline/1 line secret", ikm, info, 32), spoken(code, lists)


def read_succession(data: bytes, old: Card) -> tuple[bytes, Card, int]:
    """Give signed part, new card and time of a change of keys that follows old."""
    signed_part, *signatures = strict(data, 5)
    tag, old_id, card, time_ns = strict(signed_part, 4)
    assert (tag, old_id) == ("hotline/1 succession", old.id)
    new = Card.read(card)
    assert new.name == old.name
    for one, (ed25519, mldsa87) in ((old, signatures[:2]), (new, signatures[2:])):
        one.check_ed25519(ed25519, b"hotline/1 succession" + signed_part)
        one.check_mldsa(mldsa87, signed_part, b"hotline/1 succession")
    assert {new.x25519, new.ed25519, new.mldsa87}.isdisjoint({old.x25519, old.ed25519, old.mldsa87})
    return signed_part, new, time_ns


def spoken(data: bytes, lists: WordLists) -> str:
    """Bytes as words: at even places of two syllables, at odd ones of three."""
    return " ".join(lists[at % 2][byte] for at, byte in enumerate(data))


def pair_code(id_a: bytes, id_b: bytes, lists: WordLists) -> str:
    """The first 16 bytes of a hash over both ids as words."""
    code = sha512(b"hotline/1 pair" + min(id_a, id_b) + max(id_a, id_b)).digest()[:16]
    return spoken(code, lists)


# --- the handshake --------------------------------------------------------------------------------


def hkdf(salt: bytes, ikm: bytes, info: bytes, size: int) -> bytes:
    """The page: prk = HMAC(salt, ikm); the first bytes of HMAC(prk, info + byte 1)."""
    prk = hmac.digest(salt, ikm, "sha512")
    return hmac.digest(prk, info + b"\x01", "sha512")[:size]


def psk_of(line_secret: bytes, id_a: bytes, id_b: bytes) -> bytes:
    return hkdf(b"hotline/1 psk", line_secret, min(id_a, id_b) + max(id_a, id_b), 32)


def mac_key_of(psk: bytes, initiator: bytes, responder: bytes) -> bytes:
    return hkdf(b"hotline/1 mac", psk, initiator + responder, 64)


def nonce(n: int) -> bytes:
    """32 zero bits and a 64-bit big-endian counter."""
    return bytes(4) + n.to_bytes(8, "big")


class Symmetric:
    """Noise's SymmetricState, as its specification says."""

    def __init__(self) -> None:
        self.h = self.ck = NAME.ljust(64, b"\0")
        self.key = b""
        self.n = 0

    def mix_hash(self, data: bytes) -> None:
        self.h = sha512(self.h + data).digest()

    def outputs(self, ikm: bytes, count: int) -> list[bytes]:
        temp = hmac.digest(self.ck, ikm, "sha512")
        made = [b""]
        for number in range(1, count + 1):
            made.append(hmac.digest(temp, made[-1] + bytes([number]), "sha512"))
        return made[1:]

    def mix_key(self, ikm: bytes) -> None:
        self.ck, temp = self.outputs(ikm, 2)
        self.key, self.n = temp[:32], 0

    def mix_key_and_hash(self, ikm: bytes) -> None:
        self.ck, temp_h, temp_k = self.outputs(ikm, 3)
        self.mix_hash(temp_h)
        self.key, self.n = temp_k[:32], 0

    def encrypt(self, data: bytes) -> bytes:
        sealed = AESGCM(self.key).encrypt(nonce(self.n), data, self.h)
        self.n += 1
        self.mix_hash(sealed)
        return sealed

    def decrypt(self, sealed: bytes) -> bytes:
        data = AESGCM(self.key).decrypt(nonce(self.n), sealed, self.h)
        self.n += 1
        self.mix_hash(sealed)
        return data


class Direction:
    """Records one way: AES-256-GCM over 4080 bytes, a new key after every 1024."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.n = 0

    def step(self) -> bytes:
        """Give this record's nonce, and rekey after each 1024th."""
        self.n += 1
        return nonce(self.n - 1)

    def rekey_if_due(self) -> None:
        if self.n % 1024 == 0:
            self.key = AESGCM(self.key).encrypt(nonce(2**64 - 1), bytes(32), b"")[:32]

    def seal(self, plain: bytes) -> bytes:
        unit = AESGCM(self.key).encrypt(self.step(), plain.ljust(4080, b"\0"), b"")
        self.rekey_if_due()
        return unit

    def open(self, unit: bytes) -> bytes:
        plain = AESGCM(self.key).decrypt(self.step(), unit, b"")
        self.rekey_if_due()
        return plain


@dataclass
class Frames:
    """Takes the plaintexts of records apart into frames; ``rest`` is what is unfinished."""

    rest: bytes = b""

    def take(self, plain: bytes) -> Iterator[tuple[int, bytes]]:
        self.rest += plain
        while self.rest:
            if self.rest[0] == 0:
                assert self.rest.count(0) == len(self.rest), "padding is not zero"
                self.rest = b""
                break
            size = int.from_bytes(self.rest[1:4], "big")
            if len(self.rest) < 4 or len(self.rest) < 4 + size:
                break
            frame_type, body = self.rest[0], self.rest[4 : 4 + size]
            self.rest = self.rest[4 + size :]
            yield frame_type, body


class Side:
    """What both sides of a session have; ``role`` is our own."""

    role = b""
    other_role = b""

    def __init__(
        self, keys: SomeKeys, own: SomeCard, peer: SomeCard, line_secret: bytes = b""
    ) -> None:
        self.keys, self.own, self.peer = keys, own, peer
        self.symmetric = Symmetric()
        self.psk = psk_of(line_secret, own.id, peer.id)
        self.rs = X25519PublicKey.from_public_bytes(peer.x25519)
        self.outward = self.inward = Direction(bytes(32))
        self._frames = Frames()

    def begin(self, initiator: SomeCard, responder: SomeCard) -> None:
        """Prologue, both statics known beforehand, and the psk token."""
        s = self.symmetric
        s.mix_hash(b"hotline/1" + initiator.id + responder.id)
        s.mix_hash(initiator.x25519)
        s.mix_hash(responder.x25519)
        s.mix_key_and_hash(self.psk)

    def attestation(self) -> bytes:
        signature = self.keys.sign_mldsa(self.role + self.symmetric.h, b"hotline/1 attest")
        return self.units(1, [signature])

    def check_attestation(self, body: bytes) -> None:
        [signature] = strict(body, 1)
        key = MLDSA87PublicKey.from_public_bytes(self.peer.mldsa87)
        key.verify(signature, self.other_role + self.symmetric.h, b"hotline/1 attest")

    def units(self, frame_type: int, fields: list[object]) -> bytes:
        """Give one frame in as many records as it takes, the last one padded."""
        body: bytes = msgpack.packb(fields)
        plain = bytes([frame_type]) + len(body).to_bytes(3, "big") + body
        pieces = [plain[at : at + 4080] for at in range(0, len(plain), 4080)]
        return b"".join(map(self.outward.seal, pieces))

    def frames(self, units: bytes) -> Iterator[tuple[int, bytes]]:
        """Give the frames in whole units; what is unfinished waits for the next ones."""
        for at in range(0, len(units), 4096):
            yield from self._frames.take(self.inward.open(units[at : at + 4096]))


class Initiator(Side):
    """The side that dialled; ``e`` and ``e1`` are its ephemeral keys."""

    role, other_role = b"initiator", b"responder"

    def __init__(
        self,
        keys: SomeKeys,
        own: SomeCard,
        peer: SomeCard,
        line_secret: bytes = b"",
        *,
        e: X25519PrivateKey | None = None,
        e1: MLKEM1024PrivateKey | None = None,
    ) -> None:
        super().__init__(keys, own, peer, line_secret)
        self.e = e or X25519PrivateKey.generate()
        self.e1 = e1 or MLKEM1024PrivateKey.generate()

    def first_unit(self) -> bytes:
        s = self.symmetric
        self.begin(self.own, self.peer)  # psk
        e = self.e.public_key().public_bytes_raw()
        s.mix_hash(e)  # e
        s.mix_key(e)
        s.mix_key(self.e.exchange(self.rs))  # es
        e1 = s.encrypt(self.e1.public_key().public_bytes_raw())  # e1
        s.mix_key(self.keys.x25519.exchange(self.rs))  # ss
        message = e + e1 + s.encrypt(bytes(2448))
        mac_key = mac_key_of(self.psk, self.own.id, self.peer.id)
        return message + hmac.digest(mac_key, message, "sha512")[:16]

    def read_second_unit(self, unit: bytes) -> None:
        s = self.symmetric
        s.mix_hash(unit[:32])  # e
        s.mix_key(unit[:32])
        re = X25519PublicKey.from_public_bytes(unit[:32])
        s.mix_key(self.e.exchange(re))  # ee
        s.mix_key(self.e1.decapsulate(s.decrypt(unit[32 : 32 + 1584])))  # ekem1
        s.mix_key(self.keys.x25519.exchange(re))  # se
        assert s.decrypt(unit[32 + 1584 :]) == bytes(2464)
        first, second = s.outputs(b"", 2)
        self.outward, self.inward = Direction(first[:32]), Direction(second[:32])


class Responder(Side):
    """The side that was called; ``encapsulate`` gives (shared secret, ciphertext) for a key."""

    role, other_role = b"responder", b"initiator"

    def answer(self, unit: bytes, e: X25519PrivateKey, encapsulate: Any) -> bytes:
        """Read the first unit and give the second."""
        s = self.symmetric
        message, mac = unit[:4080], unit[4080:]
        mac_key = mac_key_of(self.psk, self.peer.id, self.own.id)
        assert hmac.compare_digest(hmac.digest(mac_key, message, "sha512")[:16], mac)
        self.begin(self.peer, self.own)  # psk
        s.mix_hash(message[:32])  # e
        s.mix_key(message[:32])
        re = X25519PublicKey.from_public_bytes(message[:32])
        s.mix_key(self.keys.x25519.exchange(re))  # es
        re1 = s.decrypt(message[32 : 32 + 1584])  # e1
        s.mix_key(self.keys.x25519.exchange(self.rs))  # ss
        assert s.decrypt(message[32 + 1584 :]) == bytes(2448)
        own = e.public_key().public_bytes_raw()
        s.mix_hash(own)  # e
        s.mix_key(own)
        s.mix_key(e.exchange(re))  # ee
        secret, ciphertext = encapsulate(re1)
        ekem1 = s.encrypt(ciphertext)  # ekem1
        s.mix_key(secret)
        s.mix_key(e.exchange(self.rs))  # se
        second = own + ekem1 + s.encrypt(bytes(2464))
        one, two = s.outputs(b"", 2)
        self.inward, self.outward = Direction(one[:32]), Direction(two[:32])
        return second


# --- the log --------------------------------------------------------------------------------------


@dataclass
class Log:
    """One station's log to the other: ``heads[n]`` stands after entry n."""

    writer: bytes
    reader: bytes
    heads: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.heads = [sha512(b"hotline/1 log" + self.writer + self.reader).digest()]

    @property
    def number(self) -> int:
        return len(self.heads) - 1

    def add(self, entry: bytes) -> None:
        self.heads.append(sha512(self.heads[-1] + sha512(entry).digest()).digest())

    def head_text(self, number: int) -> bytes:
        """What the writer signs."""
        return b"hotline/1 head" + self.heads[0] + number.to_bytes(8, "big") + self.heads[number]

    def receipt_text(self, number: int, time_ns: int) -> bytes:
        """What the reader signs."""
        place = self.heads[0] + number.to_bytes(8, "big") + self.heads[number]
        return b"hotline/1 receipt" + place + time_ns.to_bytes(8, "big")


# --- entries --------------------------------------------------------------------------------------

KINDS = {
    1: ("id", "precedence", "composed_ns", "ack_by_ns", "author", "subject", "body"),
    2: ("id", "precedence", "offset", "total_bytes", "chunk"),
    3: ("id", "message_id", "number", "decision", "time_ns", "operator", "note"),
    4: ("id", "time_ns", "operator"),
}
ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


def entry(data: bytes, most_bytes: int = 8192) -> tuple[int, dict[str, Any]]:
    """Give kind and fields; asserts what the page's tables say of them, as far as is short."""
    assert len(data) <= most_bytes, "too long"
    kind = msgpack.unpackb(data)[0]
    assert type(kind) is int, "kind"
    assert kind in KINDS, "kind"
    names = KINDS[kind]
    values = dict(zip(names, strict(data, len(names) + 1)[1:], strict=True))
    assert type(values["id"]) is str, "id"
    assert re.fullmatch(ID, values["id"]), "id"
    if "precedence" in values:
        assert type(values["precedence"]) is int, "precedence"
        assert values["precedence"] in range(4), "precedence"
    return kind, values
