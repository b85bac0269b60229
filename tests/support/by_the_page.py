"""A station's side of a session, and a reader of courier files, from docs/protocol.md alone.

It shares only the keys with the product, and calls the primitives of ``cryptography`` directly. If the
page is wrong or leaves something out, this side and the product's do not understand each other.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from hashlib import sha3_256, sha512

import msgpack  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA87PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hotline.identity import Card, SecretKeys

NAME = b"Noise_KKhfs+psk0_25519+MLKEM1024_AESGCM_SHA512"


def hkdf(salt: bytes, ikm: bytes, info: bytes, size: int) -> bytes:
    """The page: prk = HMAC(salt, ikm); the first bytes of HMAC(prk, info + byte 1)."""
    prk = hmac.digest(salt, ikm, "sha512")
    return hmac.digest(prk, info + b"\x01", "sha512")[:size]


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


class Initiator:
    """The side that dialled."""

    def __init__(self, keys: SecretKeys, own: Card, peer: Card, line_secret: bytes = b"") -> None:
        self.keys, self.own, self.peer = keys, own, peer
        self.symmetric = Symmetric()
        self.e = X25519PrivateKey.generate()
        self.e1 = MLKEM1024PrivateKey.generate()
        both = min(own.id, peer.id) + max(own.id, peer.id)
        self.psk = hkdf(b"hotline/1 psk", line_secret, both, 32)
        self.rest = b""

    def first_unit(self) -> bytes:
        s = self.symmetric
        s.mix_hash(b"hotline/1" + self.own.id + self.peer.id)
        s.mix_hash(self.own.x25519)
        s.mix_hash(self.peer.x25519)
        s.mix_key_and_hash(self.psk)  # psk
        e = self.e.public_key().public_bytes_raw()
        s.mix_hash(e)  # e
        s.mix_key(e)
        rs = X25519PublicKey.from_public_bytes(self.peer.x25519)
        s.mix_key(self.e.exchange(rs))  # es
        e1 = s.encrypt(self.e1.public_key().public_bytes_raw())  # e1
        s.mix_key(self.keys.x25519.exchange(rs))  # ss
        message = e + e1 + s.encrypt(bytes(2448))
        mac_key = hkdf(b"hotline/1 mac", self.psk, self.own.id + self.peer.id, 64)
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

    def attestation(self) -> bytes:
        signature = self.keys.sign_mldsa(b"initiator" + self.symmetric.h, b"hotline/1 attest")
        return self.units(1, [signature])

    def check_attestation(self, body: bytes) -> None:
        [signature] = msgpack.unpackb(body)
        key = MLDSA87PublicKey.from_public_bytes(self.peer.mldsa87)
        key.verify(signature, b"responder" + self.symmetric.h, b"hotline/1 attest")

    def units(self, frame_type: int, fields: list[object]) -> bytes:
        """Give one frame in as many records as it takes, the last one padded."""
        body: bytes = msgpack.packb(fields)
        plain = bytes([frame_type]) + len(body).to_bytes(3, "big") + body
        pieces = [plain[at : at + 4080] for at in range(0, len(plain), 4080)]
        return b"".join(map(self.outward.seal, pieces))

    def frames(self, units: bytes) -> Iterator[tuple[int, bytes]]:
        """Give the frames in whole units; what is unfinished waits for the next ones."""
        for at in range(0, len(units), 4096):
            self.rest += self.inward.open(units[at : at + 4096])
            while self.rest:
                if self.rest[0] == 0:
                    assert self.rest.count(0) == len(self.rest)
                    self.rest = b""
                    break
                size = int.from_bytes(self.rest[1:4], "big")
                if len(self.rest) < 4 + size:
                    break
                frame_type, body = self.rest[0], self.rest[4 : 4 + size]
                self.rest = self.rest[4 + size :]
                yield frame_type, body


P384_ORDER = int(
    "39402006196394479212279040100143613805079739270465446667946905279627659399113263569398956308152"
    "294913554433653942643"
)
"""From SP 800-186, in decimals: not a copy of what the product has."""

HPKE_SUITE = b"HPKE" + bytes.fromhex("0051 0003 0002")
"""MLKEM1024-P384, HKDF-SHA512, AES-256-GCM."""


class CourierReader:
    """The reader of courier files, down to HPKE's key schedule and the KEM's combiner."""

    def __init__(self, keys: SecretKeys, own: Card, peer: Card, line_secret: bytes = b"") -> None:
        self.own, self.peer = own, peer
        prk = hmac.digest(b"hotline/1 courier", b"".join(keys.seeds()), "sha512")
        mlkem_seed = hmac.digest(prk, b"mlkem1024\x01", "sha512")
        wide = int.from_bytes(hmac.digest(prk, b"p384\x01", "sha512"), "big")
        self.mlkem = MLKEM1024PrivateKey.from_seed_bytes(mlkem_seed)
        self.p384 = ec.derive_private_key(wide % (P384_ORDER - 1) + 1, ec.SECP384R1())
        numbers = self.p384.public_key().public_numbers()
        self.point = b"\4" + numbers.x.to_bytes(48, "big") + numbers.y.to_bytes(48, "big")
        self.public = self.mlkem.public_key().public_bytes_raw() + self.point
        both = min(own.id, peer.id) + max(own.id, peer.id)
        psk = hkdf(b"hotline/1 psk", line_secret, both, 32)
        self.derived = hkdf(b"hotline/1 courier", psk, peer.id + own.id + self.public, 64)

    def header(self) -> bytes:
        return b"hotline/1 courier file" + self.derived[:32]

    def read(self, file: bytes) -> list[object]:
        """Give the fields of the content, once both signatures have verified."""
        header, sealed = file[:54], file[54:]
        assert header == self.header()
        plain = self._open(sealed[:1665], sealed[1665:], header + self.derived[32:])
        size = int.from_bytes(plain[:4], "big")
        assert plain[4 + size :] == bytes(len(plain) - 4 - size)
        content, ed25519_signature, mldsa_signature = msgpack.unpackb(plain[4 : 4 + size])
        label = b"hotline/1 courier file"
        Ed25519PublicKey.from_public_bytes(self.peer.ed25519).verify(
            ed25519_signature, label + content
        )
        MLDSA87PublicKey.from_public_bytes(self.peer.mldsa87).verify(
            mldsa_signature, content, label
        )
        fields: list[object] = msgpack.unpackb(content)
        return fields

    def _open(self, enc: bytes, sealed: bytes, info: bytes) -> bytes:
        mlkem_ct, point = enc[:1568], enc[1568:]
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), point)
        shared = self.p384.exchange(ec.ECDH(), theirs)
        secret = sha3_256(
            self.mlkem.decapsulate(mlkem_ct) + shared + point + self.point + b"MLKEM1024-P384"
        ).digest()
        context = b"\0" + self._extract(b"", b"psk_id_hash", b"")
        context += self._extract(b"", b"info_hash", info)
        prk = self._extract(secret, b"secret", b"")
        key = self._expand(prk, b"key", context, 32)
        base_nonce = self._expand(prk, b"base_nonce", context, 12)
        return AESGCM(key).decrypt(base_nonce, sealed, b"")

    @staticmethod
    def _extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt, b"HPKE-v1" + HPKE_SUITE + label + ikm, "sha512")

    @staticmethod
    def _expand(prk: bytes, label: bytes, info: bytes, size: int) -> bytes:
        labelled = size.to_bytes(2, "big") + b"HPKE-v1" + HPKE_SUITE + label + info
        return hmac.digest(prk, labelled + b"\1", "sha512")[:size]
