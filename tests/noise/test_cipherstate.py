"""CipherState: nonces, failures, rekey and limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import LocalMisuseError, RecordError
from hotline.noise.cipher import AES_GCM, CHACHA_POLY, CIPHERS, Cipher
from hotline.noise.cipherstate import CipherState
from hotline.noise.constants import MAX_NONCE
from support.noise_sides import Pair

KEY = bytes(range(32))

ciphers = pytest.mark.parametrize("cipher", CIPHERS.values(), ids=CIPHERS)


def keyed(cipher: Cipher = AES_GCM) -> CipherState:
    state = CipherState(cipher)
    state.initialize_key(KEY)
    return state


@given(
    cipher=st.sampled_from([AES_GCM, CHACHA_POLY]),
    messages=st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=80)), max_size=8),
)
def test_what_is_encrypted_is_decrypted_in_order(
    cipher: Cipher, messages: list[tuple[bytes, bytes]]
) -> None:
    """Data would come out changed, or two messages would share a nonce."""
    sender, receiver = keyed(cipher), keyed(cipher)
    for number, (ad, plaintext) in enumerate(messages):
        ciphertext = sender.encrypt_with_ad(ad, plaintext)
        nonce = cipher.nonce.pack(number)
        assert ciphertext == cipher.aead(KEY).encrypt(nonce, plaintext, ad)
        assert receiver.decrypt_with_ad(ad, ciphertext) == plaintext


def test_nonce_layout() -> None:
    """Sections 12.3 and 12.4: the two ciphers count in opposite byte orders."""
    assert AES_GCM.nonce.pack(0x0102) == bytes(4) + b"\0\0\0\0\0\0\x01\x02"
    assert CHACHA_POLY.nonce.pack(0x0102) == bytes(4) + b"\x02\x01\0\0\0\0\0\0"


def test_without_a_key_nothing_is_changed() -> None:
    """The first messages of a handshake, which have no key yet, would be unreadable."""
    state = CipherState(AES_GCM)
    assert not state.has_key()
    assert state.encrypt_with_ad(b"ad", b"clear") == b"clear"
    assert state.decrypt_with_ad(b"ad", b"clear") == b"clear"
    with pytest.raises(LocalMisuseError):
        state.rekey()
    state.initialize_key(KEY)
    assert state.has_key()


@given(position=st.integers(0, 20), bit=st.integers(0, 7))
def test_failed_decrypt_changes_nothing(position: int, bit: int) -> None:
    """One forged record would put the two sides out of step for good."""
    sender, receiver = keyed(), keyed()
    receiver.decrypt_with_ad(b"", sender.encrypt_with_ad(b"", b"zero"))
    good = sender.encrypt_with_ad(b"", b"right")
    bad = bytearray(good)
    bad[position] ^= 1 << bit
    for forged in (bytes(bad), good[:-1], good + b"\0", b"", good[:15]):
        with pytest.raises(RecordError):
            receiver.decrypt_with_ad(b"", forged)
    with pytest.raises(RecordError):
        receiver.decrypt_with_ad(b"other", good)
    assert receiver.decrypt_with_ad(b"", good) == b"right"
    with pytest.raises(RecordError):
        receiver.decrypt_with_ad(b"", good)


@ciphers
def test_nonce_exhaustion(cipher: Cipher) -> None:
    """The reserved nonce would be used, or the counter would wrap and repeat the first one."""
    sender, receiver = keyed(cipher), keyed(cipher)
    sender.set_nonce(MAX_NONCE - 1)
    receiver.set_nonce(MAX_NONCE - 1)
    last = sender.encrypt_with_ad(b"", b"last")
    assert receiver.decrypt_with_ad(b"", last) == b"last"
    for _ in range(2):
        with pytest.raises(LocalMisuseError):
            sender.encrypt_with_ad(b"", b"")
        with pytest.raises(LocalMisuseError):
            receiver.decrypt_with_ad(b"", last)
    sender.rekey()
    with pytest.raises(LocalMisuseError):
        sender.encrypt_with_ad(b"", b"")


def test_nonce_never_goes_back() -> None:
    """Two messages would be encrypted under one nonce."""
    state = keyed()
    state.set_nonce(7)
    state.set_nonce(7)
    for nonce in (6, -1, MAX_NONCE + 1):
        with pytest.raises(LocalMisuseError):
            state.set_nonce(nonce)


@ciphers
def test_rekey_is_the_specifications(cipher: Cipher) -> None:
    """Section 4.2: another implementation would not follow our new key."""
    state = keyed(cipher)
    state.encrypt_with_ad(b"", b"zero")
    state.rekey()
    reserved = cipher.nonce.pack(MAX_NONCE)
    new_key = cipher.aead(KEY).encrypt(reserved, bytes(32), b"")[:32]
    expected = cipher.aead(new_key).encrypt(cipher.nonce.pack(1), b"one", b"")
    assert state.encrypt_with_ad(b"", b"one") == expected


@given(steps=st.lists(st.booleans(), max_size=30))
def test_rekey_keeps_both_sides_in_step(steps: list[bool]) -> None:
    """A long session would stop at its first rekey, or the old key would still open records."""
    sender, receiver = Pair().finish()
    for rekey in steps:
        if rekey:
            sender.rekey()
            ciphertext = sender.encrypt_with_ad(b"", b"after")
            with pytest.raises(RecordError):
                receiver.decrypt_with_ad(b"", ciphertext)
            receiver.rekey()
            assert receiver.decrypt_with_ad(b"", ciphertext) == b"after"
        else:
            ciphertext = sender.encrypt_with_ad(b"", b"next")
            assert receiver.decrypt_with_ad(b"", ciphertext) == b"next"


def test_message_limit() -> None:
    """Section 3: a message over 65535 bytes is not Noise, and no peer would take it."""
    sender, receiver = keyed(), keyed()
    with pytest.raises(LocalMisuseError):
        sender.encrypt_with_ad(b"", bytes(65520))
    ciphertext = sender.encrypt_with_ad(b"", bytes(65519))
    assert len(ciphertext) == 65535
    too_long = AES_GCM.aead(KEY).encrypt(AES_GCM.nonce.pack(0), bytes(65520), b"")
    with pytest.raises(RecordError):
        receiver.decrypt_with_ad(b"", too_long)
    assert receiver.decrypt_with_ad(b"", ciphertext) == bytes(65519)


@pytest.mark.parametrize("size_bytes", [0, 16, 31, 33, 64])
def test_key_of_wrong_length(size_bytes: int) -> None:
    """AES would quietly run with a shorter key."""
    with pytest.raises(LocalMisuseError):
        CipherState(AES_GCM).initialize_key(bytes(size_bytes))
