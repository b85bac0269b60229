"""Checkpoints: both logs signed with ML-DSA-87 now and then, so that they stay provable for decades.

A station signs what two disks hold: its own log as far as the peer has receipted it, and its copy of
the peer's. So the peer can compare both heads with its own store at once. Signing takes a millisecond
and happens on the store's thread; a checkpoint is durable here before it leaves, and covers all before
it, so one that is lost on the way is no loss once the next one comes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hotline.errors import HaltError, HotlineError, StoreError
from hotline.limits import (
    CHECKPOINT_LAST_S,
    CHECKPOINT_ROUND_TRIPS,
    CHECKPOINT_S,
    CHECKPOINT_TAKEN_S,
)
from hotline.line.agreement import own_log_lost
from hotline.line.newest import Newest
from hotline.model import Checkpoint, LineRecord, Position, Side
from hotline.wire.frames import CheckpointFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.line.context import Context
    from hotline.line.links import Links
    from hotline.line.moment import Moment
    from hotline.line.newest import Said
    from hotline.line.pairing import Pairing
    from hotline.line.vitals import Vitals
    from hotline.store.interface import Transaction


class Checkpoints:
    """When to sign the next one, what came from the peer, and the last one before a goodbye."""

    def __init__(self, context: Context, links: Links, vitals: Vitals) -> None:
        """Stand before the first session; links and vitals are only looked at."""
        self._context = context
        self._links = links
        self._vitals = vitals
        self._said: tuple[int, int] | None = None
        """Numbers of what was sent last in this session."""
        self._signing = False
        self._next_at = -math.inf
        self._newest: Newest[Checkpoint] = Newest(context)
        """Of the peer's."""
        self._takes_at = -math.inf
        self._goodbye: Callable[[Moment], None] | None = None
        self.goodbye_at = math.inf
        """When a stop no longer waits for the last checkpoint."""

    def session_agreed(self) -> None:
        """What was sent by an older session may be lost: the newest goes out once more.

        What an older session brought is not looked at any more: the peer says it again too.
        """
        self._said = None
        self._newest.drop()

    @property
    def due_at(self) -> float:
        """When ``check`` has something to do (monotonic seconds); infinity if nothing is to come."""
        signs_at = self._signs_at if self._moved() and not self._signing else math.inf
        return min(signs_at, self._takes_at if self._newest.is_due else math.inf)

    @property
    def _signs_at(self) -> float:
        # What waited for the session goes first: the signature would hold it up.
        return max(self._next_at, self._vitals.pulse.calm_at())

    def check(self, moment: Moment) -> None:
        """Do what is due."""
        if not self._signing and self._moved() and moment.now >= self._signs_at:
            self._sign(moment)
        self._take_in(moment)

    def _moved(self) -> bool:
        record = self._context.record
        if self._links.current is None or self._context.halt is not None or record.recovering:
            return False
        numbers = _receipted(record), record.peer.number
        return numbers not in {self._said, (0, 0)}

    # --- ours ---

    def _sign(self, moment: Moment) -> None:
        self._signing = True
        # On a slow link it is a second in the way of a FLASH: a small share of the time, then.
        rtt_s = self._vitals.pulse.rtt_s or 0.0
        self._next_at = moment.now + max(CHECKPOINT_S, CHECKPOINT_ROUND_TRIPS * rtt_s)
        line, pairing, wall_ns = self._context.line, self._context.pairing, moment.wall_ns
        self._context.commit(lambda tx: sign(tx, line, pairing, wall_ns), self._signed)

    def _signed(self, outcome: Any, moment: Moment) -> None:
        self._signing = False
        if isinstance(outcome, Checkpoint):
            self._said = outcome.numbers
            self._context.push(frame_of(outcome))
            own, peer = outcome.numbers
            self._context.report("checkpoint_sent", level="debug", own=own, peer=peer)
        # On a full disk nothing was signed: it is tried again in its time.
        if self._goodbye is not None:
            self._leave(self._goodbye, moment)

    # --- the peer's ---

    def take(self, frame: CheckpointFrame, moment: Moment) -> None:
        """The peer has signed both logs; of several that come at once only the newest counts."""
        self._newest.came(checkpoint_of(frame))
        self._take_in(moment)

    def _take_in(self, moment: Moment) -> None:
        if not self._newest.is_due or moment.now < self._takes_at:
            return
        self._takes_at = moment.now + CHECKPOINT_TAKEN_S
        line, pairing, wall_ns = self._context.line, self._context.pairing, moment.wall_ns
        self._newest.commit(
            lambda tx, checkpoint: take_in(tx, line, pairing, checkpoint, wall_ns), self._taken
        )

    def _taken(self, said: Said[Checkpoint], outcome: Any, moment: Moment) -> None:
        if isinstance(outcome, Checkpoint):
            own, peer = outcome.numbers
            self._context.report("checkpoint_taken", level="debug", own=own, peer=peer)
        elif isinstance(outcome, StoreError):
            # A full disk: again in its time, for the peer says it once, unless a newer one came.
            self._newest.keep(said)
        elif isinstance(outcome, HotlineError):
            self._context.fault_of(said.session, outcome, moment)

    # --- the last one ---

    def say_last(self, moment: Moment, goodbye: Callable[[Moment], None]) -> None:
        """Call goodbye once a last checkpoint has gone before it; at once if there is nothing to sign.

        A disk that hangs holds nobody up: after a while goodbye is said without it.
        """
        if not self._signing and self._moved():
            self._sign(moment)
        if self._signing:
            self._goodbye, self.goodbye_at = goodbye, moment.now + CHECKPOINT_LAST_S
        else:
            goodbye(moment)

    def check_goodbye(self, moment: Moment) -> None:
        """Wait no longer than that."""
        if self._goodbye is not None and moment.now >= self.goodbye_at:
            self._leave(self._goodbye, moment)

    def _leave(self, goodbye: Callable[[Moment], None], moment: Moment) -> None:
        self._goodbye, self.goodbye_at = None, math.inf
        goodbye(moment)


