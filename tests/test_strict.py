"""Strict msgpack: one array of one shape, one encoding per value, and nothing else at all."""

from __future__ import annotations

import struct
import tracemalloc
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
