"""Bugs to plant, one at a time: a simulator that does not find these proves nothing.

Each is what a tired hand might write. They are put into the product's modules for the time of one
world, and nowhere else.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from sim.runner import Runner

from hotline.line import (
    agreement,
    applying,
    courier_files,
    key_changes,
    liveness,
    sealing,
    taking_back,
)
from hotline.line.key_changes import KeyChanges
from hotline.line.line import Line
from hotline.line.links import Link
from hotline.line.receiving import Receiving
from hotline.line.recovery import Recovery
from hotline.line.sending import Sending
from hotline.line.straight import Straight, Way
from hotline.line.window import Window
from hotline.model import Position, Side
from hotline.noise.cipherstate import CipherState
from hotline.store import connection
from hotline.store.transaction import SqliteTransaction
from hotline.wire import heads
from hotline.wire.entries import Part, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MIB: Final = 1024 * 1024


def _receipt_before_commit(plant: Callable[[object, str, Any], None]) -> None:
    """A receipt is signed when entries come, not when they are durable."""
    original = Receiving._apply_more

    def apply_more(self: Receiving, moment: Any) -> None:
        if self._waiting and not self._applying:
            record = self._context.record
            data = [entry for run in self._waiting for entry in run.entries]
            head = heads.chain(record.peer.head, data)[-1]
            position = Position(record.peer.number + len(data), head)
            self._context.push(self.sign_receipt(position, moment.wall_ns))
        original(self, moment)

    plant(Receiving, "_apply_more", apply_more)


def _duplicate_check_off(plant: Callable[[object, str, Any], None]) -> None:
    """Entries that came before are taken for new ones."""

    def new_entries(_record: Any, runs: Any) -> list[bytes]:
        return [entry for run in runs for entry in run.entries]

    plant(applying, "_new_entries", new_entries)


def _repeat_not_recognised(plant: Callable[[object, str, Any], None]) -> None:
    """A send under a known id is queued once more."""
    plant(SqliteTransaction, "digests", lambda _self, _line, _ids: {})


def _relaxed_sync(plant: Callable[[object, str, Any], None]) -> None:
    """synchronous=NORMAL: a commit is not synced, though no error is seen."""
    original = connection.make_writer

    def make_writer(database: Any) -> None:
        original(database)
        database.pragma("synchronous", 1)

    plant(connection, "make_writer", make_writer)


def _state_guessed(plant: Callable[[object, str, Any], None]) -> None:
    """A line is up while its connection stands."""
    original = liveness.assess

    def assess(facts: Any) -> Any:
        found = original(facts)
        if facts.halt is None and facts.standing:
            return found._replace(state=liveness.LineState.UP)
        return found

    plant("hotline.line.vitals", "assess", assess)


def _nonce_kept(plant: Callable[[object, str, Any], None]) -> None:
    """The key is kept where it should be replaced, and nonces begin again."""

    def rekey(self: CipherState) -> None:
        self._n = 0

    plant(CipherState, "rekey", rekey)


def _resume_from_own(plant: Callable[[object, str, Any], None]) -> None:
    """A new session goes on after our own last entry, not after the peer's copy of it."""
    original = Sending.begin

    def begin(self: Sending, _after: int, now: float, *, peer_accepting: bool) -> None:
        original(self, self._context.record.own.number, now, peer_accepting=peer_accepting)

    plant(Sending, "begin", begin)


def _early_frames_dropped(plant: Callable[[object, str, Any], None]) -> None:
    """What comes between the peer's agreement and ours is thrown away."""
    plant(Link, "keep_early", lambda _self, _frame: None)


def _floor_too_late(plant: Callable[[object, str, Any], None]) -> None:
    """A hello is held against what we hold by now, not when the peer wrote it."""
    original = agreement.examine

    def examine(tx: Any, line: int, pairing: Any, hello: Any, _floor: Any) -> Any:
        return original(tx, line, pairing, hello, agreement.floor_of(tx.line(line)))

    plant(agreement, "examine", examine)


def _accepted_before_commit(plant: Callable[[object, str, Any], None]) -> None:
    """The operator is answered when the request is handed over, not when it is durable."""
    from hotline.line.accepting import Accepted

    original = Runner.accept

    def accept(self: Runner, messages: Any, bounds: Any, told: Any) -> None:
        told([Accepted("", repeated=True)])
        original(self, messages, bounds, lambda _outcome: None)

    plant(Runner, "accept", accept)


