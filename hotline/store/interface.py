"""The seam between what is decided and what is remembered.

``line/`` decides inside a transaction, through the methods below; a store only remembers, in order,
durably. Every implementation passes tests/store/conformance.py. The laws:

1. ``transact`` returns only after all of its work is on disk (a real fsync), or raises, and then
   nothing of it ever happened, except that a failed commit may turn out durable at the next start.
2. Works run one after another, in the order given; a work that raises a HotlineError is undone
   alone, and the others stand.
3. Reading never waits for writing, and sees only what is committed.
4. Bytes of entries come back exactly as they went in; who finds otherwise raises StoreDamagedError.
5. After a StoreError all is refused, but for a full disk, and for a damaged row that ``read`` met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hotline.model import (
        Acknowledged,
        Checkpoint,
        Incoming,
        KeyChange,
        LineRecord,
        LogEntry,
        Mark,
        Outgoing,
        Partial,
        Queued,
        Queueing,
        Receipt,
        Side,
        Standing,
        TakenBack,
    )
    from hotline.store.views import MessageView, Pass

T = TypeVar("T")


class Transaction(Protocol):
    """What a work may read and change; all of it, or nothing, becomes durable."""

    # --- lines ---
    def line(self, line: int) -> LineRecord:
        """Give a line's numbers as they stand in this transaction."""

    def put_line(self, record: LineRecord) -> None:
        """Replace a line's numbers."""

    def courier_key(self, line: int) -> bytes | None:
        """Give the peer's courier key as it was kept, or None."""

    def put_courier_key(self, line: int, key: bytes) -> None:
        """Keep the peer's courier key, in the place of an earlier one."""

    # --- our queue ---
    def digests(self, line: int, ids: Sequence[str]) -> dict[str, bytes]:
        """Give the digest of each of ids that is an outgoing message of line already."""

    def enqueue(self, line: int, messages: Sequence[Outgoing]) -> None:
        """Add messages to the queue in this order (their ids are new to line)."""

    def add_sealed(self, line: int, messages: Sequence[tuple[int, Outgoing]]) -> None:
        """Add messages that were never queued: the entry at each number is its content, to the byte."""

    def queued(self, line: int, most: int, most_bytes: int) -> list[Queued]:
        """Give at most most rows still to be sealed: highest precedence first, oldest first.

        Gives fewer once what is unsealed of them reaches most_bytes, but one at least.
        """

    def due(self, line: int, now_ns: int, most: int) -> list[Queued]:
        """Give at most most rows, wholly queued, that expire at or before now_ns."""

    def waiting(self, line: int, identifier: str) -> Queued | None:
        """Give the outgoing message of this id if it is queued and nothing of it is sealed."""

    def set_queueing(self, rows: Sequence[int], queueing: Queueing) -> None:
        """Take wholly queued rows from the queue, as EXPIRED or CANCELLED; they stay visible."""

    def seal(
        self, line: int, numbers: Sequence[tuple[int, int]], parted: Sequence[int] = ...
    ) -> None:
        """Say that each (row, number) is sealed: its content stands in the log up to number.

        They are all that ``queued`` gives first, in its order.
        ``parted`` are those of the rows whose content stands there in parts: it is let go of.
        """

    def seal_part(self, line: int, row: int, number: int, sealed_bytes: int) -> None:
        """Say that entry number carries row's content up to sealed_bytes."""

    def begin_anew(self, line: int) -> int:
        """Have what is sealed in part sealed from its first byte; gives how many bytes that adds."""

    # --- the logs ---
    def append(
        self, line: int, side: Side, entries: Sequence[LogEntry], rows: Mapping[int, int] = ...
    ) -> None:
        """Append entries to a log; their numbers go on from its end.

        ``rows`` gives, by number, the row of the queue whose content an entry is, to the byte: so it
        is stored once.
        """

    def entries(
        self, line: int, side: Side, first: int, most: int, most_bytes: int
    ) -> list[LogEntry]:
        """Give entries from number first on: at most most, at most most_bytes (but one at least).

        Raises StoreDamagedError if an entry does not hash to the head stored beside it.
        """

    def head(self, line: int, side: Side, number: int) -> bytes | None:
        """Give the head after entry number (number >= 1), or None if the log is shorter."""

    def messages_until(self, line: int, side: Side, number: int) -> int:
        """Give how many complete messages the entries up to number hold (0 for number 0)."""

    def put_signature(
        self, line: int, side: Side, first: int, last: int, signature: bytes, at_ns: int
    ) -> None:
        """Keep the writer's signature over the head at last; it came or was made at at_ns."""

    def signature_from(self, line: int, side: Side, number: int) -> tuple[int, bytes] | None:
        """Give the first signature kept over a head at or after number: where, and its 64 bytes."""

    def put_receipt(self, line: int, receipt: Receipt, at_ns: int) -> None:
        """Keep the peer's receipt over our log; it came at at_ns by our clock."""

    def put_checkpoint(self, line: int, signer: Side, checkpoint: Checkpoint, at_ns: int) -> None:
        """Keep a checkpoint, which came or was made at at_ns; it is newer than the signer's others.

        Of earlier ones so many are kept that from any entry a few thousand lead to the next.
        """

    def newest_checkpoint(self, line: int, signer: Side) -> Checkpoint | None:
        """Give the newest checkpoint that signer has made."""

    def put_resumption(self, line: int, after: int, upto: int) -> None:
        """Note that our entries after..upto (after excluded) were put on the wire once more."""

    def take_back(self, line: int, found: Sequence[TakenBack], at_ns: int) -> list[Queued]:
        """Say that these of ours stand in our log; gives those that were still queued.

        What was unknown here is sealed from the start (accepted at at_ns, for want of better).
        """

    # --- key changes ---
    def key_changes(self, line: int, side: Side) -> list[KeyChange]:
        """Give the key changes that stand in a log, in order."""

    def put_key_change(self, line: int, side: Side, change: KeyChange) -> None:
        """Say that a key change stands in a log; it comes after the others, and stands for good."""

    def end_card_before(self, line: int, side: Side, station_id: bytes) -> None:
        """Say that what was in force before the card of station_id is refused from now on."""

    # --- the peer's messages ---
    def receive(self, line: int, messages: Sequence[Incoming]) -> int:
        """Show complete messages of the peer's log; drop their partials.

        Gives the row of the first; the others' follow in order.
        """

    def known_incoming(self, line: int, ids: Sequence[str]) -> set[str]:
        """Give those of ids that the peer has used for a message already."""

    def partials(self, line: int) -> list[Partial]:
        """Give the peer's messages of which only some parts have come."""

    def put_partial(self, line: int, partial: Partial) -> None:
        """Add or replace the partial of this id."""

    def drop_partial(self, line: int, identifier: str) -> None:
        """Forget the partial of this id, if there is one: it was no message."""

    # --- either direction ---
    def find(self, line: int, side: Side, identifier: str) -> MessageView | None:
        """Give one message: side OWN is what we sent, PEER what we received."""

    def standing(self, line: int, side: Side, identifier: str) -> Standing | None:
        """Give where one message stands; what it says may be damaged, and is not looked at."""

    def acknowledge(self, line: int, side: Side, identifier: str, answer: Acknowledged) -> None:
        """Set the acknowledgement shown with a message; a later one replaces it."""

    # --- cards ---
    def put_verification(self, own_id: bytes, peer_id: bytes, mark: Mark) -> None:
        """Say that the pair code of two cards (ids of 32 bytes) was compared; the newest is kept."""

    def put_revocation(self, peer_id: bytes, mark: Mark) -> None:
        """Refuse a card for good, whatever line it is pinned to; the first time stands."""

    def revocation(self, peer_id: bytes) -> Mark | None:
        """Give when a card was refused for good, and by whom."""


