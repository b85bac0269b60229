"""Hypothesis strategies for every frame and entry, within the bounds that the protocol sets."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from hotline import limits
from hotline.model import Decision, Precedence
from hotline.wire import entries, frames

HEAD: Final = bytes(range(64))
HELLO: Final = frames.Hello(1, HEAD, 2, HEAD, 1, 5000, True, 0)
HEARTBEAT: Final = frames.Heartbeat(1, 5, 0, 0, 5000, 1, HEAD, 2, HEAD, 1, True, False)
RUN: Final = frames.Entries(7, (b"a", b"bc"), HEAD)
RECEIPT: Final = frames.ReceiptFrame(1, HEAD, 5, HEAD)
CLOSE: Final = frames.Close("stopped", "the station stops")
ATTEST: Final = frames.Attest(bytes(limits.MLDSA_SIGNATURE_BYTES))
RECOVER: Final = frames.Recover(3)
RETURNED: Final = frames.Returned(7, 8, (b"a", b"bc"), HEAD)
COURIER_KEY: Final = frames.CourierKeyFrame(bytes(limits.COURIER_KEY_BYTES))
CHECKPOINT: Final = frames.CheckpointFrame(1, HEAD, 2, HEAD, 5, bytes(limits.MLDSA_SIGNATURE_BYTES))
SPECIMENS: Final[list[frames.Frame]] = [
    ATTEST,
    HELLO,
    RUN,
    RECEIPT,
    HEARTBEAT,
    CHECKPOINT,
    CLOSE,
    RECOVER,
    RETURNED,
    COURIER_KEY,
]

U64: Final = st.integers(0, 2**64 - 1)
U32: Final = st.integers(0, 2**32 - 1)
INTERVALS: Final = st.integers(1, int(limits.HEARTBEAT_MAX_S * 1000))
NUMBERS: Final = st.integers(0, frames.NUMBER_MAX)
HEADS: Final = st.binary(min_size=64, max_size=64)
SIGNATURES: Final = st.binary(min_size=64, max_size=64)
IDS: Final = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


def text(low: int, high: int) -> st.SearchStrategy[str]:
    """Give text of low to high bytes."""
    return st.text(min_size=low, max_size=min(high, 40)).filter(
        lambda one: low <= len(one.encode()) <= high
    )


attests: Final = st.builds(
    frames.Attest,
    st.integers(0, 255).map(lambda n: bytes([n]) * limits.MLDSA_SIGNATURE_BYTES),
)
hellos: Final = st.builds(
    frames.Hello,
    own_number=NUMBERS,
    own_head=HEADS,
    peer_number=NUMBERS,
    peer_head=HEADS,
    receipted=NUMBERS,
    interval_ms=INTERVALS,
    accepting=st.booleans(),
    choice=U32,
    recovering=st.booleans(),
)
runs: Final = st.builds(
    frames.Entries,
    first=st.integers(1, frames.NUMBER_MAX),
    entries=st.lists(st.binary(min_size=1, max_size=6000), min_size=1, max_size=6).map(tuple),
    signature=SIGNATURES,
)
receipts: Final = st.builds(
    frames.ReceiptFrame,
    number=st.integers(1, frames.NUMBER_MAX),
    head=HEADS,
    time_ns=U64,
    signature=SIGNATURES,
)
heartbeats: Final = st.builds(
    frames.Heartbeat,
    number=st.integers(1, 2**32 - 1),
    time_ns=st.integers(-(2**63), 2**63 - 1),
    echo=U32,
    held_us=U64,
    interval_ms=INTERVALS,
    own_number=NUMBERS,
    own_head=HEADS,
    peer_number=NUMBERS,
    peer_head=HEADS,
    receipted=NUMBERS,
    accepting=st.booleans(),
    attended=st.booleans(),
)
checkpoints: Final = st.builds(
    frames.CheckpointFrame,
    own_number=NUMBERS,
    own_head=HEADS,
    peer_number=NUMBERS,
    peer_head=HEADS,
    time_ns=U64,
    signature=st.integers(0, 255).map(lambda n: bytes([n]) * limits.MLDSA_SIGNATURE_BYTES),
)
recovers: Final = st.builds(frames.Recover, after=NUMBERS)
returns: Final = st.builds(
    frames.Returned,
    first=st.integers(1, frames.NUMBER_MAX),
    upto=st.integers(1, frames.NUMBER_MAX),
    entries=st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=6).map(tuple),
    signature=st.none() | SIGNATURES,
)
closes: Final = st.builds(frames.Close, code=text(1, 32), reason=text(0, limits.REASON_BYTES))
courier_keys: Final = st.builds(
    frames.CourierKeyFrame,
    st.integers(0, 255).map(lambda n: bytes([n]) * limits.COURIER_KEY_BYTES),
)

all_frames: Final = (
    attests
    | hellos
    | runs
    | receipts
    | heartbeats
    | checkpoints
    | closes
    | recovers
    | returns
    | courier_keys
)

messages: Final = st.builds(
    entries.Message,
    id=IDS,
    precedence=st.sampled_from(Precedence),
    composed_ns=U64,
    ack_by_ns=st.none() | U64,
    author=text(0, limits.OPERATOR_BYTES),
    subject=text(0, limits.SUBJECT_BYTES),
    body=text(0, 100),
)
acknowledgements: Final = st.builds(
    entries.Acknowledgement,
    id=IDS,
    message_id=IDS,
    number=st.integers(1, frames.NUMBER_MAX),
    decision=st.sampled_from(Decision),
    time_ns=U64,
    operator=text(1, limits.OPERATOR_BYTES),
    note=text(0, limits.NOTE_BYTES),
)
tests: Final = st.builds(entries.Test, id=IDS, time_ns=U64, operator=text(0, limits.OPERATOR_BYTES))


@st.composite
def parts(draw: st.DrawFn) -> entries.Part:
    """Give a part that lies within its message."""
    chunk = draw(st.binary(min_size=1, max_size=200))
    total_bytes = draw(st.integers(limits.ENTRY_BYTES + 1, limits.MESSAGE_ENCODED_BYTES))
    offset = draw(st.integers(0, total_bytes - len(chunk)))
    return entries.Part(draw(IDS), draw(st.sampled_from(Precedence)), offset, total_bytes, chunk)


all_entries: Final = messages | acknowledgements | tests | parts()
