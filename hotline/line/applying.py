"""The peer's log: taking in what it sent, in one transaction; our receipt follows the commit.

Whatever breaks a rule under a valid signature is the peer's own deed, so it halts the line: the entry
can neither be skipped (the log has no holes) nor accepted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import repeat, starmap
from typing import TYPE_CHECKING, Final

from hotline.errors import DecodeError, HaltError, IdentityError, ProtocolError
from hotline.limits import KIB, MESSAGE_ENCODED_BYTES, PART_BYTES
from hotline.line import taking_back
from hotline.line.accepting import supersedes
from hotline.line.key_changes import peers_succession
from hotline.model import (
    Acknowledged,
    Incoming,
    KeyChange,
    Kind,
    LineRecord,
    LogEntry,
    Partial,
    Position,
    Precedence,
    Side,
)
from hotline.store.views import Arrival
from hotline.wire import entries, heads

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from hotline.identity import Card
    from hotline.line.pairing import Pairing
    from hotline.store.interface import Transaction
    from hotline.wire.frames import Entries


_READ_AT_ONCE: Final = 64
"""Entries that are read together, if all of them are messages, and short ones."""

_SHOWN_AT_ONCE: Final = 1024
_SHOWN_CHARACTERS: Final = 256 * KIB
"""Messages that are shown without asking the store for them, and what they may say together."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The peer's new card, in force after entry number of its log."""

    number: int
    card: Card


@dataclass(frozen=True, slots=True)
class Applied:
    """What new entries brought: messages to show, acknowledgements of ours, tests, other keys."""

    record: LineRecord
    messages: Sequence[str]
    flashes: Sequence[str]
    """Those of messages that are shown before any other."""
    answers: Sequence[tuple[str, Acknowledged]]
    """Acknowledgements of our messages, by their ids."""
    tests: Sequence[str]
    change: Changed | None = None
    arrivals: Sequence[Arrival] = ()
    """What whoever is on watch need not wait for: every FLASH, and then as many as have room."""

    @property
    def acknowledged(self) -> list[str]:
        """The ids of our messages that were answered."""
        return [identifier for identifier, _ in self.answers]


def apply(
    tx: Transaction,
    line: int,
    pairing: Pairing,
    runs: Sequence[Entries],
    wall_ns: int,
    *,
    attended: bool = False,
) -> Applied:
    """Append runs of the peer's log to our copy of it; attended says that an operator looks on.

    Runs follow one another; what we hold already is skipped. Raises ProtocolError for a gap or a
    signature that does not verify, HaltError for content that breaks the rules of a log. Only the
    last entry may end a key change, for what follows one is signed by keys not known before it.
    """
    record = tx.line(line)
    data = _new_entries(record, runs)
    if not data:
        return Applied(record, (), (), (), ())
    first = record.peer.number + 1
    chain = heads.chain(record.peer.head, data)
    position = Position(record.peer.number + len(data), chain[-1])
    # The signature of the run that reaches farthest covers every other, because the head does.
    signature = max(runs, key=lambda run: run.last).signature
    changes = tx.key_changes(line, Side.PEER)
    pairing.verify_head(position, signature, changes)
    reading = _Reading(tx, line, record, wall_ns)
    for at in range(0, len(data), _READ_AT_ONCE):
        reading.take_all(first + at, data[at : at + _READ_AT_ONCE])
    numbers = range(first, position.number + 1)
    log = list(starmap(LogEntry, zip(numbers, chain, data, reading.counts, strict=True)))
    tx.append(line, Side.PEER, log)
    tx.put_signature(line, Side.PEER, first, position.number, signature, wall_ns)
    first_row = reading.finish()
    change = None
    if reading.key_change is not None:
        change = _change_keys(tx, line, pairing, changes, reading.key_change, position.number)
    answered = 0
    if record.recovering:
        shown_again = [(message.id, message.number) for message in reading.messages]
        answered = taking_back.restore_answers(tx, line, shown_again)
    record = replace(
        record,
        peer=position,
        received=reading.received,
        acknowledged_here=record.acknowledged_here + answered,
        acknowledged=record.acknowledged + reading.first_acknowledgements,
    )
    tx.put_line(record)
    shown = [message.id for message in reading.messages]
    flashes = [one.id for one in reading.messages if one.precedence is Precedence.FLASH]
    # While the line recovers, the store alone knows what was answered before the loss.
    at_hand = attended and not record.recovering
    arrivals = reading.arrivals(record.name, first_row) if at_hand else []
    return Applied(record, shown, flashes, reading.answers, reading.tests, change, arrivals)


