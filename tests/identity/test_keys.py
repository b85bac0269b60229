"""Secret keys, their file, and the line secret."""

import os
import traceback
from contextlib import suppress
from pathlib import Path

import msgpack  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import IdentityError, LocalMisuseError
from hotline.identity import (
    Card,
    SecretKeys,
    read_line_secret,
    read_secret_keys,
    write_line_secret,
    write_secret_keys,
)
from hotline.identity.armour import Armour
from hotline.identity.files import SECRET_MODE, create

SEEDS = (b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)
KEY_ARMOUR = Armour("HOTLINE SECRET KEY", 256)


def write_raw(path: Path, *values: object) -> Path:
    create(path, KEY_ARMOUR.encode(msgpack.packb(values)).encode(), SECRET_MODE)
    return path


def test_keys_come_from_the_given_randomness_only() -> None:
    """Randomness drawn elsewhere would make the simulator lie; too little of it, weak keys."""
    asked: list[int] = []

    def random(n: int) -> bytes:
        asked.append(n)
        return bytes([len(asked)]) * n

    assert SecretKeys.generate(random).seeds() == SEEDS
    assert asked == [32, 32, 32]


def test_a_short_read_of_randomness_is_a_bug() -> None:
    """A generator that gives fewer bytes must stop everything, not make a guessable key."""
    with pytest.raises(LocalMisuseError, match="a seed is not 32 bytes"):
        SecretKeys.generate(lambda n: bytes(n - 1))


def test_rfc_vectors() -> None:
    """Seeds read in another way would make keys that no other implementation knows.

    RFC 7748, section 6.1 (Alice), and RFC 8032, section 7.1, test 1.
    """
    keys = SecretKeys.from_seeds(
        bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"),
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
        bytes(32),
    )
    public = keys.public()
    assert public.x25519.hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    assert (
        public.ed25519.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert keys.sign_ed25519(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )


def test_sizes(keys: SecretKeys) -> None:
    """Every shape on the wire and on disk counts on these."""
    public = keys.public()
    assert [len(public.x25519), len(public.ed25519), len(public.mldsa87)] == [32, 32, 2592]
    assert len(keys.sign_ed25519(b"text")) == 64
    assert len(keys.sign_mldsa(b"text", b"context")) == 4627


@given(st.tuples(*[st.binary(min_size=32, max_size=32)] * 3))
def test_seeds_round_trip(seeds: tuple[bytes, bytes, bytes]) -> None:
    """A seed that the library clamps or expands before giving it back could not be stored."""
    assert SecretKeys.from_seeds(*seeds).seeds() == seeds


def shown(value: object) -> str:
    return (
        f"{value!r} {value} {value:} {[value]} {vars(value) if hasattr(value, '__dict__') else ''}"
    )


def test_no_way_of_printing_shows_a_seed(keys: SecretKeys) -> None:
    """One f-string in one log line must not be enough to publish a key."""
    text = shown(keys) + shown(keys.x25519) + shown(keys.ed25519) + shown(keys.mldsa87)
    for seed in keys.seeds():
        for form in (seed.hex(), repr(seed), repr(seed)[2:-1], str(list(seed))):
            assert form not in text
    assert repr(keys) == "SecretKeys(...)"


def test_key_file_round_trip(tmp_path: Path, keys: SecretKeys) -> None:
    """A station that cannot read back its own key after `init` is lost."""
    path = tmp_path / "north.key"
    write_secret_keys(path, keys)
    assert read_secret_keys(path).seeds() == keys.seeds()
    assert path.read_text().startswith("-----BEGIN HOTLINE SECRET KEY-----\n")


def test_key_file_form(tmp_path: Path, keys: SecretKeys) -> None:
    """The file outlives this program: its form is a contract."""
    path = tmp_path / "north.key"
    write_secret_keys(path, keys)
    body = KEY_ARMOUR.decode(path.read_text(), "x")
    assert msgpack.unpackb(body) == ["hotline/1 key", "none", *SEEDS]


def test_an_unknown_protection_is_explained(tmp_path: Path) -> None:
    """A later, protected key must not be taken for a damaged one and thrown away."""
    path = write_raw(tmp_path / "k", "hotline/1 key", "argon2id", *SEEDS)
    with pytest.raises(IdentityError, match=r"protected in a way .*'argon2id'") as caught:
        read_secret_keys(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    "values",
    [
        ("hotline/2 key", "none", *SEEDS),
        ("hotline/1 card", "none", *SEEDS),
        ("hotline/1 key", "none", *SEEDS[:2]),
        ("hotline/1 key", "none", *SEEDS, b""),
        ("hotline/1 key", "none", SEEDS[0][:31], *SEEDS[1:]),
        ("hotline/1 key", "none", SEEDS[0] + b"x", *SEEDS[1:]),
        ("hotline/1 key", "none", "1" * 32, *SEEDS[1:]),
        ("hotline/1 key", None, *SEEDS),
    ],
)
def test_a_damaged_key_file_is_refused_without_showing_it(
    tmp_path: Path, values: tuple[object, ...]
) -> None:
    """Guessing at a key file would run a station under some other identity."""
    path = write_raw(tmp_path / "k", *values)
    with pytest.raises(IdentityError) as caught:
        read_secret_keys(path)
    report = "".join(traceback.format_exception(caught.value))
    assert str(path) in str(caught.value)
    assert SEEDS[1].hex() not in report
    assert repr(SEEDS[1])[2:-1] not in report


def test_every_flipped_bit_in_a_key_file_is_seen_or_changes_the_key(
    tmp_path: Path, keys: SecretKeys
) -> None:
    """No byte of the file may be one that the reader ignores."""
    path = tmp_path / "north.key"
    write_secret_keys(path, keys)
    text = path.read_bytes()
    for at in range(len(text) - 1):
        path.write_bytes(text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :])
        with suppress(IdentityError):
            assert read_secret_keys(path).seeds() != keys.seeds()


