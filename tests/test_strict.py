"""Strict msgpack: one array of one shape, one encoding per value, and nothing else at all."""

from __future__ import annotations

import struct
import tracemalloc
from itertools import pairwise
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hotline.errors import DecodeError
from hotline.strict import U64_MAX, Shape, blob, flag, run, sint, text, uint

SHAPE = Shape(
    "specimen",
    uint("small", 9),
    uint("number"),
    uint("maybe", optional=True),
    sint("offset"),
    blob("key", 4),
    blob("some", 6, low=1),
    text("word", 8, low=1),
    text("note", 300),
    flag("on"),
    run("list", blob("piece", 3, low=1), 2, low=1),
    max_bytes=1000,
)
GOOD = (1, 2, None, -3, b"abcd", b"x", "wort", "", True, (b"p",))

values = st.tuples(
    st.integers(0, 9),
    st.integers(0, U64_MAX),
    st.none() | st.integers(0, U64_MAX),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=1, max_size=6),
    st.text(min_size=1, max_size=8).filter(lambda t: len(t.encode()) <= 8),
    st.text(max_size=300).filter(lambda t: len(t.encode()) <= 300),
    st.booleans(),
    st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=2).map(tuple),
)


def changed(field: int, value: Any) -> bytes:
    """Encode the specimen with one field replaced, by the stock encoder."""
    fields = list(GOOD)
    fields[field] = value
    return bytes(msgpack.packb(fields, use_bin_type=True))


def spliced(field: int, encoding: bytes) -> bytes:
    """Encode the specimen with one field's bytes replaced by hand."""
    parts = [bytes(msgpack.packb(value, use_bin_type=True)) for value in GOOD]
    parts[field] = encoding
    return bytes([0x90 | len(GOOD)]) + b"".join(parts)


@given(values)
def test_what_is_packed_is_unpacked(one: tuple[Any, ...]) -> None:
    """A value that changes on the way would be signed as one thing and read as another."""
    data = SHAPE.pack(*one)
    assert SHAPE.unpack(data) == one
    assert SHAPE.unpack(memoryview(data)) == one


@given(values, st.binary(min_size=1, max_size=4))
def test_nothing_may_follow(one: tuple[Any, ...], rest: bytes) -> None:
    """Trailing bytes would be hashed and signed by one station and unseen by the other."""
    with pytest.raises(DecodeError):
        SHAPE.unpack(SHAPE.pack(*one) + rest)


@given(values, st.data())
def test_nothing_may_be_missing(one: tuple[Any, ...], data: st.DataObject) -> None:
    """Half a value must be an error of ours, not one of the library's that ends the daemon."""
    packed = SHAPE.pack(*one)
    with pytest.raises(DecodeError):
        SHAPE.unpack(packed[: data.draw(st.integers(0, len(packed) - 1))])


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xc1")
@example(b"\xd6\xff\x00\x00\x00\x00")
@example(b"\x9a" * 200)
def test_junk_is_refused_as_such(data: bytes) -> None:
    """Any other exception than DecodeError from a stranger's bytes would take the daemon down."""
    with pytest.raises(DecodeError):
        SHAPE.unpack(data)


@given(values, st.data())
def test_a_changed_byte_is_another_value_or_none(one: tuple[Any, ...], data: st.DataObject) -> None:
    """Two encodings that read as one value would let a signed text exist in two forms."""
    packed = bytearray(SHAPE.pack(*one))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    try:
        other = SHAPE.unpack(bytes(packed))
    except DecodeError:
        return
    assert other != one or any(type(a) is not type(b) for a, b in zip(one, other, strict=True))
    assert SHAPE.pack(*other) == packed


@pytest.mark.parametrize(
    ("field", "encoding"),
    [
        (0, b"\xcc\x01"),
        (0, b"\xcd\x00\x01"),
        (0, b"\xce\x00\x00\x00\x01"),
        (0, b"\xcf" + struct.pack(">Q", 1)),
        (0, b"\xd0\x01"),
        (0, b"\xd3" + struct.pack(">q", 1)),
        (3, b"\xd0\xfd"),
        (3, b"\xd3" + struct.pack(">q", -3)),
        (4, b"\xc5\x00\x04abcd"),
        (4, b"\xc6\x00\x00\x00\x04abcd"),
        (6, b"\xd9\x04wort"),
        (6, b"\xda\x00\x04wort"),
        (6, b"\xdb\x00\x00\x00\x04wort"),
        (9, b"\xdc\x00\x01\xc4\x01p"),
        (9, b"\xdd\x00\x00\x00\x01\xc4\x01p"),
    ],
)
def test_a_longer_form_is_refused(field: int, encoding: bytes) -> None:
    """One value in two encodings has two hashes: a peer could deny what it signed."""
    with pytest.raises(DecodeError, match="shortest"):
        SHAPE.unpack(spliced(field, encoding))


