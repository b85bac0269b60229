"""Heads and what is signed over them: against hashlib, written out once more from the design."""

from __future__ import annotations

import hashlib
import struct

from hypothesis import given
from hypothesis import strategies as st

from hotline.wire import heads

WRITER, READER = bytes([1]) * 32, bytes([2]) * 32


def sha512(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def test_the_head_of_an_empty_log() -> None:
    """Another first head would make every station a stranger to every other."""
    assert heads.head_zero(WRITER, READER) == sha512(b"hotline/1 log" + WRITER + READER)


def test_the_two_directions_of_a_line_begin_differently() -> None:
    """With one head for both, an entry could be replayed to its own author."""
    assert heads.head_zero(WRITER, READER) != heads.head_zero(READER, WRITER)


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_every_head_covers_all_entries_before_it(entries: list[bytes]) -> None:
    """One signature on the last head must be a signature on all."""
    head = zero = heads.head_zero(WRITER, READER)
    expected = []
    for entry in entries:
        head = sha512(head + sha512(entry))
        expected.append(head)
        previous = zero if len(expected) == 1 else expected[-2]
        assert heads.next_head(previous, entry) == head
    assert heads.chain(zero, entries) == expected


@given(st.binary(min_size=1, max_size=20), st.binary(min_size=1, max_size=20))
def test_where_one_entry_ends_and_the_next_begins_is_covered(a: bytes, b: bytes) -> None:
    """Two entries and their concatenation must not have one head."""
    zero = heads.head_zero(WRITER, READER)
    assert heads.chain(zero, [a, b])[-1] != heads.next_head(zero, a + b)


def test_what_the_writer_signs() -> None:
    """The text of a signature is fixed for decades: a verifier elsewhere must find the same."""
    zero, head = bytes(64), bytes([7]) * 64
    expected = b"hotline/1 head" + zero + struct.pack(">Q", 5) + head
    assert heads.head_message(zero, 5, head) == expected


def test_what_the_reader_signs() -> None:
    """A receipt names the log, the place and the time, or it proves nothing to a third person."""
    zero, head = bytes(64), bytes([7]) * 64
    expected = b"hotline/1 receipt" + zero + struct.pack(">Q", 5) + head + struct.pack(">Q", 9)
    assert heads.receipt_message(zero, 5, head, 9) == expected
