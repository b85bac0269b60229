"""The pair code: the same words on both sides, and the published words."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import IdentityError, LocalMisuseError
from hotline.identity import pair_code
from hotline.identity.pgp_words import THREE_SYLLABLES, TWO_SYLLABLES

IDS = st.binary(min_size=32, max_size=32)


def test_known_answer() -> None:
    """Both operators read it aloud: no release may ever change it."""
    digest = hashlib.sha512(b"hotline/1 pair" + b"\x01" * 32 + b"\x02" * 32).hexdigest()
    assert digest[:32] == "ee5af16b0a03b38986f57e6220ab16db"
    assert " ".join(pair_code(b"\x01" * 32, b"\x02" * 32)) == (
        "tycoon existence unwind Hamilton allow aggregate scallion matchmaker "
        "necklace visitor locale gadgetry bison Pegasus backward suspicious"
    )


@given(IDS, IDS)
def test_both_sides_read_the_same(id_a: bytes, id_b: bytes) -> None:
    """Two operators who hear different words would call off an honest line."""
    if id_a == id_b:
        return
    words = pair_code(id_a, id_b)
    assert words == pair_code(id_b, id_a)
    assert len(words) == 16
    assert all(word in TWO_SYLLABLES for word in words[0::2])
    assert all(word in THREE_SYLLABLES for word in words[1::2])


@given(IDS, IDS, st.integers(0, 255))
def test_another_station_gives_another_code(id_a: bytes, id_b: bytes, bit: int) -> None:
    """If a changed id kept its words, comparing them would prove nothing."""
    forged = bytearray(id_b)
    forged[bit // 8] ^= 1 << bit % 8
    if id_a in (id_b, bytes(forged)):
        return
    assert pair_code(id_a, id_b) != pair_code(id_a, bytes(forged))


def test_one_station_is_no_pair() -> None:
    """A station that pins its own card would talk to itself and call the line up."""
    with pytest.raises(IdentityError, match="both cards are the same station's"):
        pair_code(b"\x01" * 32, b"\x01" * 32)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_an_id_of_another_length_is_a_bug(size: int) -> None:
    """Ids of unequal length could be cut at another place and give the same code."""
    with pytest.raises(LocalMisuseError):
        pair_code(bytes(size), b"\x01" * 32)
    with pytest.raises(LocalMisuseError):
        pair_code(b"\x01" * 32, bytes(size))


def test_the_published_examples() -> None:
    """The lists are a standard: a word out of place breaks every code with that byte in it."""
    key = bytes.fromhex("E58294F2E9A227486E8B061B31CC528FD7FA3F19")
    words = [(THREE_SYLLABLES if at % 2 else TWO_SYLLABLES)[byte] for at, byte in enumerate(key)]
    assert " ".join(words) == (
        "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator goldfish Medusa "
        "afflict bravado chatter revolver Dupont midsummer stopwatch whimsical cowbell bottomless"
    )


@pytest.mark.parametrize("words", [TWO_SYLLABLES, THREE_SYLLABLES], ids=["two", "three"])
def test_each_list_has_a_word_for_each_byte(words: tuple[str, ...]) -> None:
    """A word lost or doubled in transcription shifts all that follow it."""
    assert len(words) == 256
    assert len({word.lower() for word in words}) == 256
    assert all(word.isascii() and word.isalpha() for word in words)


def test_the_lists_share_no_word() -> None:
    """A shared word would hide that one before it was left out."""
    assert {word.lower() for word in TWO_SYLLABLES} & {
        word.lower() for word in THREE_SYLLABLES
    } == (set())


def test_the_lists_are_in_the_published_order() -> None:
    """The lists are alphabetical, but for one pair that was published the other way round."""
    assert list(TWO_SYLLABLES) == sorted(TWO_SYLLABLES, key=str.lower)
    at = THREE_SYLLABLES.index("applicant")
    assert THREE_SYLLABLES[at + 1] == "Apollo"
    swapped = list(THREE_SYLLABLES)
    swapped[at : at + 2] = ["Apollo", "applicant"]
    assert swapped == sorted(THREE_SYLLABLES, key=str.lower)


def test_the_lists_are_the_ones_that_were_checked() -> None:
    """The digest stands for a comparison, word by word, with three independent copies."""
    digest = hashlib.sha256("\n".join(TWO_SYLLABLES + THREE_SYLLABLES).encode()).hexdigest()
    assert digest == "e9b7b0052233a74aa56724ed3f79c272036aed68d8f4c0856e833c8043b9ac62"
