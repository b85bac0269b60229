"""Stopping until an operator acts: in force at once, and remembered as soon as the disk takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotline.errors import HaltError, HotlineError
from hotline.line.agreement import put_halt
from hotline.model import Halt

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.line.context import Context
    from hotline.line.moment import Moment


class Halting:
    """Puts a halt in force and lifts it; ``context.halt`` is what holds."""

    def __init__(self, context: Context) -> None:
        """Start with what the store remembers."""
        self._context = context
        self._examinations = 0

    def halt(self, error: HaltError, moment: Moment) -> None:
        """Stop: the two records disagree. To find the same again, at the next call, is no news."""
        known = self._context.halt
        if known is None or (known.code, known.text) != (error.code, str(error)):
            self._context.unrecorded_halt = Halt(error.code, str(error), moment.wall_ns)
            self._context.report("line_halted", level="error", code=error.code, why=str(error))
        self.remember()

    def lift(self, told: Callable[[Any], None]) -> None:
        """An operator has the line looked at again from the start; a revoked card stays revoked.

        told hears of it once it is durable: None, or the HotlineError that the disk has met.
        """
        halt = self._context.halt
        if halt is None or halt is self._context.pairing.revoked:
            told(None)
            return
        self._context.unrecorded_halt = None

        def lifted(outcome: Any) -> None:
            error = None
            if self._context.halt is None:
                self._context.report("line_unhalted", level="warning", was=halt.code)
            elif isinstance(outcome, HotlineError):
                error = outcome
                self._context.report("store_full", level="error", why=str(error))
            told(error)

        self._put(None, lifted)

    def remember(self) -> None:
        """Write down a halt that the disk has not taken yet; should be called now and then."""
        if self._context.unrecorded_halt is not None and not self._examinations:
            self._put(self._context.unrecorded_halt)

    def hold(self) -> None:
        """A hello is about to be examined: what it settles must not be written down behind it."""
        self._examinations += 1

    def release(self, *, settles: str | None) -> None:
        """The examination is over; a halt of the code that it settles, not yet on the disk, ends."""
        self._examinations -= 1
        halt = self._context.unrecorded_halt
        if halt is not None and halt.code == settles:
            self._context.unrecorded_halt = None
        self.remember()

    def _put(self, halt: Halt | None, told: Callable[[Any], None] | None = None) -> None:
        line = self._context.line

        def put(outcome: Any, _: Moment) -> None:
            if not isinstance(outcome, HotlineError):
                self._context.record = outcome
                if self._context.unrecorded_halt is halt:
                    self._context.unrecorded_halt = None
            # Else the disk is full: a halt stays in force, and is written at a later beat; one that the
            # disk has is lifted by the next retry alone.
            if told is not None:
                told(outcome)

        self._context.commit(lambda tx: put_halt(tx, line, halt), put)