class Reader(Protocol):
    """What operators ask; sees only what is committed."""

    def lines(self) -> list[LineRecord]:
        """Give all lines' numbers, in the order in which they were added."""

    def key_changes(self, line: int, side: Side) -> list[KeyChange]:
        """Give the key changes that stand in a log, in order."""

    def page(
        self,
        side: Side,
        *,
        line: int | None = None,
        after: int | None = None,
        before: int | None = None,
        open_only: bool = False,
        most: int = 100,
        passed: Pass | None = None,
    ) -> list[MessageView]:
        """Give messages: side OWN is the outbox, PEER the inbox; ``row`` is the cursor.

        With ``after``: those with a greater row, oldest first. Otherwise the newest with a smaller
        row than ``before``, oldest first among themselves. ``open_only`` leaves out what is
        acknowledged (inbox), or acknowledged, expired or cancelled (outbox). A page also ends
        early when its bodies reach a few MiB; it holds one message at least if there is one.

        Raises StoreDamagedError for a message that is damaged; with ``passed``, that is told of it
        instead, and the page goes round it (and may be empty for that: its row is a cursor too).
        """

    def show(self, identifier: str, passed: Pass | None = None) -> list[MessageView]:
        """Give every message or line test with this id: of any line, in either direction.

        What is damaged is raised, or told to ``passed``, as for a page.
        """

    def verification(self, own_id: bytes, peer_id: bytes) -> Mark | None:
        """Give when the pair code of these two cards was compared last, and by whom."""

    def revocation(self, peer_id: bytes) -> Mark | None:
        """Give when a card was refused for good, and by whom."""

    def history(self) -> History:
        """Give what proves: the logs and the signatures over them, as they are stored."""


