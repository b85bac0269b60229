"""X25519 against Wycheproof, and the keys that must be refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hotline.errors import HandshakeError
from hotline.noise import dh
from support.noise_sides import FIRST_STATIC, LOW_ORDER

if TYPE_CHECKING:
    from pathlib import Path


def test_wycheproof(vectors_dir: Path) -> None:
    """A wrong edge case would make a key that no other implementation agrees to."""
    document = json.loads((vectors_dir / "wycheproof_x25519_test.json").read_text())
    cases = [case for group in document["testGroups"] for case in group["tests"]]
    assert len(cases) == document["numberOfTests"] == 518
    refused = 0
    for case in cases:
        key_pair = X25519PrivateKey.from_private_bytes(bytes.fromhex(case["private"]))
        public_key, shared = bytes.fromhex(case["public"]), bytes.fromhex(case["shared"])
        if shared == bytes(32):
            refused += 1
            with pytest.raises(HandshakeError):
                dh.dh(key_pair, public_key)
        else:
            assert dh.dh(key_pair, public_key) == shared, case["tcId"]
    assert refused == 31


@pytest.mark.parametrize("public_key", LOW_ORDER)
def test_low_order_public_key(public_key: bytes) -> None:
    """A peer could force a shared secret that does not depend on our key."""
    with pytest.raises(HandshakeError):
        dh.dh(FIRST_STATIC, public_key)


@pytest.mark.parametrize("size_bytes", [0, 31, 33])
def test_public_key_of_wrong_length(size_bytes: int) -> None:
    """The library's own exception would escape and end the daemon."""
    with pytest.raises(HandshakeError):
        dh.dh(FIRST_STATIC, b"\x09" * size_bytes)


def test_generated_key_pairs_agree() -> None:
    """The production generator would repeat itself or make unusable keys."""
    ours, theirs = dh.generate_keypair(), dh.generate_keypair()
    assert dh.public_key(ours) != dh.public_key(theirs)
    assert dh.dh(ours, dh.public_key(theirs)) == dh.dh(theirs, dh.public_key(ours))
