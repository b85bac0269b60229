"""Which answers are due: a daemon that ends stays until whoever has asked has heard what came of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator


class Answers:
    """All that clients wait for."""

    def __init__(self) -> None:
        """Start with none."""
        self._due: set[Answer] = set()
        self._changed = trio.Event()

    @contextmanager
    def due(self) -> Iterator[Answer]:
        """Say that an answer is due until it has been written, or nobody listens any more."""
        answer = Answer(self)
        self.owe(answer)
        try:
            yield answer
        finally:
            self.settle(answer)

    def owe(self, answer: Answer) -> None:
        """An answer is due."""
        self._due.add(answer)

    def settle(self, answer: Answer) -> None:
        """It is not, or not yet."""
        self._due.discard(answer)
        self._changed.set()

    async def written(self) -> None:
        """Wait until no answer that is due now is due any more; what is asked later does not count."""
        now = set(self._due)
        while now & self._due:
            self._changed = trio.Event()
            await self._changed.wait()


class Answer:
    """One of them."""

    def __init__(self, answers: Answers) -> None:
        """Belong to answers."""
        self._answers = answers

    @contextmanager
    def postponed(self) -> Iterator[None]:
        """Say that it is not due inside: it waits for the peer, maybe for days."""
        self._answers.settle(self)
        try:
            yield
        finally:
            self._answers.owe(self)
