"""Exit codes: what a script learns without reading a word."""

from __future__ import annotations

from typing import Final

from hotline.errors import (
    EvidenceError,
    HotlineError,
    RefusedError,
    StoreError,
    StoreInUseError,
)

DONE: Final = 0
FAULT: Final = 1
"""This program broke its own rules, or the machine failed under it."""
USAGE: Final = 2
"""What was given cannot be used: an option, the configuration, a card, a key."""
UNREACHABLE: Final = 3
TIMED_OUT: Final = 4
REFUSED: Final = 5
UNFIT: Final = 6
"""``status --check``: a line is not fit for use."""
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
"""As if SIGPIPE had ended us: whoever read our output has gone."""


class UsageError(HotlineError):
    """What the operator typed or handed in cannot be used."""


class UnreachableError(HotlineError):
    """No daemon answers at the control socket."""


class GoneError(UnreachableError):
    """The daemon hung up."""


class TimedOutError(HotlineError):
    """The time given for waiting is over; what was accepted stays accepted."""


class UnwrittenError(HotlineError):
    """Standard output could not be written; what it was to tell is true all the same.

    ``why`` is the system's reason, and ``done`` says what is done, if that is known.
    """

    def __init__(self, why: str, *, done: str = "", hint: str = "") -> None:
        super().__init__(
            f"{done}, but that could not be written: {why}"
            if done
            else f"the answer could not be written to standard output: {why}",
            hint=hint
            or "if this was to change anything, look before you say it again: it may be done",
        )
        self.why = why


def of(error: HotlineError) -> int:
    """Give the exit code that tells of error."""
    if isinstance(error, UnreachableError):
        return UNREACHABLE
    if isinstance(error, TimedOutError):
        return TIMED_OUT
    if isinstance(error, StoreInUseError | EvidenceError):
        return REFUSED
    if isinstance(error, StoreError | UnwrittenError):
        return FAULT
    if isinstance(error, RefusedError) and error.code != "bad-request":
        return REFUSED
    return USAGE