def test_a_card_in_place_of_a_key_is_named(tmp_path: Path, card: Card) -> None:
    """Mixing up the two files is the likeliest mistake: the error should say so."""
    path = tmp_path / "north.key"
    path.write_text(card.armoured()[:500])
    path.chmod(0o600)
    with pytest.raises(IdentityError, match="is a HOTLINE CARD, not a HOTLINE SECRET KEY"):
        read_secret_keys(path)


@given(st.binary(min_size=32, max_size=32))
def test_line_secret_armour_holds_any_bytes(secret: bytes) -> None:
    """A secret with a zero or a newline in it must not be cut short."""
    armour = Armour("HOTLINE LINE SECRET", 32)
    assert armour.decode(armour.encode(secret), "x") == secret


def test_line_secret_round_trip(tmp_path: Path) -> None:
    """Two stations with different bytes from one file would never complete a handshake."""
    path, secret = tmp_path / "line", os.urandom(32)
    write_line_secret(path, secret)
    assert read_line_secret(path) == secret
    assert path.read_text().startswith("-----BEGIN HOTLINE LINE SECRET-----\n")
    assert path.stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("size", [0, 1, 31])
def test_a_short_line_secret_is_refused(tmp_path: Path, size: int) -> None:
    """An empty secret would be no secret, and nobody would notice."""
    path = tmp_path / "line"
    text = Armour("HOTLINE LINE SECRET", 32).encode(bytes(size))
    create(path, text.encode(), SECRET_MODE)
    with pytest.raises(IdentityError, match=f"holds {size} bytes, not 32"):
        read_line_secret(path)
    with pytest.raises(LocalMisuseError):
        write_line_secret(tmp_path / "new", bytes(size))


def test_signatures_are_of_the_public_keys(keys: SecretKeys, card: Card) -> None:
    """A signature that our own card does not verify would end every session."""
    Ed25519PublicKey.from_public_bytes(card.ed25519).verify(keys.sign_ed25519(b"t"), b"t")
    card.verify_ed25519(keys.sign_ed25519(b"t"), b"t")
    card.verify_mldsa(keys.sign_mldsa(b"t", b"c"), b"t", b"c")