def _change_keys(
    tx: Transaction,
    line: int,
    pairing: Pairing,
    changes: list[KeyChange],
    entry: entries.KeyChange,
    number: int,
) -> Changed:
    try:
        succession = peers_succession(pairing, changes, entry, number)
    except IdentityError as error:
        raise _broke_rules(number, str(error)) from None
    if tx.revocation(succession.card.id) is not None:
        raise _broke_rules(number, "the keys change to those of a card that was revoked here")
    change = KeyChange(number, succession.card.id, entry.succession)
    tx.put_key_change(line, Side.PEER, change)
    return Changed(number, succession.card)


def _new_entries(record: LineRecord, runs: Sequence[Entries]) -> list[bytes]:
    """Give the entries after our copy's end, or raise ProtocolError for a gap."""
    data: list[bytes] = []
    for run in runs:
        have = record.peer.number + len(data)
        if run.first > have + 1:
            raise ProtocolError(f"entries from {run.first} came after entry {have}")
        data += run.entries[have + 1 - run.first :]
    return data


def _broke_rules(number: int, why: str) -> HaltError:
    return HaltError("peer-broke-rules", f"entry {number} of the peer's log is not allowed: {why}")


class _Reading:
    """Reads entries in order and gathers what they bring."""

    def __init__(self, tx: Transaction, line: int, record: LineRecord, wall_ns: int) -> None:
        self._tx = tx
        self._line = line
        self._receipted = record.receipt.number if record.receipt is not None else 0
        self._wall_ns = wall_ns
        self.received = record.received
        self.counts: list[int] = []
        """How many messages the log holds after each entry."""
        self.messages: list[Incoming] = []
        self._said: list[entries.Message] = []
        self.answers: list[tuple[str, Acknowledged]] = []
        self.first_acknowledgements = 0
        self.tests: list[str] = []
        self.key_change: entries.KeyChange | None = None
        self._chunks: dict[int, bytes] = {}
        self._partials: dict[str, Partial] | None = None
        self._changed: set[str] = set()
        self._dropped: set[str] = set()

    def take_all(self, first: int, data: Sequence[bytes]) -> None:
        """Read entries from number first on; raises HaltError if the log may not hold one."""
        # Nearly every run is of messages alone: all at once, they cost half of what each does.
        messages = entries.decode_messages(data) if self.key_change is None else None
        if messages is not None:
            self._complete_all(first, messages)
            return
        for number, entry in enumerate(data, first):
            if self.key_change is not None:
                raise _broke_rules(number - 1, "the keys change, but its run goes on")
            try:
                self._take(number, entry)
            except DecodeError as error:
                raise _broke_rules(number, str(error)) from None
            self.counts.append(self.received)

    def _complete_all(self, first: int, messages: Sequence[entries.Message]) -> None:
        count, before = len(messages), self.received
        self.received += count
        self.counts += range(before + 1, self.received + 1)
        self._said += messages
        ids, precedences, *_ = zip(*messages, strict=True)
        self.messages += map(
            Incoming,
            ids,
            repeat(Kind.MESSAGE),
            precedences,
            range(first, first + count),
            repeat(self._wall_ns),
        )

    def _take(self, number: int, data: bytes) -> None:
        entry = entries.decode(data)
        if type(entry) is not entries.Part and entry.id.startswith(entries.KEY_CHANGE_PREFIX):
            raise _broke_rules(number, f"{entry.id} is an id for a change of keys alone")
        if type(entry) is entries.Message:  # nearly every entry is one
            self._complete(number, entry, ())
        elif isinstance(entry, entries.Part):
            self._take_part(number, entry)
        elif isinstance(entry, entries.Acknowledgement):
            self._take_acknowledgement(number, entry)
        else:  # a line test
            self.tests.append(entry.id)

    def _complete(self, number: int, message: entries.Message, parts: tuple[int, ...]) -> None:
        self.received += 1
        self._said.append(message)
        self.messages.append(
            Incoming(message.id, Kind.MESSAGE, message.precedence, number, self._wall_ns, parts)
        )

    def _open(self) -> dict[str, Partial]:
        if self._partials is None:
            self._partials = {partial.id: partial for partial in self._tx.partials(self._line)}
        return self._partials

    def _take_part(self, number: int, part: entries.Part) -> None:
        partials = self._open()
        if part.offset == 0:
            self._begin(part)
        partial = partials.get(part.id)
        if partial is None:
            raise _broke_rules(number, f"a part of message {part.id} comes without its first")
        expected = (partial.precedence, partial.total_bytes, partial.have_bytes)
        if (part.precedence, part.total_bytes, part.offset) != expected:
            raise _broke_rules(
                number, f"a part of message {part.id} does not follow the one before"
            )
        is_last = part.offset + len(part.chunk) == part.total_bytes
        if len(part.chunk) < PART_BYTES and not is_last:
            raise _broke_rules(number, f"a part carries only {len(part.chunk)} bytes")
        self._chunks[number] = part.chunk
        self._changed.add(part.id)
        partials[part.id] = partial = replace(
            partial,
            numbers=(*partial.numbers, number),
            have_bytes=partial.have_bytes + len(part.chunk),
        )
        if partial.have_bytes == partial.total_bytes:
            whole = entries.decode_long(b"".join(self._gather(partial)))
            del partials[part.id]
            if isinstance(whole, entries.KeyChange) and whole.id == part.id:
                self._take_key_change(number, whole)
            elif (
                isinstance(whole, entries.Message)
                and (whole.id, whole.precedence) == (part.id, part.precedence)
                and not part.id.startswith(entries.KEY_CHANGE_PREFIX)
            ):
                self._complete(number, whole, partial.numbers)
            else:
                raise _broke_rules(number, f"the parts of {part.id} carry something else")

    def _begin(self, part: entries.Part) -> None:
        """Begin a message, in the place of what was half sent before it.

        One log never interrupts a message by another of its precedence: whoever begins one had lost
        where it stood. So no more are ever unfinished than there are precedences.
        """
        partials = self._open()
        for one in list(partials.values()):
            if one.id == part.id or one.precedence == part.precedence:
                del partials[one.id]
                self._dropped.add(one.id)
        partials[part.id] = Partial(part.precedence, part.id, part.total_bytes, (), 0)

    def _take_key_change(self, number: int, change: entries.KeyChange) -> None:
        if not change.id.startswith(entries.KEY_CHANGE_PREFIX):
            raise _broke_rules(number, f"{change.id} is no id for a key change")
        self.key_change = change
        self._dropped.add(change.id)

    def _gather(self, partial: Partial) -> list[bytes]:
        """Give a message's chunks: from this batch, and from the log for what came before it."""
        chunks = []
        for number in partial.numbers:
            chunk = self._chunks.get(number)
            if chunk is None:
                [stored] = self._tx.entries(self._line, Side.PEER, number, 1, MESSAGE_ENCODED_BYTES)
                entry = entries.decode(stored.data)
                chunk = entry.chunk if isinstance(entry, entries.Part) else b""
            chunks.append(chunk)
        return chunks

    def _take_acknowledgement(self, number: int, entry: entries.Acknowledgement) -> None:
        # Not what it says: an answer to a message that is damaged here is one all the same.
        found = self._tx.standing(self._line, Side.OWN, entry.message_id)
        if found is None or found.number != entry.number or found.kind is not Kind.MESSAGE:
            raise _broke_rules(
                number, f"it acknowledges entry {entry.number}, which is no such message"
            )
        if entry.number > self._receipted:
            # An honest peer's receipt comes first, by the same session; the next session sends it.
            raise ProtocolError(f"entry {entry.number} is acknowledged without a receipt for it")
        if found.decision is None:
            self.first_acknowledgements += 1
        elif not supersedes(entry.decision, found.decision):
            raise _broke_rules(number, f"message {entry.message_id} was acknowledged already")
        answer = Acknowledged(entry.operator, entry.decision, entry.note, entry.time_ns)
        self._tx.acknowledge(self._line, Side.OWN, entry.message_id, answer)
        self.answers.append((entry.message_id, answer))

    def arrivals(self, line: str, first_row: int) -> list[Arrival]:
        """Give those messages that are shown from memory: every FLASH first, then in order."""
        told = zip(self.messages, self._said, strict=True)
        arrivals = [Arrival(row, line, *both) for row, both in enumerate(told, first_row)]
        arrivals.sort(key=lambda one: one.incoming.precedence is not Precedence.FLASH)
        room = _SHOWN_CHARACTERS
        for count, one in enumerate(arrivals):
            room -= len(one.said.body)
            if room < 0 or count == _SHOWN_AT_ONCE:
                return arrivals[:count]
        return arrivals

    def finish(self) -> int:
        """Write what was gathered, once the entries are appended; gives the first message's row."""
        ids = [message.id for message in self.messages]
        known = self._tx.known_incoming(self._line, ids)
        if known or len(set(ids)) != len(ids):
            raise self._repeated(ids, known)
        for identifier in self._changed & self._open().keys() if self._changed else ():
            self._tx.put_partial(self._line, self._open()[identifier])
        for identifier in self._dropped - self._open().keys() if self._dropped else ():
            self._tx.drop_partial(self._line, identifier)
        return self._tx.receive(self._line, self.messages)

    def _repeated(self, ids: Sequence[str], known: Set[str]) -> HaltError:
        """Name the last message whose id was used before it: in an earlier run, or in this one."""
        counts = Counter(ids)
        last = next(one for one in reversed(self.messages) if one.id in known or counts[one.id] > 1)
        return _broke_rules(last.number, f"message id {last.id} was used before")
