"""A line secret of two halves: said, typed, carried, combined."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import IdentityError
from hotline.identity.halves import HALF_WORDS, Half, combine, read_half, write_half
from hotline.identity.pgp_words import THREE_SYLLABLES, TWO_SYLLABLES
from hotline.identity.spoken import from_words, to_words

NORTH, SOUTH, OTHER = (bytes([n]) * 32 for n in (1, 2, 3))
OURS = Half(NORTH, SOUTH, bytes(range(32)))
THEIRS = Half(SOUTH, NORTH, bytes(range(100, 132)))

blobs = st.binary(min_size=32, max_size=32)


@given(st.binary(max_size=64), st.booleans())
def test_words_stand_for_bytes(data: bytes, shouted: bool) -> None:
    """Words that come back as other bytes would make two secrets of one."""
    words = [word.upper() if shouted else word.lower() for word in to_words(data)]
    assert from_words(words, len(data), "it") == data


@given(blobs, blobs, blobs)
def test_a_half_said_is_the_half_heard(writer_id: bytes, reader_id: bytes, secret: bytes) -> None:
    """Any half at all can be said, and taken down again."""
    words = Half(writer_id, reader_id, secret).words()
    assert len(words) == HALF_WORDS
    assert Half.from_words(writer_id, reader_id, words).secret == secret


@pytest.mark.parametrize("at", range(HALF_WORDS))
def test_a_wrong_word_is_found(at: int) -> None:
    """A word misheard for another of the same list, left out, or said twice: each is found."""
    words = list(OURS.words())
    listed = (TWO_SYLLABLES, THREE_SYLLABLES)[at % 2]
    misheard = [*words]
    misheard[at] = listed[(listed.index(words[at]) + 1) % 256]
    left_out, twice = words[:at] + words[at + 1 :], words[: at + 1] + words[at:]
    no_word = [*words[:at], "qwertz", *words[at + 1 :]]
    for wrong in (misheard, left_out, twice, no_word):
        with pytest.raises(IdentityError) as caught:
            Half.from_words(NORTH, SOUTH, wrong)
        assert caught.value.hint or str(HALF_WORDS) in str(caught.value)
    with pytest.raises(IdentityError, match=rf"^word {at + 1} of the half is no word"):
        Half.from_words(NORTH, SOUTH, no_word)


def test_neighbours_that_changed_places_are_named() -> None:
    """The two lists in turn are there for this."""
    words = list(OURS.words())
    words[6], words[7] = words[7], words[6]
    with pytest.raises(IdentityError, match="word 7 of the half cannot stand there"):
        Half.from_words(NORTH, SOUTH, words)


@pytest.mark.parametrize(("writer", "reader"), [(SOUTH, NORTH), (NORTH, OTHER), (OTHER, SOUTH)])
def test_the_words_are_one_station_s_for_another(writer: bytes, reader: bytes) -> None:
    """One's own half read back, or that of another line, would be a secret of one person's."""
    with pytest.raises(IdentityError, match="not that station's for this line"):
        Half.from_words(writer, reader, OURS.words())


def test_no_error_repeats_a_word() -> None:
    """Errors end in logs and in scrollback; a word of a half is a byte of a secret."""
    words = list(OURS.words())
    for wrong in ([*words[:-1], "secretword"], words[1:], words[:-1]):
        with pytest.raises(IdentityError) as caught:
            Half.from_words(NORTH, SOUTH, wrong)
        report = f"{caught.value} {caught.value.hint}".split()
        assert set(report) & {*words, "secretword"} == set()
        assert "secretword" not in "".join(traceback.format_exception(caught.value))


def test_both_sides_make_the_same_secret() -> None:
    """Each side calls another half its own: the order of the ids decides, not who asks."""
    assert combine(OURS, THEIRS) == combine(THEIRS, OURS)
    secret, code = combine(OURS, THEIRS)
    assert len(secret) == 32
    assert len(code) == 16


@given(st.integers(0, 255), st.booleans())
def test_each_bit_of_either_half_matters(bit: int, ours: bool) -> None:
    """A half that does not count would leave the secret to the other person alone."""
    changed = OURS if ours else THEIRS
    flipped = bytearray(changed.secret)
    flipped[bit // 8] ^= 1 << bit % 8
    other = Half(changed.writer_id, changed.reader_id, bytes(flipped))
    pair = (other, THEIRS) if ours else (OURS, other)
    (secret, code), (before, code_before) = combine(*pair), combine(OURS, THEIRS)
    assert secret != before
    assert code != code_before


def test_the_check_code_tells_nothing_of_the_secret() -> None:
    """The code is read aloud over the telephone; it must not be a part of what it checks."""
    secret, code = combine(OURS, THEIRS)
    assert from_words(code, 16, "the code") not in secret


@pytest.mark.parametrize(
    "theirs",
    [
        OURS,
        Half(SOUTH, OTHER, THEIRS.secret),
        Half(OTHER, NORTH, THEIRS.secret),
        Half(SOUTH, NORTH, OURS.secret),
    ],
    ids=["our own", "for another", "of another", "the same bytes"],
)
def test_halves_that_do_not_belong_together_are_refused(theirs: Half) -> None:
    """A half of another line, or ours handed back, makes a secret that somebody else knows."""
    with pytest.raises(IdentityError):
        combine(OURS, theirs)


def test_a_half_is_kept_as_a_secret_file(tmp_path: Path) -> None:
    """It is as secret as the key, so the same rules hold; and it comes back whole."""
    path = tmp_path / "south.half"
    write_half(path, OURS)
    back = read_half(path)
    assert (back.writer_id, back.reader_id, back.secret) == (NORTH, SOUTH, OURS.secret)
    with pytest.raises(IdentityError, match="already exists"):
        write_half(path, OURS)
    path.chmod(0o640)
    with pytest.raises(IdentityError, match="open to other users"):
        read_half(path)


def test_a_damaged_half_is_refused(tmp_path: Path) -> None:
    """Every byte of the file is one that the reader looks at."""
    path = tmp_path / "south.half"
    write_half(path, OURS)
    text = path.read_text()
    for at in range(len(text) - 1):
        path.write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
        try:
            back = read_half(path)
        except IdentityError:
            continue
        assert (back.writer_id, back.reader_id, back.secret) != (NORTH, SOUTH, OURS.secret)


def test_a_half_shows_nothing() -> None:
    """Whatever prints it must not say it; and two of them are never the same."""
    assert repr(OURS) == str(OURS) == "Half(...)"
    made = {Half.make(NORTH, SOUTH, os.urandom).secret for _ in range(8)}
    assert len(made) == 8