def test_a_longer_form_of_the_whole_is_refused() -> None:
    """The outermost array is part of the text that is signed."""
    body = SHAPE.pack(*GOOD)[1:]
    for head in (b"\xdc\x00\x0a", b"\xdd\x00\x00\x00\x0a"):
        with pytest.raises(DecodeError, match="shortest"):
            SHAPE.unpack(head + body)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (0, 10),
        (0, -1),
        (0, True),
        (0, False),
        (0, None),
        (0, 1.0),
        (0, "1"),
        (0, b"\x01"),
        (1, 1.5),
        (2, True),
        (2, 0.0),
        (2, -1),
        (3, U64_MAX),
        (4, b"abc"),
        (4, b"abcde"),
        (4, "abcd"),
        (4, None),
        (5, b""),
        (5, b"1234567"),
        (6, ""),
        (6, "123456789"),
        (6, "\u00e9" * 5),
        (6, b"wort"),
        (6, None),
        (8, 0),
        (8, 1),
        (8, None),
        (9, []),
        (9, [b"a", b"b", b"c"]),
        (9, [b""]),
        (9, [b"abcd"]),
        (9, ["a"]),
        (9, [[b"a"]]),
        (9, {b"a": b"b"}),
        (9, {}),
        (9, b"a"),
        (9, None),
        (9, msgpack.ExtType(1, b"a")),
        (0, msgpack.ExtType(0, b"")),
        (0, msgpack.Timestamp(1)),
    ],
)
def test_another_type_or_size_is_refused(field: int, value: Any) -> None:
    """What a careless reader would take for the same value is no value here."""
    with pytest.raises(DecodeError):
        SHAPE.unpack(changed(field, value))


@pytest.mark.parametrize(
    "encoding",
    [
        b"\xa4\xff\xfe\xfd\xfc",
        b"\xa2\xc0\x80",
        b"\xa3\xed\xa0\x80",
        b"\xa3\xed\xbf\xbf",
        b"\xa4\xf4\x90\x80\x80",
        b"\xa1\xc3",
    ],
    ids=["junk", "overlong", "surrogate", "low-surrogate", "beyond-unicode", "cut"],
)
def test_text_is_utf8_to_the_letter(encoding: bytes) -> None:
    """Text that another UTF-8 reader shows differently is text that says two things."""
    with pytest.raises(DecodeError):
        SHAPE.unpack(spliced(6, encoding))


@pytest.mark.parametrize("count", [0, 9, 11])
def test_the_count_of_fields_is_fixed(count: int) -> None:
    """An extra field is a place for what nobody reads; a missing one is a value nobody sent."""
    with pytest.raises(DecodeError):
        SHAPE.unpack(msgpack.packb([*GOOD, 1][:count], use_bin_type=True))


@pytest.mark.parametrize("value", [None, 1, {}, {1: 2}, "text", b"bytes", 1.5, True])
def test_only_an_array_is_taken(value: Any) -> None:
    """Whatever else stands at the outermost place has no shape to check."""
    with pytest.raises(DecodeError):
        SHAPE.unpack(msgpack.packb(value, use_bin_type=True))


@pytest.mark.parametrize("head", [b"\x91", b"\xdc\xff\xff", b"\xdd\x00\x00\x03\xe8", b"\x81\x00"])
def test_nesting_ends_in_an_error(head: bytes) -> None:
    """Brackets without end must not exhaust the stack."""
    with pytest.raises(DecodeError):
        SHAPE.unpack((head * 1000)[:1000])


@pytest.mark.parametrize(
    "claim",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdc\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\x9a\xc6\x7f\xff\xff\xff",
    ],
)
def test_a_claimed_length_reserves_nothing(claim: bytes) -> None:
    """Five bytes that make the daemon reserve four gigabytes would end it."""
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            SHAPE.unpack(claim)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_nested_claims_reserve_little() -> None:
    """A mebibyte of nested arrays, each claiming all the rest, must not cost a gigabyte."""
    shape = Shape("large", text("body", 2**20), max_bytes=2**20)
    bomb = (b"\xdd\x00\x0f\x00\x00" * 1000).ljust(2**20, b"\xc0")
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            shape.unpack(bomb)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_the_bound_on_the_whole_comes_first() -> None:
    """What is too long is not even looked at; what just fits is taken."""
    shape = Shape("bounded", text("a", 10), text("b", 10), max_bytes=13)
    assert shape.unpack(shape.pack("1234567890", "")) == ("1234567890", "")
    with pytest.raises(DecodeError, match="over 13"):
        shape.unpack(bytes(14))
    with pytest.raises(DecodeError, match="over 13"):
        shape.pack("1234567890", "12")