def _halt_not_kept(plant: Callable[[object, str, Any], None]) -> None:
    """A halt is known until the next restart only."""

    def put_halt(tx: Any, line: int, halt: Any) -> Any:
        return replace(tx.line(line), halt=halt)

    plant("hotline.line.halting", "put_halt", put_halt)


def _oldest_first(plant: Callable[[object, str, Any], None]) -> None:
    """The queue is drained in the order of asking, whatever is urgent."""
    original = SqliteTransaction.queued

    def queued(self: SqliteTransaction, line: int, most: int, _most_bytes: int) -> Any:
        return sorted(original(self, line, most, 4 * _MIB), key=lambda queued: queued.row)

    plant(SqliteTransaction, "queued", queued)


def _precedence_upside_down(plant: Callable[[object, str, Any], None]) -> None:
    """The least urgent goes first."""
    original = SqliteTransaction.queued

    def queued(self: SqliteTransaction, line: int, most: int, _most_bytes: int) -> Any:
        return original(self, line, most, 4 * _MIB)[::-1]

    plant(SqliteTransaction, "queued", queued)


def _window_without_bound(plant: Callable[[object, str, Any], None]) -> None:
    """Entries are put on the wire however many wait for a receipt."""
    plant(Window, "room_bytes", property(lambda _self: 4 * _MIB))
    plant(Window, "run_bytes", property(lambda _self: 4 * _MIB))


def _said_before_durable(plant: Callable[[object, str, Any], None]) -> None:
    """Entries leave while the transaction that seals them is still under way."""
    original = sealing.next_run

    def next_run(tx: Any, line: int, pairing: Any, **how: Any) -> Any:
        run = original(tx, line, pairing, **how)
        runner = pairing.station.runners.get(pairing.peer_name)
        if run.frame is not None and runner is not None:
            runner.line._push_current(run.frame)
        return run

    plant(sealing, "next_run", next_run)


def _straight_past_the_queue(plant: Callable[[object, str, Any], None]) -> None:
    """What is asked for goes straight to the log though more urgent messages wait."""

    def opened(self: Way, record: Any) -> Any:
        return Straight(self, record) if record.own.number == self.after else None

    plant(Way, "open", opened)
    plant(Sending, "_nothing_waits", property(lambda _self: True))


def _damage_forgiven(plant: Callable[[object, str, Any], None]) -> None:
    """Any bytes count as a sign of life, opened or not."""
    original = Line.received

    def received(self: Line, conn: int, data: bytes, moment: Any) -> Any:
        if self.vitals.heard_at is not None:
            self.vitals.heard_at = moment.now
            self.vitals.pulse.proven_at = moment.now
        return original(self, conn, data, moment)

    plant(Line, "received", received)


def _given_back_off_by_one(plant: Callable[[object, str, Any], None]) -> None:
    """The first entry that was asked for is left out."""
    original = taking_back.give_back

    def give_back(tx: Any, line: int, after: int) -> Any:
        return original(tx, line, after + 1)

    plant(taking_back, "give_back", give_back)


def _answers_not_restored(plant: Callable[[object, str, Any], None]) -> None:
    """What our operators had answered is not shown again."""
    plant(taking_back, "restore_answers", lambda _tx, _line, _messages: 0)


def _queued_though_sent(plant: Callable[[object, str, Any], None]) -> None:
    """What is found in the log taken back stays in a restored queue."""
    plant(SqliteTransaction, "take_back", lambda _self, _line, _found, _at_ns: [])


def _went_on_before_it_was_whole(plant: Callable[[object, str, Any], None]) -> None:
    """A station that recovers writes on at once, under numbers that it has used."""
    original = Recovery._begin_sending

    def begin_sending(self: Recovery, after: int, moment: Any) -> None:
        self._own_end = 0
        original(self, min(after, self._context.record.own.number), moment)

    plant(Recovery, "_begin_sending", begin_sending)


def _half_sent_goes_on(plant: Callable[[object, str, Any], None]) -> None:
    """A long message goes on where a backup says that it was."""
    plant(SqliteTransaction, "begin_anew", lambda _self, _line: 0)


def _both_beginnings_joined(plant: Callable[[object, str, Any], None]) -> None:
    """A message that was half sent before a loss, and then sent anew, is joined from all its parts."""

    def parts_until(tx: Any, line: int, number: int, last: Part) -> list[tuple[int, bytes]]:
        parts = [(number, last.chunk)]
        offset, before = last.offset, number
        while offset > 0 and before > 1:
            first = max(1, before - taking_back._LOOK_BACK)
            earlier = tx.entries(line, Side.OWN, first, before - first, 4 * _MIB)
            for one in reversed(earlier):
                entry = decode(one.data)
                if isinstance(entry, Part) and entry.id == last.id:
                    parts.append((one.number, entry.chunk))
                    offset = entry.offset
            before = first
        return parts[::-1]

    plant(taking_back, "_parts_until", parts_until)


