"""ML-KEM: sizes, agreement with another implementation, and what must be refused."""

from __future__ import annotations

from typing import Any

import pytest
from kyber_py.ml_kem import ML_KEM_768, ML_KEM_1024

from hotline.errors import HandshakeError
from hotline.noise.kem import MLKEM768, MLKEM1024, Kem

both = pytest.mark.parametrize(
    ("kem", "other"), [(MLKEM768, ML_KEM_768), (MLKEM1024, ML_KEM_1024)], ids=["768", "1024"]
)


@both
def test_agrees_with_another_implementation(kem: Kem, other: Any) -> None:
    """Another reading of FIPS 203, or shared secret and ciphertext swapped, would go unseen."""
    key_pair = kem.generate_keypair()
    public_key = key_pair.public_key().public_bytes_raw()
    assert len(public_key) == kem.public_key_bytes
    shared_secret, ciphertext = other.encaps(public_key)
    assert len(ciphertext) == kem.ciphertext_bytes
    assert kem.decapsulate(key_pair, ciphertext) == shared_secret

    other_public_key, other_private_key = other.keygen()
    kem.check_public_key(other_public_key)
    shared_secret, ciphertext = kem.encapsulate(other_public_key)
    assert len(shared_secret) == 32
    assert other.decaps(other_private_key, ciphertext) == shared_secret


@both
def test_public_key_that_is_not_valid(kem: Kem, other: Any) -> None:
    """FIPS 203, section 7.2: a coefficient of 3329 or more must be refused, and a wrong length."""
    public_key, _ = other.keygen()
    for bad in (b"", public_key[:-1], public_key + b"\0", b"\xff\xff" + public_key[2:]):
        with pytest.raises(HandshakeError):
            kem.check_public_key(bad)
        with pytest.raises(HandshakeError):
            kem.encapsulate(bad)


@both
def test_ciphertext_of_wrong_length(kem: Kem, other: Any) -> None:
    """The library's own exception would escape and end the daemon."""
    key_pair = kem.generate_keypair()
    _, ciphertext = other.encaps(key_pair.public_key().public_bytes_raw())
    for bad in (b"", ciphertext[:-1], ciphertext + b"\0"):
        with pytest.raises(HandshakeError):
            kem.decapsulate(key_pair, bad)
