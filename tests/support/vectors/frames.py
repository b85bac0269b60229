"""Frames with their headers: the values of every field, in the order of the tables."""

from __future__ import annotations

from hotline.line.pairing import Pairing
from hotline.model import Position
from hotline.wire import entries, frames, heads
from support.vectors.entries import TEST
from support.vectors.fixed import ALPHA, BRAVO, NOW_NS, Json


def make() -> Json:
    """Give one frame of each type that has a fixed value."""
    alpha = Pairing(ALPHA.keys, ALPHA.card, BRAVO.card)
    bravo = Pairing(BRAVO.keys, BRAVO.card, ALPHA.card)
    data = entries.encode(TEST)
    one = Position(1, heads.next_head(alpha.own_zero, data))
    none = Position(0, alpha.peer_zero)
    stands = (one.number, one.head, none.number, none.head)
    made: list[frames.Frame] = [
        frames.Hello(*stands, receipted=0, interval_ms=5000, accepting=True, choice=0),
        frames.Entries(1, (data,), alpha.sign_head(one)),
        frames.ReceiptFrame(1, one.head, NOW_NS, bravo.sign_receipt(one, NOW_NS)),
        frames.Heartbeat(7, NOW_NS, 6, 1_500_000, 5000, *stands, 1, accepting=True, attended=False),
        frames.CheckpointFrame(*stands, NOW_NS, _checkpoint(alpha, one, none)),
        frames.Close("stopped", "the station stops"),
        frames.Recover(3),
        frames.Returned(1, 1, (data,), alpha.sign_head(one)),
    ]
    return {"frames": [_frame(frame) for frame in made]}


def _checkpoint(alpha: Pairing, own: Position, peer: Position) -> bytes:
    message = heads.checkpoint_message(alpha.own_zero, own, alpha.peer_zero, peer, NOW_NS)
    return ALPHA.sign_mldsa(message, heads.CHECKPOINT_CONTEXT)


def _frame(frame: frames.Frame) -> Json:
    frame_type, body = frames.encode(frame)
    return {
        "name": frame.SHAPE.name,
        "type": frame_type,
        "fields": [getattr(frame, name) for name in frame.__slots__],
        "frame": bytes([frame_type]) + len(body).to_bytes(3, "big") + body,
    }
