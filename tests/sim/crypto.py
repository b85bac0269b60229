"""Keys for stations, real or cheap, and a watch over every nonce.

The cheap ones are for speed: signatures are keyed hashes that anyone with the card could make, the
curve is a small group, and the KEM is a hash. They have the sizes and the failures of the real ones
(a wrong byte does not verify), and go through the very same code: HandshakeState, Session, Pairing.
Records are sealed with real AES-256-GCM in every world. A share of the seeds uses the real ones.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from functools import cache
from hashlib import blake2b, sha512
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hotline.errors import HandshakeError, IdentityError, ProtocolError
from hotline.identity import Card, SecretKeys
from hotline.identity.succession import Succession
from hotline.limits import MLDSA_SIGNATURE_BYTES
from hotline.line.session import PROTOCOL
from hotline.noise.cipher import AES_GCM
from hotline.noise.ephemerals import Ephemerals
from hotline.noise.kem import MLKEM1024

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from hotline.noise.protocol import Protocol

_PRIME: Final = 2**127 - 1
_KEM_BYTES: Final = 1568
_CHEAP_SUCCESSION_BYTES: Final = 12_000
"""About what a real one takes: it is cut into parts."""
REKEY_NONCE: Final = b"\0" * 4 + b"\xff" * 8


class CheapKeys:
    """Stands in for SecretKeys."""

    def __init__(self, name: str, seed: int, secret: bytes | None = None) -> None:
        self.secret = secret or blake2b(f"{name} {seed}".encode()).digest()
        self.x25519 = _CheapPoint(int.from_bytes(self.secret[:15], "big"))

    def seeds(self) -> tuple[bytes, bytes, bytes]:
        return self.secret[:32], self.secret[32:], self.secret[:32]

    def sign_ed25519(self, data: bytes) -> bytes:
        return blake2b(data, key=self.secret).digest()

    def sign_mldsa(self, data: bytes, context: bytes) -> bytes:
        return blake2b(context + data, key=self.secret).digest().ljust(MLDSA_SIGNATURE_BYTES, b"\0")


class CheapCard:
    """Stands in for Card."""

    def __init__(self, name: str, keys: CheapKeys) -> None:
        self.name = name
        self.id = sha512(keys.secret).digest()[:32]
        self.x25519 = keys.x25519.public
        self._keys = keys

    def verify_ed25519(self, signature: bytes, data: bytes) -> None:
        if not hmac.compare_digest(signature, self._keys.sign_ed25519(data)):
            raise ProtocolError(f"the Ed25519 signature of {self.name} does not verify")

    def verify_mldsa(self, signature: bytes, data: bytes, context: bytes) -> None:
        if not hmac.compare_digest(signature, self._keys.sign_mldsa(data, context)):
            raise ProtocolError(f"the ML-DSA-87 signature of {self.name} does not verify")


class _CheapPoint:
    def __init__(self, exponent: int) -> None:
        self.exponent = exponent | 1
        self.public = pow(3, self.exponent, _PRIME).to_bytes(32, "big")


def _cheap_dh(key_pair: _CheapPoint, remote: bytes) -> bytes:
    point = int.from_bytes(remote, "big")
    if not 1 < point < _PRIME:
        raise HandshakeError("x25519 public key is of low order or not 32 bytes")
    return pow(point, key_pair.exponent, _PRIME).to_bytes(32, "big")


CHEAP_DH: Final = SimpleNamespace(
    NAME="25519", DHLEN=32, public_key=lambda key_pair: key_pair.public, dh=_cheap_dh
)
"""Stands in for the module hotline.noise.dh."""


class _CheapKemKey:
    def __init__(self, seed: bytes) -> None:
        self._public = seed.ljust(_KEM_BYTES, b"\1")

    def public_key(self) -> Any:
        return self

    def public_bytes_raw(self) -> bytes:
        return self._public

    def decapsulate(self, ciphertext: bytes) -> bytes:
        return blake2b(self._public + ciphertext, digest_size=32).digest()


class _CheapKem:
    name, public_key_bytes, ciphertext_bytes = "MLKEM1024", _KEM_BYTES, _KEM_BYTES

    def check_public_key(self, public_key: bytes) -> None:
        if len(public_key) != _KEM_BYTES:
            raise HandshakeError("MLKEM1024 public key is not valid")

    def decapsulate(self, key_pair: _CheapKemKey, ciphertext: bytes) -> bytes:
        return key_pair.decapsulate(ciphertext)


def cheap_ephemerals(random: Random) -> Any:
    """Give ephemeral keys of the cheap kind."""

    def encapsulate(public_key: bytes) -> tuple[bytes, bytes]:
        ciphertext = random.randbytes(32).ljust(_KEM_BYTES, b"\2")
        return blake2b(public_key + ciphertext, digest_size=32).digest(), ciphertext

    return Ephemerals(
        lambda: _CheapPoint(random.getrandbits(120)),  # type: ignore[arg-type, return-value]
        lambda: _CheapKemKey(random.randbytes(32)),
        encapsulate,
    )


def real_ephemerals(random: Random) -> Ephemerals:
    """Give real ephemeral keys from the seed (but for what OpenSSL draws when it encapsulates)."""
    return Ephemerals(
        lambda: X25519PrivateKey.from_private_bytes(random.randbytes(32)),
        lambda: MLKEM1024PrivateKey.from_seed_bytes(random.randbytes(64)),
        MLKEM1024.encapsulate,
    )


@cache
def real_identity(name: str) -> tuple[SecretKeys, Card]:
    """Give a station's real keys and card, the same in every run."""
    seeds = [sha512(f"{name} {n}".encode()).digest()[:32] for n in range(3)]
    keys = SecretKeys.from_seeds(*seeds)
    return keys, Card.make(name, keys, 1_600_000_000 * 10**9)


