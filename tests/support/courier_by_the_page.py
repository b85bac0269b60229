"""A reader of courier files, written from docs/protocol.md alone, beside the station of by_the_page.

It calls the primitives of ``cryptography`` and a msgpack library directly; HPKE's key schedule and the
KEM's combiner are written out, so that the product's use of a library for them is checked too.
"""

from __future__ import annotations

import hmac
from hashlib import sha3_256
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA87PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from support.by_the_page import hkdf, psk_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Card(Protocol):
        """What the reader wants to know of a station, whoever has read its card."""

        @property
        def id(self) -> bytes: ...
        @property
        def ed25519(self) -> bytes: ...
        @property
        def mldsa87(self) -> bytes: ...


P384_ORDER = int(
    "39402006196394479212279040100143613805079739270465446667946905279627659399113263569398956308152"
    "294913554433653942643"
)
"""From SP 800-186, in decimals: not a copy of what the product has."""


def uncompressed(key: ec.EllipticCurvePrivateKey) -> bytes:
    """SEC 1, section 2.3.3: byte 4, then both coordinates."""
    numbers = key.public_key().public_numbers()
    return b"\4" + numbers.x.to_bytes(48, "big") + numbers.y.to_bytes(48, "big")


HPKE_SUITE = b"HPKE" + bytes.fromhex("0051 0003 0002")
"""MLKEM1024-P384, HKDF-SHA512, AES-256-GCM."""


class CourierReader:
    """The reader of courier files, down to HPKE's key schedule and the KEM's combiner."""

    def __init__(
        self, seeds: Sequence[bytes], own: Card, peer: Card, line_secret: bytes = b""
    ) -> None:
        self.own, self.peer = own, peer
        prk = hmac.digest(b"hotline/1 courier", b"".join(seeds), "sha512")
        mlkem_seed = hmac.digest(prk, b"mlkem1024\x01", "sha512")
        wide = int.from_bytes(hmac.digest(prk, b"p384\x01", "sha512"), "big")
        self.mlkem = MLKEM1024PrivateKey.from_seed_bytes(mlkem_seed)
        self.p384 = ec.derive_private_key(wide % (P384_ORDER - 1) + 1, ec.SECP384R1())
        self.point = uncompressed(self.p384)
        self.public = self.mlkem.public_key().public_bytes_raw() + self.point
        psk = psk_of(line_secret, own.id, peer.id)
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
        key, base_nonce = self.schedule(secret, info)
        return AESGCM(key).decrypt(base_nonce, sealed, b"")

    def schedule(self, secret: bytes, info: bytes) -> tuple[bytes, bytes]:
        """Give key and first nonce (RFC 9180, section 5.1, mode base)."""
        context = b"\0" + self._extract(b"", b"psk_id_hash", b"")
        context += self._extract(b"", b"info_hash", info)
        prk = self._extract(secret, b"secret", b"")
        key = self._expand(prk, b"key", context, 32)
        return key, self._expand(prk, b"base_nonce", context, 12)

    @staticmethod
    def _extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt, b"HPKE-v1" + HPKE_SUITE + label + ikm, "sha512")

    @staticmethod
    def _expand(prk: bytes, label: bytes, info: bytes, size: int) -> bytes:
        labelled = size.to_bytes(2, "big") + b"HPKE-v1" + HPKE_SUITE + label + info
        return hmac.digest(prk, labelled + b"\1", "sha512")[:size]
