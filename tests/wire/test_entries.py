"""Entries: the bytes that are hashed, signed and kept for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline import limits
from hotline.errors import DecodeError
from hotline.model import Decision, Kind, Precedence
from hotline.wire import entries
from support.line_frames import all_entries

MESSAGE = entries.Message("m1", Precedence.FLASH, 1, None, "lt kovac", "fire", "cease fire")
PART = entries.Part("m1", Precedence.ROUTINE, 0, 9000, b"chunk")
ANSWER = entries.Acknowledgement("ack.1", "m1", 1, Decision.WILCO, 5, "lt kovac", "at once")
TEST = entries.Test("t1", 5, "lt kovac")
SPECIMENS: list[entries.Entry] = [MESSAGE, PART, ANSWER, TEST]

specimens = pytest.mark.parametrize("entry", SPECIMENS, ids=lambda one: type(one).__name__)


def stock_encoding(entry: Any, kind: int | None = None) -> bytes:
    """Encode as a peer would that has no bounds."""
    values = [getattr(entry, name) for name in entries.fields(entry)]
    plain = [int(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in values]
    first = int(entry.KIND) if kind is None else kind
    return bytes(msgpack.packb([first, *plain], use_bin_type=True))


@given(all_entries)
def test_every_entry_survives_its_encoding(entry: entries.Entry) -> None:
    """An order that changes on the way is worse than one that is lost."""
    data = entries.encode(entry)
    again = entries.decode(data)
    assert again == entry
    assert type(again) is type(entry)
    assert entries.encode(again) == data


@given(all_entries, st.data())
def test_a_changed_byte_is_another_entry_or_none(entry: entries.Entry, data: st.DataObject) -> None:
    """One entry with two spellings has two hashes, and its author could choose between them."""
    packed = bytearray(entries.encode(entry))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = entries.decode(bytes(packed))
    except DecodeError:
        return
    assert other != entry


@specimens
def test_every_entry_is_refused_with_bytes_after_it(entry: entries.Entry) -> None:
    """What follows an entry would be signed by its author and shown to nobody."""
    with pytest.raises(DecodeError):
        entries.decode(entries.encode(entry) + b"\x00")


@specimens
def test_every_entry_is_refused_cut_short(entry: entries.Entry) -> None:
    """An order without its end must not be read as an order."""
    data = entries.encode(entry)
    for size in range(len(data)):
        with pytest.raises(DecodeError):
            entries.decode(data[:size])


@given(st.binary(max_size=300))
def test_junk_is_refused_as_such(data: bytes) -> None:
    """Any other exception than DecodeError would end the daemon, not the session."""
    with pytest.raises(DecodeError):
        entries.decode(data)


@pytest.mark.parametrize("kind", [0, 6, 127])
def test_an_unknown_kind_is_refused(kind: int) -> None:
    """An entry that cannot be read cannot be receipted: the receipt would say it was."""
    with pytest.raises(DecodeError, match="unknown"):
        entries.decode(stock_encoding(MESSAGE, kind))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no array"),
        (b"x", "no array"),
        (b"xxx", "no array"),
        (b"\x90\x01", "message entry"),
        (b"\x90\x06", "no array"),
        (b"\x91", "not the kind"),
        (b"\x92\xa1x", "not the kind"),
        (b"\x92\x78\x00", "kind 120 is unknown"),
        (b"\x93\x05\xa1x\xc4\x00", "key change that stands whole in one entry, not in parts"),
    ],
)
def test_what_is_none_is_told_as_what_it_is(data: bytes, why: str) -> None:
    """The halt that follows is read by two operators, who must find the fault in the same bytes."""
    with pytest.raises(DecodeError, match=why):
        entries.decode(data)


@specimens
def test_an_entry_of_one_kind_is_none_of_another(entry: entries.Entry) -> None:
    """A test that reads as a message would trouble an operator, and the reverse hide one."""
    for kind in set(Kind) - {entry.KIND}:
        with pytest.raises(DecodeError):
            entries.decode(stock_encoding(entry, int(kind)))


def changed(one: Any, **values: Any) -> Any:
    """Give a copy that breaks its own types: what a peer might send."""
    return one._replace(**values) if isinstance(one, entries.Message) else replace(one, **values)


@pytest.mark.parametrize(
    "entry",
    [
        changed(MESSAGE, precedence=4),
        changed(MESSAGE, precedence=-1),
        changed(MESSAGE, composed_ns=-1),
        changed(MESSAGE, ack_by_ns=-1),
        changed(MESSAGE, author="a" * (limits.OPERATOR_BYTES + 1)),
        changed(MESSAGE, subject="s" * (limits.SUBJECT_BYTES + 1)),
        changed(MESSAGE, body=b"bytes"),
        changed(MESSAGE, body=None),
        changed(MESSAGE, id=""),
        changed(PART, offset=-1),
        changed(PART, chunk=b""),
        changed(PART, total_bytes=limits.ENTRY_BYTES),
        changed(PART, total_bytes=limits.MESSAGE_ENCODED_BYTES + 1),
        changed(ANSWER, number=0),
        changed(ANSWER, decision=3),
        changed(ANSWER, operator=""),
        changed(ANSWER, note="n" * (limits.NOTE_BYTES + 1)),
        changed(TEST, time_ns=-1),
    ],
)
def test_values_out_of_bounds_are_refused(entry: Any) -> None:
    """A bound that only the sender keeps is no bound against a hostile peer."""
    with pytest.raises(DecodeError):
        entries.encode(entry)
    with pytest.raises(DecodeError):
        entries.decode(stock_encoding(entry))


@pytest.mark.parametrize(
    "identifier", [" m1", "m 1", "m/1", "-m1", ".m1", "m1\n", "\u00e41", "m\x1b[2J", "i" * 65]
)
@pytest.mark.parametrize("entry", SPECIMENS, ids=lambda one: type(one).__name__)
def test_a_peer_may_not_choose_a_strange_id(entry: Any, identifier: str) -> None:
    """Ids reach file names, terminals and other programs' command lines."""
    with pytest.raises(DecodeError):
        entries.decode(stock_encoding(changed(entry, id=identifier)))