def _kept_signature_is_not_the_one_made(plant: Callable[[object, str, Any], None]) -> None:
    """What was signed goes out, and what is kept of it proves nothing."""
    original = SqliteTransaction.put_signature

    def put_signature(self: Any, line: int, side: Any, first: int, last: int, *rest: Any) -> None:
        signature, at_ns = rest
        original(self, line, side, first, last, signature[::-1], at_ns)

    plant(SqliteTransaction, "put_signature", put_signature)


def _checkpoint_over_another_head(plant: Callable[[object, str, Any], None]) -> None:
    """A checkpoint is kept as it came, and with another head than was signed."""
    original = SqliteTransaction.put_checkpoint

    def put_checkpoint(self: Any, line: int, signer: Any, checkpoint: Any, at_ns: int) -> None:
        false = replace(checkpoint, peer=replace(checkpoint.peer, head=checkpoint.own.head))
        original(self, line, signer, false, at_ns)

    plant(SqliteTransaction, "put_checkpoint", put_checkpoint)


def _courier_numbers_unheard(plant: Callable[[object, str, Any], None]) -> None:
    """A courier takes new entries along before anybody knows whether our log is whole."""
    original = courier_files.pack

    def pack(*arguments: Any, **words: Any) -> Any:
        return original(*arguments, **words | {"may_number": True})

    plant(courier_files, "pack", pack)


def _keys_without_overlap(plant: Callable[[object, str, Any], None]) -> None:
    """The old keys are given up as soon as the new ones are announced, heard or not."""

    def is_confirmed(self: KeyChanges, index: int) -> bool:
        return self._context.pairing.owns[index].number is not None

    plant(KeyChanges, "_is_confirmed", is_confirmed)


def _run_over_a_key_change(plant: Callable[[object, str, Any], None]) -> None:
    """The old keys sign what comes after the change, with it."""
    plant(
        sealing._Batch,
        "fits",
        lambda self, size_bytes: not self.entries or size_bytes + 3 <= self.room_bytes,
    )


def _confirmed_without_a_word(plant: Callable[[object, str, Any], None]) -> None:
    """A change that a session shows before its receipt comes is never told as confirmed."""
    original = KeyChanges.session_opened

    def session_opened(self: KeyChanges, link: Any) -> bool:
        opened = original(self, link)
        self._confirmed = max(self._confirmed, self._between(link)[0] or 0)
        return opened

    plant(KeyChanges, "session_opened", session_opened)


def _key_changes_forgotten(plant: Callable[[object, str, Any], None]) -> None:
    """A station that starts again does not look which changes its logs hold."""
    plant(key_changes, "remember", lambda *_: None)


BUGS: Final[dict[str, Callable[[Callable[[object, str, Any], None]], None]]] = {
    plant.__name__.strip("_"): plant
    for plant in (
        _receipt_before_commit,
        _duplicate_check_off,
        _repeat_not_recognised,
        _relaxed_sync,
        _state_guessed,
        _nonce_kept,
        _resume_from_own,
        _early_frames_dropped,
        _floor_too_late,
        _accepted_before_commit,
        _halt_not_kept,
        _oldest_first,
        _precedence_upside_down,
        _window_without_bound,
        _said_before_durable,
        _straight_past_the_queue,
        _damage_forgiven,
        _given_back_off_by_one,
        _answers_not_restored,
        _queued_though_sent,
        _went_on_before_it_was_whole,
        _half_sent_goes_on,
        _both_beginnings_joined,
        _kept_signature_is_not_the_one_made,
        _checkpoint_over_another_head,
        _courier_numbers_unheard,
        _keys_without_overlap,
        _run_over_a_key_change,
        _key_changes_forgotten,
        _confirmed_without_a_word,
    )
}


@contextmanager
def planted(bug: str) -> Iterator[None]:
    """Let the product have a bug for a while."""
    with ExitStack() as stack:

        def plant(target: object, name: str, value: Any) -> None:
            if isinstance(target, str):
                stack.enter_context(patch(f"{target}.{name}", value))
            else:
                stack.enter_context(patch.object(target, name, value))

        BUGS[bug](plant)
        yield
