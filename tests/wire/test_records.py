"""Records: frames through encrypted units, whole, in pieces, damaged, replayed, reordered."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline import limits
from hotline.errors import DecodeError, LocalMisuseError, ProtocolError, RecordError
from hotline.noise.cipher import AES_GCM
from hotline.noise.cipherstate import CipherState
from hotline.wire import frames, records
from hotline.wire.records import RecordReader, RecordWriter
from support.line_frames import SPECIMENS, all_frames

if TYPE_CHECKING:
    from collections.abc import Iterable

UNIT = limits.UNIT_BYTES
RECORD = limits.RECORD_BYTES
Pair = tuple[int, bytes]

bodies = st.builds(
    lambda size, byte: bytes([byte]) * size, st.integers(0, 9000), st.integers(0, 255)
)
streams = st.lists(st.tuples(st.integers(1, 255), bodies), min_size=1, max_size=8)


def cipher() -> CipherState:
    state = CipherState(AES_GCM)
    state.initialize_key(bytes(32))
    return state


def written(sent: Iterable[Pair]) -> bytes:
    """Write frames into units."""
    writer = RecordWriter(cipher())
    for kind, body in sent:
        writer.push(kind, body)
    units = b""
    while piece := writer.pull(UNIT):
        assert len(piece) == UNIT
        units += piece
    return units


def sealed(*plains: bytes) -> bytes:
    """Encrypt records whose plaintext is chosen by a peer that keeps no rule."""
    state = cipher()
    return b"".join(state.encrypt_with_ad(b"", plain.ljust(RECORD, b"\0")) for plain in plains)


def read(units: bytes, reader: RecordReader | None = None) -> list[Pair]:
    """Read all frames at once."""
    return list((reader or RecordReader(cipher())).feed(units))


def header(kind: int, size: int) -> bytes:
    return bytes([kind]) + size.to_bytes(3, "big")


# --- what is written is read ----------------------------------------------------------------------


@given(streams)
def test_frames_come_out_as_they_went_in(sent: list[Pair]) -> None:
    """A frame lost, doubled or torn between two records would break the log."""
    units = written(sent)
    reader = RecordReader(cipher())
    assert read(units, reader) == sent


@given(streams, st.lists(st.integers(1, 3 * UNIT), min_size=1, max_size=10))
def test_chunks_of_any_size_make_no_difference(sent: list[Pair], sizes: list[int]) -> None:
    """TCP keeps no boundaries: a reader that relies on them fails on a slow path only."""
    units = written(sent)
    reader, found = RecordReader(cipher()), []
    place = 0
    for size in itertools.cycle(sizes):
        found += list(reader.feed(units[place : place + size]))
        place += size
        if place >= len(units):
            break
    assert found == sent


@pytest.mark.parametrize("frame", SPECIMENS, ids=lambda one: type(one).__name__)
def test_every_frame_byte_by_byte_and_with_bytes_after_it(frame: frames.Frame) -> None:
    """A frame must be given as soon as its last byte is there, and not a byte earlier."""
    pair = frames.encode(frame)
    units = written([pair])
    reader = RecordReader(cipher())
    for place in range(len(units) - 1):
        assert not list(reader.feed(units[place : place + 1]))
    assert [frames.decode(*one) for one in reader.feed(units[-1:])] == [frame]
    reader = RecordReader(cipher())
    assert read(units + b"\x01", reader) == [pair]


@given(all_frames, all_frames)
def test_what_follows_a_frame_does_not_change_it(one: frames.Frame, two: frames.Frame) -> None:
    """Two frames in one record must come out as two."""
    sent = [frames.encode(one), frames.encode(two)]
    assert [frames.decode(*pair) for pair in read(written(sent))] == [one, two]


def test_frames_go_on_across_rekeys() -> None:
    """Writer and reader must change keys at the same record, or the line breaks every 4 MiB."""
    count = limits.RECORDS_PER_KEY + 10
    sent = [(3, bytes([n % 256]) * (RECORD - 4)) for n in range(count)]
    units = written(sent)
    assert len(units) == count * UNIT
    reader = RecordReader(cipher())
    assert read(units, reader) == sent
    assert reader.records == count
    stale = CipherState(AES_GCM)
    stale.initialize_key(bytes(32))
    stale.set_nonce(limits.RECORDS_PER_KEY)
    with pytest.raises(RecordError):
        stale.decrypt_with_ad(
            b"", units[limits.RECORDS_PER_KEY * UNIT :][:UNIT]
        )  # the first key no longer opens it


def test_a_pull_gives_whole_units_up_to_what_was_asked() -> None:
    """A burst that ignores the bound could no longer be overtaken by a FLASH."""
    writer = RecordWriter(cipher())
    writer.push(1, bytes(10 * RECORD))
    assert len(writer.pull(3 * UNIT + 5)) == 3 * UNIT
    assert len(writer.pull(1)) == UNIT
    assert len(writer.pull(limits.MIB)) == 7 * UNIT
    assert writer.pull(limits.MIB) == b""
    assert (writer.records, writer.pending_bytes) == (11, 0)


def test_only_what_a_frame_can_be_is_written() -> None:
    """A frame of type zero would be read as padding, and vanish."""
    writer = RecordWriter(cipher())
    for kind, size in [(0, 1), (1, limits.FRAME_BYTES + 1)]:
        with pytest.raises(LocalMisuseError):
            writer.push(kind, bytes(size))
    assert writer.pull(UNIT) == b""


# --- what a peer that keeps no rule may try -------------------------------------------------------


@given(st.integers(0, RECORD - 2), st.integers(1, 255))
def test_padding_must_be_zero(place: int, value: int) -> None:
    """Bytes that nobody checks are a channel that nobody sees."""
    plain = bytearray(RECORD)
    plain[place + 1] = value
    with pytest.raises(DecodeError, match="padding"):
        read(sealed(bytes(plain)))


def test_padding_after_a_frame_must_be_zero_too() -> None:
    """The last byte of a record counts as much as the first."""
    frame = header(7, 3) + b"abc"
    assert read(sealed(frame)) == [(7, b"abc")]
    with pytest.raises(DecodeError, match="padding"):
        read(sealed(frame.ljust(RECORD - 1, b"\0") + b"\x01"))


def test_a_record_of_padding_alone_is_allowed_and_empty() -> None:
    """It is how a silent stretch may look like a busy one."""
    reader = RecordReader(cipher())
    assert read(sealed(b"", header(7, 1) + b"x"), reader) == [(7, b"x")]
    assert reader.records == 2


def test_a_length_over_the_bound_is_refused_before_the_body_comes() -> None:
    """A peer that claims sixteen megabytes must not be given the memory."""
    with pytest.raises(DecodeError, match="claims"):
        read(sealed(header(3, limits.FRAME_BYTES + 1)))
    with pytest.raises(DecodeError, match="claims"):
        read(sealed(b"\xff\xff\xff\xff"))


def test_a_frame_of_the_longest_length_is_taken() -> None:
    """The bound itself belongs to what is allowed."""
    sent = [(3, bytes(limits.FRAME_BYTES)), (7, b"next")]
    assert read(written(sent)) == sent


@pytest.mark.parametrize("spare", [0, 1, 2, 3, 4, 5])
def test_a_header_may_run_into_the_next_record(spare: int) -> None:
    """Four bytes that straddle two records are where a careless reader goes wrong."""
    sent = [(5, b"a" * (RECORD - 4 - spare)), (6, b"bcd"), (7, b"")]
    units = written(sent)
    assert len(units) == (UNIT if spare >= 11 else 2 * UNIT)
    assert read(units) == sent


def test_a_frame_that_lies_about_its_length_swallows_what_follows() -> None:
    """It harms only itself: what it swallows is its own body, and the next header is junk."""
    plain = header(7, 10) + b"abc" + header(7, 3) + b"def"
    [(kind, body)] = read(sealed(plain))
    assert (kind, body) == (7, b"abc" + header(7, 3) + b"def")
    with pytest.raises(DecodeError):
        frames.decode(kind, body)


@given(streams, st.data())
@settings(max_examples=60)
def test_a_flipped_bit_ends_the_session(sent: list[Pair], data: st.DataObject) -> None:
    """Nothing of the damaged record may be acted upon, and nothing after it."""
    units = bytearray(written(sent))
    place = data.draw(st.integers(0, len(units) - 1))
    units[place] ^= 1 << data.draw(st.integers(0, 7))
    _ends_at(bytes(units), place // UNIT, sent)


def _ends_at(units: bytes, bad: int, sent: list[Pair]) -> None:
    """Check that all before unit number bad comes out, then RecordError, and nothing of the rest."""
    reader = RecordReader(cipher())
    found: list[Pair] = []
    with pytest.raises(RecordError):
        found.extend(reader.feed(units))
    ends = itertools.accumulate(records.HEADER_BYTES + len(body) for _, body in sent)
    assert found == sent[: sum(end <= bad * RECORD for end in ends)]
    assert reader.records == bad


MANY = [(5, bytes([n]) * (RECORD - 4)) for n in range(6)]


@pytest.mark.parametrize(
    ("order", "bad"),
    [
        ([0, 1, 1, 2], 2),
        ([0, 0], 1),
        ([1, 0], 0),
        ([0, 2, 1], 1),
        ([0, 1, 3], 2),
        ([1], 0),
        ([0, 1, 2, 0], 3),
    ],
    ids=["replayed", "first-twice", "swapped", "late-swap", "dropped", "first-lost", "old"],
)
def test_units_come_in_order_once_and_all(order: list[int], bad: int) -> None:
    """Whoever sits on the path must not be able to repeat, reorder or leave out an order."""
    units = written(MANY)
    _ends_at(b"".join(units[n * UNIT :][:UNIT] for n in order), bad, MANY)


def test_a_unit_of_another_session_does_not_open() -> None:
    """Yesterday's recording must be worth nothing today."""
    other = CipherState(AES_GCM)
    other.initialize_key(b"\x01" * 32)
    with pytest.raises(RecordError):
        read(other.encrypt_with_ad(b"", bytes(RECORD)))


# --- the budget -----------------------------------------------------------------------------------


class CountingCipher:
    """A cipher that costs nothing, to see the budget's end."""

    def __init__(self) -> None:
        self.rekeys = 0

    def encrypt_with_ad(self, _ad: bytes, plaintext: bytes) -> bytes:
        return plaintext + bytes(16)

    def decrypt_with_ad(self, _ad: bytes, ciphertext: bytes) -> bytes:
        return ciphertext[:RECORD]

    def rekey(self) -> None:
        self.rekeys += 1


def test_the_budget_of_a_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its budget a session's keys have lived too long: neither side may go on."""
    monkeypatch.setattr(records, "RECORDS_PER_KEY", 64)
    monkeypatch.setattr(records, "RECORDS_PER_SESSION", 128)
    cipher_ = CountingCipher()
    writer, reader = RecordWriter(cipher_), RecordReader(cipher_)
    writer.push(1, bytes(limits.FRAME_BYTES))
    units = writer.pull(UNIT)
    while writer.records < 128:
        if writer.pending_bytes < UNIT:
            writer.push(1, bytes(limits.FRAME_BYTES))
        units += writer.pull(UNIT)
    assert cipher_.rekeys == 2
    writer.push(1, b"one too many")
    with pytest.raises(ProtocolError, match="budget"):
        writer.pull(UNIT)
    assert all(kind == 1 for kind, _ in reader.feed(units))
    assert reader.records == 128
    with pytest.raises(ProtocolError, match="budget"):
        list(reader.feed(bytes(UNIT)))


@pytest.mark.parametrize("records_long", [1, 2, 3])
@pytest.mark.parametrize("size", [0, 1])
def test_a_frame_that_ends_with_its_record_comes_at_once(records_long: int, size: int) -> None:
    """It would wait for the next record, which may be a heartbeat away, or never come."""
    body = bytes(records_long * RECORD - 4 - (4 + size))
    frames = [(5, body), (5, b"x" * size)]
    assert len(written(frames)) == records_long * UNIT
    assert read(written(frames)) == frames