def test_the_id_that_is_acknowledged_is_checked_too() -> None:
    """It is shown beside our own message, and looked up in our store."""
    with pytest.raises(DecodeError):
        entries.decode(stock_encoding(replace(ANSWER, message_id="../m1")))


def test_a_part_may_not_reach_over_the_end() -> None:
    """The bytes after the end would be received, counted and never shown."""
    fits = replace(PART, offset=9000 - len(PART.chunk))
    assert entries.decode(entries.encode(fits)) == fits
    with pytest.raises(DecodeError, match="end"):
        entries.decode(entries.encode(replace(fits, offset=fits.offset + 1)))


def test_a_long_message_is_no_entry_but_reads_from_its_parts() -> None:
    """An entry over the bound would hold a FLASH up; its parts must still give it back."""
    long = MESSAGE._replace(body="b" * limits.ENTRY_BYTES)
    data = entries.encode(long)
    with pytest.raises(DecodeError, match="over"):
        entries.decode(data)
    assert entries.decode_message(data) == long


def test_an_entry_of_exactly_the_bound_is_taken() -> None:
    """The sender cuts one byte above the bound: the reader must not refuse one byte earlier."""
    spare = limits.ENTRY_BYTES - len(entries.encode(MESSAGE._replace(body="b" * 1000)))
    fits = MESSAGE._replace(body="b" * (1000 + spare))
    assert len(entries.encode(fits)) == limits.ENTRY_BYTES
    assert entries.decode(entries.encode(fits)) == fits
    with pytest.raises(DecodeError):
        entries.decode(entries.encode(fits._replace(body=fits.body + "b")))


@given(st.data())
def test_a_key_change_comes_back_out_of_its_parts(data: st.DataObject) -> None:
    """The reader cuts a run where the keys change: it has to see the last part, and no other."""
    size = data.draw(st.integers(limits.ENTRY_BYTES, limits.SUCCESSION_BYTES))
    change = entries.KeyChange(entries.key_change_id(bytes(32)), bytes(size))
    whole = entries.encode(change)
    assert entries.decode_long(whole) == change
    chunk_bytes = data.draw(st.sampled_from([entries.CHUNK_BYTES, entries.SLOW_CHUNK_BYTES, 1024]))
    parts = [
        entries.encode(
            entries.Part(
                change.id, Precedence.IMMEDIATE, at, len(whole), whole[at : at + chunk_bytes]
            )
        )
        for at in range(0, len(whole), chunk_bytes)
    ]
    ends = [entries.ends_key_change(part) for part in parts]
    assert ends == [False] * (len(parts) - 1) + [True]
    with pytest.raises(DecodeError):
        entries.decode(whole)