def _receipted(record: LineRecord) -> int:
    return record.receipt.number if record.receipt is not None else 0


def frame_of(checkpoint: Checkpoint) -> CheckpointFrame:
    """Give the frame that carries checkpoint."""
    own, peer = checkpoint.own, checkpoint.peer
    return CheckpointFrame(
        own.number, own.head, peer.number, peer.head, checkpoint.time_ns, checkpoint.signature
    )


def checkpoint_of(frame: CheckpointFrame) -> Checkpoint:
    """Give the checkpoint that a frame carries."""
    return Checkpoint(
        Position(frame.own_number, frame.own_head),
        Position(frame.peer_number, frame.peer_head),
        frame.time_ns,
        frame.signature,
    )


def sign(tx: Transaction, line: int, pairing: Pairing, wall_ns: int) -> Checkpoint | None:
    """Give our newest checkpoint: a new one if the logs have moved; None if the line may not sign."""
    record = tx.line(line)
    if record.halt is not None or record.recovering:
        return None
    receipt = record.receipt
    own = Position(0, pairing.own_zero)
    if receipt is not None:
        own = Position(receipt.number, receipt.head)
    newest = tx.newest_checkpoint(line, Side.OWN)
    if newest is not None and not _is_newer((own.number, record.peer.number), newest):
        return newest
    changes = tx.key_changes(line, Side.OWN)
    checkpoint = pairing.sign_checkpoint(own, record.peer, wall_ns, changes)
    tx.put_checkpoint(line, Side.OWN, checkpoint, wall_ns)
    return checkpoint


def take_in(
    tx: Transaction, line: int, pairing: Pairing, checkpoint: Checkpoint, wall_ns: int
) -> Checkpoint | None:
    """Keep the peer's checkpoint, checked against our own copies; None if it is passed over.

    That is one which tells nothing new, or of entries that are not here yet; or while the line is
    halted or recovers. Raises ProtocolError if it is not the peer's, HaltError if it is and our logs
    are others.
    """
    record = tx.line(line)
    newest = tx.newest_checkpoint(line, Side.PEER)
    if record.halt is not None or record.recovering:
        return None
    if newest is not None and not _is_newer(checkpoint.numbers, newest):
        return None
    if checkpoint.own.number > record.peer.number:
        return None  # of its own log it may sign what we do not have yet; we could not compare it
    pairing.verify_checkpoint(checkpoint, tx.key_changes(line, Side.PEER))
    if checkpoint.peer.number > record.own.number:
        raise own_log_lost(checkpoint.peer.number, record.own.number)
    _compare(tx, line, Side.PEER, checkpoint.own, pairing.peer_zero)
    _compare(tx, line, Side.OWN, checkpoint.peer, pairing.own_zero)
    tx.put_checkpoint(line, Side.PEER, checkpoint, wall_ns)
    return checkpoint


def _is_newer(numbers: tuple[int, int], newest: Checkpoint) -> bool:
    """Tell whether numbers go beyond newest: of two that go beyond each other neither is newer."""
    own, peer = newest.numbers
    return numbers != newest.numbers and numbers[0] >= own and numbers[1] >= peer


def _compare(tx: Transaction, line: int, side: Side, place: Position, zero: bytes) -> None:
    held = tx.head(line, side, place.number) if place.number else zero
    if held != place.head:
        whose = "our" if side is Side.OWN else "its own"
        raise HaltError(
            "fork", f"the peer's checkpoint has another entry {place.number} of {whose} log than we"
        )