def identity(name: str, seed: int, *, real: bool) -> tuple[Any, Any]:
    """Give a station's keys and card."""
    if real:
        return real_identity(name)
    keys = CheapKeys(name, seed)
    return keys, CheapCard(name, keys)


class CheapSuccession:
    """Stands in for Succession: the new keys, and whose successor they are; nobody signs."""

    def __init__(self, old: Any, keys: CheapKeys, name: str) -> None:
        self.old_id = old.id
        self.card = CheapCard(name, keys)
        self.encoded = (old.id + keys.secret).ljust(_CHEAP_SUCCESSION_BYTES, b"\3")

    @classmethod
    def decode(cls, encoded: bytes, cards: Any) -> CheapSuccession:
        """Read what was made for the last of cards; raises IdentityError."""
        if encoded[:32] != cards[-1].id:
            raise IdentityError("the succession follows another card")
        return cls(cards[-1], CheapKeys("", 0, secret=encoded[32:96]), cards[-1].name)


def successor(
    name: str, old: tuple[Any, Any], number: int, seed: int, *, real: bool
) -> tuple[Any, Any]:
    """Give a station's next succession and keys; old is its last card, with its keys."""
    if not real:
        keys = CheapKeys(f"{name} {number}", seed)
        return CheapSuccession(old[0], keys, name), keys
    new_keys, card = _real_successor(name, number)
    return Succession.make(*old, card, new_keys, card.created_ns), new_keys


@cache
def _real_successor(name: str, number: int) -> tuple[SecretKeys, Card]:
    seeds = [sha512(f"{name} {number} {n}".encode()).digest()[:32] for n in range(3)]
    keys = SecretKeys.from_seeds(*seeds)
    return keys, Card.make(name, keys, 1_600_000_000 * 10**9 + number)


def remembering(verify: Callable[..., None]) -> Callable[..., None]:
    """Give a check that is computed once for the same input: auditors see every signature again.

    What does not verify is not remembered.
    """
    good: set[tuple[Any, ...]] = set()

    def check(card: Card, *seen: bytes) -> None:
        key = card.ed25519, card.mldsa87, *seen
        if key not in good:
            verify(card, *seen)
            good.add(key)

    return check


def watched_protocol(used: Callable[[bytes, bytes], None], *, real: bool) -> Protocol:
    """Give the session's protocol with a cipher that tells each (key, nonce) it encrypts under."""

    class WatchedAead:
        """AES-256-GCM with a witness."""

        __slots__ = ("_aead", "_key", "decrypt")

        def __init__(self, key: bytes) -> None:
            self._key = key
            self._aead = AESGCM(key)
            self.decrypt = self._aead.decrypt

        def encrypt(self, nonce: bytes, data: bytes, ad: bytes) -> bytes:
            used(self._key, nonce)
            return self._aead.encrypt(nonce, data, ad)

    cipher = replace(AES_GCM, aead=WatchedAead)  # type: ignore[arg-type]
    kem: Any = PROTOCOL.kem if real else _CheapKem()
    return replace(PROTOCOL, cipher=cipher, kem=kem)
