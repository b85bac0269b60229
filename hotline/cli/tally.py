"""What became of each message of a batch, told as it happens and summed up at the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hotline.cli import exits, waiting
from hotline.cli.terminal import aside, complain, print_json
from hotline.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hotline.errors import HotlineError

COMPLAINTS: Final = 20
"""Failures told one by one; after these, the summary's numbers say more than the screen holds."""

_QUEUED: Final = "queued"


class Item(NamedTuple):
    """One message, and the line of the batch that it comes from."""

    number: int
    id: str
    encoded: str


class Ranges:
    """Rising numbers, kept as runs: a million accepted messages are one run."""

    def __init__(self) -> None:
        self._runs: list[list[int]] = []
        self.count = 0

    def add(self, number: int) -> None:
        """Add a number greater than all before it."""
        self.count += 1
        if self._runs and self._runs[-1][1] == number - 1:
            self._runs[-1][1] = number
        else:
            self._runs.append([number, number])

    def __str__(self) -> str:
        return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in self._runs) or "none"


class Tally:
    """The outcomes of one batch; numbers are those of the input's lines."""

    def __init__(self, *, line: str, source: str, as_json: bool, hold: bool) -> None:
        """Tell outcomes for the line; ``hold`` keeps those of accepted messages for ``reached``."""
        self._line = line
        self._source = "standard input" if source == "-" else source
        self._as_json = as_json
        self._hold = hold
        self._held: list[tuple[int, str, bool]] = []  # a message may stand on several lines
        self._states: dict[str, str | None] = {}
        self._accepted = Ranges()
        self._refused = Ranges()
        self._malformed = Ranges()
        self._unknown = Ranges()
        self._ended = Ranges()
        self._repeated = 0
        self._ended_otherwise = 0
        self._unwritten = ""

    @property
    def count(self) -> int:
        """How many messages the daemon has accepted."""
        return self._accepted.count

    def queued(self, items: Sequence[Item]) -> None:
        """Note that the daemon has accepted items, durably."""
        if self._as_json or self._hold:
            for item in items:
                self.accepted(item.number, {"id": item.id, "state": _QUEUED})
        else:
            for item in items:
                self._accepted.add(item.number)

    def accepted(self, number: int, result: dict[str, Any]) -> None:
        """Note that the daemon has the message, durably; or had it, and will never send it."""
        repeated = bool(result.get("repeated"))
        identifier, state = result["id"], result.get("state")
        if state in waiting.ENDED:
            self._ended.add(number)
            self._complain(number, waiting.ended_otherwise(identifier, state))
            self._print(number, identifier, {"state": state, "repeated": repeated})
            return
        self._accepted.add(number)
        self._repeated += repeated
        if self._hold:
            self._held.append((number, identifier, repeated))
            self._states[identifier] = state or self._states.get(identifier)
        else:
            self._print(number, identifier, {"state": state, "repeated": repeated})

    def reached(self, states: Iterable[dict[str, Any]]) -> None:
        """Note how far held messages have come."""
        for state in states:
            self._states[state["id"]] = state["state"]
            self._ended_otherwise += state["state"] in waiting.ENDED

    def held_ids(self) -> list[str]:
        """Give the ids of accepted messages, for waiting."""
        return list(self._states)

    def refused(self, number: int, identifier: str, error: HotlineError) -> None:
        """Note that the daemon did not take the message."""
        self._refused.add(number)
        self._fail(number, identifier, error, getattr(error, "code", "bad-request"))

    def malformed(self, number: int, error: HotlineError) -> None:
        """Note that a line of the input is no message."""
        self._malformed.add(number)
        self._fail(number, None, error, "bad-request")

    def unknown(self, items: Iterable[Item]) -> None:
        """Note that the daemon went away before it said what became of items."""
        for item in items:
            self._unknown.add(item.number)
            self._print(item.number, item.id, {"state": None, "repeated": None})

    def finish(self) -> None:
        """Print what was held, and the summary: on stdout for a person, on stderr beside JSON.

        Where stdout cannot be written, all of the summary stands on stderr: a file that is sent again
        because nothing is known of it comes twice.
        """
        for number, identifier, repeated in self._held:
            outcome = {"state": self._states[identifier], "repeated": repeated}
            self._print(number, identifier, outcome)
        if not self._as_json:
            self._write("\n".join(self._summary(numbers=bool(self._failed))))
        self._write()
        if self._unwritten:
            complain(
                f"{self._accepted_words()}, but that could not be written: {self._unwritten}",
                f"see: hotline outbox {self._line}",
            )
        if self._unwritten or (self._as_json and self._failed):
            aside("\n".join(self._summary(numbers=True)))
        elif self._as_json and self._ended_otherwise:
            aside(self._ended_words())

    def exit_code(self) -> int:
        """Give the exit code that tells of the worst outcome."""
        if self._unwritten:
            return exits.FAULT
        if self._refused.count or self._ended.count or self._ended_otherwise:
            return exits.REFUSED
        return exits.USAGE if self._malformed.count else exits.DONE

    def _summary(self, *, numbers: bool) -> Iterator[str]:
        yield one_line(self._accepted_words())
        if numbers:
            for name, lines in (
                ("accepted", self._accepted),
                ("refused", self._refused),
                ("no message", self._malformed),
                ("not known", self._unknown),
                *([("expired or cancelled before", self._ended)] if self._ended.count else []),
            ):
                yield one_line(f"{name}: lines {lines} of {self._source}")
        if self._ended_otherwise:
            yield self._ended_words()

    def _accepted_words(self) -> str:
        again = f", {self._repeated} of them sent before" if self._repeated else ""
        return f"{self.count} accepted for {self._line}{again}"

    def _ended_words(self) -> str:
        return f"{self._ended_otherwise} expired or cancelled"

    @property
    def _failed(self) -> int:
        numbers = (self._refused, self._malformed, self._unknown, self._ended)
        return sum(one.count for one in numbers)

    def _complain(self, number: int, error: HotlineError) -> None:
        if self._failed <= COMPLAINTS:
            complain(f"{self._source} line {number}: {error}", error.hint)
        elif self._failed == COMPLAINTS + 1:
            complain(f"{self._source}: more lines fail; the numbers follow")

    def _fail(self, number: int, identifier: str | None, error: HotlineError, code: str) -> None:
        self._complain(number, error)
        failure = {"code": code, "message": str(error), "hint": error.hint}
        self._print(number, identifier, {"error": failure})

    def _print(self, number: int, identifier: str | None, outcome: dict[str, Any]) -> None:
        if not self._as_json:
            return
        try:
            print_json({"input_line": number, "id": identifier, "line": self._line, **outcome})
        except exits.UnwrittenError as error:
            self._unwritten = error.why  # the rest of the batch goes on, and the end tells of it

    def _write(self, text: str = "") -> None:
        """Print text for a person, if there is any, and whatever has been kept."""
        try:
            if text:
                print(text)
            sys.stdout.flush()
        except exits.UnwrittenError as error:
            self._unwritten = error.why