@pytest.mark.parametrize(
    ("field", "value"), [(0, 10), (0, True), (4, "abcd"), (6, ""), (9, [b"a"]), (8, 1)]
)
def test_our_own_values_are_held_to_the_shape(field: int, value: Any) -> None:
    """What the peer would refuse must not be signed here first."""
    fields: list[Any] = list(GOOD)
    fields[field] = value
    with pytest.raises(DecodeError):
        SHAPE.pack(*fields)


FLAT = Shape(
    "flat specimen",
    uint("small", 9),
    uint("maybe", optional=True),
    sint("offset"),
    blob("some", 6, low=1),
    text("note", 40),
    flag("on"),
    max_bytes=80,
)
"""Without a field of items, which only one value at a time is checked for."""

flats = st.tuples(
    st.integers(0, 9),
    st.none() | st.integers(0, U64_MAX),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(min_size=1, max_size=6),
    st.text(max_size=40).filter(lambda t: len(t.encode()) <= 40),
    st.booleans(),
)
odd = st.one_of(
    st.integers(-1, U64_MAX),
    st.none(),
    st.text(max_size=60),
    st.binary(max_size=9),
    st.floats(allow_nan=False),
    st.booleans(),
    st.sampled_from(["\ud800", "ü" * 21, ()]),
)


def one_by_one(shape: Shape, run: list[bytes]) -> list[tuple[Any, ...]] | None:
    """Give what ``unpack`` says of each, or None if it refuses any."""
    try:
        return [shape.unpack(data) for data in run]
    except DecodeError:
        return None


def at_once(shape: Shape, run: list[bytes]) -> list[tuple[Any, ...]] | None:
    """Give the rows of what ``unpack_all`` says."""
    columns = shape.unpack_all(run)
    return None if columns is None else list(zip(*columns, strict=True))


@given(st.lists(flats, min_size=1, max_size=9))
def test_many_at_once_are_what_each_is(rows: list[tuple[Any, ...]]) -> None:
    """A short cut that leads elsewhere would have two stations hold two records under one hash."""
    run = [FLAT.pack(*row) for row in rows]
    assert FLAT.pack_all(list(zip(*rows, strict=True))) == run
    assert repr(at_once(FLAT, run)) == repr(rows)
    assert at_once(FLAT, [*run, run[0]]) == [*rows, rows[0]]


@given(st.lists(flats, min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 5), odd)
def test_none_of_many_may_break_the_shape(
    rows: list[tuple[Any, ...]], at: int, field: int, value: Any
) -> None:
    """What nobody would send alone is sent by nobody among others, nor taken in."""
    wrong = list(rows[at % len(rows)])
    wrong[field] = value
    rows[at % len(rows)] = tuple(wrong)
    try:
        each = [FLAT.pack(*row) for row in rows]
    except (DecodeError, UnicodeEncodeError):
        assert FLAT.pack_all(list(zip(*rows, strict=True))) is None
    else:
        assert FLAT.pack_all(list(zip(*rows, strict=True))) == each
    try:
        sent = [bytes(msgpack.packb(row, use_bin_type=True)) for row in rows]
    except UnicodeEncodeError:
        return
    assert repr(at_once(FLAT, sent)) == repr(one_by_one(FLAT, sent))