@given(st.binary(max_size=200))
def test_junk_ends_no_key_change(data: bytes) -> None:
    """It is asked of entries that nobody has verified yet."""
    assert not entries.ends_key_change(data)


def test_only_its_own_ids_end_a_key_change() -> None:
    """A message that could end one would have its successors refused."""
    part = entries.Part("message", Precedence.FLASH, 8000, 9000, bytes(1000))
    assert not entries.ends_key_change(entries.encode(part))
    assert entries.ends_key_change(
        entries.encode(replace(part, id=entries.key_change_id(bytes(32))))
    )


def test_a_damaged_part_ends_no_key_change() -> None:
    """It is asked of bytes that nobody has checked yet: the reader refuses them a line later."""
    part = entries.Part("key.x", Precedence.ROUTINE, 9000, 9008, b"12345678")
    whole = entries.encode(part)
    assert not entries.ends_key_change(whole[:-1])
    assert not entries.ends_key_change(whole + b"x")


_messages = st.lists(st.one_of(all_entries, st.just(MESSAGE)), min_size=1, max_size=6)


@given(
    _messages | st.lists(all_entries.filter(lambda one: type(one) is entries.Message), min_size=1)
)
def test_a_run_of_messages_is_decoded_as_each_is(some: list[entries.Entry]) -> None:
    """By a short cut, which must not lead anywhere else."""
    run = [entries.encode(one) for one in some]
    short = all(type(one) is entries.Message for one in some)
    assert entries.decode_messages(run) == (some if short else None)


def test_a_run_with_an_entry_that_is_too_long_goes_by_no_short_cut() -> None:
    """Its encoding is a message's, but it is no entry: it should have come in parts."""
    usual = len(entries.encode(MESSAGE._replace(body="x" * 1000))) - 1000
    for more in (0, 1):
        body = "x" * (limits.ENTRY_BYTES - usual + more)
        one = MESSAGE._replace(body=body)
        run = [entries.encode(MESSAGE), entries.encode(one)]
        assert entries.decode_messages(run) == (None if more else [MESSAGE, one])


@pytest.mark.parametrize("identifier", ["a/b", "-a", "a\n", "ü", "key-change.1", "x.key-change."])
def test_an_id_that_messages_may_not_have_goes_by_no_short_cut(identifier: str) -> None:
    """Nothing behind it looks at an id again; one that only looks odd goes the long way, and well."""
    odd = stock_encoding(MESSAGE._replace(id=identifier))
    assert entries.decode_messages([entries.encode(MESSAGE), odd]) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Precedence),
            st.sampled_from(["", "s" * limits.SUBJECT_BYTES, "ü" * (limits.SUBJECT_BYTES // 2)]),
            st.sampled_from(["", "ü", "x" * limits.MESSAGE_BYTES]) | st.text(),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["", "anna", "o" * limits.OPERATOR_BYTES]),
)
def test_messages_are_encoded_at_once_as_each_is(
    some: list[tuple[Precedence, str, str]], author: str
) -> None:
    """What an operator's words become does not depend on what was asked for beside them."""
    ids = [f"m{number}" for number in range(len(some))]
    precedences, subjects, bodies = zip(*some, strict=True)
    each = [
        entries.encode(entries.Message(identifier, precedence, 10**18, None, author, *said))
        for identifier, (precedence, *said) in zip(ids, some, strict=True)
    ]
    made = entries.encode_messages(ids, precedences, 10**18, author, subjects, bodies)
    assert made == each


@pytest.mark.parametrize(
    "odd",
    [
        {"ids": ["m1", "a/b"]},
        {"author": "o" * (limits.OPERATOR_BYTES + 1)},
        {"subjects": ["", "s" * (limits.SUBJECT_BYTES + 1)]},
        {"bodies": ["x" * (limits.MESSAGE_BYTES + 1), ""]},
        {"author": "ü" * (limits.OPERATOR_BYTES // 2 + 1)},
        {"bodies": ["", "\ud800"]},
    ],
)
def test_what_may_not_be_sent_is_encoded_with_none_beside_it(odd: dict[str, Any]) -> None:
    """Nothing behind it looks at a field again."""
    usual: dict[str, Any] = {"ids": ["m1", "m2"], "precedences": [Precedence.FLASH] * 2}
    usual |= {"author": "anna", "subjects": ["s", ""], "bodies": ["b", "c"]}
    assert entries.encode_messages(**{**usual, **odd}, composed_ns=1) is None
