"""What a line asks of the world; the daemon (or a simulator) carries it out, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hotline.line.moment import Moment
    from hotline.model import Acknowledged
    from hotline.store.interface import Transaction
    from hotline.store.views import Arrival


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect to address and report under conn: ``connected`` or ``dial_failed``."""

    conn: int
    address: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """Send farewell (whole units, often none) and close conn; report nothing of it any more."""

    conn: int
    farewell: bytes = b""


@dataclass(frozen=True, slots=True)
class Commit:
    """Run work in a transaction; when it is durable, tell its outcome to done, at that moment.

    ``work`` runs on the store's thread and must touch nothing of the line; neither may ``after``,
    which turns its result into the outcome once the result is durable (a receipt is signed there).
    If work raised a HotlineError, or a StoreError undid the transaction, that is the outcome.
    """

    work: Callable[[Transaction], Any]
    done: Callable[[Any, Moment], list[Effect]]
    after: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Writable:
    """Conn has bytes to be pulled."""

    conn: int


@dataclass(frozen=True, slots=True)
class Report:
    """Something happened that logs and watching operators should know; names are stable."""

    event: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    level: str = "info"
    about: Sequence[Arrival] = ()
    """Messages for whoever is on watch; no log has what they say."""
    answers: Sequence[tuple[str, Acknowledged]] = ()
    """The same of what the peer's operators answered, by the ids of our messages."""


Effect = Dial | Writable | Hangup | Commit | Report