@given(st.lists(flats, min_size=1, max_size=4), st.data())
def test_where_one_of_many_ends_is_held_to_what_it_spells(
    rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """Bytes that are cut elsewhere are other entries, though together they spell the same."""
    whole = b"".join(FLAT.pack(*row) for row in rows)
    places = st.lists(st.integers(0, len(whole)), min_size=len(rows) - 1, max_size=len(rows) - 1)
    cuts = [0, *sorted(data.draw(places)), len(whole)]
    run = [whole[begin:end] for begin, end in pairwise(cuts)]
    assert repr(at_once(FLAT, run)) == repr(one_by_one(FLAT, run))


@given(st.lists(flats, min_size=1, max_size=3), st.data())
def test_a_changed_byte_among_many_is_what_it_is_alone(
    rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """Junk, another value or none: an exception of the library's would end the daemon."""
    run = [bytearray(FLAT.pack(*row)) for row in rows]
    one = run[data.draw(st.integers(0, len(run) - 1))]
    one[data.draw(st.integers(0, len(one) - 1))] ^= data.draw(st.integers(1, 255))
    sent = [bytes(data) for data in run]
    assert repr(at_once(FLAT, sent)) == repr(one_by_one(FLAT, sent))


@pytest.mark.parametrize(
    "odd_one",
    [
        b"",
        b"\x86" + b"\x00" * 12,
        bytes(msgpack.packb((1, None, 0, b"x", "", True, 0))),
        bytes(msgpack.packb([msgpack.ExtType(5, b"x"), None, 0, b"x", "", True])),
        bytes(msgpack.packb([msgpack.Timestamp(1), None, 0, b"x", "", True])),
        b"\x96" + b"\x91" * 70 + b"\x00",
        bytes(msgpack.packb((1, None, 0, b"x", "x" * 80, True))),
        b"\x05",
        b"\xc0",
        b"\xa6abcdef",
        bytes(msgpack.packb((1, None, 0, b"", "", True))),
    ],
    ids=[
        "nothing",
        "map",
        "one field more",
        "extension",
        "timestamp",
        "nest",
        "too long",
        "number",
        "nil",
        "text as long as the fields are many",
        "too short a field",
    ],
)
def test_whatever_is_none_of_many_leaves_all_to_be_looked_at(odd_one: bytes) -> None:
    """Who then looks at each says what is wrong with which."""
    good = FLAT.pack(1, None, 0, b"x", "", True)
    assert one_by_one(FLAT, [odd_one]) is None
    for some in ([odd_one], [good, odd_one], [odd_one, good], [good, odd_one, good]):
        assert FLAT.unpack_all(some) is None


def test_many_nests_are_refused_as_such() -> None:
    """As deep as the library reads, which is deeper than it writes."""
    deep = Shape("deep specimen", uint("number"), max_bytes=4000)
    for depth in (500, 511, 512, 513, 1022, 1023, 1024, 1025, 3000):
        assert deep.unpack_all([b"\x91" * depth + b"\x00"] * 2) is None


def test_a_field_of_items_is_never_looked_at_with_many() -> None:
    """Its bounds are those of each item."""
    assert SHAPE.unpack_all([SHAPE.pack(*GOOD)]) is None
    assert SHAPE.pack_all([(value,) for value in GOOD]) is None


def test_the_bound_on_the_whole_holds_for_each_of_many() -> None:
    """Each is an entry of its own, and no other station would take it."""
    narrow = Shape("narrow specimen", text("note", 40), max_bytes=20)
    assert narrow.pack_all([("x" * 18, "x" * 18)]) == [narrow.pack("x" * 18)] * 2
    assert narrow.pack_all([("x" * 18, "x" * 19)]) is None
    longer = bytes(msgpack.packb(("x" * 19,)))
    assert narrow.unpack_all([narrow.pack("x" * 18), narrow.pack("x" * 18)]) == [("x" * 18,) * 2]
    assert narrow.unpack_all([narrow.pack("x" * 18), longer]) is None


def test_the_shortest_of_many_speaks_for_itself() -> None:
    """Wherever it stands: the bounds of most fields begin at one."""
    row = (1, None, 0, b"x", "", True)
    for wrong in (b"", b"1234567"):
        columns = [(value,) * 3 for value in row]
        columns[3] = (b"x", wrong, b"xx")
        assert FLAT.pack_all(columns) is None


@pytest.mark.parametrize("pieces", [(b"p", b""), (b"p", 5), (b"p", b"long")])
def test_each_of_a_field_of_items_is_held_to_its_bounds(pieces: tuple[object, ...]) -> None:
    """The first of a run's entries may be right, and the last no entry at all."""
    with pytest.raises(DecodeError, match="piece"):
        SHAPE.unpack(changed(9, pieces))
    with pytest.raises(DecodeError, match="piece"):
        SHAPE.pack(*GOOD[:9], pieces)


@pytest.mark.parametrize("claim", [b"\xdc\x01\x00", b"\xdc\xff\xff", b"\xdd\x00\x01\x00\x00"])
def test_claims_among_many_reserve_little(claim: bytes) -> None:
    """A few bytes may claim no more than the run has members, a thousand deep."""
    assert peak_of([claim * (70 // len(claim))] * 256) < 3 * 2**20


def test_what_is_built_before_it_is_looked_at_is_bounded() -> None:
    """An empty map is one byte, and seventy in memory; a peer has room for two mebibytes of them."""
    nest = b"\xdc\x01\x00" + b"\x80" * 256
    wide = Shape("wide specimen", uint("number"), max_bytes=9000)
    member = b"\x91\xdc\x00\x1f" + nest * 31
    assert peak_of([member] * 7, wide) < 6 * 2**20, "as much as goes at once"
    assert peak_of([member] * 256, wide) < 2**20, "more is not begun"


def peak_of(packed: list[bytes], shape: Shape = FLAT) -> int:
    """Give the bytes in memory at the worst while they are refused."""
    tracemalloc.start()
    assert shape.unpack_all(packed) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak
