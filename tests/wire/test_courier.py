"""Courier files as bytes: what they may say, how they are filled up, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline import limits
from hotline.errors import DecodeError
from hotline.model import Position
from hotline.wire import courier, frames
from hotline.wire.courier import Content
from support import line_frames
from support.line_frames import HEAD, HEADS, NUMBERS, U64

IDS = st.binary(min_size=32, max_size=32)
KEY = line_frames.COURIER_KEY
RECEIPT = line_frames.RECEIPT
CHECKPOINT = line_frames.CHECKPOINT
BEFORE = Position(6, HEAD)
RUNS = (frames.Entries(7, (b"a", b"bc"), HEAD), frames.Entries(9, (b"d",), HEAD))
CONTENT = Content(
    b"w" * 32, b"r" * 32, 5, BEFORE, Position(3, HEAD), 2, KEY, RECEIPT, RUNS, CHECKPOINT
)
SIGNATURES = (bytes(64), bytes(limits.MLDSA_SIGNATURE_BYTES))


@st.composite
def contents(draw: st.DrawFn) -> Content:
    before = Position(draw(st.integers(0, 2**39)), draw(HEADS))
    runs, following = [], before.number + 1
    for data in draw(
        st.lists(st.lists(st.binary(min_size=1, max_size=40), min_size=1), max_size=4)
    ):
        runs.append(frames.Entries(following, tuple(data), draw(HEADS)))
        following += len(data)
    return Content(
        draw(IDS),
        draw(IDS),
        draw(U64),
        before,
        Position(draw(NUMBERS), draw(HEADS)),
        draw(NUMBERS),
        draw(st.none() | line_frames.courier_keys),
        draw(st.none() | line_frames.receipts),
        tuple(runs),
        draw(st.none() | line_frames.checkpoints),
    )


@given(contents())
def test_every_content_survives_its_encoding(content: Content) -> None:
    """What a courier carried must be what was said, to the bit."""
    assert courier.decode(courier.encode(content)) == content


@given(contents(), st.data())
def test_a_changed_content_is_another_one_or_none(content: Content, data: st.DataObject) -> None:
    """Two spellings of one content would be two texts under one signature."""
    encoded = courier.encode(content)
    at = data.draw(st.integers(0, len(encoded) - 1))
    changed = bytearray(encoded)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        found = courier.decode(bytes(changed))
    except DecodeError:
        return
    assert found != content
    assert courier.encode(found) == changed


@given(st.binary(max_size=300))
def test_junk_is_no_content(junk: bytes) -> None:
    """Anything but a clean refusal would be a fault that a courier can bring."""
    for read in (courier.decode, courier.unbundle):
        with pytest.raises(DecodeError):
            read(junk)
    with pytest.raises(DecodeError):
        courier.split(junk)


def spelled(*carried: frames.Frame, **other: Any) -> bytes:
    """Encode a content with frames of any kind and order."""
    fields: dict[str, Any] = {"tag": courier.TAG, "before": 6, **other}
    encoded = [frames.encode(frame) for frame in carried]
    return courier.CONTENT.pack(
        fields["tag"],
        *(b"w" * 32, b"r" * 32, 5, fields["before"], HEAD, 3, HEAD, 2),
        tuple(bytes([kind]) + body for kind, body in encoded),
    )


def test_the_helper_spells_a_content_that_is_taken() -> None:
    """Refusals below would show nothing if the frame of them were refused."""
    assert courier.decode(spelled(KEY, RECEIPT, *RUNS, CHECKPOINT)) == CONTENT
    bare = replace(CONTENT, courier_key=None, receipt=None, runs=(), checkpoint=None)
    assert courier.decode(spelled()) == bare


@pytest.mark.parametrize(
    "carried",
    [
        (RUNS[1],),
        (RUNS[0], RUNS[0]),
        (RUNS[1], RUNS[0]),
        (RUNS[0], RECEIPT),
        (RECEIPT, KEY),
        (RECEIPT, RECEIPT),
        (KEY, KEY),
        (CHECKPOINT, RUNS[0]),
        (CHECKPOINT, CHECKPOINT),
        *((frame,) for frame in line_frames.SPECIMENS if type(frame) not in courier._ORDER),
        tuple(frames.Entries(7 + n, (b"a",), HEAD) for n in range(33)),
    ],
)
def test_frames_stand_in_one_order_and_without_a_gap(carried: tuple[frames.Frame, ...]) -> None:
    """A file that may say hello, close or recover would be a session without a handshake."""
    with pytest.raises(DecodeError):
        courier.decode(spelled(*carried))


def test_another_version_and_numbers_beyond_the_last_are_refused() -> None:
    """A number that a store cannot key would end the daemon."""
    with pytest.raises(DecodeError, match="not a courier file of this protocol version"):
        courier.decode(spelled(tag="hotline/2 courier file"))
    last = frames.NUMBER_MAX
    run = frames.Entries(last, (b"a",), HEAD)
    assert courier.decode(spelled(run, before=last - 1)).last == last
    with pytest.raises(DecodeError, match="out of bounds"):
        courier.decode(spelled(replace(run, entries=(b"a", b"b")), before=last - 1))


@given(st.integers(1, 60_000))
def test_what_is_sealed_has_one_of_few_sizes(size: int) -> None:
    """A size that follows the content tells what is in the bag."""
    content = bytes(size)
    plaintext = courier.bundle(content, *SIGNATURES)
    assert len(plaintext) in {limits.COURIER_MIN_BYTES * 2**n for n in range(7)}
    assert len(plaintext) == limits.COURIER_MIN_BYTES or len(plaintext) < 2 * (size + 5000)
    assert courier.unbundle(plaintext) == (content, *SIGNATURES)


def test_a_bundle_is_filled_with_zeros_to_its_own_bucket() -> None:
    """What may stand behind the content is a channel that nobody reads."""
    plaintext = courier.bundle(b"content", *SIGNATURES)
    for changed in (
        plaintext[:-1] + b"\1",
        plaintext + bytes(len(plaintext)),
        plaintext[:-1],
        plaintext[: len(plaintext) // 2],
        b"\xff" + plaintext[1:],
        b"",
    ):
        with pytest.raises(DecodeError):
            courier.unbundle(changed)


def test_the_largest_load_fits_and_no_more() -> None:
    """A file that is over the bound would be refused by every reader."""
    run = frames.Entries(1, tuple(bytes(8000) for _ in range(16)), HEAD)
    assert len(frames.encode(run)[1]) < limits.FRAME_BYTES
    # A frame's body is at most FRAME_BYTES, whatever is in it.
    beside = limits.COURIER_KEY_BYTES + 2048 + 2 * limits.MLDSA_SIGNATURE_BYTES + 64
    assert 15 * (limits.FRAME_BYTES + 8) + beside < limits.COURIER_BYTES
    with pytest.raises(DecodeError):
        courier.bundle(bytes(limits.COURIER_BYTES - 4000), *SIGNATURES)


def test_a_header_depends_on_all_that_a_file_is_for() -> None:
    """A mark that two lines share would have one of them try what is not for it."""
    given_ = (b"p" * 32, b"w" * 32, b"r" * 32, b"k" * 1665)
    found = {courier.header_and_info(*given_)}
    for at in range(4):
        changed = [*given_]
        changed[at] = b"x" + changed[at][1:]
        found.add(courier.header_and_info(*changed))
    assert len({header for header, _ in found}) == len({info for _, info in found}) == 5
    header, info = courier.header_and_info(*given_)
    assert (len(header), len(info), info[:54]) == (courier.HEADER_BYTES, 86, header)
    assert courier.split(header + b"sealed") == (header, b"sealed")


def test_what_has_not_the_form_of_a_file_is_told_as_none() -> None:
    """Told as another station's, a stick that was pulled too early would be blamed on the peer."""
    sealing = 1568 + 97 + 16  # an ML-KEM ciphertext, a point, a tag
    sizes = [54 + sealing + count * limits.COURIER_MIN_BYTES for count in (1, 2, 4, 64)]
    for file in [courier.MAGIC.ljust(size, b"\0") for size in sizes]:
        courier.check_form(file, sealing)
        for spoilt in (file[:-1], file + b"\0", file[:54]):
            with pytest.raises(DecodeError, match=f"none is {len(spoilt)} bytes long"):
                courier.check_form(spoilt, sealing)
    for junk in (b"", b"x", bytes(sizes[0]), courier.MAGIC):
        with pytest.raises(DecodeError, match="it is no courier file"):
            courier.check_form(junk, sealing)
