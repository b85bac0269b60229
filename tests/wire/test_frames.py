"""Frames: each type by itself, before records carry it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline import limits
from hotline.errors import DecodeError
from hotline.wire import frames
from support.line_frames import (
    CLOSE,
    HEAD,
    HEARTBEAT,
    HELLO,
    RECEIPT,
    RUN,
    SPECIMENS,
    all_frames,
)

TYPES = {one.TYPE for one in SPECIMENS}
ALIKE = {frames.Entries.TYPE, frames.Returned.TYPE}
"""One spelling, two directions: the type alone says whose log it is."""

specimens = pytest.mark.parametrize("frame", SPECIMENS, ids=lambda one: type(one).__name__)


def test_every_type_of_frame_has_a_specimen() -> None:
    """A frame that these tests have never seen is one whose decoder nobody has attacked."""
    assert {one.TYPE for one in get_args(frames.Frame)} == TYPES


@given(all_frames)
def test_every_frame_survives_its_encoding(frame: frames.Frame) -> None:
    """A number that changes on the way would be taken for a fork, or worse, not be."""
    assert frames.decode(*frames.encode(frame)) == frame


@specimens
def test_every_frame_is_refused_with_bytes_after_it(frame: frames.Frame) -> None:
    """What follows a frame's value inside its length would be carried and never seen."""
    kind, body = frames.encode(frame)
    with pytest.raises(DecodeError):
        frames.decode(kind, body + b"\x00")


@specimens
def test_every_frame_is_refused_cut_short(frame: frames.Frame) -> None:
    """A frame that lost its end must not be read as another one."""
    kind, body = frames.encode(frame)
    for size in {0, 1, len(body) // 2, len(body) - 1}:
        with pytest.raises(DecodeError):
            frames.decode(kind, body[:size])


@specimens
def test_a_frame_of_one_type_is_none_of_another(frame: frames.Frame) -> None:
    """A receipt that can be read as a close would let one signature do two things."""
    kind, body = frames.encode(frame)
    for other in TYPES - {kind} - (ALIKE if kind in ALIKE else set()):
        with pytest.raises(DecodeError):
            frames.decode(other, body)


@pytest.mark.parametrize("kind", sorted(set(range(256)) - TYPES))
def test_an_unknown_type_is_refused(kind: int) -> None:
    """Skipping what is not understood is how versions drift apart unseen."""
    with pytest.raises(DecodeError, match="unknown"):
        frames.decode(kind, frames.encode(CLOSE)[1])


@given(st.integers(0, 255), st.binary(max_size=300))
def test_junk_is_refused_as_such(kind: int, body: bytes) -> None:
    """Any other exception than DecodeError would end the daemon, not the session."""
    with pytest.raises(DecodeError):
        frames.decode(kind, body)


def changed(one: Any, **values: Any) -> Any:
    """Give a copy that breaks its own types: what a peer might send."""
    return replace(one, **values)


@pytest.mark.parametrize(
    "frame",
    [
        changed(HELLO, own_number=-1),
        changed(HELLO, own_number=frames.NUMBER_MAX + 1),
        changed(HELLO, own_head=HEAD[1:]),
        changed(HELLO, interval_ms=0),
        changed(HELLO, interval_ms=int(limits.HEARTBEAT_MAX_S * 1000) + 1),
        changed(HELLO, accepting=1),
        changed(RUN, first=0),
        changed(RUN, entries=()),
        changed(RUN, entries=(b"",)),
        changed(RUN, entries=(bytes(limits.ENTRY_BYTES + 1),)),
        changed(RUN, entries=(b"x",) * (limits.ENTRIES_PER_FRAME + 1)),
        changed(RUN, signature=HEAD[:-1]),
        changed(RECEIPT, number=0),
        changed(RECEIPT, time_ns=-1),
        changed(HEARTBEAT, number=0),
        changed(HEARTBEAT, interval_ms=0),
        changed(HEARTBEAT, attended=None),
        changed(CLOSE, code=""),
        changed(CLOSE, code="c" * 33),
        changed(CLOSE, reason="r" * (limits.REASON_BYTES + 1)),
        frames.Attest(bytes(limits.MLDSA_SIGNATURE_BYTES - 1)),
    ],
)
def test_values_out_of_bounds_are_refused(frame: Any) -> None:
    """A bound that only the sender keeps is no bound against a hostile peer."""
    with pytest.raises(DecodeError):
        frames.encode(frame)
    values = [getattr(frame, name) for name in frame.__slots__]
    with pytest.raises(DecodeError):
        frames.decode(frame.TYPE, stock_encoding(values))


def stock_encoding(values: list[Any]) -> bytes:
    """Encode as a peer would that has no bounds."""
    import msgpack  # type: ignore[import-untyped]

    return bytes(msgpack.packb(values, use_bin_type=True))


def test_a_run_knows_its_last_number_and_size() -> None:
    """The window counts by them: an error there stalls the line or floods it."""
    assert (RUN.last, RUN.size_bytes) == (8, 3)
