"""Courier keys: derived, signed, read from anyone, sealed to and opened."""

from __future__ import annotations

import pytest

from hotline import limits
from hotline.errors import DecodeError, IdentityError, ProtocolError, RemoteError
from hotline.identity import Card, SecretKeys, courierkey
from hotline.identity.courierkey import SEALED_OVERHEAD_BYTES, CourierKey, CourierSecret
from support.protocol_examples import ALPHA, ALPHA_KEYS, BRAVO, BRAVO_KEYS

SECRET = CourierSecret(ALPHA_KEYS)
KEY = CourierKey.make(ALPHA_KEYS, ALPHA, SECRET)


def signed(keys: SecretKeys, card: Card, secret: CourierSecret) -> bytes:
    """Give a courier key with both signatures, whatever is in it."""
    return CourierKey.make(keys, card, secret).encoded


class Other:
    """Stands in for a secret whose public halves are somebody's choice."""

    def __init__(self, mlkem1024: bytes = KEY.mlkem1024, p384: bytes = KEY.p384) -> None:
        self.mlkem1024 = mlkem1024
        self.p384 = p384


def test_a_key_is_the_same_whenever_it_is_made() -> None:
    """A file sealed before a restart could not be opened after it."""
    again = CourierKey.make(ALPHA_KEYS, ALPHA, CourierSecret(ALPHA_KEYS))
    assert again == KEY
    assert len(again.encoded) == limits.COURIER_KEY_BYTES
    assert again.encoded != KEY.encoded  # its ML-DSA signature is hedged
    assert CourierKey.decode(KEY.encoded, ALPHA) == KEY
    other = CourierKey.make(BRAVO_KEYS, BRAVO, CourierSecret(BRAVO_KEYS))
    assert (other.mlkem1024 != KEY.mlkem1024, other.p384 != KEY.p384) == (True, True)


@pytest.mark.parametrize("changed", range(3))
def test_a_key_depends_on_every_seed(changed: int) -> None:
    """A seed without part in it would be one fewer to steal."""
    seeds = list(ALPHA_KEYS.seeds())
    seeds[changed] = bytes(32)
    other = CourierSecret(SecretKeys.from_seeds(*seeds))
    assert other.mlkem1024 != SECRET.mlkem1024
    assert other.p384 != SECRET.p384


def test_what_is_sealed_opens_for_that_key_and_info_only() -> None:
    """Whoever else opens it reads an order that was not for them."""
    sealed = KEY.seal(b"order", b"info")
    assert len(sealed) == 5 + SEALED_OVERHEAD_BYTES
    assert SECRET.open(sealed, b"info") == b"order"
    assert KEY.seal(b"order", b"info") != sealed
    for secret, info in ((SECRET, b"other"), (CourierSecret(BRAVO_KEYS), b"info")):
        with pytest.raises(DecodeError, match="damaged, or was not sealed"):
            secret.open(sealed, info)
    for size in (0, 1, 1664, 1665, len(sealed) - 1):
        with pytest.raises(DecodeError):
            SECRET.open(sealed[:size], b"info")


def test_only_its_own_station_can_make_a_key() -> None:
    """A key slipped in by another would have every file open for that other."""
    with pytest.raises(ProtocolError, match="not that of bravo"):
        CourierKey.decode(KEY.encoded, BRAVO)
    forged = CourierKey.make(BRAVO_KEYS, ALPHA, CourierSecret(BRAVO_KEYS))
    with pytest.raises(ProtocolError, match="does not verify"):
        CourierKey.decode(forged.encoded, ALPHA)


@pytest.mark.parametrize(
    "other",
    [
        Other(mlkem1024=b"\xff" * 1568),
        Other(p384=b"\4" + bytes(96)),
        Other(p384=b"\4" + b"\xff" * 96),
        Other(p384=bytes(97)),
        Other(p384=b"\6" + KEY.p384[1:]),
        Other(p384=KEY.p384[:-1] + bytes([KEY.p384[-1] ^ 1])),
    ],
    ids=["mlkem", "origin", "beyond", "infinity", "hybrid", "off the curve"],
)
def test_a_signed_key_that_is_not_valid_is_refused(other: CourierSecret) -> None:
    """Sealing to a point off the curve gives the key away; the peer may have signed it."""
    with pytest.raises(DecodeError, match="not valid"):
        CourierKey.decode(signed(ALPHA_KEYS, ALPHA, other), ALPHA)


def test_every_changed_byte_is_found() -> None:
    """A changed key would seal to nobody, or to somebody else."""
    for at in range(0, len(KEY.encoded), 7):
        changed = bytearray(KEY.encoded)
        changed[at] ^= 1 << (at % 8)
        with pytest.raises(RemoteError):
            CourierKey.decode(bytes(changed), ALPHA)
    for junk in (b"", KEY.encoded[:-1], KEY.encoded + b"\0", KEY.signed_part):
        with pytest.raises(DecodeError):
            CourierKey.decode(junk, ALPHA)


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later protocol's key means something else."""
    monkeypatch.setattr(courierkey, "_TAG", "hotline/2 courier key")
    encoded = signed(ALPHA_KEYS, ALPHA, SECRET)
    monkeypatch.undo()
    with pytest.raises(DecodeError, match="of this protocol version"):
        CourierKey.decode(encoded, ALPHA)


def test_armour() -> None:
    """A key that a mail program changed must not be taken for another one."""
    text = courierkey.armoured(KEY.encoded)
    assert text.startswith("-----BEGIN HOTLINE COURIER KEY-----\n")
    assert courierkey.dearmoured(text, "it") == KEY.encoded
    assert courierkey.station_of(KEY.encoded) == ALPHA.id
    with pytest.raises(IdentityError, match="it is a HOTLINE CARD"):
        courierkey.dearmoured(ALPHA.armoured(), "it")
    with pytest.raises(IdentityError, match="it is damaged"):
        courierkey.dearmoured(courierkey.armoured(b"junk"), "it")