class History(Protocol):
    """What proves, unchecked: who asks checks it, and may find that the disk has changed it."""

    def entries(
        self, line: int, side: Side, first: int, most: int, most_bytes: int
    ) -> list[LogEntry]:
        """Give entries from number first on: at most most, at most most_bytes (but one at least)."""

    def head(self, line: int, side: Side, number: int) -> bytes | None:
        """Give the head stored after entry number (number >= 1), or None."""

    def signatures(
        self, line: int, side: Side, first: int, last: int, most: int
    ) -> list[tuple[int, bytes]]:
        """Give the writer's signatures over heads from first to last, in order: where, 64 bytes."""

    def receipts(self, line: int, first: int, last: int, most: int) -> list[Receipt]:
        """Give the peer's receipts over heads of our log from first to last, in order."""

    def checkpoints(
        self, line: int, signer: Side, after: int, most: int
    ) -> list[tuple[int, Checkpoint]]:
        """Give a signer's checkpoints in order, each with its cursor, which is greater than after."""

    def covering(self, line: int, signer: Side, own: int, peer: int) -> Checkpoint | None:
        """Give a signer's first checkpoint that reaches as far as own in its log, peer in the other."""

    def carriers(self, line: int, side: Side, identifier: str) -> list[int]:
        """Give the numbers of the entries that carry a message; none while it is not wholly sealed."""

    def answers(self, line: int, side: Side, identifier: str) -> list[int]:
        """Give the numbers of side's entries that may acknowledge a message of the other side.

        Looks through the whole log; what is found has to be decoded.
        """


class Store(Protocol):
    """One station's durable memory, held by one daemon at a time."""

    def add_line(self, name: str, peer_id: bytes, own_id: bytes | None = None) -> int:
        """Give the number of the line to peer_id, making it if it is new; its name may change.

        Both ids are those under which the line was founded; own_id is the store's unless it is given.
        Raises ConfigError if the line stands and was founded under another own_id.
        """

    def transact(self, works: Sequence[Callable[[Transaction], T]]) -> list[T | Exception]:
        """Run works in one transaction and make it durable; a result or a HotlineError for each.

        Raises StoreFullError (nothing happened; may be tried again) or StoreError (stop at once).
        """

    def read(self, work: Callable[[Reader], T]) -> T:
        """Run work over what is committed; may be called from any thread.

        Raises StoreDamagedError (this question has no answer) or StoreError (stop at once).
        """

    def move_wal(self) -> None:
        """Move the write-ahead log into the database; raises StoreError."""

    def is_crowded(self) -> bool:
        """Tell whether reads should not overlap for a while: the log that they hold up is long."""

    def free_bytes(self) -> int:
        """Give the free disk where the store lies."""

    def close(self) -> None:
        """Release everything; the store is as durable as it was before."""
