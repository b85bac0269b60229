"""What the parts of one line share: its durable numbers as last committed, and the effects to come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotline.errors import HaltError, ProtocolError, StoreFullError
from hotline.limits import COMMITS_WAITING
from hotline.line.disk import Disk
from hotline.line.effects import Commit, Effect, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotline.errors import HotlineError, StoreError
    from hotline.line.moment import Moment
    from hotline.line.pairing import Pairing
    from hotline.model import Acknowledged, Halt, LineRecord
    from hotline.store.interface import Transaction
    from hotline.store.views import Arrival
    from hotline.wire.frames import Frame


class Context:
    """Shared by the parts of a line; the conductor fills in the ways out.

    ``push`` sends a frame on the session that stands, or drops it where none does; ``session`` tells
    that session from every other; ``beat`` sends a heartbeat now; ``fault`` deals with what the peer
    did wrong; ``flush`` gives the effects gathered since the last time.
    """

    push: Callable[[Frame], None]
    session: Callable[[], object]
    beat: Callable[[Moment], None]
    fault: Callable[[HotlineError, Moment], None]
    flush: Callable[[Moment], list[Effect]]

    def __init__(self, pairing: Pairing, record: LineRecord, has_room: Callable[[], bool]) -> None:
        """Start from the numbers that the store holds; has_room says whether entries may come in."""
        self.pairing = pairing
        self.has_room = has_room
        self.attended = False
        self.stopping = False
        self.settling = False
        """Whether the session that stands waits for the disk before it begins."""
        self.record = record
        self.unrecorded_halt: Halt | None = None
        self.effects: list[Effect] = []
        self.disk = Disk()
        self._commits_waiting = 0

    @property
    def halt(self) -> Halt | None:
        """Why the line has stopped, whether or not the disk has taken it; None if it has not."""
        return self.pairing.revoked or self.unrecorded_halt or self.record.halt

    @property
    def line(self) -> int:
        """The line's number in the store."""
        return self.record.line

    def commit(
        self,
        work: Callable[[Transaction], Any],
        done: Callable[[Any, Moment], None],
        after: Callable[[Any], Any] | None = None,
    ) -> None:
        """Ask for work to be made durable, and then for done to be told the outcome."""

        def deliver(outcome: Any, moment: Moment) -> list[Effect]:
            self._commits_waiting -= 1
            self.disk.answered(moment.now)
            done(outcome, moment)
            return self.flush(moment)

        self._commits_waiting += 1
        self.disk.asked()
        self.effects.append(Commit(work, deliver, after))

    def disk_full(self, what: str, error: StoreError) -> None:
        """The disk does not take what: told once until it has; of a lost store the daemon tells."""
        if isinstance(error, StoreFullError) and self.disk.full(what):
            self.report("store_full", level="error", why=str(error))

    def fault_of(self, session: object, error: HotlineError, moment: Moment) -> None:
        """Deal with what the peer did wrong in a session: with a halt always, else while it stands."""
        if isinstance(error, HaltError) or session is self.session():
            self.fault(error, moment)

    def check_load(self) -> None:
        """Raise ProtocolError if more waits for the disk than any honest peer's frames ask for."""
        if self._commits_waiting > COMMITS_WAITING:
            raise ProtocolError(f"{self._commits_waiting} requests wait for the disk")

    def report(
        self,
        event: str,
        *,
        level: str = "info",
        about: Sequence[Arrival] = (),
        answers: Sequence[tuple[str, Acknowledged]] = (),
        **fields: Any,
    ) -> None:
        """Tell logs and watching operators; about and answers are for the operators alone."""
        told = {"line": self.record.name, **fields}
        self.effects.append(Report(event, told, level, about, answers))
