"""The words of the line as plain values: what the line decides on and the store remembers."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from hotline import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_RULE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
"""Names of stations and lines: safe in a file name, a table and a sentence."""

ID_RULE: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{limits.ID_BYTES - 1}}}")
"""Ids of messages: what an operator can say, type and paste."""

_matches_id: Final = ID_RULE.fullmatch


class Precedence(enum.IntEnum):
    """How urgent a message is (ACP 121); lower goes first."""

    FLASH = 0
    IMMEDIATE = 1
    PRIORITY = 2
    ROUTINE = 3


class Decision(enum.IntEnum):
    """What an operator says of a message: read, will comply, cannot comply."""

    READ = 0
    WILCO = 1
    CANNOT = 2


class Kind(enum.IntEnum):
    """What an entry is."""

    MESSAGE = 1
    PART = 2
    ACKNOWLEDGEMENT = 3
    TEST = 4
    KEY_CHANGE = 5


class Side(enum.IntEnum):
    """Whose log: ours, or our verified copy of the peer's."""

    OWN = 0
    PEER = 1


class State(enum.StrEnum):
    """What has become of a message; the order of the first four is the only way."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Queueing(enum.IntEnum):
    """Where a message of ours stands before its log number says the rest."""

    QUEUED = 0
    SEALING = 1
    SEALED = 2
    EXPIRED = 3
    CANCELLED = 4


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a log: the number of its last entry, and the head there (64 bytes)."""

    number: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """A reader's signature over our head: its disk holds all entries up to there."""

    number: int
    head: bytes
    time_ns: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A station's ML-DSA-87 signature over both logs: ``own`` is its own, ``peer`` its copy."""

    own: Position
    peer: Position
    time_ns: int
    signature: bytes

    @property
    def numbers(self) -> tuple[int, int]:
        """How far it reaches in the signer's own log, and in the other's."""
        return self.own.number, self.peer.number


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a line stopped, and when (UNIX ns)."""

    code: str
    text: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class LineRecord:
    """One line's durable numbers: one row, replaced whole in a transaction.

    Counts are of messages (not parts, acknowledgements or tests); they make status cost the same
    however long the logs are. ``receipt`` is the peer's newest over our log.
    """

    line: int
    name: str
    peer_id: bytes
    own: Position
    peer: Position
    receipt: Receipt | None
    halt: Halt | None
    queued: int
    queued_bytes: int
    sealed: int
    delivered: int
    acknowledged: int
    received: int
    acknowledged_here: int
    recovering: bool
    """Whether an operator lets this station take back from the peer what its own store has lost."""


class Outgoing(NamedTuple):
    """A message, acknowledgement or test as accepted from an operator, ready to be sealed.

    ``content`` is the exact entry encoding (for a long message: what its parts will carry).
    ``digest`` identifies what the operator asked, so that a repeated id can be told from a clash.
    """

    id: str
    kind: Kind
    precedence: Precedence
    content: bytes
    digest: bytes
    accepted_ns: int
    expires_ns: int | None = None


class Queued(NamedTuple):
    """An outgoing row as the sealer sees it; ``sealed_bytes`` of content are in parts already."""

    row: int
    id: str
    kind: Kind
    precedence: Precedence
    content: bytes
    sealed_bytes: int
    expires_ns: int | None


class LogEntry(NamedTuple):
    """One entry of a log with the head after it; ``messages`` counts complete messages so far."""

    number: int
    head: bytes
    data: bytes
    messages: int


class Incoming(NamedTuple):
    """A complete message found in the peer's log; ``number`` is its last entry's."""

    id: str
    kind: Kind
    precedence: Precedence
    number: int
    received_ns: int
    parts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Something of ours found again in our own log, which the peer gave back."""

    id: str
    kind: Kind
    precedence: Precedence
    number: int
    digest: bytes
    parts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Partial:
    """A message of the peer's of which some parts have come."""

    precedence: Precedence
    id: str
    total_bytes: int
    numbers: tuple[int, ...]
    have_bytes: int


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A succession that stands in a log: after entry ``number`` the card of ``id`` is in force.

    ``succession`` is its encoding; ``ended`` says that the card before it is refused by now.
    """

    number: int
    id: bytes
    succession: bytes
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An operator's answer to a message: who, what, when (UNIX ns), and a note."""

    operator: str
    decision: Decision
    note: str
    at_ns: int


class Standing(NamedTuple):
    """Where a message stands, as far as an answer to it asks; ``number`` is its last entry's."""

    kind: Kind
    number: int | None
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class Mark:
    """Who decided something about a card, and when (UNIX ns)."""

    operator: str
    at_ns: int


def spelled(precedence: Precedence | Decision) -> str:
    """Give the word as operators write it: FLASH, wilco."""
    return precedence.name if isinstance(precedence, Precedence) else precedence.name.lower()


def check_id(identifier: str) -> bool:
    """Tell whether identifier is a legal message id."""
    return _matches_id(identifier) is not None


def check_ids(identifiers: Iterable[str]) -> bool:
    """Tell whether each of identifiers is a legal message id."""
    return all(map(_matches_id, identifiers))
